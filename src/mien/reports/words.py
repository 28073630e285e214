"""Sentences and cells of the report, written from its figures: fractions in, text out.

Scores that are fractions stand in percent with one decimal; what is not known is an en dash.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.run_leakage.summary import FEWEST_UNITS
from mien.audit.splits.findings import counted as counted
from mien.audit.statistics.scores import measure_of

UNKNOWN = "\N{EN DASH}"


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal, without the sign: `.4578` is `45.8`."""
    return UNKNOWN if value is None or math.isnan(value) else f"{100 * value:.1f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """A difference of fractions, in points with its sign."""
    return percent(value) if math.isnan(value) or value < 0 else f"+{percent(value)}"


def span(low: float, high: float) -> str:
    """An interval of fractions, in percent."""
    return UNKNOWN if math.isnan(low) or math.isnan(high) else f"{percent(low)} to {percent(high)}"


class Scale(NamedTuple):
    """How the values of a measure are shown: fractions in percent and points, all else in three digits.

    Attributes:
        title: of the measure.
        percent: whether it is a fraction.
        higher: whether more is better.
    """

    title: str
    percent: bool
    higher: bool

    @property
    def unit(self) -> str:
        """What stands behind the title of its values."""
        return ", %" if self.percent else ""

    @property
    def points(self) -> str:
        """What stands behind the title of its differences."""
        return ", points" if self.percent else ""

    def value(self, value: float | None) -> str:
        """A value, without its unit."""
        if self.percent or value is None or math.isnan(value):
            return percent(value)
        return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")

    def signed(self, value: float) -> str:
        """A difference, with its sign."""
        return self.value(value) if math.isnan(value) or value < 0 else f"+{self.value(value)}"

    def span(self, low: float | None, high: float | None) -> str:
        """An interval."""
        known = low is not None and high is not None and not (math.isnan(low) or math.isnan(high))
        return f"{self.value(low)} to {self.value(high)}" if known else UNKNOWN


def scale(measure: str) -> Scale:
    """The scale of a measure of `common.measures`, by the key that the files of a run have."""
    own = measure_of(measure)
    return Scale(own.title, own.needs == "classes", own.higher_is_better)


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def sentence(note: str) -> str:
    """A note as a sentence of its own."""
    return f"{note[0].upper()}{note[1:]}."


def corpora(clips: pd.DataFrame, certificate: Mapping[str, Any]) -> str:
    """What was learned from, in clips and speakers; of several corpora each."""
    joined = "corpora" in certificate
    parts = clips.groupby("corpus", sort=True) if joined else [(certificate["corpus"], clips)]
    return " + ".join(
        f"{name!s}: {counted(len(part), 'clip')}, {counted(part['speaker'].nunique(), 'speaker')}"
        for name, part in parts
    )


def protocol(name: str, folds: Sequence[dict[str, Any]]) -> str:
    """The protocol in words, with the numbers of its folds."""

    def people(part: str) -> str:
        sizes = [len(fold[part]["speakers"]) for fold in folds]
        return str(sizes[0]) if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"

    numbers = f"{people('train')} train, {people('validation')} validate, {people('test')} tested"
    told = {
        "leave_one_speaker_out": "Leave one speaker out",
        "group_k_fold": "Groups of speakers, left out in turn",
        "given": "The split that the corpus gives",
        "seen_speakers": "Everybody is heard in training: clips are divided, not people",
    }
    return f"{told.get(name, name)}: {counted(len(folds), 'fold')}; speakers in a fold: {numbers}"


def bars(leaks: pd.DataFrame) -> str:
    """What the intervals of these rows of `leakage_summary` are."""
    kinds = {
        "speakers": f"over {counted(int(leaks['number'].min()), 'speaker')}, folds and seeds averaged",
        "folds": f"over units of folds, seeds averaged within a fold: {units_of(leaks)}",
        "training": f"of a single training, the mean of them, since units of folds are fewer than {FEWEST_UNITS}",
    }
    there = set(leaks["interval"])
    return f"Bar: 95 % bootstrap interval {'; or '.join(told for kind, told in kinds.items() if kind in there)}."


def units_of(table: pd.DataFrame) -> str:
    """How many folds and units stand behind figures over folds, from the columns `folds` and `units`."""
    folds, units = int(table["folds"].min()), int(table["units"].min())
    together = "" if units == folds else " (folds that train on the same people are one)"
    return f"{counted(folds, 'fold')}, {counted(units, 'unit')}{together}"


def flat(value: Any, key: str = "") -> dict[str, str]:
    """Nested values as dotted key -> text, empty ones left out."""
    if isinstance(value, Mapping):
        return {
            k: v for name, inner in value.items() for k, v in flat(inner, f"{key}.{name}" if key else str(name)).items()
        }
    return {} if value is None or value == [] else {key: plain(value)}


def plain(value: Any) -> str:
    """A value of a JSON file as text: lists of names with commas."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
