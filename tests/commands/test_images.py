"""A corpus of single images without files and speakers: what is prepared, refused and found to be equal."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch

import mien
from layouts import write_faces
from mien.audit.splits import sounds
from mien.audit.splits.certificate import certificate
from mien.common.settings import parse
from mien.corpora.readers import read
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.protocols import Protocol
from mien.data.settings import Data
from mien.data.store import FeatureStore
from mien.errors import ConfigError, CorpusError, LeakError
from mien.features import images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "faces", copies=2)


@pytest.fixture
def still(root: Path, tmp_path: Path) -> Path:
    mien.prepare("ferplus", root, out=tmp_path / "prepared")
    return tmp_path / "prepared"


def shards(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("shard-*")}


def store(folder: Path) -> FeatureStore:
    return FeatureStore(Prepared.open(folder), "images", images.Config())


def sentence(function, *arguments, **keywords) -> str:
    with pytest.raises((ConfigError, CorpusError, LeakError)) as error:
        function(*arguments, **keywords)
    return str(error.value)


def test_the_pixels_are_the_frames_and_the_key(root: Path, still: Path):
    corpus, opened, frames = read("ferplus", root), Prepared.open(still), store(still)
    assert opened.images
    assert opened.table["clip"].tolist() == corpus.table["clip"].tolist()
    assert frames.missing(list(opened.table["clip"])) == []
    for clip, image in corpus.images.items():
        assert frames.frames(clip).dtype == torch.uint8
        assert frames.frames(clip).tolist() == [image.tolist()]
        assert frames.valid(clip).tolist() == [True]
    found = dict(zip(opened.table["clip"], opened.table["sha256"], strict=True))
    assert found == {clip: sha256(image.tobytes()).hexdigest() for clip, image in corpus.images.items()}
    assert set(opened.table["seconds"]) == {0}
    assert opened.table[["file", "speaker"]].isna().all(axis=None)
    card = json.loads((still / "card.json").read_text())
    assert (card["lacks"], card["speakers"], card["clips"]) == (["file", "speaker"], 0, 33)


def test_equal_images_are_listed_and_kept(root: Path, tmp_path: Path):
    outcome = mien.prepare("ferplus", root, out=tmp_path / "prepared")
    assert outcome.problems == []
    assert outcome.data["kept"] == [
        "fer0000000: pixel by pixel the same as fer0000024, kept",
        "fer0000001: pixel by pixel the same as fer0000025, kept",
        "fer0000024: pixel by pixel the same as fer0000000, kept",
        "fer0000025: pixel by pixel the same as fer0000001, kept",
    ]
    first, *_, last = outcome.text.splitlines()
    assert first == f"{tmp_path / 'prepared'}: 33 images; the corpus names no speakers"
    assert last == f"notes: 4, listed in {tmp_path / 'prepared' / 'problems.csv'}"


def test_finished_shards_are_not_written_again(root: Path, still: Path, monkeypatch: pytest.MonkeyPatch):
    before = shards(still)
    assert len(before) == 1
    mien.prepare("ferplus", root, out=still)
    assert shards(still) == before
    monkeypatch.setattr("mien.data.images.CHUNK", 10)
    next(still.rglob("shard-*")).unlink()
    mien.prepare("ferplus", root, out=still)
    assert len(shards(still)) == 4
    assert store(still).missing(list(Prepared.open(still).table["clip"])) == []


def test_what_the_store_lacks_is_read_from_the_table(root: Path, still: Path, tmp_path: Path):
    next(still.rglob("shard-*")).unlink()
    own = store(still)
    clips = list(own.prepared.table["clip"])
    write_faces(root, seed=1, copies=2)
    problems = own.extract(clips)
    assert set(problems["problem"]) == {"has changed since it was prepared"}
    assert len(problems) == 33
    write_faces(root, copies=2)
    assert own.extract(clips).empty
    assert own.frames("fer0000000").shape == (1, 1, 48, 48)
    small = FeatureStore(own.prepared, "images", images.Config(size=64))
    assert sentence(small.extract, clips) == (
        "feature images: the images are 1 x 48 x 48 and the settings say 1 x 64 x 64; give their size"
    )


def test_images_that_were_moved_are_gone_on_with(root: Path, still: Path, tmp_path: Path):
    moved = root.rename(tmp_path / "elsewhere")
    mien.prepare("ferplus", moved, out=still)
    assert json.loads((still / "card.json").read_text())["input"] == str(moved)
    other = write_faces(tmp_path / "other", copies=2, seed=1)
    assert sentence(mien.prepare, "ferplus", other, out=still) == (
        f"{still}: holds ferplus from {moved}, and {other} has another image of the clip 'fer0000000'; choose a "
        "new folder for --out"
    )


def test_features_that_do_not_fit_the_corpus_are_refused(root: Path, still: Path, tmp_path: Path):
    out = tmp_path / "new"
    assert sentence(mien.prepare, "ferplus", root, out=out, features=["images", "mfb43"]) == (
        "--features: mfb43: the clips of ferplus are single images, without sound or film; their feature is images"
    )
    assert sentence(mien.prepare, "emodb", root, out=out, features=["images"]) == (
        "--features: images: emodb has files, and no images in its table; the faces of films are the feature crops"
    )
    assert sentence(mien.prepare, "ferplus", root, out=out, experiment="voice").startswith("--for voice: ")
    assert not out.exists()
    sound = parse(Data, {"prepared": str(still), "audio": {"name": "logmel"}}, "data")
    assert sentence(Dataset.open, sound) == (
        f"data.audio: the clips of {still} are single images, without sound or film; give data.video={{name: images}}"
    )


def test_copies_across_the_parts_are_a_leak(still: Path):
    data = parse(Data, {"prepared": str(still), "video": {"name": "images"}}, "data")
    dataset = Dataset.open(data)
    assert (len(dataset.clips), dataset.classes[:2], dataset.left_out) == (33, ("anger", "contempt"), {})
    folds = dataset.folds(Protocol(name="given"))
    every = [clip for fold in folds for part in fold[1:] for clip in part]
    found = sounds.of_prepared(dataset.prepared, every)
    assert sorted((twins.first, twins.second, twins.how) for twins in found.twins) == [
        ("fer0000000", "fer0000024", "pixels"),
        ("fer0000001", "fer0000025", "pixels"),
    ]
    assert (found.hashes, found.problems, found.mute) == ({}, [], [])

    def of(accepted=()):
        card = dataset.prepared.card
        return certificate(dataset.clips, folds, dataset.classes, card, {}, sounds=found, accepted=accepted)

    assert sentence(of).startswith("the split leaks; identical-audio: 2 pairs of identical images in ")
    made = of(["identical-audio"])
    assert made["not_examined"]["shared-speaker"] == "the corpus names no speakers"
    assert made["not_examined"]["near-duplicate"] == "single images are compared by their pixels alone"
    (mark,) = made["marks"]
    assert mark.startswith("accepted leak, identical-audio: 2 pairs of identical images in ")
    assert len(made["files"]) == 33


def test_of_images_and_recordings_each_lacks_the_other_modality(still: Path, prepared: Path):
    joined = {"faces": str(still), "voices": str(prepared)}
    data = parse(Data, {"prepared": joined, "scheme": "ferplus", "video": {"name": "images"}}, "data")
    assert sentence(Dataset.open, data) == (
        f"data.video: images: {prepared} has files, and no images in its table; the faces of films are the feature "
        "crops"
    )
    both = parse(
        Data, {"prepared": joined, "scheme": "ferplus", "video": {"name": "images"}, "audio": {"name": "mfb43"}}, "data"
    )
    dataset = Dataset.open(both)
    dataset.extract(workers=1)
    lengths = {
        corpus: {modality: {own.length(clip) > 0 for clip in rows["clip"]} for modality, own in dataset.stores.items()}
        for corpus, rows in dataset.clips.groupby("corpus")
    }
    assert lengths == {
        "faces": {"audio": {False}, "video": {True}},
        "voices": {"audio": {True}, "video": {False}},
    }
    assert Joined.open(joined).table["speaker"].isna().sum() == 33
