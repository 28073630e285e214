"""Pairs of models on the page: all of a few; of many those that can be told apart, and the others folded away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.statistics.verdict import LEVEL
from mien.reports import words
from mien.reports.words import counted, listed

MANY = 15  # pairs, of six models: as many as can be looked through
SIDES = {"seen": "of people heard", "unseen": "of people not heard"}
TIGHT = 0.2  # share of the level: where the least p comes this near to it, few verdicts can be anything else


class Pairs(NamedTuple):
    """What a table of pairs shows.

    Attributes:
        shown: rows of all pairs, or of many those that are separable in anything.
        folded: rows of the others.
        pairs: how many there are.
        told: how many are separable, and what the correction over so many does; empty where all are shown.
    """

    shown: list[dict[str, Any]]
    folded: list[dict[str, Any]]
    pairs: int
    told: str


def scored(differences: pd.DataFrame) -> Pairs:
    """The rows of `compare.differences` by pair: model, other, and `by` = measure -> its row."""
    rows = [
        {"model": model, "other": other, "by": {row["measure"]: row for row in part.to_dict("records")}}
        for (model, other), part in differences.groupby(["model", "other"], sort=False)
    ]
    sides = {name: f"by {words.scale(name).title}" for name in dict.fromkeys(differences["measure"])}
    return divided(rows, sides, "speakers")


def divided(rows: Sequence[Mapping[str, Any]], sides: Mapping[str, str], number: str) -> Pairs:
    """Fold away what is not separable, where there are many pairs.

    Args:
        rows: one a pair, with `by`: side -> its row of a table of `compare`, as far as there is one.
        sides: side -> what it is called in a sentence.
        number: the column that says how many speakers (or units) stand behind a pair.
    """
    table = [dict(row) for row in rows]
    if len(table) <= MANY:
        return Pairs(table, [], len(table), "")
    apart: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in table:
        (apart if any(found["separable"] for found in row["by"].values()) else others).append(row)
    counts = []
    for side, called in sides.items():
        asked = [row["by"][side] for row in table if side in row["by"]]
        if asked:
            counts.append(
                f"{sum(bool(found['separable']) for found in asked)} of {counted(len(asked), 'pair')} {called}"
            )
    together = max(Counter(str(row.get("embedding", "")) for row in table).values())  # Holm is within an embedding
    told = f"{listed(counts)} are separable. Holm's correction is over {together} pairs at once, which few outlast."
    fewest = min(int(found[number]) for row in table for found in row["by"].values())
    least = min(1.0, together * 2.0 ** (1 - fewest))
    if least >= LEVEL:
        told += f" With {fewest} {number} none can: the least p there can be is {least:.2f} after it."
    elif least > TIGHT * LEVEL:
        told += f" With {fewest} {number} the least p there can be is {least:.3f} after it, where all point one way."
    return Pairs(apart, others, len(table), told)
