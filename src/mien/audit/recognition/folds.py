"""Scores by fold: each fold's own figure, and their mean over folds, beside the pooled figures of `scores`.

Two definitions of a cross-validated score are in use, and papers seldom say which is theirs. *Pooled*: the predictions
for all held-out speakers in one confusion matrix (`scores.summary`). *Mean of folds*: a score of each fold, then their
mean, seeds averaged within a fold first. In the second, a class that the speakers of a fold lack is left out of that
fold's mean of recalls, and a fold of few clips counts as much as one of many. All scores are fractions in [0, 1].
"""

from collections.abc import Sequence

import pandas as pd

from mien.audit.statistics.scores import SCORES, confusion

COLUMNS = ("model", "fold", "seed", "split", "measure", "score", "speakers", "clips")
MEANS = ("model", "measure", "validation", "test", "delta", "folds")


def by_fold(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Scores of every training.

    Args:
        predictions: `predictions.csv`, of a run or of an evaluation.
        classes: the K classes.

    Returns:
        The columns of `folds.csv` (`COLUMNS`), a row for each model, fold, seed, split and measure (uar, wa) with a
        known emotion: its `score`, and the `speakers` and `clips` it stands on.

    Raises:
        RunError: when a row names a class that is none.
    """
    known = predictions[predictions["emotion"].notna()]
    rows = []
    for key, part in known.groupby(["model", "fold", "seed", "split"], sort=False):
        table = confusion(part, classes)
        head = dict(zip(COLUMNS, key, strict=False))
        size = {"speakers": len(table.speakers), "clips": part["clip"].nunique()}
        for name, measure in SCORES.items():
            rows.append({**head, "measure": name, "score": float(measure(table.counts.sum(0))), **size})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def fold_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Each fold's scores, seeds averaged: index (model, measure, fold), a column a split; the order stays.

    Args:
        table: what `by_fold` returns.
    """
    return table.pivot_table("score", ["model", "measure", "fold"], "split", sort=False)


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over folds, seeds averaged within a fold.

    Args:
        table: what `by_fold` returns.

    Returns:
        One row a model and measure (`MEANS`): the means of `validation`, of `test` and of `delta` (test minus
        validation, over the folds that have both), nan where no fold has them; `folds`.
    """
    wide = fold_scores(table).reindex(columns=["validation", "test"])
    wide["delta"] = wide["test"] - wide["validation"]
    groups = wide.groupby(level=["model", "measure"], sort=False)
    means = groups.mean().assign(folds=groups.size()).reset_index()
    return means[list(MEANS)]
