"""Pictures of calibration: what share is right where a model says so much, and where it answers only so often.

As in `calibration`, probabilities are N x K and truths are N numbers of classes; a clip's confidence is its greatest
probability. Intervals are bootstraps over speakers, who are drawn with all their clips (`scores.interval`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mien.audit.statistics import scores
from mien.audit.statistics.calibration import BINS, Array, Numbers

LEAST = np.finfo(np.float64).tiny


class Reliability(NamedTuple):
    """A reliability diagram (Guo et al. 2017, Fig. 1): B bins of equal width, those without a clip left out.

    Attributes:
        said: mean confidence in each bin.
        right: share of the clips that are right.
        clips: how many clips.
    """

    said: Array
    right: Array
    clips: Array


class Abstention(NamedTuple):
    """Accuracy where only the surest clips are answered; clips of equal confidence are answered together.

    Attributes:
        coverage: share of the clips that are answered, ascending, the last is 1.
        accuracy: share of these that are right; 1 - accuracy is the risk of a risk-coverage curve.
    """

    coverage: Array
    accuracy: Array

    @property
    def area(self) -> float:
        """The mean accuracy over all coverages, each accuracy held from the coverage before to its own."""
        return float(np.diff(self.coverage, prepend=0.0) @ self.accuracy)


class Calibration(NamedTuple):
    """Calibration error and negative log likelihood (nats), each with its 95 % interval over speakers (low, high)."""

    error: float
    error_interval: tuple[float, float]
    loss: float
    loss_interval: tuple[float, float]


def reliability(probabilities: Array, truth: Numbers, *, bins: int = BINS) -> Reliability:
    """The bins of a reliability diagram."""
    sure, right, place = _binned(probabilities, truth, bins)
    clips = np.bincount(place, minlength=bins).astype(np.float64)
    there = clips > 0
    said, hits = (np.bincount(place, values, bins)[there] / clips[there] for values in (sure, right))
    return Reliability(said, hits, clips[there])


def abstention(probabilities: Array, truth: Numbers) -> Abstention:
    """The accuracy at every coverage that a threshold on the confidence can reach."""
    sure = probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    hits = np.cumsum(probabilities.argmax(axis=1)[order] == truth[order])
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True))
    answered = last + 1.0
    return Abstention(answered / len(truth), hits[last] / answered)


def calibration_over_speakers(
    probabilities: Array, truth: Numbers, speakers: Sequence[str], *, bins: int = BINS, seed: int = 0
) -> Calibration:
    """Calibration error and negative log likelihood with intervals over the speakers of the clips.

    A calibration error cannot fall below zero, and the noise of a draw adds to it: its interval lies somewhat high, and
    does not hold 0 for a model that is perfectly calibrated.

    Args:
        probabilities: N x K.
        truth: N.
        speakers: N.
        bins: of the calibration error.
        seed: of the bootstrap.
    """
    sure, right, place = _binned(probabilities, truth, bins)
    people, who = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    apart, clips, loss = np.zeros((len(people), bins)), np.bincount(who).astype(np.float64), np.zeros(len(people))
    np.add.at(apart, (who, place), right - sure)
    np.add.at(loss, who, -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], LEAST)))
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
    """Of each clip the confidence, whether it is right, and the number of its bin."""
    sure = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    return sure, right, np.minimum((sure * bins).astype(np.int64), bins - 1)
