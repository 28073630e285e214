"""The run folder: a missing, damaged or unfinished file is refused with its path and the way out."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from mien import experiments
from mien.common import manifests
from mien.common.leakage_tables import LEAKAGE, NAMES, RECALLS
from mien.errors import ConfigError, RunError
from mien.runs.run import Run
from mien.runs.tables import read_table
from sealing import reseal, reseal_cell

CLIPS = ["a", "b", "c"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of one model, fold and seed, with all its files."""
    experiment = experiments.load("demo", ["models.multitask=null", "models.MEnAN=null", "protocol.folds=[0]"])
    run = Run.start(tmp_path / "run", experiment)
    table = pd.DataFrame({"clip": CLIPS, "file": CLIPS, "speaker": ["01", "02", "03"], "emotion": "fear"})
    run.write_table("clips.csv", table.assign(label="fear"))
    parts = {part: {"speakers": [], "clips": []} for part in ("train", "validation", "test")}
    run.write_json("splits.json", {"protocol": {}, "folds": [{"fold": 0, **parts}]})
    run.write_json("metrics.json", {"models": {}})
    known = ("corpus", "corpus_hash", "files", "split", "findings", "left_out", "notes")
    run.write_json("certificate.json", dict.fromkeys(known, ""))
    head = {"model": "emotion_only", "fold": 0, "seed": 0, "split": "test", "predicted": "fear"}
    predictions = table.drop(columns="file").assign(**head, **dict.fromkeys(run.classes, 0.5))
    run.write_table("predictions.csv", predictions)
    cell = run.cell("emotion_only", 0, 0)
    cell.folder.mkdir(parents=True)
    run.write_table("models/emotion_only/fold-0-seed-0/predictions.csv", predictions)
    run.write_embeddings(cell, CLIPS, ["train", "validation", "test"], {"main": np.ones((3, 2), np.float32)})
    (cell.folder / "history.jsonl").write_text('{"epoch": 1, "validation uar": 0.5}\n')
    save_file({"x": np.ones(4, np.float32)}, cell.weights)
    reseal(tmp_path / "run")
    return Run.open(tmp_path / "run", writes=True)


def test_a_whole_run_is_read(run: Run) -> None:
    (cell,) = run.require_cells()
    table, embeddings = run.embeddings(cell)
    assert list(table["clip"]) == CLIPS
    assert list(table["speaker"]) == ["01", "02", "03"]
    assert list(table["split"]) == ["train", "validation", "test"]
    assert embeddings["main"].shape == (3, 2)
    assert len(run.predictions) == 3
    assert list(run.history(cell)["epoch"]) == [1]
    assert run.leakage is None


def test_folds_with_the_same_training_speakers_are_one_unit(run: Run) -> None:
    speakers = {3: "abc", 4: "cab", 5: "abd", 8: "dba", 9: "abe"}
    parts = {part: {"speakers": [], "clips": []} for part in ("validation", "test")}
    folds = [{"fold": n, "train": {"speakers": list(those), "clips": []}, **parts} for n, those in speakers.items()]
    run.write_json("splits.json", {"protocol": {}, "folds": folds})
    assert run.units == {3: 3, 4: 3, 5: 5, 8: 5, 9: 9}


def test_folds_that_test_a_speaker_in_common_are_one_unit(run: Run) -> None:
    """Random splits: fold 3 shares no tested speaker with 0, but 5 tests one of each, and so all three are one."""
    tested = {0: "ab", 1: "cd", 3: "ef", 4: "gh", 5: "be"}
    nothing = {"speakers": [], "clips": []}
    folds = [
        {"fold": n, "train": {"speakers": [str(n)], "clips": []}, "validation": nothing}
        | {"test": {"speakers": list(those), "clips": []}}
        for n, those in tested.items()
    ]
    run.write_json("splits.json", {"protocol": {}, "folds": folds})
    assert run.units == {0: 0, 1: 1, 3: 0, 4: 4, 5: 0}


def test_a_run_resumes_with_other_words_but_not_with_other_settings(run: Run) -> None:
    assert run.experiment.reference == {}
    published = {"emotion_only": {"IEMOCAP": {"UA test": 57.45}, "CMU-MOSEI": {"accuracy mean": 31.35}}}
    now = run.experiment.model_copy(update={"title": "another title", "reference": published})
    Run.start(run.folder, now).files.seal()
    assert Run.open(run.folder).experiment == now
    with pytest.raises(RunError) as error:
        Run.start(run.folder, now.model_copy(update={"seeds": (1,)}))
    assert str(error.value) == (
        f"{run.folder}: holds another experiment: seeds was [0] and is now [1]; choose another --out"
    )


