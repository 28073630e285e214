"""A nested choice: candidates compete on validation clips, and the best of each fold and seed becomes the cell."""

import json
import shutil
from collections import Counter

import pandas as pd
import pytest
import torch

import mien
from mien import experiments
from mien.common import manifests
from mien.data.dataset import Dataset, different, open_all
from mien.data.prepared import Prepared
from mien.engine import checkpoint
from mien.errors import RunError
from mien.runs import cell as cells
from mien.runs import choice as choices
from mien.runs.cell import Model, train_cell
from mien.runs.choice import train_best
from mien.runs.run import Run
from sealing import reseal_cell

CPU = torch.device("cpu")
CHOICE = """
extends: tiny.yaml
models: {emotion_only: null}
protocol: {folds: [0, 1]}
training: {epochs: 1}
choose:
  models.MEnAN.hidden: {on: validation, of: {four: [4], eight: [8]}}
  data.length.seconds: {on: validation, of: [0.2, 0.4]}
"""
WANTED = {
    0: ([8], 0.2),
    1: ([4], 0.4),
}  # fold -> hidden layers and seconds that its validation clips are made to favour
LABELS = ["four-0.2", "four-0.4", "eight-0.2", "eight-0.4"]


@pytest.fixture(scope="module")
def arguments(prepared, experiment):
    """What the choice is trained with."""
    path = experiment.parent / "choice.yaml"
    path.write_text(CHOICE)
    return path, [f"data.prepared={prepared}"]


def planted(worth):
    """Validation scores whose UAR is `worth` of the experiment and the validation speaker."""
    plain = cells.validated

    def validated(model, name, loader):
        return plain(model, name, loader) | {"uar": worth(model.experiment, name, loader.examples.speakers[0])}

    return validated


@pytest.fixture(scope="module")
def chosen(arguments, tmp_path_factory):
    """Both folds, each with other candidates that are best on its validation clips."""
    settings = experiments.load(*arguments)
    folds = Dataset.open(settings.data).folds(settings.protocol)
    who = {fold.validation[0].split("-")[0]: WANTED[fold.number] for fold in folds}

    def worth(experiment, name, speaker):
        hidden, seconds = who[speaker]
        right = list(experiment.model(name).hidden) == hidden, experiment.data.length.seconds == seconds
        return sum(right) / 2

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells, "validated", planted(worth))
        done = mien.train(*arguments, out=tmp_path_factory.mktemp("choice") / "run")
    return Run.open(done.data["run"])


@pytest.fixture(scope="module")
def make(prepared, experiment):
    """What `train_best` takes for one cell with three candidates of three epochs, in a folder."""

    def make(folder, *overrides):
        rate = "choose.optimiser.lr.default={on: validation, of: [0.02, 0.01, 1e-9]}"
        plain = [f"data.prepared={prepared}", "training.epochs=3", "protocol.folds=[0]", "models.emotion_only=null"]
        settings = experiments.load(experiment, [*plain, *(overrides or [rate])])
        made, datasets = Run.start(folder, settings), open_all(settings.data_of, "emotion")
        for each in different(datasets.values()):
            each.extract(workers=1)
        (fold,) = next(iter(datasets.values())).folds(settings.protocol)
        return made, datasets, fold, made.cell("MEnAN", 0, 0)

    return make


@pytest.fixture
def one(make, tmp_path):
    """The same in a folder of its own, by its name."""
    return lambda name, *overrides: make(tmp_path / name, *overrides)


@pytest.fixture(scope="module")
def whole(make, tmp_path_factory):
    """Such a cell, trained without a break, and its epochs as they were told."""
    given, epochs = make(tmp_path_factory.mktemp("whole") / "run"), []
    train_best(*given, device=CPU, watch=lambda record: epochs.append(record["epoch"]))
    return given[3], epochs


def left(cell):
    """What training leaves of a cell: its files as they are read, histories without seconds."""
    found = {}
    for path in sorted(path for path in cell.folder.rglob("*.*") if path.is_file() and path.name != "leakage.json"):
        name = str(path.relative_to(cell.folder))
        if path.suffix == ".safetensors":
            tensors, head = checkpoint.load_weights(path)
            found[name] = {key: value.numpy().tobytes() for key, value in tensors.items()} | head
        elif path.name == manifests.NAME:
            manifest = manifests.read(path.parent)
            found[name] = sorted(manifest.files), manifest.damaged(path.parent)
        elif path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
        else:
            found[name] = path.read_text()
    return found


