"""Windows cover a recording at bounded memory, in media time; silence is told from sound."""

import tracemalloc
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ConfigError
from mien.media import activity
from mien.media.audio import SAMPLE_RATE, read_audio
from mien.media.windows import windows


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return path


def tone(seconds, level=0.1):
    return level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


@given(seconds=st.floats(0.01, 9), length=st.floats(0.5, 4), share=st.floats(0.1, 1))
@settings(max_examples=40, deadline=None)
def test_windows_cover_the_recording_without_a_gap(tmp_path_factory, seconds, length, share):
    path = write(tmp_path_factory.mktemp("sound") / "a.wav", tone(seconds))
    whole = read_audio(path)
    found = list(windows(path, length=length, hop=share * length, detect=activity.detector("energy")))
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(len(whole) / SAMPLE_RATE)
    hop = round(share * length * SAMPLE_RATE)
    for number, window in enumerate(found):
        begin = number * hop
        assert window.start == pytest.approx(begin / SAMPLE_RATE)
        assert np.array_equal(window.samples, whole[begin:][: round(length * SAMPLE_RATE)])
        assert window.end == pytest.approx(window.start + len(window.samples) / SAMPLE_RATE)
        assert window.active == pytest.approx(window.end - window.start, abs=0.064)
    assert all(one.end >= two.start for one, two in pairwise(found))


def test_silence_between_sounds_is_found_where_it_is(tmp_path):
    path = write(tmp_path / "a.wav", np.concatenate([tone(3), np.zeros(5 * SAMPLE_RATE), tone(3)]))
    active = {w.start: w.active for w in windows(path, length=1.0, hop=1.0, detect=activity.detector("energy"))}
    assert [second for second, seconds in active.items() if seconds < 0.2] == [3, 4, 5, 6, 7]


def test_memory_does_not_grow_with_length(tmp_path):
    peaks = []
    for minutes in (1, 10):
        path = write(tmp_path / f"{minutes}.wav", np.tile(tone(1), 60 * minutes))
        tracemalloc.start()
        count = sum(1 for _ in windows(path, length=4.0, hop=1.0, detect=activity.detector("energy")))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 60 * minutes - 3
    assert peaks[1] < peaks[0] + 500_000


@pytest.mark.recordings
def test_silero_tells_a_voice_from_a_tone(recordings):
    pytest.importorskip("silero_vad", exc_type=ImportError)
    file = next(iter(sorted((recordings / "librispeech" / "train-clean-5").rglob("*.flac"))))
    voice, hum = read_audio(file)[: 8 * SAMPLE_RATE], tone(8).astype(np.float32)
    share = {}
    for name, sound in (("voice", voice), ("tone", hum)):
        frames = sound[: len(sound) // 512 * 512].reshape(-1, 512)
        share[name] = {kind: activity.detector(kind)(frames).mean() for kind in ("energy", "silero")}
    assert share["voice"]["silero"] > 0.5
    assert share["tone"]["silero"] < 0.1
    assert share["tone"]["energy"] == 1


def test_an_unknown_detector_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'silero'"):
        activity.detector("silro")
