"""The way from films to a training on the logits of their frames, and corpora that they do not fit."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from layouts import labelled
from mien import experiments
from mien.cli.main import main
from mien.corpora.label_folder import LabelFolder
from mien.corpora.toy import ToyConfig, generate
from mien.corpora.votes import EMOTIONS
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.settings import Data
from mien.data.store import open_store
from mien.errors import ConfigError
from mien.features import parse
from mien.runs import label_folder
from mien.runs.cell import Model, train_cell
from mien.runs.run import Run

STUDENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {audio: {name: vgg, channels: [4, 8], dimension: 8}, video: {name: vector, hidden: [8]}}
models: {it: {hidden: [], embeddings: {main: {tasks: {emotion: 1.0}}}}}
data:
  scheme: ferplus
  audio: {name: logmel, mels: 40}
  video: {name: frame_logits}
  length: {seconds: 1.2, long: random, short: pad}
protocol: {name: leave_one_speaker_out, folds: [0]}
training: {epochs: 1, batch: 8}
"""


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """Toy films, each picture of which is a face, labelled in this process."""
    folder = tmp_path_factory.mktemp("films")
    generate(folder / "films", ToyConfig(people=4, clips=12, seconds=2.5, size=32, frame_rate=10))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(label_folder, "spread", lambda work, parts, **_: ((part, work(part)) for part in parts))
        mien.label(folder / "films", out=folder / "labels", faces="whole-frame")
    return folder / "labels"


