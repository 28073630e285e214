"""`metrics.json`: the scores of a run as plain values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.pairs import Pair, differences, leakage_differences
from mien.audit.recognition.folds import by_fold, fold_means
from mien.audit.recognition.task_scores import macro_f, number_scores, task_scores
from mien.audit.statistics.scores import DRAWS, gaps, scored_split, summary
from mien.common.tables import records


def metrics(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    leakage: pd.DataFrame | None = None,
    by_speaker: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    *,
    units: Mapping[int, int],
    among: Iterable[Pair] | None = None,
    target_pairs: Iterable[Pair] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """All scores of a run as plain values; unknown values are None.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order; empty if the main target is a number.
        leakage: `leakage.csv`, if leakage was measured.
        by_speaker: `leakage_by_speaker.csv`, likewise.
        tasks: `tasks.csv`, if models have heads for other factors than the main target.
        units: fold -> its unit, as in `Run.units`.
        among: the pairs of models whose differences are reported; None takes all.
        target_pairs: the pairs whose differences in the main target are reported, if not all: pairs of models that are
            trained for it.
        seed: of the bootstraps.

    Returns:
        `classes`; `models`: model -> split -> the columns of `summary`, speakers pooled; `macro_f`, of classes: model
        -> split -> the columns of `task_scores.macro_f`; `tasks`: factor -> model -> split -> the columns of
        `task_scores.task_scores` or, of a number, `number_scores`, if heads predict other factors; `delta`: model ->
        measure -> test minus validation, pooled; `folds`: model -> measure -> the mean over folds of validation, test
        and delta; `differences`: the rows of `pairs.differences`, on the split that the run is scored on
        (`scores.scored_split`); `leakage_differences`: the rows of `pairs.leakage_differences`, if leakage was
        measured; `interval`: how the intervals were computed.
    """
    means = fold_means(by_fold(predictions, classes))
    among = None if among is None else list(among)
    target_pairs = among if target_pairs is None else target_pairs
    apart = differences(predictions, classes, split=scored_split(predictions), among=target_pairs, seed=seed)
    scores = {
        "classes": list(classes),
        "interval": f"95 %, {DRAWS} bootstrap resamples of speakers (seeds averaged in each), widened for few speakers",
        "models": _nested(summary(predictions, classes, seed=seed), "model", "split"),
        **({"macro_f": _nested(macro_f(predictions, classes, seed=seed), "model", "split")} if classes else {}),
        "delta": _nested(gaps(predictions, classes, seed=seed), "model", "measure"),
        "folds": _nested(means, "model", "measure"),
        "differences": records(apart),
    }
    if tasks is not None and len(tasks):
        scores["tasks"] = {
            str(factor): _nested(rows.drop(columns="factor"), "model", "split")
            for scored in (task_scores(tasks, seed=seed), number_scores(tasks, seed=seed))
            for factor, rows in scored.groupby("factor", sort=False)
        }
    if leakage is not None:
        scores["leakage_differences"] = records(leakage_differences(leakage, units, by_speaker, among=among, seed=seed))
    return scores


def _nested(table: pd.DataFrame, outer: str, inner: str) -> dict[str, Any]:
    """The remaining columns of each row, by the values of the columns `outer` and `inner`."""
    nested: dict[str, Any] = {}
    for row in records(table):
        nested.setdefault(row.pop(outer), {})[row.pop(inner)] = row
    return nested
