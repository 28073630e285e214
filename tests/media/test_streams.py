"""Pictures come upright, in media time and beside the very sound of `stream_audio`; hostile files are refused."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media import containers, streams
from mien.media import pictures as module
from mien.media.audio import AudioBlock, read_audio, stream_audio
from mien.media.faces import Faces, Reason, crops
from mien.media.faces.people import one_person
from mien.media.limits import HOW, Limits, held
from mien.media.pictures import Picture
from mien.media.streams import stream_media

WIDTH, HEIGHT = 64, 48
COUNT = 20  # pictures at 10 a second
LOSSLESS = {"mov": ("png", "rgb24"), "matroska": ("ffv1", "bgr0"), "avi": ("ffv1", "bgr0")}


def image(index: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """No two are alike, and none looks the same turned or mirrored."""
    values = np.zeros((height, width, 3), np.uint8)
    values[: height // 4, :, 0], values[:, : width // 4, 1], values[:, :, 2] = 200, 150, 10 * index % 256
    return values


def frames(times: Sequence[float], *, pix: str = "rgb24", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator:
    for index, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(image(index, *size), format="rgb24")
        frame = frame.reformat(format=pix, threads=1)  # several threads spoil a block of a small picture now and then
        frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
        yield frame


def write(
    file: Path,
    times: Sequence[float] = tuple(index / 10 for index in range(COUNT)),
    *,
    form: str = "mov",
    encoder: str = "",
    pix: str = "yuv420p",
    tick: int = 1000,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    sound: float = 0.0,
    late: float = 0.0,
    set_up: Callable[[av.VideoStream], None] = lambda stream: None,
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    cover: bool = False,
) -> Path:
    """Pictures at the given seconds, and `sound` seconds of noise that begin at `late`; lossless without `encoder`."""
    encoder, pix = (encoder, pix) if encoder else LOSSLESS[form]
    with av.open(str(file), "w", format=form, options=muxing or {}) as container:
        made = []
        if times:
            stream = container.add_stream(encoder, rate=10, options=options or {})
            (stream.width, stream.height), stream.pix_fmt = size, pix
            stream.codec_context.time_base = stream.time_base = Fraction(1, tick)
            set_up(stream)
        if sound:
            track = container.add_stream("flac" if form == "mp4" else "pcm_s16le", rate=16_000, layout="mono")
        if cover:
            art = container.add_stream("png", rate=1)
            art.width, art.height, art.pix_fmt, art.disposition = 128, 128, "rgb24", Disposition.attached_pic
        if times:
            for frame in itertools.chain(frames(times, pix=pix, size=size), [None]):
                made.extend(stream.encode(frame))
        noise = np.random.default_rng(0).normal(0, 3000, (1, round(sound * 16_000))).astype(np.int16)
        for begin in range(0, noise.shape[1], 1600):
            piece = av.AudioFrame.from_ndarray(noise[:, begin : begin + 1600].copy(), format="s16", layout="mono")
            piece.sample_rate, piece.time_base = 16_000, Fraction(1, 16_000)
            piece.pts = begin + round(late * 16_000)
            made.extend(track.encode(piece))
        if sound:
            made.extend(track.encode(None))
        if cover:
            made.extend(art.encode(next(frames([0.0], size=(128, 128)))))
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return file


def parted(items: Sequence[AudioBlock | Picture]) -> tuple[NDArray[np.float32], list[Picture]]:
    blocks = [item.samples for item in items if isinstance(item, AudioBlock)]
    return np.concatenate([np.zeros(0, np.float32), *blocks]), [item for item in items if isinstance(item, Picture)]


def times(file: Path, **part: float) -> list[float]:
    return [picture.time for picture in parted(list(stream_media(file, **part)))[1]]


def refused(file: Path, **part: float) -> str:
    with pytest.raises(MediaError) as caught:
        list(stream_media(file, **part))
    assert caught.value.file == file
    assert "\n" not in caught.value.cause
    return caught.value.cause


def moment(item: AudioBlock | Picture) -> float:
    return item.time if isinstance(item, Picture) else item.start


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of pictures and sound."""
    return write(tmp_path_factory.mktemp("video") / "talk.mov", sound=2.0)


