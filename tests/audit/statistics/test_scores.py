"""Scores equal those of audmetric and scikit-learn; intervals have the properties of a bootstrap."""

from collections.abc import Callable

import audmetric
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix

from mien.audit.statistics import scores
from mien.common.measures import uar, wa
from mien.errors import RunError

CLASSES = ("anger", "happiness", "sadness")
Predict = Callable[..., pd.DataFrame]
Row = Callable[..., "pd.Series[object]"]


def test_one_seed_equals_audmetric_and_scikit_learn(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.6}, seeds=1, splits=("test",))
    got = row(scores.summary(rows, CLASSES), model="a", split="test")
    assert got["uar"] == pytest.approx(audmetric.unweighted_average_recall(rows["truth"], rows["predicted"]))
    assert got["wa"] == pytest.approx(audmetric.accuracy(rows["truth"], rows["predicted"]))
    table = scores.confusion(rows, CLASSES)
    for speaker, counts in zip(table.speakers, table.counts, strict=True):
        part = rows[rows["speaker"] == speaker]
        np.testing.assert_allclose(counts, confusion_matrix(part["truth"], part["predicted"], labels=list(CLASSES)))


def test_seeds_are_averaged_and_each_seed_is_pooled_over_speakers(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.6}, seeds=3, splits=("test",))
    each = [audmetric.unweighted_average_recall(part["truth"], part["predicted"]) for _, part in rows.groupby("seed")]
    got = row(scores.summary(rows, CLASSES), model="a")
    assert got["uar"] == pytest.approx(np.mean(each))
    assert got["uar_seeds"] == pytest.approx(np.std(each, ddof=1))
    assert (got["seeds"], got["speakers"], got["clips"], got["folds"]) == (3, 8, 240, 8)


def test_repeating_a_seed_narrows_no_interval(predicted: Predict, row: Row) -> None:
    one = predicted({"a": 0.6}, seeds=1, splits=("test",))
    many = pd.concat([one.assign(seed=seed) for seed in range(5)])
    first, second = (row(scores.summary(rows, CLASSES), model="a") for rows in (one, many))
    assert (first["uar_low"], first["uar_high"]) == pytest.approx((second["uar_low"], second["uar_high"]))


def test_the_interval_of_normal_resamples_is_that_of_students_t() -> None:
    draws = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)  # the bootstrap of a mean: deviation sqrt((n - 1) / n)
    for count in (5, 10, 20, 1000):
        low, high = scores.interval(draws * np.sqrt((count - 1) / count), count)
        assert (low, high) == pytest.approx(stats.t.interval(0.95, count - 1), rel=0.01)
    assert np.isnan(scores.interval(draws, 1)).all()


def test_the_interval_over_ten_speakers_covers_at_its_level() -> None:
    random = np.random.default_rng(0)
    inside, plain, trials, people = 0, 0, 600, tuple(f"{number:02d}" for number in range(10))
    for _ in range(trials):
        right = np.round(40 * np.clip(random.normal(0.6, 0.15, 10), 0, 1))  # each speaker's own share of right clips
        counts = np.zeros((10, 2, 2))
        counts[:, 0, 0], counts[:, 0, 1] = right, 40 - right
        drawn = scores.resampled(scores.BySpeaker(people, counts), "wa")
        low, high = scores.interval(drawn, 10)
        inside += low <= 0.6 <= high
        plain += np.quantile(drawn, 0.025) <= 0.6 <= np.quantile(drawn, 0.975)
    assert 0.93 <= inside / trials <= 0.975
    assert plain / trials < 0.93
    same = scores.BySpeaker(("a", "b", "c"), np.repeat([[[6.0, 4.0], [4.0, 6.0]]], 3, 0))
    assert scores.interval(scores.resampled(same, "uar"), 3) == pytest.approx((0.6, 0.6))


def test_resamples_depend_on_the_speakers_and_the_seed_alone() -> None:
    names = ["03", "08", "09"]
    np.testing.assert_array_equal(scores.draws(names, seed=1), scores.draws(names, seed=1))
    assert (scores.draws(names, seed=1) != scores.draws(names, seed=2)).any()
    assert (scores.draws(names, seed=1).sum(1) == 3).all()
    assert scores.draws(names, seed=1).mean(0) == pytest.approx([1, 1, 1], abs=0.1)


def test_chance_and_worst_speaker(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.9}, seeds=1, splits=("test",))
    rows.loc[rows["speaker"] == "s5", "predicted"] = "sadness"
    got = row(scores.summary(rows, CLASSES), model="a")
    part = rows[rows["speaker"] == "s5"]
    assert got["worst_speaker"] == "s5"
    assert got["worst_wa"] == pytest.approx((part["truth"] == "sadness").mean())
    assert got["worst_uar"] == pytest.approx(1 / 3)
    assert got["uar_chance"] == pytest.approx(1 / 3)
    assert got["wa_chance"] == pytest.approx(rows["truth"].value_counts(normalize=True).max())
    speaker = row(scores.by_speaker(rows, CLASSES), model="a", speaker="s5")
    assert (speaker["wa"], speaker["clips"]) == (got["worst_wa"], 30)


