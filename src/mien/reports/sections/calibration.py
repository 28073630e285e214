"""Calibration and abstention on test clips: `calibration` of `metrics.json`, and the curves of `abstention.csv`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.reports import words
from mien.reports.figures import trends
from mien.reports.figures.canvas import number_of
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run


def shown(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the section; None if no clip can be calibrated by a temperature chosen without its speaker.

    Returns:
        `rows`: one a model: see `audit.recognition.calibrated`, with `temperature` as text; `pictures`: a reliability
        diagram a model; `abstention`: the figure of all models, empty without curves; `coverage`: that of the
        threshold.
    """
    found = metrics.get("calibration", {})
    if not found.get("models"):
        return None
    rows, pictures, lines = [], [], {}
    curves = run.abstention
    for row in found["models"]:
        model, series = row["model"], number_of(run.experiment.models, row["model"])
        rows.append(row | {"temperature": _range(row["temperature"])})
        if curves is not None:
            curve = curves[curves["model"] == model]
            lines[model] = trends.Line(curve["coverage"].to_numpy(float), curve["accuracy"].to_numpy(float), series)
        svg = trends.reliability(
            _bins(row["bins"]["before"]),
            _bins(row["bins"]["after"]),
            name=f"reliability {model}",
            description=f"Reliability of {model} on test clips, as trained and calibrated",
            series=series,
        )
        pictures.append(Picture(model, svg))
    described = "Accuracy on the answered test clips over the share of test clips that are answered"
    return {
        "rows": rows,
        "pictures": pictures,
        "abstention": trends.abstention(lines, name="abstention", description=described) if lines else "",
        "coverage": found["coverage"],
    }


def _bins(values: Mapping[str, Sequence[float]]) -> trends.Bins:
    return trends.Bins(*(np.array(values[name], float) for name in trends.Bins._fields))


def _range(temperatures: Sequence[float]) -> str:
    """The temperatures of the folds: a single value, or minimum and maximum."""
    low, high = (f"{value:.2f}" for value in temperatures)
    return low if low == high else f"{low} {words.UNKNOWN} {high}"