def test_evaluations_and_silhouettes_are_read_where_there_are_some(run: Run) -> None:
    assert run.evaluations == {}
    assert run.silhouettes is None
    run.write_json("evaluations/b/metrics.json", {"models": {"m": 1}})
    run.write_json("evaluations/a/metrics.json", {"models": {}})
    assert list(run.evaluations) == ["a", "b"]
    run.write_json("evaluations/a/metrics.json", {"classes": []})
    with pytest.raises(RunError) as error:
        _ = run.evaluations
    path = run.folder / "evaluations" / "a" / "metrics.json"
    assert str(error.value) == (
        f"{path}: damaged (no key 'models'); run the same 'mien evaluate' again, which makes it again"
    )


@pytest.mark.parametrize("damage", ["cut", "empty", "no weights", "no predictions", "no embeddings"])
def test_damage_of_a_finished_cell_is_named(run: Run, damage: str) -> None:
    (cell,) = run.cells
    match damage:
        case "cut":
            cell.weights.write_bytes(cell.weights.read_bytes()[:-1])
        case "empty":
            cell.weights.write_bytes(b"")
        case "no weights":
            cell.weights.unlink()
        case "no predictions":
            (cell.folder / "predictions.csv").unlink()
        case _:
            (cell.folder / "embeddings.safetensors").unlink()
    lost = {"no predictions": "predictions.csv", "no embeddings": "embeddings.safetensors"}
    path = cell.folder / lost.get(damage, "weights.safetensors")
    assert list(cell.damaged) == [str(path)]
    with pytest.raises(RunError) as error:
        cell.checked(path)
    found = cell.damaged[str(path)]
    assert str(error.value) == f"{path}: {found}; run the same 'mien train' again, which trains this cell again"


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_cell_without_its_manifest_is_not_finished(run: Run, damage: str) -> None:
    (cell,) = run.cells
    path = cell.folder / manifests.NAME
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9])
    assert not cell.finished
    assert cell.damaged == {str(path): damage if damage == "missing" else "damaged: it is not JSON"}
    assert run.cells == []
    with pytest.raises(RunError) as error:
        run.require_cells()
    assert str(error.value) == (
        f"{run.folder}: none of its models is finished; run the same 'mien train' again to resume"
    )


READERS = {
    "metrics.json": lambda run: run.metrics,
    "splits.json": lambda run: run.splits,
    "certificate.json": lambda run: run.certificate,
    "environment.json": lambda run: run.environment,
    "clips.csv": lambda run: run.clips,
    "predictions.csv": lambda run: run.predictions,
    "leakage.csv": lambda run: run.leakage,
    "embeddings.safetensors": lambda run: run.embeddings(run.cell("emotion_only", 0, 0)),
    "history.jsonl": lambda run: run.history(run.cell("emotion_only", 0, 0)),
}
BYTES = {name: [b"", b"\xff\xfe\x00", b"{", b"clip,x\n"] for name in READERS}
WORSE = {
    "metrics.json": [b"[]", b"{}"],
    "splits.json": [b"[]", b"{}", b'{"folds": 3}', b'{"folds": [3]}', b'{"folds": [{"fold": 0, "train": {}}]}'],
    "certificate.json": [b"{}", b"null"],
    "clips.csv": [b"clip,file,speaker,emotion\na,a,a,a\n"],
    "embeddings.safetensors": [b"0" * 100],
    "history.jsonl": [b"[1, 2]\n"],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, one) for name in READERS for one in BYTES[name] + WORSE.get(name, [])]
)
def test_a_damaged_file_is_refused_with_the_way_out(run: Run, name: str, content: bytes) -> None:
    folder = (
        run.cell("emotion_only", 0, 0).folder if name in {"embeddings.safetensors", "history.jsonl"} else run.folder
    )
    (folder / name).write_bytes(content)
    with pytest.raises(RunError) as error:
        READERS[name](run)
    assert str(error.value).startswith(f"{folder / name}: ")
    assert "manifest.json" in str(error.value)
    reseal(run.folder)  # whoever stands by it is told what is wrong with the content
    with pytest.raises(RunError) as error:
        READERS[name](Run.open(run.folder))
    assert str(error.value).startswith(f"{folder / name}: damaged (")
    assert "run the same 'mien train' again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "columns"), [("leakage.csv", LEAKAGE), ("leakage_by_speaker.csv", RECALLS)])
