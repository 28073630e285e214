"""Contrasts: weighted sums of scores of several systems on the same speakers, with the one verdict of `compare`.

"Multitask minus single-task, the mean over three dimensions" is one contrast, and one test, in place of three pairs.
All systems of a contrast are looked at on the same bootstrap draws of speakers, in each of which a score is taken anew
of the pooled counts; seeds are averaged within a speaker first.

A macro F of few speakers is biased: what evens out over people makes it higher, and a draw holds fewer different people
than the sample, as the sample does than all people. Where each of twelve has one emotion that all their clips are
called, the F of the sample is above that of every draw, so a percentile interval leaves its own score out. Hence
intervals are those of `interval`, moved by minus twice the bias of the draws (their mean minus the score): once onto
the score, once more onto the score less its own bias (Efron & Tibshirani 1993, "An introduction to the bootstrap",
chapter 10), and made to hold the score. The score itself is told as it is, as papers tell it.

Wilcoxon's test needs one number a speaker. A macro F is no mean over speakers, and a mean of the speakers' accuracies
follows what is frequent, not what macro F looks at. So it stands on jackknife pseudo-values: S times the contrast of
all S speakers less S - 1 times that of all but one, whose mean is the contrast but for its bias (Tukey 1958; Miller
1974, "The jackknife - a review"). Of an accuracy with equal clips they are the speakers' own differences.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.audit.statistics.scores import BySpeaker, draws, interval
from mien.audit.statistics.significance import wilcoxon
from mien.audit.statistics.verdict import judged
from mien.common.measures import Array, within

DECIMALS = 10  # of pseudo-values: S times the noise of rounding would break ties and zeros
Score = Callable[[Array], Array]  # (..., K, K) counts, truth in rows -> (...): a `Measure` of classes, or `fixed`


class Term(NamedTuple):
    """One system of a contrast.

    Attributes:
        weight: of its score.
        table: its counts by speaker.
        measure: of these.
    """

    weight: float
    table: BySpeaker
    measure: Score


class Contrast(NamedTuple):
    """A weighted sum of scores.

    Attributes:
        difference: of all speakers that the terms share.
        low: lower end of its 95 % interval over speakers, corrected for bias, nan of fewer than two.
        high: upper end.
        p: Wilcoxon's, two-sided, over pseudo-values.
        speakers: how many.
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
        seed: of the bootstrap; the same speakers and seed give the same draws.
    """
    shared = sorted(set.intersection(*(set(term.table.speakers) for term in terms)))
    count = len(shared)
    if not count:
        return Contrast(math.nan, math.nan, math.nan, math.nan, 0)
    weights = _drawn(tuple(shared), seed)
    value, drawn, without = 0.0, np.zeros(len(weights)), np.zeros(count)
    for weight, table, measure in terms:
        counts = table.counts[[table.speakers.index(speaker) for speaker in shared]]
        pooled = counts.sum(0)
        value += weight * float(measure(pooled))
        part = within(measure, pooled)
        drawn += weight * part(np.tensordot(weights, counts, 1))
        without += weight * part(pooled - counts)
    low, high = _unbiased(drawn, value, count)
    each = np.round(count * value - (count - 1) * without, DECIMALS) if count > 1 else np.empty(0)
    return Contrast(value, low, high, wilcoxon(each), count)


def _unbiased(drawn: Array, value: float, speakers: int) -> tuple[float, float]:
    """The interval of a score around the score less its bias, and not without the score: see the module."""
    low, high = interval(drawn, speakers)
    known = drawn[np.isfinite(drawn)]
    if math.isnan(low) or math.isnan(value):
        return low, high
    moved = 2 * (value - float(known.mean()))
    return min(low + moved, value), max(high + moved, value)


@lru_cache(maxsize=4)
def _drawn(speakers: tuple[str, ...], seed: int) -> Array:
    """The draws that many contrasts of one run share: to draw them takes longer than to score them."""
    weights = draws(speakers, seed=seed)
    weights.flags.writeable = False
    return weights


def verdicts(found: Sequence[Contrast]) -> pd.DataFrame:
    """One row a contrast, with `p_holm` over all of them and `separable`: see `compare`.

    Returns:
        `difference, low, high, p, p_holm, separable, speakers`.
    """
    table = pd.DataFrame(found, columns=list(Contrast._fields)).assign(family=0)
    return judged(table, "family", number="speakers").drop(columns="family")


def balanced(score: Score) -> Score:
    """A score were all classes equally frequent: rows are weighted to the same sum.

    What a test set with as many clips of each class gives, without leaving clips out.
    """

    def weighed(counts: Array) -> Array:
        total = counts.sum(-1, keepdims=True)
        return score(np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))

    return weighed


def fixed(value: float, *, axes: int = 2) -> Score:
    """A score that does not hang on who is drawn, such as a chance level, of a statistic with so many axes."""
    return lambda counts: np.full(counts.shape[: counts.ndim - axes], value)


def right_and_wrong(rows: pd.DataFrame) -> BySpeaker:
    """How many clips of each speaker are told rightly, in place of a matrix as wide as there are classes.

    Args:
        rows: `clip, speaker, seed, truth, predicted`.

    Returns:
        (S, 2, 2): right at [0, 0], wrong at [0, 1], the mean over the speaker's seeds.
    """
    right = rows["truth"].astype(str) == rows["predicted"].astype(str)
    table = pd.DataFrame(
        {"speaker": rows["speaker"].astype(str), "seed": rows["seed"], "right": right, "wrong": ~right}
    )
    means = table.groupby(["speaker", "seed"]).sum().groupby("speaker").mean()
    counts = np.zeros((len(means), 2, 2))
    counts[:, 0] = means[["right", "wrong"]].to_numpy(float)
    return BySpeaker(tuple(map(str, means.index)), counts)
