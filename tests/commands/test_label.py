"""`mien label`: what it writes, that it resumes bit for bit, and what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

import mien
from mien.cli.main import main
from mien.common import manifests, shards
from mien.corpora.label_folder import LabelFolder
from mien.corpora.toy import ToyConfig, generate
from mien.errors import ConfigError, CorpusError, MediaError
from mien.media.audio import read_audio
from mien.media.faces import Crops
from mien.media.faces.people import one_person
from mien.media.streams import stream_media
from mien.runs import exported, label_folder
from mien.runs.teacher import Teacher

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
SETTINGS = {"faces": "whole-frame"}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A few toy films, each picture of which is a face, and files that cannot be labelled."""
    folder = tmp_path_factory.mktemp("films")
    generate(folder / "toy", ToyConfig(people=3, clips=6, seconds=3, size=32, frame_rate=10))
    voices = tmp_path_factory.mktemp("voices")
    generate(voices, ToyConfig(people=2, clips=4, seconds=1, size=32, frame_rate=5, missing=1.0))
    for made in sorted(voices.rglob("*.*")):
        if made.suffix in (".wav", ".mp4"):
            shutil.copy(made, folder / f"alone-{made.name}")
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture
def here(monkeypatch):
    """Work in this process, which is faster than new ones."""

    def spread(function, parts, **_):
        yield from ((part, function(part)) for part in parts)

    monkeypatch.setattr(label_folder, "spread", spread)


