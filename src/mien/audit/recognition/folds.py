"""Scores by fold, and their mean over folds, beside the pooled scores of `scores`.

Two definitions of a cross-validated score are in use, and papers seldom state which one they use. *Pooled*: the
predictions for all held-out speakers form one confusion matrix (`scores.summary`). *Mean of folds*: each fold is
scored, seeds are averaged within a fold, and the mean is taken over folds. Here a class that the speakers of a fold
lack is left out of the recalls of that fold, and a fold of few clips counts as much as one of many. All scores are
fractions in [0, 1].
"""

from collections.abc import Sequence

import pandas as pd

from mien.audit.statistics.scores import measured
from mien.common.measures import measure_of

COLUMNS = ("model", "fold", "seed", "split", "measure", "score", "speakers", "clips")
MEANS = ("model", "measure", "validation", "test", "delta", "folds")


def by_fold(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The scores of every training run.

    Args:
        predictions: `predictions.csv`, of a run or of an evaluation.
        classes: the K classes.

    Returns:
        The columns of `folds.csv` (`COLUMNS`), one row per model, fold, seed, split and measure: the `score` on clips
        of known truth, and their numbers of `speakers` and `clips`.

    Raises:
        RunError: a row names a class that is not in `classes`.
    """
    known = predictions[predictions["truth"].notna()]
    rows = []
    for key, part in known.groupby(["model", "fold", "seed", "split"], sort=False):
        head = dict(zip(COLUMNS, key, strict=False))
        for name, table in measured(part, classes).items():
            size = {"speakers": part["speaker"].nunique(), "clips": part["clip"].nunique()}
            score = float(measure_of(name)(table.counts.sum(0)))
            rows.append({**head, "measure": name, "score": score, **size})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def fold_scores(table: pd.DataFrame) -> pd.DataFrame:
    """The scores of each fold, seeds averaged: index (model, measure, fold), one column per split, order kept.

    Args:
        table: what `by_fold` returns.
    """
    return table.pivot_table("score", ["model", "measure", "fold"], "split", sort=False)


def each_fold(table: pd.DataFrame) -> pd.DataFrame:
    """The scores of each fold, seeds averaged: index (model, measure, fold), columns `validation, test, delta`.

    `delta` is test minus validation; a score is nan if the fold has none.

    Args:
        table: what `by_fold` returns.
    """
    wide = fold_scores(table).reindex(columns=["validation", "test"])
    return wide.assign(delta=wide["test"] - wide["validation"])


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over folds, seeds averaged within a fold.

    Args:
        table: what `by_fold` returns.

    Returns:
        One row per model and measure (`MEANS`): the means of `validation`, `test` and `delta` (test minus validation,
        over the folds that have both), nan if no fold has them; and the number of `folds`.
    """
    groups = each_fold(table).groupby(level=["model", "measure"], sort=False)
    means = groups.mean().assign(folds=groups.size()).reset_index()
    return means[list(MEANS)]
