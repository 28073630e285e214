"""Whatever file of a run, a corpus or a model is damaged: it is named, not answered from, and made again.

Every file is damaged in one way here, in turn; `benchmarks/bench_faults.py` does all of them.
"""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import mien
from mien import features
from mien.common import manifests
from mien.data import store
from mien.errors import CorpusError, MienError, RunError
from mien.runs.run import Run
from mien.runs.run_files import BASE, RESULTS

CELL = "models/emotion_only/fold-0-seed-0"
CELLS = ("weights.safetensors", "embeddings.safetensors", "predictions.csv", "tasks.csv", "history.jsonl")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def zero(path: Path) -> None:
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))


HARMS: tuple[Callable[[Path], object], ...] = (flip, cut, zero, Path.unlink, lambda path: path.write_bytes(b""))


def content(folder: Path) -> dict[str, object]:
    """The files of a folder, without times and versions."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if not path.is_file() or path.name in ("environment.json", manifests.NAME, "report.html", "card.json"):
            continue
        name = path.relative_to(folder).as_posix()
        if path.name == "history.jsonl":
            rows = map(json.loads, path.read_text().splitlines())
            found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
        else:
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def sound(prepared) -> Path:
    """A file of the tiny corpus."""
    return Path(json.loads((prepared / "card.json").read_text())["root"]) / "s0-anger-0.wav"


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def test_damaged_cells_are_trained_again_and_no_others(run, copy, prepared, experiment, unmeasured, capsys):
    cells = sorted(copy.glob("models/*/*"))
    damaged = [cell / name for cell, name in zip(cells, CELLS, strict=False)]
    for harm, path in zip(HARMS, damaged, strict=True):
        harm(path)
    kept = {cell: (cell / "weights.safetensors").stat().st_mtime_ns for cell in cells[len(CELLS) :]}
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    told = capsys.readouterr().err
    for path in damaged:
        assert f"mien: {path}: " in told
    assert told.count("this cell is trained again") == len(damaged)
    assert {cell: (cell / "weights.safetensors").stat().st_mtime_ns for cell in kept} == kept
    assert content(copy / "models") == content(run / "models")


def test_what_a_run_began_with_is_named_by_readers_and_made_again(
    run, copy, prepared, experiment, unmeasured, capsys, tmp_path
):
    names = [name for name in BASE if (copy / name).exists()]
    for number, name in enumerate(names):
        other = Path(shutil.copytree(run, tmp_path / name))
        for folder in (copy, other):
            HARMS[number](folder / name)
        with pytest.raises(RunError, match=rf"{name}: .*run the same 'mien train' again"):
            getattr(Run.open(other), name.partition(".")[0])
    capsys.readouterr()
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    told = capsys.readouterr().err
    for name in names:
        assert f"mien: {copy / name}: " in told
        assert name == "environment.json" or (copy / name).read_bytes() == (run / name).read_bytes()


def test_results_are_named_by_readers_and_made_again(run, copy, capsys):
    names = [name for name in RESULTS if (copy / name).exists()]
    assert len(names) >= 12
    for number, name in enumerate(names):
        HARMS[number % len(HARMS)](copy / name)
    for read, name in ((lambda one: one.metrics, "metrics.json"), (lambda one: one.predictions, "predictions.csv")):
        with pytest.raises(RunError, match=rf"{name}: .*run 'mien report"):
            read(Run.open(copy))
    capsys.readouterr()
    mien.report(copy)
    told = capsys.readouterr().err
    for name in names:
        assert f"mien: {copy / name}: " in told
    assert content(copy) == content(run)
    assert manifests.read(copy).damaged(copy) == {}


@pytest.mark.parametrize("harm", [*HARMS[:2], Path.unlink])
def test_a_model_answers_without_a_damaged_cell_only_where_that_is_asked_for(copy, sound, harm):
    model = copy / "models" / "emotion_only"
    whole = mien.predict(sound, model=model).data["rows"]
    harm(copy / CELL / "weights.safetensors")
    with pytest.raises(RunError, match=r"1 of 4 cells of emotion_only cannot answer: fold-0-seed-0: w.*--partial"):
        mien.predict(sound, model=model)
    with pytest.raises(RunError, match="cannot answer"):
        mien.load_model(model)
    less = mien.predict(sound, model=model, partial=True)
    assert less.data["rows"] != whole
    assert "emotion_only: answers without 1 of its cells: fold-0-seed-0" in less.text
    assert "answers without 1 of its cells: fold-0-seed-0" in mien.load_model(model, partial=True).limits
    for other in copy.glob("models/emotion_only/*/weights.safetensors"):
        other.unlink()
    with pytest.raises(RunError, match="4 of 4 cells of emotion_only cannot answer"):
        mien.predict(sound, model=model, partial=True)


def test_a_manifest_that_is_damaged_is_named(copy, prepared, experiment, run, capsys):
    flip(copy / manifests.NAME)
    with pytest.raises(RunError, match=r"manifest\.json: damaged"):
        Run.open(copy)
    with pytest.raises(RunError, match=r"manifest\.json: missing or damaged; run the same 'mien train' again"):
        mien.report(copy)
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    assert f"{copy / manifests.NAME}: damaged" in capsys.readouterr().err
    assert content(copy) == content(run)


def test_what_was_damaged_is_not_replaced_by_that_of_another_experiment(copy, prepared, experiment):
    flip(copy / "experiment.yaml")
    with pytest.raises(RunError, match=r"experiment\.yaml: was damaged or edited, and now it would be another one"):
        mien.train(experiment, [f"data.prepared={prepared}", "training.epochs=3"], out=copy)


def test_a_damaged_evaluation_is_refused_until_it_is_made_again(copy, other):
    mien.evaluate(copy, on=other)
    (metrics,) = copy.glob("evaluations/*/metrics.json")
    whole = metrics.read_bytes()
    for harm in (flip, Path.unlink):
        harm(metrics)
        with pytest.raises(RunError, match=r"metrics\.json: .*run the same 'mien evaluate' again"):
            mien.report(copy)
        mien.evaluate(copy, on=other)
        assert metrics.read_bytes() == whole
        mien.report(copy)


def test_an_evaluation_that_was_ended_is_not_taken_for_a_whole_one(copy, other, capsys):
    mien.evaluate(copy, on=other)
    (place,) = copy.glob("evaluations/*")
    run = Run.open(copy, writes=True)
    name = place.relative_to(copy).as_posix()
    run.files.begin(*(f"{name}/{file}" for file in ("predictions.csv", "folds.csv", "metrics.json")))
    run.write_text(f"{name}/folds.csv", "of a new state\n")
    capsys.readouterr()
    mien.report(copy)
    assert f"{place / 'folds.csv'}: a command was ended while it wrote this" in capsys.readouterr().err
    assert Run.open(copy).evaluations == {}
    mien.evaluate(copy, on=other)
    assert list(Run.open(copy).evaluations) == [place.name]


def test_results_that_a_command_was_ended_in_are_refused_then_made_again(copy, run):
    Run.open(copy, writes=True).write_table("folds.csv", Run.open(copy).predictions.head())
    (copy / ".lock").write_text(f"{2**22 + 1}\n{socket.gethostname()}\nmien audit\n")  # of a process that is gone
    with pytest.raises(RunError, match=r"a command was ended while it wrote its results; .*mien report"):
        _ = Run.open(copy).metrics
    mien.report(copy)
    assert content(copy) == content(run)
    assert not (copy / ".lock").exists()


def test_a_run_is_not_reported_without_a_cell_whose_manifest_is_damaged(copy):
    flip(copy / CELL / manifests.NAME)
    with pytest.raises(RunError, match=r"fold-0-seed-0/manifest\.json: damaged: .*; run the same 'mien train' again"):
        mien.report(copy)


def test_another_corpus_does_not_take_a_folder_whose_card_is_damaged(prepared, tmp_path, make_corpus):
    copy = Path(shutil.copytree(prepared, tmp_path / "prepared"))
    flip(copy / "card.json")
    with pytest.raises(CorpusError, match="its card is damaged, and its table has the clip"):
        mien.prepare("table", make_corpus(tmp_path / "root", 2, seed=9), out=copy)


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_part_of_a_prepared_corpus_is_made_again_and_no_other(prepared, tmp_path, capsys, number):
    copy = Path(shutil.copytree(prepared, tmp_path / "prepared"))
    shards = sorted(store.target(copy, "mfb43", features.parse("mfb43", {})).folder.iterdir())
    path = [copy / "corpus.csv", copy / "card.json", *shards[:2], shards[0]][number]
    HARMS[number](path)
    others = {one: one.stat().st_mtime_ns for one in copy.glob("features/*/*") if one != path}
    if path not in shards:
        with pytest.raises(MienError, match=rf"{path.name}.*run the same 'mien prepare' again"):
            mien.train("li2020", [f"data.prepared={copy}"], out=tmp_path / "run")
        assert not (tmp_path / "run").exists()
    root = json.loads((prepared / "card.json").read_text())["root"]
    capsys.readouterr()
    mien.prepare("table", Path(root), out=copy)
    if number != 3:  # of which nothing is left
        assert f"mien: {path}: " in capsys.readouterr().err
    assert content(copy) == content(prepared)
    assert {one: one.stat().st_mtime_ns for one in others} == others


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    """The tiny run's MEnAN, exported."""
    out = tmp_path_factory.mktemp("exported") / "tiny"
    mien.export(run / "models" / "MEnAN", out=out)
    return out


