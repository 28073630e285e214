"""Calibration: how far a model's probabilities can be taken at their word, and when it had better say nothing.

Probabilities are N x K, rows sum to 1; truths are N numbers of classes, 0 .. K - 1. One temperature T > 0 divides the
logits of every member of an ensemble before its softmax (Guo et al. 2017, section 4.2); the members' probabilities are
averaged afterwards, here as in `runs.ensemble`. T > 1 makes a model less sure, T < 1 surer; the class that a single
member finds most likely stays the same.
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

LEAST = 5e-7  # half of the last digit of predictions.csv: what is printed as 0 there is taken to be this
BOUNDS = (0.05, 20.0)  # of the temperature
BINS = 15  # of the expected calibration error, as in Guo et al. 2017


class Judgements(NamedTuple):
    """What the members of an ensemble say about clips, in long form: R rows, one a member and clip.

    Attributes:
        logits: R x K; only differences within a row matter.
        clip: R, the number 0 .. N - 1 of the clip that a row judges.
        truth: N, the number of the class of each clip.
        clips: N names of the clips.
        folds: N, the fold whose members judge a clip.
    """

    logits: Array
    clip: Numbers
    truth: Numbers
    clips: tuple[str, ...]
    folds: tuple[int, ...]

    def probabilities(self, temperature: float) -> Array:
        """The mean over the members of softmax(logits / T), N x K."""
        each = np.exp(log_softmax(self.logits / temperature, axis=1))
        sums = np.zeros((len(self.truth), each.shape[1]))
        np.add.at(sums, self.clip, each)
        return sums / np.bincount(self.clip, minlength=len(self.truth))[:, None]

    def only(self, keep: NDArray[np.bool_]) -> "Judgements":
        """The judgements of some clips; `keep` is N."""
        rows, number = keep[self.clip], np.cumsum(keep) - 1
        clips, folds = tuple(compress(self.clips, keep)), tuple(compress(self.folds, keep))
        return Judgements(self.logits[rows], number[self.clip[rows]], self.truth[keep], clips, folds)


class Rejection(NamedTuple):
    """A rule: what is less sure than `threshold` is left unsaid.

    Attributes:
        threshold: the least probability of the most likely class that is said.
        coverage: share of the clips that are said.
        accuracy: share of those that are right; nan where nothing is said.
    """

    threshold: float
    coverage: float
    accuracy: float


class Nested(NamedTuple):
    """Test clips under temperatures and thresholds that were chosen without the people who are tested.

    Attributes:
        probabilities: N x K, calibrated.
        thresholds: N, the threshold of the fold that tests a clip.
        temperatures: N, its temperature.
    """

    probabilities: Array
    thresholds: Array
    temperatures: Array


def judgements(predictions: pd.DataFrame, classes: Sequence[str]) -> Judgements:
    """The judgements in rows of `predictions.csv` of one model and one split.

    The seeds of a fold that judge the same clip are one ensemble. Logits are logarithms of the probabilities as they
    are printed. Clips without exactly one class are left out.

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
    return Judgements(logits, clip, truth, tuple(one["clip"].astype(str)), tuple(one["fold"]))


def negative_log_likelihood(probabilities: Array, truth: Numbers) -> float:
    """The mean of -ln(probability of the truth), in nats."""
    told = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(told, np.finfo(np.float64).tiny)).mean())


def temperature(judged: Judgements) -> float:
    """The temperature under which the ensemble's negative log likelihood is least, within `BOUNDS`."""

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(judged.probabilities(float(np.exp(logarithm))), judged.truth)

    low, high = np.log(BOUNDS)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x))


def expected_calibration_error(probabilities: Array, truth: Numbers, *, bins: int = BINS) -> float:
    """The mean over clips of |accuracy - mean probability said| within `bins` bins of equal width (Guo et al. 2017)."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    apart = np.bincount(place, weights=right - sure, minlength=bins)
    return float(np.abs(apart).sum() / len(truth))


def rejection(probabilities: Array, truth: Numbers, coverage: float) -> Rejection:
    """The highest threshold, of four decimals, under which at least a share `coverage` of the clips is said."""
    sure = np.sort(probabilities.max(axis=1))[::-1]
    said = max(1, int(np.ceil(coverage * len(sure) - 1e-9)))
    return rejected(probabilities, truth, float(np.floor(sure[said - 1] * 1e4) / 1e4))


def rejected(probabilities: Array, truth: Numbers, threshold: float) -> Rejection:
    """What a given threshold does to these clips."""
    return Rejection(threshold, *answered(probabilities, truth, threshold))


def answered(probabilities: Array, truth: Numbers, threshold: float | Array) -> tuple[float, float]:
    """The share of the clips whose likeliest class reaches the threshold (one, or N), and how many of these are right.

    The second is nan where there are none.
    """
    said = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1)[said] == truth[said]
    return float(said.mean()), float(right.mean()) if said.any() else float("nan")


def nested(validation: Judgements, tested: Judgements, speaker: Mapping[str, str], coverage: float) -> Nested:
    """Calibrate the test clips of every fold by validation clips of other people than it tests.

    Where the folds rotate, who validates one fold is tested in another: a temperature or threshold of all validation
    clips has been chosen on the very clips that it would be tested on. Here each fold gets its own. Where everybody is
    in every part (the protocol seen_speakers) nobody else has validated, and no validation clip is tested: all of them
    count.

    Args:
        validation: of all folds.
        tested: likewise.
        speaker: clip -> who speaks.
        coverage: see `rejection`.
    """
    folds, people = np.array(tested.folds), np.array([speaker[clip] for clip in tested.clips])
    who = np.array([speaker[clip] for clip in validation.clips])
    probabilities = np.empty((len(folds), tested.logits.shape[1]))
    thresholds, temperatures = np.empty(len(folds)), np.empty(len(folds))
    for fold in set(tested.folds):
        here = folds == fold
        strangers = ~np.isin(who, people[here])
        others = validation.only(strangers) if strangers.any() else validation
        cooled = temperature(others)
        temperatures[here] = cooled
        probabilities[here] = tested.probabilities(cooled)[here]
        thresholds[here] = rejection(others.probabilities(cooled), others.truth, coverage).threshold
    return Nested(probabilities, thresholds, temperatures)
