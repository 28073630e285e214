"""Tests of paired results, and their correction for being many.

All p-values are in [0, 1], and nan where there is nothing to test on. A test is as good as what it takes as independent
is: speakers, trainings, or clips. Clips of one speaker are alike, and trainings share most of what they learn from, so
p-values over clips (`stuart_maxwell`, `mcnemar`) and plain ones over trainings (`paired_t` over folds x seeds) tend to
be too small. Those over speakers stand for other speakers.
"""

import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

DECIMALS = 14
EXACT = 50
Alternative = Literal["two-sided", "greater", "less"]


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values for their number (Holm 1979): each is the lowest level that rejects it among all of them.

    Args:
        p: p-values of any shape; nan is no test and does not count.

    Returns:
        Corrected p-values of the same shape, at most 1; nan stays nan.
    """
    flat = np.asarray(p, np.float64).ravel()
    corrected = np.full(flat.shape, np.nan)
    known = np.flatnonzero(~np.isnan(flat))
    order = known[np.argsort(flat[known], kind="stable")]
    steps = flat[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.reshape(np.shape(p))


def paired_t(differences: ArrayLike, *, alternative: Alternative = "greater") -> float:
    """The matched-pair t-test of differences, one-tailed unless told (Goncalves & Busso 2022, section 5.1).

    Args:
        differences: (n,), first minus second, one a pair; nan is left out.
        alternative: what the mean is if not zero.

    Returns:
        p, nan of fewer than two pairs. Where all differences are zero nothing speaks against zero, p is 1.
    """
    known = _known(differences)
    if len(known) < 2:
        return float("nan")
    if not known.any():
        return 1.0
    with warnings.catch_warnings():  # differences that are all alike: t is infinite
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ttest_1samp(known, 0.0, alternative=alternative).pvalue)


def wilcoxon(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> float:
    """The signed-rank test of differences (Wilcoxon 1945); differences of zero are left out.

    Exact, ties included, of at most `EXACT` differences: the law of the sum of the positive ranks is counted out over
    all signs. Of more, the normal approximation of scipy.

    Args:
        differences: (n,), first minus second, one a pair; nan is left out.
        alternative: what the centre of the differences is if not zero.

    Returns:
        p, nan of fewer than two pairs; 1 where all differences are zero.
    """
    known = _known(differences)
    if len(known) < 2:
        return float("nan")
    known = known[known != 0]
    if not 0 < len(known) <= EXACT:
        return float(stats.wilcoxon(known, alternative=alternative).pvalue) if len(known) else 1.0
    twice = np.round(2 * stats.rankdata(np.abs(known))).astype(int)  # ranks of ties are halves
    law = np.ones(1)  # of twice the sum of the positive ranks
    for rank in twice:
        law = (np.pad(law, (0, rank)) + np.pad(law, (rank, 0))) / 2
    place = int(twice[known > 0].sum())
    tail = {"greater": law[place:].sum(), "less": law[: place + 1].sum()}
    tail["two-sided"] = min(1.0, 2 * min(tail.values()))
    return float(tail[alternative])


def corrected_resampled_t(differences: ArrayLike, ratio: float, *, alternative: Alternative = "two-sided") -> float:
    """The t-test of differences between trainings that share clips (Nadeau & Bengio 2003, section 5.3).

    Trainings of a cross-validation share most of their training clips, so their scores are not independent and a plain
    t-test rejects too often. The variance of the mean is taken as (1 / J + ratio) s^2 in place of s^2 / J.

    Args:
        differences: (J,), first minus second, one a training (fold and seed).
        ratio: test clips over training clips.
        alternative: what the mean is if not zero.

    Returns:
        p of Student's t with J - 1 degrees of freedom; nan of fewer than two trainings, 1 where all differences are
        zero.
    """
    known = _known(differences)
    if len(known) < 2:
        return float("nan")
    if not known.any():
        return 1.0
    error = np.sqrt((1 / len(known) + ratio) * known.var(ddof=1))
    t = known.mean() / error if error > 0 else np.copysign(np.inf, known.mean())
    tail = {"greater": stats.t.sf(t, len(known) - 1), "less": stats.t.cdf(t, len(known) - 1)}
    tail["two-sided"] = 2 * min(tail["greater"], tail["less"])
    return float(tail[alternative])


def stuart_maxwell(table: ArrayLike) -> float:
    """Whether two systems use the classes alike: marginal homogeneity (Stuart 1955, Maxwell 1970; Peri et al. 2021).

    With d = row sums - column sums and V their covariance, d' V^+ d is chi-square with rank(V) degrees of freedom. V is
    the Laplacian of the graph whose edges are clips that the two call differently; d lies in its range, so the
    pseudo-inverse is exact for classes that neither uses, or on which both always agree, and for groups of classes
    that are never confused. Where all classes hang together it is the usual statistic, one class dropped.

    Args:
        table: (K, K) counts of clips: the first's class in rows, the second's in columns.

    Returns:
        p; 1 where both call every clip the same, nan where there is no clip.
    """
    counts = np.asarray(table, np.float64)
    if not counts.sum():
        return float("nan")
    apart = counts.sum(1) - counts.sum(0)
    both = counts + counts.T
    covariance = np.diag(both.sum(1)) - both
    degrees = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if degrees == 0:
        return 1.0
    statistic = apart @ np.linalg.pinv(covariance, hermitian=True) @ apart
    return float(stats.chi2.sf(statistic, degrees))


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Whether two systems are right on the same share of clips: McNemar's test, exact (Peri et al. 2021).

    Args:
        first: (n,), whether the first is right on each clip.
        second: (n,), of the second, on the same clips.

    Returns:
        p, two-sided, of the binomial law of the clips on which one alone is right; 1 where there is no such clip, nan
        where there is no clip.
    """
    if not len(first):
        return float("nan")
    alone, other = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(stats.binomtest(alone, alone + other).pvalue) if alone + other else 1.0


def _known(differences: ArrayLike) -> NDArray[np.float64]:
    """Differences of fractions without nan, and without the noise of rounding, which would break ties and zeros."""
    flat = np.asarray(differences, np.float64).ravel()
    return np.round(flat[~np.isnan(flat)], DECIMALS)
