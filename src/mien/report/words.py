"""Sentences and cells of the report, written from its figures: fractions in, text out.

Scores are told in percent with one decimal; what is not known is an en dash.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.compare import FEWEST
from mien.audit.leakage import FEWEST_UNITS

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


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def counted(count: int, thing: str, things: str | None = None) -> str:
    """A number and its noun."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


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
    }
    return f"{told.get(name, name)}: {counted(len(folds), 'fold')}; speakers in a fold: {numbers}"


def answer(summary: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """What the scores say, of test or else of validation: the highest UAR, and which models it can be told from."""
    test = summary[summary["split"] == "test"]
    who = "people who were never heard in training"
    if test.empty:
        test, who = summary[summary["split"] == "validation"], "validation speakers, who also chose the epoch,"
    if test.empty:
        return ["No model has been tested yet."]
    best = test.sort_values("uar", ascending=False, kind="stable").iloc[0]
    around = f"{percent(best['uar'])}\N{NO-BREAK SPACE}%, chance {percent(best['uar_chance'])}"
    if not math.isnan(best["uar_low"]):
        limits = span(best["uar_low"], best["uar_high"])
        around += f", 95\N{NO-BREAK SPACE}% interval over {best['speakers']} speakers {limits}"
    opening = "The UAR" if len(test) == 1 else "The highest UAR"
    sentences = [f"{opening} on {who} is {best['model']}'s: {around}."]
    if math.isnan(best["uar_low"]):
        sentences.append("With one speaker there is no interval: the figure says nothing about other people.")
    elif best["uar_low"] <= best["uar_chance"]:
        sentences.append("Its interval holds chance: that it recognises emotion is not shown.")
    pairs = differences[
        (differences["measure"] == "uar")
        & ((differences["model"] == best["model"]) | (differences["other"] == best["model"]))
    ]
    apart: list[str] = []
    together: list[str] = []
    for _, row in pairs.iterrows():
        turned = row["other"] == best["model"]
        low, high = (-row["high"], -row["low"]) if turned else (row["low"], row["high"])
        other = row["model"] if turned else row["other"]
        (apart if row["separable"] else together).append(f"{other} ({span(low, high)})")
    if apart:
        sentences.append(
            f"It is above {listed(apart)}: the paired interval of the difference, in points, leaves out zero."
        )
    if together:
        few = int(pairs["speakers"].min())
        why = "the paired interval holds zero" if few >= FEWEST else f"{counted(few, 'speaker')} can separate nothing"
        sentences.append(f"It is not separable from {listed(together)}: {why}.")
    return sentences


def leftover(leaks: pd.DataFrame) -> list[str]:
    """What probes read of the speaker, for people heard and not heard in training.

    Args:
        leaks: the rows of `leakage_summary`, and their `name`.
    """
    sentences = []
    for speakers, who in (("heard", "people heard in training"), ("unheard", "people not heard in training")):
        rows = leaks[leaks["speakers"] == speakers]
        if rows.empty:
            continue
        ascending = rows[rows["strongest"]].sort_values("score", kind="stable")
        told = listed(f"{percent(row['score'])} from {row['name']}" for _, row in ascending.iterrows())
        chance = percent(float(rows["chance"].mean()))
        sentences.append(
            f"What is left of the speaker: {who} are named by the stronger probe at a UAR of {told}; chance {chance}."
        )
    return sentences


def bars(leaks: pd.DataFrame) -> str:
    """What the intervals of these rows of `leakage_summary` are."""
    kinds = set(leaks["interval"])
    over = "Bar: 95 % bootstrap interval of the mean over folds, seeds averaged within a fold"
    single = "the mean 95 % interval of a single training"
    told = units_of(leaks)
    if kinds == {"folds"}:
        return f"{over}. {told} Units share speakers, so it tends to be too narrow."
    if kinds == {"training"}:
        return f"Bar: {single}, since units are fewer than {FEWEST_UNITS}: it does not belong to the mean. {told}"
    return f"{over}; where there are fewer than {FEWEST_UNITS} units, {single}. {told}"


def units_of(table: pd.DataFrame) -> str:
    """How many folds and units stand behind figures over folds, from the columns `folds` and `units`."""
    folds, units = int(table["folds"].min()), int(table["units"].min())
    together = "" if units == folds else " (folds that train on the same people are one, and are drawn together)"
    few = ", too few to separate models" if units < FEWEST else ""
    return f"{counted(folds, 'fold')}, {counted(units, 'unit')}{together}{few}."
