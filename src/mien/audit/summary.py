"""Leakage over a run: the mean over folds and seeds, with an interval over folds that are independent of each other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.division import SPEAKER
from mien.audit.scores import DRAWS, interval

SUMMARY = (
    *("model", "embedding", "speakers", "probe", "score", "low", "high", "interval", "chance", "shuffled", "p"),
    *("parts", "folds", "units", "cells", "n", "classes", "split"),
)
FEWEST_UNITS = 5  # for an interval over the folds of the run, see `fold_units`: of fewer, none can be wide enough


def leakage_summary(
    table: pd.DataFrame,
    units: Mapping[int, int],
    *,
    factor: str = SPEAKER,
    measure: str = "uar",
    role: str = "measured",
    seed: int = 0,
) -> pd.DataFrame:
    """The leakage of one factor over the folds and seeds of a run.

    Folds of one unit are drawn together (see `fold_units`). Units share speakers, so intervals tend to be too narrow.

    Args:
        table: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        factor: the rows that are looked at: what is read,
        measure: by which measure,
        role: measured, floor or ceiling.
        seed: of the bootstrap.

    Returns:
        One row a model, embedding, `speakers` and probe (`SUMMARY`), among them *the* leakage, probe "strongest":
        these; `score`, `chance`, `shuffled`: the means over folds, seeds averaged within a fold; `low`, `high`: the
        95 % bootstrap interval of `score` over units of folds (`interval` = "folds"), or, of fewer than five units, the
        mean ends of the interval of a single training (`interval` = "training"); `p`: of all trainings together, twice
        the mean of theirs, at most 1, valid however they depend on each other (Vovk & Wang 2020, "Combining p-values
        via averaging"), nan where there is none; `parts`: the score of each fold; `folds`, and how many `units` they
        are; `cells`; `n`: median of clips; `classes`, `split`: as text.
    """
    table = table[(table["factor"] == factor) & (table["role"] == role) & (table["measure"] == measure)]
    table = table.dropna(subset="score")  # such as linkability of too few trials
    table = table.assign(seed=table["seed"].fillna(-1))  # floors and ceilings have none
    rows: list[dict[str, object]] = []
    for key, part in table.groupby(["model", "embedding", "speakers", "probe"], sort=False):
        means = part.groupby("fold")[["score", "low", "high", "chance", "shuffled"]].mean()
        row: dict[str, object] = dict(zip(SUMMARY, map(str, key), strict=False))
        row |= {str(name): float(mean) for name, mean in means.mean().items()}
        row["p"] = float(np.minimum(1.0, 2 * part["p"].astype(float).mean()))
        group = fold_units(part.fillna({"seed": 0}).pivot_table("score", "fold", "seed"), units)
        count = int(group.max()) + 1
        row |= {"units": count, "interval": "folds" if count >= FEWEST_UNITS else "training"}
        if row["interval"] == "folds":
            row["low"], row["high"] = interval(drawn_means(means["score"].to_numpy(float), group, seed), count)
        fewest, most = part["classes"].min(), part["classes"].max()
        row |= {"parts": tuple(means["score"]), "folds": len(means), "cells": len(part), "n": int(part["n"].median())}
        row |= {"classes": f"{fewest}" if fewest == most else f"{fewest} to {most}"}
        rows.append(row | {"split": "; or ".join(sorted(set(part["split"])))})
    return pd.DataFrame(rows, columns=list(SUMMARY))


def fold_units(by_fold: pd.DataFrame, units: Mapping[int, int]) -> NDArray[np.intp]:
    """The unit of each fold, 0 to units - 1: what a bootstrap may draw as independent.

    Folds that train on the same people are one unit. Where two people take turns in validation and test, one network,
    up to the chosen epoch, is probed twice, and the same two people have not been heard. So are folds whose scores are
    all the same: one measurement that was made twice.

    Args:
        by_fold: one row a fold, by its number; a score that is missing is nan.
        units: fold -> its unit, as in `Run.units`.
    """
    _, group = np.unique(by_fold.fillna(-1.0).to_numpy(float), axis=0, return_inverse=True)
    group, own = group.ravel(), np.array([units[fold] for fold in by_fold.index])
    for unit in np.unique(own):
        together = group[own == unit]
        group[np.isin(group, together)] = together[0]
    return np.asarray(np.unique(group, return_inverse=True)[1].ravel(), np.intp)


def drawn_means(scores: NDArray[np.float64], group: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """The mean of the folds' scores on bootstrap draws of units of folds, (DRAWS,): the same for the same seed."""
    sums, sizes = np.bincount(group, scores), np.bincount(group)
    drawn = np.random.default_rng([seed, 4]).integers(0, len(sums), (DRAWS, len(sums)))
    return np.asarray(sums[drawn].sum(1) / sizes[drawn].sum(1))
