"""Pairs of models on the page: all pairs if they are few, else the separable ones, with the others folded away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.statistics.verdict import LEVEL
from mien.common.leakage_tables import SEEN, UNSEEN
from mien.reports import words
from mien.reports.words import counted, listed
from mien.runs.run import Run

MANY = 15  # pairs, of six models: a table of so many can still be read
SIDES = {SEEN: "on seen speakers", UNSEEN: "on unseen speakers"}
TIGHT = 0.2  # share of the level; above it, the least possible p leaves few pairs that can be separable


COLUMNS = ("model", "other", "measure", "difference", "low", "high", "separable", "speakers")


class Pairs(NamedTuple):
    """The values of a table of pairs.

    Attributes:
        shown: rows of all pairs, or, if there are many, those that are separable in any measure.
        folded: rows of the others.
        pairs: the number of pairs.
        counted: how many are separable.
        summary: the effect of the correction; empty if all are shown.
    """

    shown: list[dict[str, Any]]
    folded: list[dict[str, Any]]
    pairs: int
    counted: str
    summary: str

    @property
    def with_interval(self) -> frozenset[str]:
        """The sides on which some pair has an interval."""
        rows = [*self.shown, *self.folded]
        return frozenset(side for row in rows for side, found in row["by"].items() if found["low"] == found["low"])


def compared(run: Run, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of `differences` of `metrics.json` that compare models of the experiment (`COLUMNS`), no variants."""
    models = set(run.experiment.models)
    kept = [row for row in rows if {row["model"], row["other"]} <= models]
    return pd.DataFrame(kept, columns=list(COLUMNS))


def scored(differences: pd.DataFrame, unit: str = "speaker") -> Pairs:
    """The rows of `compared` by pair: model, other, and `by` = measure -> its row; `unit`: what is resampled."""
    rows = [
        {"model": model, "other": other, "by": {row["measure"]: row for row in part.to_dict("records")}}
        for (model, other), part in differences.groupby(["model", "other"], sort=False)
    ]
    sides = {name: f"by {words.scale(name).title}" for name in dict.fromkeys(differences["measure"])}
    return divided(rows, sides, "speakers", f"{unit}s")


def divided(
    rows: Sequence[Mapping[str, Any]], sides: Mapping[str, str], number: str, whose: str = "speakers or units"
) -> Pairs:
    """Fold away the pairs that are not separable, if there are many.

    Args:
        rows: one for each pair, with `by`: side -> its row of `metrics.json`, if there is one.
        sides: side -> its name in a sentence.
        number: the column with the number of speakers (or units) of a pair.
        whose: what these are.
    """
    table = [dict(row) for row in rows]
    counts = []
    for side, called in sides.items():
        compared = [row["by"][side] for row in table if side in row["by"]]
        if compared:
            counts.append(
                f"{sum(bool(found['separable']) for found in compared)} of {counted(len(compared), 'pair')} {called}"
            )
    separable = f"{listed(counts)} are separable." if counts else ""
    if len(table) <= MANY:
        return Pairs(table, [], len(table), separable, "")
    apart: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in table:
        (apart if any(found["separable"] for found in row["by"].values()) else others).append(row)
    together = max(Counter(str(row.get("embedding", "")) for row in table).values())  # Holm is within an embedding
    summary = f"p is corrected over {together} pairs (Holm), so that few pairs can be separable."
    fewest = min(int(found[number]) for row in table for found in row["by"].values())
    least = min(1.0, together * 2.0 ** (1 - fewest))
    if least >= LEVEL:
        summary += f" With {fewest} {whose} none is: the least possible corrected p is {least:.2f}."
    elif least > TIGHT * LEVEL:
        summary += (
            f" With {fewest} {whose} the least possible corrected p is {least:.3f}, if all differences have one sign."
        )
    return Pairs(apart, others, len(table), separable, summary)
