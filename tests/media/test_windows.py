"""Windows cover a recording at bounded memory, in media time, by its sound alone or with its pictures."""

import gc
import tracemalloc
import wave
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import MediaError
from mien.media.activity import detector
from mien.media.audio import SAMPLE_RATE, AudioBlock, read_audio
from mien.media.pictures import Picture
from mien.media.windows import Window, joined, windows


def recording(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return path


def many(path, values, rate):
    """A file of several channels, values (C, N)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(values))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((values.T * 32767).round().astype("<i2").tobytes())
    return path


def tone(seconds, level=0.1):
    return level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


@given(seconds=st.floats(0.01, 9), length=st.floats(0.5, 4), share=st.floats(0.1, 1))
@settings(max_examples=40, deadline=None)
def test_windows_cover_the_recording_without_a_gap(tmp_path_factory, seconds, length, share):
    path = recording(tmp_path_factory.mktemp("sound") / "a.wav", tone(seconds))
    whole = read_audio(path)
    parts = list(windows(path, length=length, hop=share * length, detect=detector("energy")))
    assert parts[0].start == 0
    assert parts[-1].end == pytest.approx(len(whole) / SAMPLE_RATE)
    hop = round(share * length * SAMPLE_RATE)
    for number, window in enumerate(parts):
        begin = number * hop
        assert window.start == pytest.approx(begin / SAMPLE_RATE)
        assert np.array_equal(window.samples, whole[begin:][: round(length * SAMPLE_RATE)])
        assert window.end == pytest.approx(window.start + len(window.samples) / SAMPLE_RATE)
        assert window.active == pytest.approx(window.end - window.start, abs=0.064)
    assert all(before.end >= after.start for before, after in pairwise(parts))


def test_silence_between_sounds_is_found_where_it_is(tmp_path):
    path = recording(tmp_path / "a.wav", np.concatenate([tone(3), np.zeros(5 * SAMPLE_RATE), tone(3)]))
    active = {w.start: w.active for w in windows(path, length=1.0, hop=1.0, detect=detector("energy"))}
    assert [second for second, seconds in active.items() if seconds < 0.2] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.005, 0.05, 0.3, 3.0])
def test_a_constant_alone_is_silence(tmp_path, rate, seconds):
    values = np.stack([np.full(round(seconds * rate), level) for level in (0.01, -0.3)])
    path = many(tmp_path / "a.wav", values, rate)
    (window,) = windows(path, length=4.0, hop=1.0, detect=detector("energy"))
    assert window.active == 0
    with pytest.raises(MediaError) as error:
        read_audio(path)
    assert error.value.cause == "is silent: the mean of its channels is a constant offset of -1.4e-01 of full scale"


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize(("count", "place"), [(1, 0), (2, 0), (2, 1), (6, 2), (8, 7)])
def test_a_voice_in_one_channel_is_active_as_if_alone(tmp_path, rate, count, place):
    clock = np.arange(3 * rate) / rate
    voice = 10 ** (-51 / 20) * np.sin(2 * np.pi * 220 * clock) * np.clip(2 * np.sin(2 * np.pi * clock), 0, 1)
    values = np.full((count, len(voice)), 0.02)
    values[place] = voice - 0.02
    (alone,) = windows(many(tmp_path / "1.wav", voice[None], rate), length=4.0, hop=1.0, detect=detector("energy"))
    (found,) = windows(many(tmp_path / "2.wav", values, rate), length=4.0, hop=1.0, detect=detector("energy"))
    assert 0.8 < alone.active < 1.6
    assert found.active == alone.active
    assert np.array_equal(found.samples, read_audio(tmp_path / "2.wav"))


def test_beside_pictures_a_voice_in_one_channel_is_active_too(tmp_path):
    file = film(tmp_path / "a.mov", pictures=4.0, sound=4.0, layout="5.1", level=100)
    (alone,) = windows(file, length=4.0, hop=1.0, detect=detector("energy"))
    (together,) = watched(file, length=4.0, hop=1.0)
    assert alone.active == together.active == pytest.approx(2.0, abs=0.04)


def test_memory_does_not_grow_with_length(tmp_path):
    peaks = []
    for minutes in (1, 10):
        path = recording(tmp_path / f"{minutes}.wav", np.tile(tone(1), 60 * minutes))
        tracemalloc.start()
        count = sum(1 for _ in windows(path, length=4.0, hop=1.0, detect=detector("energy")))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 60 * minutes - 3
    assert peaks[1] < peaks[0] + 500_000


class Notes:
    """Follows pictures, and gives their times as the people of a window."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.samples = 0
        self.forgotten = 0.0
        self.most = 0

    def feed(self, picture: Picture) -> None:
        assert picture.time >= self.forgotten
        self.times.append(picture.time)
        self.most = max(self.most, len(self.times))

    def hear(self, block: AudioBlock) -> None:
        assert block.start * SAMPLE_RATE == self.samples
        self.samples += len(block.samples)

    def people(self, start: float, end: float) -> list[float]:
        assert start >= self.forgotten
        return [time for time in self.times if start <= time < end]

    def active(self, start: float, end: float) -> int:
        return round(100 * start + end)

    def forget(self, before: float) -> None:
        self.forgotten = before
        self.times = [time for time in self.times if time >= before]


def film(
    file: Path, *, pictures: float, sound: float, late: float = 0.0, layout: str = "mono", level: float = 3000
) -> Path:
    """A film at 10 pictures a second that begins at `late`, beside noise in one channel that stops halfway."""
    with av.open(str(file), "w", format="mov") as container:
        made = []
        if pictures:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 32
            for index in range(round(pictures * 10)):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 3 * index % 256, np.uint8), format="rgb24")
                frame.pts, frame.time_base = index + round(late * 10), Fraction(1, 10)
                made += stream.encode(frame)
            made += stream.encode(None)
        if sound:
            track = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout=layout)
            noise = np.zeros((round(sound * SAMPLE_RATE), len(track.layout.channels)), np.int16)
            half = len(noise) // 2
            noise[:half, noise.shape[1] // 2] = np.random.default_rng(0).normal(0, level, half).astype(np.int16)
            for begin in range(0, len(noise), 1600):
                piece = noise[begin : begin + 1600].reshape(1, -1)
                piece = av.AudioFrame.from_ndarray(piece, format="s16", layout=layout)
                piece.sample_rate, piece.pts, piece.time_base = SAMPLE_RATE, begin, Fraction(1, SAMPLE_RATE)
                made += track.encode(piece)
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return file


def watched(file: Path, notes: Notes | None = None, *, length: float = 2.0, hop: float = 0.75) -> list[Window]:
    parts = windows(file, length=length, hop=hop, detect=detector("energy"), look=notes or Notes())
    return list(parts)


@pytest.mark.parametrize(
    ("pictures", "sound"),
    [(5.0, 5.0), (3.0, 5.3), (5.0, 3.3), (5.0, 0.0), (0.0, 5.0), (0.4, 0.0), (0.0, 0.4), (5.0, 0.4)],
)
def test_windows_cover_sound_and_pictures_of_any_length(tmp_path: Path, pictures: float, sound: float) -> None:
    file = film(tmp_path / "a.mov", pictures=pictures, sound=sound)
    parts = watched(file)
    length = max(pictures, sound)
    assert parts[0].start == 0
    assert parts[-1].end == pytest.approx(length, abs=1e-3)
    assert [window.start for window in parts] == pytest.approx([0.75 * index for index in range(len(parts))])
    assert len(parts) == 1 if length <= 2 else all(after.start < before.end for before, after in pairwise(parts))
    assert all(window.end - window.start == pytest.approx(2) for window in parts[:-1])
    whole = read_audio(file)
    grid = [index / 10 for index in range(round(pictures * 10))]
    for window in parts:
        assert np.array_equal(
            window.samples, whole[round(window.start * SAMPLE_RATE) : round(window.end * SAMPLE_RATE)]
        )
        assert window.people == pytest.approx(
            [time for time in grid if window.start - 1e-9 <= time < window.end - 1e-9]
        )
        assert window.speaker == round(100 * window.start + window.end)
    sound, places = joined(parts, SAMPLE_RATE)
    assert np.array_equal(sound[: len(whole)], whole)
    assert not sound[len(whole) :].any()  # windows without sound begin there
    assert all(np.array_equal(sound[place], window.samples) for place, window in zip(places, parts, strict=True))


@pytest.mark.parametrize("pictures", [5.04, 4.95, 2.0])
def test_where_the_sound_lasts_the_windows_are_those_of_the_sound_alone(tmp_path: Path, pictures: float) -> None:
    file = film(tmp_path / "a.mov", pictures=pictures, sound=5.0)
    alone = list(windows(file, length=2.0, hop=0.75, detect=detector("energy")))
    together = watched(file)
    assert [window[:2] for window in together] == [window[:2] for window in alone]
    assert [window.active for window in together] == [window.active for window in alone]
    assert all(np.array_equal(seen.samples, plain.samples) for seen, plain in zip(together, alone, strict=True))
    assert together[0].active == pytest.approx(2, abs=0.04)
    assert together[-1].active == 0
    assert {(window.people, window.speaker) for window in alone} == {((), None)}


@pytest.mark.parametrize("sound", [0.4, 3.3])
def test_pictures_that_are_not_decoded_are_covered_too(tmp_path: Path, sound: float) -> None:
    file = film(tmp_path / "a.mov", pictures=5.0, sound=sound)
    alone = list(windows(file, length=2.0, hop=0.75, detect=detector("energy")))
    assert [window[:2] for window in alone] == [window[:2] for window in watched(file)]
    assert alone[-1].end == pytest.approx(5.0)
    assert sum(len(window.samples) for window in alone[-1:]) == max(0, round((sound - alone[-1].start) * SAMPLE_RATE))


def test_without_sound_there_is_a_window_only_with_a_look(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mov", pictures=2.0, sound=0.0)
    assert list(windows(file, length=2.0, hop=1.0, detect=detector("energy"))) == []
    assert len(watched(file)) == 1


def test_pictures_that_begin_late_keep_their_time(tmp_path: Path) -> None:
    parts = watched(film(tmp_path / "a.mov", pictures=2.0, sound=5.0, late=2.5), hop=2.0)
    assert [len(window.people) for window in parts] == [0, 15, 5]
    assert parts[1].people[0] == pytest.approx(2.5)


def test_what_has_passed_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes hold a window and a little; decoded frames die at once; the first window comes before the last second."""
    taken: list[float] = []
    feed = Notes.feed

    monkeypatch.setattr(Notes, "feed", lambda self, picture: (taken.append(picture.time), feed(self, picture)))
    notes = Notes()
    file = film(tmp_path / "a.mov", pictures=20.0, sound=3.0)
    stream = windows(file, length=2.0, hop=1.0, detect=detector("energy"), look=notes)
    gc.collect()
    gc.disable()  # frames in a cycle of references would wait for the collector
    try:
        next(stream)
        assert len(taken) < 40
        assert sum(1 for _ in islice(stream, 10)) == 10
        kept = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
        assert sum(1 for _ in stream) == 8
    finally:
        gc.enable()
    assert notes.most <= 25
    assert len(taken) == 200
    assert kept <= 4


def test_damage_is_refused_when_it_is_reached(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mov", pictures=5.0, sound=5.0)
    content = bytearray(file.read_bytes())
    middle = content.index(b"mdat") + 130_000  # sound is 32,000 bytes a second
    content[middle : middle + 20_000] = bytes(20_000)
    file.write_bytes(content)
    before: list[Window] = []
    with pytest.raises(MediaError):
        before.extend(windows(file, length=1.0, hop=1.0, detect=detector("energy"), look=Notes()))
    assert 2 <= len(before) <= 4


@pytest.mark.recordings
def test_real_recordings_are_covered(recordings: Path) -> None:
    for name, seconds in (("face_noface.mov", 6.4), ("single_face.mp4", 2.42), ("grid/bbaf2n.mpg", 2.98)):
        parts = watched(recordings / "clips" / name, length=2.0, hop=1.0)
        assert parts[0].start == 0
        assert parts[-1].end == pytest.approx(seconds, abs=0.03)
        assert all(window.people for window in parts)
