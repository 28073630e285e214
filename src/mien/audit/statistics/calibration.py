"""Calibration of probabilities, and a threshold below which a prediction is withheld.

Probabilities are N x K, rows sum to 1; truths are N class numbers, 0 .. K - 1. One temperature T > 0 divides the logits
of every member of an ensemble before its softmax (Guo et al. 2017, section 4.2). The probabilities of the members are
averaged afterwards, as in `runs.ensemble`. T > 1 makes a model less confident, T < 1 more confident. The most likely
class of a single member does not change.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from mien.errors import RunError

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

LEAST = 5e-7  # half of the last digit of predictions.csv: a probability printed as 0 is taken as this
BOUNDS = (0.05, 20.0)  # of the temperature
BINS = 15  # of the expected calibration error, as in Guo et al. 2017


class MemberPredictions(NamedTuple):
    """The predictions of the members of an ensemble in long form: R rows, one per member and clip.

    Attributes:
        logits: R x K; only differences within a row matter.
        clip: R, the number of each row's clip, 0 .. N - 1.
        truth: N, the class number of each clip.
        clips: N names of the clips; a clip that several folds predict is there once for each of them.
        folds: N, the fold whose members predict a clip.
    """

    logits: Array
    clip: Numbers
    truth: Numbers
    clips: tuple[str, ...]
    folds: tuple[int, ...]

    @property
    def weights(self) -> Array:
        """N, 1 over the number of folds that predict the clip, so that it counts once; see `repeated`."""
        _, which, count = np.unique(self.clips, return_inverse=True, return_counts=True)
        return np.asarray(1.0 / count[which])

    def probabilities(self, temperature: float) -> Array:
        """The mean over the members of softmax(logits / T), N x K."""
        each = np.exp(log_softmax(self.logits / temperature, axis=1))
        sums = np.zeros((len(self.truth), each.shape[1]))
        np.add.at(sums, self.clip, each)
        return sums / np.bincount(self.clip, minlength=len(self.truth))[:, None]

    def only(self, keep: NDArray[np.bool_]) -> "MemberPredictions":
        """The predictions of a part of the clips; `keep` is N."""
        rows, number = keep[self.clip], np.cumsum(keep) - 1
        clips, folds = tuple(compress(self.clips, keep)), tuple(compress(self.folds, keep))
        return MemberPredictions(self.logits[rows], number[self.clip[rows]], self.truth[keep], clips, folds)


class Rejection(NamedTuple):
    """A rule that withholds predictions with a confidence below a threshold.

    Attributes:
        threshold: the least probability of the most likely class that is reported.
        coverage: share of the clips whose prediction is reported.
        accuracy: share of these that are right; nan if no prediction is reported.
    """

    threshold: float
    coverage: float
    accuracy: float


class Nested(NamedTuple):
    """Test clips with temperatures and thresholds that were chosen without the tested speakers.

    Attributes:
        probabilities: N x K, calibrated.
        thresholds: N, the threshold of each clip's fold.
        temperatures: N, the temperature of each clip's fold.
    """

    probabilities: Array
    thresholds: Array
    temperatures: Array


def member_predictions(predictions: pd.DataFrame, classes: Sequence[str]) -> MemberPredictions:
    """The predictions of ensemble members, from rows of `predictions.csv` of one model and one split.

    The seeds of a fold that predict the same clip are one ensemble. Logits are logarithms of the probabilities in the
    file. Clips without exactly one class are left out.

    Raises:
        RunError: no clip is left.
    """
    rows = predictions[predictions["truth"].isin(classes)]
    if rows.empty:
        raise RunError("predictions: no clip with one known emotion, so nothing can be calibrated; train with a corpus")
    clip = pd.factorize(rows["clip"].astype(str) + " in fold " + rows["fold"].astype(str))[0].astype(np.int64)
    one = rows.groupby(clip, sort=True).first()
    place = {name: number for number, name in enumerate(classes)}
    truth = np.array([place[emotion] for emotion in one["truth"]], np.int64)
    logits = np.log(np.maximum(rows[list(classes)].to_numpy(np.float64), LEAST))
    return MemberPredictions(logits, clip, truth, tuple(one["clip"].astype(str)), tuple(one["fold"]))


def negative_log_likelihood(probabilities: Array, truth: Numbers, weights: Array | None = None) -> float:
    """The mean of -ln(probability of the truth), in nats, over clips of these weights, by default all alike."""
    of_truth = probabilities[np.arange(len(truth)), truth]
    return float(np.average(-np.log(np.maximum(of_truth, np.finfo(np.float64).tiny)), weights=weights))


def temperature(members: MemberPredictions) -> float:
    """The temperature that minimises the negative log likelihood of the ensemble, within `BOUNDS`."""

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(members.probabilities(float(np.exp(logarithm))), members.truth, members.weights)

    low, high = np.log(BOUNDS)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x))


def expected_calibration_error(
    probabilities: Array, truth: Numbers, weights: Array | None = None, *, bins: int = BINS
) -> float:
    """The expected calibration error (Guo et al. 2017): `|accuracy - mean confidence|` of bins of equal width.

    The mean over the bins is weighted by their clips. The confidence of a clip is its greatest probability. Clips have
    the given weights, by default all alike.
    """
    each = np.ones(len(truth)) if weights is None else weights
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    apart = np.bincount(place, weights=each * (right - sure), minlength=bins)
    return float(np.abs(apart).sum() / each.sum())


def rejection(probabilities: Array, truth: Numbers, coverage: float) -> Rejection:
    """The highest threshold, to four decimals, with which at least a share `coverage` of the clips is reported."""
    sure = np.sort(probabilities.max(axis=1))[::-1]
    reported = max(1, int(np.ceil(coverage * len(sure) - 1e-9)))
    return rejected(probabilities, truth, float(np.floor(sure[reported - 1] * 1e4) / 1e4))


def quiet_threshold(probabilities: Array, neutral: int | None, limit: float) -> float:
    """The least threshold, to four decimals, with which at most a share `limit` of N windows gets an emotion.

    Args:
        probabilities: N x K.
        neutral: the number of the class that is no emotion; None where there is none.
        limit: above 0 and up to 1.
    """
    best = probabilities.argmax(axis=1)
    emotional = np.sort(probabilities.max(axis=1)[best != neutral])[::-1]
    allowed = int(np.floor(limit * len(probabilities) + 1e-9))
    if len(emotional) <= allowed:
        return 0.0
    return float(np.round(np.floor(emotional[allowed] * 1e4 + 1e-9) / 1e4 + 1e-4, 4))


def rejected(probabilities: Array, truth: Numbers, threshold: float) -> Rejection:
    """The coverage and accuracy of a given threshold on these clips."""
    return Rejection(threshold, *answered(probabilities, truth, threshold))


def answered(
    probabilities: Array, truth: Numbers, threshold: float | Array, weights: Array | None = None
) -> tuple[float, float]:
    """The coverage and accuracy of a threshold (a number, or one for each of the N clips).

    Coverage is the share of the clips whose most likely class reaches the threshold. Accuracy is the share of these
    that are right, nan if there are none. Clips have the given weights, by default all alike.
    """
    reported = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    each = np.ones(len(truth)) if weights is None else weights
    coverage = float(np.average(reported, weights=each))
    return coverage, float(np.average(right[reported], weights=each[reported])) if reported.any() else float("nan")


def nested(
    validation: MemberPredictions, tested: MemberPredictions, speaker: Mapping[str, str], coverage: float
) -> Nested:
    """Calibrate the test clips of every fold on validation clips of speakers that the fold does not test.

    If folds rotate, the validation speakers of one fold are the test speakers of another. A temperature or threshold
    chosen on all validation clips would then have been chosen on the clips that it is tested on. So each fold gets its
    own. If every speaker is in every part (protocol seen_speakers), there are no other speakers; no validation clip is
    a test clip there, and all validation clips are used.

    Args:
        validation: of all folds.
        tested: the test clips of all folds.
        speaker: clip -> speaker.
        coverage: see `rejection`.
    """
    folds, people = np.array(tested.folds), np.array([speaker[clip] for clip in tested.clips])
    who = np.array([speaker[clip] for clip in validation.clips])
    probabilities = np.empty((len(folds), tested.logits.shape[1]))
    thresholds, temperatures = np.empty(len(folds)), np.empty(len(folds))
    for fold in set(tested.folds):
        here = folds == fold
        untested = ~np.isin(who, people[here])
        others = validation.only(untested) if untested.any() else validation
        cooled = temperature(others)
        temperatures[here] = cooled
        probabilities[here] = tested.probabilities(cooled)[here]
        thresholds[here] = rejection(others.probabilities(cooled), others.truth, coverage).threshold
    return Nested(probabilities, thresholds, temperatures)
