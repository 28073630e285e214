"""How far a model can be taken at its word: calibration and abstention on test clips, chosen on validation clips.

The seeds that judge a clip are averaged, as `mien predict` averages them. Temperature and threshold are of validation
clips of other people than those tested (`calibration.nested`), so the figures are those of people never heard.
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

COVERAGE = 0.8  # share of the validation clips that the threshold shall answer


def shown(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """What the page shows of calibration, None where no clip can be judged by temperatures chosen without its speaker.

    Returns:
        `rows`: one a model: model, clips, speakers, `temperature` (text), `before` and `after` (`Calibration`), `all`:
        share right, `coverage` and `right`: of the answered ones, `area`: mean accuracy over coverages; `pictures`: a
        reliability diagram each; `abstention`: the figure of all models; `coverage`: what the threshold was chosen for.
    """
    rows, pictures, lines = [], [], {}
    speaker = dict(zip(run.clips["clip"], run.clips["speaker"], strict=True))
    for model, part in predictions.groupby("model", sort=False):
        judged = [_judged(part[part["split"] == split], run.classes) for split in ("validation", "test")]
        if judged[0] is None or judged[1] is None or not _others(judged[0], judged[1], speaker):
            continue
        validation, test = judged[0], judged[1]
        people = [speaker[clip] for clip in test.clips]
        raw, nested = test.probabilities(1.0), calibration.nested(validation, test, speaker, COVERAGE)
        coverage, right = calibration.answered(nested.probabilities, test.truth, nested.thresholds)
        curve = abstention(nested.probabilities, test.truth)
        rows.append(
            {
                "model": str(model),
                "clips": len(test.truth),
                "speakers": len(set(people)),
                "temperature": _range(nested.temperatures),
                "before": calibration_over_speakers(raw, test.truth, people),
                "after": calibration_over_speakers(nested.probabilities, test.truth, people),
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
    told = "Share of right answers over the share of test clips that are answered"
    return {
        "rows": rows,
        "pictures": pictures,
        "abstention": trends.abstention(lines, name="abstention", description=told),
        "coverage": COVERAGE,
    }


def _judged(rows: pd.DataFrame, classes: tuple[str, ...]) -> Judgements | None:
    return calibration.judgements(rows, classes) if rows["truth"].isin(classes).any() else None


def _others(validation: Judgements, test: Judgements, speaker: dict[str, str]) -> bool:
    """Whether every fold has validation clips of people whom it does not test."""
    heard = {speaker[clip] for clip in validation.clips}
    tested: dict[int, set[str]] = {}
    for clip, fold in zip(test.clips, test.folds, strict=True):
        tested.setdefault(fold, set()).add(speaker[clip])
    return all(heard - people for people in tested.values())


def _range(temperatures: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """The temperatures of the folds: one, or the least and the greatest."""
    low, high = (f"{value:.2f}" for value in (temperatures.min(), temperatures.max()))
    return low if low == high else f"{low} {words.UNKNOWN} {high}"
