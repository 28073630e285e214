"""Sentences and table cells of the report, made from scores: fractions in, text out.

Scores that are fractions are shown in percent with one decimal. An unknown value is an en dash.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.run_leakage.summary import FEWEST_UNITS
from mien.audit.splits.findings import counted as counted
from mien.common.measures import measure_of
from mien.data.protocols import HOUSE, PARTS, SEEN, SPLITS, Protocol
from mien.data.turns import coverage
from mien.errors import listed as listed

UNKNOWN = "\N{EN DASH}"


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal, without the sign: `.4578` is `45.8`."""
    return (
        UNKNOWN
        if value is None or math.isnan(value)
        else f"{round(100 * value, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")
    )


def whole(value: float) -> str:
    """A mean of counts as a whole number."""
    return UNKNOWN if math.isnan(value) else f"{value:,.0f}"


def decimal(value: float) -> str:
    """A number with two decimals."""
    return UNKNOWN if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """A difference of fractions, in points with its sign."""
    return percent(value) if math.isnan(value) or value < 0 else f"+{percent(value)}"


def span(low: float, high: float) -> str:
    """An interval of fractions, in percent."""
    return UNKNOWN if math.isnan(low) or math.isnan(high) else f"{percent(low)} to {percent(high)}"


def probability(p: float | None) -> str:
    """A p-value with three decimals below .1, else two, without the leading zero."""
    if p is None or math.isnan(p):
        return UNKNOWN
    if p < 0.001:
        return "< .001"
    return f"{p:.{3 if p < 0.1 else 2}f}".removeprefix("0")


class Scale(NamedTuple):
    """How the values of a measure are shown: fractions in percent and points, other values with three decimals.

    Attributes:
        title: the name of the measure.
        percent: whether it is a fraction.
        higher: whether higher is better.
    """

    title: str
    percent: bool
    higher: bool

    @property
    def unit(self) -> str:
        """The unit, appended to the title of a column of values."""
        return ", %" if self.percent else ""

    @property
    def points(self) -> str:
        """The unit, appended to the title of a column of differences."""
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


def sentence(note: str) -> str:
    """A note as a sentence of its own."""
    return f"{note[0].upper()}{note[1:]}."


def corpora(clips: pd.DataFrame, certificate: Mapping[str, Any], name: str) -> str:
    """Number of clips and speakers of the corpus, which is called `name`, or of each of several corpora."""
    joined = "corpora" in certificate
    parts = clips.groupby("corpus", sort=True) if joined else [(name, clips)]
    return " + ".join(
        f"{name!s}: {counted(len(part), 'clip')}, {_named(part['speaker'].nunique())}" for name, part in parts
    )


def releases(certificate: Mapping[str, Any]) -> str:
    """How the files of the corpus, or of each of several corpora, differ from its release; empty if that is not known.

    A run of before that was known has nothing of it in its certificate.
    """
    if "corpora" not in certificate:
        return str(certificate.get("release", {}).get("text", ""))
    parts = certificate["corpora"].items()
    return ". ".join(f"{name!s}: {card['release']['text']}" for name, card in parts if "release" in card)


def _named(speakers: int) -> str:
    return counted(speakers, "speaker") if speakers else "no speakers named"


def protocol(own: Protocol, folds: Sequence[dict[str, Any]]) -> str:
    """The protocol in words, with its number of folds and of speakers in a fold."""

    def speakers(part: str) -> str:
        sizes = [len(fold[part]["speakers"]) for fold in folds]
        return str(sizes[0]) if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"

    if not any(fold[part]["speakers"] for fold in folds for part in PARTS if part != "train"):
        sizes = " / ".join(f"{sum(len(fold[part]['clips']) for fold in folds):,} {part}" for part in PARTS)
        return f"The split that the corpus gives: {counted(len(folds), 'fold')}; clips: {sizes}; no speakers are named"
    numbers = f"{speakers('train')} training, {speakers('validation')} validation, {speakers('test')} test"
    if own.speakers == "seen":
        groups = "Groups of clips of every speaker, left out in turn; all speakers are seen in training"
        return f"{groups}: {counted(len(folds), 'fold')}"
    several = f"; {tested(folds)}" if own.name == SPLITS else ""
    held = [len(fold[SEEN]["clips"]) for fold in folds if SEEN in fold]
    beside = f"; {min(held):,} clips of training speakers, or more, are kept back and scored as seen" if held else ""
    others = own.published
    what = HOUSE[own.name][0] if others is None else f"{others.title}, published by {others.source}"
    return f"{what}: {counted(len(folds), 'fold')}; speakers in a fold: {numbers}{several}{beside}"


def tested(folds: Sequence[Mapping[str, Any]]) -> str:
    """How many speakers random splits test: `12 of 18 speakers are tested in at least one of 3 splits`."""
    found = coverage(folds, "test")
    return f"{found.once} of {found.speakers} speakers are tested in at least one of {counted(found.folds, 'split')}"


def bars(leaks: pd.DataFrame) -> str:
    """A sentence on how the intervals of these rows of `leakage_summary` were computed."""
    kinds = {
        "speakers": f"over {counted(int(leaks['number'].min()), 'speaker')}, averaged over folds and seeds",
        "folds": f"over units of folds, averaged over seeds within a fold: {units_of(leaks)}",
        "training": f"of a single training run, mean over runs, as there are fewer than {FEWEST_UNITS} units of folds",
    }
    present = set(leaks["interval"])
    return f"Bar: 95 % bootstrap interval {'; or '.join(words for kind, words in kinds.items() if kind in present)}."


def units_of(table: pd.DataFrame) -> str:
    """Number of folds and of units of folds, from the columns `folds` and `units`."""
    folds, units = int(table["folds"].min()), int(table["units"].min())
    together = "" if units == folds else " (folds that train on the same speakers or test the same ones count as one)"
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
