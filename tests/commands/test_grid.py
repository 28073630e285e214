"""A grid is trained like any other experiment: each variant under its own settings, resumed, evaluated."""

import shutil

import pandas as pd
import pytest
import torch

import mien
from mien import experiments
from mien.data.dataset import Dataset, different, open_all
from mien.data.prepared import Prepared
from mien.engine import checkpoint
from mien.errors import RunError
from mien.runs.cell import train_cell
from mien.runs.run import Run
from mien.runs.tables import read_table
from quick import cells_alone

GRID = """
extends: tiny.yaml
models: {emotion_only: null}
hold_test: true
grid:
  lambda:
    models.MEnAN.embeddings.main:
      "0.5": {tasks: {emotion: 0.5}, remove: {speaker: {weight: 0.5}}}
      "0.9": {tasks: {emotion: 0.9}, remove: {speaker: {weight: 0.1}}}
  length: {data.length.seconds: [0.2], training.epochs: [2]}
  tempo: {data.audio.speed_by: [tempo]}
protocol: {folds: [0]}
training: {epochs: 3}
"""
EPOCHS = {"MEnAN": 3, "MEnAN-lambda-0.9": 3, "MEnAN-length-0.2-2": 2, "MEnAN-tempo-tempo": 3}


@pytest.fixture(scope="module")
def arguments(prepared, experiment):
    """What the grid is trained with."""
    path = experiment.parent / "grid.yaml"
    path.write_text(GRID)
    return path, [f"data.prepared={prepared}"]


@pytest.fixture(scope="module")
def done(arguments, tmp_path_factory):
    return mien.train(*arguments, out=tmp_path_factory.mktemp("grid") / "run", workers=2)


@pytest.fixture(scope="module")
def run(done):
    return Run.open(done.data["run"])


def test_every_variant_is_trained_once_under_its_own_settings(run):
    assert {cell.model: len(run.history(cell)) for cell in run.cells} == EPOCHS
    assert set(run.metrics["models"]) == set(run.predictions["model"]) == set(EPOCHS)
    assert set(run.leakage["model"]) == {*EPOCHS, "baseline"}
    pairs = {(row["model"], row["other"]) for row in run.metrics["differences"]}
    assert pairs == {(name, "MEnAN") for name in EPOCHS if name != "MEnAN"}, "no variant is held against another"


@pytest.mark.parametrize(
    ("variant", "overrides"),
    [
        ("MEnAN-tempo-tempo", ["data.audio.speed_by=tempo"]),
        ("MEnAN-length-0.2-2", ["data.length.seconds=0.2", "training.epochs=2"]),
        (
            "MEnAN-lambda-0.9",
            [f"models.MEnAN.embeddings.main.{key}" for key in ("tasks.emotion=0.9", "remove.speaker.weight=0.1")],
        ),
    ],
)
def test_a_variant_is_what_the_same_settings_train_without_a_grid(run, arguments, tmp_path, variant, overrides):
    path, prepared = arguments
    settings = experiments.load(path, ["grid=null", *prepared, *overrides])
    dataset, alone = Dataset.open(settings.data), Run(tmp_path, settings)
    (fold,), cell = dataset.folds(settings.protocol), alone.cell("MEnAN", 0, 0)
    train_cell(alone, dataset, fold, cell, device=torch.device("cpu"))
    weights, _ = checkpoint.load_weights(cell.weights)
    found, _ = checkpoint.load_weights(run.cell(variant, 0, 0).weights)
    base, _ = checkpoint.load_weights(run.cell("MEnAN", 0, 0).weights)
    assert weights.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    assert not all(torch.equal(base[name], value) for name, value in weights.items())


def test_test_clips_are_not_read_predicted_or_embedded(run, arguments):
    (fold,) = run.splits
    held = set(fold["test"]["clips"])
    assert set(run.predictions["split"]) == {"validation"}
    assert not held & set(run.predictions["clip"])
    for cell in run.cells:
        table, _ = run.embeddings(cell)
        assert set(table["split"]) == {"train", "validation"}
        assert not held & set(table["clip"])
    assert set(run.leakage["speakers"]) == {"seen"}
    labelled = list(run.clips.index[run.clips["label"].notna()])
    for store in open_all(experiments.load(*arguments).data_of, "emotion")["MEnAN-tempo-tempo"].copies.values():
        assert set(store.missing(labelled)) == held


def test_models_of_the_same_data_share_one_dataset(arguments):
    datasets = open_all(experiments.load(*arguments).data_of, "emotion")
    assert list(datasets) == list(EPOCHS)
    assert datasets["MEnAN"] is datasets["MEnAN-lambda-0.9"]
    assert len(different(datasets.values())) == 3


def test_nothing_is_trained_a_second_time_and_another_grid_is_refused(run, arguments, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    files = sorted((folder / "models").rglob("*.*"))
    times = [path.stat().st_mtime_ns for path in files]
    with cells_alone():
        mien.train(*arguments, out=folder)
    assert sorted((folder / "models").rglob("*.*")) == files
    assert [path.stat().st_mtime_ns for path in files] == times
    path, overrides = arguments
    with pytest.raises(RunError, match=r"holds another experiment: grid\.tempo"):
        mien.train(path, [*overrides, "grid.tempo=null"], out=folder)


def test_the_sweep_is_a_table_in_the_report_and_on_the_terminal(run, done):
    table = read_table(run.folder / "sweep.csv")
    assert list(table["model"]) == ["MEnAN", "MEnAN-lambda-0.9", "MEnAN", "MEnAN-length-0.2-2", *list(EPOCHS)[::3]]
    assert list(table["label"].astype(str)) == ["0.5", "0.9", "base", "0.2-2", "base", "tempo"]
    validation = {model: parts["validation"]["uar"] for model, parts in run.metrics["models"].items()}
    assert list(table["uar"]) == pytest.approx([validation[model] for model in table["model"]])
    page = (run.folder / "report.html").read_text()
    assert 'id="sweep"' in page
    assert "Test clips were not used. Scores are on validation speakers" in page
    for model in EPOCHS:
        assert model in page
        assert f"{model} " in done.text
    assert "test UAR" not in done.text


@pytest.mark.parametrize("variant", list(EPOCHS)[1:])
def test_a_clip_is_predicted_by_a_variant_as_in_training(run, prepared, variant):
    row = run.predictions.query("model == @variant").iloc[0]
    file = Prepared.open(prepared).media(run.clips.loc[row["clip"]])
    (predicted,) = mien.predict([file], model=run.folder / "models" / variant).data["rows"]
    assert predicted["model"] == variant
    for name in run.classes:
        assert predicted[name] == pytest.approx(row[name], abs=2e-3)


def test_an_unknown_variant_is_refused_with_the_nearest(run, prepared):
    with pytest.raises(RunError, match=r"Did you mean 'MEnAN-lambda-0\.9'"):
        mien.predict(["x.wav"], model=run.folder / "models" / "MEnAN-lambda-0.8")


def test_every_variant_is_evaluated_on_another_corpus(run, tmp_path, make_corpus):
    mien.prepare("table", make_corpus(tmp_path / "root", 2, seed=77), out=tmp_path / "prepared", features=())
    metrics = mien.evaluate(run.folder, on=tmp_path / "prepared").data
    assert set(metrics["models"]) == set(EPOCHS)
    rows = pd.read_csv(run.folder / "evaluations" / metrics["evaluation"] / "predictions.csv")
    assert set(rows.groupby("model").size()) == {18}
