"""`mien evaluate`: score the models of a run on another corpus, over both's classes or its own, or on less input."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.recognition import constant
from mien.audit.recognition.folds import by_fold, fold_scores
from mien.audit.statistics import scores
from mien.commands import Outcome
from mien.commands.evaluate_affine import evaluate_affine
from mien.commands.evaluate_missing import evaluate_missing
from mien.commands.report import mend, write_page
from mien.common import processes
from mien.common.files import COPY
from mien.common.locks import writing
from mien.common.measures import measure_of
from mien.common.progress import progress
from mien.common.units import noun
from mien.data import release
from mien.data.dataset import NOTHING, Dataset, different, open_all
from mien.errors import ConfigError
from mien.experiments import reference
from mien.runs.cell import Model
from mien.runs.coverage import coverage
from mien.runs.other_corpus import (
    folder_name,
    lacking,
    model_for,
    refuse_empty,
    refuse_known_files,
    shared_classes,
    shared_speakers,
)
from mien.runs.run import Cell, Run
from mien.runs.tables import prediction_table

RULES = {  # by whether a clip of the corpus has several classes
    False: "a clip counts as correct when the prediction is its class",
    True: "a clip of several classes counts as correct when the prediction is one of them",
}


def evaluate(
    run: Path | str,
    overrides: Sequence[str] = (),
    *,
    on: Path | str | None = None,
    missing: Path | str | None = None,
    affine: bool = False,
    teacher: Sequence[str] | str | None = None,
    beside: Path | str | None = None,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Score every finished cell of a run on another prepared corpus, or with a part of its input missing, or both.

    With `affine`, the outputs of the models are mapped to the corpus's own classes instead.

    The run's scheme maps the corpus's emotions to the run's classes; emotions that it cannot map are listed and not
    scored. Where the corpus lacks classes of the run, the models choose among the shared ones. A clip of several
    classes counts as correct when the prediction is one of them (Li et al. 2020, section 6). Written to
    RUN/evaluations/NAME: predictions.csv, folds.csv (one row per cell) and metrics.json, with mean, min and max over
    folds; where a fold was trained with several seeds, its score is the mean over them. Of an unfinished run the
    finished cells are scored, and their number is reported. The run's report is written again.

    Args:
        run: the RUN folder.
        overrides: with `missing` and without `on`: `data.prepared=PREPARED` where the run's corpus was moved.
        on: the PREPARED folder of the other corpus.
        missing: a grid of conditions, a name or a YAML file: each cell answers its own test clips (or with `on` those
            of that corpus) under every condition, see `commands.evaluate_missing`.
        affine: with `on`: fit affine maps from the outputs to the corpus's own classes, see `commands.evaluate_affine`.
        teacher: with `affine`: columns of the corpus's table with the logits of a teacher, several joined by commas.
        beside: with `affine`: a run that was trained on that corpus.
        workers: number of processes that extract features.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads.

    Raises:
        ConfigError: neither `on` nor `missing` is given, the grid is wrong, or the run uses columns of a corpus's table
            that this corpus does not have.
        CorpusError: the corpus shares fewer than two classes with the run, or has none of its modalities.
        BusyError: another process writes to the run.
        LeakError: the corpus has files or speakers that the run was trained on.
    """
    with writing(run, "mien evaluate", way=COPY):
        return _evaluate(run, overrides, on, missing, affine, teacher, beside, workers, device, threads)


def _evaluate(
    run: Path | str,
    overrides: Sequence[str],
    on: Path | str | None,
    missing: Path | str | None,
    affine: bool,
    teacher: Sequence[str] | str | None,
    beside: Path | str | None,
    workers: int,
    device: str,
    threads: int,
) -> Outcome:
    settings: dict[str, Any] = {"workers": workers, "device": device, "threads": threads}
    if affine:
        if on is None or missing is not None or overrides:
            raise ConfigError(
                "evaluate --affine: fits maps to the classes of another corpus with all of its input; give --on "
                "PREPARED, and neither --missing nor settings"
            )
        columns = [one.strip() for one in teacher.split(",")] if isinstance(teacher, str) else teacher
        return evaluate_affine(run, on, teacher=columns, beside=beside, **settings)
    if teacher is not None or beside is not None:
        raise ConfigError(f"evaluate --{'beside' if teacher is None else 'teacher'}: is of --affine; give that too")
    if missing is not None:
        return evaluate_missing(run, missing, overrides, on=on, **settings)
    if on is None:
        raise ConfigError(
            "evaluate: on what is not said; give --on PREPARED (another corpus), --missing GRID (less of the input: "
            "--missing default), or both"
        )
    if overrides:
        raise ConfigError(
            f"'{overrides[0]}': the place of the run's corpus is not needed with --on alone; leave it out"
        )
    return _on_another(run, on, **settings)


