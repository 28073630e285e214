"""Tests of paired results, and the correction of their p-values for multiple tests.

All p-values are in [0, 1], or nan if there is nothing to test. Each test assumes independent units: speakers, training
runs, or clips. Clips of one speaker are similar, and training runs share most of their training clips. So p-values over
clips (`stuart_maxwell`, `mcnemar`) and uncorrected ones over training runs (`paired_t` over folds x seeds) tend to be
too small. A p-value over speakers holds for other speakers.
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
    """Correct p-values for multiple tests (Holm 1979).

    Args:
        p: p-values of any shape; nan is not counted as a test.

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
    """The matched-pair t-test of differences, one-tailed by default (Goncalves & Busso 2022, section 5.1).

    Args:
        differences: (n,), first minus second, one per pair; nan is left out.
        alternative: the alternative hypothesis about the mean.

    Returns:
        p; nan with fewer than two pairs, 1 if all differences are zero.
    """
    known = _known(differences)
    if len(known) < 2:
        return float("nan")
    if not known.any():
        return 1.0
    with warnings.catch_warnings():  # if all differences are equal, t is infinite
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ttest_1samp(known, 0.0, alternative=alternative).pvalue)


def wilcoxon(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> float:
    """The signed-rank test of differences (Wilcoxon 1945); differences of zero are left out.

    With at most `EXACT` differences the test is exact, also with ties: the distribution of the sum of positive ranks is
    counted over all signs. With more it is the normal approximation of scipy.

    Args:
        differences: (n,), first minus second, one per pair; nan is left out.
        alternative: the alternative hypothesis about the centre of the differences.

    Returns:
        p; nan with fewer than two pairs, 1 if all differences are zero.
    """
    known = _known(differences)
    if len(known) < 2:
        return float("nan")
    known = known[known != 0]
    if not 0 < len(known) <= EXACT:
        return float(stats.wilcoxon(known, alternative=alternative).pvalue) if len(known) else 1.0
    twice = np.round(2 * stats.rankdata(np.abs(known))).astype(int)  # ranks of ties are multiples of a half
    law = np.ones(1)  # the distribution of twice the sum of the positive ranks
    for rank in twice:
        law = (np.pad(law, (0, rank)) + np.pad(law, (rank, 0))) / 2
    place = int(twice[known > 0].sum())
    tail = {"greater": law[place:].sum(), "less": law[: place + 1].sum()}
    tail["two-sided"] = min(1.0, 2 * min(tail.values()))
    return float(tail[alternative])


def corrected_resampled_t(differences: ArrayLike, ratio: float, *, alternative: Alternative = "two-sided") -> float:
    """The t-test of differences between training runs that share clips (Nadeau & Bengio 2003, section 5.3).

    The training runs of a cross-validation share most of their training clips. So their scores are not independent, and
    an uncorrected t-test rejects too often. The variance of the mean is (1 / J + ratio) s^2 instead of s^2 / J.

    Args:
        differences: (J,), first minus second, one per training run (fold and seed).
        ratio: number of test clips divided by number of training clips.
        alternative: the alternative hypothesis about the mean.

    Returns:
        p of Student's t with J - 1 degrees of freedom; nan with fewer than two training runs, 1 if all differences are
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
    """The test of marginal homogeneity: whether two systems predict the classes with equal frequency.

    Stuart 1955, Maxwell 1970; used by Peri et al. 2021. With d = row sums - column sums and V their covariance,
    d' V^+ d is chi-square with rank(V) degrees of freedom. V is the Laplacian of the graph whose edges are the clips
    that the two systems classify differently. d lies in its range, so the pseudo-inverse is exact also for classes that
    neither system predicts, or on which both always agree, and for groups of classes that are never confused. If the
    graph is connected, it is the usual statistic with one class dropped.

    Args:
        table: (K, K) counts of clips: the class of the first system in rows, that of the second in columns.

    Returns:
        p; 1 if the systems agree on every clip, nan without clips.
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
    """McNemar's exact test: whether two systems have the same accuracy (used by Peri et al. 2021).

    Args:
        first: (n,), whether the first system is right on each clip.
        second: (n,), the same of the second system, on the same clips.

    Returns:
        p, two-sided, of the binomial distribution of the clips on which one system alone is right; 1 if there is no
        such clip, nan without clips.
    """
    if not len(first):
        return float("nan")
    alone, other = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(stats.binomtest(alone, alone + other).pvalue) if alone + other else 1.0


def _known(differences: ArrayLike) -> NDArray[np.float64]:
    """Differences of fractions without nan, rounded: rounding errors would break ties and zeros."""
    flat = np.asarray(differences, np.float64).ravel()
    return np.round(flat[~np.isnan(flat)], DECIMALS)
