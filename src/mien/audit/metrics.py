"""`metrics.json`: the scores of a run as plain values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.pairs import Pair, differences, leakage_differences
from mien.audit.recognition.folds import by_fold, fold_means
from mien.audit.recognition.task_scores import macro_f, number_scores, task_scores
from mien.audit.statistics.scores import DRAWS, gaps, judged, summary
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
    felt: Iterable[Pair] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """All scores of a run as plain values; what is not known is None.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order; none where the main target is a number.
        leakage: `leakage.csv`, where it was measured.
        by_speaker: `leakage_by_speaker.csv`, likewise.
        tasks: `tasks.csv`, where heads name other factors than the emotion.
        units: fold -> its unit, as in `Run.units`.
        among: the pairs of models whose differences are told; None takes all.
        felt: those whose differences in the emotion are told, where that is not all of them: of models trained for it.
        seed: of the bootstraps.

    Returns:
        `classes`; `models`: model -> split -> the columns of `summary`, speakers pooled; `macro_f`, of classes: model
        -> split -> the columns of `task_scores.macro_f`; `tasks`: factor -> model -> split -> those of
        `task_scores.task_scores` or, of a number, `number_scores`, if heads say any factor besides; `delta`: model ->
        measure -> test minus validation, pooled; `folds`: model -> measure -> the mean over folds of validation, test
        and delta; `differences`: the rows of `pairs.differences`, on the split that the run is judged by
        (`scores.judged`); `leakage_differences`: those of `pairs.leakage_differences`, if it was measured; `interval`:
        what the intervals are.
    """
    means = fold_means(by_fold(predictions, classes))
    among = None if among is None else list(among)
    apart = differences(
        predictions, classes, split=judged(predictions), among=among if felt is None else felt, seed=seed
    )
    found = {
        "classes": list(classes),
        "interval": f"95 %, {DRAWS} bootstrap draws of speakers (seeds averaged within each), corrected for few",
        "models": _nested(summary(predictions, classes, seed=seed), "model", "split"),
        **({"macro_f": _nested(macro_f(predictions, classes, seed=seed), "model", "split")} if classes else {}),
        "delta": _nested(gaps(predictions, classes, seed=seed), "model", "measure"),
        "folds": _nested(means, "model", "measure"),
        "differences": records(apart),
    }
    if tasks is not None and len(tasks):
        found["tasks"] = {
            str(factor): _nested(rows.drop(columns="factor"), "model", "split")
            for scored in (task_scores(tasks, seed=seed), number_scores(tasks, seed=seed))
            for factor, rows in scored.groupby("factor", sort=False)
        }
    if leakage is not None:
        found["leakage_differences"] = records(leakage_differences(leakage, units, by_speaker, among=among, seed=seed))
    return found


def _nested(table: pd.DataFrame, outer: str, inner: str) -> dict[str, Any]:
    """The columns but these two, by `outer` and `inner`."""
    found: dict[str, Any] = {}
    for row in records(table):
        found.setdefault(row.pop(outer), {})[row.pop(inner)] = row
    return found
