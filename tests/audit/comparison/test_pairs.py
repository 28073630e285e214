"""Paired differences: found if there are any, not between equals, and not narrower for repeated folds."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mien import experiments
from mien.audit.comparison import pairs
from mien.audit.statistics import scores
from mien.audit.statistics.verdict import verdict
from mien.common.leakage_tables import LEAKAGE

CLASSES = ("anger", "happiness", "sadness")
Predict = Callable[..., pd.DataFrame]
Row = Callable[..., "pd.Series[object]"]
APART = {fold: fold for fold in range(20)}  # every fold trains on other speakers
TWINS = {fold: fold - fold % 2 for fold in range(20)}  # two folds exchange validation and test speakers


def test_a_better_model_is_separable_and_equal_models_are_not(predicted: Predict, row: Row) -> None:
    rows = predicted({"good": 0.9, "poor": 0.3, "also poor": 0.3})
    table = pairs.differences(rows, CLASSES)
    better = row(table, model="good", other="poor", measure="uar")
    assert better["separable"]
    assert better["low"] > 0.2
    assert not row(table, model="poor", other="also poor", measure="uar")["separable"]
    copy = pd.concat([rows[rows["model"] == "poor"], rows[rows["model"] == "poor"].assign(model="copy")])
    same = row(pairs.differences(copy, CLASSES), measure="wa")
    assert (same["difference"], same["low"], same["high"], same["separable"]) == (0, 0, 0, False)


def test_six_speakers_can_be_separable_and_five_cannot(predicted: Predict) -> None:
    for speakers in (5, 6):
        table = pairs.differences(predicted({"good": 1.0, "poor": 0.0}, speakers=speakers), CLASSES)
        assert (table["low"] > 0).all()
        assert (table["separable"] == (speakers == 6)).all()


def test_a_paired_interval_is_narrower_than_that_of_a_model(predicted: Predict, row: Row) -> None:
    random = np.random.default_rng(0)
    rows = predicted({"a": 0.0}, seeds=1, splits=("test",), speakers=12, clips=60)
    skill = rows["speaker"].map({speaker: random.random() for speaker in rows["speaker"].unique()})
    chance = pd.Series(random.random(len(rows)))
    both = pd.concat(
        rows.assign(model=model, predicted=rows["truth"].where(chance < skill + gain, "anger"))
        for model, gain in (("a", 0.0), ("b", 0.1))
    )
    own = row(scores.summary(both, CLASSES), model="a")
    paired = row(pairs.differences(both, CLASSES), measure="wa")
    assert paired["high"] - paired["low"] < 0.5 * (own["wa_high"] - own["wa_low"])
    assert paired["separable"]


def measured(probed: dict[str, dict[str, np.ndarray]], *, speakers: str = "seen") -> pd.DataFrame:
    """`leakage.csv`: model -> probe -> (folds, seeds) of scores."""
    rows = [
        {"model": model, "probe": probe, "fold": fold, "seed": seed, "score": float(score)}
        for model, probes in probed.items()
        for probe, table in probes.items()
        for (fold, seed), score in np.ndenumerate(table)
    ]
    same = {"embedding": "main", "eraser": "", "factor": "speaker", "role": "measured", "measure": "uar"}
    same |= {"balanced": "", "speakers": speakers}
    numbers = {"low": 0.1, "high": 0.9, "chance": 0.125, "shuffled": 0.13, "n": 428, "classes": 8, "p": None}
    return pd.DataFrame(rows).assign(**same, **numbers, p_corrected=None, split="disjoint clips")[list(LEAKAGE)]


def folds(count: int = 10, seeds: int = 2) -> np.ndarray:
    """Scores of folds that differ widely, and of seeds within them."""
    random = np.random.default_rng(3)
    return random.uniform(0.2, 0.6, (count, 1)) + random.normal(0, 0.01, (count, seeds))


def test_a_small_difference_in_leakage_in_every_fold_is_separable(row: Row) -> None:
    base = folds()
    noise = np.random.default_rng(4).normal(0, 0.01, base.shape)
    table = measured({"a": {"strongest": base}, "b": {"strongest": base + 0.05 + noise}, "copy": {"strongest": base}})
    found = pairs.leakage_differences(table, APART)
    assert tuple(found.columns) == pairs.LEAKAGE
    less = row(found, model="a", other="b")
    assert less["difference"] == pytest.approx(-0.05 - noise.mean())
    assert less["low"] < less["difference"] < less["high"] < 0
    assert less["separable"]
    error = noise.mean(1).std(ddof=1) / np.sqrt(10)  # of the paired differences alone: how folds differ cancels out
    assert less["high"] - less["low"] == pytest.approx(2 * 2.262 * error, rel=0.15)
    same = row(found, model="a", other="copy")
    assert (same["difference"], same["low"], same["high"], same["separable"]) == (0, 0, 0, False)


def test_models_of_equal_leakage_are_not_separable() -> None:
    random = np.random.default_rng(0)
    apart = [
        pairs.leakage_differences(
            measured({name: {"strongest": random.normal(0.4, 0.05, (10, 2))} for name in ("a", "b")}), APART, seed=seed
        )["separable"].iloc[0]
        for seed in range(30)
    ]
    assert np.mean(apart) < 0.2  # 5 % and the narrowness of a bootstrap over ten


def test_the_strongest_probe_of_each_training_run_is_compared(row: Row) -> None:
    base = folds()
    table = measured(
        {"a": {"linear": base, "strongest": base}, "b": {"linear": base - 0.1, "strongest": base + 0.02}},
    )
    other = table.assign(measure="accuracy", score=0.0)
    found = row(pairs.leakage_differences(pd.concat([table, other]), APART), model="a", other="b")
    assert found["difference"] == pytest.approx(-0.02)


def test_seen_and_unseen_speakers_are_compared_separately(row: Row) -> None:
    base = folds()
    both = {"a": {"strongest": base}, "b": {"strongest": base + 0.1}}
    seen, unseen = measured(both), measured({"a": {"strongest": base}, "b": {"strongest": base}}, speakers="unseen")
    lost = (unseen["model"] == "b") & (unseen["fold"] == 3)
    table = pairs.leakage_differences(pd.concat([seen, unseen[~lost]]), APART)
    assert row(table, speakers="seen")["difference"] == pytest.approx(-0.1)
    assert row(table, speakers="seen")["folds"] == 10
    assert row(table, speakers="unseen")["difference"] == 0
    assert row(table, speakers="unseen")["folds"] == 9
    nothing = pairs.leakage_differences(seen[seen["model"] == "a"], APART)
    assert nothing.empty
    assert tuple(nothing.columns) == pairs.LEAKAGE


def test_an_embedding_after_leace_is_compared_with_its_like(row: Row) -> None:
    base = folds()
    plain = measured({"a": {"strongest": base}, "b": {"strongest": base + 0.1}})
    erased = measured({"a": {"strongest": base}, "b": {"strongest": base}}).assign(eraser="leace")
    table = pairs.leakage_differences(pd.concat([plain, erased]), APART)
    assert set(table["embedding"]) == {"main"}
    assert row(table, eraser="")["difference"] == pytest.approx(-0.1)
    assert row(table, eraser="leace")["difference"] == 0
    assert row(table, eraser="")["p_holm"] == row(table, eraser="")["p"]


def test_repeated_folds_do_not_narrow_an_interval(row: Row) -> None:
    base, gain = folds(6, 1), np.linspace(0.02, 0.1, 6)[:, None]
    once = {"a": {"strongest": base}, "b": {"strongest": base + gain}}
    twice = {name: {"strongest": np.tile(probes["strongest"], (2, 1))} for name, probes in once.items()}
    one, two = (row(pairs.leakage_differences(measured(probed), APART)) for probed in (once, twice))
    assert (one["folds"], two["folds"], one["number"], two["number"]) == (6, 12, 6, 6)
    assert (one["low"], one["high"]) == pytest.approx((two["low"], two["high"]))
    two_folds = measured({name: {"strongest": p["strongest"][:2]} for name, p in once.items()})
    few = row(pairs.leakage_differences(two_folds, APART))
    assert few["difference"] == pytest.approx(-gain[:2].mean())
    assert np.isnan(few["low"])
    assert not few["separable"]


def test_five_pairs_of_folds_are_not_separable_and_six_are(row: Row) -> None:
    """Ten folds in five pairs, as in leave one speaker out with ten speakers, are five measurements, not ten."""
    gain = np.repeat(np.linspace(0.02, 0.1, 5), 2)[:, None] + np.tile([[0.001], [-0.001]], (5, 1))
    table = measured({"a": {"strongest": folds(10, 1)}, "b": {"strongest": folds(10, 1) + gain}})
    apart, twins = (row(pairs.leakage_differences(table, units)) for units in (APART, TWINS))
    assert (apart["folds"], twins["folds"], apart["number"], twins["number"]) == (10, 10, 10, 5)
    assert apart["difference"] == pytest.approx(twins["difference"])
    assert twins["high"] - twins["low"] > 1.25 * (apart["high"] - apart["low"])
    assert twins["high"] < 0
    assert apart["separable"]
    assert not twins["separable"]
    twelve = np.vstack([gain, gain[:2] + 0.002])
    both = {"a": {"strongest": folds(12, 1)}, "b": {"strongest": folds(12, 1) + twelve}}
    assert row(pairs.leakage_differences(measured(both), TWINS))["separable"], "six pairs can"


def test_only_the_given_pairs_are_compared(predicted: Predict) -> None:
    given = [("b", "a"), ("b", "gone"), ("c", "a")]
    table = pairs.differences(predicted({"a": 0.5, "b": 0.6, "c": 0.7}), CLASSES, among=given)
    assert table[["model", "other"]].drop_duplicates().to_numpy().tolist() == [["b", "a"], ["c", "a"]]
    everything = pairs.differences(predicted({"a": 0.5, "b": 0.6}), CLASSES)
    turned = pairs.differences(predicted({"a": 0.5, "b": 0.6}), CLASSES, among=[("b", "a")])
    assert turned["difference"].to_numpy() == pytest.approx(-everything["difference"].to_numpy())
    leaks = measured({name: {"strongest": folds()} for name in "abc"})
    found = pairs.leakage_differences(leaks, APART, among=iter(given))
    assert found[["model", "other"]].to_numpy().tolist() == [["b", "a"], ["c", "a"]]


def test_an_experiment_compares_its_models_and_each_variant_with_its_base() -> None:
    sweep = experiments.load("li2020-sweep")
    among, varied = pairs.families(sweep)
    models, variants = len(sweep.models), len(sweep.trained) - len(sweep.models)
    assert (len(among), len(varied)) == (models * (models - 1) // 2, variants)
    assert set(varied) == {(point.name, point.base) for point in sweep.sweep if point.name != point.base}
    assert pairs.of_recognisers([("a", "b"), ("a", "c"), ("b", "c")], {"a", "c", "d"}) == [("a", "c")]
    assert pairs.of_recognisers([("a", "b"), ("a", "c")], {"a"}) == []
    assert pairs.of_recognisers([("a", "b")], set()) == [("a", "b")], "no model is trained for the target"


def recalled(by_model: dict[str, dict[str, float]], count: int = 3) -> pd.DataFrame:
    """Recalls of speakers by the strongest probe in `count` folds; a speaker is not in the fold of its own number."""
    rows = [
        {"model": model, "fold": fold, "seed": seed, "speaker": who, "recall": recall}
        for model, recalls in by_model.items()
        for fold in range(count)
        for seed in range(2)
        for number, (who, recall) in enumerate(recalls.items())
        if number != fold
    ]
    return pd.DataFrame(rows).assign(embedding="main", eraser="", probe="strongest", speakers="seen", clips=10)


def test_ten_seen_speakers_can_be_separable_where_units_of_folds_cannot(row: Row) -> None:
    base = {f"s{number}": 0.3 + 0.05 * number for number in range(10)}
    table = measured({name: {"strongest": np.full((3, 2), 0.5)} for name in ("a", "b", "mixed")})
    mixed = {who: recall + 0.1 * (-1) ** number for number, (who, recall) in enumerate(base.items())}
    recalls = recalled({"a": base, "b": {who: recall - 0.1 for who, recall in base.items()}, "mixed": mixed})
    found = pairs.leakage_differences(table, APART, recalls)
    more = row(found, model="a", other="b")
    assert (more["number"], more["over"], more["separable"]) == (10, "speakers", True)
    assert (more["low"], more["high"]) == pytest.approx((0.1, 0.1))
    assert more["p"] == pytest.approx(2 / 2**10)
    assert more["p_holm"] == pytest.approx(3 * more["p"])
    alike = row(found, model="a", other="mixed")
    assert alike["low"] < 0 < alike["high"]
    assert not alike["separable"]
    assert not pairs.leakage_differences(table, APART)["separable"].any()  # three units of folds
    few = recalls[recalls["speaker"].isin(["s3", "s4", "s5", "s6", "s7"])]
    assert not pairs.leakage_differences(table, APART, few)["separable"].any()


def test_the_verdict_needs_interval_number_and_corrected_p() -> None:
    low, high = pd.Series([0.1, 0.1, -0.1, 0.1]), pd.Series([0.2, 0.2, 0.2, 0.2])
    p, number = pd.Series([0.01, 0.06, 0.01, 0.01]), pd.Series([6, 10, 10, 5])
    assert verdict(low, high, p, number).tolist() == [True, False, False, False]
