"""Clips of unknown speakers in a corpus that names others: they train without their label, or are left out."""

import json

import pandas as pd
import pytest

import mien
from mien import experiments
from mien.data import embedded
from mien.data.dataset import Dataset
from mien.data.prepared import Prepared
from mien.errors import ConfigError
from mien.runs.cell import _fitted
from mien.runs.run import Run

UNKNOWN = {"s0-anger-1", "s1-neutral-2", "s2-sadness-1"}  # with a class
OTHERS = {"s1-unknown-0", "s2-boredom-0"}  # without
QUICK = ["models.emotion_only=null", "training.epochs=1", "data.copies.slow=null"]


@pytest.fixture(scope="module")
def root(tmp_path_factory, make_corpus):
    folder = make_corpus(tmp_path_factory.mktemp("corpus") / "root", 3, seed=70)
    table = pd.read_csv(folder / "corpus.csv", dtype=str)
    stems = table["file"].str.removesuffix(".wav")
    assert set(stems) >= (UNKNOWN | OTHERS)
    table["speaker"] = table["speaker"].where(~stems.isin(UNKNOWN), "Unknown").where(~stems.isin(OTHERS), None)
    table.to_csv(folder / "corpus.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def prepared_in_part(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "prepared"
    said = mien.prepare("table", root, out=folder)
    assert said.text.splitlines()[0].startswith(f"{folder}: 33 clips of 3 speakers and 5 of unknown ones, ")
    return folder


@pytest.fixture
def load(experiment, prepared_in_part):
    return lambda *more: experiments.load(experiment, [f"data.prepared={prepared_in_part}", *QUICK, *more])


def test_labelled_clips_of_unknown_speakers_are_left_out_and_counted(load):
    settings = load()
    dataset = Dataset.open(settings.data)
    assert dataset.left_out == {"boredom": 3, "no emotion known": 3, "no speaker known": 3}
    assert len(dataset.labelled) == 27 - 3
    for fold in dataset.folds(settings.protocol):
        used = {*fold.train, *fold.validation, *fold.test}
        assert used == set(dataset.labelled["clip"])
        assert not used & (UNKNOWN | OTHERS)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_they_train_without_their_label_where_unlabelled_clips_do(load, share):
    settings = load("data.unlabelled=train", "data.mix={labelled: 1, unlabelled: 1}", f"data.labelled={share}")
    dataset = Dataset.open(settings.data)
    for fold in dataset.folds(settings.protocol):
        assert set(fold.train) >= (UNKNOWN | OTHERS)
        assert not (UNKNOWN | OTHERS) & {*fold.validation, *fold.test}
        part = dataset.training(fold, 0)
        targets = {factor: dataset.target(factor, part.clips, part.withheld) for factor in ("emotion", "speaker")}
        examples = dataset.examples(part.clips, targets, withheld=part.withheld)
        labels = dict(zip(examples.clips, examples.labels["emotion"].tolist(), strict=True))
        assert {labels[clip] for clip in UNKNOWN | OTHERS} == {-1}
        assert len(fold.train) - list(labels.values()).count(-1) == len(dataset.kept(fold, 0)) > 0
        labelled, unlabelled = dataset.pools(part.clips, part.withheld, 8)
        assert {part.clips[number] for number in unlabelled.examples.tolist()} >= (UNKNOWN | OTHERS)
        speakers = dict(zip(examples.clips, examples.labels["speaker"].tolist(), strict=True))
        assert {clip for clip, label in speakers.items() if label < 0} == UNKNOWN | OTHERS
        assert len(labelled.examples) == len(dataset.kept(fold, 0))


def test_a_given_split_tests_none_of_them(root, experiment, tmp_path):
    table = pd.read_csv(root / "corpus.csv", dtype=str)
    table["split"] = table["file"].str[:2].map({"s0": "train", "s1": "validation", "s2": "test"})
    table.to_csv(root / "split.csv", index=False)
    mien.prepare("table", root / "split.csv", out=tmp_path / "prepared", features=())
    more = [f"data.prepared={tmp_path / 'prepared'}", *QUICK, "protocol={name: given}"]
    for unlabelled, used in (("leave out", set()), ("train", {"s0-anger-1"})):
        settings = experiments.load(experiment, [*more, f"data.unlabelled={unlabelled}"])
        (fold,) = Dataset.open(settings.data).folds(settings.protocol)
        assert used == {*fold.train, *fold.validation, *fold.test} & UNKNOWN


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("unlabelled", "left_out", "note"),
    [
        ("leave out", {"boredom": 3, "no emotion known": 3, "no speaker known": 3}, ""),
        (
            "train",
            {},
            "note: 3 clips have a label and no speaker, who may be one of the test part: they train without the label, "
            "and are never scored",
        ),
    ],
)
def test_a_run_says_what_becomes_of_them(load, experiment, prepared_in_part, tmp_path, unlabelled, left_out, note):
    given = [f"data.prepared={prepared_in_part}", *QUICK, f"data.unlabelled={unlabelled}", "protocol.folds=[0]"]
    said = mien.train(experiment, given, out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert run.certificate["left_out"] == left_out
    assert ("not used, no speaker known: 3 clips" in said.text) == bool(left_out)
    assert [one for one in run.certificate["notes"] if "speaker, who" in one] == ([note] if note else [])
    assert run.named
    assert run.predictions["speaker"].notna().all()
    clips, _ = run.embeddings(run.cells[0])
    assert set(clips["clip"][clips["speaker"].isna()]) == (UNKNOWN | OTHERS if unlabelled == "train" else set())


@pytest.mark.usefixtures("unmeasured")
def test_few_of_many_unlabelled_clips_have_embeddings(prepared_in_part, experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "MOST", 4)
    given = [f"data.prepared={prepared_in_part}", *QUICK, "data.unlabelled=train", "protocol.folds=[0]"]
    mien.train(experiment, given, out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    clips, values = run.embeddings(run.cells[0])
    (fold,) = run.splits
    assert {len(one) for one in values.values()} == {len(clips)}
    trained = set(fold["train"]["clips"])
    there = set(clips["clip"]) & trained
    labelled = trained & set(Dataset.open(run.experiment.data).labelled["clip"])
    assert (len(trained), len(labelled), len(there)) == (8 + 6, 8, 8 + 4)
    assert there > labelled | {"s1-boredom-0"}, "of a known speaker"


def test_an_evaluation_scores_none_of_them(run, prepared_in_part):
    outcome = mien.evaluate(run, on=prepared_in_part)
    scored = pd.read_csv(run / "evaluations" / outcome.data["evaluation"] / "predictions.csv")
    assert scored["clip"].nunique() == 24
    assert not set(scored["clip"]) & UNKNOWN
    assert outcome.data["speakers"] == 3
    assert outcome.data["values_not_in_the_run"]["no speaker known"] == 3


def test_normalisation_by_speaker_takes_known_speakers(load, prepared_in_part):
    settings = load("data.unlabelled=train", "data.normalisation=speaker", "accept=[test-statistics]")
    with pytest.raises(ConfigError) as error:
        Dataset.open(settings.data).folds(settings.protocol)
    assert str(error.value) == (
        f"data.normalisation: speaker, and {prepared_in_part} names no speakers for 5 of 33 clips; give train or none"
    )
    settings = load("data.normalisation=speaker", "accept=[test-statistics]")
    dataset = Dataset.open(settings.data)
    fold = dataset.folds(settings.protocol)[0]
    dataset.extract(workers=1, copies=False)
    train = dataset.examples(fold.train, {})
    assert set(_fitted(dataset, fold, settings, train, "audio").statistics) == {"s0", "s1", "s2"}


def test_where_nobody_is_named_clips_are_labelled_all_the_same(root, experiment, tmp_path):
    table = pd.read_csv(root / "corpus.csv", dtype=str).drop(columns="speaker")
    table.to_csv(root / "nobody.csv", index=False)
    mien.prepare("table", root / "nobody.csv", out=tmp_path / "prepared", features=())
    assert json.loads((tmp_path / "prepared/card.json").read_text())["lacks"] == ["speaker"]
    assert Prepared.open(tmp_path / "prepared").table["speaker"].isna().all()
    settings = experiments.load(experiment, [f"data.prepared={tmp_path / 'prepared'}", *QUICK])
    dataset = Dataset.open(settings.data)
    assert len(dataset.labelled) == 27
    with pytest.raises(ConfigError) as error:
        dataset.folds(settings.protocol)
    assert str(error.value) == (
        "protocol leave_one_speaker_out: it divides by speaker, and the corpus names none for 27 of its clips; if a "
        "column of your own table names them, call it 'speaker' and prepare it again, or give protocol={name: given}, "
        "which takes the corpus's own split"
    )
