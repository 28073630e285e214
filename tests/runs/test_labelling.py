"""Segments of a film: who is in them, who speaks, and where they begin and end."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.errors import MediaError
from mien.media.faces import Faces, Seen
from mien.media.windows import Window
from mien.runs import labelling
from mien.runs.labelling import label

RATE, EVERY, LENGTH = 16_000, 0.24, 17
FILM = Path("a.mp4")


class Planted:
    """A teacher whose first logit is the person and whose second one is the time of the frame."""

    faces = Faces(faces="whole-frame", size=8)

    def logits(self, people):
        return [
            np.where((one.reasons == 0)[:, None], np.stack([np.full(len(one.times), one.person), one.times], 1), 0)
            for one in people
        ]


def seen(person, number, pattern):
    """A person from a frame of the grid on: `.` is a frame without a face, `d` a dark one, `1` one that can be used."""
    reasons = np.array([{"1": 0, ".": 1, "d": 3}[mark] for mark in pattern], np.uint8)
    times = (number + np.arange(len(pattern))) * EVERY
    return Seen(person, np.zeros((len(pattern), 1, 8, 8), np.uint8), reasons, times, (0, 0, 1, 1), 0.1, np.nan)


def window(number, *people, voice=True, speaker=None, frames=LENGTH, sound=None):
    start, end = number * LENGTH * EVERY, (number * LENGTH + frames) * EVERY
    heard = end - start if sound is None else sound
    return Window(start, end, np.ones(round(heard * RATE), np.float32), (end - start) * voice, people, speaker)


@pytest.fixture
def found(monkeypatch):
    def run(*given, pictures=True):
        def play(file, *, look, detect, **settings):
            if pictures:
                look.feed(SimpleNamespace(time=0.0))
            heard = 0
            for one in given:  # its voice is where `active` says, from its beginning on
                times = 0.032 * np.arange(heard, int(one.end / 0.032 + 1e-6))
                heard += len(times)
                detect(np.repeat(times[:, None] < one.start + one.active, 512, axis=1))
                yield one

        monkeypatch.setattr(labelling, "windows", play)
        return label(FILM, Planted(), lambda frames: frames.all(axis=1))

    return run


def places(stretches):
    return [(one.person, one.start, one.end, one.speaking) for one in stretches]


ALL = "1" * LENGTH


def test_a_film_with_one_person_all_through_is_one_segment(found):
    (only,) = found(*(window(n, seen(1, LENGTH * n, ALL)) for n in range(4)))
    assert (only.person, only.start, only.end, only.speaking) == (1, 0.0, 16.32, True)
    np.testing.assert_allclose(only.logits, [[1, n * EVERY] for n in range(4 * LENGTH)], atol=1e-6)
    assert not only.reasons.any()


def test_a_segment_is_trimmed_to_frames_that_can_be_used(found):
    (only,) = found(window(0, seen(1, 0, "d.11..1111d......")))
    assert places([only]) == [(1, 0.48, 2.4, True)]
    assert only.reasons.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert not only.logits[2:4].any()


@pytest.mark.parametrize(
    ("people", "speaker", "voice", "speaking"),
    [
        (("1", "1"), 2, True, [False, True]),
        (("1", "1"), None, True, [False, False]),
        (("1", "1"), 1, False, [False, False]),
        (("1",), None, True, [True]),
        (("1",), None, False, [False]),
        (("1", "d"), None, True, [False]),  # the voice may be that of the other face
        (("1", "d"), 1, True, [True]),
    ],
)
def test_who_speaks(found, people, speaker, voice, speaking):
    given = [seen(number, 0, mark * LENGTH) for number, mark in enumerate(people, start=1)]
    assert [one.speaking for one in found(window(0, *given, speaker=speaker, voice=voice))] == speaking


def test_after_a_cut_each_face_speaks_in_its_own_shot(found):
    first, second = seen(1, 0, "1" * 8 + "." * 9), seen(2, 0, "." * 8 + "1" * 9)
    assert places(found(window(0, first, second))) == [(1, 0.0, 1.92, True), (2, 1.92, 4.08, True)]
    together = seen(2, 0, "." * 7 + "1" * 10)
    assert [one.speaking for one in found(window(0, first, together))] == [False, False], "one frame with both"
    assert [one.speaking for one in found(window(0, first, together, speaker=2))] == [False, True]


def test_a_voice_before_the_person_is_seen_is_not_the_persons(found):
    given = window(0, seen(1, 0, "." * 9 + "1" * 8))
    assert places(found(given)) == [(1, 2.16, 4.08, True)]
    assert places(found(given._replace(active=2.0))) == [(1, 2.16, 4.08, False)]
    assert places(found(given._replace(active=2.4))) == [(1, 2.16, 4.08, True)]  # .24 s of voice are enough


def test_a_change_of_speaker_divides_and_a_brief_last_window_does_not(found):
    first, second = (seen(person, 0, ALL) for person in (1, 2)), (seen(person, LENGTH, ALL) for person in (1, 2))
    rest = (seen(person, 2 * LENGTH, "11") for person in (1, 2))
    given = [window(0, *first, speaker=1), window(1, *second, speaker=2), window(2, *rest, frames=2, voice=False)]
    assert places(found(*given)) == [
        (1, 0.0, 4.08, True), (2, 0.0, 4.08, False), (1, 4.08, 8.64, False), (2, 4.08, 8.64, True),
    ]  # fmt: skip


def test_a_person_who_is_away_for_a_window_begins_anew(found):
    given = [window(0, seen(1, 0, ALL)), window(1), window(2, seen(1, 2 * LENGTH, ALL))]
    assert places(found(*given)) == [(1, 0.0, 4.08, True), (1, 8.16, 12.24, True)]


def test_a_long_run_is_divided_evenly_below_twenty_seconds(found):
    parts = found(*(window(n, seen(1, LENGTH * n, ALL)) for n in range(10)))
    assert places(parts) == [(1, 0.0, 13.44, True), (1, 13.44, 27.12, True), (1, 27.12, 40.8, True)]
    (whole,) = found(*(window(n, seen(1, LENGTH * n, ALL)) for n in range(4)), window(4, seen(1, 4 * LENGTH, "1" * 15)))
    assert whole.end - whole.start == pytest.approx(83 * EVERY)
    assert len(found(*(window(n, seen(1, LENGTH * n, ALL)) for n in range(5)))) == 2


def test_what_is_brief_or_beyond_the_sound_is_kept_and_no_segment(found):
    brief = found(window(0, seen(1, 0, ALL), seen(2, 3, "1111"), speaker=1))
    assert places(brief) == [(1, 0.0, 4.08, True), (2, 0.72, 1.68, None)]
    late = found(window(0, seen(1, 0, ALL), sound=3.3), window(1, seen(1, LENGTH, ALL), sound=0.0))
    assert places(late) == [(1, 0.0, 3.3, True), (1, 3.36, 8.16, None)]
    assert sum(len(one.reasons) for one in late) == 2 * LENGTH


@pytest.mark.parametrize(
    ("given", "pictures", "cause"),
    [
        ([window(0)], False, "has no pictures, so there is no face to label; give films"),
        ([window(0)], True, "no face is found in it"),
        ([window(0, seen(1, 0, "d" * LENGTH))], True, "no face is found in it"),
        ([window(0, seen(1, 0, ALL), sound=0.0)], True, "shows faces and has no sound, so there is no voice to label"),
        ([window(0, seen(1, 0, "1111"))], True, "nobody is seen with sound for 1 s"),
    ],
)
def test_a_film_that_cannot_be_labelled_says_why(found, given, pictures, cause):
    with pytest.raises(MediaError) as error:
        found(*given, pictures=pictures)
    assert str(error.value) == f"a.mp4: {cause}"


class Late:
    """People of whom the second is found in the second window and was first seen in the first one."""

    def __init__(self):
        self.asked, self.forgotten = [], []

    def people(self, start, end):
        self.asked.append((start, end))
        first, stop = round(start / EVERY + 0.499), round(end / EVERY)
        known = seen(1, first, "1" * (stop - first))
        return [known] if end < 5 else [known, seen(2, first, "." * (15 - first) + "1" * (stop - max(15, first)))]

    def forget(self, before):
        self.forgotten.append(before)


def test_a_person_found_late_has_the_frames_of_the_window_before():
    people = Late()
    followed = labelling._Followed(people)
    assert [len(one.times) for one in followed.people(0.0, 4.08)] == [LENGTH]
    followed.forget(4.08)
    one, other = followed.people(4.08, 8.16)
    assert one.times[0] == pytest.approx(4.08)
    assert other.times[other.reasons == 0][0] == pytest.approx(15 * EVERY)
    assert people.asked[1][0] == people.forgotten[0] == pytest.approx(4.08 - 1.5)  # two gaps of .75 s
    assert [len(one.times) for one in followed.people(8.16, 12.24)] == [LENGTH, LENGTH]
