"""Windows of sound and pictures cover every file, and are those of the sound alone where that lasts."""

import gc
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import MediaError
from mien.media.activity import detector
from mien.media.audio import AudioBlock, read_audio
from mien.media.pictures import Picture
from mien.media.scenes import Scene, scenes
from mien.media.windows import joined, windows

RATE = 16_000


class Notes:
    """Who looks at pictures, and tells their times as the people of a window."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.heard = 0
        self.forgotten = 0.0
        self.most = 0

    def feed(self, picture: Picture) -> None:
        assert picture.time >= self.forgotten
        self.times.append(picture.time)
        self.most = max(self.most, len(self.times))

    def hear(self, block: AudioBlock) -> None:
        assert block.start * RATE == self.heard
        self.heard += len(block.samples)

    def people(self, start: float, end: float) -> list[float]:
        assert start >= self.forgotten
        return [time for time in self.times if start <= time < end]

    def active(self, start: float, end: float) -> int:
        return round(100 * start + end)

    def forget(self, before: float) -> None:
        self.forgotten = before
        self.times = [time for time in self.times if time >= before]


def write(file: Path, *, pictures: float, sound: float, late: float = 0.0) -> Path:
    """A film at 10 pictures a second that begins at `late`, beside noise that stops for the second half."""
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
            track = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
            noise = np.random.default_rng(0).normal(0, 3000, (1, round(sound * RATE))).astype(np.int16)
            noise[:, noise.shape[1] // 2 :] = 0
            for begin in range(0, noise.shape[1], 1600):
                piece = noise[:, begin : begin + 1600].copy()
                piece = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = RATE, begin, Fraction(1, RATE)
                made += track.encode(piece)
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return file


def cut(file: Path, notes: Notes | None = None, *, length: float = 2.0, hop: float = 0.75) -> list[Scene]:
    found = scenes(file, length=length, hop=hop, detect=detector("energy"), look=notes or Notes())
    return list(found)


@pytest.mark.parametrize(
    ("pictures", "sound"),
    [(5.0, 5.0), (3.0, 5.3), (5.0, 3.3), (5.0, 0.0), (0.0, 5.0), (0.4, 0.0), (0.0, 0.4), (5.0, 0.4)],
)
def test_windows_cover_sound_and_pictures_of_any_length(tmp_path: Path, pictures: float, sound: float) -> None:
    file = write(tmp_path / "a.mov", pictures=pictures, sound=sound)
    found = cut(file)
    length = max(pictures, sound)
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(length, abs=1e-3)
    assert [scene.start for scene in found] == pytest.approx([0.75 * index for index in range(len(found))])
    assert len(found) == 1 if length <= 2 else all(two.start < one.end for one, two in pairwise(found))
    assert all(scene.end - scene.start == pytest.approx(2) for scene in found[:-1])
    whole = read_audio(file)
    grid = [index / 10 for index in range(round(pictures * 10))]
    for scene in found:
        assert np.array_equal(scene.samples, whole[round(scene.start * RATE) : round(scene.end * RATE)])
        assert scene.people == pytest.approx([time for time in grid if scene.start - 1e-9 <= time < scene.end - 1e-9])
        assert scene.speaker == round(100 * scene.start + scene.end)
    sound, places = joined(found, RATE)
    assert np.array_equal(sound[: len(whole)], whole)
    assert not sound[len(whole) :].any()  # windows without sound begin there
    assert all(np.array_equal(sound[place], scene.samples) for place, scene in zip(places, found, strict=True))


@pytest.mark.parametrize("pictures", [5.04, 4.95, 2.0])
def test_where_the_sound_lasts_the_windows_are_those_of_the_sound_alone(tmp_path: Path, pictures: float) -> None:
    file = write(tmp_path / "a.mov", pictures=pictures, sound=5.0)
    alone = list(windows(file, length=2.0, hop=0.75, detect=detector("energy")))
    together = cut(file)
    assert [scene[:2] for scene in together] == [window[:2] for window in alone]
    assert [scene.active for scene in together] == [window.active for window in alone]
    assert all(np.array_equal(one.samples, two.samples) for one, two in zip(together, alone, strict=True))
    assert together[0].active == pytest.approx(2, abs=0.04)
    assert together[-1].active == 0


def test_pictures_that_begin_late_keep_their_time(tmp_path: Path) -> None:
    found = cut(write(tmp_path / "a.mov", pictures=2.0, sound=5.0, late=2.5), hop=2.0)
    assert [len(scene.people) for scene in found] == [0, 15, 5]
    assert found[1].people[0] == pytest.approx(2.5)


def test_what_has_passed_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes hold a window and a little; decoded frames die at once; the first window comes before the last second."""
    taken: list[float] = []
    feed = Notes.feed

    monkeypatch.setattr(Notes, "feed", lambda self, picture: (taken.append(picture.time), feed(self, picture)))
    notes = Notes()
    file = write(tmp_path / "a.mov", pictures=20.0, sound=3.0)
    stream = scenes(file, length=2.0, hop=1.0, detect=detector("energy"), look=notes)
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


def test_damage_is_told_when_it_is_reached(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mov", pictures=5.0, sound=5.0)
    content = bytearray(file.read_bytes())
    middle = content.index(b"mdat") + 130_000  # sound is 32,000 bytes a second
    content[middle : middle + 20_000] = bytes(20_000)
    file.write_bytes(content)
    found = []
    with pytest.raises(MediaError, match="is damaged at"):
        found.extend(scenes(file, length=1.0, hop=1.0, detect=detector("energy"), look=Notes()))
    assert 2 <= len(found) <= 4


@pytest.mark.recordings
def test_real_recordings_are_covered(recordings: Path) -> None:
    for name, seconds in (("face_noface.mov", 6.4), ("single_face.mp4", 2.42), ("grid/bbaf2n.mpg", 2.98)):
        found = cut(recordings / "clips" / name, length=2.0, hop=1.0)
        assert found[0].start == 0
        assert found[-1].end == pytest.approx(seconds, abs=0.03)
        assert all(scene.people for scene in found)
