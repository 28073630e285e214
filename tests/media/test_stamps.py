"""Where a recording begins, how long it is, and how it goes on where others were joined to it."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.audio import AudioBlock, read_audio
from mien.media.containers import probe
from mien.media.streams import stream_media

FRAGMENTS = {"movflags": "frag_keyframe+delay_moov+default_base_moof", "frag_duration": "500000"}


def write(
    file: Path,
    form: str,
    encoder: str,
    *,
    rate: int = 48_000,
    seconds: float = 2.0,
    click: float = 0.5,
    late: float = 0.0,
    video: str = "",
    video_late: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Faint noise with a click of 20 ms, and beside it pictures at 25 a second; `late` moves their time stamps."""
    with av.open(str(file), "w", format=form, options=options or {}) as container:
        made = []
        if video:
            film = container.add_stream(video, rate=25)
            film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
            for index in range(round(25 * seconds)):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * index % 256, np.uint8), format="rgb24")
                picture.pts, picture.time_base = index + round(25 * video_late), Fraction(1, 25)
                made += film.encode(picture)
            made += film.encode(None)
        if encoder:
            track = container.add_stream(encoder, rate=rate, layout="mono")
            track.codec_context.open()
            values = (1e-3 * np.random.default_rng(0).standard_normal((1, round(seconds * rate)))).astype(np.float32)
            values[0, round(click * rate) : round((click + 0.02) * rate)] = 0.7
            frame = av.AudioFrame.from_ndarray(values, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            size = track.codec_context.frame_size or 1024
            parts = av.AudioResampler(track.codec_context.format, "mono", rate, frame_size=size)
            for part in parts.resample(frame) + parts.resample(None):
                part.pts += round(late * rate)
                made += track.encode(part)
            made += track.encode(None)
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return file


def joined(file: Path, *parts: Path) -> Path:
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    return file


def clicks(sound: NDArray[np.float32]) -> list[float]:
    """The seconds at which clicks begin."""
    loud = np.flatnonzero(np.abs(sound) > 0.3)
    return [float(place) / 16_000 for place in loud[np.diff(loud, prepend=-9999) > 4000]]


def pictures(file: Path) -> list[float]:
    return [item.time for item in stream_media(file) if not isinstance(item, AudioBlock)]


def refused(file: Path) -> str:
    with pytest.raises(MediaError) as caught:
        read_audio(file, silent="allow")
    return caught.value.cause


@pytest.mark.parametrize(
    ("form", "encoder", "video", "delay"),
    [
        ("mpegts", "aac", "mpeg2video", 0.02),
        ("mpegts", "aac", "libx264", 0.02),
        ("mpegts", "mp2", "", 0.01),
        ("mpeg", "mp2", "mpeg1video", 0.01),
        ("ogg", "libopus", "", 0.0),
        ("ogg", "flac", "", 0.0),
        ("matroska", "aac", "mpeg4", 0.02),
        ("webm", "libopus", "", 0.01),
        ("mp4", "aac", "", 0.02),
    ],
)
def test_a_joined_recording_goes_on_where_the_first_ends(
    tmp_path: Path, form: str, encoder: str, video: str, delay: float
) -> None:
    options = FRAGMENTS if form == "mp4" else {}
    one = write(tmp_path / "1", form, encoder, seconds=2, click=0.5, video=video, options=options)
    two = write(tmp_path / "2", form, encoder, seconds=4, click=3.0, video=video, options=options)
    file = joined(tmp_path / "joined", one, two)
    sound = read_audio(file)
    assert len(sound) / 16_000 == pytest.approx(6, abs=3 * delay + 1e-3)
    assert clicks(sound) == pytest.approx([0.5, 5.0], abs=3 * delay + 2e-3)
    assert probe(file).seconds == pytest.approx(len(sound) / 16_000, abs=0.02)
    items = list(stream_media(file))
    assert np.array_equal(np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)]), sound)
    assert np.array_equal(read_audio(file, start=4.5, end=5.5), sound[72_000:88_000])
    if video:
        shown = pictures(file)
        assert len(shown) >= 149  # an mpeg1 decoder drops the picture that it holds back
        assert np.diff(shown).max() < 0.09
        assert shown[-1] == pytest.approx(5.96, abs=0.06)


def test_a_chain_of_twelve_does_not_drift(tmp_path: Path) -> None:
    one = write(tmp_path / "1.ogg", "ogg", "libopus", seconds=1)
    sound = read_audio(joined(tmp_path / "chain.ogg", *[one] * 12))
    assert len(sound) == 12 * 16_000
    assert clicks(sound) == pytest.approx([0.5 + index for index in range(12)], abs=2e-3)