@pytest.mark.parametrize(("number", "name"), list(enumerate(["config.json", "model.safetensors", manifests.NAME])))
def test_an_exported_model_is_refused_where_a_file_of_it_was_changed(exported, tmp_path, sound, number, name):
    copy = Path(shutil.copytree(exported, tmp_path / "tiny"))
    HARMS[number](copy / name)
    with pytest.raises(MienError, match=rf"{name}: .*export"):
        mien.predict(sound, model=copy)


def test_the_card_of_an_exported_model_may_be_edited(exported, tmp_path, sound):
    copy = Path(shutil.copytree(exported, tmp_path / "tiny"))
    (copy / "README.md").write_text("my own words")
    assert mien.predict(sound, model=copy).data["rows"] == mien.predict(sound, model=exported).data["rows"]


def trained(folder: Path) -> dict[str, object]:
    """What training has left in the cells, without times."""
    return {name: what for name, what in content(folder / "models").items() if name.rpartition("/")[2] in CELLS}


def test_a_cell_is_not_taken_for_another_one(copy, prepared, experiment, run, unmeasured, capsys):
    one, other = (copy / CELL).with_name("fold-0-seed-0"), (copy / CELL).with_name("fold-1-seed-0")
    place = one.rename(one.with_name("away"))
    other.rename(one)
    place.rename(other)
    what = "is that of another model, fold, seed, experiment or corpus"
    for reads in (lambda: mien.report(copy), lambda: mien.leakage(copy)):
        with pytest.raises(RunError, match=rf"fold-0-seed-0/manifest\.json: {what}; run the same 'mien train' again"):
            reads()
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    assert capsys.readouterr().err.count(f"{what}; this cell is trained again") == 2
    assert trained(copy) == trained(run)


