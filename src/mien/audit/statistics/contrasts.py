"""Contrasts: weighted sums of the scores of several systems on the same speakers, with the verdict of `compare`.

"Multitask minus single-task, the mean over three dimensions" is one contrast with one test, instead of three pairs. All
systems of a contrast are scored on the same bootstrap resamples of speakers, each time on the pooled counts of the
resample. Seeds are averaged within a speaker first.

The macro F of few speakers is biased: it rises if errors even out over speakers, and a resample holds fewer different
speakers than the sample, as the sample holds fewer than the population. If each of twelve speakers has one emotion that
is predicted for all their clips, the F of the sample is above that of every resample, and a percentile interval would
exclude the score itself. So the interval of `interval` is moved by minus twice the bias of the resamples (their mean
minus the score): once to the score, and once more to the score less its own bias (Efron & Tibshirani 1993, "An
introduction to the bootstrap", chapter 10). It is extended to include the score. The score itself is not corrected, as
in papers.

Wilcoxon's test needs one number per speaker. Macro F is no mean over speakers, and the mean of the speakers' accuracies
depends on the frequent classes more than macro F does. So the test takes jackknife pseudo-values: S times the contrast
of all S speakers minus S - 1 times the contrast without one speaker. Their mean is the contrast, corrected for bias
(Tukey 1958; Miller 1974, "The jackknife - a review"). For the accuracy of speakers with equally many clips they are the
speakers' own differences.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.audit.statistics.repeated import times
from mien.audit.statistics.scores import BySpeaker, draws, interval
from mien.audit.statistics.significance import wilcoxon
from mien.audit.statistics.verdict import with_verdicts
from mien.common.measures import Array, within
from mien.common.units import units

DECIMALS = 10  # pseudo-values are rounded: S times the rounding error would break ties and zeros
Score = Callable[[Array], Array]  # (..., K, K) counts, truth in rows -> (...): a `Measure` of classes, or `fixed`


class Term(NamedTuple):
    """One system of a contrast.

    Attributes:
        weight: factor of its score.
        table: its counts by speaker.
        measure: the score of these counts.
    """

    weight: float
    table: BySpeaker
    measure: Score


class Contrast(NamedTuple):
    """A weighted sum of scores.

    Attributes:
        difference: the weighted sum, on all speakers that the terms share.
        low: lower end of its 95 % interval over speakers, corrected for bias; nan with fewer than two speakers.
        high: upper end.
        p: of Wilcoxon's test, two-sided, of the pseudo-values.
        speakers: number of speakers.
    """

    difference: float
    low: float
    high: float
    p: float
    speakers: int


def contrast(terms: Sequence[Term], *, seed: int = 0) -> Contrast:
    """The sum of weight times score over the terms, on the speakers that all of them share.

    Args:
        terms: at least one.
        seed: of the bootstrap; the same speakers and seed give the same resamples.
    """
    shared = tuple(sorted(set.intersection(*(set(term.table.speakers) for term in terms))))
    return combined([(term.weight, spread(term.table, term.measure, shared, seed=seed)) for term in terms])


class Spread(NamedTuple):
    """A score with what its contrasts need, which many of them may share.

    Attributes:
        value: the score of all speakers.
        resamples: on each bootstrap resample of speakers.
        without: without each speaker, (S,).
    """

    value: float
    resamples: Array
    without: Array


def spread(table: BySpeaker, measure: Score, speakers: Sequence[str], *, seed: int = 0) -> Spread:
    """The spread of a score over some of a table's speakers.

    Args:
        table: counts by speaker.
        measure: the score of these.
        speakers: sorted; those of the table that are taken.
        seed: of the bootstrap.
    """
    if not len(speakers):
        return Spread(math.nan, np.empty(0), np.empty(0))
    weights = _shared_draws(tuple(speakers), seed)
    counts = table.counts[[table.speakers.index(speaker) for speaker in speakers]]
    pooled = counts.sum(0)
    part = within(measure, pooled)
    resamples = part(np.tensordot(weights, counts, 1))
    return Spread(float(measure(pooled)), np.asarray(resamples), np.asarray(part(pooled - counts)))


def combined(parts: Sequence[tuple[float, Spread]]) -> Contrast:
    """The sum of weight times score over spreads of the same speakers, with the same seed."""
    count = len(parts[0][1].without)
    if not count:
        return Contrast(math.nan, math.nan, math.nan, math.nan, 0)
    value, resamples, without = 0.0, np.zeros(len(parts[0][1].resamples)), np.zeros(count)
    for weight, own in parts:
        value += weight * own.value
        resamples += weight * own.resamples
        without += weight * own.without
    low, high = _unbiased(resamples, value, count)
    each = np.round(count * value - (count - 1) * without, DECIMALS) if count > 1 else np.empty(0)
    return Contrast(value, low, high, wilcoxon(each), count)


def _unbiased(resamples: Array, value: float, speakers: int) -> tuple[float, float]:
    """The interval around the score less its bias, extended to include the score: see the module."""
    low, high = interval(resamples, speakers)
    known = resamples[np.isfinite(resamples)]
    if math.isnan(low) or math.isnan(value):
        return low, high
    moved = 2 * (value - float(known.mean()))
    return min(low + moved, value), max(high + moved, value)


@lru_cache(maxsize=4)
def _shared_draws(speakers: tuple[str, ...], seed: int) -> Array:
    """The resamples that many contrasts of one run share; cached, for sampling takes longer than scoring."""
    weights = draws(speakers, seed=seed)
    weights.flags.writeable = False
    return weights


def verdicts(found: Sequence[Contrast]) -> pd.DataFrame:
    """One row per contrast, with `p_holm` (corrected over all contrasts) and `separable`: see `verdict`.

    Returns:
        `difference, low, high, p, p_holm, separable, speakers`.
    """
    table = pd.DataFrame(found, columns=list(Contrast._fields)).assign(family=0)
    return with_verdicts(table, "family", number="speakers").drop(columns="family")


def fixed(value: float, *, axes: int = 2) -> Score:
    """A score that is the same on every resample, such as a chance level.

    Args:
        value: the score.
        axes: the number of axes of the statistic that other scores are computed from.
    """
    return lambda counts: np.full(counts.shape[: counts.ndim - axes], value)


def right_and_wrong(rows: pd.DataFrame) -> BySpeaker:
    """The right and wrong clips of each speaker: a smaller table than a confusion matrix of all classes.

    Args:
        rows: `clip, speaker, seed, truth, predicted`.

    Returns:
        (S, 2, 2): right at [0, 0], wrong at [0, 1], the mean over the speaker's seeds; a clip of several folds counts
        in equal shares (`repeated`).
    """
    right = rows["truth"].astype(str) == rows["predicted"].astype(str)
    folds = times(rows)
    parts = {"right": right.to_numpy() / folds, "wrong": ~right.to_numpy() / folds}
    table = pd.DataFrame({"speaker": units(rows), "seed": rows["seed"], **parts})
    means = table.groupby(["speaker", "seed"]).sum().groupby("speaker").mean()
    counts = np.zeros((len(means), 2, 2))
    counts[:, 0] = means[["right", "wrong"]].to_numpy(float)
    return BySpeaker(tuple(map(str, means.index)), counts)
