"""The prediction of a clip does not depend on the other clips of its batch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien import experiments
from mien.data.normalisation import Normalisation
from mien.data.targets import Target
from mien.media.faces import Faces, Reason, Seen
from mien.media.windows import Window
from mien.models.layers.normalisation import BatchNorm
from mien.runs import timeline
from mien.runs.cell import Model, build
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run
from mien.runs.selection import best_model

TINY = {"name": "vgg", "channels": [4, 6], "dimension": 6}
NEAR = 1e-4  # rounding in float32 through logits that are spread apart
EMOTION = {"embeddings": {"emotion": {"dim": 5, "tasks": {"emotion": 1.0}}}}
PERSON = {"embeddings": {"speaker": {"dim": 5, "tasks": {"speaker": 1.0}, "auxiliary": ["emotion"]}}}
EXPERIMENT = {
    "title": "tiny",
    "paper": "none",
    "command": "none",
    "cost": "none",
    "expected": "none",
    "recipe": "disentangle",
    "encoder": {"audio": TINY, "video": TINY},
    "models": {"emotion_only": EMOTION, "person_only": PERSON, "multitask": EMOTION},
    "data": {
        "scheme": "iemocap",
        "audio": {"name": "logmel", "mels": 6},
        "video": {"name": "crops", "faces": "whole-frame", "size": 8},
    },
    "protocol": {"name": "leave_one_speaker_out"},
    "training": {"epochs": 1, "batch": 10},
}


@pytest.fixture(scope="module")
def ensemble():
    """Two members that hear and see, untrained, with statistics of batch normalisation as training leaves them."""
    experiment = experiments.resolve(EXPERIMENT, "tiny")
    generator, members = torch.Generator().manual_seed(0), []
    classes = ("anger", "happiness", "neutral", "sadness")
    targets = {"emotion": Target("emotion", "classes", ("emotion",), classes, main=True)}
    for seed in (0, 1):
        recipe = build(experiment, "emotion_only", targets, seed=seed, class_weight={}).eval()
        for module in recipe.modules():
            if isinstance(module, BatchNorm):
                module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
        alone = {what: Normalisation("none", {}) for what in ("audio", "video")}
        members.append(Model(experiment, recipe, alone, targets))
    made = Ensemble("tiny", "emotion", classes, "iemocap", tuple(members))
    for member in members:  # logits of mean 0 and deviation 2 over the cases: what one case has shows
        head, outputs = member.recipe.tasks["emotion-emotion"][-1], []
        watched = head.register_forward_hook(lambda _, given, logits, outputs=outputs: outputs.append(logits))
        replace(made, models=(member,)).infer(*zip(*CASES.values(), strict=True))
        watched.remove()
        scale, middle = 2 / torch.cat(outputs).std(dim=0), torch.cat(outputs).mean(dim=0)
        head.bias.data.sub_(middle).mul_(scale)
        head.weight.data.mul_(scale[:, None])
    return made


def voice(seed, frames=30):
    return np.random.default_rng(seed).normal(1.0, 2.0, size=(frames, 6)).astype(np.float32)


def face(seed, frames=5, *, unusable=()):
    reasons = np.zeros(frames, np.uint8)
    reasons[list(unusable)] = Reason.TOO_DARK
    colour = np.array([200, 60, 20])[:, None, None]
    pixels = (colour + np.random.default_rng(seed).integers(0, 50, (frames, 3, 8, 8))).astype(np.uint8)
    return Seen(1, pixels, reasons, np.arange(float(frames)), (0, 0, 1, 1), 0.1, np.nan)


CASES = {
    "voice": (voice(0), None),
    "face": (None, face(1)),
    "both": (voice(2, 21), face(3, 7)),
    "a face in part": (None, face(4, 4, unusable=[0, 3])),
    "a face of which nothing can be used": (voice(5), face(6, 3, unusable=range(3))),
}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 2), (2, 1, 0), (0, 0), (4, 3, 2, 1, 0), (3, 4), (4, 3)])
def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(ensemble, order):
    cases = [list(CASES.values())[number] for number in order]
    together = ensemble.infer([sound for sound, _ in cases], [crops for _, crops in cases])
    for row, (sound, crops) in zip(together, cases, strict=True):
        np.testing.assert_allclose(row, ensemble.infer([sound], [crops])[0], atol=NEAR)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-9)


def test_every_modality_moves_the_prediction_and_unusable_frames_do_not(ensemble):
    sound, crops = CASES["both"]
    both, voiced, faced = ensemble.infer([sound, sound, None], [crops, None, crops])
    assert min(np.abs(both - voiced).max(), np.abs(both - faced).max(), np.abs(voiced - faced).max()) > 0.01
    sound, dark = CASES["a face of which nothing can be used"]
    np.testing.assert_allclose(*ensemble.infer([sound, sound], [dark, None]), atol=NEAR)
    np.testing.assert_array_equal(ensemble.infer([sound, sound]), ensemble.infer([sound, sound], [None, None]))


@pytest.mark.parametrize("kinds", [["both", "face", "voice"], ["voice", "both", "face"], ["face", "voice", "both"]])
def test_shares_are_what_each_modality_alone_takes_away(ensemble, monkeypatch, kinds):
    def play(file, **settings):
        for number, kind in enumerate(kinds):
            sound, crops = CASES[kind]
            people = () if crops is None else (crops,)
            yield Window(number, number + 1.0, np.zeros(16_000, np.float32), 1.0 * (sound is not None), people, None)

    def frames(self, sound, places):
        return [CASES[kind][0] for kind in kinds if CASES[kind][0] is not None]

    monkeypatch.setattr(timeline, "windows", play)
    monkeypatch.setattr(Ensemble, "frames", frames)
    settings = {"window": 1.0, "hop": 1.0, "detect": None, "speaker": "active"}
    rows = list(timeline.predictions(Path("a.mp4"), ensemble, Faces(faces="whole-frame"), **settings))
    for kind, row in zip(kinds, rows, strict=True):
        sound, crops = CASES[kind]
        expected = ensemble.infer([sound], [crops])[0]
        np.testing.assert_allclose(row.probabilities, expected, atol=NEAR)
        if kind != "both":
            assert row.audio_share is row.video_share is None
            continue
        best = expected.argmax()
        taken = [
            expected[best] - ensemble.infer([one], [other])[0][best] for one, other in ((None, crops), (sound, None))
        ]
        assert [row.audio_share, row.video_share] == pytest.approx(taken, abs=NEAR)
        assert max(map(abs, taken)) > 0.01


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ({"emotion_only": 0.4, "person_only": 0.9, "multitask": 0.5}, "multitask"),
        ({"emotion_only": 0.5, "person_only": 0.1, "multitask": 0.5}, "emotion_only"),
        ({"person_only": 0.2}, "person_only"),
    ],
)
def test_the_best_model_was_trained_for_emotion_if_there_is_one(tmp_path, scores, best):
    models = {name: EXPERIMENT["models"][name] for name in scores}
    run = Run.start(tmp_path, experiments.resolve({**EXPERIMENT, "models": models}, "tiny"))
    metrics = {"models": {name: {"validation": {"uar": uar}} for name, uar in scores.items()}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert best_model(run) == best
