"""The mean over folds, an interval over units of folds, and p-values combined whatever their dependence."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.run_leakage.summary import FEWEST_UNITS, SUMMARY, fold_units, leakage_summary
from mien.common.leakage_tables import LEAKAGE

APART = {fold: fold for fold in range(20)}  # every fold trains on other speakers
TWINS = {fold: fold - fold % 2 for fold in range(20)}  # two speakers take turns in validation and test


def measured(scores: dict[str, list[list[float]]], half: float = 0.2) -> pd.DataFrame:
    """`leakage.csv` of one model: probe -> folds -> seeds -> score."""
    rows = [
        {"fold": fold, "seed": seed, "probe": probe, "score": score, "low": score - half, "high": score + half}
        for probe, folds in scores.items()
        for fold, seeds in enumerate(folds)
        for seed, score in enumerate(seeds)
    ]
    same = {"embedding": "main", "eraser": "", "model": "m", "factor": "speaker", "role": "measured"}
    numbers = {"chance": 0.125, "shuffled": 0.13, "p": 0.01, "n": 428, "classes": 8}
    table = pd.DataFrame(rows).assign(
        **same, **numbers, balanced="", speakers="seen", split="disjoint clips", measure="uar"
    )
    return table.reindex(columns=list(LEAKAGE))


def test_the_summary_is_the_mean_over_folds_with_its_own_interval() -> None:
    folds = np.random.default_rng(0).normal(0.35, 0.03, (10, 1))
    seeds = folds + np.array([-0.05, 0.05])
    table = leakage_summary(measured({"linear": seeds.tolist(), "mlp": (seeds - 0.1).tolist()}), APART)
    assert tuple(table.columns) == SUMMARY
    linear, mlp = table.to_dict("records")
    assert (linear["probe"], mlp["probe"]) == ("linear", "mlp")
    assert linear["score"] == pytest.approx(folds.mean())
    assert (linear["interval"], linear["folds"], linear["cells"], linear["n"]) == ("folds", 10, 20, 428)
    error = folds.std(ddof=1) / np.sqrt(10)
    assert linear["high"] - linear["low"] == pytest.approx(2 * 2.262 * error, rel=0.1)  # neither of seeds nor of clips
    assert mlp["score"] == pytest.approx(linear["score"] - 0.1)
    assert np.ptp(linear["parts"]) == pytest.approx(np.ptp(folds))


def test_the_same_fold_twice_narrows_no_interval() -> None:
    once = [[score] for score in (0.30, 0.34, 0.36, 0.41, 0.33)]
    one, two = (leakage_summary(measured({"mlp": scores}), APART).iloc[0] for scores in (once, once + once))
    assert (one["folds"], two["folds"], one["units"], two["units"]) == (5, 10, 5, 5)
    assert (one["score"], one["low"], one["high"]) == pytest.approx((two["score"], two["low"], two["high"]))


def test_of_fewer_than_five_units_the_interval_is_that_of_a_cell() -> None:
    for scores in ([[0.3], [0.5], [0.35], [0.45]], [[0.3], [0.5], [0.3], [0.5], [0.3], [0.5]]):
        found = leakage_summary(measured({"mlp": scores}), APART).iloc[0]
        assert found["interval"] == "training"
        assert (found["score"], found["low"], found["high"]) == pytest.approx((0.4, 0.2, 0.6))
    nothing = leakage_summary(pd.DataFrame(columns=list(LEAKAGE)), {})
    assert tuple(nothing.columns) == SUMMARY
    assert nothing.empty


def test_folds_that_train_on_the_same_speakers_are_one_unit() -> None:
    """Twin folds are alike, not equal: their probes read one network, stopped at two epochs."""
    random = np.random.default_rng(0)
    pairs = random.normal(0.4, 0.05, 10)
    folds = np.repeat(pairs, 2) + np.tile([0.01, -0.01], 10)
    table = measured({"mlp": [[score] for score in folds]})
    apart, twins = (leakage_summary(table, units).iloc[0] for units in (APART, TWINS))
    assert (apart["units"], twins["units"], apart["folds"], twins["folds"]) == (20, 10, 20, 20)
    assert apart["score"] == pytest.approx(twins["score"]) == pytest.approx(pairs.mean())
    error = pairs.std(ddof=1) / np.sqrt(10)
    assert twins["high"] - twins["low"] == pytest.approx(2 * 2.262 * error, rel=0.15)
    assert twins["high"] - twins["low"] > 1.25 * (apart["high"] - apart["low"])


def test_units_join_folds_of_one_training_set_and_of_equal_scores() -> None:
    scores = pd.DataFrame({"seed": [0.1, 0.2, 0.3, 0.3, 0.4, 0.5]}, index=[0, 1, 2, 3, 4, 5])
    assert fold_units(scores, APART).tolist() == [0, 1, 2, 2, 3, 4]
    assert len(set(fold_units(scores, TWINS).tolist())) == 3
    chained = fold_units(scores, {0: 0, 1: 1, 2: 1, 3: 3, 4: 3, 5: 5}).tolist()  # 1-2 and 3-4, joined by 2-3
    assert chained[1] == chained[2] == chained[3] == chained[4]
    assert len(set(chained)) == 3


def test_other_factors_measures_and_roles_are_selected_by_name() -> None:
    table = measured({"strongest": [[0.4]] * 3})
    floor = table.assign(role="floor", factor="gender", measure="f1", model="baseline", score=0.2, seed=None, p=None)
    both = pd.concat([table, floor])
    assert leakage_summary(both, APART)["score"].tolist() == pytest.approx([0.4])
    floors = leakage_summary(both, APART, factor="gender", measure="f1", role="floor")
    assert (floors["model"].iloc[0], floors["score"].iloc[0]) == ("baseline", pytest.approx(0.2))
    assert np.isnan(floors["p"].iloc[0])


def test_p_of_a_run_is_twice_the_mean_and_valid_if_cells_depend() -> None:
    table = measured({"mlp": [[0.4]] * 6})
    assert leakage_summary(table.assign(p=[0.01, 0.02, 0.03, 0.01, 0.02, 0.03]), APART)["p"].iloc[0] == pytest.approx(
        0.04
    )
    assert leakage_summary(table.assign(p=0.7), APART)["p"].iloc[0] == 1
    random = np.random.default_rng(0)
    for share in (0.0, 0.5, 1.0):  # the share of the p-values that all cells have in common
        common, own = random.random((4000, 1)), random.random((4000, 10))
        merged = np.minimum(1, 2 * np.where(random.random((4000, 10)) < share, common, own).mean(1))
        assert (merged <= 0.05).mean() <= 0.055
    assert FEWEST_UNITS == 5
