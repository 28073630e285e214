"""`mien evaluate --affine`: an affine map from the outputs of a run's models to the classes of another corpus."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mien.audit.recognition import affine
from mien.audit.recognition.affine import PROTOCOLS
from mien.audit.statistics import scores
from mien.commands import Outcome
from mien.commands.report import mend, write_page
from mien.common import processes
from mien.common.measures import Codes
from mien.common.progress import progress
from mien.common.tables import plain
from mien.data import release
from mien.data.dataset import Dataset, different
from mien.data.targets import TargetSettings
from mien.errors import ConfigError, CorpusError, unknown
from mien.reports import affine_text
from mien.runs import outputs
from mien.runs.other_corpus import folder_name, lacking, refuse_empty, refuse_known_files, shared_speakers
from mien.runs.run import AFFINE, Cell, Run

LOGIT = "logit_"  # columns of a corpus's table with this beginning are the logits of a teacher
TRAINED, UNTRAINED, TEACHER, SUPERVISED = "trained", "untrained", "teacher", "supervised"


class _System(NamedTuple):
    """One system: what it is called, whose outputs they are, its model and size, and the numbers of its map."""

    system: str
    outputs: str
    model: str
    parameters: int | None = None
    numbers: int | None = None


def evaluate_affine(
    run: Path | str,
    on: Path | str,
    *,
    teacher: Sequence[str] | None = None,
    beside: Path | str | None = None,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Fit affine maps from the outputs of every finished cell to another corpus's own classes, cross-validated.

    Albanie et al. 2018, section 5.2, see `mien.audit.recognition.affine`. Beside the models: untrained ones of the same
    architecture, a teacher on faces where the corpus's table has its logits, and a supervised run. Written to
    RUN/evaluations/NAME: affine.csv (one row a system, cell, protocol and clip), affine_folds.csv and affine.json. The
    run's report is written again.

    Args:
        run: the RUN folder.
        on: the PREPARED folder of the other corpus.
        teacher: columns of its table with the logits of a teacher; None takes those called `logit_CLASS`, if any.
        beside: a run that was trained on that corpus, with folds of whole speakers.
        workers: number of processes that extract features.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads.

    Raises:
        ConfigError: the run's target is a number or derived from numbers, a column of the teacher is missing, or the
            run beside does not fit.
        CorpusError: the corpus has fewer than two classes or speakers, or none of the models' modalities.
        LeakError: as in `evaluate`.
        RunError: the run beside has no predictions of the clips, or an output is not finite.
    """
    opened = Run.open(run, writes=True)
    mend(opened)
    _refuse_numbers(opened)
    place = processes.device(device)
    processes.use_threads(threads)
    cells = opened.require_cells()
    datasets = outputs.under_own_classes(opened, cells, str(on), place)
    dataset = next(iter(datasets.values()))
    refuse_empty(dataset)
    refuse_known_files(opened, dataset)
    namesakes = shared_speakers(opened, dataset)
    clips, classes = _scored_clips(dataset, on)
    labels = np.array([classes.index(label) for label in clips["label"]], np.int64)
    parts = affine.parts(clips, labels)
    columns = _teacher(dataset, teacher)
    other = None if beside is None else outputs.supervised(Run.open(beside), dataset, clips, classes)
    for each in different(datasets.values()):
        each.extract(workers=workers, copies=False, clips=set(clips["clip"]))
    notes = dict.fromkeys(note for each in different(datasets.values()) for note in lacking(each, list(clips["clip"])))
    systems: dict[str, _System] = {}
    tables: list[pd.DataFrame] = []
    with progress(len(cells), "fitting affine maps", "cells") as advance:
        for cell in cells:
            for own, logits in _of_cell(opened, cell, datasets[cell], clips, place):
                systems.setdefault(own.system, own._replace(numbers=len(classes) * (logits.shape[1] + 1)))
                tables += _rows(own, clips, logits, labels, parts, classes, fold=cell.fold, seed=cell.seed)
            advance()
    if columns:
        own, values = (
            _System(TEACHER, TEACHER, "", None, len(classes) * (len(columns) + 1)),
            _logits(dataset, clips, columns),
        )
        known = np.flatnonzero(~np.isnan(values).any(axis=1))
        if clips["speaker"].iloc[known].nunique() < 2:
            raise CorpusError(f"{on}: its columns {', '.join(columns)} hold logits of fewer than two speakers' clips")
        systems[TEACHER] = own
        some = {name: part[known] for name, part in parts.items()}
        tables += _rows(own, clips.iloc[known], values[known], labels[known], some, classes)
        if lost := len(clips) - len(known):
            notes[f"{lost} of {len(clips)} clips have no logits of the teacher"] = None
    if other is not None and beside is not None:
        rivals, table = _supervised(Run.open(beside), other, clips, place)
        systems |= rivals
        tables.append(table)
        if lost := len(clips) - table["clip"].nunique():
            notes[f"{lost} of {len(clips)} clips have no test prediction in {Path(beside).name}"] = None
    rows = pd.concat(tables, ignore_index=True)
    name = folder_name(opened, dataset)
    found = _metrics(opened, name, cells, dataset, clips, classes, rows, systems)
    notes = dict.fromkeys([*release.cut(dataset.prepared.card), *dataset.miscounts(), *notes])
    found |= {"teacher": columns, "shared_speakers": namesakes, "notes": [*notes]}
    return _written(opened, name, rows, classes, plain(found))


