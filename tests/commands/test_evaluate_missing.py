"""`evaluate --missing`: what is missing does not reach a model, and complete data score as in the run."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from conftest import Memory
from mien import features
from mien.audit.robustness import counted
from mien.audit.robustness.gains import FACE_ALONE, VOICE_ALONE, gain
from mien.audit.statistics import scores
from mien.cli.main import main
from mien.commands import evaluate_missing
from mien.corpora.toy import ToyConfig, generate
from mien.data.dataset import open_all
from mien.errors import ConfigError
from mien.experiments.conditions import NOTHING, Condition, load
from mien.media.audio import read_audio
from mien.models.recipes._recipe import Inference
from mien.runs import changed_sound, examining
from mien.runs.cell import Model
from mien.runs.run import Run
from mien.runs.run_files import RunFiles
from quick import cells_alone
from sealing import reseal

EXPERIMENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {audio: {name: vgg, channels: [4, 8], dimension: 8}, video: {name: vgg, channels: [4, 8], dimension: 8}}
models:
  one: {hidden: [], embeddings: {main: {tasks: {emotion: 1.0}}}}
  other: {hidden: [4], embeddings: {main: {tasks: {emotion: 1.0}}}}
data:
  scheme: toy
  audio: {name: logmel, mels: 40}
  video: {name: crops, faces: whole-frame, size: 32}
protocol: {name: group_k_fold, groups: 3, folds: [0, 1]}
training: {epochs: 1, batch: 12}
"""
GRID = """
seed: 3
missing: {modalities: [audio, video, both], patterns: [whole, blocks], shares: [0, 0.5, 1]}
face_lost: {shares: [0, 0.5]}
"""
SOUND = "noise: {colours: [pink], decibels: [0]}\nbabble: {voices: 2, decibels: [0]}\nshift: {milliseconds: [0, 255]}\n"
VOICE_ALONE_SETTINGS = ("data.video=null", "encoder={name: vgg, channels: [4, 8], dimension: 8}", "models.other=null")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    generate(folder / "toy", ToyConfig(people=6, clips=36, seconds=1, size=32, frame_rate=5, difficulty=0))
    mien.prepare("toy", folder / "toy", out=folder / "prepared", features=())
    return folder / "prepared"