def test_every_fold_has_the_candidate_that_its_validation_clips_favour(chosen):
    assert [(one["model"], one["fold"], one["chosen"]) for one in chosen.chosen] == [
        ("MEnAN", 0, "eight-0.2"),
        ("MEnAN", 1, "four-0.4"),
    ]
    first, second = chosen.chosen
    assert first["values"] == {"models.MEnAN.hidden": [8], "data.length.seconds": 0.2}
    assert {label: one["score"] for label, one in first["candidates"].items()} == dict(
        zip(LABELS, (0.5, 0, 1, 0.5), strict=True)
    )
    assert second["measure"] == "uar"
    assert chosen.metrics["chosen"] == chosen.chosen


def test_networks_are_built_with_what_was_chosen(chosen):
    for cell in chosen.cells:
        own = chosen.experiment_at(cell)
        hidden, seconds = WANTED[cell.fold]
        assert own.data.length.seconds == seconds
        assert Model.load(own, cell, CPU).experiment is own
        assert list(own.model("MEnAN").hidden) == hidden
        other = chosen.cell("MEnAN", 1 - cell.fold, 0)
        with pytest.raises(RunError, match="do not fit"):
            Model.load(chosen.experiment_at(other), cell, CPU)


def test_only_the_histories_of_candidates_are_kept(chosen):
    for cell in chosen.cells:
        below = {str(path.relative_to(cell.folder)) for path in cell.folder.glob("candidates/*/*")}
        assert below == {f"candidates/{label}/history.jsonl" for label in LABELS}
        kept = cell.candidate(chosen.choice(cell)["chosen"]).history
        assert cell.history.read_bytes() == kept.read_bytes()


def test_predictions_are_those_of_the_chosen_networks(chosen, prepared):
    for cell in chosen.cells:
        rows = chosen.predictions.query("model == @cell.model and fold == @cell.fold and split == 'test'")
        alone = mien.predict([Prepared.open(prepared).media(chosen.clips.loc[rows["clip"].iloc[0]])], model=cell.folder)
        for name in chosen.classes:
            assert alone.data["rows"][0][name] == pytest.approx(rows[name].iloc[0], abs=2e-3)


def test_members_with_other_networks_answer_together_and_are_exported(chosen, prepared, tmp_path):
    model = chosen.folder / "models" / "MEnAN"
    clip = Prepared.open(prepared).media(chosen.clips.iloc[0])
    mien.export(model, out=tmp_path / "out")
    described = json.loads((tmp_path / "out" / "config.json").read_text())
    assert described["experiment"]["models"]["MEnAN"]["hidden"] == [8]
    assert described["experiments"]["fold-1-seed-0"]["models"]["MEnAN"]["hidden"] == [4]
    cells_of = [mien.predict([clip], model=model / f"fold-{fold}-seed-0").data["rows"][0] for fold in (0, 1)]
    (whole,), (exported,) = (
        mien.predict([clip], model=place, unsure=0).data["rows"] for place in (model, tmp_path / "out")
    )
    for name in chosen.classes:
        assert whole[name] == pytest.approx((cells_of[0][name] + cells_of[1][name]) / 2, abs=2e-4)
    assert sum(exported[name] for name in chosen.classes) == pytest.approx(1, abs=1e-3)


def test_it_is_evaluated_on_another_corpus_under_what_was_chosen(chosen, tmp_path, make_corpus):
    mien.prepare("table", make_corpus(tmp_path / "root", 2, seed=77), out=tmp_path / "prepared", features=())
    found = mien.evaluate(chosen.folder, on=tmp_path / "prepared").data
    rows = pd.read_csv(chosen.folder / "evaluations" / found["evaluation"] / "predictions.csv")
    cell = chosen.cell("MEnAN", 1, 0)
    other = Dataset.open(chosen.experiment_at(cell).data, prepared=tmp_path / "prepared")
    own = rows[(rows["model"] == "MEnAN") & (rows["fold"] == 1)]
    model = Model.load(chosen.experiment_at(cell), cell, CPU)
    inferred = model.infer(other.examples(list(own["clip"]), {})).probabilities("emotion")
    shared = [model.main.classes.index(name) for name in found["classes"]]
    expected = inferred[:, shared] / inferred[:, shared].sum(1, keepdims=True)
    assert own[found["classes"]].to_numpy() == pytest.approx(expected, abs=1e-6)


