"""Limits travel to worker processes, and hold before memory is spent."""

import struct
import subprocess
import sys
import wave
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from mien.common import watch
from mien.common.workers import spread
from mien.errors import ConfigError, MediaError
from mien.media import boxes, containers, limits
from mien.media.audio import read_audio
from mien.media.containers import open_media
from mien.media.limits import Limits, carried, current, given, held, limits_of, of_process
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


COUNTS = [name for name, field in Limits.model_fields.items() if field.annotation is int]


def promised(file: Path) -> int:
    return boxes.promised_samples(file, 1000)


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def packed(index: bytes) -> bytes:
    """A compressed index, as of QuickTime 3."""
    content = zlib.compress(index)
    return box(b"cmov", box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", len(index)) + content))


def mp4(file: Path, *, fragments: bool = False) -> bytes:
    """Three pictures."""
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if fragments else {}
    with av.open(str(file), "w", options=options) as container:
        track = container.add_stream("mpeg4", rate=1)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(track.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(track.encode(None))
    return file.read_bytes()


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
        (
            {"second": 2.0},
            "--limit: unknown key 'second'. Did you mean 'seconds'? Known: boxes, channels, frame_rate, ",
        ),
        ({"pixels": 0}, "--limit: pixels: input should be greater than or equal to 1 (found 0)"),
        ({"pixels": 1.5}, "--limit: pixels: input should be a valid integer (found 1.5)"),
        ({"seconds": float("nan")}, "--limit: seconds: input should be a finite number (found .nan)"),
        ({"seconds": "a day"}, "--limit: seconds: a number is needed (found 'a day')"),
        ({"pixels": 1e12}, "--limit: pixels: input should be less than or equal to 2147483647 (found 1000000000000)"),
        ({"samples": 2**31}, "--limit: samples: input should be less than or equal to 2147483647 (found 2147483648)"),
        ({"frame_rate": 10**400}, "--limit: frame_rate: input should be less than or equal to 9007199254740992 (found"),
        ({"stall": 1e12}, "--limit: stall: input should be less than or equal to 604800 (found 1000000000000"),
        ({"sample_rate": 10}, "--limit: least_sample_rate 1000 is above sample_rate 10"),
    ],
)
def test_what_is_no_limit_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limits_of(wrong)
    assert str(caught.value).startswith(sentence)


def test_the_greatest_and_the_least_limits_do_what_they_say(tmp_path: Path) -> None:
    """Code that takes numbers as C does would fail with ones that are larger, of files that have done nothing."""
    mp4(tmp_path / "a.mp4")
    whole = {name: 2**31 - 1 if name in ("pixels", "samples") else 2**53 for name in COUNTS}
    greatest = limits_of({**whole, "seconds": 1e308, "gap": 1e308, "memory": 1e308, "stall": 7 * 86_400})
    least = limits_of({"stall": 1e-300, "memory": 1e-300})
    with held(greatest):
        assert len(list(stream_media(tmp_path / "a.mp4"))) == 3
        assert of_process().memory > 1e308
    watched = "from mien.common import watch; import os, pathlib, sys, time\n"
    watched += "watch.start(os.getppid())\nwith watch.limited(watch.Limits(*map(float, sys.argv[2:])), "
    watched += "pathlib.Path(sys.argv[1])):\n    at = watch.begin(); time.sleep(0.5); watch.end(at)"
    for most, code in ((greatest, 0), (least, 1)):
        with held(most):
            numbers = [str(of_process().seconds), str(of_process().memory)]
        command = [sys.executable, "-c", watched, str(tmp_path / "left"), *numbers]
        assert subprocess.run(command, check=False).returncode == code


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
    content = bytearray(mp4(tmp_path / "a.mp4", fragments=fragments))
    assert promised(tmp_path / "a.mp4") == (3 if fragments else 0)
    at = content.index(b"trun" if fragments else b"stsz") + (4 if fragments else 8)
    content[at : at + 8] = struct.pack(">II", 1, len(content) + 1)
    (tmp_path / "lie.mp4").write_bytes(content)
    (tmp_path / "hidden.mp4").write_bytes(struct.pack(">I4s", 8 + len(content), b"udta") + content)
    assert len(content) < promised(tmp_path / "lie.mp4") < len(content) + 4
    promise = f"promises {promised(tmp_path / 'lie.mp4'):,} samples in"
    assert cause(tmp_path / "lie.mp4") == f"{promise} {len(content):,} bytes, as no recording does"
    assert promised(tmp_path / "hidden.mp4") == promised(tmp_path / "lie.mp4")


