"""A model that gives one answer is named with the cause that its training frames allow."""

from types import SimpleNamespace

import pytest
import torch

from mien import features
from mien.audit.recognition import constant
from mien.data.normalisation import Normalisation

LOGMEL = features.parse("logmel", {"mels": 8})


class Store:
    """Clips of one frame."""

    def __init__(self, frame: torch.Tensor) -> None:
        self.frame = frame

    def frames(self, clip: str) -> torch.Tensor:
        return self.frame[None]

    def valid(self, clip: str) -> torch.Tensor:
        return torch.ones(1, dtype=torch.bool)


def said(shift: torch.Tensor, *, kind: str = "train", feature=("logmel", LOGMEL), shares=None, clips=10) -> str | None:
    mean, std = torch.zeros(len(shift)), torch.full((len(shift),), 2.0)
    model = SimpleNamespace(
        normalise={"audio": Normalisation(kind, {"": (mean, std)})},
        experiment=SimpleNamespace(features={"audio": feature}),
    )
    dataset = SimpleNamespace(stores={"audio": Store(shift)})
    return constant.note("it", shares or {"anger": 0.995, "fear": 0.005}, model, dataset, list("abcdefghij")[:clips])


def test_several_answers_need_no_word():
    assert said(torch.ones(8), shares={"anger": 0.9, "fear": 0.1}) is None
    assert said(torch.ones(8), shares={"valence": 0.0}) is None
    assert said(torch.ones(8), clips=9) is None  # so few may all have one answer by chance


@pytest.mark.parametrize(
    ("shift", "cause"),
    [
        (
            torch.full((8,), -3.0),
            "the likely cause is the level: its sound is 13 dB quieter than that of training; bring",
        ),
        (
            torch.full((8,), 3.0),
            "the likely cause is the level: its sound is 13 dB louder than that of training; bring",
        ),
        (
            torch.tensor([5.0, -5.0] * 4),
            "the likely cause is another way of recording (microphone, room, noise): its f",
        ),
        (
            torch.full((8,), 0.2),
            "its features are like those of training (0.1 standard deviations from their mean, on ",
        ),
    ],
)
def test_the_cause_is_what_the_training_frames_show(shift, cause):
    begin = "it: 100% of the answers are 'anger', so its scores do not measure how well it separates classes; "
    assert said(shift).startswith(begin + cause)


def test_without_statistics_or_level_less_is_known():
    loud = torch.full((8,), 3.0)
    assert said(loud, kind="none").endswith(
        "another way of recording (level, microphone, room) or another kind of speech"
    )
    assert "level" not in said(loud, feature=("prosody", None))
    config = features.parse("functionals", {})
    place = features.feature("functionals").names(config).index("energy, mean")
    vector = torch.zeros(features.feature("functionals").dimension(config))
    vector[place] = -3.0
    assert "13 dB quieter" in said(vector, feature=("functionals", config))
    assert "dB" not in said(vector, feature=("functionals", features.parse("functionals", {"level": False})))
