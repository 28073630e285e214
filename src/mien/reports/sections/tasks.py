"""Scores of what heads are for besides the UAR of emotion: its macro F, and the other tasks, such as the person.

Told of runs that have `tasks.csv`; see `audit.task_scores`.
"""

from typing import Any

import pandas as pd

from mien.audit.recognition.task_scores import macro_f, number_scores, task_scores
from mien.audit.statistics import scores
from mien.reports import words
from mien.runs.run import Run


def readers(run: Run) -> list[str]:
    """The models whose emotion is only read, by a branch on an embedding that is trained for something else."""
    experiment = run.experiment
    return [model for model in experiment.models if experiment.target not in experiment.model(model).tasks]


def of_recognisers(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of models that are trained to recognise emotion; all of them where none is."""
    kept = table[~table["model"].isin(readers(run))]
    return table if kept.empty else kept


def shown(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """What the table shows, on the split that the run is judged by; None of a run without other tasks.

    Args:
        run: the run.
        predictions: its predictions of the experiment's models.

    Returns:
        `scales`: factor -> the scale of its score; `rows`: `model`, `f1` (its row of `macro_f`, None of a model without
        predictions, or of a number), `read` (whether the main target is only read there), and `by` = factor -> `score,
        low, high, seeds, chance` of models with that head.
    """
    told = run.tasks
    split = scores.judged(predictions)
    if told is None or (told := told[(told["split"] == split) & told["model"].isin(run.experiment.models)]).empty:
        return None
    felt = macro_f(predictions[predictions["split"] == split], run.classes) if run.classes else pd.DataFrame()
    by_model = {row["model"]: row for row in felt.to_dict("records")}
    found: dict[str, dict[str, Any]] = {}
    scales: dict[str, words.Scale] = {}
    for row in task_scores(told).to_dict("records"):
        found.setdefault(row["model"], {})[row["factor"]] = row | {"score": row["accuracy"]}
        scales[row["factor"]] = words.scale("wa")
    for row in number_scores(told).to_dict("records"):
        more = {"score": row["ccc"], "seeds": float("nan"), "chance": 0.0}
        found.setdefault(row["model"], {})[row["factor"]] = row | more
        scales[row["factor"]] = words.scale("ccc")
    reading = readers(run)
    return {
        "scales": {factor: scales[factor] for factor in dict.fromkeys(one for by in found.values() for one in by)},
        "rows": [
            {
                **{"model": model, "f1": by_model.get(model), "by": found.get(model, {})},
                "read": model in reading,
            }
            for model in run.experiment.models
            if model in by_model or model in found
        ],
    }