def test_a_compressed_index_is_read_like_a_plain_one(tmp_path: Path) -> None:
    content = mp4(tmp_path / "a.mp4")
    at = content.index(b"moov") - 4
    index = bytearray(content[at + 8 : at + int.from_bytes(content[at : at + 4], "big")])
    for name, most in (("true.mov", None), ("lie.mov", 10**6)):
        if most is not None:
            place = index.index(b"stsz") + 8
            index[place : place + 8] = struct.pack(">II", 1, most)
        (tmp_path / name).write_bytes(content[:at] + box(b"moov", packed(bytes(index))))
    assert promised(tmp_path / "true.mov") == 0
    assert len(list(stream_media(tmp_path / "true.mov"))) == 3
    assert promised(tmp_path / "lie.mov") == 10**6
    assert cause(tmp_path / "lie.mov").startswith("promises 1,000,000 samples in ")


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (packed(packed(b"")), "has a compressed index in a compressed index, as no recording does"),
        (packed(box(b"udta", packed(b""))), "has a compressed index in a compressed index, as no recording does"),
        (packed(bytes(600)) * 2, "has compressed indexes of more than 1,000 bytes, as no recording does"),
        (box(b"trak") * 40, "has an index of more than 30 boxes; the limit is boxes = 30 "),
        (packed(box(b"trak") * 40), "has an index of more than 30 boxes; the limit is boxes = 30 "),
        (box(b"cmov"), "is no media file of a known format, or is damaged at its head"),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.wav", "a"])
def test_an_index_that_multiplies_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: bytes, sentence: str, name: str
) -> None:
    monkeypatch.setattr(boxes, "_UNPACKED", 1000)
    (tmp_path / name).write_bytes(box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", index) + box(b"free", bytes(5000)))
    with held(Limits(boxes=30)):
        assert cause(tmp_path / name).startswith(sentence)


def test_a_compressed_index_ends_with_its_box(tmp_path: Path) -> None:
    """What follows it would be read too, were the length of what it holds below that of its head."""
    lie = box(b"trak", box(b"stsz", bytes(4) + struct.pack(">II", 1, 10**6)))
    (tmp_path / "short.mp4").write_bytes(box(b"moov", box(b"cmov", bytes(8))) + bytes(16) + zlib.compress(lie))
    assert promised(tmp_path / "short.mp4") == 0


@pytest.mark.parametrize(
    "place", [(b"sinf",), (b"sinf", b"schi"), (b"tref",), (b"meta",), (b"udta", b"meta", b"ilst"), (b"hoov",)]
)
def test_a_promise_is_found_wherever_libav_looks(tmp_path: Path, place: tuple[bytes, ...]) -> None:
    content = box(b"stsz", bytes(4) + struct.pack(">II", 1, 10**6))
    for kind in reversed(place):
        content = box(kind, (bytes(4) if kind == b"meta" else b"") + content)
    (tmp_path / "hidden.mp4").write_bytes(box(b"moov", box(b"trak", content)))
    assert promised(tmp_path / "hidden.mp4") == 10**6


def test_libav_reads_sizes_in_a_description_of_samples(tmp_path: Path) -> None:
    content = mp4(tmp_path / "a.mp4").replace(b"stsz", b"free")
    at = content.index(b"stsd") + 12
    end, lie = at + int.from_bytes(content[at : at + 4], "big"), box(b"stsz", bytes(4) + struct.pack(">II", 7, 2))
    changed = bytearray(content[:end] + lie + content[end:])
    for place in [at, *(content.index(kind) - 4 for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"))]:
        length = int.from_bytes(content[place : place + 4], "big") + len(lie)
        changed[place : place + 4] = struct.pack(">I", length)
    (tmp_path / "hidden.mp4").write_bytes(changed)
    assert promised(tmp_path / "hidden.mp4") == 2
    with av.open(str(tmp_path / "hidden.mp4")) as opened:
        assert [packet.size for packet in opened.demux() if packet.size] == [7, 7]


@pytest.mark.parametrize("after", [0, 50])
@pytest.mark.parametrize("before", [0, 86, *range(2**16 - 24, 2**16), 2**17])
def test_a_promise_in_a_description_of_samples_is_found_once(tmp_path: Path, before: int, after: int) -> None:
    lie = box(b"stsz", bytes(4) + struct.pack(">II", 1, 10**6))
    (tmp_path / "hidden.mp4").write_bytes(box(b"moov", box(b"trak", box(b"stsd", bytes(before) + lie + bytes(after)))))
    assert promised(tmp_path / "hidden.mp4") == 10**6


def test_only_what_libav_takes_for_mp4_is_searched_for_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as tone:
        tone.setparams((1, 2, 16_000, 0, "NONE", ""))
        tone.writeframes(bytes(range(250)) * 64)
    mp4(tmp_path / "a.mp4")
    (tmp_path / "film.wav").write_bytes((tmp_path / "a.mp4").read_bytes())
    searched = []
    monkeypatch.setattr(containers, "promised_samples", lambda file, most: searched.append(file.name) or 0)
    for name in ("tone.wav", "a.mp4", "film.wav"):
        with open_media(tmp_path / name):
            pass
    assert searched == ["a.mp4", "film.wav"]


def test_a_worker_may_not_search_an_index_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mp4(tmp_path / "a.mp4")
    calls: list[str] = []
    monkeypatch.setattr(watch, "begin", lambda: calls.append("begin"))
    monkeypatch.setattr(watch, "end", lambda before: calls.append("end"))
    monkeypatch.setattr(containers, "promised_samples", lambda file, most: calls.append("search") or 0)
    with open_media(tmp_path / "a.mp4"):
        assert calls[:3] == ["begin", "search", "end"]


def test_sound_in_chunks_of_quicktime_promises_nothing(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ones((1, 16_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(track.encode(frame))
    assert promised(tmp_path / "a.mov") == 0
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
