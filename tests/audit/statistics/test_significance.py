"""Every test equals its oracle (scipy, statsmodels or a formula), and keeps its level under the null hypothesis."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_oracle
from statsmodels.stats.multitest import multipletests

from mien.audit.statistics.significance import corrected_resampled_t, holm, mcnemar, paired_t, stuart_maxwell, wilcoxon

EXACT = {"rel": 1e-10, "abs": 1e-12}


@pytest.mark.parametrize("seed", range(2))
def test_holm_is_that_of_statsmodels_and_leaves_out_nan(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 1, (4, 3)).round(2)  # rounded: there are ties
    assert holm(p).ravel() == pytest.approx(multipletests(p.ravel(), method="holm")[1], **EXACT)
    gap = p.copy()
    gap[1, 2] = gap[3, 0] = np.nan
    known = ~np.isnan(gap)
    assert holm(gap)[known] == pytest.approx(multipletests(gap[known], method="holm")[1], **EXACT)
    assert np.isnan(holm(gap)[~known]).all()
    assert holm(np.array([])).shape == (0,)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
@pytest.mark.parametrize("count", [2, 6, 10, 60])
def test_paired_tests_are_those_of_scipy(alternative, count: int) -> None:
    random = np.random.default_rng(count)
    first, second = random.random((2, count))
    oracle = stats.ttest_rel(first, second, alternative=alternative).pvalue
    assert paired_t(first - second, alternative=alternative) == pytest.approx(oracle, **EXACT)
    oracle = stats.wilcoxon(first, second, alternative=alternative).pvalue
    assert wilcoxon(first - second, alternative=alternative) == pytest.approx(oracle, **EXACT)
    assert paired_t([*(first - second), np.nan], alternative=alternative) == paired_t(
        first - second, alternative=alternative
    )


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_wilcoxon_is_exact_with_ties_and_zeros(alternative) -> None:
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-3, 6, 9) / 10
        assert wilcoxon(x, alternative=alternative) == pytest.approx(
            stats.wilcoxon(np.round(10 * x[x != 0]), alternative=alternative).pvalue, **EXACT
        )


def test_the_corrected_resampled_t_is_the_formula() -> None:
    x = np.random.default_rng(3).normal(0.02, 0.05, 30)
    mean = sum(x) / 30
    variance = sum((value - mean) ** 2 for value in x) / 29
    t = mean / ((1 / 30 + 49 / 428) * variance) ** 0.5
    assert corrected_resampled_t(x, 49 / 428) == pytest.approx(2 * stats.t.cdf(-abs(t), 29), **EXACT)
    for alternative in ("greater", "less", "two-sided"):
        plain = paired_t(x, alternative=alternative)
        assert corrected_resampled_t(x, 0.0, alternative=alternative) == pytest.approx(plain, **EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_stuart_maxwell_is_that_of_statsmodels(seed: int) -> None:
    table = np.random.default_rng(seed).integers(1, 40, (5, 5))
    oracle = SquareTable(table, shift_zeros=False).homogeneity("stuart_maxwell").pvalue
    assert stuart_maxwell(table) == pytest.approx(oracle, **EXACT)
    wide = np.zeros((8, 8), int)
    wide[np.ix_([0, 2, 3, 6, 7], [0, 2, 3, 6, 7])] = table
    wide[4, 4] = 17  # a class that both always agree on
    assert stuart_maxwell(wide) == pytest.approx(oracle, **EXACT)


def test_stuart_maxwell_adds_groups_that_are_never_confused() -> None:
    first, second = np.array([[5, 9], [3, 4]]), np.array([[2, 8, 1], [3, 7, 2], [6, 5, 1]])
    table = np.zeros((5, 5))
    table[:2, :2], table[2:, 2:] = first, second
    parts = [SquareTable(part, shift_zeros=False).homogeneity("stuart_maxwell") for part in (first, second)]
    oracle = stats.chi2.sf(sum(part.statistic for part in parts), 3)
    assert stuart_maxwell(table) == pytest.approx(oracle, **EXACT)


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_mcnemar_is_that_of_statsmodels(share: float) -> None:
    random = np.random.default_rng(0)
    first = random.random(400) < 0.6
    second = first ^ (random.random(400) < share)
    table = [[np.sum(first & second), np.sum(first & ~second)], [np.sum(~first & second), np.sum(~first & ~second)]]
    assert mcnemar(first, second) == pytest.approx(mcnemar_oracle(table, exact=True).pvalue, **EXACT)


def test_p_of_equal_systems_is_one_and_p_without_pairs_is_nan() -> None:
    same, none = np.zeros(8), np.array([])
    assert paired_t(same) == wilcoxon(same) == corrected_resampled_t(same, 0.1) == 1
    assert stuart_maxwell(np.diag([3, 0, 4])) == mcnemar(np.ones(4, bool), np.ones(4, bool)) == 1
    for p in (paired_t(none), wilcoxon([0.1]), corrected_resampled_t([0.1], 0.1), stuart_maxwell(np.zeros((3, 3)))):
        assert np.isnan(p)
    assert np.isnan(mcnemar(np.array([], bool), np.array([], bool)))
    assert paired_t(np.full(5, 0.25)) == corrected_resampled_t(np.full(5, 0.25), 0.1) == 0
    assert paired_t(np.full(5, -0.25)) == 1


def test_tests_keep_their_level_and_find_planted_differences() -> None:
    random = np.random.default_rng(1)
    for shift, least, most in ((0.0, 0.0, 0.08), (1.5, 0.9, 1.0)):
        x = random.normal(shift, 1.0, (200, 10))
        for test in (paired_t, wilcoxon, lambda values: corrected_resampled_t(values, 0.0)):
            assert least <= np.mean([test(row) < 0.05 for row in x]) <= most
    truth = random.integers(0, 4, (2, 200, 120))
    for bias, least, most in ((0.0, 0.0, 0.08), (0.5, 0.9, 1.0)):
        first, second = truth.copy()
        second[random.random(second.shape) < bias] = 0  # the second favours a class
        tables = [np.bincount(4 * a + b, minlength=16).reshape(4, 4) for a, b in zip(first, second, strict=True)]
        assert least <= np.mean([stuart_maxwell(table) < 0.05 for table in tables]) <= most
        assert least <= np.mean([mcnemar(a == 0, b == 0) < 0.05 for a, b in zip(first, second, strict=True)]) <= most