@pytest.fixture(scope="module")
def labels(films, tmp_path_factory):
    """The folder of all films, and the outcome."""
    out = tmp_path_factory.mktemp("labels") / "out"
    return out, mien.label(films, out=out, workers=2, **SETTINGS)


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_segments_say_who_when_and_what(labels, films):
    out, outcome = labels
    table = pd.read_csv(out / "segments.csv")
    first = ["clip", "file", "start", "end", "person", "speaking", "emotion", "seen", "frames"]
    assert list(table.columns[:9]) == first
    assert list(table.columns[9:]) == [*(f"logit_{name}" for name in CLASSES), *CLASSES]
    toys = table[table["file"].str.startswith("toy/")]
    assert len(toys) == toys["file"].nunique() == 6
    assert toys["speaking"].all()
    assert (toys["start"] == 0).all()
    for file, end in zip(toys["file"], toys["end"], strict=True):
        sound = len(read_audio(films / file)) / 16_000
        assert sound - 0.24 <= end <= sound
    logits = table[[f"logit_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(table[list(CLASSES)], softmax(logits, axis=1), atol=1e-5)
    assert list(table["emotion"]) == [CLASSES[place] for place in logits.argmax(axis=1)]
    assert outcome.data["segments"][0]["clip"] == table["clip"][0]


def test_frames_are_the_teachers_own_logits(labels, films):
    """Each frame by itself, found by another way: the crops of the feature, one by one through the model."""
    out, _ = labels
    folder = LabelFolder.open(out)
    teacher = Teacher.open(exported.faces(), torch.device("cpu"), "whole-frame")
    row = folder.segments().iloc[0]
    values, valid = folder.frames(row["clip"])
    crops = one_person(stream_media(films / row["file"]), teacher.faces)
    assert valid.all()
    assert len(values) == row["frames"]
    for frame, value in zip(crops.pixels, values, strict=False):
        single = [Crops(frame[None], np.zeros(1, np.uint8), 0.24)]
        alone, calibrated = teacher.model.logits(single), teacher.model.infer([None], single)
        np.testing.assert_allclose(value, alone[0], atol=1e-4)
        np.testing.assert_allclose(softmax(alone / teacher.model.temperature), calibrated, atol=1e-5)
    assert row[[f"logit_{name}" for name in CLASSES]].to_numpy(float) == pytest.approx(values.max(axis=0), abs=1e-4)


def test_what_cannot_be_labelled_is_listed(labels, films):
    out, outcome = labels
    problems = dict(pd.read_csv(out / "problems.csv").to_numpy())
    assert [one.partition(": ")[0] for one in outcome.problems] == list(problems)
    assert problems["broken.mp4"]
    without = {file: why for file, why in problems.items() if file.startswith("alone-")}
    assert {why for file, why in without.items() if file.endswith(".wav")} == {
        "has no pictures, so there is no face to label; give films"
    }
    assert {why for file, why in without.items() if file.endswith(".mp4")} == {
        "shows faces and has no sound, so there is no voice to label"
    }
    assert len(without) == 4
    card = json.loads((out / "card.json").read_text())
    assert (card["files"], card["files_labelled"], card["problems"]) == (11, 6, 5)
    assert sum(card["frames_by_emotion"].values()) == card["frames"] > 0
    assert "unfinished" not in card


def test_the_page_and_the_text_say_the_counts(labels):
    out, outcome = labels
    card, page = outcome.data["card"], (out / "label.html").read_text()
    assert max(map(len, outcome.text.splitlines())) <= 80
    for name, count in card["frames_by_emotion"].items():
        assert f"  {name} " in outcome.text
        assert f'<th scope="row">{name}</th><td class="n">{count:,}</td>' in page
    assert card["teacher"]["sha256"] in page
    assert "images of FER2013: for research" in page
    assert "<script" not in page


def test_another_pooling_decodes_nothing(labels, tmp_path, monkeypatch):
    out = tmp_path / "again"
    shutil.copytree(labels[0], out)
    films = Path(labels[1].data["card"]["root"])
    monkeypatch.setattr(label_folder, "label", None)
    logits = pd.read_csv(out / "segments.csv")[[f"logit_{name}" for name in CLASSES]].to_numpy()
    mien.label(films, out=out, pooling="mean", **SETTINGS)
    mean = pd.read_csv(out / "segments.csv")[[f"logit_{name}" for name in CLASSES]].to_numpy()
    assert (mean <= logits + 1e-5).all()
    assert (mean < logits - 1e-3).any()
    folder = LabelFolder.open(out)
    row = folder.segments().iloc[2]
    values, valid = folder.frames(row["clip"])
    expected = values[valid].astype(float).mean(axis=0)
    assert row[[f"logit_{name}" for name in CLASSES]].to_numpy(float) == pytest.approx(expected, abs=1e-5)
    assert folder.card["pooling"] == "mean"
    mien.label(films, out=out, **SETTINGS)
    assert tree(out) == tree(labels[0])


def test_killed_and_resumed_is_bit_equal_with_any_number_of_workers(films, labels, tmp_path, monkeypatch):
    """Killed outright in the middle: parts that are done stay, the rest follows, and nothing is different."""
    out = tmp_path / "out"
    script = (
        "import time, mien\nfrom mien.runs import label_folder\nlabel_folder.PART = 2\n"
        "def spread(function, parts, **_):\n"
        "    for part in parts:\n        yield part, function(part)\n"
        "        print('part', flush=True)\n        time.sleep(.2)\n"
        "label_folder.spread = spread\n"
        f"mien.label({str(films)!r}, out={str(out)!r}, faces='whole-frame')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "part\n"
    assert process.stdout.readline() == "part\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert json.loads((out / "card.json").read_text())["unfinished"]
    with pytest.raises(CorpusError, match="labelling was interrupted; run the same 'mien label' again to go on"):
        LabelFolder.open(out)
    done = {path.name for path in (out / "parts").glob("*.json")}
    assert len(done) in (2, 3)
    (out / "frames").mkdir(exist_ok=True)
    (out / "frames" / "shard-left.safetensors").write_bytes(b"of a part without a record")
    monkeypatch.setattr(label_folder, "PART", 2)
    mien.label(films, out=out, workers=1, **SETTINGS)
    straight = tmp_path / "straight"
    mien.label(films, out=straight, workers=3, **SETTINGS)
    assert tree(out) == tree(straight)
    assert done < {path.name for path in (out / "parts").glob("*.json")}
    for name in ("segments.csv", "problems.csv", "card.json", "label.html"):
        assert (out / name).read_bytes() == (labels[0] / name).read_bytes(), "the parts do not show in what is written"


def test_an_interruption_keeps_finished_parts(films, tmp_path, monkeypatch, here, capsys):
    monkeypatch.setattr(label_folder, "PART", 2)
    whole, calls = label_folder.label, []

    def interrupted(file, *settings):
        calls.append(file)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return whole(file, *settings)

    monkeypatch.setattr(label_folder, "label", interrupted)
    command = ["label", str(films), "--out", str(tmp_path / "out"), "--faces", "whole-frame"]
    assert main(command) == 130
    assert capsys.readouterr().err.endswith("interrupted; run the same command again to resume\n")
    assert len(list((tmp_path / "out" / "parts").iterdir())) == 3
    assert main(command) == 1
    assert len(calls) == 7 + 5  # the part that was interrupted is done again, those before are not


def test_more_files_are_added_and_others_refused(films, tmp_path, here):
    out, (first, second, *_) = tmp_path / "out", sorted((films / "toy").rglob("*.mp4"))
    one = mien.label(first, out=out, **SETTINGS)
    assert len(one.data["segments"]) == 1
    assert len(mien.label([first, second], out=out, **SETTINGS).data["segments"]) == 2
    assert len(list((out / "frames").iterdir())) == 1, "the shard of the first file alone is gone"
    with pytest.raises(ConfigError) as error:
        mien.label(second, out=out, **SETTINGS)
    sentence = f"{out}: has labels of {first.name}, which is not given; give it too, or choose a new --out"
    assert str(error.value) == sentence
    with pytest.raises(ConfigError, match=r"has labels of files below .*, and .* is given; choose a new --out"):
        mien.label(films, out=out, **SETTINGS)


def test_a_folder_of_another_teacher_or_other_settings_is_refused(films, labels, tmp_path):
    out, before = tmp_path / "out", tree(labels[0])
    shutil.copytree(labels[0], out)
    with pytest.raises(ConfigError) as error:
        mien.label(films, out=out)
    assert "was labelled by other settings of faces" in str(error.value)
    assert tree(out) == before
    card = json.loads((out / "card.json").read_text())
    for key, value, words in (
        ("teacher", {"name": "mine", "sha256": "0" * 64}, "was labelled by another teacher, mine; give the same"),
        ("classes", ["anger", "joy"], "has labels of the classes anger, joy, and this teacher's are neutral, "),
    ):
        (out / "card.json").write_text(json.dumps(card | {key: value}))
        with pytest.raises(ConfigError) as error:
            mien.label(films, out=out, **SETTINGS)
        assert words in str(error.value)


def test_what_is_no_label_folder_is_refused(films, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert main(["label", str(films), "--out", str(tmp_path / "out")]) == 2
    out = tmp_path / "out"
    assert capsys.readouterr().err == f"mien: {out}: is not empty and holds no labels; choose a new folder for --out\n"
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert main(["label", str(tmp_path / "empty"), "--out", str(tmp_path / "new")]) == 2
    assert "holds no media file" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_where_no_file_can_be_labelled_nothing_is_left(films, tmp_path, here):
    with pytest.raises(MediaError) as error:
        mien.label([films / "broken.mp4", films / "gone.mp4"], out=tmp_path / "out", **SETTINGS)
    assert str(error.value).endswith("(and 1 more files that cannot be labelled)")
    assert not (tmp_path / "out").exists()


def test_a_file_that_ends_its_process_is_listed(films, tmp_path, monkeypatch):
    def lost(function, parts, **_):
        for part in parts:
            for file in part:
                crashed = file == "broken.mp4"
                yield [file], label_folder.Lost(file, "SIGSEGV") if crashed else function([file])

    monkeypatch.setattr(label_folder, "spread", lost)
    given = [films / "broken.mp4", *(films / "toy").rglob("*.mp4")]
    outcome = mien.label(given, out=tmp_path / "out", **SETTINGS)
    assert outcome.problems == ["broken.mp4: ended the process that read it (SIGSEGV)"]
    assert len(outcome.data["segments"]) == 6
    read = []

    def anew(function, parts, **_):
        read.extend(parts)
        yield from ((part, function(part)) for part in parts)

    monkeypatch.setattr(label_folder, "spread", anew)
    (problem,) = mien.label(given, out=tmp_path / "out", **SETTINGS).problems
    assert read == [["broken.mp4"]], "it is tried again, as memory may have been short, and no other file is read"
    assert problem.startswith("broken.mp4: ")
    assert "ended the process" not in problem
    monkeypatch.setattr(label_folder, "label", None)
    assert mien.label(given, out=tmp_path / "out", **SETTINGS).problems == [problem], "what it is, it stays"


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ("voice-small", "voice-small takes voices, and a teacher labels single faces; give a model of faces alone"),
        ("face-smal", "unknown model 'face-smal'. Did you mean 'face-small'?"),
    ],
)
def test_a_model_that_labels_no_faces_is_refused(films, tmp_path, capsys, teacher, words):
    assert main(["label", str(films), "--teacher", teacher, "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_large_files_are_parts_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(label_folder, "LARGE", 100)
    for name, size in (("a", 30), ("b", 60), ("c", 30), ("d", 500), ("e", 1), ("f", 99)):
        (tmp_path / name).write_bytes(b"x" * size)
    parts = label_folder._parts(tmp_path, ["a", "b", "c", "d", "e", "f", "gone"])
    assert parts == [["a", "b"], ["c"], ["d"], ["e", "f", "gone"]]


def test_all_frames_are_kept_and_segments_are_named_among_them(labels, films):
    out, _ = labels
    entries = list(shards.entries(out / "frames"))
    named = set(pd.read_csv(out / "segments.csv")["clip"])
    assert named <= {entry.clip for entry in entries}
    hashes = {sha256(path.read_bytes()).hexdigest() for path in (films / "toy").rglob("*.mp4")}
    assert {entry.key.partition(":")[0] for entry in entries} == hashes


def test_a_film_that_can_be_opened_now_is_read(films, here, tmp_path, monkeypatch):
    (film,) = list((films / "toy").rglob("*.mp4"))[:1]
    mien.label([film, films / "toy"], out=tmp_path / "out", **SETTINGS)
    (record,) = (tmp_path / "out" / "parts").glob("*.json")
    plain = manifests.unsealed(record.read_bytes())
    name = plain["files"][0]
    lost = {**plain, "problems": [[name, "cannot be read (Permission denied)"]], "unreadable": [name]}
    lost["rows"] = [row for row in plain["rows"] if row["file"] != name]
    record.write_text(json.dumps(manifests.sealed(lost)))
    allowed = label_folder.os.access
    monkeypatch.setattr(label_folder.os, "access", lambda path, mode: mode != os.R_OK and allowed(path, mode))
    assert mien.label(films / "toy", out=tmp_path / "out", **SETTINGS).problems
    monkeypatch.undo()
    assert mien.label(films / "toy", out=tmp_path / "out", **SETTINGS).problems == []
