"""Reliability and abstention equal brute force; intervals over speakers include known figures."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from mien.audit.statistics import calibration, reliability
from mien.audit.statistics.calibration import Array, Numbers


def predictions(clips: int = 4000, *, sharper: float = 1.0) -> tuple[Array, Numbers, list[str]]:
    """Two classes: truths are sampled from logits, predicted probabilities have `sharper` times these logits."""
    random = np.random.default_rng(0)
    logit = random.normal(0, 1.5, clips)
    truth = (random.random(clips) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    second = 1 / (1 + np.exp(-sharper * logit))
    return np.stack([1 - second, second], 1), truth, [f"s{number % 20}" for number in range(clips)]


def test_the_bins_are_those_of_scikit_learn() -> None:
    probabilities, truth, _ = predictions()
    right = probabilities.argmax(1) == truth
    share, confidence = calibration_curve(right, probabilities.max(1), n_bins=15, strategy="uniform")
    found = reliability.reliability(probabilities, truth)
    np.testing.assert_allclose(found.right, share, atol=1e-12)
    np.testing.assert_allclose(found.said, confidence, atol=1e-12)
    error = found.clips @ np.abs(found.right - found.said) / found.clips.sum()
    assert error == pytest.approx(calibration.expected_calibration_error(probabilities, truth), abs=1e-12)


def test_abstention_is_the_sweep_over_all_thresholds() -> None:
    probabilities, truth, _ = predictions(300)
    probabilities = probabilities.round(2)  # many equal ones
    found = reliability.abstention(probabilities, truth)
    thresholds = sorted(set(probabilities.max(1)), reverse=True)
    brute = [calibration.answered(probabilities, truth, threshold) for threshold in thresholds]
    np.testing.assert_allclose(np.stack(found, 1), brute, atol=1e-12)
    assert found.coverage[-1] == 1.0
    assert found.accuracy[-1] == np.mean(probabilities.argmax(1) == truth)
    assert found.area > found.accuracy[-1], "more confident predictions are more often right"
    random = np.random.default_rng(1).permutation(probabilities)
    blind = reliability.abstention(random, truth)
    assert blind.area == pytest.approx(blind.accuracy[-1], abs=0.08), "random confidence does not help"


def test_intervals_include_the_figure_and_separate_an_overconfident_model() -> None:
    fair, truth, speakers = predictions()
    bold, _, _ = predictions(sharper=3.0)
    one, other = (reliability.calibration_over_speakers(p, truth, speakers) for p in (fair, bold))
    for found, probabilities in ((one, fair), (other, bold)):
        assert found.error == pytest.approx(calibration.expected_calibration_error(probabilities, truth), abs=1e-12)
        assert found.loss == pytest.approx(calibration.negative_log_likelihood(probabilities, truth), abs=1e-12)
        assert found.loss_interval[0] < found.loss < found.loss_interval[1]
    assert one.error_interval[1] < other.error_interval[0]
    assert one.error < 0.03
    alone = reliability.calibration_over_speakers(fair, truth, ["a"] * len(truth))
    assert np.isnan(alone.error_interval).all()
