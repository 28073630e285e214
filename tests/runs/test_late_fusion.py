"""The joined answer of a model of voices and one of faces, against the rule written out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from mien.runs.ensemble import Ensemble
from mien.runs.late_fusion import LateFusion, fused

VOICE, FACE = ("anger", "fear", "neutral"), ("neutral", "surprise", "fear", "anger")
ALL = ("anger", "fear", "neutral", "surprise")


def some(rows, classes, seed=0):
    return softmax(2 * np.random.default_rng(seed).standard_normal((rows, len(classes))), axis=1)


def by_hand(voice, face):
    voice, face = dict(zip(VOICE, voice, strict=True)), dict(zip(FACE, face, strict=True))
    means = {name: math.exp((math.log(voice[name]) + math.log(face[name])) / 2) for name in VOICE}
    left = 1 - face["surprise"]
    return [*(left * means[name] / sum(means.values()) for name in ALL[:3]), face["surprise"]]


def test_common_classes_have_the_mean_of_log_probabilities():
    voice, face = some(50, VOICE), some(50, FACE, 1)
    found = fused(voice, face, VOICE, FACE, ALL)
    np.testing.assert_allclose(found, [by_hand(*pair) for pair in zip(voice, face, strict=True)], atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_equal_answers_are_kept_and_the_order_does_not_matter():
    voice, face = some(20, VOICE), some(20, VOICE, 1)
    np.testing.assert_allclose(fused(voice, voice, VOICE, VOICE, VOICE), voice, atol=1e-12)
    np.testing.assert_allclose(
        fused(voice, face, VOICE, VOICE, VOICE), fused(face, voice, VOICE, VOICE, VOICE), atol=1e-12
    )


def test_each_may_know_a_class_of_its_own():
    found = fused(np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]]), ("a", "b"), ("a", "c"), ("a", "b", "c"))
    common, voice, face = 0.5 * 0.8, 0.5, 0.2
    np.testing.assert_allclose(found, [np.array([common, voice, face]) / (common + voice + face)])


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


def test_two_answers_at_their_thresholds_are_not_below_the_joined_one(both):
    """By the inequality of Cauchy and Schwarz, where both know the same classes."""
    assert both.unsure == pytest.approx(0.6)
    for seed in range(30):
        rest = [softmax(np.random.default_rng(seed + where).standard_normal(2)) for where in (0, 100)]
        voice, face = np.array([[0.8, *(0.2 * rest[0])]]), np.array([[0.45, *(0.55 * rest[1])]])
        joined = fused(voice, face, VOICE, VOICE, VOICE)
        assert joined[0, 0] >= both.unsure - 1e-12
    never = LateFusion(both.voice.with_threshold(0), both.face)
    assert (never.unsure, never.with_threshold(0).unsure) == (0.45, 0)
    same = np.array([[0.7, 0.2, 0.1]])
    assert fused(same, same, VOICE, VOICE, VOICE)[0, 0] == pytest.approx(0.7)
