"""A run by a protocol that others published: what output, page and card say of it, and where its leak is accepted."""

import json
import re

import pytest

import mien
from mien.data import published
from mien.errors import ConfigError, LeakError
from mien.runs.run import Run

ACTORS = ("01", "02", "03", "05", "06", "08", "10")
PITCH = {"05": 300.0, "01": 150.0, "04": 90.0, "W": 300.0, "N": 150.0, "T": 90.0}
SMALL = ["training.epochs=1", "models.MEnAN=null"]
USED = "the authors (86.7 % accuracy with voice and face) and the programs that grew out of theirs"


def tones(root, names, make_tone, reader):
    root.mkdir()
    for number, (name, pitch) in enumerate(names.items()):
        make_tone(root / f"{name}.wav", pitch, 0.6 + 0.1 * (number % 5), number)
    mien.prepare(reader, root, out=root.parent / reader)
    return root.parent / reader


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory, make_tone):
    """Seven actors of RAVDESS by name, prepared."""
    names = {
        f"03-01-{emotion}-01-01-0{take}-{actor}": PITCH[emotion]
        for actor in ACTORS
        for emotion in ("05", "01", "04")
        for take in (1, 2)
    }
    return tones(tmp_path_factory.mktemp("actors") / "root", names, make_tone, "ravdess")


@pytest.fixture(scope="module")
def emodb(tmp_path_factory, make_tone):
    """Some clips of three speakers of EmoDB by name, prepared."""
    listed = published.get("emobox_emodb").listed
    names = {name: PITCH[name[5]] for name in sorted(listed) if re.match(r"(03|08|09)a0\d[WNT]", name)}
    return tones(tmp_path_factory.mktemp("speakers") / "root", names, make_tone, "emodb")


@pytest.fixture(scope="module")
def run(ravdess, experiment, tmp_path_factory):
    out = tmp_path_factory.mktemp("five") / "run"
    own = ["protocol={name: ravdess_five_folds, folds: [0, 1]}", f"data.prepared={ravdess}", *SMALL]
    mien.train(experiment, own, out=out)
    return Run.open(out)


def text(path):
    return " ".join(path.read_text(encoding="utf-8").split())


def test_the_published_speakers_are_tested_and_the_split_is_clean(run):
    tested = [fold["test"]["speakers"] for fold in run.splits]
    assert tested == [["02", "05"], ["03", "06"]]
    assert [fold["validation"]["speakers"] for fold in run.splits] == [["03", "06"], ["10"]]
    assert json.loads((run.folder / "splits.json").read_text())["of"] == 5
    assert run.certificate["marks"] == []
    assert run.experiment.provenance["protocol.name"] == "ours"


def test_the_page_says_whose_protocol_it_is_and_what_is_not_at_hand(run):
    page = text(run.folder / "report.html")
    assert "RAVDESS in five folds of actors, published by Luna-Jiménez et al. 2022, Applied Sciences 12(1), 327" in page
    assert f"used by {USED}" in page
    assert "here, the next fold of the protocol validates and does not train, which is ours." in page
    assert "17 of its 24 speakers are not in the corpus at hand, or without a label (04, 07, 09, 11," in page


def test_the_card_of_a_model_says_it_as_well(run, tmp_path):
    mien.export(run.folder / "models" / "emotion_only", out=tmp_path / "model")
    card = text(tmp_path / "model" / "README.md")
    assert "Luna-Jiménez et al. 2022" in card
    assert "17 of its 24 speakers are not in the corpus at hand" in card


def test_training_says_it_before_it_begins(ravdess, experiment, tmp_path, capsys):
    own = ["protocol.name=ravdess_five_folds", "protocol.folds=[4]", f"data.prepared={ravdess}", *SMALL]
    mien.train(experiment, own, out=tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert f"used by {USED}" in said
    assert "17 of its 24 speakers are not in the corpus at hand" in said


def test_a_corpus_of_another_reader_is_refused_and_nothing_is_written(prepared, experiment, tmp_path):
    own = ["protocol.name=ravdess_five_folds", f"data.prepared={prepared}", *SMALL]
    with pytest.raises(ConfigError, match=r"divides the corpus of the reader ravdess, and data.prepared is of table;"):
        mien.train(experiment, own, out=tmp_path / "run")
    assert not (tmp_path / "run" / "experiment.yaml").exists()


def test_folds_that_share_speakers_are_refused_unless_the_leak_is_accepted(emodb, experiment, tmp_path):
    own = ["protocol={name: emobox_emodb, folds: [0]}", f"data.prepared={emodb}", *SMALL]
    with pytest.raises(
        LeakError, match="the split leaks; shared-speaker: 3 of 3 speakers of test are in train: 03, 08, 09"
    ):
        mien.train(experiment, own, out=tmp_path / "run")
    accepted = ["seen_speakers=true", "accept=[same-sentence]"]
    mien.train(experiment, [*own, *accepted], out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    (mark, *_) = run.certificate["marks"]
    assert mark.startswith("accepted leak, seen speakers: 3 of 3 speakers of test are in train: 03, 08, 09")
    page = text(run.folder / "report.html")
    assert mark in page
    assert "EmoDB in EmoBox&#39;s five folds of clips, published by Ma et al. 2024" in page
