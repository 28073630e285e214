"""Paired differences: found where they are, not found between equals, no narrower for what is told twice."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mien.audit import compare, scores
from mien.audit.leakage import COLUMNS

CLASSES = ("anger", "happiness", "sadness")
Predict = Callable[..., pd.DataFrame]
Row = Callable[..., "pd.Series[object]"]


def test_differences_find_a_better_model_and_no_difference_between_equals(predicted: Predict, row: Row) -> None:
    rows = predicted({"good": 0.9, "poor": 0.3, "also poor": 0.3})
    table = compare.differences(rows, CLASSES)
    better = row(table, model="good", other="poor", measure="uar")
    assert better["separable"]
    assert better["low"] > 0.2
    assert not row(table, model="poor", other="also poor", measure="uar")["separable"]
    copy = pd.concat([rows[rows["model"] == "poor"], rows[rows["model"] == "poor"].assign(model="copy")])
    same = row(compare.differences(copy, CLASSES), measure="wa")
    assert (same["difference"], same["low"], same["high"], same["separable"]) == (0, 0, 0, False)


def test_five_speakers_separate_nothing_and_six_do(predicted: Predict) -> None:
    for speakers in (5, 6):
        table = compare.differences(predicted({"good": 1.0, "poor": 0.0}, speakers=speakers), CLASSES)
        assert (table["low"] > 0).all()
        assert (table["separable"] == (speakers == 6)).all()


def test_a_paired_interval_is_narrower_than_the_models_own_where_speakers_differ(predicted: Predict, row: Row) -> None:
    random = np.random.default_rng(0)
    rows = predicted({"a": 0.0}, seeds=1, splits=("test",), speakers=12, clips=60)
    skill = rows["speaker"].map({speaker: random.random() for speaker in rows["speaker"].unique()})
    chance = pd.Series(random.random(len(rows)))
    both = pd.concat(
        rows.assign(model=model, predicted=rows["emotion"].where(chance < skill + gain, "anger"))
        for model, gain in (("a", 0.0), ("b", 0.1))
    )
    own = row(scores.summary(both, CLASSES), model="a")
    paired = row(compare.differences(both, CLASSES), measure="wa")
    assert paired["high"] - paired["low"] < 0.5 * (own["wa_high"] - own["wa_low"])
    assert paired["separable"]


def measured(probed: dict[str, dict[str, np.ndarray]], *, speakers: str = "heard") -> pd.DataFrame:
    """`leakage.csv`: model -> probe -> (folds, seeds) of scores."""
    rows = [
        {"model": model, "probe": probe, "fold": fold, "seed": seed, "score": float(score)}
        for model, probes in probed.items()
        for probe, table in probes.items()
        for (fold, seed), score in np.ndenumerate(table)
    ]
    same = {"embedding": "main", "factor": "speaker", "role": "measured", "speakers": speakers, "measure": "uar"}
    numbers = {"low": 0.1, "high": 0.9, "chance": 0.125, "shuffled": 0.13, "n": 428, "classes": 8, "p": None}
    return pd.DataFrame(rows).assign(**same, **numbers, p_corrected=None, split="disjoint clips")[list(COLUMNS)]


def folds(count: int = 10, seeds: int = 2) -> np.ndarray:
    """Scores of folds that differ widely, and of seeds within them."""
    random = np.random.default_rng(3)
    return random.uniform(0.2, 0.6, (count, 1)) + random.normal(0, 0.01, (count, seeds))


def test_a_small_gain_of_leakage_in_every_fold_is_found_and_a_copy_is_no_difference(row: Row) -> None:
    base = folds()
    noise = np.random.default_rng(4).normal(0, 0.01, base.shape)
    table = measured({"a": {"mlp": base}, "b": {"mlp": base + 0.05 + noise}, "copy": {"mlp": base}})
    found = compare.leakage_differences(table)
    assert tuple(found.columns) == compare.LEAKAGE
    less = row(found, model="a", other="b")
    assert less["difference"] == pytest.approx(-0.05 - noise.mean())
    assert less["low"] < less["difference"] < less["high"] < 0
    assert less["separable"]
    error = noise.mean(1).std(ddof=1) / np.sqrt(10)  # of the paired differences alone: how folds differ cancels out
    assert less["high"] - less["low"] == pytest.approx(2 * 1.96 * error, rel=0.2)
    same = row(found, model="a", other="copy")
    assert (same["difference"], same["low"], same["high"], same["separable"]) == (0, 0, 0, False)


def test_no_difference_is_separable_between_models_that_leak_alike() -> None:
    random = np.random.default_rng(0)
    apart = [
        compare.leakage_differences(
            measured({name: {"mlp": random.normal(0.4, 0.05, (10, 2))} for name in ("a", "b")}), seed=seed
        )["separable"].iloc[0]
        for seed in range(60)
    ]
    assert np.mean(apart) < 0.2  # 5 % and the narrowness of a bootstrap over ten


def test_each_model_is_taken_at_its_stronger_probe(row: Row) -> None:
    base = folds()
    table = measured(
        {"a": {"linear": base, "mlp": base - 0.1}, "b": {"linear": base - 0.1, "mlp": base + 0.02}},
    )
    found = row(compare.leakage_differences(table), model="a", other="b")
    assert (found["probe"], found["other_probe"]) == ("linear", "mlp")
    assert found["difference"] == pytest.approx(-0.02)


def test_heard_and_unheard_stay_apart_and_missing_trainings_are_left_out_of_both(row: Row) -> None:
    base = folds()
    both = {"a": {"mlp": base}, "b": {"mlp": base + 0.1}}
    heard, unheard = measured(both), measured({"a": {"mlp": base}, "b": {"mlp": base}}, speakers="unheard")
    lost = (unheard["model"] == "b") & (unheard["fold"] == 3)
    table = compare.leakage_differences(pd.concat([heard, unheard[~lost]]))
    assert row(table, speakers="heard")["difference"] == pytest.approx(-0.1)
    assert row(table, speakers="heard")["folds"] == 10
    assert row(table, speakers="unheard")["difference"] == 0
    assert row(table, speakers="unheard")["folds"] == 9
    nothing = compare.leakage_differences(heard[heard["model"] == "a"])
    assert nothing.empty
    assert tuple(nothing.columns) == compare.LEAKAGE


def test_folds_told_twice_narrow_no_interval_and_two_folds_have_none(row: Row) -> None:
    base, gain = folds(6, 1), np.linspace(0.02, 0.1, 6)[:, None]
    once = {"a": {"mlp": base}, "b": {"mlp": base + gain}}
    twice = {name: {"mlp": np.tile(probes["mlp"], (2, 1))} for name, probes in once.items()}
    one, two = (row(compare.leakage_differences(measured(probed))) for probed in (once, twice))
    assert (one["folds"], two["folds"], one["different"], two["different"]) == (6, 12, 6, 6)
    assert (one["low"], one["high"]) == pytest.approx((two["low"], two["high"]))
    few = row(compare.leakage_differences(measured({name: {"mlp": p["mlp"][:2]} for name, p in once.items()})))
    assert few["difference"] == pytest.approx(-gain[:2].mean())
    assert np.isnan(few["low"])
    assert not few["separable"]
