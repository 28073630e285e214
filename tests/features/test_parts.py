"""Parts of a sound have the frames that each has alone; pitch, which is led by what is around it, nearly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import features
from mien.corpora.toy import voice
from mien.corpora.toy.config import SENTENCES
from mien.corpora.toy.expression import express
from mien.corpora.toy.people import sample_people
from mien.features._parts import LOCAL, extract_parts

SOUND = 0.1 * np.random.default_rng(0).standard_normal(40_000).astype(np.float32)


def check(name, places, config):
    alone = features.extract(name, [SOUND[place] for place in places], config)
    for part, whole in zip(extract_parts(name, SOUND, places, config), alone, strict=True):
        assert part.shape == whole.shape
        np.testing.assert_allclose(part, whole, rtol=1e-3, atol=3e-5)


@given(
    name=st.sampled_from(LOCAL),
    places=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9_000)), min_size=1, max_size=3),
    window=st.sampled_from([0.010, 0.025, 0.040]),
    shift=st.sampled_from([0.005, 0.010]),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_as_alone(name, places, window, shift):
    config = features.parse(name, {"window": window, "shift": shift})
    check(name, [slice(160 * first, min(160 * first + length, len(SOUND))) for first, length in places], config)


@pytest.mark.parametrize("settings", [{"speed": 0.9}, {"noise_db": 20.0}])
def test_what_is_perturbed_is_extracted_part_by_part(settings):
    check("logmel", [slice(0, 16_000), slice(8_000, 24_000)], features.parse("logmel", settings))


OF_SOUND = [name for name in features.names("audio") if features.source_of(name) == "media"]


@pytest.mark.parametrize("name", [name for name in OF_SOUND if not features.needs_folder(name)])
def test_what_is_alone_or_off_the_grid_is_extracted_as_it_is(name):
    check(name, [slice(1_600, 16_000)], features.parse(name, {}))
    check(name, [slice(81, 16_000), slice(8_003, 24_000)], features.parse(name, {}))


@pytest.fixture(scope="module")
def speech():
    """Toy people, one after the other, about 15 s."""
    rng = np.random.default_rng(0)
    people = sample_people(3, rng)
    sentences = [
        voice.speak(sentence, person, express(emotion, 1.0, 0.1, rng), seconds=2.0, snr=30.0, rng=rng).samples
        for person in people
        for sentence, emotion in zip(SENTENCES[:2], ("anger", "sadness"), strict=True)
    ]
    return np.concatenate(sentences)


def test_pitch_in_pieces_is_nearly_that_of_each_part_alone(speech):
    config = features.parse("prosody", {})
    places = [slice(start, start + 64_000) for start in range(0, len(speech) - 64_000, 16_000)]
    shared = extract_parts("prosody", speech, places, config)
    alone = features.extract("prosody", [speech[place] for place in places], config)
    assert [part.shape for part in shared] == [part.shape for part in alone]
    pieces, expected = np.concatenate(shared), np.concatenate(alone)
    voiced = expected[:, 1] > 0.7
    assert voiced.mean() > 0.3
    assert (np.abs(pieces[voiced, 0] / expected[voiced, 0] - 1) < 0.02).mean() > 0.98
    assert np.abs(pieces[voiced, 1] - expected[voiced, 1]).mean() < 0.005
    inside = np.concatenate([part[2:-2, 2] for part in shared])
    np.testing.assert_allclose(inside, np.concatenate([part[2:-2, 2] for part in alone]), atol=1e-4)


@pytest.mark.parametrize("name", ["mfb43", "functionals"])
def test_what_holds_pitch_is_made_of_the_same_frames(speech, name):
    config = features.parse(name, {})
    places = [slice(start, start + 64_000) for start in range(0, len(speech) - 64_000, 16_000)]
    shared = np.concatenate(extract_parts(name, speech, places, config))
    alone = np.concatenate(features.extract(name, [speech[place] for place in places], config))
    assert shared.shape == alone.shape
    spread = alone.std(axis=0) + 1e-3
    assert np.median(np.abs(shared - alone) / spread) < 1e-2
    others = np.roll(alone, len(alone) // 2, axis=0)
    assert np.median(np.abs(others - alone) / spread) > 0.3


def test_what_overlaps_is_computed_once(monkeypatch):
    searched = []
    extract = features.extract

    def watched(name, sounds, config):
        searched.extend(sounds)
        return extract(name, sounds, config)

    monkeypatch.setattr(features, "extract", watched)
    places = [slice(start, start + 16_000) for start in range(0, 16_001, 1_600)]
    extract_parts("logmel", SOUND, places, features.parse("logmel", {}))
    assert sum(map(len, searched)) < 1.8 * len(SOUND) < 0.5 * sum(place.stop - place.start for place in places)


def test_the_edges_of_a_part_are_not_those_of_the_whole():
    config = features.parse("logmel", {})
    (whole,) = features.extract("logmel", [SOUND], config)
    (part,) = extract_parts("logmel", SOUND, [slice(16_000, 32_000)], config)
    apart = np.abs(part - whole[100:200]).max(axis=1)
    assert (apart[[0, 1, -2, -1]] > 1e-2).all()
    assert (apart[2:-2] < 3e-5).all()
