"""Parts of a file are decoded once together, and each is what it is when it is read alone."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media import audio
from mien.media.audio import read_audio, read_parts

RATE = 44_100
FORMATS = {
    "a.mp3": ("mp3", "mp3"),
    "a.ogg": ("ogg", "flac"),
    "a.mka": ("matroska", "aac"),
    "a.ts": ("mpegts", "mp2"),
    "a.flac": ("flac", "flac"),
    "a.m4a": ("ipod", "aac"),
}
PARTS = [(2.0, 3.0), (None, 1.0), (2.5, 2.75), (0.0, 0.05), (7.0, None), (2.5, 2.75), (7.9, 7.98), (0.3, 7.6)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Eight seconds of noise in each format, with silence from 4 to 6 s."""
    folder = tmp_path_factory.mktemp("parts")
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * RATE).astype(np.float32)
    noise[4 * RATE : 6 * RATE] = 0
    for name, (form, encoder) in FORMATS.items():
        with av.open(str(folder / name), "w", format=form) as container:
            stream = container.add_stream(encoder, rate=RATE, layout="mono")
            size = stream.codec_context.frame_size or 1152
            converter = av.AudioResampler(stream.codec_context.format or "s16", "mono", RATE, frame_size=size)
            frame = av.AudioFrame.from_ndarray(noise[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            for converted in converter.resample(frame) + converter.resample(None):
                container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
    return {name: folder / name for name in FORMATS}


def together(file: Path, parts: Sequence[tuple[float | None, float | None]]) -> list[NDArray[np.float32] | MediaError]:
    found = dict(read_parts(file, parts))
    return [found[number] for number in range(len(parts))]


def alone(file: Path, start: float | None, end: float | None) -> NDArray[np.float32] | str:
    try:
        return read_audio(file, start=start, end=end)
    except MediaError as error:
        return error.cause


@pytest.mark.parametrize("name", FORMATS)
def test_parts_in_any_order_are_what_each_is_alone(files: dict[str, Path], name: str) -> None:
    for part, found in zip(PARTS, together(files[name], PARTS), strict=True):
        assert np.array_equal(found, alone(files[name], *part))


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.mka", "a.ts"])
def test_a_file_is_decoded_once_for_all_its_parts(
    files: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    mono = audio.Track._mono
    monkeypatch.setattr(audio.Track, "_mono", lambda self, frame: (decoded.append(frame.samples), mono(self, frame))[1])
    together(files[name], [(start, start + 0.5) for start in (6.9, 6.0, 0.0, 2.0, 3.0, 6.5, 6.6)])
    assert 7.4 * RATE <= sum(decoded) < 7.7 * RATE  # to the end of the last part and a little


@pytest.mark.parametrize("name", ["a.ogg", "a.flac"])
def test_a_part_that_cannot_be_read_does_not_hold_back_the_others(files: dict[str, Path], name: str) -> None:
    parts = [(-1.0, 1.0), (1.0, 2.0), (4.5, 5.5), (7.0, 9.0), (3.0, 3.0), (11.0, 12.0), (6.5, 7.5)]
    found = together(files[name], parts)
    assert [one.cause if isinstance(one, MediaError) else len(one) for one in found] == [
        "has no part from -1.0 to 1.0 seconds; the start must be 0 or more, the end later",
        16_000,
        "is silent: the mean of its channels stays below 1.5e-05 of full scale",
        "ends at 8.00 s, before the part from 7.00 to 9.00 s does",
        "has no part from 3.0 to 3.0 seconds; the start must be 0 or more, the end later",
        alone(files[name], 11.0, 12.0),
        16_000,
    ]


def test_damage_takes_the_parts_behind_it_alone(files: dict[str, Path], tmp_path: Path) -> None:
    content = bytearray(files["a.mp3"].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = bytes(byte ^ 255 for byte in content[middle : middle + 6000])
    (tmp_path / "hurt.mp3").write_bytes(content)
    parts = [(start / 4, start / 4 + 0.25) for start in range(31)]
    found = together(tmp_path / "hurt.mp3", parts)
    for part, one in zip(parts, found, strict=True):
        truth = alone(tmp_path / "hurt.mp3", *part)
        assert one.cause == truth if isinstance(one, MediaError) else np.array_equal(one, truth)
    causes = [one.cause[:16] for one in found if isinstance(one, MediaError)]
    assert 10 < len(causes) < 20
    assert set(causes) == {"is damaged at 4."}


def test_a_part_comes_as_soon_as_it_is_decoded(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    mono = audio.Track._mono
    monkeypatch.setattr(audio.Track, "_mono", lambda self, frame: (decoded.append(frame.samples), mono(self, frame))[1])
    stream = read_parts(files["a.mp3"], [(6.0, 7.0), (0.0, 1.0), (2.0, 3.0)])
    assert [next(stream)[0], next(stream)[0]] == [1, 2]
    assert sum(decoded) < 4 * RATE
    assert next(stream)[0] == 0


def test_a_part_longer_than_the_longest_is_refused_and_the_others_are_read(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 2.0)
    found = together(files["a.mp3"], [(0.5, 3.5), (1.0, 2.0), (0.0, None)])
    longer = "is longer than 2 seconds; read a part of it, or stream it"
    assert [one.cause if isinstance(one, MediaError) else len(one) for one in found] == [longer, 16_000, longer]