@pytest.mark.parametrize("form", ["mov", "matroska", "avi"])
def test_pictures_and_sound_come_in_media_time_as_they_were_stored(tmp_path: Path, form: str) -> None:
    file = write(tmp_path / "a", form=form, sound=2.35, tick=10 if form == "avi" else 1000)
    items = list(stream_media(file, block=0.5))
    sound, pictures = parted(items)
    assert np.array_equal(sound, np.concatenate([block.samples for block in stream_audio(file)]))
    assert [picture.time for picture in pictures] == pytest.approx([index / 10 for index in range(COUNT)], abs=1e-3)
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)
    for index, picture in enumerate(pictures):
        assert np.array_equal(picture.rgb(), image(index))
        assert (picture.height, picture.width) == (HEIGHT, WIDTH)


def test_the_second_picture_is_not_decoded_before_the_first_is_taken(
    talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    advance = module.Film.advance
    monkeypatch.setattr(module.Film, "advance", lambda self: (decoded.append(1), advance(self))[1])
    stream = stream_media(talk)
    taken = [next(stream) for _ in range(5)]  # a block, and four pictures
    assert [moment(item) for item in taken] == pytest.approx([0, 0, 0.1, 0.2, 0.3])
    assert len(decoded) <= 5


@pytest.mark.parametrize(("degrees", "hflip", "vflip"), [*itertools.product((0, 90, 180, 270), (0, 1), (0, 1))])
def test_a_display_matrix_is_followed(tmp_path: Path, degrees: int, hflip: int, vflip: int) -> None:
    def turn(stream: av.VideoStream) -> None:
        stream.set_display_rotation(degrees, hflip=bool(hflip), vflip=bool(vflip))

    _, [picture] = parted(list(stream_media(write(tmp_path / "a.mov", [0.0], set_up=turn))))
    shown = np.rot90(image(0), degrees // 90)[:: -1 if vflip else 1, :: -1 if hflip else 1]
    assert np.array_equal(picture.rgb(), shown)
    assert (picture.height, picture.width) == shown.shape[:2] == picture.grey().shape
    assert picture.rgb().flags.c_contiguous


def test_a_telephone_held_upright_turns_its_pictures_clockwise(tmp_path: Path) -> None:
    """The matrix of a telephone's portrait video: x' = -y, y' = x (ISO/IEC 14496-12, 6.2.2)."""

    def turn(stream: av.VideoStream) -> None:
        stream.set_display_matrix((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))

    _, [picture] = parted(list(stream_media(write(tmp_path / "a.mov", [0.0], set_up=turn))))
    assert np.array_equal(picture.rgb(), np.rot90(image(0), -1))


def test_pixels_become_square_before_the_picture_is_turned(tmp_path: Path) -> None:
    def stretch(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        stream.set_display_rotation(90)

    _, [picture] = parted(list(stream_media(write(tmp_path / "a.mkv", [0.0], form="mov", set_up=stretch))))
    assert (picture.height, picture.width) == (96, 48) == picture.rgb().shape[:2] == picture.grey().shape
    assert abs(int(picture.rgb()[-10, 24, 1]) - 150) < 5  # the green left quarter is shown below
    assert picture.rgb()[40, 24, 1] == 0


@pytest.mark.parametrize(
    ("encoder", "pix", "form"),
    [
        ("ffv1", "yuv420p10le", "matroska"),
        ("ffv1", "yuva420p", "matroska"),
        ("ffv1", "gray", "matroska"),
        ("ffv1", "yuv444p16le", "matroska"),
        ("qtrle", "argb", "mov"),
        ("mjpeg", "yuvj420p", "mov"),
        ("mpeg4", "yuv420p", "mov"),
    ],
)
def test_every_kind_of_pixel_gives_eight_bits_of_full_range(tmp_path: Path, encoder: str, pix: str, form: str) -> None:
    """Odd sizes too; grey is the luma of ITU-R BT.601 at full range."""
    size = (64, 48) if encoder in {"mjpeg", "mpeg4"} else (65, 47)
    _, [picture] = parted(
        list(stream_media(write(tmp_path / "a", [0.0], form=form, encoder=encoder, pix=pix, size=size)))
    )
    truth = image(0, *size).astype(float) @ (0.299, 0.587, 0.114)
    assert picture.rgb().dtype == picture.grey().dtype == np.uint8
    assert picture.rgb().shape == (size[1], size[0], 3)
    inside = (slice(20, 40), slice(4, 12))  # away from edges, where chroma of half the size bleeds
    assert np.abs(picture.grey().astype(float) - truth)[inside].max() < 6
    if pix != "gray":
        assert np.abs(picture.rgb().astype(float) - image(0, *size))[inside].max() < 12


def test_black_and_white_of_limited_range_are_expanded() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="yuv420p")
    luma = np.frombuffer(frame.planes[0], np.uint8).copy().reshape(48, -1)
    luma[:, :32], luma[:, 32:] = 16, 235
    frame.planes[0].update(luma)
    for given, expected in ((0, (0, 255)), (1, (0, 255)), (2, (16, 235))):  # not given, limited, full
        frame.color_range = given
        for values in (Picture(frame, 0.0).grey(), Picture(frame, 0.0).rgb()):
            assert (set(values[:, :32].ravel()), set(values[:, 32:].ravel())) == ({expected[0]}, {expected[1]})


@pytest.mark.parametrize(("encoder", "form"), [("libx264", "mov"), ("mpeg4", "avi"), ("mpeg2video", "mpegts")])
def test_pictures_come_in_the_order_of_time(tmp_path: Path, encoder: str, form: str) -> None:
    when = [index / 25 for index in range(12)]
    how = {"encoder": encoder, "form": form, "options": {"bf": "2"}, "tick": 25}
    _, pictures = parted(list(stream_media(write(tmp_path / "a", when, **how))))
    begin = pictures[0].time  # avi has no times of its own, and counts the encoder's delay
    assert [picture.time - begin for picture in pictures] == pytest.approx(when, abs=2e-3)
    blue = [int(picture.rgb()[30:40, 30:50, 2].mean()) for picture in pictures]
    assert blue == sorted(blue)
    assert blue[-1] > 90


def test_a_variable_rate_gives_an_even_grid_with_gaps(tmp_path: Path) -> None:
    when = [0.5, 0.52, 0.7, 0.731, 1.2, 3.9, 4.0]
    file = write(tmp_path / "a.mkv", when, form="matroska", sound=5.0)
    sound, pictures = parted(list(stream_media(file)))
    assert [picture.time for picture in pictures] == pytest.approx(when, abs=1e-3)
    clip = one_person(stream_media(file), Faces(faces="whole-frame", size=16, every=0.25, darkest=0), end=5.5)
    seen = [None, None, 0.5, 0.731, 0.731, 1.2, 1.2, 1.2, 1.2, *[None] * 7, 4.0, 4.0, 4.0, 4.0, 4.0, None]
    assert len(clip.pixels) == len(seen)
    shown = dict(zip(when, pictures, strict=True))
    for pixels, reason, time in zip(clip.pixels, clip.reasons, seen, strict=True):
        assert (reason == Reason.NO_PICTURE) == (time is None)
        assert np.array_equal(
            pixels, np.zeros_like(pixels) if time is None else crops.centre(shown[time].rgb(), size=16)
        )
    assert len(sound) == 5 * 16_000


def test_a_grid_counts_from_the_start_of_a_part(talk: Path) -> None:
    _, pictures = parted(list(stream_media(talk, start=0.55, end=1.35)))
    assert [picture.time for picture in pictures] == pytest.approx([0.55, *[index / 10 for index in range(6, 14)]])
    assert np.array_equal(pictures[0].rgb(), image(5))
    how = Faces(faces="whole-frame", size=16, every=0.24, darkest=0)
    clip = one_person(stream_media(talk, start=0.55, end=1.35), how, start=0.55, end=1.35)
    at = {round(picture.time, 2): picture for picture in pictures}
    shown = [crops.centre(at[time].rgb(), size=16) for time in (0.55, 0.7, 1.0, 1.2)]
    assert np.array_equal(clip.pixels, np.stack(shown))


@pytest.mark.parametrize("form", ["mov", "matroska"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (1.25, 1.75), (1.3, 2.05), (1.9, None)])
def test_a_part_is_that_part_of_the_whole(tmp_path: Path, form: str, start: float, end: float | None) -> None:
    file = write(tmp_path / "a", form=form, encoder="mpeg4", sound=2.0)
    sound, pictures = parted(list(stream_media(file, start=start, end=end)))
    _, whole = parted(list(stream_media(file)))
    assert np.array_equal(sound, read_audio(file, start=start, end=end))
    inside = [picture for picture in whole if start - 1e-3 <= picture.time < (end or 9)]
    ours = pictures[len(pictures) - len(inside) :]
    assert [picture.time for picture in ours] == pytest.approx([picture.time for picture in inside])
    assert all(np.array_equal(part.rgb(), same.rgb()) for part, same in zip(ours, inside, strict=True))
    if len(pictures) > len(inside):
        assert pictures[0].time == start


def test_a_part_decodes_its_neighbourhood_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.mov", [index / 10 for index in range(100)], sound=10.0)
    decoded = []
    advance = module.Film.advance
    monkeypatch.setattr(module.Film, "advance", lambda self: (decoded.append(1), advance(self))[1])
    sound, pictures = parted(list(stream_media(file, start=8.0, end=8.5)))
    assert len(pictures) == 5
    assert np.array_equal(sound, read_audio(file, start=8.0, end=8.5))
    assert 5 <= len(decoded) <= 20


def test_a_part_beyond_the_file_is_refused_beyond_its_sound_not(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mov", [index / 10 for index in range(40)], sound=1.5)
    sound, pictures = parted(list(stream_media(file, start=3.0, end=4.0)))
    assert (len(sound), len(pictures)) == (0, 10)
    assert refused(file, start=3.0, end=5.0) == "ends at 4.00 s, before the part from 3.00 to 5.00 s does"
    for start in (7.0, 7.00004):  # the second lies between two samples
        assert refused(file, start=start) == "ends before 7.00 s, where the part begins"
    none = "has no part from {} to {} seconds; the start must be 0 or more, the end later"
    for start, end in ((2.0, 1.0), (-1.0, 1.0), (1.0, 1.00001), (math.inf, math.inf)):  # the third: less than a sample
        assert refused(file, start=start, end=end) == none.format(start, end)


def test_files_of_pictures_or_sound_alone_and_a_cover_picture(tmp_path: Path) -> None:
    assert len(times(write(tmp_path / "mute.mov"))) == COUNT
    assert times(write(tmp_path / "sound.mov", [], sound=1.0)) == []
    covered = write(tmp_path / "cover.mp4", encoder="mpeg4", form="mp4", sound=1.0, cover=True)
    assert {(picture.width, picture.height) for picture in parted(list(stream_media(covered)))[1]} == {(WIDTH, HEIGHT)}
    alone = write(tmp_path / "alone.mp4", [], form="mp4", encoder="mpeg4", sound=1.0, cover=True)
    items = list(stream_media(alone))
    assert all(isinstance(item, AudioBlock) for item in items)
    assert len(parted(items)[0]) == 16_000


def test_the_default_video_stream_is_read_and_else_the_largest(tmp_path: Path) -> None:
    for default, width in ((0, 32), (1, WIDTH), (2, 48), (None, WIDTH)):
        with av.open(str(tmp_path / "two.mkv"), "w", format="matroska", options={"default_mode": "passthrough"}) as out:
            streams = [out.add_stream("ffv1", rate=10) for _ in range(3)]
            for index, (stream, size) in enumerate(zip(streams, (32, WIDTH, 48), strict=True)):
                stream.width, stream.height, stream.pix_fmt = size, HEIGHT, "bgr0"
                stream.disposition = Disposition.default if index == default else Disposition(0)
            for stream in streams:
                for frame in frames([0.0, 0.1], pix="bgr0", size=(stream.width, HEIGHT)):
                    out.mux(stream.encode(frame))
        _, pictures = parted(list(stream_media(tmp_path / "two.mkv")))
        assert [picture.width for picture in pictures] == [width, width]


@pytest.mark.parametrize(("sound", "patience", "room"), [(0.6, 30_000, 90_000), (6.0, 100_000, 200_000)])
def test_one_that_ends_early_does_not_hold_the_other_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: float, patience: int, room: int
) -> None:
    """With little patience and little room, nothing may wait in vain; the order of time stays."""
    when = [index / 10 for index in range(150 if sound < 1 else 6)]
    file = write(tmp_path / "a.mkv", when, form="matroska", sound=sound)
    truth = list(stream_media(file))
    monkeypatch.setattr(streams, "PATIENCE", patience)
    with held(Limits(waiting=room)):
        items = list(stream_media(file))
    assert [moment(item) for item in items] == [moment(item) for item in truth]
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)
    assert np.array_equal(parted(items)[0], read_audio(file))
    monkeypatch.setattr(streams, "PATIENCE", 10**9)  # the control: without looking ahead the room is not enough
    with held(Limits(waiting=room)):
        cause = refused(file)
    limit = f"the limit is waiting = {room:,} ({HOW.format('waiting')})"
    assert cause == f"stores its sound and its pictures far apart; write it anew; {limit}"


def test_sound_that_begins_late_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 1)
    file = write(tmp_path / "a.mkv", [index / 10 for index in range(60)], form="matroska", sound=1.0, late=4.0)
    items = list(stream_media(file))
    assert [moment(item) for item in items] == sorted(moment(item) for item in items)
    assert np.array_equal(parted(items)[0], read_audio(file))


