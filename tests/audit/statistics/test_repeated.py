"""A clip that several folds test counts once, with the mean of its folds: by hand, and as theorems."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.recognition.calibrated import calibrated
from mien.audit.recognition.task_scores import homogeneity, macro_f, task_scores
from mien.audit.statistics import calibration, scores
from mien.audit.statistics.contrasts import right_and_wrong
from mien.audit.statistics.reliability import abstention, calibration_over_speakers, reliability
from mien.audit.statistics.repeated import times

CLASSES = ("anger", "happiness", "sadness")


def again(rows, *, of, folds):
    """The rows, with those of some speakers copied into further folds."""
    copies = [rows[rows["speaker"].isin(of)].assign(fold=100 + number) for number in range(folds)]
    return pd.concat([rows, *copies], ignore_index=True)


def once(predicted, **own):
    return predicted({"a": 0.6, "b": 0.4}, speakers=7, clips=12, **own)


def same(first, second):
    numbers = [name for name in first if pd.api.types.is_numeric_dtype(first[name]) and name != "folds"]
    others = [name for name in first if name not in numbers and name != "folds"]
    np.testing.assert_allclose(first[numbers].to_numpy(float), second[numbers].to_numpy(float), rtol=0, atol=1e-12)
    assert first[others].equals(second[others])


def test_copies_of_predictions_in_further_folds_change_no_score_and_no_interval(predicted):
    rows = once(predicted)
    for more in (again(rows, of=["s1", "s4"], folds=3), again(rows, of=list(set(rows["speaker"])), folds=2)):
        same(scores.summary(rows, CLASSES), scores.summary(more, CLASSES))
        same(scores.by_speaker(rows, CLASSES), scores.by_speaker(more, CLASSES))
        same(scores.gaps(rows, CLASSES), scores.gaps(more, CLASSES))
        same(macro_f(rows, CLASSES), macro_f(more, CLASSES))
        tasks, twice = (table.assign(factor="gender", probability=1.0) for table in (rows, more))
        same(task_scores(tasks).drop(columns="cells"), task_scores(twice).drop(columns="cells"))
        tested, often = (table[table["split"] == "test"] for table in (rows, more))
        assert homogeneity(tested, "a", "b", CLASSES) == homogeneity(often, "a", "b", CLASSES)


def test_as_clips_of_their_own_they_would_change_the_score(predicted):
    """The other control: the same copies under other names weigh their speaker four times."""
    rows = once(predicted)
    more = again(rows, of=["s1"], folds=3)
    named = more.assign(clip=more["clip"] + "-" + more["fold"].astype(str))
    one, other = (scores.summary(table, CLASSES)["wa"].to_numpy() for table in (rows, named))
    assert (abs(one - other) > 1e-3).all()


def test_numbers_of_several_folds_count_once_too(predicted):
    rows = once(predicted).assign(truth=lambda t: np.arange(len(t)) % 7.0)
    rows = rows.assign(predicted=rows["truth"] + np.random.default_rng(0).normal(size=len(rows)))
    rows["truth"] = rows.groupby("clip")["truth"].transform("first")
    same(scores.summary(rows, ()), scores.summary(again(rows, of=["s0", "s3"], folds=2), ()))


@given(st.integers(1, 5), st.integers(0, 5), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_clip_scores_the_mean_over_its_folds(right, wrong, others):
    rows = [("c", "s", fold, 0, "anger", "anger" if fold < right else "sadness") for fold in range(right + wrong)]
    rows += [(f"d{number}", "s", 0, 0, "anger", "anger") for number in range(others)]
    table = pd.DataFrame(rows, columns=["clip", "speaker", "fold", "seed", "truth", "predicted"])
    share = right / (right + wrong)
    for counted in (scores.confusion(table, CLASSES).counts[0], right_and_wrong(table).counts[0]):
        assert counted.sum() == pytest.approx(1 + others)
        assert counted[0, 0] == pytest.approx(share + others)
    assert times(table).tolist() == [right + wrong] * (right + wrong) + [1] * others


def test_calibration_counts_a_clip_once(predicted):
    random = np.random.default_rng(0)
    rows = once(predicted, seeds=1)
    rows = rows[rows["model"] == "a"].reset_index(drop=True)
    rows[list(CLASSES)] = random.dirichlet([1, 1, 1], len(rows))
    rows["predicted"] = rows[list(CLASSES)].idxmax(axis=1)
    test = rows[rows["split"] == "test"]
    members, more = (
        calibration.member_predictions(table, CLASSES) for table in (test, again(test, of=["s2", "s5"], folds=3))
    )
    assert members.weights.tolist() == [1.0] * len(test)
    assert more.weights.sum() == pytest.approx(len(test))
    one, other = members.probabilities(1.0), more.probabilities(1.0)
    speaker = dict(zip(rows["clip"], rows["speaker"], strict=True))
    who, they = ([speaker[clip] for clip in each.clips] for each in (members, more))
    assert calibration.temperature(more) == pytest.approx(calibration.temperature(members), abs=1e-4)
    for plain, weighed in (
        (calibration.answered(one, members.truth, 0.5), calibration.answered(other, more.truth, 0.5, more.weights)),
        (abstention(one, members.truth).area, abstention(other, more.truth, more.weights).area),
        (reliability(one, members.truth).right, reliability(other, more.truth, more.weights).right),
        (
            calibration.expected_calibration_error(one, members.truth),
            calibration.expected_calibration_error(other, more.truth, more.weights),
        ),
    ):
        assert weighed == pytest.approx(plain)
    plain, weighed = (
        calibration_over_speakers(one, members.truth, who),
        calibration_over_speakers(other, more.truth, they, more.weights),
    )
    assert np.hstack(weighed) == pytest.approx(np.hstack(plain))
    unweighed = calibration_over_speakers(other, more.truth, they)
    assert abs(unweighed.error - plain.error) > 1e-3, "the other control"
    both = rows.assign(fold=rows["fold"] + 50 * (rows["split"] == "validation"))
    ((found,), _) = calibrated(again(both, of=["s2"], folds=2), CLASSES, speaker)
    assert (found["clips"], found["speakers"]) == (len(test), 7)
