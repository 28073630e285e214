"""Which cells of a run answer: those of a model, that of a folder, or the model with the best validation score."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mien.corpora import readers
from mien.errors import RunError, listed, unknown
from mien.runs.limits import AS_STATED, TAUGHT, trained
from mien.runs.run import Cell, Run
from mien.runs.tables import AGAIN


class Selected(NamedTuple):
    """Cells of one model of a run, and those that are missing: name -> why."""

    run: Run
    model: str
    cells: list[Cell]
    missing: dict[str, str]


def find(path: Path, *, partial: bool = False) -> Selected:
    """The run, the model and its cells at RUN (the model with the best validation score) or a place in it.

    Args:
        path: RUN or a place in it.
        partial: whether cells may be missing, because they are not finished or their weights are damaged.

    Raises:
        RunError: no finished model is there, cells are missing, or the model needs the statistics of known speakers.
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
    names = [cell.folder.name for cell in of_model(run, model)]
    if strange := [name for name in below[2:] if name not in names]:
        raise RunError(f"{path}: {unknown('cell', strange[0], names)}")
    wanted = [cell for cell in of_model(run, model) if cell.folder.name in (below[2:] or names)]
    missing = {cell.folder.name: why for cell in wanted if (why := _missing(cell))}
    cells = [cell for cell in wanted if cell.folder.name not in missing]
    if missing and not (partial and cells):
        first, why = next(iter(missing.items()))
        others = " the others answer with --partial" if cells else ""
        raise RunError(
            f"{path}: {len(missing)} of {len(wanted)} cells of {model} cannot answer: {first}: {why}; {AGAIN}, which "
            f"trains what is missing{';' if others else ''}{others}"
        )
    if any(run.experiment_at(cell).data.normalisation == "speaker" for cell in cells):
        raise RunError(
            f"{path}: a model trained with 'normalisation: speaker' needs statistics of the speaker, which a media "
            "file does not give; train it with another normalisation"
        )
    return Selected(run, model, cells, missing)


def _missing(cell: Cell) -> str:
    """Why a cell cannot answer, one clause; "" where it can."""
    if not cell.finished:
        return next((f"{Path(path).name}: {what}" for path, what in cell.damaged.items()), "not finished")
    try:
        cell.checked(cell.weights)
    except RunError as error:
        return str(error).removeprefix(f"{cell.folder}/").partition(";")[0]
    return ""


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


def of_model(run: Run, model: str) -> list[Cell]:
    """The cells of a model, finished or not, in the order of folds and seeds."""
    return [cell for cell in run.planned if cell.model == model]


def best_model(run: Run) -> str:
    """The model with the best UAR (of numbers, concordance) on validation speakers, all its folds and seeds pooled.

    Of equals it is the first. Models that were not trained for the main target are taken only where there is no other.
    """
    models, measure = run.metrics["models"], "uar" if run.classes else "ccc"
    trained = [name for name in models if run.target in run.experiment_of(name).model(name).tasks]
    return str(max(trained or models, key=lambda name: models[name]["validation"][measure]))


def limits_of(run: Run, missing: Mapping[str, str]) -> tuple[str, ...]:
    """The sentences of a model of a run, which was measured nowhere else.

    Args:
        run: the run.
        missing: name -> why, of its cells that do not answer.
    """
    parts = run.certificate.get("corpora")
    one = {run.corpus: run.certificate["corpus"]}
    reads = {name: part["reader"] for name, part in parts.items()} if parts else one
    known = readers.names()
    speech = [(name, readers.reader(read).SPEECH if read in known else AS_STATED) for name, read in reads.items()]
    lacking = [f"answers without {len(missing)} of its cells: {listed([*missing])}"] if missing else []
    return (*trained(speech), *([TAUGHT] if run.experiment.data.teacher is not None else []), *lacking)