def trained(prepared, folder, *settings):
    """A run without its audit and its page, which nobody here needs."""
    (folder / "tiny.yaml").write_text(EXPERIMENT)
    with cells_alone():
        mien.train(folder / "tiny.yaml", [f"data.prepared={prepared}", *settings], out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    return trained(prepared, tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "small.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def found(run, grid):
    return mien.evaluate(run, missing=grid)


def table(run, name="small"):
    return Run.open(run).robustness_table(name, "conditions.csv")


def at(rows, modality, pattern, level, model="one", measure="macro_f1"):
    keys = {"modality": modality, "pattern": pattern, "level": level, "model": model, "measure": measure}
    (row,) = rows[(rows[list(keys)] == pd.Series(keys)).all(axis=1)].to_dict("records")
    return row


def test_complete_data_score_exactly_as_in_the_run(run, found):
    opened, rows = Run.open(run), table(run)
    summary = scores.summary(opened.predictions, opened.classes).set_index(["model", "split"])
    for model in ("one", "other"):
        own = summary.loc[model, "test"]
        for name in ("uar", "wa"):
            for place in (("", "complete", 0), ("video", "blocks", 0), ("audio+video", "whole", 0)):
                row = at(rows, *place, model, name)
                assert row["score"] == own[name]
                assert (row["low"], row["high"]) == (own[f"{name}_low"], own[f"{name}_high"])
                assert row["chance"] == own[f"{name}_chance"]
                assert row["difference"] == row["difference_low"] == row["difference_high"] == 0
        assert at(rows, "", "complete", 0, model)["clips"] == 24


def test_a_modality_that_is_lost_is_one_that_is_not_there(run, found, prepared):
    opened = Run.open(run)
    datasets = open_all(opened.experiment.data_of, opened.target)
    counts = counted.read(run / "robustness" / "small")["one"]
    folds = {fold["fold"]: fold["test"]["clips"] for fold in opened.splits}
    for modality in ("audio", "video"):
        expected = np.zeros((6, 6))
        for cell in [cell for cell in opened.cells if cell.model == "one"]:
            dataset, clips = datasets["one"], folds[cell.fold]
            shape = features.shape(*dataset.settings.features[modality])
            kind = torch.uint8 if modality == "video" else torch.float32
            nothing = Memory({clip: torch.zeros(0, *shape, dtype=kind) for clip in clips})
            examples = replace(dataset.examples(clips, {}), **{modality: (nothing,) * len(clips)})
            model = Model.load(opened.experiment, cell, torch.device("cpu"))
            guess = model.infer(examples, embed=False).outputs["emotion"].argmax(axis=1)
            truth = [opened.classes.index(name) for name in dataset.clips.loc[clips, "label"]]
            np.add.at(expected, (truth, guess), 1)
        for pattern in ("whole", "blocks"):  # all of it is missing, whatever the pattern
            there = counts.table(Condition(modality, pattern, 1.0)).counts.sum(0)
            np.testing.assert_array_equal(there, expected)


def test_the_same_grid_twice_gives_the_same_bytes(run, grid, found, monkeypatch):
    told, real = [], examining.progress
    monkeypatch.setattr(examining, "progress", lambda *given: told.append(given) or real(*given))
    folder = run / "robustness" / "small"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {"conditions.csv", "folds.csv", "graceful.csv", "counts.safetensors", "metrics.json"}
    mien.evaluate(run, missing=grid)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    assert told == [(4, "answering under all conditions", "cells")], "two models of two folds"


def test_an_interruption_leaves_what_was_there(run, grid, found, monkeypatch):
    folder = run / "robustness" / "small"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(counted, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mien.evaluate(run, missing=grid)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    mien.evaluate(run, missing=grid)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(table(run))


class Planted:
    """Knows each clip's emotion where a frame of one modality is there, and guesses the first class elsewhere."""

    def __init__(self, model, modality, truth):
        self.model, self.modality, self.truth, self.main = model, modality, truth, model.main

    def infer(self, examples, *, embed):
        clips, outputs = [], []
        for batch in self.model.loader(examples).epoch(0):
            there = getattr(batch, self.modality).valid.any(dim=1).tolist()
            for clip, seen in zip(batch.clips, there, strict=True):
                clips.append(clip)
                outputs.append(3.0 * np.eye(6)[self.truth[clip] if seen else 0])
        return Inference(tuple(clips), {"emotion": np.array(outputs, np.float32)}, {})


@pytest.mark.parametrize(("modality", "other"), [("audio", "video"), ("video", "audio")])
def test_a_model_of_one_modality_falls_to_chance_without_it_alone(run, grid, monkeypatch, modality, other):
    opened = Run.open(run)
    truth = {clip: opened.classes.index(label) for clip, label in opened.clips["label"].items()}
    load = Model.load
    monkeypatch.setattr(examining.Model, "load", staticmethod(lambda *given: Planted(load(*given), modality, truth)))
    copied = run.parent / f"planted-{modality}"
    shutil.copytree(run, copied, dirs_exist_ok=True)
    outcome = mien.evaluate(copied, missing=grid)
    rows = table(copied)
    assert at(rows, "", "complete", 0, measure="wa")["score"] == 1
    assert at(rows, other, "whole", 1, measure="wa")["score"] == 1
    gone, both = (at(rows, what, "whole", 1, measure="uar") for what in (modality, "audio+video"))
    assert gone["score"] == both["score"] == pytest.approx(1 / 6)
    assert gone["chance"] == pytest.approx(1 / 6)
    assert 0.3 < at(rows, modality, "whole", 0.5, measure="wa")["score"] < 0.85
    assert at(rows, modality, "blocks", 0.5, measure="wa")["score"] == 1  # a part of it is enough for this one
    confidence = np.exp(3) / (np.exp(3) + 5)
    assert gone["confidence"] == pytest.approx(confidence, abs=1e-6)
    assert gone["gap_change"] == pytest.approx(5 / 6, abs=1e-6)  # as sure as before, and wrong five times of six
    what = {"audio": "the sound", "video": "the face"}[modality]
    words = f"one: with {what} missing it answers 83.3 points worse and is as confident: overconfident"
    assert [one for one in outcome.data["answers"] if one.startswith(words)]
    areas = Run.open(copied).robustness_table("small", "graceful.csv")
    own = areas[(areas["model"] == "one") & (areas["other"] == "")].set_index(["modality", "pattern"])
    assert own.loc[(other, "whole"), "drop"] == pytest.approx(0)
    f1 = [at(rows, modality, "whole", share)["score"] for share in (0, 0.5, 1)]
    assert own.loc[(modality, "whole"), "area"] == pytest.approx(np.mean(f1))
    assert own.loc[(modality, "whole"), "drop"] == pytest.approx(f1[0] - np.mean(f1))


def test_two_models_are_compared_by_speaker_and_fold(run, found):
    models = counted.read(run / "robustness" / "small")
    both = gain(models["one"], models["other"], FACE_ALONE)
    rows = table(run)
    expected = [at(rows, "audio", "whole", 1, model)["score"] for model in ("one", "other")]
    assert both.difference == pytest.approx(expected[0] - expected[1])
    assert both.low <= both.difference <= both.high
    assert (both.speakers, both.folds) == (4, (0, 1))
    folds = pd.read_csv(run / "robustness" / "small" / "folds.csv")
    folds = folds[(folds["modality"] == "audio") & (folds["pattern"] == "whole") & (folds["level"] == 1)]
    folds = folds[folds["measure"] == "macro_f1"]
    assert both.scores == tuple(folds[folds["model"] == "one"]["score"])
    assert both.other_scores == tuple(folds[folds["model"] == "other"]["score"])
    itself = gain(models["one"], models["one"], VOICE_ALONE, NOTHING, measure="wa")
    assert itself.difference == pytest.approx(at(rows, "video", "whole", 1, measure="wa")["difference"])


def test_sound_that_is_not_changed_has_the_frames_of_the_store(run, tmp_path):
    opened = Run.open(run)
    dataset = open_all(opened.experiment.data_of, opened.target)["one"]
    clips = list(dataset.clips["clip"][:3])
    conditions = [Condition("audio+video", "shift", late) for late in (250.0, 255.0)]  # 25 hops, and half a hop more
    conditions += [Condition("audio", "babble", 300.0)]  # nothing of it is left in float32
    made = changed_sound.extract(dataset, clips, conditions, seed=0, voices=2, folder=tmp_path)
    assert not made.lacking
    store, late, later, babbled = dataset.stores["audio"], *map(made.sources.get, conditions)
    name, config = dataset.settings.features["audio"]
    for clip in clips:
        frames, known = store.frames(clip), len(store.frames(clip)) - 26
        assert torch.equal(babbled.frames(clip), frames)
        assert late.valid(clip).tolist() == [number >= 25 for number in range(len(frames))]
        assert torch.equal(late.frames(clip)[25:], frames[:-25])
        assert later.valid(clip).tolist() == [number >= 26 for number in range(len(frames))]
        sound = read_audio(dataset.prepared.media({"file": dataset.clips.loc[clip, "file"]}))
        (half,) = features.extract(name, [sound[80:]], config)  # begun half a hop later
        assert torch.equal(later.frames(clip)[26:], torch.from_numpy(half)[:known])


def test_noise_babble_and_shift_are_examined_or_listed(run, prepared, tmp_path, monkeypatch):
    path = tmp_path / "loud.yaml"
    path.write_text(SOUND)
    outcome = mien.evaluate(run, missing=path)
    rows = table(run, "loud")
    assert not outcome.data["not_examined"]
    assert {*rows["pattern"]} == {"complete", "pink noise", "babble", "shift"}
    confidences = rows[(rows["model"] == "one") & (rows["measure"] == "wa")].set_index(["pattern", "level"])[
        "confidence"
    ]
    assert confidences["shift", 0] == confidences["complete", 0]
    assert confidences.nunique() == 4  # each changes something
    media = prepared.parent / "toy"
    media.rename(prepared.parent / "elsewhere")
    try:
        gone = mien.evaluate(run, missing=path)
    finally:
        (prepared.parent / "elsewhere").rename(media)
    assert {*table(run, "loud")["pattern"]} == {"complete"}
    listed = {(one["pattern"], one["why"].split(",")[0]) for one in gone.data["not_examined"]}
    assert listed == {(name, "24 of the recordings are not there") for name in ("pink noise", "babble", "shift")}
    assert "not examined: " in " ".join(gone.text.split())
    assert not gone.problems


def test_a_model_of_sound_alone_is_examined_as_far_as_it_applies(prepared, grid, tmp_path, capsys):
    run = trained(prepared, tmp_path, *VOICE_ALONE_SETTINGS)
    assert main(["evaluate", str(run), "--missing", str(grid), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    listed = {(one["modality"], one["pattern"]) for one in data["not_examined"]}
    both = {(what, pattern) for what in ("video", "audio+video") for pattern in ("whole", "blocks")}
    assert listed == both | {("video", "face_lost")}
    assert {one["why"] for one in data["not_examined"]} == {"the models take no pictures"}
    assert {row["modality"] for row in data["rows"]} == {"", "audio"}
    counts = counted.read(run / "robustness" / "small")["one"]
    assert counts.at(VOICE_ALONE) == NOTHING  # it loses nothing where the face is missing


def test_text_fits_a_terminal_and_says_what_is_missing(found):
    lines = found.text.splitlines()[:-1]
    assert max(map(len, lines)) <= 80
    text = " ".join(found.text.split())
    assert "with half of the face missing (blocks) it answers" in text
    assert "No two models' drops are separable where this is missing (6 speakers are needed): the sound" in text


@pytest.mark.slow
def test_another_corpus_is_examined_in_the_same_way(run, grid, tmp_path):
    generate(tmp_path / "toy", ToyConfig(people=3, clips=12, seconds=1, size=32, frame_rate=10, seed=5))
    mien.prepare("toy", tmp_path / "toy", out=tmp_path / "prepared")
    mien.evaluate(run, missing=grid, on=tmp_path / "prepared")
    rows = table(run, "small-on-toy")
    plain = mien.evaluate(run, on=tmp_path / "prepared").data["models"]["one"]
    row = at(rows, "", "complete", 0, measure="wa")
    assert (row["clips"], row["speakers"], row["folds"]) == (12, 3, 2)
    assert row["score"] == pytest.approx(plain["wa"]["mean"])  # folds have the same clips, so both means agree
    shutil.rmtree(run / "robustness" / "small-on-toy")
    shutil.rmtree(run / "evaluations")
    reseal(run)


def test_what_cannot_be_done_is_refused_in_a_sentence(run, grid, tmp_path, monkeypatch, capsys):
    with pytest.raises(ConfigError, match=r"give --on PREPARED \(another corpus\), --missing GRID"):
        mien.evaluate(run)
    bad = tmp_path / "bad.yaml"
    bad.write_text("missing: {modalities: [video], patterns: [blok], shares: [1]}")
    assert main(["evaluate", str(run), "--missing", str(bad)]) == 2
    assert "unknown pattern 'blok'. Did you mean 'blocks'?" in " ".join(capsys.readouterr().err.split())
    assert not (run / "robustness" / "bad").exists()
    with pytest.raises(ConfigError, match="only the place of its corpus can be given"):
        mien.evaluate(run, ["seeds=[1]"], missing=grid)
    held = SimpleNamespace(folder=run, experiment=SimpleNamespace(hold_test=True), files=RunFiles(run, writes=True))
    monkeypatch.setattr(Run, "open", staticmethod(lambda folder, **_: held))
    with pytest.raises(ConfigError, match=r"its test clips are held back \(hold_test: true\), so no model may answer"):
        mien.evaluate(run, missing=grid)


def test_another_grid_of_the_same_name_is_refused_and_named(run, grid, found, tmp_path, monkeypatch):
    folder = run / "robustness" / "small"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(evaluate_missing, "examine", lambda *_, **__: pytest.fail("it is refused before the work"))
    other = tmp_path / "small.yaml"
    other.write_text(GRID.replace("shares: [0, 0.5]", "shares: [0, 0.25]"))
    with pytest.raises(ConfigError) as error:
        mien.evaluate(run, missing=other)
    assert str(error.value) == (
        f"{other}: {folder} holds the answers under another grid of this name (face_lost.shares was [0.0, 0.5] and is "
        "[0.0, 0.25]); call the file otherwise, or remove that folder"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    of_others = run / "robustness" / "small-on-toy"  # as `--on` writes it, of a grid called small
    shutil.copytree(folder, of_others)
    metrics = json.loads((of_others / "metrics.json").read_text()) | {"clips": evaluate_missing.OTHER_CLIPS}
    (of_others / "metrics.json").write_text(json.dumps(metrics))
    reseal(run)
    named = tmp_path / "small-on-toy.yaml"
    named.write_text(GRID)
    with pytest.raises(ConfigError, match=r'\(clips was "the corpus\'s clips" and is "the test clips of each fold"\)'):
        mien.evaluate(run, missing=named)
    shutil.rmtree(of_others)
    reseal(run)


def test_models_of_one_sound_are_asked_what_applies_to_any_of_them(run, tmp_path, monkeypatch):
    """Of models with the same audio feature the first may take no pictures: sound late applies to the others."""
    opened = Run.open(run)
    both = open_all(opened.experiment.data_of, opened.target)["one"]
    alone = replace(both, stores={"audio": both.stores["audio"]})
    asked = []
    monkeypatch.setattr(changed_sound, "extract", lambda _, clips, conditions, **__: asked.append((conditions, clips)))
    path = tmp_path / "loud.yaml"
    path.write_text(SOUND)
    grid = load(path)[1]
    conditions = [one for one in grid.all() if one.same == one]
    for datasets in ((alone, both), (both, alone)):
        tested = [examining.Tested(None, one, one.clips.iloc[:2]) for one in datasets]
        examining._changed(tested, list(grid.all()), grid, tmp_path, 1)
    assert [one for one, _ in asked] == [conditions, conditions]
    assert "shift" in {one.pattern for one in conditions}
    asked.clear()
    examining._changed([examining.Tested(None, alone, alone.clips)], list(grid.all()), grid, tmp_path, 1)
    ((of_sound, _),) = asked
    assert {one.pattern for one in of_sound} == {"pink noise", "babble"}


def test_clips_without_anything_get_a_finite_answer(run, found):
    rows = table(run)
    empty = at(rows, "audio+video", "whole", 1)
    assert np.isfinite([empty["score"], empty["confidence"], empty["ece"]]).all()
    assert empty["level"] == 1
