"""The feature store gives what the feature gives, whoever wrote it, whenever it was interrupted."""

import os
import pickle
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from mien import features
from mien.commands.prepare import prepare
from mien.data import extraction, shards
from mien.data import store as stores
from mien.data.prepared import Prepared, key
from mien.data.store import FeatureStore
from mien.errors import CorpusError
from mien.media.audio import read_audio

CLIPS = [f"c{number}" for number in range(6)]
LOGMEL = features.parse("logmel", {})


def write_wav(file: Path, *, seconds: float = 0.5, seed: int = 0) -> None:
    samples = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * 16_000), np.int16)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples.tobytes())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Six clips without features; the last is a part of the fifth's file."""
    root = tmp_path_factory.mktemp("corpus")
    rows = ["clip,file,start,end,speaker"]
    for number, clip in enumerate(CLIPS[:5]):
        write_wav(root / f"{clip}.wav", seconds=0.3 + 0.1 * number, seed=number)
        rows.append(f"{clip},{clip}.wav,,,s{number % 2}")
    rows.append("c5,c4.wav,0.1,0.35,s0")
    (root / "corpus.csv").write_text("\n".join(rows))
    prepare("table", root, out=root / "out", features=())
    return Prepared.open(root / "out")


@pytest.fixture
def store(corpus: Prepared, tmp_path: Path) -> FeatureStore:
    """An empty store."""
    return FeatureStore(Prepared(tmp_path, corpus.table, corpus.card), "logmel", LOGMEL)


def direct(corpus: Prepared, clip: str) -> np.ndarray:
    row = corpus.table.set_index("clip").loc[clip]
    return features.extract("logmel", [read_audio(corpus.media(row), start=row["start"], end=row["end"])], LOGMEL)[0]


def test_frames_are_the_features_bit_for_bit(corpus: Prepared, store: FeatureStore) -> None:
    assert store.extract(CLIPS).empty
    for clip in CLIPS:
        frames = store.frames(clip)
        assert frames.dtype == torch.float32
        assert np.array_equal(frames.numpy(), direct(corpus, clip))
        assert store.length(clip) == len(frames)
    assert store.length("c5") < store.length("c4")


def test_what_is_there_is_not_extracted_again(store: FeatureStore) -> None:
    assert store.missing(CLIPS) == CLIPS
    store.extract(CLIPS[:2])
    first = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert store.missing(CLIPS) == CLIPS[2:]
    store.extract(CLIPS)
    assert store.missing(CLIPS) == []
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert len(list(store.folder.iterdir())) == 2


