"""The store of vectors from files: which file is a clip's, read once, noticed when changed, and what is refused."""

import json
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from mien import experiments, features
from mien.corpora.corpus import Corpus, problem_table, typed
from mien.data import vectors
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.normalisation import fit
from mien.data.prepared import Prepared, write
from mien.data.store import open_store
from mien.errors import ConfigError, CorpusError, unknown
from mien.features import _vectors
from mien.runs.cell import Model, train_cell
from mien.runs.run import Run

CLIPS, DIMENSION, HOP = 24, 3, 0.1
EMOTIONS = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def prepared(tmp_path):
    """24 clips of 1 s of film as `prepare` leaves them, without media; two are parts of one file."""
    rows = [
        {
            "clip": f"c{number:02d}",
            "file": f"films/f{number:02d}.mp4" if number < CLIPS - 2 else "films/both.mp4",
            "speaker": f"p{number % 4}",
            "emotion": EMOTIONS[number // 4 % 4],
            "vectors": f"elsewhere/{number}.npy" if number else "",
        }
        for number in range(CLIPS)
    ]
    table = typed(pd.DataFrame(rows, dtype="str").replace("", pd.NA))
    table = table.assign(seconds=1.0, sha256=table["file"], video_seconds=1.0)
    table.loc[CLIPS - 2 :, "start"] = [0.0, 1.0]
    root = tmp_path / "corpus"
    root.mkdir()
    corpus = Corpus("table", root, table, problem_table([]), "none", "none", None, "iemocap")
    return write(tmp_path / "prepared", corpus, table, corpus.problems, place=root)


@pytest.fixture
def folder(tmp_path):
    """Vectors of all clips but the first, whose mean tells the emotion; of every third, the second frame is nan."""
    folder, rng = tmp_path / "mine", np.random.default_rng(0)
    folder.mkdir()
    for number in range(1, CLIPS):
        values = (rng.standard_normal((10, DIMENSION)) + 4 * (number // 4 % 4)).astype(np.float32)
        if number % 3 == 0:
            values[1] = np.nan
        np.save(folder / f"c{number:02d}.npy", values)
    return folder


def opened(prepared, name="face_vectors", **settings):
    config = features.parse(name, {"dimension": DIMENSION, "hop": HOP, **settings})
    return open_store(Joined.of(prepared), name, config)


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read, in this process."""
    found, real = [], _vectors.read

    def reading(file, *rest):
        found.append(file.name)
        return real(file, *rest)

    monkeypatch.setattr(_vectors, "read", reading)
    monkeypatch.setattr(vectors, "spread", lambda work, chunks, **_: ((chunk, work(chunk)) for chunk in chunks))
    return found


def clips(prepared):
    return list(prepared.table["clip"])


def test_frames_come_back_with_what_is_valid(prepared, folder, capsys):
    store = opened(prepared, folder=str(folder))
    assert store.missing(clips(prepared)) == clips(prepared)[1:]
    assert store.extract(clips(prepared), workers=1).empty
    assert f"mien: face_vectors: 1 of 24 clips have no file in {folder}: c00\n" in capsys.readouterr().err
    assert store.missing(clips(prepared)) == []
    for clip in clips(prepared)[1:]:
        values = np.load(folder / f"{clip}.npy")
        known = ~np.isnan(values).all(axis=1)
        assert store.length(clip) == 10
        assert store.valid(clip).tolist() == known.tolist()
        np.testing.assert_array_equal(store.frames(clip), np.where(known[:, None], values, 0))
    assert store.length("c00") == 0
    assert store.frames("c00").shape == (0, DIMENSION)
    assert store.valid("c00").shape == (0,)
    assert [store.has(clip) for clip in ("c00", "c01")] == [False, True]


def test_what_was_read_is_not_read_again_and_a_change_is(prepared, folder, reads):
    opened(prepared, folder=str(folder)).extract(clips(prepared))
    assert len(reads) == CLIPS - 1
    reads.clear()
    os.utime(folder / "c01.npy")  # touched, not changed
    changed = np.zeros((10, DIMENSION), np.float32)
    np.save(folder / "c02.npy", changed)
    again = opened(prepared, folder=str(folder))
    assert again.missing(clips(prepared)) == ["c01", "c02"]
    again.extract(clips(prepared))
    assert reads == ["c02.npy"]
    assert torch.equal(again.frames("c02"), torch.from_numpy(changed))
    (folder / "c03.npy").unlink()
    assert opened(prepared, folder=str(folder)).length("c03") == 0


def test_moved_files_are_not_read_again_and_lost_ones_not_missed(prepared, folder, reads, tmp_path):
    first = opened(prepared, folder=str(folder))
    first.extract(clips(prepared))
    assert reads
    before = {clip: first.frames(clip) for clip in clips(prepared)}
    reads.clear()
    shutil.copytree(folder, tmp_path / "moved")
    moved = opened(prepared, folder=str(tmp_path / "moved"))
    moved.extract(clips(prepared))
    shutil.rmtree(folder)
    gone = pickle.loads(pickle.dumps(opened(prepared, folder=str(folder))))
    assert gone.missing(clips(prepared)) == []
    for store in (moved, gone):
        assert all(torch.equal(store.frames(clip), values) for clip, values in before.items())
    assert reads == []


def test_a_read_only_corpus_keeps_them_in_the_cache(prepared, folder, reads, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "writable", lambda place: place.is_relative_to(tmp_path / "cache"))
    with_cache = Prepared(prepared.folder, prepared.table, prepared.card, tmp_path / "cache")
    opened(with_cache, folder=str(folder)).extract(clips(prepared))
    again = opened(with_cache, folder=str(folder))
    assert again.missing(clips(prepared)) == []
    assert again.length("c05") == 10
    assert not (prepared.folder / "features").exists()
    assert len(reads) == CLIPS - 1


def test_files_are_called_after_the_clip_or_its_recording(prepared, tmp_path):
    folder, values = tmp_path / "named", np.ones((10, DIMENSION), np.float32)
    for place in ("c01.npy", "deep/c02.npy", "f03.npy", "films/f04.npy", "both.npy", ".hidden/c05.npy", "c06.txt"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        with (folder / place).open("wb") as file:
            np.save(file, values)
    (store,) = opened(prepared, folder=str(folder)).stores.values()
    assert {clip: path.relative_to(folder).as_posix() for clip, path in store.files.items()} == {
        "c01": "c01.npy",
        "c02": "deep/c02.npy",
        "c03": "f03.npy",
        "c04": "films/f04.npy",
    }, "a recording of two clips is the file of neither"


def test_a_column_of_the_table_names_the_files(prepared, folder, tmp_path, reads):
    by_name = opened(prepared, folder=str(folder))
    by_name.extract(clips(prepared))
    for base, settings in ((tmp_path / "corpus", {}), (tmp_path / "other", {"folder": str(tmp_path / "other")})):
        (base / "elsewhere").mkdir(parents=True)
        for number in range(1, CLIPS):
            shutil.copy(folder / f"c{number:02d}.npy", base / "elsewhere" / f"{number}.npy")
        store = opened(prepared, column="vectors", **settings)
        store.extract(clips(prepared))
        assert all(torch.equal(store.frames(clip), by_name.frames(clip)) for clip in clips(prepared))
        assert not store.has("c00"), "a missing cell"
    lost = tmp_path / "other/elsewhere/7.npy"
    lost.unlink()
    with pytest.raises(CorpusError) as error:
        opened(prepared, column="vectors", folder=str(tmp_path / "other"))
    assert str(error.value) == (
        f"{lost}: no such file, and the column 'vectors' of {prepared.folder} has it for the clip c07; write the path "
        f"relative to {tmp_path / 'other'}, or leave the cell empty where a clip has no file"
    )


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda folder: np.save(folder / "c04.npy", np.ones((25, DIMENSION))),
            "{folder}/c04.npy: 25 frames with a hop of 0.1 s last 2.50 s, and the clip lasts 1.00 s; it would fit a "
            "hop of 0.04 s (25 a second)",
        ),
        (
            lambda folder: (folder / "c04.csv").write_text("1,2,3\n"),
            "{folder}: c04.csv and c04.npy are both the vectors of the clip c04; keep one of them",
        ),
        (
            lambda folder: [file.rename(folder / f"x{file.name}") for file in list(folder.iterdir())],
            "{prepared}: none of its 24 clips has a file in {folder} for face_vectors; files are called after their "
            "clips, such as c00.npy",
        ),
    ],
)
def test_vectors_that_do_not_fit_are_refused(prepared, folder, reads, spoil, sentence):
    spoil(folder)
    with pytest.raises(CorpusError) as error:
        opened(prepared, folder=str(folder)).extract(clips(prepared))
    assert str(error.value) == sentence.format(folder=folder, prepared=prepared.folder)


def test_a_place_that_is_not_given_or_not_there_is_refused(prepared, tmp_path):
    for settings, sentence in (
        (
            {},
            "data.video: face_vectors reads files of yours; give data.video.folder=FOLDER, or data.video.column=COLUMN "
            "of the corpus's table",
        ),
        ({"folder": str(tmp_path / "absent")}, f"data.video.folder: {tmp_path / 'absent'}: no such folder"),
        (
            {"column": "vector"},
            f"data.video.column: {prepared.folder}: {unknown('column', 'vector', list(prepared.table))}",
        ),
    ):
        with pytest.raises(ConfigError) as error:
            opened(prepared, **settings)
        assert str(error.value) == sentence


def test_statistics_leave_frames_out_that_are_not_valid(prepared, folder, reads):
    store = opened(prepared, folder=str(folder))
    store.extract(clips(prepared))
    assert reads
    whole = np.concatenate([np.load(folder / f"c{number:02d}.npy") for number in range(1, CLIPS)])
    known = whole[~np.isnan(whole).any(axis=1)]
    mean, std = fit("train", [(clip, "", store) for clip in clips(prepared)]).statistics[""]
    np.testing.assert_allclose(mean, known.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, known.std(axis=0), rtol=1e-5)


def experiment(prepared, folder, **data):
    raw = {
        "title": "a face from files",
        "paper": "none",
        "command": "none",
        "cost": "seconds",
        "expected": "none",
        "recipe": "disentangle",
        "encoder": {"name": "cnn_gru", "channels": 6},
        "models": {"it": {"hidden": [], "embeddings": {"main": {"tasks": {"emotion": 1.0}}}}},
        "data": {
            "prepared": str(prepared.folder),
            "video": {"name": "face_vectors", "folder": str(folder), "dimension": DIMENSION, "hop": HOP},
            "normalisation": "train",
            **data,
        },
        "protocol": {"name": "leave_one_speaker_out"},
        "training": {"epochs": 25, "batch": 8},
        "optimiser": {"lr": {"default": 0.02}},
    }
    return experiments.resolve(json.loads(json.dumps(raw)), "tiny")


def test_a_model_learns_from_files_and_clips_without_one_are_left_out(prepared, folder, tmp_path, reads):
    settings = experiment(prepared, folder)
    dataset = Dataset.open(settings.data, settings.target)
    assert dataset.left_out == {"no video": 1}
    dataset.extract(workers=1)
    run, fold = Run(tmp_path / "run", settings), dataset.folds(settings.protocol)[0]
    cell = run.cell("it", 0, 0)
    train_cell(run, dataset, fold, cell, device=torch.device("cpu"))
    model = Model.load(settings, cell, torch.device("cpu"))
    known = [clip for clip in (*fold.train, *fold.validation) if clip != "c00"]
    found = model.infer(dataset.examples(known, model.targets)).probabilities("emotion")
    truth = dataset.clips.loc[known, "label"]
    assert np.mean(np.array(dataset.classes)[found.argmax(axis=1)] == truth) > 0.7


def test_copies_of_vectors_are_refused(prepared, folder):
    voice = {"name": "vectors", "folder": str(folder), "dimension": DIMENSION, "hop": HOP}
    with pytest.raises(ConfigError) as error:
        _ = experiment(prepared, folder, audio=voice, copies={"slow": {"hop": 0.2}}).data.feature_copies
    assert str(error.value) == (
        "tiny: data.copies: 'slow' changes the sound, and vectors is read from files; leave it out"
    )