def test_a_cell_of_another_experiment_is_trained_again(copy, prepared, experiment, run, unmeasured, tmp_path, capsys):
    given = [f"data.prepared={prepared}", "optimiser.lr.default=0.5"]
    mien.train(experiment, given, out=tmp_path / "other")
    shutil.rmtree(copy / CELL)
    shutil.copytree(tmp_path / "other" / CELL, copy / CELL)
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    assert "is that of another model, fold, seed, experiment or corpus" in capsys.readouterr().err
    assert trained(copy) == trained(run)


def test_a_cell_that_is_gone_is_missed(copy, prepared, experiment, run, unmeasured):
    shutil.rmtree(copy / CELL)
    for reads in (lambda: mien.report(copy), lambda: mien.leakage(copy)):
        with pytest.raises(RunError, match="fold-0-seed-0: missing; run the same 'mien train' again"):
            reads()
    mien.train(experiment, [f"data.prepared={prepared}"], out=copy)
    assert trained(copy) == trained(run)


def test_a_shard_of_another_feature_is_not_taken(tmp_path, prepared, capsys):
    copy = Path(shutil.copytree(prepared, tmp_path / "prepared"))
    root = Path(json.loads((prepared / "card.json").read_text())["root"])
    mien.prepare("table", root, out=copy, features=["logmel"])
    mel, mfb = (
        sorted(store.target(copy, name, features.parse(name, {})).folder.iterdir()) for name in ("logmel", "mfb43")
    )
    assert [one.name for one in mel] == [one.name for one in mfb]
    whole = mfb[0].read_bytes()
    shutil.copy(mel[0], mfb[0])
    mien.prepare("table", root, out=copy)
    assert f"{mfb[0]}: damaged (it is one of {mel[0].parent.name})" in capsys.readouterr().err
    assert mfb[0].read_bytes() == whole
