"""Real recordings: `read_audio` agrees with their headers and an independent decoder."""

import wave
from pathlib import Path

import numpy as np
import pytest

from mien.media.audio import read_audio
from mien.media.containers import probe


@pytest.mark.recordings
def test_real_recordings(recordings: Path) -> None:
    for file in sorted((recordings / "clips" / "grid").glob("*.mpg")):
        assert len(read_audio(file)) / 16_000 == pytest.approx(2.98, abs=0.05)
        assert probe(file) == (pytest.approx(2.98, abs=0.05), True, True)
    late = read_audio(recordings / "clips" / "face_noface.mov")  # the track begins at sample 107,164 of 44,100 a second
    first = round(107_164 / 44_100 * 16_000)
    assert not late[: first - 100].any()
    assert late[first : first + 8000].any()
    file = recordings / "ravdess-original" / "Actor_01" / "03-01-01-01-01-01-01.wav"
    with wave.open(str(file)) as plain:
        integers = np.frombuffer(plain.readframes(plain.getnframes()), "<i2")
        source = plain.getframerate()
    assert np.array_equal(read_audio(file, rate=source), integers / np.float32(2**15))
