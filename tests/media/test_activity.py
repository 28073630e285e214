"""A trained detector separates a voice from other sound, which the level alone does not."""

import sys

import numpy as np
import pytest

from mien.errors import ConfigError, unknown
from mien.media import activity
from mien.media.activity import detector
from mien.media.audio import SAMPLE_RATE, read_audio


@pytest.mark.recordings
def test_silero_separates_a_voice_from_a_tone(recordings):
    pytest.importorskip("silero_vad", exc_type=ImportError)
    file = next(iter(sorted((recordings / "librispeech" / "train-clean-5").rglob("*.flac"))))
    voice = read_audio(file)[: 8 * SAMPLE_RATE]
    hum = (0.1 * np.sin(2 * np.pi * 220 * np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)
    share = {}
    for name, sound in (("voice", voice), ("tone", hum)):
        frames = sound[: len(sound) // 512 * 512].reshape(-1, 512)
        share[name] = {kind: detector(kind)(frames).mean() for kind in ("energy", "silero")}
    assert share["voice"]["silero"] > 0.5
    assert share["tone"]["silero"] < 0.1
    assert share["tone"]["energy"] == 1


RNG = np.random.default_rng(0)
FRAMES = 20


def noise(decibels, channels=1):
    values = 10 ** (decibels / 20) * RNG.standard_normal((FRAMES, channels, 512))
    return values.astype(np.float32)


def share(frames):
    return detector("energy")(frames).mean()


@pytest.mark.parametrize("offset", [0.0, 0.01, -0.5, 0.99])
def test_a_constant_offset_is_no_level(offset):
    constant = np.full((FRAMES, 512), offset, np.float32)
    assert share(constant) == 0
    assert share(noise(-60)[:, 0] + np.float32(offset)) == 0
    assert share(noise(-50)[:, 0] + np.float32(offset)) == 1


@pytest.mark.parametrize("kind", ["ramp", "swing"])
def test_an_offset_that_drifts_is_no_level(kind):
    time = np.arange(FRAMES * 512) / 16_000
    drift = 0.2 * time if kind == "ramp" else 0.3 * np.sin(2 * np.pi * 0.3 * time)
    drift = drift.reshape(FRAMES, 512).astype(np.float32)
    assert share(drift) == 0
    assert share(drift + noise(-60)[:, 0]) == 0
    assert share(drift + noise(-50)[:, 0]) == 1


@pytest.mark.parametrize(("channels", "place"), [(1, 0), (2, 1), (6, 2), (64, 63)])
def test_the_loudest_channel_counts_each_without_its_offset(channels, place):
    offsets = np.linspace(-0.3, 0.3, channels, dtype=np.float32)[:, None]
    quiet = noise(-80, channels) + offsets
    assert share(quiet) == 0
    quiet[:, place] += noise(-50)[:, 0]
    assert share(quiet) == 1
    assert share(noise(-60, channels) + offsets) == 0


def test_channels_that_cancel_are_silence_as_in_their_mean():
    voice = noise(-20)
    assert share(np.concatenate([voice, -voice], axis=1)) == 0
    assert share(np.concatenate([voice, -0.5 * voice], axis=1)) == 1
    assert share(np.concatenate([voice, voice], axis=1)) == 1


def test_an_unknown_detector_is_refused_with_the_nearest():
    with pytest.raises(ConfigError) as error:
        detector("silro")
    assert str(error.value) == unknown("voice activity", "silro", ("energy", "silero"))


def test_silero_at_another_rate_is_refused():
    with pytest.raises(ConfigError) as error:
        detector("silero", rate=8_000)
    assert str(error.value) == "voice activity 'silero' needs 16,000 Hz, and the model has 8000 Hz: use 'energy'"


@pytest.mark.parametrize("absent", [["silero_vad"], ["silero_vad", "torch"]])
def test_silero_names_its_own_extra(monkeypatch, absent):
    activity._silero.cache_clear()
    for module in absent:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as error:
        detector("silero")
    assert str(error.value) == "voice activity 'silero' needs an extra: pip install 'mien[vad]'"
