"""Further scores of the heads of a model: macro F of the main target, and the other tasks, such as the speaker.

They are shown for runs that have `tasks.csv`; see `audit.task_scores`.
"""

from typing import Any

import pandas as pd

from mien.audit.recognition.task_scores import macro_f, number_scores, task_scores
from mien.audit.statistics import scores
from mien.reports import words
from mien.runs.run import Run


def auxiliary(run: Run) -> list[str]:
    """The models that are not trained for the main target: an auxiliary classifier predicts it from an embedding."""
    experiment = run.experiment
    return [model for model in experiment.models if experiment.target not in experiment.model(model).tasks]


def of_recognisers(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of models that are trained for the main target; all rows if no model is."""
    kept = table[~table["model"].isin(auxiliary(run))]
    return table if kept.empty else kept


def shown(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """The values of the table, on the split that the run is scored on; None if the run has no other tasks.

    Args:
        run: the run.
        predictions: its predictions of the experiment's models.

    Returns:
        `scales`: factor -> the scale of its score; `rows`: `model`, `f1` (row of `macro_f`; None without predictions
        or for a target of numbers), `auxiliary` (see `auxiliary`), and `by` = factor -> `score, low, high, seeds,
        chance` of models with that head.
    """
    table = run.tasks
    split = scores.judged(predictions)
    if table is None or (table := table[(table["split"] == split) & table["model"].isin(run.experiment.models)]).empty:
        return None
    macro = macro_f(predictions[predictions["split"] == split], run.classes) if run.classes else pd.DataFrame()
    by_model = {row["model"]: row for row in macro.to_dict("records")}
    found: dict[str, dict[str, Any]] = {}
    scales: dict[str, words.Scale] = {}
    for row in task_scores(table).to_dict("records"):
        found.setdefault(row["model"], {})[row["factor"]] = row | {"score": row["accuracy"]}
        scales[row["factor"]] = words.scale("wa")
    for row in number_scores(table).to_dict("records"):
        more = {"score": row["ccc"], "seeds": float("nan"), "chance": 0.0}
        found.setdefault(row["model"], {})[row["factor"]] = row | more
        scales[row["factor"]] = words.scale("ccc")
    without = auxiliary(run)
    return {
        "scales": {factor: scales[factor] for factor in dict.fromkeys(name for by in found.values() for name in by)},
        "rows": [
            {
                **{"model": model, "f1": by_model.get(model), "by": found.get(model, {})},
                "auxiliary": model in without,
            }
            for model in run.experiment.models
            if model in by_model or model in found
        ],
    }
