"""The joined answer of a model of voices and one of faces, against the rule written out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from mien.runs.ensemble import Ensemble
from mien.runs.late_fusion import LEAST, LateFusion, fused

VOICE, FACE = ("anger", "fear", "neutral"), ("neutral", "surprise", "fear", "anger")
ALL = ("anger", "fear", "neutral", "surprise")


def some(rows, classes, seed=0):
    return softmax(2 * np.random.default_rng(seed).standard_normal((rows, len(classes))), axis=1)


def by_hand(voice, face):
    voice, face = dict(zip(VOICE, voice, strict=True)), dict(zip(FACE, face, strict=True))
    guess = {"surprise": 1 / len(VOICE)}
    products = [max((voice | guess)[name], LEAST) * max(face[name], LEAST) for name in ALL]
    return [one / sum(products) for one in products]


def test_every_class_has_the_product_of_its_probabilities():
    voice, face = some(50, VOICE), some(50, FACE, 1)
    found = fused(voice, face, VOICE, FACE, ALL)
    np.testing.assert_allclose(found, [by_hand(*pair) for pair in zip(voice, face, strict=True)], atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_an_answer_without_information_changes_nothing():
    """Also where the other knows a class that it does not."""
    face = 0.9 * some(50, FACE, 1) + 0.1 / 4
    found = fused(np.full((50, 3), 1 / 3), face, VOICE, FACE, ALL)
    np.testing.assert_allclose(found, face[:, [3, 2, 0, 1]], atol=1e-12)
    voice = 0.9 * some(50, VOICE) + 0.1 / 3
    found = fused(voice, np.full((50, 4), 0.25), VOICE, FACE, ALL)
    np.testing.assert_allclose(found[:, :3] / found[:, :3].sum(axis=1, keepdims=True), voice, atol=1e-12)


def test_a_model_that_is_unsure_cannot_rule_out_what_the_other_is_sure_of():
    """A voice that is between two classes, and 0 in all others, beside a face that is sure of a third one."""
    voice, face = np.array([[0.0, 0.51, 0.49]]), np.array([[0.02, 0.0, 0.01, 0.97]])
    found = fused(voice, face, VOICE, FACE, ALL)
    assert found.max() < 0.5
    assert fused(np.array([[0.2, 0.4, 0.4]]), face, VOICE, FACE, ALL).argmax() == 0


def test_answers_that_agree_are_surer_together_in_either_order():
    voice, face = (0.9 * some(20, VOICE, seed) + 0.1 / 3 for seed in (0, 1))
    twice = fused(voice, voice, VOICE, VOICE, VOICE)
    assert (twice.max(axis=1) >= voice.max(axis=1)).all()
    np.testing.assert_array_equal(twice.argsort(axis=1), voice.argsort(axis=1))
    np.testing.assert_allclose(
        fused(voice, face, VOICE, VOICE, VOICE), fused(face, voice, VOICE, VOICE, VOICE), atol=1e-12
    )


def test_each_may_know_a_class_of_its_own():
    found = fused(np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]]), ("a", "b"), ("a", "c"), ("a", "b", "c"))
    products = np.array([0.5 * 0.8, 0.5 * 0.5, 0.5 * 0.2])
    np.testing.assert_allclose(found, [products / products.sum()])


def test_where_one_is_missing_the_other_answers_alone():
    voice, face = some(4, VOICE), some(4, FACE, 1)
    voice[1] = voice[3] = face[2] = face[3] = np.nan
    found = fused(voice, face, VOICE, FACE, ALL)
    assert not np.allclose(found[0, :3], voice[0])
    np.testing.assert_allclose(found[1], face[1][[3, 2, 0, 1]])
    np.testing.assert_allclose(found[2], [*voice[2], 0])
    assert np.isnan(found[3]).all()


def test_a_probability_of_zero_is_finite():
    found = fused(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), ("a", "b"), ("a", "b"), ("a", "b"))
    np.testing.assert_allclose(found, [[0.5, 0.5]])


class Counted(Ensemble):
    """Answers by the number that its input holds, and counts what it was given."""

    def infer(self, voices, faces=None):
        self.models[0].append(len(voices))
        given = [one if one is not None else other for one, other in zip(voices, faces, strict=True)]
        return np.array([some(1, self.classes, seed=int(one[0]))[0] for one in given])


@pytest.fixture
def both():
    voice = Counted("v", "emotion", VOICE, "one", ([],), unsure=0.8)
    return LateFusion(voice, replace(voice, name="f", classes=FACE, scheme="two", models=([],), unsure=0.45))


def test_an_input_is_answered_once_and_in_its_own_row(both):
    voices, faces = [np.array([number]) for number in range(3)], [np.array([number + 7]) for number in range(3)]
    found = both.infer([voices[0], None, voices[0], voices[2]], [faces[1], faces[1], None, faces[0]])
    assert (both.voice.models[0], both.face.models[0]) == ([2], [2])
    heard = {0: some(1, VOICE)[0], 2: some(1, VOICE, 2)[0]}
    seen = {number: some(1, FACE, number + 7)[0] for number in range(3)}
    np.testing.assert_allclose(found[0], by_hand(heard[0], seen[1]))
    np.testing.assert_allclose(found[1], seen[1][[3, 2, 0, 1]])
    np.testing.assert_allclose(found[2], [*heard[0], 0])
    np.testing.assert_allclose(found[3], by_hand(heard[2], seen[0]))
    assert both.infer([voices[1]]).shape == (1, 4)


def test_what_answers_depends_on_the_modality(both):
    assert [both.part(one).name for one in ("audio", "video", "audio+video", "")] == ["v", "f", "v+f", "v+f"]
    assert (both.classes, both.scheme, both.target) == (ALL, "one+two", "emotion")
    asked = both.with_threshold(0.3)
    assert [one.unsure for one in (*asked.parts, asked)] == pytest.approx([0.3] * 3)


def test_models_without_a_common_class_are_no_pair(both):
    with pytest.raises(ValueError, match="no class of one target in common"):
        LateFusion(both.voice, replace(both.face, classes=("calm", "bored")))
    with pytest.raises(ValueError, match="no class of one target in common"):
        LateFusion(both.voice, replace(both.face, target="stress"))


def test_two_answers_at_their_thresholds_are_surer_than_the_joined_one(both):
    """From thresholds of .5 on, where both know the same classes."""
    assert both.unsure == pytest.approx(0.6)
    for first, second in ((0.8, 0.74), (0.5, 0.5), (0.9, 0.5)):
        for seed in range(30):
            rest = [softmax(np.random.default_rng(seed + where).standard_normal(2)) for where in (0, 100)]
            rest = [0.2 + 0.6 * one for one in rest]  # no class below a percent
            voice, face = np.array([[first, *((1 - first) * rest[0])]]), np.array([[second, *((1 - second) * rest[1])]])
            assert fused(voice, face, VOICE, VOICE, VOICE)[0, 0] >= math.sqrt(first * second) - 1e-12
    never = LateFusion(both.voice.with_threshold(0), both.face)
    assert (never.unsure, never.with_threshold(0).unsure) == (0.45, 0)