@pytest.mark.parametrize(("first", "second"), [(100, 0), (30, 0), (0, 30), (0, 8000), (8000, 0), (92_444, 0)])
def test_joined_stamps_may_jump_any_way_in_a_transport_stream(tmp_path: Path, first: float, second: float) -> None:
    """92,444 s is 50 minutes before the 33 bits of a stamp are used up."""
    one, two = (
        write(tmp_path / f"{number}.ts", "mpegts", "aac", late=late, video="mpeg2video", video_late=late)
        for number, late in enumerate((first, second))
    )
    file = joined(tmp_path / "joined.ts", one, two)
    sound = read_audio(file)
    assert clicks(sound) == pytest.approx([0.52, 2.55], abs=5e-3)
    assert len(sound) / 16_000 == pytest.approx(4.053, abs=2e-3)
    assert probe(file).seconds == pytest.approx(4.053, abs=2e-3)
    assert len(pictures(file)) == 100


def test_stamps_that_wrap_run_on(tmp_path: Path) -> None:
    late = 2**33 / 90_000 - 1
    file = write(tmp_path / "a.ts", "mpegts", "aac", late=late, click=1.5, video="mpeg2video", video_late=late)
    assert clicks(read_audio(file)) == pytest.approx([1.52], abs=5e-3)
    assert len(pictures(file)) == 50


def test_a_hole_below_ten_seconds_stays_in_a_transport_stream(tmp_path: Path) -> None:
    one, two = (write(tmp_path / f"{late}.ts", "mpegts", "mp2", late=late) for late in (0.0, 7.0))
    assert clicks(read_audio(joined(tmp_path / "hole.ts", one, two))) == pytest.approx([0.51, 7.5], abs=5e-3)


def test_a_part_without_sound_takes_its_time(tmp_path: Path) -> None:
    both = write(tmp_path / "1.ts", "mpegts", "aac", video="mpeg2video")
    mute = write(tmp_path / "2.ts", "mpegts", "", seconds=3, video="mpeg2video")
    file = joined(tmp_path / "joined.ts", both, mute, both)
    assert clicks(read_audio(file)) == pytest.approx([0.52, 5.55], abs=0.01)
    assert len(pictures(file)) == 175


