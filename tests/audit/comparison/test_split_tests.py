"""What is said of the paper's test over splits follows from its numbers, and pairs have the one-tailed test of each."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mien.audit.comparison.split_tests import beside, of_pairs, too_sure
from mien.audit.statistics.over_splits import over_splits

CLASSES = ("anger", "happiness", "sadness")
FOLDS = [
    {part: {"clips": list(range(count))} for part, count in (("train", 40), ("validation", 8), ("test", 10))}
    for _ in range(20)
]


def row(*, wider, p, corrected, separable):
    return {"splits": 20, "wider": wider, "p_t": p, "p_corrected": corrected, "variance": 6.0, "separable": separable}


def test_it_is_too_sure_where_our_intervals_are_wider():
    rows = [
        row(wider=1.94, p=0.001, corrected=0.04, separable=True),
        row(wider=3.21, p=0.02, corrected=0.3, separable=False),
        row(wider=2.5, p=0.999, corrected=0.9, separable=True),
    ]
    assert too_sure(rows) == (
        "The one-tailed paired t-test over the 20 splits (Goncalves & Busso 2022) takes their differences for "
        "independent, and they are not: the splits share training and test speakers. It is too sure: the intervals "
        "over speakers are 1.9 to 3.2 times as wide as its own. The correction of Nadeau & Bengio (2003) multiplies "
        "its variance by 6.0. p is below .05 in 2 of 3 comparisons by that test and in 1 by the corrected one; 1 is "
        "separable in that direction over speakers."
    )


def test_of_few_splits_it_is_not_called_too_sure():
    said = too_sure([row(wider=0.31, p=0.2, corrected=0.3, separable=False)])
    assert "too sure" not in said
    assert (
        "The intervals over speakers are 0.3 times as wide as its own (so few splits make the t-test's wide)." in said
    )
    assert "0 are separable" in said
    assert too_sure([row(wider=None, p=None, corrected=None, separable=False)]) == ""


def simulated(accuracy, *, speakers=8, splits=20, numbers=False):
    """Predictions of models on random splits of two speakers: the same in every split, as if training did not vary."""
    random = np.random.default_rng(2)
    clips = [(f"s{who}c{n}", f"s{who}", n % 3) for who in range(speakers) for n in range(12)]
    rows = []
    for model, share in accuracy.items():
        for clip, who, truth in clips:
            guess = truth if random.random() < share else int(random.integers(3))
            rows.append(
                (
                    clip,
                    who,
                    model,
                    truth + 0.0 if numbers else CLASSES[truth],
                    guess + 0.0 if numbers else CLASSES[guess],
                )
            )
    table = pd.DataFrame(rows, columns=["clip", "speaker", "model", "truth", "predicted"])
    parts = [
        table[table["speaker"].isin([f"s{who}" for who in random.permutation(speakers)[:2]])].assign(fold=fold)
        for fold in range(splits)
    ]
    return pd.concat(parts, ignore_index=True).assign(seed=0, split="test")


@pytest.mark.parametrize("numbers", [False, True])
def test_pairs_have_both_tests_of_each_measure(numbers):
    rows = simulated({"good": 0.9, "poor": 0.5}, numbers=numbers)
    found = of_pairs(rows, () if numbers else CLASSES, FOLDS, split="test", among=[("good", "poor"), ("good", "gone")])
    assert [one["measure"] for one in found] == (["ccc", "rmse"] if numbers else ["macro_f1", "micro_f1"])
    for one in found:
        assert (one["model"], one["other"], one["splits"], one["speakers"]) == ("good", "poor", 20, 8)
        assert one["variance"] == pytest.approx(1 + 20 * 10 / 40)
        assert one["p_t"] < one["p_corrected"] < 0.05, "one-tailed: the first is better, for errors too"
        assert (one["mean"] > 0) is (one["measure"] != "rmse")
        assert one["separable"] is True
        assert one["wider"] > 1
    if not numbers:
        right = rows.assign(right=rows["truth"] == rows["predicted"]).pivot_table("right", "fold", "model")
        oracle = stats.ttest_rel(right["good"], right["poor"], alternative="greater")
        assert (found[1]["t"], found[1]["p_t"]) == pytest.approx((oracle.statistic, oracle.pvalue))


def test_unknown_values_are_none():
    found = beside(over_splits([0.1], 0.2), 0.0, 0.3)
    assert (found["splits"], found["mean"]) == (1, 0.1)
    assert [found[key] for key in ("t", "p_t", "p_corrected", "t_low", "wider")] == [None] * 5
    assert beside(over_splits([0.1, 0.2], 0.2), None, None)["wider"] is None