def _refuse_numbers(run: Run) -> None:
    """Raise ConfigError where the outputs of the main target are no logits of classes of its own."""
    how = run.experiment.data.targets.get(run.target, TargetSettings())
    if how.kind == "numbers" or how.derived:
        what = "a number" if how.kind == "numbers" else f"{how.kind} of numbers"
        raise ConfigError(
            f"{run.folder}: its main target '{run.target}' is {what}, and an affine map goes from the outputs of "
            "classes to the classes of another corpus; leave --affine out"
        )


def _scored_clips(dataset: Dataset, on: Path | str) -> tuple[pd.DataFrame, list[str]]:
    """The clips of one class and a known speaker, and the classes that they have, in the corpus's order."""
    clips = dataset.labelled
    clips = clips[clips["speaker"].notna()]
    classes = [name for name in dataset.main.classes if name in set(clips["label"])]
    for number, what in ((len(classes), "class"), (clips["speaker"].nunique(), "speaker")):
        if number < 2:
            raise CorpusError(
                f"{on}: its {len(clips)} clips of one class and a known speaker have {number} "
                f"{what}{'' if number == 1 else 'es' if what == 'class' else 's'}, and an affine map needs two or more"
            )
    return clips, classes


def _teacher(dataset: Dataset, asked: Sequence[str] | None) -> list[str]:
    """The columns of a teacher's logits; none where none is asked for and none is there."""
    table = dataset.prepared.table
    columns = [str(name) for name in table if str(name).startswith(LOGIT)] if asked is None else list(asked)
    for name in columns:
        if name not in table:
            raise ConfigError(f"--teacher {name}: {unknown('column', name, map(str, table))}")
        if pd.to_numeric(table[name], errors="coerce").isna().sum() > table[name].isna().sum():
            raise ConfigError(
                f"--teacher {name}: {dataset.prepared.place} has values in this column that are no numbers"
            )
    return columns


