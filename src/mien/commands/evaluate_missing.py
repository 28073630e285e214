"""`mien evaluate --missing`: how models answer with a part of their input missing, under noise, or out of step."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.audit.comparison import claims
from mien.audit.robustness import conditions as scored
from mien.audit.robustness import counted, graceful
from mien.audit.robustness.counted import OWN_CLIPS, Counted
from mien.commands import Outcome
from mien.commands.report import mend, write_page
from mien.common import processes
from mien.common.cells import write_table
from mien.common.files import atomic_folder, write_json
from mien.common.settings import difference
from mien.common.tables import records
from mien.common.units import noun
from mien.data.dataset import Dataset, different, open_all
from mien.errors import ConfigError
from mien.experiments.conditions import Conditions, Series, load
from mien.experiments.conditions import names as shipped
from mien.reports import robustness_text
from mien.runs.corpus import moved, open_corpus
from mien.runs.examining import Tested, examine
from mien.runs.other_corpus import folder_name, refuse_empty, refuse_known_files, shared_classes, shared_speakers
from mien.runs.run import ROBUSTNESS, Run
from mien.runs.tables import reading

OTHER_CLIPS = "the corpus's clips"


def evaluate_missing(
    run: Path | str,
    grid: Path | str,
    overrides: Sequence[str] = (),
    *,
    on: Path | str | None = None,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Answer test clips under every condition of a grid with every finished cell of a run.

    Each cell answers the test clips of its own fold, or all clips of another corpus. Conditions that do not apply, such
    as missing pictures for a model of sound, and those whose recordings are not there, are listed as not examined; the
    rest is done. Written whole to RUN/robustness/NAME: conditions.csv, folds.csv, graceful.csv, counts.safetensors and
    metrics.json. The run's report is written again.

    Args:
        run: the RUN folder.
        grid: a name or a YAML file, see `mien.experiments.conditions`.
        overrides: `data.prepared=PREPARED` where the run's corpus was moved.
        on: the PREPARED folder of another corpus.
        workers: number of processes that extract features.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads.

    Raises:
        ConfigError: the grid is wrong, another one of its name was examined before, or the run holds its test clips
            back.
        CorpusError: the run's corpus is not there, or as in `evaluate`.
        LeakError: as in `evaluate`.
    """
    name, conditions = load(grid)
    opened = moved(Run.open(run, writes=True), overrides if on is None else ())
    if on is not None and overrides:
        raise ConfigError(f"'{overrides[0]}': the place of the run's corpus is not needed with --on; leave it out")
    if on is None and opened.experiment.hold_test:
        raise ConfigError(
            f"{opened.folder}: its test clips are held back (hold_test: true), so no model may answer them; give "
            "another corpus with --on PREPARED"
        )
    mend(opened)
    place = processes.device(device)
    processes.use_threads(threads)
    if on is None:
        _refuse_another(opened, name, grid, conditions, OWN_CLIPS)
    tested = _own_clips(opened, workers) if on is None else _of_corpus(opened, on, workers)
    dataset = tested[0].dataset
    if on is not None:
        name = folder_name(opened, dataset, ROBUSTNESS, f"{name}-on-")
        _refuse_another(opened, name, grid, conditions, OTHER_CLIPS)
    classes = opened.classes if tested[0].classes is None else tested[0].classes
    models: list[Counted] = []
    lacking: dict[str, dict[Series, str]] = {}
    split = "test" if on is None else "evaluation"
    with TemporaryDirectory(prefix="mien-") as folder:
        for answered in examine(
            opened, tested, conditions, device=place, folder=Path(folder), split=split, workers=workers
        ):
            modalities = opened.experiment_of(answered.model).inputs(answered.model)
            models.append(Counted.of(answered, classes, tuple(modalities)))
            lacking[answered.model] = answered.lacking
    every = list(conditions.all())
    table, drops = scored.table(models, every), graceful.table(models, every)
    metrics = _metrics(opened, name, conditions, models, lacking, dataset, other=on is not None)
    with atomic_folder(opened.folder / ROBUSTNESS / name) as folder_of:
        write_table(folder_of / "conditions.csv", table)
        write_table(folder_of / "folds.csv", scored.folds(models, every))
        write_table(folder_of / "graceful.csv", drops)
        counted.write(folder_of, models)
        write_json(folder_of / "metrics.json", metrics)
        opened.files.begin(*(f"{ROBUSTNESS}/{name}/{path.name}" for path in folder_of.iterdir()))
    if opened.claims is not None:
        claims.write(opened)
    if opened.has("report.html"):
        write_page(opened)
    opened.files.seal()
    found = robustness_text.Found(metrics, table, drops)
    text = [*opened.marks, *robustness_text.text(found), f"written: {opened.folder / ROBUSTNESS / name}"]
    data = metrics | {"answers": robustness_text.answers(found), "rows": records(table), "marks": opened.marks}
    return Outcome(data=data | {"graceful": records(drops)}, text="\n".join(text))