def test_the_page_says_what_was_chosen(chosen):
    page = (chosen.folder / "report.html").read_text()
    assert "Chosen on validation clips" in page
    assert "MEnAN: hidden: [8] in 1 of 2 folds, [4] in 1." in page
    assert "MEnAN: data.length.seconds: 0.2 in 1 of 2 folds, 0.4 in 1." in page
    assert "four-0.2: 50.0; four-0.4: 0.0; eight-0.4: 50.0" in page


def test_a_cell_without_its_choice_is_refused(chosen, tmp_path):
    cell = chosen.cells[0]
    text = cell.choice.read_text()
    try:
        cell.choice.unlink()
        with pytest.raises(RunError, match=r"chosen\.json: missing"):
            mien.predict(["x.wav"], model=cell.folder)
        cell.choice.write_text(text.replace('"chosen": "eight-0.2"', '"chosen": "0.3"'))
        with pytest.raises(RunError, match=r"chosen\.json: damaged"):
            mien.predict(["x.wav"], model=cell.folder)
        reseal_cell(cell.folder)
        with pytest.raises(RunError, match=r"'0\.3' is no candidate of MEnAN"):
            mien.predict(["x.wav"], model=cell.folder)
    finally:
        cell.choice.write_text(text)
        reseal_cell(cell.folder)


@pytest.mark.usefixtures("unmeasured")
def test_features_that_differ_between_cells_do_not_answer_together(prepared, experiment, tmp_path, monkeypatch):
    who = {}

    def worth(own, name, speaker):
        first = who.setdefault(speaker, len(who)) == 0
        return float((own.features["audio"][1].preemphasis == 0.9) is first)

    monkeypatch.setattr(cells, "validated", planted(worth))
    settings = [f"data.prepared={prepared}", "training.epochs=1", "protocol.folds=[0, 1]", "models.MEnAN=null"]
    settings += ["choose.data.audio.preemphasis={on: validation, of: [0.9, 0.97]}"]
    out = tmp_path / "run"
    mien.train(experiment, settings, out=out)
    made = Run.open(out)
    assert [one["chosen"] for one in made.chosen] == ["0.9", "0.97"]
    clip = Prepared.open(prepared).media(made.clips.iloc[0])
    with pytest.raises(RunError, match="fold-1-seed-0: other features were chosen for it than for fold-0-seed-0"):
        mien.predict([clip], model=out / "models" / "emotion_only")
    assert mien.predict([clip], model=out / "models" / "emotion_only" / "fold-1-seed-0").data["rows"]


def test_one_candidate_is_the_plain_setting_bit_for_bit(one):
    run, datasets, fold, cell = one("chosen", "choose.optimiser.lr.default={on: validation, of: [0.01]}")
    train_best(run, datasets, fold, cell, device=CPU)
    plain, data, fold, other = one("plain", "optimiser.lr.default=0.01")
    train_cell(plain, data["MEnAN"], fold, other, device=CPU)
    found, expected = left(cell), left(other)
    listed, damaged = found.pop(manifests.NAME)
    own = ["candidates/0.01/history.jsonl", "chosen.json"]
    assert (listed, damaged) == (sorted([*own, *expected.pop(manifests.NAME)[0]]), {})
    assert found.pop("candidates/0.01/history.jsonl") == expected["history.jsonl"]
    assert json.loads(found.pop("chosen.json"))["values"] == {"optimiser.lr.default": 0.01}
    assert found == expected


def test_validation_chooses_though_test_says_otherwise(one, monkeypatch):
    plain, data, fold, other = one("plain", "training.epochs=12", "optimiser.lr.default=0.02")
    train_cell(plain, data["MEnAN"], fold, other, device=CPU)
    monkeypatch.setattr(cells, "validated", planted(lambda own, *_: 1 - own.optimiser.lr["default"]))
    run, datasets, fold, cell = one(
        "run", "training.epochs=12", "choose.optimiser.lr.default={on: validation, of: [0.02, 1e-9]}"
    )
    train_best(run, datasets, fold, cell, device=CPU)
    tables = [pd.read_csv(each.folder / "predictions.csv").query("split == 'test'") for each in (cell, other)]
    right = [(table["emotion"] == table["predicted"]).mean() for table in tables]
    assert run.choice(cell)["chosen"] == "1e-09"
    assert right[0] < right[1]


