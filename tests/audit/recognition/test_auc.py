"""The area of each class is scikit-learn's, that of a resample equals one ranked anew, the mean is of kept classes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mien.audit.recognition import auc
from mien.audit.statistics import scores
from mien.common.measures import MEASURES

CLASSES = ("anger", "joy", "fear")


def predictions(*, seeds=1, folds=1, speakers=8, each=15, strength=1.0, model="m", key=0, decimals=6):
    """Probabilities that lean to the truth; each seed and fold of a model has its own noise."""
    count, names = speakers * each, np.array(CLASSES)
    truth = np.random.default_rng(7).choice(3, count, p=[0.5, 0.4, 0.1])
    tables = []
    for seed in range(seeds):
        for fold in range(folds):
            random = np.random.default_rng([key, seed, fold])
            logits = random.standard_normal((count, 3)) + strength * np.eye(3)[truth]
            shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            table = pd.DataFrame(shares.round(decimals), columns=list(CLASSES))
            table = table.assign(
                clip=[f"c{n}" for n in range(count)], speaker=[f"s{n % speakers}" for n in range(count)]
            )
            table = table.assign(model=model, fold=fold, seed=seed, split="test", truth=names[truth])
            tables.append(table.assign(predicted=names[shares.argmax(axis=1)]))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("decimals", [6, 1])
def test_areas_are_those_of_scikit_learn_with_and_without_ties(decimals):
    table = predictions(decimals=decimals)
    found = auc.areas(table, CLASSES)["m"]["test"]
    for name in CLASSES:
        own = found["classes"][name]
        assert own["auc"] == pytest.approx(roc_auc_score(table["truth"] == name, table[name]), abs=1e-12)
        assert own["clips"] == (table["truth"] == name).sum()
        assert own["low"] < own["auc"] < own["high"]
    number = table["truth"].map({name: place for place, name in enumerate(CLASSES)})
    assert found["auc"] == pytest.approx(MEASURES["auc"].value(number, table[list(CLASSES)]))
    assert (found["clips"], found["speakers"], found["kept"]) == (120, 8, list(CLASSES))


def test_intervals_are_of_resampled_speakers_ranked_anew():
    table = predictions()
    found = auc.areas(table, CLASSES, seed=3)["m"]["test"]["classes"]["joy"]
    names = sorted(table["speaker"].unique())
    weights = scores.draws(names, seed=3)
    place = table["speaker"].map({name: number for number, name in enumerate(names)}).to_numpy()
    right = (table["truth"] == "joy").to_numpy()
    each = [roc_auc_score(right, table["joy"], sample_weight=one[place]) for one in weights[:200]]
    one = auc.pairs(right, table["joy"].to_numpy(), place, np.ones(len(table)), len(names))
    np.testing.assert_allclose(one.area(weights[:200]), each, atol=1e-9)
    assert (found["low"], found["high"]) == scores.interval(one.area(weights), 8)


def test_knowledge_is_above_chance_and_noise_is_not():
    table = pd.concat([predictions(strength=2.0), predictions(strength=0.0, model="noise", key=5)])
    found = auc.areas(table, CLASSES)
    assert found["m"]["test"]["low"] > 0.75
    assert found["noise"]["test"]["low"] < 0.5 < found["noise"]["test"]["high"]
    right = pd.get_dummies(table["truth"])[list(CLASSES)].astype(float)
    perfect = auc.areas(table.assign(**right), CLASSES)["m"]["test"]
    assert (perfect["auc"], perfect["low"], perfect["high"]) == (1, 1, 1)


def test_seeds_are_ranked_apart_and_folds_of_a_clip_share_its_weight():
    table = predictions(seeds=3)
    each = [roc_auc_score(own["truth"] == "fear", own["fear"]) for _, own in table.groupby("seed")]
    assert auc.areas(table, CLASSES)["m"]["test"]["classes"]["fear"]["auc"] == pytest.approx(np.mean(each))
    once = predictions()
    again = pd.concat([once, once[once["speaker"] == "s0"].assign(fold=1)])
    one, two = (auc.areas(own, CLASSES)["m"]["test"]["classes"]["joy"] for own in (once, again))
    assert (one["auc"], one["clips"]) == (pytest.approx(two["auc"]), two["clips"])


def test_the_mean_is_of_the_kept_classes():
    table = predictions()
    rare = int((table["truth"] == "fear").sum())
    all_of_them = auc.areas(table, CLASSES)["m"]["test"]["classes"]
    expected = np.mean([all_of_them[name]["auc"] for name in ("anger", "joy")])
    for keep in (("anger", "joy"), rare + 1):
        found = auc.areas(table, CLASSES, keep)["m"]["test"]
        assert found["kept"] == ["anger", "joy"]
        assert found["auc"] == pytest.approx(expected)
        assert found["classes"] == all_of_them, "every class keeps its row"
    assert auc.areas(table, CLASSES, rare)["m"]["test"]["kept"] == list(CLASSES)


def test_a_class_without_clips_has_no_area_and_several_classes_count_for_each():
    table = predictions()
    nobody = auc.areas(table.assign(sadness=0.1), (*CLASSES, "sadness"))["m"]["test"]
    assert np.isnan(nobody["classes"]["sadness"]["auc"])
    assert nobody["kept"] == list(CLASSES)
    both = table.assign(truth=table["truth"].replace("fear", "fear+joy"))
    found = auc.areas(both, CLASSES)["m"]["test"]["classes"]["joy"]
    assert found["auc"] == pytest.approx(roc_auc_score(both["truth"] != "anger", both["joy"]))


def test_clips_are_units_where_nobody_is_named_and_of_too_many_there_is_no_interval(monkeypatch):
    table = predictions().assign(speaker=None)
    found = auc.areas(table, CLASSES)["m"]["test"]
    assert found["speakers"] == 0
    assert found["low"] < found["auc"] < found["high"]
    monkeypatch.setattr(auc, "MOST", 100)
    many = auc.areas(table, CLASSES)["m"]["test"]
    assert many["auc"] == pytest.approx(found["auc"])
    assert np.isnan([many["low"], many["high"]]).all()
