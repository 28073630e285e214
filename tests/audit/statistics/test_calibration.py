"""A planted temperature is found, the calibration error is scikit-learn's, and a threshold keeps its coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from mien.audit.statistics.calibration import (
    MemberPredictions,
    answered,
    expected_calibration_error,
    member_predictions,
    negative_log_likelihood,
    nested,
    quiet_threshold,
    rejected,
    rejection,
    temperature,
)
from mien.errors import RunError

CLASSES = ("anger", "neutral", "sadness", "happiness")


def planted(sharpness: float, *, clips: int = 6000, members: int = 1, seed: int = 0) -> MemberPredictions:
    """Truths sampled from softmax(logits); every member has `sharpness` times these logits."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.standard_normal((clips, len(CLASSES)))
    truth = (generator.random((clips, 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    predicted = np.concatenate([sharpness * logits for _ in range(members)])
    order = generator.permutation(len(predicted))
    clip = np.tile(np.arange(clips), members)
    return MemberPredictions(predicted[order], clip[order], truth, tuple(map(str, range(clips))), (0,) * clips)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("members", [1, 3])
def test_a_planted_temperature_is_found(sharpness, members):
    assert temperature(planted(sharpness, members=members)) == pytest.approx(sharpness, rel=0.05)


def test_calibration_mends_only_an_overconfident_model():
    for sharpness, before_is_bad in ((3.0, True), (1.0, False)):
        predicted = planted(sharpness)
        before, after = predicted.probabilities(1.0), predicted.probabilities(temperature(predicted))
        assert (expected_calibration_error(before, predicted.truth) > 0.1) == before_is_bad
        assert expected_calibration_error(after, predicted.truth) < 0.03
        assert (
            negative_log_likelihood(after, predicted.truth) <= negative_log_likelihood(before, predicted.truth) + 1e-9
        )
        assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


def test_a_diverse_ensemble_has_a_lower_temperature_than_its_members():
    generator = np.random.default_rng(1)
    alone = planted(2.0, clips=2000)
    noisy = np.concatenate([alone.logits + 3 * generator.standard_normal(alone.logits.shape) for _ in range(5)])
    clip = np.tile(alone.clip, 5)
    together = MemberPredictions(noisy, clip, alone.truth, alone.clips, alone.folds)
    count = len(noisy)
    single = MemberPredictions(noisy, np.arange(count), alone.truth[clip], tuple(map(str, range(count))), (0,) * count)
    assert temperature(together) < temperature(single)


def test_calibration_error_agrees_with_scikit_learn():
    predicted = planted(2.0, clips=3000)
    probabilities = predicted.probabilities(1.0)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == predicted.truth
    accuracy, confidence = calibration_curve(right, sure, n_bins=15, strategy="uniform")
    edges = np.linspace(0, 1, 16)
    clips = np.histogram(sure, edges)[0]
    expected = (np.abs(accuracy - confidence) * clips[clips > 0]).sum() / len(sure)
    assert expected_calibration_error(probabilities, predicted.truth) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_0_for_sure_and_right_and_1_for_wrong():
    certain, truth = np.eye(4), np.arange(4)
    assert expected_calibration_error(certain, truth) == 0
    assert expected_calibration_error(certain, (truth + 1) % 4) == 1


@pytest.mark.parametrize("coverage", [0.5, 0.8, 1.0])
def test_a_threshold_keeps_its_coverage_and_raises_accuracy(coverage):
    predicted = planted(1.0)
    probabilities = predicted.probabilities(1.0)
    rule = rejection(probabilities, predicted.truth, coverage)
    assert coverage <= rule.coverage <= coverage + 0.01
    assert rule == rejected(probabilities, predicted.truth, rule.threshold)
    everything = rejected(probabilities, predicted.truth, 0.0)
    assert everything.coverage == 1
    assert rule.accuracy >= everything.accuracy + (0.03 if coverage < 1 else 0)


def test_a_threshold_that_leaves_nothing_has_no_accuracy():
    rule = rejected(np.full((3, 2), 0.5), np.zeros(3, np.int64), 0.6)
    assert rule.coverage == 0
    assert np.isnan(rule.accuracy)


def test_seeds_of_a_fold_are_one_ensemble_and_folds_are_not():
    rows = [
        ("a", 0, 0, "anger", 0.7),
        ("b", 0, 0, "neutral", 0.2),
        ("a", 0, 1, "anger", 0.5),
        ("b", 0, 1, "neutral", 0.4),
        ("a", 1, 0, "anger", 0.9),
        ("c", 1, 0, "anger+neutral", 0.5),
        ("d", 1, 0, None, 0.5),
    ]
    table = pd.DataFrame(rows, columns=["clip", "fold", "seed", "truth", "anger"]).assign(
        neutral=lambda rows: 1 - rows["anger"]
    )
    predicted = member_predictions(table, ("anger", "neutral"))
    assert (predicted.clips, predicted.folds) == (("a", "b", "a"), (0, 0, 1))
    assert predicted.truth.tolist() == [0, 1, 0]
    np.testing.assert_allclose(predicted.probabilities(1.0)[:, 0], [0.6, 0.3, 0.9])
    with pytest.raises(RunError, match="no clip with one known emotion"):
        member_predictions(table[table["clip"] == "d"], ("anger", "neutral"))


def swapped(
    *, sharpness: tuple[float, float], flipped: str = ""
) -> tuple[MemberPredictions, MemberPredictions, dict[str, str]]:
    """Validation and test of two speakers who swap roles in folds 0 and 1, and a third who validates fold 2.

    The three are predicted with sharpness 1, `sharpness[0]` and `sharpness[1]`. The validation labels of the speaker
    `flipped` are all wrong.
    """
    people = {"a": planted(1.0, clips=600), "b": planted(sharpness[0], clips=600, seed=1)}
    people["c"] = planted(sharpness[1], clips=600, seed=2)
    speaker = {f"{who}{clip}": who for who in people for clip in range(600)}

    def joined(whose: dict[str, int], wrong: str) -> MemberPredictions:
        parts = [(people[who], who, fold) for who, fold in whose.items()]
        return MemberPredictions(
            np.concatenate([part.logits for part, _, _ in parts]),
            np.concatenate([part.clip + 600 * number for number, (part, _, _) in enumerate(parts)]),
            np.concatenate([(part.truth + (who == wrong)) % len(CLASSES) for part, who, _ in parts]),
            tuple(f"{who}{clip}" for _, who, _ in parts for clip in range(600)),
            tuple(fold for _, _, fold in parts for _ in range(600)),
        )

    return joined({"a": 0, "b": 1, "c": 2}, flipped), joined({"b": 0, "a": 1}, ""), speaker


def test_no_fold_is_calibrated_on_clips_of_its_test_speakers():
    plain, tested, speaker = swapped(sharpness=(3.0, 3.0))
    calibrated = nested(plain, tested, speaker, 0.8)
    folds = np.array(tested.folds)
    for fold, others in ((0, ("a", "c")), (1, ("b", "c"))):
        here = folds == fold
        keep = np.array([speaker[clip] in others for clip in plain.clips])
        chosen = plain.only(keep)
        expected = tested.probabilities(temperature(chosen))
        np.testing.assert_allclose(calibrated.probabilities[here], expected[here])
        threshold = rejection(chosen.probabilities(temperature(chosen)), chosen.truth, 0.8).threshold
        assert (calibrated.thresholds[here] == threshold).all()
    for flipped, same in (("b", 0), ("a", 1)):
        other = nested(swapped(sharpness=(3.0, 3.0), flipped=flipped)[0], tested, speaker, 0.8)
        unmoved = np.array(
            [np.allclose(calibrated.probabilities[folds == f], other.probabilities[folds == f]) for f in (0, 1)]
        )
        assert unmoved[same]  # fold 0 tests b: the labels of b's validation clips change nothing there
        assert not unmoved[1 - same]


def test_without_rotation_the_nested_calibration_is_the_only_one():
    plain, tested, speaker = swapped(sharpness=(2.0, 2.0))
    validation = plain.only(np.array([clip[0] == "c" for clip in plain.clips]))
    calibrated = nested(validation, tested, speaker, 0.7)
    cooled = temperature(validation)
    np.testing.assert_allclose(calibrated.probabilities, tested.probabilities(cooled))
    rule = rejection(validation.probabilities(cooled), validation.truth, 0.7)
    assert set(calibrated.thresholds) == {rule.threshold}
    assert (
        answered(calibrated.probabilities, tested.truth, calibrated.thresholds)
        == rejected(calibrated.probabilities, tested.truth, rule.threshold)[1:]
    )


def test_a_selection_of_clips_keeps_all_their_members():
    predicted = planted(1.0, clips=50, members=3)
    keep = np.arange(50) % 3 == 0
    some = predicted.only(keep)
    np.testing.assert_allclose(some.probabilities(1.7), predicted.probabilities(1.7)[keep])
    assert some.clips == tuple(str(number) for number in range(0, 50, 3))
    assert (some.truth == predicted.truth[keep]).all()


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.25, 1.0])
def test_the_quiet_threshold_is_the_least_that_keeps_the_limit(limit):
    probabilities = softmax(2 * np.random.default_rng(0).standard_normal((997, 4)), axis=1)
    emotional = probabilities.argmax(axis=1) != 1

    def share(threshold):
        return (emotional & (probabilities.max(axis=1) >= threshold)).mean()

    found = quiet_threshold(probabilities, 1, limit)
    assert share(found) <= limit
    assert found == round(found, 4)
    assert (share(found - 1e-4) > limit) == (limit < 1)
    assert (found == 0) == (limit == 1)


def test_without_a_neutral_class_every_answer_is_an_emotion():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    assert quiet_threshold(probabilities, None, 0.25) == 0.8001
    assert quiet_threshold(probabilities, 1, 0.25) == 0.7001
    assert quiet_threshold(probabilities, 0, 0.25) == 0.0
