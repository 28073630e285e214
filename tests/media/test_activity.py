"""A trained detector separates a voice from other sound, which the level alone does not."""

import numpy as np
import pytest

from mien.errors import ConfigError, unknown
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


def test_an_unknown_detector_is_refused_with_the_nearest():
    with pytest.raises(ConfigError) as error:
        detector("silro")
    assert str(error.value) == unknown("voice activity", "silro", ("energy", "silero"))


def test_silero_at_another_rate_is_refused():
    with pytest.raises(ConfigError) as error:
        detector("silero", rate=8_000)
    assert str(error.value) == "voice activity 'silero' needs 16,000 Hz, and the model has 8000 Hz: use 'energy'"
