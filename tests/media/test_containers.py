"""Hostile, damaged and odd files: each is refused with its name and its cause, and nothing else is touched."""

import contextlib
import io
import os
import struct
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import MediaError
from mien.media import headers, soundtrack
from mien.media.audio import read_audio, stream_audio
from mien.media.containers import open_media, probe
from mien.media.limits import HOW, Limits, held

RATE = 44_100
NOISE = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
FORMATS = {
    "wav": "pcm_s16le",
    "aiff": "pcm_s16be",
    "flac": "flac",
    "mp3": "mp3",
    "mp4": "aac",
    "matroska": "aac",
    "flv": "aac",
    "adts": "aac",
}
UNKNOWN = "is no media file of a known format, or is damaged at its head: "  # then the words of libav
EMPTY = "holds neither sound nor pictures"
UNDECODED = "holds a sound track that cannot be decoded; it is damaged at its head or no sound"
CONCAT = "ffconcat version 1.0\nfile secret.wav\n"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.ts\n#EXT-X-ENDLIST\n"


def write(file: Path, form: str, encoder: str, **options: str) -> Path:
    """Three seconds of noise."""
    with av.open(str(file), "w", format=form, options=options) as container:
        stream = container.add_stream(encoder, rate=RATE, layout="mono")
        converter = av.AudioResampler(
            stream.codec_context.format, "mono", RATE, stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(NOISE[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for converted in converter.resample(frame) + converter.resample(None):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file


def float_wav(file: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    """A 32-bit float wav file, written by hand."""
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(data)) + data
    file.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three seconds of noise in the formats whose truncation can be detected; mp4 with its index in front."""
    folder = tmp_path_factory.mktemp("whole")
    options = {"mp4": {"movflags": "faststart"}}
    return {form: write(folder / f"a.{form}", form, code, **options.get(form, {})) for form, code in FORMATS.items()}


def refused(file: Path) -> str:
    """The cause for which both ways of reading refuse a file; both name it."""
    with pytest.raises(MediaError) as caught:
        read_audio(file)
    with pytest.raises(MediaError):
        list(stream_audio(file))
    assert caught.value.file == file
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)
    return caught.value.cause


@pytest.mark.parametrize("form", FORMATS)
def test_a_truncated_file_is_refused_and_a_whole_one_is_read(whole: dict[str, Path], tmp_path: Path, form: str) -> None:
    assert len(read_audio(whole[form])) == pytest.approx(48_000, abs=1600)
    content = whole[form].read_bytes()
    for share in (0.3, 0.6, 0.9):
        cut = tmp_path / "cut"
        cut.write_bytes(content[: int(len(content) * share)])
        assert refused(cut).startswith("truncated: ")


def test_a_truncated_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    content = write(tmp_path / "a.mp4", "mp4", "aac").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    assert refused(tmp_path / "cut.mp4").startswith(UNKNOWN)


def test_a_part_before_the_end_of_a_truncated_file_is_read(whole: dict[str, Path], tmp_path: Path) -> None:
    content = whole["wav"].read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    assert np.array_equal(read_audio(tmp_path / "cut.wav", end=1.0), read_audio(whole["wav"], end=1.0))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF - 36])
def test_a_wav_file_written_to_a_pipe_is_not_truncated(whole: dict[str, Path], tmp_path: Path, size: int) -> None:
    content = bytearray(whole["wav"].read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    (tmp_path / "piped.wav").write_bytes(content)
    assert np.array_equal(read_audio(tmp_path / "piped.wav"), read_audio(whole["wav"]))
    content[at : at + 4] = struct.pack("<I", 10**9)  # the control: a size that a writer could have meant
    (tmp_path / "piped.wav").write_bytes(content)
    cause = "truncated: holds 3.00 of the 11337.87 seconds that its header promises"
    assert refused(tmp_path / "piped.wav") == cause


@pytest.mark.parametrize(("form", "count"), [("flac", 6000), ("flac", 1), ("mp3", 6000), ("mp4", 6000)])
def test_damage_in_the_middle_is_refused_with_its_time(
    whole: dict[str, Path], tmp_path: Path, form: str, count: int
) -> None:
    content = bytearray(whole[form].read_bytes())
    middle = len(content) // 2
    content[middle : middle + count] = bytes(byte ^ 255 for byte in content[middle : middle + count])
    (tmp_path / "hurt").write_bytes(content)
    assert refused(tmp_path / "hurt").startswith("is damaged at 1.")


def test_tags_at_the_end_and_a_cover_picture_are_no_damage_and_no_video(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp3", "mp3", "mp3")
    plain = read_audio(file)
    file.write_bytes(file.read_bytes() + b"TAG" + b"Title".ljust(125, b"\0"))
    assert np.array_equal(read_audio(file), plain)
    png = av.CodecContext.create("png", "w")
    png.width, png.height, png.pix_fmt, png.framerate = 16, 16, "rgb24", 1
    picture = bytes(png.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24"))[0])
    payload = b"\0image/png\0\x03\0" + picture
    tag = b"APIC" + struct.pack(">I", len(payload)) + b"\0\0" + payload
    size = bytes(len(tag) >> shift & 127 for shift in (21, 14, 7, 0))
    file.write_bytes(b"ID3\x03\0\0" + size + tag + file.read_bytes())
    with open_media(file) as media:
        assert len(media.container.streams.video) == 1  # the control: libav calls the cover a video stream
    assert np.array_equal(read_audio(file), plain)
    assert probe(file) == (pytest.approx(3.0, abs=0.05), True, False)


@pytest.mark.parametrize(("text", "sibling"), [(CONCAT, "secret.wav"), (PLAYLIST, "secret.ts")])
@pytest.mark.parametrize("name", ["talk.mp4", "talk.wav", "talk.m3u8", "talk"])
def test_a_playlist_in_disguise_does_not_read_its_neighbour(tmp_path: Path, text: str, sibling: str, name: str) -> None:
    write(tmp_path / sibling, *(("wav", "pcm_s16le") if sibling.endswith("wav") else ("mpegts", "aac")))
    (tmp_path / name).write_text(text)
    if text == CONCAT or name.endswith("m3u8"):  # the control: without whitelists the neighbour's sound comes out
        with av.open(str(tmp_path / name)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 100_000
    assert refused(tmp_path / name).startswith(UNKNOWN)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.mp4", "a.flac", "a.ogg", "a.aac", "a.mpg", "a"])
@pytest.mark.parametrize("content", [b"Dear reader,\nthis is a letter.\n" * 50, bytes(5000), b"\x8f\x01\xd1'q"])
def test_what_is_no_media_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).startswith((UNKNOWN, EMPTY, UNDECODED))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a1" * 32 + b"\nsize 96044\n",
            "is a Git LFS pointer, not the recording; fetch it: git lfs pull",
        ),
        (
            b"/annex/objects/SHA256E-s96044--" + b"a1" * 32 + b".wav\n",
            "is a git-annex pointer, not the recording; fetch it: git annex get",
        ),
        (
            b"\0\x05\x16\x07\0\x02\0\0Mac OS X        \0\x02\0\0\0\x09" + bytes(4000),
            "is what macOS stores beside a recording (AppleDouble), not the recording; delete it",
        ),
        (
            b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>",
            "is a web page, not a recording: the server that it came from may want a login; fetch it again",
        ),
        (b"PK\x03\x04" + bytes(400), "is a zip archive; unpack it"),
    ],
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_what_stands_in_for_a_recording_is_named(tmp_path: Path, name: str, content: bytes, cause: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name) == cause


def picture(encoder: str, pixels: str, form: str) -> bytes:
    """A grey picture of 16 x 16 px."""
    with io.BytesIO() as file:
        with av.open(file, "w", format=form) as container:
            stream = container.add_stream(encoder, rate=1)
            stream.width, stream.height, stream.pix_fmt = 16, 16, pixels
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=pixels)))
            container.mux(stream.encode(None))
        return file.getvalue()


PICTURES = {
    "JPEG": ("mjpeg", "yuvj420p", "image2pipe"),
    "PNG": ("png", "rgb24", "image2pipe"),
    "GIF": ("gif", "rgb8", "gif"),
    "WebP": ("libwebp", "yuv420p", "image2pipe"),
    "BMP": ("bmp", "bgr24", "image2pipe"),
    "TIFF": ("tiff", "rgb24", "image2pipe"),
    "HEIF": ("libsvtav1", "yuv420p", "avif"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_named_with_the_way_to_a_film(tmp_path: Path, name: str) -> None:
    if PICTURES[name][0] not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {name}")
    content = picture(*PICTURES[name])
    ways = {
        "GIF": ("", "-stream_loop -1", "my face.png"),
        "HEIF": ("save it as JPEG, and ", "-loop 1", "my face.jpg"),
    }
    before, repeated, own = ways.get(name, ("", "-loop 1", "my face.png"))
    (tmp_path / "my face.png").write_bytes(content)  # the bytes decide, not the ending
    assert refused(tmp_path / "my face.png") == (
        f"is a picture ({name}), and mien reads sound and films; {before}make a film of it: ffmpeg {repeated} -i "
        f"'{tmp_path}/{own}' -t 2 -vf scale=1280:-2 -pix_fmt yuv420p '{tmp_path}/{own}.mp4'"
    )


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"avif"])
def test_a_picture_of_a_phone_is_named_by_its_brand(tmp_path: Path, brand: bytes) -> None:
    (tmp_path / "face.mov").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(4000))
    assert refused(tmp_path / "face.mov").startswith("is a picture (HEIF), and mien reads sound and films; ")


def test_what_begins_like_a_picture_by_chance_is_none(tmp_path: Path) -> None:
    for content in (
        b"BM and other letters.\n" * 50,
        b"RIFF\0\0\0\0WAVE" + bytes(400),
        b"\0\0\0\x18ftypisom" + bytes(400),
    ):
        (tmp_path / "a").write_bytes(content)
        assert "picture (" not in refused(tmp_path / "a")


def test_a_link_to_absent_content_of_git_annex_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(".git/annex/objects/Xk/3q/SHA256E-s96044--a1.wav/SHA256E-s96044--a1.wav")
    assert refused(tmp_path / "a.wav") == "is a git-annex link whose content is not here; fetch it: git annex get"
    (tmp_path / "b.wav").symlink_to("nowhere.wav")
    assert "No such file" in refused(tmp_path / "b.wav")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "empty.wav").touch()
    assert refused(tmp_path) == "is a directory, not a media file"
    assert refused(tmp_path / "missing.wav") == "cannot be read (No such file or directory); check the path"
    assert refused(tmp_path / "empty.wav") == "is empty (0 bytes)"
    pipe = "is a pipe, socket or device, not a media file"
    assert refused(Path(os.devnull)) == pipe
    causes: list[str] = []
    reader = threading.Thread(target=lambda: causes.append(refused(tmp_path / "pipe.wav")), daemon=True)
    reader.start()
    reader.join(timeout=5)
    assert causes == [pipe]


def test_a_name_is_a_name_and_a_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.wav", "wav", "pcm_s16le")
    (tmp_path / "link.wav").symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.wav|b.wav", "data:a", "https:example.wav", "ümlaut %03d.wav", "no-extension"):
        Path(name).write_bytes(file.read_bytes())
        assert np.array_equal(read_audio(name), read_audio(file))
    assert np.array_equal(read_audio("link.wav"), read_audio(file))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_one_sample_that_is_no_number_is_refused(tmp_path: Path, value: float, rate: int) -> None:
    samples = NOISE[:30_000].copy()
    assert len(read_audio(float_wav(tmp_path / "a.wav", samples, rate))) == 30_000 * 16_000 / rate
    samples[20_000] = value
    cause = "holds non-finite samples (not-a-number or infinity)"
    assert refused(float_wav(tmp_path / "a.wav", samples, rate)) == cause


def test_silence_is_refused_unless_allowed(tmp_path: Path) -> None:
    for level, silent in [(0.0, True), (2.0**-17, True), (2.0**-15, False)]:
        file = float_wav(tmp_path / "a.wav", level * np.sign(NOISE))
        assert len(read_audio(file, silent="allow")) == len(NOISE)
        if silent:
            with pytest.raises(MediaError):
                read_audio(file)
        else:
            assert np.abs(read_audio(file)).max() == level


def test_a_sound_track_without_samples_is_refused(tmp_path: Path) -> None:
    assert refused(float_wav(tmp_path / "a.wav", np.zeros(0))) == "has a sound track without samples"


@pytest.mark.parametrize("rate", [10, 2_000_000])
def test_an_impossible_sample_rate_is_refused(tmp_path: Path, rate: int) -> None:
    limit = "least_sample_rate = 1,000" if rate == 10 else "sample_rate = 768,000"
    cause = f"has a sample rate of {rate} Hz; the limit is {limit} ({HOW.format(limit.split()[0])})"
    assert refused(float_wav(tmp_path / "a.wav", NOISE, rate)) == cause


def test_limits_are_checked_before_anything_is_decoded(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        video = container.add_stream("mpeg4", rate=1)
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        container.mux(video.encode(av.VideoFrame(640, 480, "yuv420p")))
        container.mux(video.encode(None))
    assert probe(tmp_path / "wide.mp4").video
    monkeypatch.setattr(soundtrack.Track, "_mono", None)
    with held(Limits(pixels=640 * 480 - 1)):
        cause = refused(tmp_path / "wide.mp4")
        assert cause.startswith("holds pictures that cannot be read or are larger; the limit is pixels = 307,199 (")
    with av.open(str(tmp_path / "two.mkv"), "w") as container:
        tracks = [container.add_stream("pcm_s16le", rate=RATE, layout="stereo") for _ in range(2)]
        frame = av.AudioFrame.from_ndarray(np.ones((1, 2000), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        for track in tracks:
            container.mux(track.encode(frame))
    with held(Limits(channels=1)):
        assert refused(tmp_path / "two.mkv").startswith("has 2 channels; the limit is channels = 1 (")
    with held(Limits(streams=1)):
        assert refused(tmp_path / "two.mkv").startswith("has 2 streams; the limit is streams = 1 (")
    with held(Limits(seconds=2.5)):
        assert refused(whole["wav"]).startswith("goes on to 3 seconds; the limit is seconds = 2.5 (")


def test_a_lie_about_time_is_bounded(tmp_path: Path) -> None:
    for late, cause in (
        (5000, "has no sound from 0.1 to 5000.0 s; the limit is gap = 3,600 ("),
        (10**6, "goes on to 1,000,000 seconds; the limit is seconds = 604,800 ("),
    ):
        with av.open(str(tmp_path / "lie.mkv"), "w", format="matroska") as container:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            for time in (0, late):
                frame = av.AudioFrame.from_ndarray(np.ones((1, 1000), np.int16), format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16_000, time * 16_000
                container.mux(stream.encode(frame))
        assert refused(tmp_path / "lie.mkv").startswith(cause)


@pytest.mark.parametrize("form", FORMATS)
def test_whatever_is_broken_ends_in_sound_or_in_a_media_error(
    whole: dict[str, Path], tmp_path: Path, form: str
) -> None:
    rng = np.random.default_rng(1)
    content = whole[form].read_bytes()
    for _ in range(40):
        broken = bytearray(content)
        places = rng.integers(0, rng.choice([200, len(content)]), rng.integers(1, 20))
        for place in places:
            broken[place] = rng.integers(256)
        (tmp_path / "broken").write_bytes(broken)
        with contextlib.suppress(MediaError):
            assert np.isfinite(read_audio(tmp_path / "broken", silent="allow")).all()
        with contextlib.suppress(MediaError):
            assert 0 <= probe(tmp_path / "broken").seconds < np.inf


@pytest.mark.parametrize("form", FORMATS)
def test_sound_alone_is_told_by_its_first_bytes(tmp_path, form):
    file = write(tmp_path / "x", form, FORMATS[form])
    assert headers.is_sound_alone(file) == (form in ("wav", "flac"))
    assert headers.is_wav(file) == (form == "wav")


def test_what_begins_like_a_wav_may_be_a_film(tmp_path):
    for name, kind in (("x.avi", b"AVI "), ("x.wav", b"WAVE"), ("x.webp", b"WEBP")):
        (tmp_path / name).write_bytes(b"RIFF\x24\0\0\0" + kind)
    assert [headers.is_sound_alone(tmp_path / name) for name in ("x.avi", "x.wav", "x.webp", "none")] == [
        False,
        True,
        False,
        False,
    ]
