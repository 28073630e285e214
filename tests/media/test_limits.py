"""Limits travel to worker processes, and hold before memory is spent."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from mien.common.workers import spread
from mien.errors import ConfigError, MediaError
from mien.media import boxes, containers, limits
from mien.media.audio import read_audio
from mien.media.containers import open_media
from mien.media.limits import Limits, carried, current, given, held, limits_of
from mien.media.streams import stream_media


def film(file: Path, sizes: list[tuple[int, int]], *, form: str | None = None, streams: int = 1) -> Path:
    """Two black pictures a second of each size, of which the header has the first one alone."""
    with av.open(str(file), "w", format=form) as container:
        tracks = [container.add_stream("mpeg4", rate=1) for _ in range(streams)]
        for track in tracks:
            track.width, track.height, track.pix_fmt = *sizes[0], "yuv420p"
        for number, (width, height) in enumerate(sizes):
            coder = av.CodecContext.create("mpeg4", "w")
            coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
            coder.time_base = tracks[0].codec_context.time_base or 1
            coder.framerate = 1
            frames = [av.VideoFrame(width, height, "yuv420p") for _ in range(2)]
            for at, frame in enumerate(frames):
                frame.pts = 2 * number + at
            for packet in [*coder.encode(frames[0]), *coder.encode(frames[1]), *coder.encode(None)]:
                for track in tracks:
                    copy = av.Packet(bytes(packet))
                    copy.pts, copy.dts, copy.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
                    copy.time_base, copy.stream = coder.time_base, track
                    container.mux(copy)
    return file


def cause(file: Path) -> str:
    with pytest.raises(MediaError) as caught:
        list(stream_media(file))
    return caught.value.cause


def test_limits_are_those_of_the_block_alone() -> None:
    assert current() == Limits()
    with held(limits_of({"seconds": 2, "pixels": 4e7})):
        assert (current().seconds, current().pixels) == (2.0, 40_000_000)
        assert given() == {"seconds": 2.0, "pixels": 40_000_000}
    assert given() == {}


def test_worker_processes_have_the_limits_of_the_caller() -> None:
    def seconds(chunk: list[str]) -> float:
        return current().seconds

    with held(Limits(seconds=2.5)):
        work = carried(seconds)
    assert [found for _, found in spread(work, [["a"], ["b"]], workers=2)] == [2.5, 2.5]
    assert [found for _, found in spread(carried(seconds), [["a"]], workers=2)] == [Limits().seconds]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"second": 2.0}, "--limit: unknown key 'second'. Did you mean 'seconds'? Known: channels, frame_rate, "),
        ({"pixels": 0}, "--limit: pixels: input should be greater than or equal to 1 (found 0)"),
        ({"pixels": 1.5}, "--limit: pixels: input should be a valid integer (found 1.5)"),
        ({"seconds": float("nan")}, "--limit: seconds: input should be a finite number (found .nan)"),
        ({"seconds": "a day"}, "--limit: seconds: a number is needed (found 'a day')"),
        ({"sample_rate": 10}, "--limit: least_sample_rate 1000 is above sample_rate 10"),
    ],
)
def test_what_is_no_limit_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limits_of(wrong)
    assert str(caught.value).startswith(sentence)


def test_pictures_that_grow_in_mid_stream_are_refused_by_the_decoder(tmp_path: Path) -> None:
    file = film(tmp_path / "grows.mkv", [(64, 48), (320, 240)])
    assert len(list(stream_media(file))) == 4
    with held(Limits(pixels=320 * 240 - 1)):
        assert cause(file) == "is damaged at 2.00 s: Invalid argument"


def test_many_streams_of_large_pictures_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "PROBED", 64 * 48)
    for streams, large in ((4, (320, 240)), (5, (64, 48))):
        with open_media(film(tmp_path / "some.mkv", [large], streams=streams)) as media:
            assert len(media.container.streams.video) == streams
    file = film(tmp_path / "many.mkv", [(320, 240)], streams=5)
    assert cause(file).startswith("has 5 streams of large pictures, or of ones that cannot be read; keep one of them: ")


@pytest.mark.parametrize("fragments", [False, True])
def test_an_index_that_promises_more_samples_than_bytes_is_refused(tmp_path: Path, fragments: bool) -> None:
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if fragments else {}
    with av.open(str(tmp_path / "a.mp4"), "w", options=options) as container:
        track = container.add_stream("mpeg4", rate=1)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(track.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(track.encode(None))
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    assert boxes.promised_samples(tmp_path / "a.mp4") == (3 if fragments else 0)
    at = content.index(b"trun" if fragments else b"stsz") + (4 if fragments else 8)
    content[at : at + 8] = struct.pack(">II", 1, len(content) + 1)
    (tmp_path / "lie.mp4").write_bytes(content)
    (tmp_path / "hidden.mp4").write_bytes(struct.pack(">I4s", 8 + len(content), b"udta") + content)
    assert len(content) < boxes.promised_samples(tmp_path / "lie.mp4") < len(content) + 4
    promise = f"promises {boxes.promised_samples(tmp_path / 'lie.mp4'):,} samples in"
    assert cause(tmp_path / "lie.mp4") == f"{promise} {len(content):,} bytes, as no recording does"
    assert boxes.promised_samples(tmp_path / "hidden.mp4") == boxes.promised_samples(tmp_path / "lie.mp4")


def test_sound_in_chunks_of_quicktime_promises_nothing(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ones((1, 16_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(track.encode(frame))
    assert boxes.promised_samples(tmp_path / "a.mov") == 0
    assert len(read_audio(tmp_path / "a.mov", silent="allow")) == 16_000


def test_more_samples_in_a_packet_than_the_limit_are_not_decoded(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.flac"), "w") as container:
        track = container.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ones((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert len(read_audio(tmp_path / "a.flac", silent="allow")) == 4096
    with held(Limits(samples=1000)):
        assert "is damaged" in cause(tmp_path / "a.flac") or "truncated" in cause(tmp_path / "a.flac")


def test_the_sentence_says_how_to_read_it_all_the_same() -> None:
    assert limits.HOW.format("pixels") == "predict, prepare and label take --limit pixels=N"