def _on_another(run: Path | str, on: Path | str, *, workers: int, device: str, threads: int) -> Outcome:
    """Score every finished cell of a run on another prepared corpus."""
    opened = Run.open(run, writes=True)
    mend(opened)
    place = processes.device(device)
    processes.use_threads(threads)
    datasets = open_all(opened.experiment.data_of, opened.target, on, opened.cache)
    dataset = next(iter(datasets.values()))
    refuse_empty(dataset)
    refuse_known_files(opened, dataset)
    namesakes = shared_speakers(opened, dataset)
    clips = dataset.clips[dataset.clips["label"].notna() & ~dataset.nameless]
    shared = shared_classes(opened, dataset, clips, on)
    cells = opened.require_cells()
    own = {cell: datasets[opened.attempt(cell)] for cell in cells}
    for each in different(own.values()):
        each.extract(workers=workers, copies=False)
    notes = dict.fromkeys(note for cell in cells for note in lacking(own[cell], list(clips["clip"])))
    with progress(len(cells), "evaluating", "models") as advance:
        tables: list[pd.DataFrame] = []
        for cell in cells:
            tables.append(_predictions(opened, cell, own[cell], clips, shared, place))
            advance()
    predictions = pd.concat(tables, ignore_index=True)
    folds = by_fold(predictions, shared)
    metrics = _metrics(predictions, folds, clips, shared, dataset, opened) | {"shared_speakers": namesakes}
    metrics["notes"] += [*notes, *_constant(opened, own, metrics, list(clips["clip"]), place)]
    name = folder_name(opened, dataset)
    opened.files.begin(*(f"evaluations/{name}/{file}" for file in ("predictions.csv", "folds.csv", "metrics.json")))
    opened.write_predictions(predictions, f"evaluations/{name}/predictions.csv")
    opened.write_table(f"evaluations/{name}/folds.csv", folds)
    opened.write_json(f"evaluations/{name}/metrics.json", metrics)
    if opened.has("report.html"):
        write_page(opened)
    opened.files.seal()
    text = "\n".join([*opened.marks, _text(metrics, opened, name)])
    return Outcome(data={"evaluation": name, **metrics, "marks": opened.marks}, text=text)


def _predictions(
    run: Run, cell: Cell, dataset: Dataset, clips: pd.DataFrame, shared: Sequence[str], device: Any
) -> pd.DataFrame:
    model = model_for(run, cell, dataset, clips, device)
    inference = model.infer(dataset.examples(list(clips["clip"]), {}), embed=False)
    main = dataset.main if model.main.kind == "soft" else model.main  # the corpus may have classes and no shares
    if shared:  # the models choose among the classes that both have
        places = [main.classes.index(name) for name in shared]
        outputs = {main.factor: inference.outputs[main.factor][:, places]}
        inference, main = replace(inference, outputs=outputs), main.only(places)
    table = prediction_table(inference, clips, main, cell.place("evaluation"), run.experiment.scheme_name)
    return table.rename(columns={main.factor: "truth"})


def _constant(
    run: Run,
    datasets: Mapping[Cell, Dataset],
    metrics: Mapping[str, Any],
    clips: Sequence[str],
    device: Any,
) -> list[str]:
    """Sentences on models whose answers are all one class."""
    notes = []
    for name, found in metrics["models"].items():
        cell = next(cell for cell in datasets if cell.model == name)
        model = Model.load(run.experiment_at(cell), cell, device)
        notes.append(constant.note(name, found["predicted"], model, datasets[cell], clips))
    return [note for note in notes if note]