def test_a_class_without_clips_is_left_out_of_uar_and_chance(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.7}, seeds=1, splits=("test",))
    fewer = rows[rows["truth"] != "sadness"]
    got = row(scores.summary(fewer, CLASSES), model="a")
    recalls = [(part["predicted"] == name).mean() for name, part in fewer.groupby("truth")]
    assert got["uar"] == pytest.approx(np.mean(recalls))
    assert got["uar_chance"] == 0.5


def test_a_clip_of_several_emotions_is_right_if_one_is_predicted(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 1.0}, speakers=2, clips=2, seeds=1, splits=("test",))
    rows["truth"] = ["anger+sadness", "anger+sadness", "happiness", None]
    rows["predicted"] = ["sadness", "happiness", "happiness", "anger"]
    got = row(scores.summary(rows, CLASSES), model="a")
    assert got["wa"] == pytest.approx(2 / 3)
    pooled = scores.confusion(rows, CLASSES).counts.sum(0)
    np.testing.assert_allclose(pooled, [[0, 0.5, 0], [0, 1, 0], [0, 0.5, 1]])
    assert got["clips"] == 3


def test_chance_of_several_emotions_is_that_of_guesses_and_a_constant(row: Row) -> None:
    both = scores.chance(pd.Series(["anger+sadness"] * 9), (*CLASSES, "fear"))
    assert both == {"uar": pytest.approx(0.5), "wa": 1.0}
    random = np.random.default_rng(0)
    truth = np.array(["anger+sadness", "anger", "happiness", "anger+happiness+sadness"])[random.integers(4, size=60)]
    rows = pd.DataFrame({"clip": np.arange(60), "speaker": "s", "truth": truth, "model": "a", "split": "test"})
    many = pd.concat([rows.assign(seed=seed, fold=0) for seed in range(400)])
    guessed = many.assign(predicted=np.array(CLASSES)[random.integers(3, size=len(many))])
    chance = scores.chance(rows["truth"], CLASSES)
    assert chance["uar"] == pytest.approx(float(uar(scores.confusion(guessed, CLASSES).counts.sum(0))), abs=0.005)
    constant = [scores.confusion(rows.assign(seed=0, predicted=name), CLASSES).counts.sum(0) for name in CLASSES]
    assert chance["wa"] == pytest.approx(max(float(wa(counts)) for counts in constant))
    got = row(scores.summary(guessed, CLASSES), model="a")
    assert (got["uar_chance"], got["wa_chance"]) == (chance["uar"], chance["wa"])
    assert got["uar"] == pytest.approx(got["uar_chance"], abs=0.005)


def test_chance_leaves_out_absent_classes_and_unknown_clips() -> None:
    known = pd.Series(["anger", "anger", "sadness", None])
    assert scores.chance(known, CLASSES) == {"uar": 0.5, "wa": pytest.approx(2 / 3)}
    assert np.isnan(list(scores.chance(known[3:], CLASSES).values())).all()


def test_delta_is_paired_if_validation_and_test_share_speakers(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.5}, seeds=1, splits=("test",))
    both = pd.concat([rows, rows.assign(split="validation")])
    delta = row(scores.gaps(both, CLASSES), measure="uar")
    assert (delta["delta"], delta["low"], delta["high"]) == (0, 0, 0)
    better = rows.assign(split="validation", predicted=rows["truth"])
    delta = row(scores.gaps(pd.concat([rows, better]), CLASSES), measure="uar")
    assert delta["high"] < 0
    assert scores.gaps(rows, CLASSES).empty


def test_one_speaker_has_a_score_but_no_interval(predicted: Predict, row: Row) -> None:
    got = row(scores.summary(predicted({"a": 0.7}, speakers=1, splits=("test",)), CLASSES), model="a")
    assert 0 < got["uar"] < 1
    assert np.isnan(got["uar_low"])


def test_an_unknown_class_and_a_missing_column_are_refused(predicted: Predict) -> None:
    rows = predicted({"a": 0.7}, speakers=2, clips=4, seeds=1)
    with pytest.raises(RunError) as caught:
        scores.summary(rows.assign(predicted="boredom"), CLASSES)
    assert str(caught.value) == (
        "predictions: 'boredom' is no class of the run; the classes are anger, happiness, sadness"
    )
    few = rows[["clip", "speaker", "model", "truth", "predicted", "fold", "seed"]]
    with pytest.raises(RunError) as caught:
        scores.summary(few, CLASSES)
    assert str(caught.value) == (
        "predictions: the column 'split' is missing; there are clip, speaker, model, truth, predicted, fold, seed"
    )


def test_without_speakers_each_clip_is_a_unit():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"clip": [f"c{number:02d}" for number in range(40)], "truth": generator.choice(["a", "b"], 40)})
    rows = rows.assign(predicted=generator.choice(["a", "b"], 40), model="m", fold=0, seed=0, split="test")
    nobody = rows.assign(speaker=pd.Series(None, index=rows.index, dtype="str"))
    alone = rows.assign(speaker=rows["clip"])
    (found,), (expected,) = (scores.summary(table, ("a", "b")).to_dict("records") for table in (nobody, alone))
    assert (found["speakers"], expected["speakers"]) == (0, 40)
    for name in ("uar", "uar_low", "uar_high", "wa_low", "wa_high"):
        assert found[name] == expected[name]
    assert {"worst_speaker", "worst_wa", "worst_uar"} == set(expected) - set(found)
    assert scores.by_speaker(nobody, ("a", "b")).empty
