"""Vectors from files at `prepare --for`: read once, and a place that is wrong refused before anything is written."""

import wave

import numpy as np
import pytest

import mien
from mien.data.dataset import Dataset
from mien.errors import ConfigError
from mien.experiments import load

FROM_FILES = """\
title: vectors from files
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {name: vector, hidden: []}
models: {it: {hidden: [], embeddings: {main: {tasks: {emotion: 1.0}}}}}
data:
  audio: {name: vectors, folder: FOLDER, dimension: 2}
protocol: {name: leave_one_speaker_out}
training: {epochs: 1, batch: 8}
"""


@pytest.fixture
def corpus(tmp_path):
    """Three recordings named as EmoDB's, vectors of two of them, and the experiment."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "mine").mkdir()
    rng = np.random.default_rng(0)
    for name in ("03a01Fa", "08a01Na", "09a01Na"):
        with wave.open(str(tmp_path / "corpus" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(rng.integers(-9_000, 9_000, 8_000, np.int16).tobytes())
    np.save(tmp_path / "mine" / "03a01Fa.npy", np.array([1.0, 2.0]))
    (tmp_path / "mine" / "08a01Na.csv").write_text("left,right\n3,4\n")
    (tmp_path / "mine.yaml").write_text(FROM_FILES.replace("FOLDER", str(tmp_path / "mine")))
    return tmp_path / "corpus"


def test_they_are_read_when_a_corpus_is_prepared_for_an_experiment(corpus, tmp_path, capsys):
    mien.prepare("emodb", corpus, out=tmp_path / "out", experiment=tmp_path / "mine.yaml")
    assert f"vectors: 1 of 3 clips have no file in {tmp_path / 'mine'}: 09a01Na" in capsys.readouterr().err
    assert list((tmp_path / "out" / "features").glob("vectors-*/shard-*.safetensors"))
    data = load(tmp_path / "mine.yaml").data
    dataset = Dataset.open(data, prepared=tmp_path / "out")
    store = dataset.stores["audio"]
    assert store.missing(["03a01Fa", "08a01Na"]) == []
    assert store.frames("08a01Na").tolist() == [[3, 4]]
    assert dataset.left_out == {"no sound": 1}


def test_a_wrong_place_is_refused_before_anything_is_written(corpus, tmp_path):
    (tmp_path / "other.yaml").write_text(FROM_FILES.replace("folder: FOLDER,", f"folder: {tmp_path / 'absent'},"))
    with pytest.raises(ConfigError) as error:
        mien.prepare("emodb", corpus, out=tmp_path / "out", experiment=tmp_path / "other.yaml")
    assert str(error.value) == f"data.audio.folder: {tmp_path / 'absent'}: no such folder"
    with pytest.raises(ConfigError) as error:
        mien.prepare("emodb", corpus, out=tmp_path / "out", features=["vectors"])
    assert str(error.value) == (
        "--features vectors: these are files of yours, whose place an experiment gives; use --for EXPERIMENT"
    )
    assert not (tmp_path / "out").exists()


def test_vectors_without_a_place_are_left_to_train(corpus, tmp_path, capsys):
    (tmp_path / "other.yaml").write_text(FROM_FILES.replace("folder: FOLDER,", ""))
    mien.prepare("emodb", corpus, out=tmp_path / "out", experiment=tmp_path / "other.yaml")
    said = "says no place of vectors: 'mien train' reads these vectors, with data.audio.folder=FOLDER"
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "out" / "features").glob("vectors-*"))
