"""Data of the figures of calibration: the reliability diagram, and accuracy over coverage.

As in `calibration`, probabilities are N x K, truths are N class numbers, and weights are N (by default all clips count
alike). The confidence of a clip is its greatest
probability. Intervals come from a bootstrap over speakers, who are resampled with all their clips (`scores.interval`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mien.audit.statistics import scores
from mien.audit.statistics.calibration import BINS, Array, Numbers

LEAST = np.finfo(np.float64).tiny


class Reliability(NamedTuple):
    """A reliability diagram (Guo et al. 2017, Fig. 1) of B bins of equal width; bins without a clip are left out.

    Attributes:
        confidence: mean confidence in each bin.
        right: share of right clips in each bin.
        clips: number of clips in each bin, or the sum of their weights.
    """

    confidence: Array
    right: Array
    clips: Array


class Abstention(NamedTuple):
    """Accuracy if only the most confident predictions are reported; clips of equal confidence are reported together.

    Attributes:
        coverage: share of the clips whose prediction is reported, ascending; the last is 1.
        accuracy: share of these that are right; 1 - accuracy is the risk of a risk-coverage curve.
    """

    coverage: Array
    accuracy: Array

    @property
    def area(self) -> float:
        """The mean accuracy over all coverages: a step function that keeps each accuracy from the last coverage on."""
        return float(np.diff(self.coverage, prepend=0.0) @ self.accuracy)


class Calibration(NamedTuple):
    """Calibration error and negative log likelihood (nats), each with its 95 % interval over speakers (low, high)."""

    error: float
    error_interval: tuple[float, float]
    loss: float
    loss_interval: tuple[float, float]


def reliability(probabilities: Array, truth: Numbers, weights: Array | None = None, *, bins: int = BINS) -> Reliability:
    """The bins of a reliability diagram."""
    sure, right, place = _binned(probabilities, truth, bins)
    each = np.ones(len(truth)) if weights is None else weights
    clips = np.bincount(place, each, minlength=bins).astype(np.float64)
    there = clips > 0
    confidence, hits = (np.bincount(place, each * values, bins)[there] / clips[there] for values in (sure, right))
    return Reliability(confidence, hits, clips[there])


def abstention(probabilities: Array, truth: Numbers, weights: Array | None = None) -> Abstention:
    """The accuracy at every coverage that a threshold on the confidence can give."""
    sure = probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    each = np.ones(len(truth)) if weights is None else weights[order]
    hits = np.cumsum(each * (probabilities.argmax(axis=1)[order] == truth[order]))
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True))
    answered = np.cumsum(each)[last]
    return Abstention(answered / answered[-1], hits[last] / answered)


def calibration_over_speakers(
    probabilities: Array,
    truth: Numbers,
    speakers: Sequence[str],
    weights: Array | None = None,
    *,
    bins: int = BINS,
    seed: int = 0,
) -> Calibration:
    """Calibration error and negative log likelihood, with intervals over speakers.

    A calibration error is never below zero, and the noise of a resample increases it. So its interval is biased upwards
    and does not include 0, even for a perfectly calibrated model.

    Args:
        probabilities: N x K.
        truth: N.
        speakers: N.
        weights: N, or None.
        bins: of the calibration error.
        seed: of the bootstrap.
    """
    sure, right, place = _binned(probabilities, truth, bins)
    people, who = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    each = np.ones(len(truth)) if weights is None else weights
    apart, clips, loss = np.zeros((len(people), bins)), np.bincount(who, each), np.zeros(len(people))
    np.add.at(apart, (who, place), each * (right - sure))
    np.add.at(loss, who, -each * np.log(np.maximum(probabilities[np.arange(len(truth)), truth], LEAST)))
    drawn = scores.draws([str(name) for name in people], seed=seed)
    total = drawn @ clips
    errors, losses = np.abs(drawn @ apart).sum(1) / total, drawn @ loss / total
    return Calibration(
        float(np.abs(apart.sum(0)).sum() / clips.sum()),
        scores.interval(errors, len(people)),
        float(loss.sum() / clips.sum()),
        scores.interval(losses, len(people)),
    )


def _binned(probabilities: Array, truth: Numbers, bins: int) -> tuple[Array, Array, Numbers]:
    """The confidence of each clip, whether its prediction is right (1.0 or 0.0), and the number of its bin."""
    sure = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    return sure, right, np.minimum((sure * bins).astype(np.int64), bins - 1)