@pytest.fixture(scope="module")
def prepared(labels, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    mien.prepare("labelled", labels, out=out, options={"speaker": "folder"}, features=["frame_logits", "logmel"])
    return out


def stored(prepared, **settings):
    return open_store(Joined.open(str(prepared)), "frame_logits", parse("frame_logits", settings))


def opened(prepared, **settings):
    video = {"name": "frame_logits", **settings}
    return Dataset.open(Data.model_validate({"prepared": str(prepared), "video": video, "scheme": "ferplus"}))


def test_what_is_kept_is_what_was_labelled(labels, prepared):
    store, folder, table = stored(prepared), LabelFolder.open(labels), Prepared.open(prepared).table
    assert not store.missing(list(table["clip"]))
    for clip in table["clip"]:
        values, valid = folder.frames(clip)
        np.testing.assert_array_equal(store.frames(clip).numpy(), np.where(valid[:, None], values, 0))
        np.testing.assert_array_equal(store.valid(clip).numpy(), valid)
    assert Prepared.open(prepared).card["frames"] == {"classes": list(EMOTIONS), "every": 0.24}


def test_another_order_of_classes_is_another_feature(prepared):
    turned = EMOTIONS[::-1]
    store, plain = stored(prepared, classes=turned), stored(prepared)
    clips = list(Prepared.open(prepared).table["clip"])
    assert store.missing(clips) == clips
    assert store.extract(clips).empty
    for clip in clips:
        assert torch.equal(store.frames(clip), plain.frames(clip).flip(1))


def test_the_same_seconds_of_sound_and_logits_are_taken(prepared):
    """Of a planted stream: frame k of the logits holds its own second, and sound frames lie 10 ms apart."""
    data = Data.model_validate(
        {"prepared": str(prepared), "audio": {"name": "logmel", "mels": 40}, "video": {"name": "frame_logits"},
         "length": {"seconds": 1.2, "long": "random"}}
    )  # fmt: skip
    assert data.hops == {"audio": 0.01, "video": 0.24}
    for position in (0.0, 0.3, 0.7, 0.99):
        place = data.length.place(250, 0.01, position)
        times = 0.24 * torch.arange(11)
        taken, valid = data.length.apply(times[:, None], torch.ones(11, dtype=torch.bool), 0.24, place)
        assert len(taken) == len(valid) == 5
        assert abs(float(taken[0, 0]) - place.start) <= 0.12 + 1e-6


def test_a_model_trains_on_voice_and_logits(prepared, tmp_path):
    (tmp_path / "student.yaml").write_text(STUDENT)
    settings = experiments.load(tmp_path / "student.yaml", [f"data.prepared={prepared}"])
    dataset, run = Dataset.open(settings.data), Run(tmp_path / "run", settings)
    (fold, *_), cell = dataset.folds(settings.protocol), run.cell("it", 0, 0)
    train_cell(run, dataset, fold, cell, device=torch.device("cpu"))
    model = Model.load(settings, cell, torch.device("cpu"))
    clips = list(fold.test)
    both = model.infer(dataset.examples(clips, model.targets))
    assert both.outputs["emotion"].shape == (len(clips), len(model.main.classes))
    assert np.isfinite(both.outputs["emotion"]).all()


def test_dataset_takes_clips_with_their_logits(prepared):
    dataset = opened(prepared)
    assert len(dataset.clips) == len(Prepared.open(prepared).table)
    assert not dataset.left_out


def test_frames_that_changed_since_are_written_anew(labels, tmp_path, monkeypatch):
    folder, out = tmp_path / "labels", tmp_path / "prepared"
    shutil.copytree(labels, folder)
    mien.prepare("labelled", folder, out=out, features=["frame_logits"])
    clip = Prepared.open(out).table["clip"][0]
    before, read = stored(out).frames(clip), LabelFolder.frames
    monkeypatch.setattr(LabelFolder, "frames", lambda self, name: (2 * read(self, name)[0], read(self, name)[1]))
    mien.prepare("labelled", folder, out=out, features=["frame_logits"])
    assert torch.equal(stored(out).frames(clip), 2 * before)


def test_a_folder_that_was_labelled_again_is_no_longer_the_same(labels, tmp_path):
    """What a PREPARED folder lacks is taken of clips with the labels that were prepared, and of no others."""
    folder, out = tmp_path / "labels", tmp_path / "prepared"
    shutil.copytree(labels, folder)
    mien.prepare("labelled", folder, out=out, features=["logmel"])
    table = pd.read_csv(folder / "segments.csv")
    table.loc[0, "logit_neutral"] += 1
    table.to_csv(folder / "segments.csv", index=False)
    clips = list(Prepared.open(out).table["clip"])
    store = stored(out)
    problems = store.extract(clips)
    assert len(problems) == 1
    assert problems["problem"][0].endswith("its labels have changed since it was prepared")
    assert len(store.missing(clips)) == 1


def test_corpora_that_hold_no_such_frames_are_refused(labels, prepared, tmp_path, capsys):
    command = ["prepare", "labelled", str(labels), "--out", str(tmp_path / "cut"), "--features", "frame_logits"]
    assert main([*command, "--cut-silence"]) == 2
    assert (
        "--cut-silence: the frames of frame_logits begin where a clip does as it was labelled"
        in capsys.readouterr().err
    )
    films = labels.parent / "films"
    assert main(["prepare", "toy", str(films), "--out", str(tmp_path / "toy"), "--features", "frame_logits"]) == 2
    assert f"--features: frame_logits: {films} holds no frames of its clips; label films by" in capsys.readouterr().err
    assert not (tmp_path / "toy").exists()
    other = tmp_path / "other"
    other.mkdir()
    labelled(other, ("calm", "anger"))
    assert main(["prepare", "labelled", str(other), "--out", str(tmp_path / "two"), "--features", "frame_logits"]) == 2
    words = f"the frames of {other} are of calm, anger, and the settings say neutral, happiness, surprise, sadness"
    assert words in capsys.readouterr().err
    for settings, words in (
        (
            {"classes": ["anger", "calm"]},
            f"data.video: frame_logits: classes: the frames of {prepared} are of neutral,",
        ),
        ({"every": 0.12}, f"data.video: frame_logits: every: {prepared} has a frame each 0.24 s, and the settings say"),
    ):
        with pytest.raises(ConfigError) as error:
            Dataset.open(
                Data.model_validate({"prepared": str(prepared), "video": {"name": "frame_logits", **settings}})
            )
        assert words in str(error.value)
    mien.prepare("toy", films, out=tmp_path / "toy")
    with pytest.raises(ConfigError) as error:
        opened(tmp_path / "toy")
    assert f"data.video: frame_logits: {tmp_path / 'toy'} holds no frames of its clips" in str(error.value)
