"""Further scores of the heads of a model: macro F of the main target, and the other tasks, such as the speaker.

They are shown for runs whose heads predict other factors; see `audit.recognition.task_scores`.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd

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


def shown(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the table, on the split that the run is scored on; None if the run has no other tasks.

    Args:
        run: the run.
        metrics: its `metrics.json`.

    Returns:
        `scales`: (factor, measure) -> the scale of its score; `rows`: `model`, `f1` (row of `macro_f`; None without
        predictions or for a target of numbers), `auxiliary` (see `auxiliary`), and `by` = (factor, measure) -> `score,
        low, high, seeds, chance` of models with that head.
    """
    split, heads = metrics["split"], metrics.get("tasks", {})
    macro = metrics.get("macro_f", {})
    by_model = {model: macro[model][split] for model in macro if split in macro[model]}
    found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    scales: dict[tuple[str, str], words.Scale] = {}
    for model, factor in product(run.experiment.models, heads):
        if row := heads[factor].get(model, {}).get(split):
            for measure, score in _scores(row).items():
                found.setdefault(model, {})[factor, measure] = score
                scales[factor, measure] = words.scale(measure)
    if not found:
        return None
    without = auxiliary(run)
    return {
        "scales": scales,
        "rows": [
            {
                **{"model": model, "f1": by_model.get(model), "by": found.get(model, {})},
                "auxiliary": model in without,
            }
            for model in run.experiment.models
            if model in by_model or model in found
        ],
    }


def _scores(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Measure -> `score, low, high, seeds, chance` of a head: the accuracy of classes, or CCC and RMSE of a number."""
    if "accuracy" in row:
        return {"wa": {"score": row["accuracy"], **{key: row[key] for key in ("low", "high", "seeds", "chance")}}}
    ends = ("low", "high", "chance")
    return {
        name: {"score": row[name], "seeds": float("nan"), **{end: row[f"{name}_{end}"] for end in ends}}
        for name in ("ccc", "rmse")
    }
