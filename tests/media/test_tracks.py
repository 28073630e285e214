"""A silent default track is told from a file in which nobody speaks."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import MediaError
from mien.media.audio import read_audio
from mien.media.tracks import heard_instead

RATE = 16_000


def write(file: Path, *levels: float, encoder: str = "flac") -> Path:
    """A track of three seconds of noise for each level, as a share of full scale."""
    with av.open(str(file), "w", format="matroska") as container:
        tracks = [container.add_stream(encoder, rate=RATE, layout="mono") for _ in levels]
        made = []
        for track, level in zip(tracks, levels, strict=True):
            noise = np.random.default_rng(0).normal(0, 1, 3 * RATE) * level * 2**15
            for begin in range(0, len(noise), 1600):
                piece = noise[None, begin : begin + 1600].astype(np.int16)
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
                made += track.encode(frame)
            made += track.encode(None)
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return file


def test_a_silent_default_track_is_refused_with_the_one_that_is_not(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        read_audio(write(tmp_path / "film.mkv", 0.0, 0.0, 0.1))
    assert caught.value.cause == (
        "is silent: the mean of its channels stays below 1.5e-05 of full scale; track 3 of its 3 sound tracks is not: "
        "keep that one, as 'ffmpeg -i film.mkv -map 0:a:2 FILE.wav'"
    )


@pytest.mark.parametrize(("levels", "heard"), [((0.0,), False), ((0.0, 1e-3), False), ((0.0, 0.01), True)])
def test_only_another_track_that_is_heard_is_worth_a_word(
    tmp_path: Path, levels: tuple[float, ...], heard: bool
) -> None:
    found = heard_instead(write(tmp_path / "a.mkv", *levels))
    assert (found is not None) == heard
