"""Calibration and abstention of each model on test clips, with temperature and threshold chosen on validation clips.

The probabilities of a clip are averaged over seeds, as `mien predict` averages them. A clip that several folds test
counts once, in equal shares for its folds. Temperature and threshold are
chosen on validation clips of speakers who are not tested (`calibration.nested`), so the scores are of unseen speakers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.statistics import calibration
from mien.audit.statistics.calibration import MemberPredictions
from mien.audit.statistics.reliability import abstention, calibration_over_speakers, reliability
from mien.runs.run import ABSTENTION

COVERAGE = 0.8  # share of the validation clips that are answered at the threshold


def calibrated(
    predictions: pd.DataFrame, classes: Sequence[str], speaker: Mapping[str, str]
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Calibrate every model of which no test clip lacks validation clips of other speakers.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        speaker: clip -> speaker.

    Returns:
        One mapping a model, and the columns of `abstention.csv` (`ABSTENTION`), one row a model and coverage that a
        threshold can give. The mapping has `model`; the numbers of test `clips` and `speakers`; the lowest and the
        highest `temperature` of the folds; `before` and `after` calibration: `reliability.Calibration`; `all`: accuracy
        on all clips; `coverage` and `right`: share of clips that are answered at the threshold, and accuracy on these;
        `area`: see `reliability.Abstention`; `bins`: `reliability.Reliability` before and after.
    """
    found, curves = [], []
    for model, part in predictions.groupby("model", sort=False):
        validation, test = (_members(part[part["split"] == split], classes) for split in ("validation", "test"))
        if validation is None or test is None or not _others(validation, test, speaker):
            continue
        speakers = [speaker[clip] for clip in test.clips]
        raw, nested = test.probabilities(1.0), calibration.nested(validation, test, speaker, COVERAGE)
        weights = test.weights
        coverage, right = calibration.answered(nested.probabilities, test.truth, nested.thresholds, weights)
        curve = abstention(nested.probabilities, test.truth, weights)
        curves.append(pd.DataFrame({"model": model, "coverage": curve.coverage, "accuracy": curve.accuracy}))
        both = {"before": raw, "after": nested.probabilities}
        found.append(
            {
                **{"model": str(model), "clips": len(set(test.clips)), "speakers": len(set(speakers))},
                "temperature": [float(nested.temperatures.min()), float(nested.temperatures.max())],
                **{when: calibration_over_speakers(each, test.truth, speakers, weights) for when, each in both.items()},
                **{"all": float(curve.accuracy[-1]), "coverage": coverage, "right": right, "area": curve.area},
                "bins": {when: reliability(each, test.truth, weights) for when, each in both.items()},
            }
        )
    return found, pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(ABSTENTION))


def _members(rows: pd.DataFrame, classes: Sequence[str]) -> MemberPredictions | None:
    return calibration.member_predictions(rows, classes) if rows["truth"].isin(classes).any() else None


def _others(validation: MemberPredictions, test: MemberPredictions, speaker: Mapping[str, str]) -> bool:
    """Whether every fold has validation clips of speakers whom it does not test."""
    known = {speaker[clip] for clip in validation.clips}
    tested: dict[int, set[str]] = {}
    for clip, fold in zip(test.clips, test.folds, strict=True):
        tested.setdefault(fold, set()).add(speaker[clip])
    return all(known - speakers for speakers in tested.values())
