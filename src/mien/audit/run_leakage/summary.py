"""Leakage over a run: the mean over folds and seeds, with an interval over speakers or over independent folds.

The UAR of seen speakers has an interval over these speakers (see `beside`); all other scores over units of folds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage.leakage import corrected
from mien.audit.run_leakage import beside
from mien.audit.statistics.measures import FEWEST_CLUSTERS
from mien.audit.statistics.scores import DRAWS, interval
from mien.common.leakage_tables import MEASURED, SEEN, SPEAKER, TARGET

SUMMARY = (
    *beside.PLACE,
    *("score", "low", "high", "interval", "chance", "shuffled", "p"),
    *("parts", "folds", "units", "number", "cells", "n", "classes", "split"),
)
SUMMED = ("uar", "accuracy", "f1", "ccc", "eer", "linkability", "hsic", "cka")  # measures
FEWEST_UNITS = 5  # for an interval over units of folds: with fewer it would be too narrow


def summaries(table: pd.DataFrame, units: Mapping[int, int], by_speaker: pd.DataFrame | None = None) -> pd.DataFrame:
    """The means over folds and seeds of all factors, roles and measures, see `leakage_summary`.

    Args:
        table: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        by_speaker: as `Run.leakage_by_speaker`.

    Returns:
        `factor, balanced, role, measure`, the columns of `SUMMARY`, and `p_corrected`: Holm over factors.
    """
    keys = table[["factor", "balanced", "role", "measure"]].drop_duplicates()
    parts = [
        leakage_summary(table, units, by_speaker, factor=factor, balanced=balanced, role=role, measure=measure).assign(
            factor=factor, balanced=balanced, role=role, measure=measure
        )
        for factor, balanced, role, measure in keys.itertuples(index=False)
        if measure in SUMMED
    ]
    if not parts:
        return pd.DataFrame(columns=[*SUMMARY, "factor", "balanced", "role", "measure", "p_corrected"])
    found = pd.concat(parts, ignore_index=True).assign(fold=np.nan, seed=np.nan)
    return corrected(found).drop(columns=["fold", "seed"])


def leakage_summary(
    table: pd.DataFrame,
    units: Mapping[int, int],
    by_speaker: pd.DataFrame | None = None,
    *,
    factor: str = SPEAKER,
    balanced: str = "",
    measure: str = "uar",
    role: str = MEASURED,
    seed: int = 0,
) -> pd.DataFrame:
    """The leakage of one factor over the folds and seeds of a run.

    Folds of one unit are resampled together (see `fold_units`). Units share speakers, so intervals over them tend to
    be too narrow.

    Args:
        table: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        by_speaker: the recalls of speakers, as in `Run.leakage_by_speaker`, or None.
        factor: selects the rows of this factor,
        balanced: of test clips that are balanced over this column, or of all test clips,
        measure: of this measure,
        role: and of this role: measured, target, floor or ceiling.
        seed: of the bootstrap.

    Returns:
        One row per model, embedding, `eraser`, `speakers` and probe. *The* leakage is the row of probe "strongest".
        The columns (`SUMMARY`) are these five and:

        - `score`, `chance`, `shuffled`: the means over folds, seeds averaged within a fold.
        - `low`, `high`: the 95 % bootstrap interval of `score`. `interval` is its kind: "speakers" for the UAR of five
          or more seen speakers; else "folds", over units of folds; with fewer than five units "training", the mean
          ends of the intervals of single cells.
        - `p`: for all cells together, twice the mean of their p-values, at most 1. It is valid whatever the dependence
          between cells (Vovk & Wang 2020, "Combining p-values via averaging"); nan if a cell has none.
        - `parts`: the score of each fold. `folds`: how many. `units`: how many units they are.
        - `number`: how many speakers or units are resampled. `cells`: how many. `n`: the median number of clips.
        - `classes`, `split`: as text.
    """
    table = table[(table["factor"] == factor) & (table["balanced"] == balanced)]
    table = table[(table["role"] == role) & (table["measure"] == measure)]
    table = table.dropna(subset="score")  # such as linkability of too few trials
    table = table.assign(seed=table["seed"].fillna(-1))  # floors and ceilings have none
    rows: list[dict[str, object]] = []
    for key, part in table.groupby(list(beside.PLACE), sort=False):
        means = part.groupby("fold")[["score", "low", "high", "chance", "shuffled"]].mean()
        row: dict[str, object] = dict(zip(SUMMARY, map(str, key), strict=False))
        row |= {str(name): float(mean) for name, mean in means.mean().items()}
        row["p"] = float(np.minimum(1.0, 2 * part["p"].astype(float).mean()))
        group = fold_units(part.fillna({"seed": 0}).pivot_table("score", "fold", "seed"), units)
        count = int(group.max()) + 1
        row |= {"units": count, "number": count, "interval": "folds" if count >= FEWEST_UNITS else "training"}
        by_people = (factor, measure) == (SPEAKER, "uar") and role in (MEASURED, TARGET)
        people = seen_recalls(by_speaker, key) if by_people else None
        if people is not None:
            row |= {"interval": "speakers", "number": people.shape[1]}
            row["low"], row["high"] = interval(beside.resampled_recalls(people, seed=seed), people.shape[1])
        elif row["interval"] == "folds":
            row["low"], row["high"] = interval(resampled_means(means["score"].to_numpy(float), group, seed), count)
        kinds = part["classes"].dropna().astype(int)  # a number has no classes
        row |= {"parts": tuple(means["score"]), "folds": len(means), "cells": len(part), "n": int(part["n"].median())}
        row |= {"classes": " to ".join(map(str, dict.fromkeys((kinds.min(), kinds.max())))) if len(kinds) else ""}
        rows.append(row | {"split": "; or ".join(sorted(set(part["split"])))})
    return pd.DataFrame(rows, columns=list(SUMMARY))


def seen_recalls(by_speaker: pd.DataFrame | None, place: Sequence[object]) -> pd.DataFrame | None:
    """The recalls of seen speakers, folds x speakers; None for unseen ones, for fewer than five, or if not known.

    Unseen speakers have no such interval: a probe classifies each of them among the few unseen speakers of one fold,
    so that their recalls are not independent.

    Args:
        by_speaker: as in `Run.leakage_by_speaker`, or None.
        place: model, embedding, eraser, `speakers` and probe.
    """
    if place[beside.PLACE.index("speakers")] != SEEN:
        return None
    found = beside.recalls_at(by_speaker, place)
    wide = beside.recalls_by_fold(found) if len(found) else pd.DataFrame()
    return wide if wide.shape[1] >= FEWEST_CLUSTERS else None


def fold_units(by_fold: pd.DataFrame, units: Mapping[int, int]) -> NDArray[np.intp]:
    """The unit of each fold, 0 to units - 1. A bootstrap resamples units, not folds.

    Folds that train on the same speakers, or test a speaker in common, are one unit (`Run.units`): if two speakers take
    turns in validation and test, both folds probe the same network up to the chosen epoch, with the same two unseen
    speakers. Folds whose scores are all equal are one unit too: they are one measurement made twice.

    Args:
        by_fold: one row per fold, indexed by its number; a missing score is nan.
        units: fold -> its unit, as in `Run.units`.
    """
    _, group = np.unique(by_fold.fillna(-1.0).to_numpy(float), axis=0, return_inverse=True)
    group, own = group.ravel(), np.array([units[fold] for fold in by_fold.index])
    for unit in np.unique(own):
        together = group[own == unit]
        group[np.isin(group, together)] = together[0]
    return np.asarray(np.unique(group, return_inverse=True)[1].ravel(), np.intp)


def resampled_means(scores: NDArray[np.float64], group: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """The mean of the folds' scores on bootstrap resamples of units of folds, (DRAWS,); repeatable by seed."""
    sums, sizes = np.bincount(group, scores), np.bincount(group)
    drawn = np.random.default_rng([seed, 4]).integers(0, len(sums), (DRAWS, len(sums)))
    return np.asarray(sums[drawn].sum(1) / sizes[drawn].sum(1))
