"""The row of a whole file: several people in a window share its seconds, and a file of many windows takes no time."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.runs.answers import answers
from mien.runs.ensemble import Ensemble
from mien.runs.late_fusion import LateFusion
from mien.runs.timeline import Prediction


class Model(SimpleNamespace):
    parts = ("itself",)

    def part(self, modality):
        return self


MODEL = Model(
    classes=("anger", "neutral"), target="emotion", unsure=0.6, scheme="basic", name="it", faces=None, shortest=None
)
SURE, UNSURE = np.array([0.9, 0.1]), np.array([0.55, 0.45])


def test_people_of_one_window_share_its_seconds():
    found = answers(
        Path("a.mp4"),
        [
            Prediction(0.0, 4.0, "1", "audio+video", SURE),
            Prediction(0.0, 4.0, "2", "video", UNSURE),
            Prediction(4.0, 8.0, "1", "video", UNSURE),
            Prediction(8.0, 10.0, "", "", None),
        ],
        MODEL,
        0.25,
    )
    shares = {"anger_share": 0.2, "neutral_share": 0.0, "unsure_share": 0.6, "silence_share": 0.2}
    assert {name: found.whole[name] for name in shares} == shares
    assert (found.whole["seconds"], found.whole["modality"]) == (10.0, "audio+video")
    assert found.whole["anger"] == pytest.approx((2 * 0.9 + 2 * 0.55 + 4 * 0.55) / 8)
    assert found.whole["emotion"] == "anger"
    assert len(found.rows) == 4


def test_windows_too_brief_count_only_where_there_is_no_other():
    brief, whole = Prediction(4.0, 4.2, "1", "audio", np.array([0.0, 1.0])), Prediction(0.0, 4.0, "1", "audio", SURE)
    both = answers(Path("a.wav"), [whole, brief], MODEL, 0.25)
    assert (both.whole["emotion"], both.whole["anger"], both.brief) == ("anger", 0.9, 1)
    alone = answers(Path("a.wav"), [brief], MODEL, 0.25)
    assert (alone.whole["emotion"], alone.whole["neutral"]) == ("unsure", 1.0)


def test_a_number_has_its_mean():
    model = Model(**{**vars(MODEL), "classes": (), "target": "valence", "unsure": 0.0})
    voiced = [Prediction(4.0 * n, 4.0 * n + 4, "1", "audio", np.array([value])) for n, value in enumerate((0.2, 0.6))]
    whole = answers(Path("a.wav"), [*voiced, Prediction(8.0, 16.0, "", "", None)], model, 0.25).whole
    assert (whole["valence"], whole["silence_share"]) == (0.4, 0.5)
    assert "unsure_share" not in whole


def test_ten_hours_are_summed_up_in_a_moment():
    found = [Prediction(float(n), n + 4.0, "1", "audio", SURE) for n in range(36_000)]
    begin = time.process_time()
    answers(Path("a.wav"), found, MODEL, 0.25)
    assert time.process_time() - begin < 10


VOICE, FACE = ("anger", "neutral"), ("anger", "neutral", "surprise")


@pytest.fixture
def both():
    """A model of voices, sure from .8 on, and one of faces, sure from .45 on; both together from .6 on."""
    voice = Ensemble("v", "emotion", VOICE, "one", (), unsure=0.8)
    together = LateFusion(voice, replace(voice, name="f", classes=FACE, scheme="two", unsure=0.45))
    shown = SimpleNamespace(parts=together.parts, part=together.part, faces="some", shortest=None)
    shown.modalities = together.modalities
    for name in ("classes", "target", "unsure", "scheme", "name"):
        setattr(shown, name, getattr(together, name))
    shown.part = lambda modality: shown if modality == "audio+video" else together.part(modality)
    return shown


def one(start, modality, *probabilities):
    return Prediction(start, start + 4.0, "1", modality, np.array(probabilities))


def test_each_row_has_the_threshold_and_the_classes_of_what_answered_it(both):
    windows = [("audio", 0.7, 0.3, 0.0), ("video", 0.2, 0.7, 0.1), ("audio+video", 0.7, 0.1, 0.2)]
    found = answers(Path("a"), [one(4.0 * n, *window) for n, window in enumerate(windows)], both, 0.25).rows
    assert [row["emotion"] for row in found] == ["unsure", "neutral", "anger"]
    assert [row["surprise"] for row in found] == [None, 0.1, 0.2]
    assert [row["model"] for row in found] == ["v", "f", "v+f"]
    assert [row["scheme"] for row in found] == ["one", "two", "one+two"]


def test_a_row_says_which_modality_was_not_there(both):
    windows = [one(0.0, "audio", 0.7, 0.3, 0.0), one(4.0, "video", 0.2, 0.7, 0.1), one(8.0, "audio+video", 1, 0, 0)]
    found = answers(Path("a"), [*windows, Prediction(12.0, 16.0, "", "", None)], both, 0.25).rows
    assert [row["missing"] for row in found] == ["video", "audio", "", "audio+video"]
    heard = answers(Path("a"), [one(0.0, "audio", 0.7, 0.3)], MODEL, 0.25, asked=both).rows
    assert heard[0]["missing"] == "video"
    assert "missing" not in answers(Path("a"), [one(0.0, "audio", 0.7, 0.3)], MODEL, 0.25).rows[0]


def test_a_file_of_windows_by_voice_and_windows_by_face_was_not_joined(both):
    heard, shown = one(0.0, "audio", 0.5, 0.5, 0.0), one(4.0, "video", 0.3, 0.3, 0.4)
    whole = answers(Path("a"), [heard, shown], both, 0.25).whole
    assert (whole["model"], whole["scheme"], whole["modality"]) == ("v, f", "one, two", "audio+video")
    expected = np.array([0.4, 0.4, 0.4]) / 1.2  # a voice says nothing of surprise
    assert [whole[name] for name in FACE] == pytest.approx(expected, abs=1e-4)
    sure = [one(0.0, "audio", 0.7, 0.3, 0.0), one(4.0, "video", 0.9, 0.05, 0.05)]
    whole = answers(Path("a"), sure, both, 0.25).whole
    assert (whole["emotion"], whole["unsure_share"]) == ("unsure", 0.5), "the voice's threshold holds"
    alone = answers(Path("a"), sure[:1], both, 0.25).whole
    assert (alone["model"], alone["surprise"]) == ("v", None)
    joined = answers(Path("a"), [*sure, one(8.0, "audio+video", 0.9, 0.05, 0.05)], both, 0.25).whole
    assert joined["model"] == "v+f"