def test_a_stream_that_jumps_alone_is_no_join(tmp_path: Path) -> None:
    """The pictures go on: what jumps back in the sound lies over sound that there is, and the rest keeps its time."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska", options=options) as container:
        film = container.add_stream("ffv1", rate=25)
        film.width, film.height, film.pix_fmt = 64, 64, "bgr0"
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for index in range(150):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 4), index, np.uint8), format="bgra")
            picture = picture.reformat(format="bgr0")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            sound = av.AudioFrame.from_ndarray(np.full((1, 640), 100 + index, np.int16), format="s16", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 16_000, 640 * index, Fraction(1, 16_000)
            for packet in film.encode(picture) + track.encode(sound):
                if packet.stream is track and 100 <= index < 105:
                    packet.pts -= 50 * 640  # 200 ms, two seconds early
                packet.dts -= round(10 / packet.time_base)  # the muxer wants growing ones, none after its `pts`
                container.mux(packet)
    found = read_audio(tmp_path / "a.mkv") * 2**15
    truth = np.repeat([0 if 100 <= index < 105 else 100 + index for index in range(150)], 640)
    assert np.array_equal(found, truth)
    assert pictures(tmp_path / "a.mkv") == pytest.approx([index / 25 for index in range(150)], abs=1e-3)


@pytest.mark.parametrize(
    ("form", "encoder", "rate"),
    [
        ("wav", "pcm_s16le", 48_000),
        ("aiff", "pcm_s16be", 48_000),
        ("w64", "pcm_s16le", 48_000),
        ("caf", "pcm_s16le", 48_000),
        ("mp4", "aac", 48_000),
        ("flv", "aac", 44_100),
        ("amr", "libopencore_amrnb", 8_000),
    ],
)
def test_a_second_file_that_libav_passes_over_is_refused(tmp_path: Path, form: str, encoder: str, rate: int) -> None:
    if encoder not in av.codecs_available:
        pytest.skip(f"this PyAV writes no {form}: it has no {encoder}")
    one, two = (write(tmp_path / str(n), form, encoder, rate=rate, seconds=n) for n in (1, 2))
    assert len(read_audio(one)) == pytest.approx(16_000, abs=900)
    place = one.stat().st_size
    cause = f"holds a second recording from byte {place:,} on, which would be lost; split the file there"
    assert refused(joined(tmp_path / "joined", one, two)) == cause


def test_a_wav_file_with_other_bytes_behind_it_is_read(tmp_path: Path) -> None:
    one = write(tmp_path / "1.wav", "wav", "pcm_s16le")
    whole = read_audio(one)
    for rest in (b"\0", b"TAG" + bytes(125), b"RIFF" + struct.pack("<I", 4) + b"JUNK"):
        (tmp_path / "2.wav").write_bytes(one.read_bytes() + rest)
        assert np.array_equal(read_audio(tmp_path / "2.wav"), whole)


def test_a_recording_that_goes_on_with_other_tracks_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "1.ts", "mpegts", "aac", video="mpeg2video")
    alone = write(
        tmp_path / "2.ts", "mpegts", "aac", seconds=4
    )  # its sound has the number of the pictures of the first
    other = write(tmp_path / "3.ts", "mpegts", "aac", seconds=4, options={"mpegts_start_pid": "0x200"})
    for part in (alone, other):
        cause = refused(joined(tmp_path / "joined.ts", one, part))
        assert cause == "goes on with other tracks at 2.03 s, as joined files do; take them apart"


@pytest.mark.parametrize(
    ("form", "encoder", "rate", "options"),
    [
        ("matroska", "flac", 16_000, {}),
        ("matroska", "aac", 48_000, {}),
        ("webm", "libopus", 48_000, {}),
        ("webm", "libopus", 16_000, {}),
        ("ogg", "libopus", 48_000, {}),
        ("ipod", "aac", 48_000, {}),
        ("mp4", "aac", 48_000, {"movflags": "dash+delay_moov"}),
        ("mp4", "aac", 48_000, FRAGMENTS),
        ("flv", "aac", 44_100, {}),
        ("flv", "aac", 44_100, {"flvflags": "no_duration_filesize"}),
        ("mpegts", "aac", 48_000, {}),
        ("mpeg", "mp2", 48_000, {}),
        ("mov", "pcm_s16le", 44_100, {}),
    ],
)
def test_stamps_that_begin_late_are_time_zero(
    tmp_path: Path, form: str, encoder: str, rate: int, options: dict[str, str]
) -> None:
    file = write(tmp_path / "late", form, encoder, rate=rate, late=3.0, options=options)
    sound = read_audio(file)
    assert len(sound) / 16_000 == pytest.approx(2, abs=0.05)
    assert clicks(sound) == pytest.approx([0.5], abs=0.03)
    assert probe(file).seconds == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(("form", "options"), [("matroska", {}), ("mp4", {"movflags": "dash+delay_moov"}), ("flv", {})])
def test_what_begins_late_and_breaks_off_is_truncated(tmp_path: Path, form: str, options: dict[str, str]) -> None:
    rate = 44_100 if form == "flv" else 48_000
    content = write(tmp_path / "late", form, "aac", rate=rate, late=3.0, options=options).read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) * 6 // 10])
    assert "truncated: " in refused(tmp_path / "cut")


def test_fragments_that_begin_in_the_middle_are_time_zero(tmp_path: Path) -> None:
    """A live stream is stored so: the head, then the fragments from some time on."""
    content = write(tmp_path / "whole.mp4", "mp4", "aac", seconds=3, click=2.5, options=FRAGMENTS).read_bytes()
    places = [place for place in range(len(content)) if content[place + 4 : place + 8] == b"moof"]
    (tmp_path / "live.mp4").write_bytes(content[: places[0]] + content[places[2] :])
    found = read_audio(tmp_path / "live.mp4")
    assert len(found) / 16_000 == pytest.approx(1.984, abs=2e-3)
    assert probe(tmp_path / "live.mp4").seconds == pytest.approx(1.98, abs=0.01)
    assert clicks(found) == pytest.approx([1.476], abs=2e-3)


@pytest.mark.parametrize("rate", [8_000, 12_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("form", ["webm", "ogg"])
def test_opus_of_any_rate_keeps_its_start_and_its_time(tmp_path: Path, form: str, rate: int) -> None:
    found = read_audio(write(tmp_path / "a", form, "libopus", rate=rate, click=1.0))
    assert len(found) == 32_000
    assert clicks(found) == pytest.approx([1.0], abs=1e-3)


@pytest.mark.parametrize(("late", "video_late"), [(0.0, 0.4), (0.4, 0.0), (3.0, 3.4)])
def test_opus_beside_pictures_keeps_its_place(tmp_path: Path, late: float, video_late: float) -> None:
    begin = min(late, video_late)
    how = {"rate": 16_000, "late": late, "video": "mpeg4", "video_late": video_late}
    file = write(tmp_path / "a.mkv", "matroska", "libopus", **how)
    assert clicks(read_audio(file)) == pytest.approx([0.5 + late - begin], abs=2e-3)
    assert pictures(file)[0] == pytest.approx(video_late - begin, abs=2e-3)