def test_time_never_goes_back(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska", options={"avoid_negative_ts": "disabled"}) as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        stored = frames([index / 10 for index in range(7)], pix="bgr0")
        made = [packet for frame in stored for packet in stream.encode(frame)]
        for index, (packet, stamp) in enumerate(zip(made, (0, 100, 300, 200, 300, 50, 400), strict=True)):
            packet.time_base, packet.pts, packet.dts = Fraction(1, 1000), stamp, index - 1000
            out.mux(packet)
    assert times(tmp_path / "a.mkv") == pytest.approx([0, 0.1, 0.3, 0.4])


def test_a_change_of_resolution_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "both.ts"
    for size, when in (((64, 48), range(12)), ((96, 80), range(12, 24))):
        seconds = [index / 25 for index in when]
        part = write(tmp_path / "one.ts", seconds, form="mpegts", encoder="mpeg2video", size=size, tick=25)
        with file.open("ab") as joined:
            joined.write(part.read_bytes())
    sizes = [picture.rgb().shape[:2] for picture in parted(list(stream_media(file)))[1]]
    assert sizes == [(48, 64)] * 11 + [(80, 96)] * 12  # libav's decoder drops the picture that it was holding back


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
@pytest.mark.parametrize(("encoder", "form"), [("libx264", "mov"), ("mpeg4", "matroska")])
def test_a_truncated_video_is_refused_with_its_second(tmp_path: Path, encoder: str, form: str, share: float) -> None:
    muxing = {"movflags": "faststart"} if form == "mov" else {}
    when = [index / 10 for index in range(60)]
    content = write(tmp_path / "a", when, form=form, encoder=encoder, muxing=muxing).read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
    assert refused(tmp_path / "cut").startswith("truncated: ")


@pytest.mark.parametrize(
    ("encoder", "pix", "form"),
    [("libx264", "yuv420p", "mov"), ("png", "rgb24", "mov"), ("mpeg1video", "yuv420p", "mpeg")],
)
def test_damage_in_the_middle_is_refused_with_its_second(tmp_path: Path, encoder: str, pix: str, form: str) -> None:
    file = write(tmp_path / "a", [index / 25 for index in range(40)], form=form, encoder=encoder, pix=pix, tick=25)
    assert len(times(file)) == 40
    content = bytearray(file.read_bytes())
    first = content.find(b"mdat")  # behind it, mov stores its index
    middle = (first + content.find(b"moov")) // 2 if first >= 0 else len(content) // 2
    content[middle : middle + 300] = bytes(byte ^ 255 for byte in content[middle : middle + 300])
    file.write_bytes(content)
    assert refused(file).startswith(("is damaged at 0.", "is damaged at 1."))


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all\n" * 100)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").touch()
    for name in ("text", "list", "folder", "empty", "absent"):
        with pytest.raises(MediaError) as expected, containers.open_media(tmp_path / f"{name}.mp4"):
            pass
        assert refused(tmp_path / f"{name}.mp4") == expected.value.cause


