"""Leakage of two systems of one or two runs, paired by fold, seed and speaker; see `pairs.leakage_differences`."""

from typing import Any, NamedTuple

import pandas as pd

from mien.audit.comparison.pairs import leakage_differences
from mien.audit.comparison.systems import System, same_folds
from mien.audit.comparison.tradeoff import strongest
from mien.common.leakage_tables import MEASURED, SEEN

OF_TRAINING = ("fold", "seed")


class Leakage(NamedTuple):
    """The scores of the strongest probe on seen speakers; the column `model` holds the name of the system.

    Attributes:
        table: rows of `leakage.csv`.
        by_speaker: rows of `Run.leakage_by_speaker`, or None.
    """

    table: pd.DataFrame
    by_speaker: pd.DataFrame | None


def leakage_of(system: System) -> Leakage:
    """The leakage of a system, without erased embeddings; no rows if leakage was not measured."""
    table, recalls = system.run.leakage, system.run.leakage_by_speaker
    if table is None:
        return Leakage(pd.DataFrame(), None)
    rows = table[(table["model"] == system.model) & (table["factor"] == "speaker") & (table["role"] == MEASURED)]
    rows = strongest(rows[rows["speakers"] == SEEN])
    rows = rows[rows["eraser"] == ""].assign(model=system.name)
    own = None if recalls is None else recalls[recalls["model"] == system.model].assign(model=system.name)
    return Leakage(rows, own)


def leakage_rows(
    first: System, second: System, of_first: Leakage, of_second: Leakage, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Differences in leakage, first minus second.

    Args:
        first: one system.
        second: the other system.
        of_first: the leakage of the first system.
        of_second: the leakage of the second system.
        seed: of the bootstrap.

    Returns:
        One row per embedding that both systems have, in columns of `comparison.PAIRS`. If the seeds of the systems
        differ, they are averaged within a fold. No rows if leakage was not measured, or if folds differ.
    """
    sides = [of_first, of_second]
    if any(side.table.empty for side in sides) or not same_folds(first.run, second.run):
        return []
    if len({frozenset(zip(side.table["fold"], side.table["seed"], strict=True)) for side in sides}) > 1:
        sides = [_over_seeds(side) for side in sides]
    both = pd.concat([side.table for side in sides], ignore_index=True)
    known = [side.by_speaker for side in sides if side.by_speaker is not None]
    recalls = pd.concat(known, ignore_index=True) if len(known) == len(sides) else None
    found = leakage_differences(both, first.run.units, recalls, among=[(first.name, second.name)], seed=seed)
    several = len(set(found["embedding"])) > 1
    rows = []
    for row in found.to_dict("records"):
        own = both[both["embedding"] == row["embedding"]]
        wide = pd.concat(
            [own[own["model"] == name].set_index(list(OF_TRAINING))["score"] for name in (first.name, second.name)],
            axis=1,
            keys=["model", "other"],
            join="inner",
        )
        means = wide.groupby("fold").mean().mean()
        rows.append(
            {
                **{"model": first.name, "other": second.name},
                "measure": f"leakage of {row['embedding']}" if several else "leakage",
                **{"score": float(means["model"]), "other_score": float(means["other"])},
                **{key: row[key] for key in ("difference", "low", "high", "number", "over")},
                "p_wilcoxon": row["p"],
            }
        )
    return rows


def _over_seeds(side: Leakage) -> Leakage:
    """The leakage with seeds averaged within a fold."""
    keys = ["embedding", "eraser", "model", "fold", "factor", "balanced", "probe", "role", "speakers", "measure"]
    numbers = ["score", "chance", "shuffled", "low", "high", "n", "classes"]
    table = side.table.groupby(keys, sort=False)[numbers].mean().reset_index().assign(seed=0, split="")
    recalls = side.by_speaker
    if recalls is not None:
        kept = ["embedding", "eraser", "model", "fold", "probe", "speakers", "speaker"]
        recalls = recalls.groupby(kept, sort=False)[["recall", "clips"]].mean().reset_index().assign(seed=0)
    return Leakage(table, recalls)