def _logits(dataset: Dataset, clips: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """The teacher's logits of each clip, (n, number of columns); nan where they are not known."""
    table = dataset.prepared.table.set_index("clip").loc[clips["clip"], list(columns)]
    return np.asarray(table.apply(pd.to_numeric).to_numpy(float))


def _of_cell(
    run: Run, cell: Cell, dataset: Dataset, clips: pd.DataFrame, device: torch.device
) -> Iterator[tuple[_System, NDArray[np.float32]]]:
    found = outputs.outputs(run, cell, dataset, clips, device)
    yield _System(cell.model, TRAINED, cell.model, found.parameters), found.trained
    yield _System(_untrained(cell.model), UNTRAINED, cell.model, found.parameters), found.untrained


def _untrained(model: str) -> str:
    """What the untrained system of a model is called."""
    return f"{model}, untrained"


def _rows(
    system: _System,
    clips: pd.DataFrame,
    values: NDArray[Any],
    labels: Codes,
    parts: Mapping[str, Codes],
    classes: Sequence[str],
    *,
    fold: int = 0,
    seed: int = 0,
) -> Iterator[pd.DataFrame]:
    """The rows of `affine.csv` of one system and cell, for each protocol."""
    for protocol, part in parts.items():
        probabilities = affine.answers(values, labels, part, len(classes))
        head = pd.DataFrame({"clip": clips["clip"].tolist(), "speaker": clips["speaker"].tolist()})
        head = head.assign(system=system.system, outputs=system.outputs, model=system.model, fold=fold, seed=seed)
        head = head.assign(protocol=protocol, part=part, truth=clips["label"].tolist())
        head["predicted"] = [classes[number] for number in probabilities.argmax(axis=1)]
        yield pd.concat([head, pd.DataFrame(probabilities.round(6), columns=list(classes))], axis=1)


def _supervised(
    run: Run, predictions: pd.DataFrame, clips: pd.DataFrame, device: torch.device
) -> tuple[dict[str, _System], pd.DataFrame]:
    """The models of a supervised run as systems, and their rows: a part is a fold of that run."""
    names = {model: f"{run.folder.name}: {model}" for model in predictions["model"].unique()}
    sizes = outputs.parameters(run, device)
    systems = {name: _System(name, SUPERVISED, str(model), sizes.get(model)) for model, name in names.items()}
    rows = predictions.drop(columns=["split", "scheme"], errors="ignore")
    rows = rows.assign(system=rows["model"].map(names), outputs=SUPERVISED, protocol="speakers", part=rows["fold"])
    return systems, rows.assign(truth=clips["label"].loc[rows["clip"]].tolist())


def _metrics(
    run: Run,
    name: str,
    cells: Sequence[Cell],
    dataset: Dataset,
    clips: pd.DataFrame,
    classes: Sequence[str],
    rows: pd.DataFrame,
    systems: Mapping[str, _System],
) -> dict[str, Any]:
    protocols = {}
    for protocol, words in PROTOCOLS.items():
        own = rows[rows["protocol"] == protocol]
        protocols[protocol] = {
            "what": words,
            "speakers_seen": protocol == "clips",
            "folds": int(own["part"][own["outputs"] == TRAINED].nunique()),
            "systems": [systems[row["system"]]._asdict() | row for row in affine.scored(own, classes)],
            "differences": [row for pairs in _families(own, systems) for row in affine.compared(own, pairs, classes)],
            "confusion": affine.confusion(own, classes),
        }
    return {
        "name": name,
        "corpus": dataset.prepared.card["name"],
        "corpus_hash": dataset.prepared.card["hash"],
        "target": run.target,
        "classes": list(classes),
        "outputs": list(run.classes),
        "clips": len(clips),
        "speakers": int(clips["speaker"].nunique()),
        "left_out": dataset.left_out | _of_several(dataset),
        "chance": scores.chance(clips["label"], classes),
        "map": {"penalty": 1 / affine.C, "standardised": "by the training folds", "solver": "newton-cholesky"},
        "interval": "95 %, bootstrap over the corpus's speakers, folds and seeds averaged",
        "cells": [[cell.model, cell.fold, cell.seed] for cell in cells],
        "planned": len(run.splits) * len(run.experiment.seeds),  # cells of a model
        "systems": list(systems),
        "protocols": protocols,
        "marks": run.marks,
    }


def _of_several(dataset: Dataset) -> dict[str, int]:
    several = int((dataset.several & dataset.clips["label"].notna()).sum())
    return {"several classes": several} if several else {}


def _families(rows: pd.DataFrame, systems: Mapping[str, _System]) -> Iterator[list[tuple[str, str]]]:
    """The pairs that are compared: each trained model minus its untrained one, minus the teacher, minus each rival."""
    there = set(rows["system"])
    trained = [name for name, own in systems.items() if own.outputs == TRAINED]
    yield [(name, _untrained(name)) for name in trained]
    for kind in (TEACHER, SUPERVISED):
        others = [name for name, own in systems.items() if own.outputs == kind and name in there]
        yield [(name, other) for name in trained for other in others]


def _written(run: Run, name: str, rows: pd.DataFrame, classes: Sequence[str], found: dict[str, Any]) -> Outcome:
    """Write the files and the page, and say what was found."""
    folder = f"evaluations/{name}"
    no_cell = rows["outputs"] == TEACHER
    cell = {key: rows[key].astype("Int64").mask(no_cell) for key in ("fold", "seed")}
    run.files.begin(*(f"{folder}/{file}" for file in ("affine.csv", "affine_folds.csv", AFFINE)))
    run.write_predictions(rows.assign(**cell), f"{folder}/affine.csv")
    each = [affine.by_part(own, classes) for _, own in rows.groupby("protocol", sort=False)]
    run.write_table(f"{folder}/affine_folds.csv", pd.concat(each, ignore_index=True))
    run.write_json(f"{folder}/{AFFINE}", found)
    if run.has("report.html"):
        write_page(run)
    run.files.seal()
    text = [*run.marks, *affine_text.text(found), f"written: {run.folder / folder}"]
    return Outcome(data={"evaluation": name, **found}, text="\n".join(text))