def test_other_settings_and_other_code_are_other_stores(
    corpus: Prepared, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower = FeatureStore(store.prepared, "logmel", features.parse("logmel", {"speed": 0.9}))
    monkeypatch.setattr(features.feature("logmel"), "VERSION", 1000)
    newer = FeatureStore(store.prepared, "logmel", LOGMEL)
    assert len({store.folder, slower.folder, newer.folder}) == 3


def test_missing_frames_are_refused_until_they_are_written(store: FeatureStore) -> None:
    with pytest.raises(CorpusError) as error:
        store.frames("c1")
    assert str(error.value) == f"{store.folder}: no logmel of the clip 'c1'; extract it first"
    FeatureStore(store.prepared, "logmel", LOGMEL).extract(["c1"])
    assert store.length("c1") > 0


def test_a_store_travels_without_its_frames(corpus: Prepared, store: FeatureStore) -> None:
    store.extract(["c0"])
    store.frames("c0")
    copy = pickle.loads(pickle.dumps(store))
    assert copy._kept._shards == {}
    assert torch.equal(copy.frames("c0"), store.frames("c0"))


def test_a_view_does_not_reach_the_file(store: FeatureStore) -> None:
    store.extract(["c0"])
    before = store.frames("c0").clone()
    store.frames("c0").zero_()
    assert torch.equal(FeatureStore(store.prepared, "logmel", LOGMEL).frames("c0"), before)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs the list of mapped files of Linux")
def test_frames_that_were_read_are_not_kept_in_memory(store: FeatureStore) -> None:
    store.extract(CLIPS)
    frames = [store.frames(clip) for clip in CLIPS]
    assert str(store.folder) not in Path("/proc/self/maps").read_text()
    assert len({one.untyped_storage().data_ptr() for one in frames}) == len(CLIPS)
    assert [one.untyped_storage().nbytes() for one in frames] == [one.nbytes for one in frames]


def test_a_shard_that_was_cut_short_is_named(store: FeatureStore) -> None:
    store.extract(["c0"])
    store.frames("c0")
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(CorpusError) as error:
        store.frames("c0")
    assert str(error.value) == f"{path}: is shorter than it was when it was opened; run the same command again"


def test_a_changed_file_and_a_lost_one_are_problems(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        write_wav(tmp_path / f"{name}.wav", seed=number)
    (tmp_path / "corpus.csv").write_text("file,speaker\na.wav,s\nb.wav,s\nc.wav,s\n")
    prepare("table", tmp_path, out=tmp_path / "out", features=())
    write_wav(tmp_path / "a.wav", seed=9)
    (tmp_path / "b.wav").unlink()
    store = FeatureStore(Prepared.open(tmp_path / "out"), "logmel", LOGMEL)
    problems = dict(store.extract(["a", "b", "c"]).itertuples(index=False))
    assert problems["a.wav"] == "has changed since it was prepared"
    assert "No such file" in problems["b.wav"]
    assert store.missing(["a", "b", "c"]) == ["a", "b"]


def test_frames_of_an_older_file_are_not_taken(corpus: Prepared, store: FeatureStore) -> None:
    old = np.zeros((3, 40), np.float32)
    shards.write(store.folder, [shards.Frames("c0", key("0" * 64, np.nan, np.nan), 0.1, old)])
    assert store.missing(["c0"]) == ["c0"]
    store.extract(["c0"])
    assert np.array_equal(store.frames("c0").numpy(), direct(corpus, "c0"))


def test_a_damaged_shard_is_written_again(corpus: Prepared, store: FeatureStore) -> None:
    store.extract(["c0", "c1"])
    (shard,) = store.folder.iterdir()
    shard.write_bytes(shard.read_bytes()[:-50])
    again = FeatureStore(store.prepared, "logmel", LOGMEL)
    assert again.missing(["c0", "c1"]) == ["c0", "c1"]
    again.extract(["c0", "c1"])
    assert np.array_equal(again.frames("c1").numpy(), direct(corpus, "c1"))


def test_a_file_that_kills_its_worker_is_a_problem_and_the_rest_goes_on(
    corpus: Prepared, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = signal.SIGKILL

    def deadly(sources, *, targets):
        from mien.data import extraction as there

        if any(source.clip == "c0" for source in sources):
            os.kill(os.getpid(), kill)
        return there.work(sources, targets=targets)

    monkeypatch.setattr(extraction, "work", deadly)
    monkeypatch.setattr(extraction, "CHUNK", 1)
    problems = store.extract(["c0", "c1"])
    assert problems.to_numpy().tolist() == [
        ["c0.wav", "ended the process that read it (SIGKILL, perhaps for lack of memory)"]
    ]
    assert store.missing(["c0", "c1"]) == ["c0"]
    assert np.array_equal(store.frames("c1").numpy(), direct(corpus, "c1"))


def test_a_killed_extraction_goes_on_where_it_was(corpus: Prepared, store: FeatureStore) -> None:
    script = """
import os, signal, sys
from mien import features
from mien.data.prepared import Prepared
from mien.data import shards
from mien.data import extraction
from mien.data.store import FeatureStore
extraction.CHUNK = 2
corpus = Prepared.open(sys.argv[1])
store = FeatureStore(Prepared(__import__("pathlib").Path(sys.argv[2]), corpus.table, corpus.card),
                     "logmel", features.parse("logmel", {}))
chunks, write = [], shards.write
def deadly(folder, clips):
    if chunks:
        os.kill(os.getpid(), signal.SIGKILL)  # a shard is there, the second is not yet
    chunks.append(write(folder, clips))
shards.write = deadly
extraction.spread = lambda function, parts, **_: ((part, function(part)) for part in parts)
store.extract(["c0", "c1", "c2", "c3", "c4", "c5"])
"""
    where = [str(corpus.folder), str(store.prepared.folder)]
    ended = subprocess.run([sys.executable, "-c", script, *where], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert store.missing(CLIPS) == CLIPS[2:]
    store.extract(CLIPS)
    assert store.missing(CLIPS) == []
    for clip in CLIPS:
        assert np.array_equal(store.frames(clip).numpy(), direct(corpus, clip))


def test_what_a_read_only_folder_lacks_goes_to_the_cache(
    corpus: Prepared, store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.extract(CLIPS[:4])
    before = sorted(store.folder.iterdir())
    monkeypatch.setattr(stores, "writable", lambda folder: False)
    cached = FeatureStore(Prepared(tmp_path, corpus.table, corpus.card, tmp_path / "cache"), "logmel", LOGMEL)
    assert cached.missing(CLIPS) == CLIPS[4:]
    assert cached.extract(CLIPS).empty
    assert sorted(store.folder.iterdir()) == before
    assert [entry.clip for entry in shards.entries(tmp_path / "cache" / store.folder.name)] == CLIPS[4:]
    for clip in CLIPS:
        assert np.array_equal(pickle.loads(pickle.dumps(cached)).frames(clip).numpy(), direct(corpus, clip))
    assert store.missing(CLIPS) == CLIPS[4:]


def test_a_folder_that_can_be_written_to_needs_no_cache(corpus: Prepared, tmp_path: Path) -> None:
    prepared = Prepared(tmp_path / "prepared", corpus.table, corpus.card, tmp_path / "cache")
    FeatureStore(prepared, "logmel", LOGMEL).extract(["c0"])
    assert not (tmp_path / "cache").exists()
