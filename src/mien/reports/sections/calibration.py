"""Calibration and abstention on test clips, with temperature and threshold chosen on validation clips.

The probabilities of a clip are averaged over seeds, as `mien predict` averages them. Temperature and threshold are
chosen on validation clips of speakers who are not tested (`calibration.nested`), so the scores are of unseen speakers.
"""

from typing import Any

import numpy as np
import pandas as pd

from mien.audit.statistics import calibration
from mien.audit.statistics.calibration import Judgements
from mien.audit.statistics.reliability import abstention, calibration_over_speakers, reliability
from mien.reports import words
from mien.reports.figures import trends
from mien.reports.figures.canvas import number_of
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run

COVERAGE = 0.8  # share of the validation clips that are answered at the threshold


def shown(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """The values of the section; None if no clip can be calibrated by a temperature chosen without its speaker.

    Returns:
        `rows`: one a model: model, clips, speakers, `temperature` (text), `before` and `after` (`Calibration`), `all`:
        accuracy, `coverage` and `right`: accuracy on answered clips, `area`: mean accuracy over coverages; `pictures`:
        a reliability diagram a model; `abstention`: the figure of all models; `coverage`: that of the threshold.
    """
    rows, pictures, lines = [], [], {}
    speaker = dict(zip(run.clips["clip"], run.clips["speaker"], strict=True))
    for model, part in predictions.groupby("model", sort=False):
        validation, test = (_judgements(part[part["split"] == split], run.classes) for split in ("validation", "test"))
        if validation is None or test is None or not _others(validation, test, speaker):
            continue
        speakers = [speaker[clip] for clip in test.clips]
        raw, nested = test.probabilities(1.0), calibration.nested(validation, test, speaker, COVERAGE)
        coverage, right = calibration.answered(nested.probabilities, test.truth, nested.thresholds)
        curve = abstention(nested.probabilities, test.truth)
        rows.append(
            {
                "model": str(model),
                "clips": len(test.truth),
                "speakers": len(set(speakers)),
                "temperature": _range(nested.temperatures),
                "before": calibration_over_speakers(raw, test.truth, speakers),
                "after": calibration_over_speakers(nested.probabilities, test.truth, speakers),
                "all": float(curve.accuracy[-1]),
                "coverage": coverage,
                "right": right,
                "area": curve.area,
            }
        )
        series = number_of(run.experiment.models, str(model))
        lines[str(model)] = trends.Line(curve.coverage, curve.accuracy, series)
        svg = trends.reliability(
            reliability(raw, test.truth),
            reliability(nested.probabilities, test.truth),
            name=f"reliability {model}",
            description=f"Reliability of {model} on test clips, as trained and calibrated",
            series=series,
        )
        pictures.append(Picture(str(model), svg))
    if not rows:
        return None
    described = "Accuracy on the answered test clips over the share of test clips that are answered"
    return {
        "rows": rows,
        "pictures": pictures,
        "abstention": trends.abstention(lines, name="abstention", description=described),
        "coverage": COVERAGE,
    }


def _judgements(rows: pd.DataFrame, classes: tuple[str, ...]) -> Judgements | None:
    return calibration.judgements(rows, classes) if rows["truth"].isin(classes).any() else None


def _others(validation: Judgements, test: Judgements, speaker: dict[str, str]) -> bool:
    """Whether every fold has validation clips of speakers whom it does not test."""
    known = {speaker[clip] for clip in validation.clips}
    tested: dict[int, set[str]] = {}
    for clip, fold in zip(test.clips, test.folds, strict=True):
        tested.setdefault(fold, set()).add(speaker[clip])
    return all(known - speakers for speakers in tested.values())


def _range(temperatures: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """The temperatures of the folds: a single value, or minimum and maximum."""
    low, high = (f"{value:.2f}" for value in (temperatures.min(), temperatures.max()))
    return low if low == high else f"{low} {words.UNKNOWN} {high}"