def test_test_clips_are_read_for_the_chosen_candidate_alone(one, monkeypatch):
    run, datasets, fold, cell = one("run")
    read, plain = [], Dataset.examples

    def examples(self, clips, targets, **how):
        if set(clips) & set(fold.test):
            read.append(sorted(clips))
        return plain(self, clips, targets, **how)

    used, loader = [], Model.loader
    monkeypatch.setattr(Dataset, "examples", examples)
    monkeypatch.setattr(
        Model,
        "loader",
        lambda self, given, *held: used.append((self.experiment, given.clips)) or loader(self, given, *held),
    )
    train_best(run, datasets, fold, cell, device=CPU)
    assert read == [sorted(fold.test)]
    chosen = run.experiment_at(cell)
    assert [own for own, clips in used if set(clips) & set(fold.test)] == [chosen]


def test_the_earliest_of_equals_is_chosen(one, monkeypatch):
    monkeypatch.setattr(cells, "validated", planted(lambda own, *_: float(own.optimiser.lr["default"] < 0.02)))
    run, datasets, fold, cell = one("run")
    train_best(run, datasets, fold, cell, device=CPU)
    found = run.choice(cell)
    assert {label: own["score"] for label, own in found["candidates"].items()} == {"0.02": 0, "0.01": 1, "1e-09": 1}
    assert found["chosen"] == "0.01"


class KilledError(Exception):
    pass


def killed_at_call(number, function):
    """The function, which fails at one of its calls, after its work is done."""
    calls = Counter()

    def fails(*given, **named):
        result = function(*given, **named)
        calls["all"] += 1
        if calls["all"] == number:
            raise KilledError
        return result

    return fails


@pytest.mark.parametrize(
    ("place", "name", "number"),
    [
        (choices, "fitted", 2),  # the second candidate is trained, and its weights are not written
        (Model, "save", 2),  # they are, and its state is still there
        (choices, "_history", 2),  # all are trained, nothing is chosen
        (choices, "write_json", 1),  # chosen.json is written
        (choices, "predict", 1),
        (Run, "write_embeddings", 1),  # all but the weights
        (Model, "save", 4),  # the cell is whole, and what is no longer needed is still there
    ],
)
def test_killed_at_any_moment_it_goes_on_to_the_same_files(one, whole, monkeypatch, place, name, number):
    run, datasets, fold, cell = one("killed")
    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed_at_call(number, getattr(place, name)))
        with pytest.raises(KilledError):
            train_best(run, datasets, fold, cell, device=CPU)
    train_best(run, datasets, fold, cell, device=CPU)
    assert left(cell) == left(whole[0])


def test_killed_within_a_candidate_it_trains_the_rest_alone(one, whole, monkeypatch):
    monkeypatch.setattr("mien.engine.fit.AT_RISK", 0.0)
    unbroken, seen = whole
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 9], "progress counts all candidates"
    run, datasets, fold, cell = one("killed")

    def watch(record):
        if record["epoch"] == 5:
            raise KilledError

    with pytest.raises(KilledError):
        train_best(run, datasets, fold, cell, device=CPU, watch=watch)
    again = []
    train_best(run, datasets, fold, cell, device=CPU, watch=lambda record: again.append(record["epoch"]))
    assert again == [6, 7, 8, 9]
    assert left(cell) == left(unbroken)


@pytest.mark.usefixtures("unmeasured")
def test_workers_and_a_lost_cell_give_the_same_and_leave_nothing_over(arguments, tmp_path):
    path, overrides = arguments
    given = [*overrides, "choose.data.length.seconds=null"]
    mien.train(path, given, out=tmp_path / "run", workers=2)
    first, second = Run.open(tmp_path / "run").cells
    before = left(first), left(second)
    shutil.rmtree(first.folder)
    second.candidate("four").weights.write_bytes(second.weights.read_bytes())  # as a kill before its removal leaves it
    mien.train(path, given, out=tmp_path / "run")
    assert (left(first), left(second)) == before
