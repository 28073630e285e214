"""Task scores equal those of scikit-learn on pooled clips; homogeneity equals statsmodels' test for each seed."""

import audmetric
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, root_mean_squared_error
from statsmodels.stats.contingency_tables import SquareTable

from mien.audit.recognition.task_scores import constant, homogeneity, macro_f, number_scores, task_scores
from mien.audit.statistics.scores import measured
from mien.common.measures import MEASURES

CLASSES = ("anger", "happiness", "sadness")


def test_accuracy_of_a_task_over_speakers() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"speaker": np.repeat([f"s{n}" for n in range(6)], 10), "clip": [f"c{n}" for n in range(60)]})
    rows = pd.concat([rows.assign(seed=seed) for seed in (0, 1)], ignore_index=True)
    rows = rows.assign(model="a", fold=0, split="test", factor="speaker", truth=rows["speaker"], probability=0.5)
    wrong = random.random(120) < 0.3
    rows["predicted"] = rows["truth"].where(~wrong, "s9")
    rows = pd.concat([rows, rows.assign(split="validation", predicted="s9")])
    found = task_scores(rows).set_index("split")
    test = rows[rows["split"] == "test"]
    each = [accuracy_score(part["truth"], part["predicted"]) for _, part in test.groupby("seed")]
    assert found.loc["test", "accuracy"] == pytest.approx(np.mean(each))
    assert found.loc["test", "seeds"] == pytest.approx(np.std(each, ddof=1))
    assert found.loc["test", "low"] < found.loc["test", "accuracy"] < found.loc["test", "high"]
    assert found.loc["test", "chance"] == pytest.approx(1 / 6)
    assert tuple(found.loc["test", ["speakers", "clips", "cells"]]) == (6, 60, 2)
    assert found.loc["validation", "accuracy"] == 0
    assert task_scores(rows.iloc[:0]).empty


def test_scores_of_a_number_are_audmetrics_with_intervals_over_speakers() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"speaker": np.repeat([f"s{n}" for n in range(6)], 10), "clip": [f"c{n}" for n in range(60)]})
    truth = random.normal(3, 1, 60)
    rows = rows.assign(model="a", fold=0, seed=0, split="test", factor="arousal", truth=truth, probability=np.nan)
    rows["predicted"] = truth + random.normal(0, 0.5, 60)
    classes = rows.assign(factor="speaker", truth="s1", predicted="s1", probability=0.5)
    (found,) = number_scores(pd.concat([rows, classes])).to_dict("records")
    oracle = {
        "ccc": audmetric.concordance_cc(truth, rows["predicted"].to_numpy()),
        "rmse": root_mean_squared_error(truth, rows["predicted"]),
    }
    assert {name: found[name] for name in oracle} == pytest.approx(oracle)
    for name, value in oracle.items():
        assert found[f"{name}_low"] < value < found[f"{name}_high"]
    assert (found["ccc_chance"], found["rmse_chance"]) == (0, pytest.approx(truth.std()))
    assert (found["factor"], found["speakers"], found["clips"], found["cells"]) == ("arousal", 6, 60, 1)


def test_macro_f_equals_that_of_pooled_clips(predicted) -> None:
    table = predicted({"a": 0.8}, seeds=1)
    found = macro_f(table, CLASSES).set_index("split")
    rows = table[table["split"] == "test"]
    assert found.loc["test", "f1"] == pytest.approx(f1_score(rows["truth"], rows["predicted"], average="macro"))
    most = rows["truth"].mode().iloc[0]
    chance = f1_score(rows["truth"], [most] * len(rows), average="macro")
    assert found.loc["test", "f1_chance"] == pytest.approx(chance)
    assert found.loc["test", "f1_low"] < found.loc["test", "f1"] < found.loc["test", "f1_high"]


def test_chance_of_numbers_is_that_of_their_mean() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"speaker": list("aabbbcccc"), "seed": 0, "truth": random.normal(3, 2, 9), "predicted": 0.0})
    rows = rows.assign(clip=range(9))
    alone = constant(measured(rows, ())["rmse"])
    same = measured(rows.assign(predicted=rows["truth"].mean()), ())["rmse"]
    assert alone.speakers == same.speakers
    assert alone.counts[:, :7] == pytest.approx(same.counts[:, :7])
    pooled = alone.counts.sum(0)
    assert MEASURES["rmse"](pooled) == pytest.approx(MEASURES["rmse"].chance(rows["truth"]))
    assert MEASURES["ccc"](pooled) == pytest.approx(MEASURES["ccc"].chance(rows["truth"]), abs=1e-12)


def test_homogeneity_is_tested_for_each_seed(predicted) -> None:
    table = predicted({"a": 0.6, "b": 0.6, "c": 0.6}, splits=("test",))
    skewed = (table["model"] == "c") & (np.arange(len(table)) % 3 == 0)
    table.loc[skewed, "predicted"] = "sadness"
    found = homogeneity(table, "c", "a", CLASSES)
    assert found["seeds"] == [0, 1]
    for seed, p in zip(found["seeds"], found["p"], strict=True):
        one, other = (
            table[(table["model"] == name) & (table["seed"] == seed)].set_index(["fold", "clip"])["predicted"]
            for name in "ca"
        )
        cross = pd.crosstab(one, other).reindex(index=CLASSES, columns=CLASSES, fill_value=0)
        assert p == pytest.approx(SquareTable(cross, shift_zeros=False).homogeneity().pvalue)
    assert found["p_holm"] == pytest.approx(min(1, 2 * min(found["p"])))
    assert found["p_holm"] < 0.01 < homogeneity(table, "b", "a", CLASSES)["p_holm"]
    assert homogeneity(table, "a", "a", CLASSES)["p_holm"] == 1
    apart = table.assign(seed=table["seed"].where(table["model"] == "a", 7))
    none = homogeneity(apart, "a", "b", CLASSES)
    assert (none["seeds"], none["p"]) == ([], [])
    assert np.isnan(none["p_holm"])
