"""`metrics.json`: the scores of a run as plain values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.pairs import Pair, differences, leakage_differences, of_recognisers
from mien.audit.recognition.auc import Kept, areas
from mien.audit.recognition.folds import by_fold, each_fold, fold_means
from mien.audit.recognition.task_scores import macro_f, number_scores, task_scores
from mien.audit.statistics.scores import DRAWS, by_seed, confusions, gaps, scored_split, summary
from mien.common.tables import nested, plain, records
from mien.common.units import noun


def metrics(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    leakage: pd.DataFrame | None = None,
    by_speaker: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    *,
    units: Mapping[int, int],
    families: Sequence[Sequence[Pair]] | None = None,
    trained: Collection[str] | None = None,
    auc_classes: Kept = None,
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
        families: the pairs of models whose differences are reported, as in `pairs.families`; None takes all pairs.
        trained: the models that are trained for the main target. Only their differences in it are reported, unless a
            family has none of them; None stands for all models.
        auc_classes: the classes that are in the mean area under the ROC curve, see `auc.areas`.
        seed: of the bootstraps.

    Returns:
        - `classes`; `interval`: how the intervals were computed; `draws`: the number of bootstrap resamples; `split`:
          the split that the run is scored on (`scores.scored_split`).
        - `models`: model -> split -> the columns of `summary`, speakers pooled; `seeds`: the rows of `by_seed`; of
          classes: `confusion`: model -> split -> K x K, rows the truth, speakers pooled, mean over seeds,
          `macro_f`: model -> split -> the columns of `task_scores.macro_f`, and `auc`: see `auc.areas`.
        - `delta`: model -> measure -> test minus validation, pooled; `folds`: model -> measure -> the mean over folds
          of validation, test and delta; `each_fold`: the rows of `folds.each_fold`.
        - `tasks`: factor -> model -> split -> the columns of `task_scores.task_scores` or, of a number,
          `number_scores`, if heads predict other factors.
        - `differences`: the rows of `pairs.differences`, on the scored split; `leakage_differences`: the rows of
          `pairs.leakage_differences`, if leakage was measured.
    """
    table, split = by_fold(predictions, classes), scored_split(predictions)
    every: Sequence[Sequence[Pair] | None] = [None] if families is None else families
    apart = [
        row
        for pairs in every
        for row in records(
            differences(
                predictions,
                classes,
                split=split,
                among=pairs if pairs is None or trained is None else of_recognisers(pairs, trained),
                seed=seed,
            )
        )
    ]
    over = f"{noun(predictions['speaker'].notna().any())}s"
    scores = {
        "classes": list(classes),
        "interval": f"95 %, {DRAWS} bootstrap resamples of {over} (seeds averaged in each), widened for few {over}",
        "draws": DRAWS,
        "split": split,
        "models": nested(summary(predictions, classes, seed=seed), "model", "split"),
        "seeds": records(by_seed(predictions, classes)),
        **({"confusion": _confusion(predictions, classes)} if classes else {}),
        **({"macro_f": nested(macro_f(predictions, classes, seed=seed), "model", "split")} if classes else {}),
        **({"auc": plain(areas(predictions, classes, auc_classes, seed=seed))} if classes else {}),
        "delta": nested(gaps(predictions, classes, seed=seed), "model", "measure"),
        "folds": nested(fold_means(table), "model", "measure"),
        "each_fold": records(each_fold(table).reset_index()),
        "differences": apart,
    }
    if tasks is not None and len(tasks):
        scores["tasks"] = {
            str(factor): nested(rows.drop(columns="factor"), "model", "split")
            for scored in (task_scores(tasks, seed=seed), number_scores(tasks, seed=seed))
            for factor, rows in scored.groupby("factor", sort=False)
        }
    if leakage is not None:
        scores["leakage_differences"] = [
            row
            for pairs in every
            for row in records(leakage_differences(leakage, units, by_speaker, among=pairs, seed=seed))
        ]
    return scores


def _confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (model, split), table in confusions(predictions, classes).items():
        found.setdefault(model, {})[split] = table.counts.sum(0).tolist()
    return found
