"""Leakage of two systems, of one run or of two, paired by fold and seed; see `compare.leakage_differences`."""

from typing import Any

import numpy as np
import pandas as pd

from mien.audit import significance
from mien.audit.compare import leakage_differences
from mien.audit.summary import fold_units
from mien.audit.systems import System, same_folds
from mien.audit.tradeoff import ERASED, strongest


def leakage_of(system: System) -> pd.DataFrame:
    """What the strongest probe reads of speakers heard in training, as rows of `leakage.csv`; `model` is the name here.

    Embeddings after an eraser are left out. Empty where it was not measured.
    """
    table = system.run.leakage
    if table is None:
        return pd.DataFrame()
    rows = table[(table["model"] == system.model) & (table["factor"] == "speaker") & (table["role"] == "measured")]
    rows = strongest(rows[rows["speakers"] == "heard"])
    return rows[~rows["embedding"].str.contains(ERASED, regex=False)].assign(model=system.name)


def leakage_rows(
    first: System, second: System, of_first: pd.DataFrame, of_second: pd.DataFrame, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Differences in leakage, first minus second.

    Args:
        first: one system.
        second: the other.
        of_first: its leakage, as `leakage_of` has it.
        of_second: that of the other.
        seed: of the bootstrap.

    Returns:
        One row an embedding that both have, in columns of `comparison.PAIRS`: `number` counts units of folds (see
        `summary.fold_units`), whose means are compared by their ranks. Where the systems' seeds differ, they are
        averaged within a fold. None where it was not measured, or folds differ.
    """
    tables = [of_first, of_second]
    if any(table.empty for table in tables) or not same_folds(first.run, second.run):
        return []
    if len({frozenset(zip(table["fold"], table["seed"], strict=True)) for table in tables}) > 1:
        tables = [_over_seeds(table) for table in tables]
    both, units = pd.concat(tables, ignore_index=True), first.run.units
    found = leakage_differences(both, units, among=[(first.name, second.name)], seed=seed)
    several = len(set(found["embedding"])) > 1
    rows = []
    for row in found.to_dict("records"):
        own = both[both["embedding"] == row["embedding"]]
        sides = [own[own["model"] == name].set_index(["fold", "seed"])["score"] for name in (first.name, second.name)]
        wide = pd.concat(sides, axis=1, keys=["model", "other"], join="inner")
        group = fold_units(wide.reset_index().pivot_table(["model", "other"], "fold", "seed"), units)
        parts = np.bincount(group, np.asarray(row["parts"])) / np.bincount(group)
        means = wide.groupby("fold").mean().mean()
        rows.append(
            {
                **{"model": first.name, "other": second.name},
                "measure": f"leakage of {row['embedding']}" if several else "leakage",
                **{"score": float(means["model"]), "other_score": float(means["other"])},
                **{key: row[key] for key in ("difference", "low", "high")},
                **{"number": row["units"], "over": "units of folds", "p_wilcoxon": significance.wilcoxon(parts)},
            }
        )
    return rows


def _over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Each fold once, its seeds averaged."""
    keys = ["embedding", "model", "fold", "factor", "probe", "role", "speakers", "measure"]
    numbers = ["score", "chance", "shuffled", "low", "high", "n", "classes"]
    return table.groupby(keys, sort=False)[numbers].mean().reset_index().assign(seed=0, split="")