def _refuse_another(run: Run, name: str, grid: Path | str, conditions: Conditions, clips: str) -> None:
    """Raise ConfigError where another grid, or other clips, are stored under this name: nothing is overwritten.

    Args:
        run: that is evaluated.
        name: of the folder in RUN/robustness.
        grid: as it was given.
        conditions: of the grid.
        clips: on which ones.
    """
    if not run.files.whole(f"{ROBUSTNESS}/{name}/metrics.json"):  # one that is damaged is written anew
        return
    path = run.folder / ROBUSTNESS / name / "metrics.json"
    with reading(path):
        there = json.loads(path.read_text(encoding="utf-8"))
        before, own = {"clips": there["clips"], **there["grid"]}, {"clips": clips, **conditions.model_dump(mode="json")}
    if (differs := difference(before, own)) is None:
        return
    key, was, now = differs
    way = "remove that folder" if str(grid) in shipped() else "call the file otherwise, or remove that folder"
    raise ConfigError(
        f"{grid}: {path.parent} holds the answers under another grid of this name ({key} was {json.dumps(was)} and is "
        f"{json.dumps(now)}); {way}"
    )


def _own_clips(run: Run, workers: int) -> list[Tested]:
    """Each finished cell with the test clips of its fold."""
    open_corpus(run)
    datasets = open_all(run.experiment.data_of, run.target, None, run.cache)
    clips = {fold["fold"]: list(fold["test"]["clips"]) for fold in run.splits}
    tested = []
    for cell in run.require_cells():
        dataset = datasets[run.attempt(cell)]
        tested.append(Tested(cell, dataset, dataset.clips.loc[clips[cell.fold]]))
    _extract(tested, workers)
    return tested


def _of_corpus(run: Run, on: Path | str, workers: int) -> list[Tested]:
    """Each finished cell with all clips of another corpus, whose class is one of the run's."""
    datasets = open_all(run.experiment.data_of, run.target, on, run.cache)
    dataset = next(iter(datasets.values()))
    refuse_empty(dataset)
    refuse_known_files(run, dataset)
    shared_speakers(run, dataset)
    clips = dataset.clips[dataset.clips["label"].notna() & ~dataset.nameless]
    classes = tuple(shared_classes(run, dataset, clips, on))
    tested = []
    for cell in run.require_cells():
        own = datasets[run.attempt(cell)]
        tested.append(
            Tested(cell, own, own.clips.loc[[clip for clip in clips["clip"] if clip in own.clips.index]], classes)
        )
    _extract(tested, workers)
    return tested


def _extract(tested: Sequence[Tested], workers: int) -> None:
    for dataset in different(one.dataset for one in tested):
        clips = {clip for one in tested if one.dataset is dataset for clip in one.clips["clip"]}
        dataset.extract(workers=workers, copies=False, clips=clips)


def _metrics(
    run: Run,
    name: str,
    conditions: Conditions,
    models: Sequence[Counted],
    lacking: Mapping[str, Mapping[Series, str]],
    dataset: Dataset,
    *,
    other: bool,
) -> dict[str, Any]:
    named = bool(dataset.clips["speaker"].notna().any())
    first = models[0]
    return {
        "name": name,
        "grid": conditions.model_dump(mode="json"),
        "seed": conditions.seed,
        "corpus": dataset.prepared.card["name"],
        "corpus_hash": dataset.prepared.card["hash"],
        "clips": OTHER_CLIPS if other else OWN_CLIPS,
        "target": run.target,
        "classes": list(first.classes),
        "measures": list(first.measures),
        "chance": {key: None if math.isnan(value) else value for key, value in first.chances.items()},
        "named": named,
        "interval": f"95 %, bootstrap over {noun(named)}s, folds and seeds averaged",
        "planned": len(run.splits) * len(run.experiment.seeds),  # cells of a model
        "models": {
            model.model: {"clips": model.clips, "speakers": len(model.speakers), "modalities": list(model.modalities)}
            | {"cells": len(model.units[["fold", "seed"]].drop_duplicates())}
            for model in models
        },
        "not_examined": list(_not_examined(lacking)),
        "marks": run.marks,
    }


def _not_examined(lacking: Mapping[str, Mapping[Series, str]]) -> Iterable[dict[str, Any]]:
    """One entry for each series and reason, with the models that it holds for."""
    found: dict[tuple[Series, str], list[str]] = {}
    for model, series in lacking.items():
        for one, why in series.items():
            found.setdefault((one, why), []).append(model)
    for ((modality, pattern), why), names in found.items():
        yield {"modality": modality, "pattern": pattern, "why": why, "models": names}
