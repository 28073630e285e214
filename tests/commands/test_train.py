"""`train` writes a run whose parts agree with each other; it resumes, spreads and refuses as promised."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from mien import experiments
from mien.audit.probes.probes import PROBES
from mien.audit.statistics import scores
from mien.common.measures import uar
from mien.data.dataset import Dataset
from mien.data.prepared import Prepared
from mien.engine import checkpoint
from mien.errors import ConfigError, CorpusError, LeakError, RunError
from mien.runs.cell import Model, balanced, train_cell
from mien.runs.run import Run


def test_a_run_holds_what_it_promises(run):
    opened = Run.open(run)
    assert len(opened.cells) == 2 * 4
    for name in (
        "experiment.yaml",
        "environment.json",
        "splits.json",
        "certificate.json",
        "metrics.json",
        "leakage.csv",
    ):
        assert (run / name).is_file()
    assert (run / "report.html").stat().st_size > 10_000
    head = ["clip", "speaker", "model", "fold", "seed", "split", "truth", "predicted"]
    assert list(opened.predictions.columns) == [*head, *opened.classes, "scheme"]
    assert not list(run.rglob("state.pt"))
    assert not list(run.rglob("*.tmp"))


def test_every_clip_is_tested_once_per_model_on_an_unseen_speaker(run):
    opened = Run.open(run)
    test = opened.predictions.query("split == 'test'")
    labelled = opened.clips[opened.clips["label"].notna()]
    for _, rows in test.groupby("model"):
        assert sorted(rows["clip"]) == sorted(labelled["clip"])
    for fold in opened.splits:
        seen = set(fold["train"]["speakers"]) | set(fold["validation"]["speakers"])
        tested = set(test[test["fold"] == fold["fold"]]["speaker"])
        assert tested == set(fold["test"]["speakers"])
        assert not tested & seen


def test_predictions_are_what_the_saved_weights_say(run, prepared):
    opened = Run.open(run)
    dataset = Dataset.open(opened.experiment.data, prepared=prepared)
    cell = opened.cells[5]
    rows = opened.predictions.query("model == @cell.model and fold == @cell.fold and split == 'test'")
    model = Model.load(opened.experiment, cell, torch.device("cpu"))
    inference = model.infer(dataset.examples(list(rows["clip"]), model.targets))
    np.testing.assert_allclose(inference.probabilities("emotion"), rows[list(opened.classes)], atol=1e-6)
    np.testing.assert_allclose(rows[list(opened.classes)].sum(axis=1), 1, atol=1e-5)
    assert (rows[list(opened.classes)].idxmax(axis=1) == rows["predicted"]).all()
    table, embeddings = opened.embeddings(cell)
    place = table.index[table["split"] == "test"]
    assert list(table["clip"][place]) == list(rows["clip"])
    np.testing.assert_allclose(inference.embeddings["main"], embeddings["main"][place], atol=1e-5)


def test_the_best_epoch_is_the_best_on_validation(run):
    opened = Run.open(run)
    for cell in opened.cells:
        history = opened.history(cell)
        assert list(history["epoch"]) == list(range(1, 13))
        rows = opened.predictions.query("model == @cell.model and fold == @cell.fold and split == 'validation'")
        counts = scores.confusion(rows, opened.classes).counts.sum(axis=0)
        assert float(uar(counts)) == pytest.approx(history["validation uar"].max())


def test_emotions_are_learned_and_the_speaker_probe_is_reported(run):
    opened = Run.open(run)
    assert opened.metrics["models"]["emotion_only"]["test"]["uar"] > 1 / 3 + 0.2
    assert set(opened.leakage["probe"]) == {*PROBES, "strongest", "cosine"}
    assert set(opened.leakage["speakers"]) == {"seen", "unseen"}


def test_unused_clips_and_classes_missing_in_a_fold_are_reported(run):
    certificate = Run.open(run).certificate
    assert certificate["left_out"] == {"boredom": 4, "no emotion known": 4}
    findings = {(one["finding"], one["severity"]) for one in certificate["findings"]}
    assert findings == {("missing-class", "note"), ("shared-sentence", "note")}
    assert certificate["notes"] == ["warning: happiness: no clip in any fold"]
    assert len(certificate["files"]) == 36


@pytest.mark.usefixtures("unmeasured")
def test_a_finished_run_stays_and_another_experiment_is_refused(run, prepared, experiment, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*.safetensors")}
    times = {path: path.stat().st_mtime_ns for path in before}
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    assert {path: path.stat().st_mtime_ns for path in before} == times
    with pytest.raises(RunError, match=r"training\.epochs was 12 and is now 3"):
        mien.train(experiment, [f"data.prepared={prepared}", "training.epochs=3"], out=copy)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.usefixtures("unmeasured")
def test_claims_are_answered_by_a_finished_run_too(run, prepared, experiment, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    assert not (copy / "claims.json").exists()
    claim = "kind: above, factor: emotion, measure: uar, models: MEnAN, minus: chance"
    mien.train(experiment, [f"data.prepared={prepared}", f"claims={{learns: {{says: It learns., {claim}}}}}"], out=copy)
    made = json.loads((copy / "claims.json").read_text())
    assert [claim["claim"] for claim in made["claims"]] == ["learns"]
    (way,) = made["scores"][0]["ways"]
    test = Run.open(copy).metrics["models"]["MEnAN"]["test"]
    assert {row["model"]: row["score"] for row in way["rows"]}["MEnAN"] == pytest.approx(test["uar"])
    assert way["chance"]["score"] == pytest.approx(test["uar_chance"])


@pytest.mark.usefixtures("unmeasured")
def test_two_workers_and_a_lost_cell_give_the_same_weights(prepared, experiment, tmp_path):
    given = [f"data.prepared={prepared}", "training.epochs=2", "protocol.folds=[0, 1]"]
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    mien.train(experiment, given, out=alone)
    mien.train(experiment, given, out=spread, workers=2)
    lost = Run.open(spread).cells[3]
    shutil.rmtree(lost.folder)
    mien.train(experiment, given, out=spread)
    for one, two in zip(Run.open(alone).cells, Run.open(spread).cells, strict=True):
        first, second = checkpoint.load_weights(one.weights)[0], checkpoint.load_weights(two.weights)[0]
        assert all(torch.equal(second[name], value) for name, value in first.items())
    frames = [pd.read_csv(folder / "predictions.csv") for folder in (alone, spread)]
    pd.testing.assert_frame_equal(*frames)


@pytest.fixture(scope="module")
def trained_with(prepared, experiment):
    """The weights of one cell after two epochs with other settings."""

    def train(folder, *more):
        settings = experiments.load(experiment, [f"data.prepared={prepared}", "training.epochs=2", *more])
        dataset, run = Dataset.open(settings.data), Run(folder / "run", settings)
        dataset.extract(workers=1)
        fold, cell = dataset.folds(settings.protocol)[1], run.cell("MEnAN", 1, 0)
        train_cell(run, dataset, fold, cell, device=torch.device("cpu"))
        return checkpoint.load_weights(cell.weights)[0]

    return train


@pytest.fixture(scope="module")
def plain(trained_with, tmp_path_factory):
    """Those of the settings as they are."""
    return trained_with(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "override",
    [
        "training.class_weight=balanced",
        "training.sampling=balanced",
        "data.normalisation=speaker",
        "data.normalisation=none",
        "data.masking={count: 1, seconds: 0.1, bands: 4}",
        "data.copies={noisy: {noise_db: 10.0}}",
        "data.unlabelled=train",
        "training.precision=bfloat16",
        "optimiser.name=sgd",
        "encoder.channels=4",
    ],
)
def test_a_switch_changes_what_is_trained(plain, trained_with, tmp_path, override):
    one, two = plain, trained_with(tmp_path, override)
    assert one.keys() != two.keys() or any(
        one[name].shape != two[name].shape or not torch.equal(one[name], two[name])
        for name in one
        if name.startswith("recipe.encoder")
    )


def test_a_leaky_split_is_refused_before_anything_is_written(tmp_path, prepared, experiment):
    leaky, root = tmp_path / "prepared", Prepared.open(prepared).media({"file": ""})
    table = pd.read_csv(root / "corpus.csv")
    table["split"] = (["train", "validation", "test"] * len(table))[: len(table)]
    table.to_csv(root / "leaky.csv", index=False)
    mien.prepare("table", root / "leaky.csv", out=leaky, features=())
    with pytest.raises(LeakError, match="shared-speaker: 4 of 4 speakers of test are in train"):
        mien.train(experiment, [f"data.prepared={leaky}", "protocol={name: given}"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("data.prepared=null", ConfigError, "data.prepared is not set"),
        ("data.prepared=nowhere", CorpusError, "nowhere"),
        ("models.MEnAN.embeddings.main.remove.accent={how: max_entropy}", ConfigError, "unknown factor 'accent'"),
        ("data.scheme=emobd", ConfigError, "Did you mean 'emodb'"),
        ("optimiser.lr={default: 0.1, encodr: 0.2}", ConfigError, "Did you mean 'encoder'"),
        ("data.audio={name: mfb43, mels: 0}", ConfigError, "data.audio"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path, prepared, experiment, override, error, message):
    with pytest.raises(error) as caught:
        mien.train(experiment, [f"data.prepared={prepared}", override], out=tmp_path / "run")
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists(), "something is half-written"


def test_a_file_that_changed_since_it_was_prepared_is_refused(tmp_path, experiment, make_corpus, make_tone):
    root = make_corpus(tmp_path / "root", 3, seed=5)
    mien.prepare("table", root, out=tmp_path / "prepared", features=())
    make_tone(root / "s0-anger-0.wav", 100.0, 1.0, 99)
    with pytest.raises(CorpusError, match=r"s0-anger-0\.wav.*prepare' again"):
        mien.train(experiment, [f"data.prepared={tmp_path / 'prepared'}"], out=tmp_path / "run")


def test_metrics_are_json_for_everyone(run):
    assert json.loads((run / "metrics.json").read_text())["classes"] == ["anger", "happiness", "neutral", "sadness"]


@pytest.mark.usefixtures("unmeasured")
def test_a_run_is_not_gone_on_with_after_its_corpus_changed(run, experiment, tmp_path, make_corpus):
    """Else cells that trained on a speaker would be certified as if the speaker were unseen."""
    root = make_corpus(tmp_path / "root", 4, seed=3)
    settings = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0, 1]"]
    for folder, change in (("first", False), ("second", True)):
        if change:
            table = pd.read_csv(root / "corpus.csv")
            table["speaker"] = table["speaker"].replace({"s0": "s1", "s1": "s0"})
            table.to_csv(root / "corpus.csv", index=False)
        mien.prepare("table", root, out=tmp_path / folder)
    prepared = tmp_path / "prepared"
    shutil.copytree(tmp_path / "first", prepared)
    mien.train(experiment, [f"data.prepared={prepared}", *settings], out=tmp_path / "run")
    shutil.rmtree(prepared)
    shutil.copytree(tmp_path / "second", prepared)
    with pytest.raises(RunError, match="another corpus or split"):
        mien.train(experiment, [f"data.prepared={prepared}", *settings], out=tmp_path / "run")


def test_balance_counts_known_labels_of_classes_that_are_there():
    labels = torch.tensor([0] * 8 + [2] * 6 + [3] * 4 + [-1] * 4)
    weights = balanced(labels, 4)
    np.testing.assert_allclose(weights[[0, 2, 3]], [18 / (3 * 8), 18 / (3 * 6), 18 / (3 * 4)])
    known = labels[labels >= 0]
    assert weights[known].mean().item() == pytest.approx(1)
    sums = [weights[known][known == number].sum().item() for number in (0, 2, 3)]
    assert sums == pytest.approx([6, 6, 6])


def test_clips_without_a_label_train_beside_seen_speakers_but_of_no_held_out_recording(experiment, prepared):
    protocol = ["protocol={name: group_k_fold, groups: 3, speakers: seen}", "seen_speakers=true"]
    settings = experiments.load(experiment, [f"data.prepared={prepared}", *protocol, "data.unlabelled=train"])
    dataset = Dataset.open(settings.data)
    unlabelled = set(dataset.clips["clip"]) - set(dataset.labelled["clip"])
    for fold in dataset.folds(settings.protocol):
        assert unlabelled <= set(fold.train)
        assert len(unlabelled) == 8
    names = dataset.clips["clip"].where(~dataset.clips["clip"].isin(unlabelled), "s0-boredom-0.wav")
    first = next(iter(dataset.labelled["clip"]))
    recordings = dataset.clips.assign(recording=names.replace({"s0-boredom-0.wav": first}))
    joined = replace(dataset, clips=recordings)
    for fold in joined.folds(settings.protocol):
        assert bool(unlabelled & set(fold.train)) is (first in fold.train)
        assert unlabelled.isdisjoint({*fold.validation, *fold.test})


def test_clips_without_a_label_are_in_the_split_where_they_train(experiment, prepared, tmp_path):
    settings = experiments.load(experiment, [f"data.prepared={prepared}", "data.unlabelled=train"])
    dataset = Dataset.open(settings.data)
    fold = dataset.folds(settings.protocol)[0]
    unlabelled = set(fold.train) - set(dataset.labelled["clip"])
    people = set(dataset.clips.loc[list(unlabelled), "speaker"])
    assert len(unlabelled) == 4
    assert people == set(dataset.clips.loc[list(fold.train), "speaker"])
    assert not people & set(dataset.clips.loc[[*fold.validation, *fold.test], "speaker"])
