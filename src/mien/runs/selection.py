"""Which cells of a run answer: those of a model, that of a folder, or the model with the best validation score."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mien.corpora import readers
from mien.errors import RunError, unknown
from mien.runs.limits import AS_STATED, TAUGHT, trained
from mien.runs.run import Cell, Run


def find(path: Path) -> tuple[Run, str, list[Cell]]:
    """The run, the model and its finished cells at RUN (the model with the best validation score) or a place in it.

    Raises:
        RunError: no finished model is there, or the model needs the statistics of known speakers.
    """
    root = next((folder for folder in (path, *path.resolve().parents) if (folder / "experiment.yaml").is_file()), path)
    run = Run.open(root)
    below = path.resolve().relative_to(run.folder.resolve()).parts
    if below and (below[0] != "models" or len(below) not in {2, 3}):
        raise RunError(
            f"{path}: not a model of the run {run.folder}; give RUN, RUN/models/MODEL or the folder of a cell, "
            "such as RUN/models/MODEL/fold-0-seed-0"
        )
    model = below[1] if below else best_model(run)
    if model not in run.experiment.trained:
        raise RunError(f"{path}: {unknown('model', model, run.experiment.trained)}")
    names = [cell.folder.name for cell in planned(run, model)]
    if strange := [name for name in below[2:] if name not in names]:
        raise RunError(f"{path}: {unknown('cell', strange[0], names)}")
    cells = [cell for cell in planned(run, model) if cell.finished and cell.folder.name in (below[2:] or names)]
    if not cells:
        raise RunError(f"{path}: no finished model is there; run the same 'mien train' again to resume")
    if any(run.experiment_at(cell).data.normalisation == "speaker" for cell in cells):
        raise RunError(
            f"{path}: a model trained with 'normalisation: speaker' needs statistics of the speaker, which a media "
            "file does not give; train it with another normalisation"
        )
    return run, model, cells


def refuse_other_inputs(run: Run, cells: Sequence[Cell]) -> None:
    """Raise RunError where cells of one model take other features than the first, as these were chosen for each."""
    first = run.experiment_at(cells[0]).features
    for cell in cells[1:]:
        if run.experiment_at(cell).features != first:
            raise RunError(
                f"{cell.folder}: other features were chosen for it than for {cells[0].folder.name}, so the two cannot "
                "answer together; give the folder of one cell"
            )


def shortest_sound(run: Run, cells: Sequence[Cell]) -> float | None:
    """Seconds of the shortest sound that some cells were trained on; None where the run does not tell it."""
    clips = {clip for cell in cells for clip in run.trained_on(cell)}
    table = run.clips
    if "seconds" not in table:
        return None
    seconds = pd.to_numeric(table.loc[table.index.isin(clips), "seconds"], errors="coerce")
    shortest = float(seconds[seconds > 0].min())
    lengths = [run.experiment_at(cell).data.length for cell in cells]
    cropped = [length.seconds for length in lengths if length.seconds is not None and length.long != "whole"]
    shortest = min([shortest, *cropped])
    return None if math.isnan(shortest) else round(shortest, 3)


def planned(run: Run, model: str) -> list[Cell]:
    """The cells of a model, finished or not, in the order of folds and seeds."""
    return [run.cell(model, fold["fold"], seed) for fold in run.splits for seed in run.experiment.seeds]


def best_model(run: Run) -> str:
    """The model with the best UAR (of numbers, concordance) on validation speakers, all its folds and seeds pooled.

    Of equals it is the first. Models that were not trained for the main target are taken only where there is no other.
    """
    models, measure = run.metrics["models"], "uar" if run.classes else "ccc"
    trained = [name for name in models if run.target in run.experiment_of(name).model(name).tasks]
    return str(max(trained or models, key=lambda name: models[name]["validation"][measure]))


def limits_of(run: Run) -> tuple[str, ...]:
    """The sentences of a model of a run, which was measured nowhere else."""
    parts = run.certificate.get("corpora")
    one = {run.corpus: run.certificate["corpus"]}
    reads = {name: part["reader"] for name, part in parts.items()} if parts else one
    known = readers.names()
    speech = [(name, readers.reader(read).SPEECH if read in known else AS_STATED) for name, read in reads.items()]
    return (*trained(speech), *([TAUGHT] if run.experiment.data.teacher is not None else []))
