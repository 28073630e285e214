"""Masks have exact and nested shares, noise has exactly its level, and a shift moves by its milliseconds."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import correlate, welch

from mien.media import perturbations
from mien.media.perturbations import PATTERNS, babble, generator, later, missing, mixed, noise

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
RATE = 16_000


def mask(pattern, share, frames=137, hop=0.04, seed=3, clip="a"):
    return missing(pattern, share, frames, hop, seed=seed, clip=clip)


def tone(seconds=1.0):
    return (0.2 * np.sin(2 * np.pi * 220 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name != "whole"])
@pytest.mark.parametrize("frames", [0, 1, 2, 7, 30, 137, 400])
def test_the_share_of_missing_frames_is_exact(pattern, frames):
    for share in SHARES:
        assert mask(pattern, share, frames).sum() == int(share * frames + 0.5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_missing_stays_missing_at_larger_shares(pattern):
    for number in range(60):
        masks = [mask(pattern, share, 20 + number, clip=f"c{number}") for share in SHARES]
        assert all((less <= more).all() for less, more in pairwise(masks))
        assert not masks[0].any()
        assert masks[-1].all()


def test_whole_clips_are_lost_with_the_share_as_probability():
    lost = np.array([mask("whole", 0.25, 5, clip=f"c{number}") for number in range(4000)])
    assert (lost.all(axis=1) | ~lost.any(axis=1)).all()
    assert lost[:, 0].mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 4000))


def runs(missed):
    """Lengths of the stretches that are missing."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missed.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_patterns_miss_one_stretch_or_blocks_or_single_frames():
    frames, hop = 1000, 0.01
    assert len(runs(mask("face_lost", 0.3, frames, hop))) == 1
    blocks = runs(mask("blocks", 0.3, frames, hop))
    assert 3 <= len(blocks) <= 7  # 3 s of blocks of .5 s, neighbours joined
    inside = sorted(length % 50 for length in blocks)
    assert sum(length != 0 for length in inside) <= 3  # the first, the last and the one that is cut short
    assert len(runs(mask("frames", 0.3, frames, hop))) > 150


def test_sound_and_pictures_lose_the_same_seconds_in_blocks():
    for number in range(20):
        sound = mask("blocks", 0.5, 400, 0.01, clip=f"c{number}")
        pictures = mask("blocks", 0.5, 100, 0.04, clip=f"c{number}")
        assert (sound[::4] == pictures).mean() >= 0.97


def test_masks_depend_on_seed_and_clip_alone():
    assert (mask("frames", 0.5) == mask("frames", 0.5)).all()
    assert (mask("frames", 0.5) != mask("frames", 0.5, clip="b")).any()
    assert (mask("frames", 0.5) != mask("frames", 0.5, seed=4)).any()


def test_a_single_vector_is_there_or_not():
    assert mask("blocks", 0.4, 1, float("inf")).tolist() == [False]
    assert mask("blocks", 0.6, 1, float("inf")).tolist() == [True]


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"a share of 1\.5 is missing; it must be from 0 to 1"):
        mask("frames", 1.5)


@pytest.mark.parametrize("decibels", [-5, 0, 10, 20])
@pytest.mark.parametrize("colour", perturbations.COLOURS)
def test_noise_has_its_level_after_mixing(decibels, colour):
    sound = tone()
    added = mixed(sound, noise(colour, len(sound), generator(0, "a", colour)), decibels).astype(float) - sound
    measured = 10 * np.log10(np.sum(sound.astype(float) ** 2) / np.sum(added**2))
    assert measured == pytest.approx(decibels, abs=0.1)


def test_pink_noise_falls_by_three_decibels_an_octave_and_white_does_not():
    slopes = {}
    for colour in perturbations.COLOURS:
        frequency, power = welch(noise(colour, 2**17, generator(0, "a", colour)), RATE, nperseg=2**12)
        inside = (frequency > 60) & (frequency < 6000)
        slopes[colour] = np.polyfit(np.log2(frequency[inside]), 10 * np.log10(power[inside]), 1)[0]
    assert slopes == pytest.approx({"white": 0, "pink": -3.01}, abs=0.2)


def test_babble_holds_each_voice_as_loud_as_the_others():
    random = np.random.default_rng(0)
    voices = [(level * random.standard_normal(5000)).astype(np.float32) for level in (0.001, 0.5)]
    silent = np.zeros(50, np.float32)
    heard = babble([*voices, silent, silent[:0]], 8000, generator(0, "a", "babble"))
    for voice in voices:
        repeated = np.tile(voice / np.sqrt(np.mean(voice.astype(float) ** 2)), 4)
        peak = correlate(repeated, heard[:3000], "valid").max() / 3000
        assert peak == pytest.approx(1, abs=0.1)
    assert not babble([silent], 100, generator(0, "a", "babble")).any()


def test_silence_keeps_to_itself():
    silent = np.zeros(100, np.float32)
    assert mixed(silent, np.ones(100), 0) is silent
    sound = tone()
    assert mixed(sound, np.zeros(len(sound)), 0) is sound


@pytest.mark.parametrize("milliseconds", [0, 1, 100, 250, 333, 500, 5000])
@pytest.mark.parametrize("hop", [0.01, 0.016, 0.04, 0.064])
def test_late_sound_has_each_moment_later_by_exactly_that(milliseconds, hop):
    before, cut = later(milliseconds, hop)
    places = (before + np.arange(50)) * hop  # where frames are put
    moments = cut + np.arange(50) * hop  # what they show
    np.testing.assert_allclose(places - moments, milliseconds / 1000, atol=1e-9)
    assert 0 <= cut < hop
    assert (before - 1) * hop < milliseconds / 1000  # no frame is lost that could be known
    assert (cut == 0) == (abs(milliseconds / 1000 / hop - round(milliseconds / 1000 / hop)) < 1e-9)