def _metrics(
    predictions: pd.DataFrame,
    folds: pd.DataFrame,
    clips: pd.DataFrame,
    shared: Sequence[str],
    dataset: Dataset,
    run: Run,
) -> dict[str, Any]:
    truth = predictions.drop_duplicates("clip")["truth"]
    chance = scores.chance(truth, shared)
    labels = truth.str.get_dummies("+").mean() if shared else pd.Series(dtype=float)
    each = fold_scores(folds)["evaluation"]
    models: dict[str, Any] = {}
    over = noun(clips["speaker"].notna().any())
    for model, rows in predictions.groupby("model", sort=False):
        found: dict[str, Any] = {name: int(rows[name[:-1]].nunique()) for name in ("clips", "folds", "seeds")}
        for name, table in scores.measured(rows, shared).items():
            values = each[model, name]
            low, high = (
                None if np.isnan(end) else end
                for end in scores.interval(scores.resampled(table, name), len(table.speakers))
            )
            found[name] = {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}
            found[name] |= {"low": low, "high": high, "chance": chance.get(name)}
        found["cells"] = len(rows[["fold", "seed"]].drop_duplicates())
        guesses = rows["predicted"].value_counts(normalize=True)
        models[str(model)] = found | {"predicted": {name: float(guesses.get(name, 0.0)) for name in shared}}
    return {
        "corpus": dataset.prepared.card["name"],
        "corpus_hash": dataset.prepared.card["hash"],
        "classes": list(shared),
        "classes_not_in_the_corpus": [name for name in run.classes if name not in shared],
        "values_not_in_the_run": dataset.left_out,
        "notes": [*release.cut(dataset.prepared.card), *dataset.miscounts()],
        "rule": RULES[bool(dataset.several.any())] if shared else "a clip is scored by the error of its number",
        "interval": f"95 %, bootstrap over the corpus's {over}s, folds and seeds averaged",
        "speakers": int(clips["speaker"].nunique()),
        "share": {name: float(labels.get(name, 0.0)) for name in shared},  # of the clips with the class
        "planned": {"folds": len(run.splits), "cells": len(run.splits) * len(run.experiment.seeds)},  # of a model
        "models": models,
    }


def _text(metrics: dict[str, Any], run: Run, name: str) -> str:
    shared = f"{len(metrics['classes'])} shared classes ({', '.join(metrics['classes'])})"
    over = noun(metrics["speakers"])
    lines = [f"{metrics['corpus']}: {shared if metrics['classes'] else run.target}"]
    for model, found in metrics["models"].items():
        first, *_ = names = [name for name in found if isinstance(found[name], dict) and "mean" in found[name]]
        for measure in names:
            score, title = found[measure], measure_of(measure).title
            limits = (
                "no interval"
                if score["low"] is None
                else f"95 % over {over}s {score['low']:.3f} to {score['high']:.3f}"
            )
            lines.append(
                f"  {model if measure == first else '':20} {title:3} {score['mean']:.3f} (folds {score['min']:.3f} to "
                f"{score['max']:.3f}; {limits}"
                + (")" if score["chance"] is None else f"; chance {score['chance']:.3f})")
            )
        paper = reference.published(run.experiment, model, reference.EVALUATION, corpus=metrics["corpus"])
        if beside := reference.sentence(paper, tuple(reference.NAMES), reference.EVALUATION):
            lines.append(f"  {'':20} {beside}")
    if covered := coverage(run, name):
        lines += [f"  {warning}" for warning in covered.warnings]
    no_class = {*NOTHING.values(), f"no {run.target} known"}
    for value, clips in metrics["values_not_in_the_run"].items():
        why = "" if value in no_class else ", no class of the run"
        lines.append(f"  not scored{why}: {value} ({clips} clips)")
    lines += [f"  {note}" for note in metrics["notes"]]
    if namesakes := metrics["shared_speakers"]:
        lines.append(f"  speakers with the name of a training speaker, by chance or not: {', '.join(namesakes)}")
    return "\n".join([*lines, f"written: {run.folder / 'evaluations' / name}"])