def test_leakage_of_an_older_mien_is_refused(run: Run, name: str, columns: tuple[str, ...]) -> None:
    table = pd.DataFrame([dict.fromkeys(columns, 1.0)])
    run.write_table(name, table.assign(embedding="main+leace").drop(columns=["eraser", "balanced"], errors="ignore"))
    with pytest.raises(RunError) as error:
        _ = run.leakage, run.leakage_by_speaker
    assert str(error.value) == (
        f"{run.folder / name}: was made by an older mien, without 'eraser'; 'mien audit {run.folder}' writes it again"
    )
    run.write_table(name, table.assign(**{column: "" for column in NAMES if column in columns}))
    found = run.leakage if name == "leakage.csv" else run.leakage_by_speaker
    assert found is not None
    assert found["eraser"].tolist() == [""]
    assert "balanced" not in found or found["balanced"].tolist() == [""]


def test_embeddings_of_other_clips_are_refused(run: Run) -> None:
    (cell,) = run.cells
    run.write_embeddings(cell, ["a", "b", "z"], ["train"] * 3, {"main": np.ones((3, 2), np.float32)})
    reseal_cell(cell.folder)
    path, way = cell.folder / "embeddings.safetensors", "delete it and run the same 'mien train' again"
    with pytest.raises(RunError) as error:
        run.embeddings(cell)
    assert str(error.value).startswith(f"{path}: damaged (")
    run.write_embeddings(cell, CLIPS, ["train"] * 3, {"main": np.ones((2, 2), np.float32)})
    reseal_cell(cell.folder)
    with pytest.raises(RunError) as error:
        run.embeddings(cell)
    assert str(error.value) == f"{path}: damaged ('main' has 2 rows for 3 clips); {way}"


def test_a_missing_file_is_refused_with_the_way_out(run: Run) -> None:
    (cell,) = run.cells
    report = f"run 'mien report {run.folder}'"
    ways = {"metrics.json": report, "clips.csv": "run the same 'mien train' again", "predictions.csv": report}
    for name, way in ways.items():
        (run.folder / name).unlink()
        with pytest.raises(RunError) as error:
            READERS[name](run)
        assert str(error.value) == f"{run.folder / name}: missing; {way}, which makes it again"
    (run.folder / manifests.NAME).unlink()
    with pytest.raises(RunError) as error:
        READERS["predictions.csv"](run)
    assert str(error.value) == (
        f"{run.folder / 'predictions.csv'}: missing, the run is not finished; run the same 'mien train' again to resume"
    )
    (cell.folder / "history.jsonl").unlink()
    with pytest.raises(RunError) as error:
        run.history(cell)
    assert str(error.value) == (
        f"{cell.folder / 'history.jsonl'}: missing; run the same 'mien train' again, which trains this cell again"
    )
    with pytest.raises(RunError) as error:
        read_table(run.folder / "predictions.csv")
    assert str(error.value) == f"{run.folder / 'predictions.csv'}: missing; run the same 'mien train' again"


def test_a_binary_experiment_is_refused(run: Run) -> None:
    (run.folder / "experiment.yaml").write_bytes(b"\xff\xfe\x00")
    reseal(run.folder)
    with pytest.raises(ConfigError, match=r"experiment\.yaml: not YAML in UTF-8"):
        Run.open(run.folder)


def test_json_of_a_run_is_read_as_it_was_written(run: Run) -> None:
    assert run.certificate == json.loads((run.folder / "certificate.json").read_text())


def test_a_table_is_read_once_and_again_when_it_was_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    monkeypatch.setattr(pd, "read_csv", lambda *a, read=pd.read_csv, **k: reads.append(a) or read(*a, **k))
    first = run.predictions
    first["predicted"] = "anger"  # the caller's own
    assert run.predictions["predicted"].tolist() == ["fear"] * 3
    assert len(reads) == 1
    run.write_predictions(run.predictions.assign(predicted="disgust"))
    assert run.predictions["predicted"].tolist() == ["disgust"] * 3
    assert len(reads) == 2


def test_cells_are_those_finished_now(run: Run) -> None:
    [cell] = run.cells
    cell.begin_again()
    assert run.cells == []
