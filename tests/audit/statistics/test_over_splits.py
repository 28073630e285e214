"""The paired t-test over splits is that of scipy; under the null it is too sure, and what stands beside it is not."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from mien.audit.statistics.contrasts import Term, contrast
from mien.audit.statistics.over_splits import by_split, over_splits, ratio_of
from mien.audit.statistics.scores import BySpeaker, confusion
from mien.audit.statistics.verdict import LEVEL
from mien.common.measures import MEASURES, wa

CLASSES = ("anger", "happiness", "sadness")
SPEAKERS, CLIPS, SPLITS, TESTED, TRAINED = 12, 20, 20, 2, 8
RATIO = TESTED / TRAINED


@pytest.mark.parametrize("alternative", ["greater", "less"])
@pytest.mark.parametrize("count", [2, 5, 20])
def test_the_test_is_that_of_scipy(alternative, count):
    first, second = np.random.default_rng(count).random((2, count))
    found = over_splits(first - second, 0.2, alternative=alternative)
    oracle = stats.ttest_rel(first, second, alternative=alternative)
    assert (found.t, found.p) == pytest.approx((oracle.statistic, oracle.pvalue))
    limits = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert (found.splits, found.mean) == (count, pytest.approx((first - second).mean()))
    assert found.variance == pytest.approx(1 + 0.2 * count)
    wide = (found.mean - 0.0) / np.sqrt(found.variance * (first - second).var(ddof=1) / count)
    side = stats.t.sf(wide, count - 1) if alternative == "greater" else stats.t.cdf(wide, count - 1)
    assert found.corrected == pytest.approx(side)


def test_one_split_or_equal_differences_have_no_spread():
    alone, alike, zero = (over_splits(values, 0.2) for values in ([0.1, np.nan], [0.1, 0.1, 0.1], [0.0, 0.0]))
    assert (alone.splits, alone.mean) == (1, 0.1)
    assert np.isnan([alone.p, alone.corrected, alone.t, alone.low]).all()
    assert alike.p == pytest.approx(0, abs=1e-12)
    assert (zero.t, zero.p, zero.corrected) == (0, 1, 1)


@pytest.mark.parametrize(("name", "average"), [("macro_f1", "macro"), ("micro_f1", "micro")])
def test_the_score_of_a_split_is_that_of_sklearn_with_seeds_averaged(predicted, name, average):
    rows = predicted({"a": 0.6}, seeds=3, splits=("test",))
    rows = rows.assign(fold=rows["fold"] // 2)
    found = by_split(rows, lambda part: confusion(part, CLASSES), MEASURES[name])
    for fold, part in rows.groupby("fold"):
        each = [f1_score(one["truth"], one["predicted"], average=average) for _, one in part.groupby("seed")]
        assert found[fold] == pytest.approx(np.mean(each))
    assert len(found) == 4


def test_the_ratio_is_of_clips_and_the_mean_over_folds():
    folds = [
        {
            part: {"clips": list(range(count))}
            for part, count in zip(("train", "validation", "test"), sizes, strict=True)
        }
        for sizes in ((10, 2, 3), (8, 3, 4))
    ]
    assert ratio_of(folds, "test") == pytest.approx((0.3 + 0.5) / 2)


def null(random, *, fresh):
    """Differences on splits, and the tables of two models that are equally good for people in general.

    A speaker is easier for one of the models by chance. Splits test some of the same speakers, or `fresh` ones each.
    """
    right = random.binomial(CLIPS, np.clip(0.6 + 0.1 * random.normal(size=(2, SPEAKERS)), 0, 1)) / CLIPS
    if fresh:
        each = random.binomial(CLIPS, np.clip(0.6 + 0.1 * random.normal(size=(2, SPLITS, TESTED)), 0, 1)) / CLIPS
        return each.mean(2)[0] - each.mean(2)[1], right
    tested = np.array([random.permutation(SPEAKERS)[:TESTED] for _ in range(SPLITS)])
    return right[0][tested].mean(1) - right[1][tested].mean(1), right


def test_under_the_null_the_papers_test_rejects_far_too_often_and_ours_does_not():
    """The theorem: splits of the same speakers are not independent; of fresh speakers they are, and its level holds."""
    random, names = np.random.default_rng(0), tuple(f"s{number:02d}" for number in range(SPEAKERS))
    plain, corrected, fresh, ours, wider = [], [], [], [], []
    for _ in range(300):
        differences, right = null(random, fresh=False)
        found = over_splits(differences, RATIO)
        plain.append(found.p < LEVEL)
        corrected.append(found.corrected < LEVEL)
        fresh.append(over_splits(null(random, fresh=True)[0], RATIO).p < LEVEL)
        tables = [
            BySpeaker(names, np.stack([np.stack([share, 1 - share], 1), np.zeros((SPEAKERS, 2))], 1) * CLIPS)
            for share in right
        ]
        test = contrast([Term(1.0, tables[0], wa), Term(-1.0, tables[1], wa)])
        ours.append(test.low > 0 and test.p < LEVEL)
        wider.append((test.high - test.low) / (found.high - found.low))
    assert np.mean(plain) > 4 * LEVEL
    assert np.mean(fresh) == pytest.approx(LEVEL, abs=0.03)
    assert np.mean(corrected) < LEVEL + 0.03
    assert np.mean(ours) < LEVEL + 0.01, "two-sided tests: half of the level is on one side"
    assert np.median(wider) > 1.3


def test_a_true_difference_is_found_by_all_of_them():
    """The other control: a model that is better for every speaker."""
    random = np.random.default_rng(1)
    differences = 0.1 + 0.02 * random.normal(size=SPLITS)
    found = over_splits(differences, RATIO)
    assert max(found.p, found.corrected) < 1e-6
    assert min(over_splits(differences, RATIO, alternative="less")[5:7]) > 1 - 1e-6
