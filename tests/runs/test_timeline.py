"""Predictions over time: who is classified in a window, by which modality, and the share of each."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.errors import MediaError
from mien.media.audio import AudioBlock
from mien.media.faces import Faces, Reason, Seen
from mien.media.faces.detectors import Face
from mien.media.windows import Window
from mien.runs import timeline

RATE, VOICE, FACE = 1000, 0.3, 0.2


class Planted:
    """A model of two classes that leans to the first one by what there is: .3 for a voice, .2 for a face."""

    classes, rate, name = ("one", "other"), RATE, "planted"

    def __init__(self, *modalities: str) -> None:
        self.modalities = modalities or ("audio", "video")
        self.inputs: list[tuple[bool, bool]] = []
        self.most = 0

    def frames(self, sound, places):
        return [sound[place][:, None] for place in places]

    def infer(self, voices, faces):
        there = [(voice is not None, face is not None) for voice, face in zip(voices, faces, strict=True)]
        self.inputs += there
        self.most = max(self.most, len(there))
        first = np.array([0.5 + VOICE * voice + FACE * face for voice, face in there])
        return np.stack([first, 1 - first], axis=1)


def face(person, area=0.1, *, reason=Reason.VALID, size=8):
    reasons = np.full(4, reason, np.uint8)
    return Seen(person, np.zeros((4, 3, size, size), np.uint8), reasons, np.arange(4.0), (0, 0, 1, 1), area, np.nan)


def window(*people, start=0.0, voice=True, speaker=None):
    return Window(start, start + 2.0, np.ones(2 * RATE, np.float32), 2.0 * voice, people, speaker)


@pytest.fixture
def classify(monkeypatch):
    """A function that classifies given windows."""

    def run(*given, speaker="active", model=None):
        def play(file, *, look, **settings):
            if any(one.people for one in given):
                look.feed(SimpleNamespace(time=0.0))
            yield from given

        monkeypatch.setattr(timeline, "windows", play)
        faces = Faces(faces="whole-frame")
        settings = {"window": 2.0, "hop": 1.0, "detect": None, "speaker": speaker}
        return list(timeline.predictions(Path("a.mp4"), model or Planted(), faces, **settings))

    return run


def who(rows):
    return [(row.person, row.modality) for row in rows]


SMALL, LARGE, UNUSABLE = face(1, 0.1), face(2, 0.3), face(3, 0.5, reason=Reason.TOO_DARK)


@pytest.mark.parametrize(
    ("speaker", "people", "voice", "active", "expected"),
    [
        ("active", (SMALL, LARGE), True, 1, [("1", "audio+video")]),
        ("active", (SMALL, LARGE), True, None, [("2", "audio+video")]),
        ("active", (SMALL, LARGE), False, 1, [("1", "video")]),
        ("active", (SMALL, LARGE), False, None, [("2", "video")]),
        ("active", (SMALL, LARGE, UNUSABLE), True, 3, [("3", "audio")]),
        ("active", (SMALL, LARGE, UNUSABLE), False, 3, [("2", "video")]),
        ("active", (UNUSABLE,), True, None, [("voice", "audio")]),
        ("active", (), True, None, [("voice", "audio")]),
        ("active", (), False, None, [("", "")]),
        ("active", (UNUSABLE,), False, None, [("", "")]),
        ("largest", (SMALL, LARGE), True, 1, [("2", "audio+video")]),
        ("largest", (SMALL, LARGE), False, 1, [("2", "video")]),
        ("largest", (), True, None, [("voice", "audio")]),
        ("all", (SMALL, LARGE), True, 1, [("1", "audio+video"), ("2", "video")]),
        ("all", (SMALL, LARGE), True, None, [("1", "video"), ("2", "audio+video")]),
        ("all", (SMALL, LARGE), False, 1, [("1", "video"), ("2", "video")]),
        ("all", (LARGE, UNUSABLE), True, 3, [("2", "video"), ("3", "audio")]),
        ("all", (face(10), face(9)), False, None, [("9", "video"), ("10", "video")]),
        ("all", (), True, None, [("voice", "audio")]),
        ("all", (), False, None, [("", "")]),
    ],
)
def test_who_is_classified_by_what(classify, speaker, people, voice, active, expected):
    assert who(classify(window(*people, voice=voice, speaker=active), speaker=speaker)) == expected


def test_a_share_is_what_is_lost_without_a_modality(classify):
    model = Planted()
    first, second = classify(window(SMALL, LARGE, speaker=1), speaker="all", model=model)
    assert first.probabilities == pytest.approx([0.5 + VOICE + FACE, 0.5 - VOICE - FACE])
    assert (first.audio_share, first.video_share) == pytest.approx((VOICE, FACE))
    assert second.probabilities == pytest.approx([0.5 + FACE, 0.5 - FACE])
    assert second.audio_share is None
    assert second.video_share is None
    assert model.inputs == [(True, True), (False, True), (True, False), (False, True)]


def test_windows_come_in_order_whatever_the_batch(classify, monkeypatch):
    monkeypatch.setattr(timeline, "FACES_AT_ONCE", 3)
    monkeypatch.setattr(timeline, "PIXELS", 2 * SMALL.pixels.size)
    given = [
        window(*[SMALL, LARGE][: number % 3], start=float(number), voice=number % 2 == 0, speaker=1)
        for number in range(10)
    ]
    model = Planted()
    rows = classify(*given, speaker="all", model=model)
    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert {row.start for row in rows} == set(map(float, range(10)))
    assert model.most == 2
    likeliest = {"audio": 0.5 + VOICE, "video": 0.5 + FACE, "audio+video": 0.5 + VOICE + FACE}
    for row in rows:
        known = row.probabilities is not None
        assert (row.probabilities[0] == pytest.approx(likeliest[row.modality])) if known else row.modality == ""
    assert who(classify(*given, speaker="all", model=Planted("video"))) == [
        (person, "video" if person else "") for number in range(10) for person in [[""], ["1"], ["1", "2"]][number % 3]
    ]


def test_windows_with_large_faces_are_not_kept_together(classify, monkeypatch):
    taken, classified = [], []
    many = [window(face(1, size=64), start=float(number)) for number in range(6)]
    monkeypatch.setattr(timeline, "HELD", 2 * many[0].people[0].pixels.nbytes)

    def watched():
        for one in many:
            taken.append(one)
            yield one

    class Counting(Planted):
        def infer(self, voices, faces):
            classified.append(len(taken))
            return super().infer(voices, faces)

    monkeypatch.setattr(timeline, "windows", lambda file, **settings: watched())
    settings = {"window": 2.0, "hop": 1.0, "detect": None, "speaker": "active"}
    rows = list(timeline.predictions(Path("a.mp4"), Counting(), Faces(faces="whole-frame"), **settings))
    assert len(rows) == 6
    assert classified == [2, 4, 6]


def test_a_model_of_faces_alone_needs_pictures(classify):
    with pytest.raises(MediaError, match=r"a\.mp4: has no video, and this model needs video$"):
        classify(window(), model=Planted("video"))
    with pytest.raises(MediaError, match=r"a\.mp4: has neither sound nor video$"):
        classify()


def test_voices_alone(monkeypatch):
    parts = [Window(float(n), n + 2.0, np.ones(2 * RATE, np.float32), active) for n, active in enumerate((2, 0, 0.3))]
    monkeypatch.setattr(timeline, "windows", lambda file, **settings: iter(parts))
    rows = list(timeline.predictions(Path("a.wav"), Planted("audio"), None, window=2.0, hop=1.0, detect=None))
    assert who(rows) == [("1", "audio"), ("", ""), ("1", "audio")]
    assert [row.probabilities is None for row in rows] == [False, True, False]


def test_the_speaker_of_each_window_is_classified_in_a_stream(monkeypatch):
    """Two faces side by side for eight seconds; the left mouth goes with the sound, after four seconds the right."""
    from mien.media import windows as walk
    from mien.media.faces import people

    rng = np.random.default_rng(5)
    openings = {side: np.convolve(rng.uniform(0, 1, 202), np.ones(3) / 3, "valid") for side in (10, 70)}
    loud = np.concatenate([openings[10][:100], openings[70][100:]])
    sound = np.repeat(10 ** (4 * loud - 4), 40) * np.sin(0.9 * np.arange(200 * 40))
    boxes = {side: (float(side), 10.0, side + 40.0, 50.0) for side in openings}

    class Still:
        height, width, seconds = 60, 120, 0.04

        def __init__(self, number):
            self.time = 0.04 * number
            self.pixels = np.full((60, 120, 3), 100, np.uint8)
            for side, opening in openings.items():
                self.pixels[38:44, side + 13 : side + 27] = 100 - int(90 * opening[number])

        def rgb(self):
            return self.pixels

        def grey(self):
            return np.ascontiguousarray(self.pixels[..., 0])

    def stream(file, *, rate, channels):
        for number in range(200):
            if number % 25 == 0:
                yield AudioBlock(0.04 * number, sound[number * 40 : (number + 25) * 40].astype(np.float32))
            yield Still(number)

    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [Face(b, 0.9) for b in boxes.values()])
    monkeypatch.setattr(walk, "stream_media", stream)
    settings = {"window": 4.0, "hop": 4.0, "detect": lambda frames: np.ones(len(frames), bool)}
    for speaker, expected in (("active", ["1", "2"]), ("all", ["1", "2", "1", "2"])):
        rows = list(timeline.predictions(Path("a.mp4"), Planted(), Faces(size=8), speaker=speaker, **settings))
        assert [row.person for row in rows] == expected
        by = [row.modality for row in rows]
        assert by == (["audio+video"] * 2 if speaker == "active" else ["audio+video", "video", "video", "audio+video"])
        assert [(row.start, row.end) for row in rows] == [(4.0 * n, 4.0 * n + 4) for n in range(2) for _ in by[::2]]


@pytest.mark.parametrize(("least", "heard"), [(2.0, True), (2.5, False)])
def test_a_voice_that_is_too_brief_is_left_out_where_there_is_a_face(least, heard):
    settings = {"speaker": "active", "voiced": True, "nameless": timeline.VOICE, "least": least}
    (case,) = timeline._cases(window(face(1), speaker=1), **settings)
    assert (case.voice, case.face is not None) == (heard, True)
    (case,) = timeline._cases(window(), **settings)
    assert (case.person, case.voice) == (timeline.VOICE, True)
