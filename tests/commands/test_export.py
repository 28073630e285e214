"""An exported model predicts what its run does, calibrated; its weights are known by their hash; it can be unsure."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

import mien
from mien.cli.main import main
from mien.common import manifests
from mien.common.files import sha256
from mien.errors import ConfigError, RunError
from mien.media.audio import read_audio
from mien.runs import exported, exporting
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run
from mien.runs.selection import best_model
from sealing import reseal

CPU = torch.device("cpu")
MOST = 6_000_000  # bytes of a model that comes with mien


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """The tiny run's MEnAN, exported."""
    out = tmp_path_factory.mktemp("exported") / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=out)
    return out


@pytest.fixture(scope="module")
def talk(tmp_path_factory, make_tone):
    """Six seconds of a tone."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    make_tone(path, 200.0, 1.0, 7, 6.0)
    return path


@pytest.fixture
def packaged(folder, tmp_path, monkeypatch):
    """The exported model in the place of the one that comes with mien."""
    shutil.copytree(folder, tmp_path / "models" / exported.DEFAULT)
    monkeypatch.setattr(exported, "FOLDER", tmp_path / "models")
    return tmp_path / "models" / exported.DEFAULT


def test_it_says_what_the_run_says_with_every_member_calibrated(run, folder, talk):
    sound = read_audio(talk)[:16_000]
    ensemble = Ensemble.open(folder, CPU)
    assert ensemble.temperature != 1
    whole = Ensemble.open(run / "models" / "MEnAN", CPU)
    alone = [Ensemble("", "emotion", whole.classes, "", (model,)).probabilities([sound]) for model in whole.models]
    expected = np.mean([softmax(np.log(one) / ensemble.temperature, axis=1) for one in alone], axis=0)
    np.testing.assert_allclose(ensemble.probabilities([sound]), expected, atol=1e-3)
    assert ensemble.classes == whole.classes
    assert (ensemble.name, ensemble.scheme) == ("voice-tiny", whole.scheme)


def test_the_same_run_gives_the_same_bytes_without_paths_or_speakers(run, folder, tmp_path):
    mien.export(run / "models" / "MEnAN", out=tmp_path / "voice-tiny")
    for name in exported.FILES:
        assert (tmp_path / "voice-tiny" / name).read_bytes() == (folder / name).read_bytes(), name
    for name in (exported.DESCRIPTION, exported.CARD):
        assert str(run.parent) not in (folder / name).read_text()
    experiment = exported.describe(folder).experiment
    assert experiment["data"]["prepared"] is None
    assert list(experiment["models"]) == ["MEnAN"]
    assert "speaker" not in json.dumps(experiment["models"])
    members = exporting.read(folder, CPU)[1]
    assert len(members) == 4
    assert not any("adversaries" in name or "speaker" in name for name in members[0].tensors)


def test_other_weights_are_refused(folder, talk, tmp_path):
    broken = tmp_path / "voice-tiny"
    shutil.copytree(folder, broken)
    weights = bytearray((broken / exported.WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (broken / exported.WEIGHTS).write_bytes(weights)
    with pytest.raises(RunError, match="not the weights that were exported"):
        mien.predict([talk], model=broken)
    (broken / exported.WEIGHTS).unlink()
    with pytest.raises(RunError, match=r"model\.safetensors: missing"):
        mien.predict([talk], model=broken)
    (broken / exported.DESCRIPTION).write_text("{")
    with pytest.raises(RunError, match=r"config\.json: damaged"):
        mien.predict([talk], model=broken)
    raw = json.loads((folder / exported.DESCRIPTION).read_text())
    (broken / exported.DESCRIPTION).write_text(json.dumps({"nam": raw.pop("name")} | raw))
    exported.seal(broken)
    with pytest.raises(ConfigError, match="Did you mean 'name'"):
        mien.predict([talk], model=broken)
    (broken / exported.DESCRIPTION).write_text("[]")
    exported.seal(broken)
    with pytest.raises(RunError, match=r"config\.json: not a mapping"):
        mien.predict([talk], model=broken)


@pytest.mark.parametrize("content", [{}, {"model_type": "wav2vec2", "name": "x", "architectures": ["Wav2Vec2Model"]}])
def test_the_model_of_another_program_is_refused_in_one_sentence(talk, tmp_path, capsys, content):
    place = tmp_path / "wav2vec2"
    place.mkdir()
    (place / exported.DESCRIPTION).write_text(json.dumps(content))
    for command in (["predict", str(talk), "--model"], ["export", "--onnx", "--out", str(tmp_path / "out")]):
        assert main([*command, str(place)]) == 2
        assert capsys.readouterr().err == (
            f"mien: {place / exported.DESCRIPTION}: is not that of a mien model, but of another program; give a "
            "folder of 'mien export', or a RUN\n"
        )


def test_other_spaces_are_no_other_description(folder, talk, tmp_path):
    changed = tmp_path / "voice-tiny"
    shutil.copytree(folder, changed)
    description = json.loads((changed / exported.DESCRIPTION).read_text())
    (changed / exported.DESCRIPTION).write_text(json.dumps(description))
    exported.seal(changed)
    assert mien.predict([talk], model=changed).data["rows"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "emotion_only"),
        ("members", ["fold-0-seed-0"]),
        ("classes", ["neutral", "happiness", "anger", "sadness"]),
        ("scheme", "emodb"),
        ("temperature", 1.0),
        ("unsure", {"threshold": 0.0, "coverage": 1.0, "accuracy": 1.0}),
    ],
)
def test_another_description_is_refused(folder, talk, tmp_path, key, value):
    changed = tmp_path / "voice-tiny"
    shutil.copytree(folder, changed)
    description = json.loads((changed / exported.DESCRIPTION).read_text())
    assert description[key] != value
    (changed / exported.DESCRIPTION).write_text(json.dumps(description | {key: value}))
    with pytest.raises(RunError, match=r"config\.json: damaged: .*, and manifest\.json says .*; export or install"):
        mien.predict([talk], model=changed)
    exported.seal(changed)
    with pytest.raises(RunError, match=r"config\.json: was changed after it was exported"):
        mien.predict([talk], model=changed)


def test_unsure_takes_the_word_and_leaves_the_probabilities(run, folder, talk):
    threshold = exported.describe(folder).unsure.threshold
    classes = list(Run.open(run).classes)
    rows_at = {
        unsure: pd.DataFrame(mien.predict([talk], model=folder, window=0.5, hop=0.5, unsure=unsure).data["rows"])
        for unsure in (None, 0.0, 1.0)
    }
    best = rows_at[0.0][classes].astype(float).max(axis=1)
    likeliest = rows_at[0.0][classes].astype(float).idxmax(axis=1)
    assert (rows_at[0.0]["emotion"] == likeliest).all()
    assert (rows_at[1.0]["emotion"] == "unsure").all()
    assert (rows_at[None]["emotion"] == likeliest.where(best >= threshold, "unsure")).all()
    for rows in rows_at.values():
        pd.testing.assert_frame_equal(rows[classes], rows_at[0.0][classes])
    plain = pd.DataFrame(mien.predict([talk], model=run, window=0.5, hop=0.5).data["rows"])
    assert "unsure" not in set(plain["emotion"])
    text = mien.predict([talk], model=folder).text
    assert f'"unsure" below a probability of {threshold:.0%} (--unsure 0: never)' in text
    assert max(map(len, text.splitlines()[1:])) <= 80
    with pytest.raises(ConfigError, match=r"--unsure 1\.5"):
        mien.predict([talk], model=run, unsure=1.5)


def test_the_packaged_model_is_the_default_and_goes_by_its_name(packaged, talk, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    expected = mien.predict([talk], model=packaged).data["rows"]
    assert mien.predict([talk]).data["rows"] == expected
    assert mien.predict([talk], model=exported.DEFAULT).data["rows"] == expected
    with pytest.raises(RunError, match=f"Did you mean '{exported.DEFAULT}'"):
        mien.predict([talk], model="voice-smal")
    assert main(["list", "models", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row["name"] == exported.DEFAULT
    description = exported.describe(packaged)
    assert f"UAR {description.scores[0].uar:.3f}" in row["on test"]
    assert f"{description.unsure.accuracy:.0%} of these correctly" in row["on validation"]


def test_a_build_without_it_says_so(talk, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(exported, "FOLDER", tmp_path)
    assert main(["predict", str(talk)]) == 2
    assert capsys.readouterr().err == (
        "mien: this build of mien comes without the model 'voice-small'; give --model a folder made by 'mien train' or "
        "'mien export'\n"
    )
    assert main(["list", "models"]) == 0
    assert "comes without models" in capsys.readouterr().out


def test_an_interrupted_export_leaves_the_older_one_whole(run, folder, tmp_path, monkeypatch):
    out = tmp_path / "voice-tiny"
    shutil.copytree(folder, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_description", full)
    with pytest.raises(OSError, match="No space"):
        mien.export(run / "models" / "MEnAN", out=out, coverage=0.5)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["voice-tiny"]


def test_the_folder_of_a_cell_is_that_cell_alone(run, tmp_path):
    cell = run / "models" / "MEnAN" / "fold-1-seed-0"
    mien.export(cell, out=tmp_path / "one")
    description = exported.describe(tmp_path / "one")
    assert description.members == ("fold-1-seed-0",)
    opened = Run.open(run)
    own = opened.predictions.query("model == 'MEnAN' and fold == 1 and split == 'validation'")
    assert description.unsure.coverage * len(own) == pytest.approx(
        round(description.unsure.coverage * len(own)), abs=1e-2
    )
    assert description.scores[0].speakers == 1
    mien.export(run / "models" / "MEnAN", out=tmp_path / "chosen" / "one", cells=["fold-1-seed-0"])
    for name in exported.FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "chosen" / "one" / name).read_bytes()
    with pytest.raises(ConfigError, match="is one cell; give RUN/models/MEnAN"):
        mien.export(cell, out=tmp_path / "no", cells=["fold-0-seed-0"])
    for nonsense in ("typo", "models", "models/MEnAN/fold-1-seed-0/history.jsonl"):
        with pytest.raises(RunError, match="not a model of the run"):
            mien.export(run / nonsense, out=tmp_path / "no")


def test_some_cells_can_be_taken(run, tmp_path):
    done = mien.export(run, out=tmp_path / "two", cells=["fold-0-seed-0", "fold-2-seed-0"], coverage=0.5)
    assert done.data["members"] == ["fold-0-seed-0", "fold-2-seed-0"]
    assert done.data["folder"] == str(tmp_path / "two")
    assert exported.describe(tmp_path / "two").model == best_model(Run.open(run))
    assert done.data["scores"][0]["speakers"] == 2
    command = (tmp_path / "two" / exported.CARD).read_text()
    assert "--coverage 0.5 --cells fold-0-seed-0 fold-2-seed-0" in command


def test_what_cannot_be_exported_is_refused(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="--coverage 0"):
        mien.export(run, out=out, coverage=0)
    with pytest.raises(ConfigError, match="--name a/b"):
        mien.export(run, out=out, name="a/b")
    with pytest.raises(ConfigError, match=r"--out .*/my folder: a model's name is .* only; give --name"):
        mien.export(run, out=tmp_path / "my folder")
    with pytest.raises(ConfigError, match="Did you mean 'fold-0-seed-0'"):
        mien.export(run, out=out, cells=["fold-0-sed-0"])
    with pytest.raises(RunError, match="not a run folder"):
        mien.export(tmp_path, out=out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not an exported model; choose another --out"):
        mien.export(run, out=tmp_path / "full")
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    rows = pd.read_csv(copy / "predictions.csv")
    rows[rows["split"] == "validation"].to_csv(copy / "predictions.csv", index=False)
    reseal(copy)
    with pytest.raises(RunError, match="no predictions of 'MEnAN' on test speakers"):
        mien.export(copy / "models" / "MEnAN", out=out)
    cell = Run.open(copy).cell("MEnAN", 1, 0)
    cell.begin_again()
    cell.weights.unlink()
    with pytest.raises(RunError, match="fold-1-seed-0: not finished"):
        mien.export(copy / "models" / "MEnAN", out=out)
    settings = (copy / "experiment.yaml").read_text()
    (copy / "experiment.yaml").write_text(settings.replace("normalisation: train", "normalisation: speaker"))
    reseal(copy)
    with pytest.raises(RunError, match="normalisation: speaker"):
        mien.export(copy / "models" / "MEnAN", out=out)
    assert not out.exists()


@pytest.mark.parametrize("name", exported.packaged() or [pytest.param("", marks=pytest.mark.skip("none is packaged"))])
def test_every_packaged_model_is_whole_small_and_described(name):
    place = exported.FOLDER / name
    description, members = exporting.read(place, CPU)
    others = exported.OTHERS if description.experiment["data"]["audio"] else exported.OTHERS[:1]  # audonnx is of sound
    assert {path.name for path in place.iterdir()} == {*exported.FILES, *others, manifests.NAME}
    assert (manifest := manifests.read(place)) is not None
    assert {*manifest.files} == {*exported.FILES, *others}
    assert manifest.damaged(place) == {}
    assert sum(path.stat().st_size for path in place.iterdir()) < MOST
    assert description.name == name
    assert len(members) == len(description.members)
    assert description.sha256 == sha256(place / exported.WEIGHTS)
    card = (place / exported.CARD).read_text()
    assert description.sha256 in card
    assert all(re.search(rf"\b{emotion}\b", card) for emotion in description.classes)
    for heading in (
        "Training data",
        "Scores on",
        "Calibration",
        "When it is unsure",
        "Limits and responsible use",
    ):
        assert heading in card
    assert description.commit is not None
    assert not description.commit.endswith("+")