def test_limits_hold_before_anything_is_decoded(talk: Path, tmp_path: Path) -> None:
    for limits, cause in (
        (Limits(frame_rate=5), "has 10 pictures in a second or more; the limit is frame_rate = 5"),
        (Limits(frames=7), "has 20 pictures or more; the limit is frames = 7"),
    ):
        with held(limits):
            assert refused(talk).startswith(cause)
    lie = write(tmp_path / "lie.mkv", [0.0, 0.1, 5000.0], form="matroska")
    assert refused(lie).startswith("has no picture from 0.1 to 5000.0 s; the limit is gap = 3,600 (")


@pytest.mark.parametrize(("encoder", "form"), [("mpeg4", "mov"), ("libx264", "matroska"), ("mpeg1video", "mpeg")])
def test_whatever_is_broken_ends_in_pictures_or_in_a_media_error(tmp_path: Path, encoder: str, form: str) -> None:
    when = [index / 25 for index in range(12)]
    content = write(tmp_path / "a", when, form=form, encoder=encoder, tick=25).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(15):
        broken = bytearray(content)
        for place in rng.integers(0, rng.choice([300, len(content)]), rng.integers(1, 20)):
            broken[place] = rng.integers(256)
        (tmp_path / "broken").write_bytes(broken)
        latest = -1.0
        with contextlib.suppress(MediaError):
            for item in stream_media(tmp_path / "broken"):
                assert isinstance(item, Picture)
                assert item.rgb().shape == (item.height, item.width, 3)
                assert item.time > latest
                latest = item.time


@pytest.mark.recordings
def test_every_picture_of_real_recordings_comes_beside_the_same_sound(recordings: Path) -> None:
    for name in ("face_noface.mov", "noface_face.mov", "no_face.mp4", "single_face.mp4", "grid/bbaf2n.mpg"):
        file = recordings / "clips" / name
        items = list(stream_media(file))
        sound, pictures = parted(items)
        with av.open(str(file)) as container:
            assert len(pictures) == sum(1 for _ in container.decode(video=0))
        assert all(before.time < after.time for before, after in itertools.pairwise(pictures))
        assert np.array_equal(sound, read_audio(file))
        assert [moment(item) for item in items] == sorted(moment(item) for item in items)
