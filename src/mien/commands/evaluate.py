"""`mien evaluate`: score the models of a run on another corpus, over the classes that both have."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien import features
from mien.audit.recognition import constant
from mien.audit.recognition.folds import by_fold, fold_scores
from mien.audit.statistics import scores
from mien.commands import Outcome
from mien.commands.report import write_page
from mien.common import processes
from mien.common.measures import measure_of
from mien.common.progress import progress
from mien.common.units import noun
from mien.data.dataset import NOTHING, Dataset, different, open_all
from mien.data.joined import NAMED_BY_CHANCE, apart
from mien.data.normalisation import fit
from mien.data.store import ColumnStore
from mien.errors import CorpusError, LeakError
from mien.experiments import reference
from mien.runs.cell import Model
from mien.runs.coverage import coverage
from mien.runs.run import Cell, Run
from mien.runs.tables import prediction_table, reading

RULES = {  # by whether a clip of the corpus has several classes
    False: "a clip counts as correct when the prediction is its class",
    True: "a clip of several classes counts as correct when the prediction is one of them",
}


def evaluate(run: Path | str, *, on: Path | str, workers: int = 1, device: str = "auto", threads: int = 1) -> Outcome:
    """Score every finished cell of a run on all clips of another prepared corpus.

    The run's scheme maps the corpus's emotions to the run's classes; emotions that it cannot map are listed and not
    scored. Where the corpus lacks classes of the run, the models choose among the shared ones. A clip of several
    classes counts as correct when the prediction is one of them (Li et al. 2020, section 6). Written to
    RUN/evaluations/NAME: predictions.csv, folds.csv (one row per cell) and metrics.json, with mean, min and max over
    folds; where a fold was trained with several seeds, its score is the mean over them. Of an unfinished run the
    finished cells are scored, and their number is reported. The run's report is written again.

    Args:
        run: the RUN folder.
        on: the PREPARED folder of the other corpus.
        workers: number of processes that extract features.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads.

    Raises:
        ConfigError: the run uses columns of a corpus's table that this corpus does not have.
        CorpusError: the corpus shares fewer than two classes with the run, or has none of its modalities.
        LeakError: the corpus has files or speakers that the run was trained on.
    """
    opened = Run.open(run)
    place = processes.device(device)
    processes.use_threads(threads)
    datasets = open_all(opened.experiment.data_of, opened.target, on, opened.cache)
    dataset = next(iter(datasets.values()))
    refuse_empty(dataset)
    refuse_known_files(opened, dataset)
    namesakes = shared_speakers(opened, dataset)
    clips = dataset.clips[dataset.clips["label"].notna() & ~dataset.nameless]
    shared = _shared(opened, dataset, clips, on)
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
    name = _name(opened, dataset)
    opened.write_predictions(predictions, f"evaluations/{name}/predictions.csv")
    opened.write_table(f"evaluations/{name}/folds.csv", folds)
    opened.write_json(f"evaluations/{name}/metrics.json", metrics)
    if (opened.folder / "report.html").exists():
        write_page(opened)
    text = "\n".join([*opened.marks, _text(metrics, opened, name)])
    return Outcome(data={"evaluation": name, **metrics, "marks": opened.marks}, text=text)


def refuse_empty(dataset: Dataset) -> None:
    """Raise CorpusError where no clip has a modality of the model."""
    if dataset.clips.empty:
        why = next(reason for reason in dataset.left_out if reason in NOTHING.values())
        raise CorpusError(
            f"{dataset.prepared.place}: none of its {dataset.left_out[why]} clips has an input of the model ({why}); "
            "give another corpus"
        )


def lacking(dataset: Dataset, clips: Sequence[str]) -> list[str]:
    """Sentences on clips that lack one of several modalities; the features have to be extracted before."""
    notes = []
    for what, store in dataset.stores.items() if len(dataset.stores) > 1 else ():
        if count := sum(not bool(store.valid(clip).any()) for clip in clips):
            visual = "vector of the columns" if isinstance(store, ColumnStore) else "usable face"
            files = not isinstance(store, ColumnStore) and features.source_of(store.name) == "files"
            words = f"vector of {what}" if files else "sound" if what == "audio" else visual
            notes.append(f"{count} of {len(clips)} clips have no {words}, and are scored without it")
    return notes


def refuse_known_files(run: Run, dataset: Dataset) -> None:
    """Raise LeakError where a corpus has files of the run's own corpus."""
    known = set(run.certificate["files"].values())
    same = dataset.clips[dataset.clips["sha256"].isin(known)]
    if len(same):
        what = "images" if same["file"].isna().all() else "files"
        raise LeakError(
            f"{dataset.prepared.place}: {len(same)} of its {len(dataset.clips)} clips are {what} of this run's "
            f"own corpus, such as {same['file'].fillna(same['clip']).iloc[0]}; evaluate on another corpus"
        )


def shared_speakers(run: Run, dataset: Dataset) -> list[str]:
    """Names shared with training speakers; raises LeakError in the same corpus, where they are the same people."""
    card = dataset.prepared.card
    trained = {speaker for fold in run.splits for speaker in fold["train"]["speakers"]}
    if joined := run.certificate.get("corpora"):
        named = (apart(speaker) for speaker in trained)
        trained = {own for name, own in named if joined[name]["reader"] == card["name"]}
    else:
        trained = trained if run.certificate["corpus"] == card["name"] else set()
    shared = sorted(trained & set(dataset.clips["speaker"].dropna()))
    if shared and card["name"] not in NAMED_BY_CHANCE:
        raise LeakError(
            f"{dataset.prepared.place}: {len(shared)} of its speakers are training speakers of this run "
            f"({', '.join(shared[:5])}{', ...' if len(shared) > 5 else ''}); evaluate on another corpus"
        )
    return shared


def _predictions(
    run: Run, cell: Cell, dataset: Dataset, clips: pd.DataFrame, shared: Sequence[str], device: Any
) -> pd.DataFrame:
    model = Model.load(run.experiment_at(cell), cell, device)
    own = {
        what: fit("speaker", zip(clips["clip"], clips["speaker"], [dataset.stores[what]] * len(clips), strict=True))
        for what, normalise in model.normalise.items()
        if normalise.kind == "speaker"
    }
    model = replace(model, normalise=model.normalise | own)
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
        "notes": dataset.miscounts(),
        "rule": RULES[bool(dataset.several.any())] if shared else "a clip is scored by the error of its number",
        "interval": f"95 %, bootstrap over the corpus's {over}s, folds and seeds averaged",
        "speakers": int(clips["speaker"].nunique()),
        "share": {name: float(labels.get(name, 0.0)) for name in shared},  # of the clips with the class
        "planned": {"folds": len(run.splits), "cells": len(run.splits) * len(run.experiment.seeds)},  # of a model
        "models": models,
    }


def _name(run: Run, dataset: Dataset) -> str:
    """The corpus's name, followed by its hash where another corpus of that name was evaluated before."""
    name, known = dataset.prepared.card["name"], dataset.prepared.card["hash"]
    path = run.folder / "evaluations" / name / "metrics.json"
    if path.exists():
        with reading(path):
            before = json.loads(path.read_text(encoding="utf-8"))["corpus_hash"]
        if before != known:
            return f"{name}-{known}"
    return str(name)


def _text(metrics: dict[str, Any], run: Run, name: str) -> str:
    shared = f"{len(metrics['classes'])} shared classes ({', '.join(metrics['classes'])})"
    over = noun(metrics["speakers"])
    lines = [f"{metrics['corpus']}: {shared if metrics['classes'] else run.target}"]
    for model, found in metrics["models"].items():
        first, *_ = names = [name for name in found if isinstance(found[name], dict) and "mean" in found[name]]
        for measure in names:
            score, title = found[measure], measure_of(measure).title
            limits = "none" if score["low"] is None else f"{score['low']:.3f} to {score['high']:.3f}"
            lines.append(
                f"  {model if measure == first else '':20} {title:3} {score['mean']:.3f} (folds {score['min']:.3f} to "
                f"{score['max']:.3f}; 95 % over {over}s {limits}"
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


def _shared(run: Run, dataset: Dataset, clips: pd.DataFrame, on: Path | str) -> list[str]:
    """The classes that a corpus shares with the run: all levels or clusters, and none where the target is a number.

    Raises:
        CorpusError: it shares fewer than two classes, or has no clip with a known number.
    """
    soft = dataset.main.kind == "soft"
    values = dataset.clips["label" if soft else dataset.main.columns[0]].dropna()
    if dataset.main.kind == "numbers" or dataset.main.derived:
        if clips.empty:
            raise CorpusError(f"{on}: none of its clips has a known '{run.target}'")
        return list(run.classes)
    present = {name for label in clips["label"] for name in label.split("+")}
    shared = [name for name in run.classes if name in present]
    if len(shared) < 2:
        known = ", ".join(sorted(map(str, values.unique()))) or "none"
        raise CorpusError(
            f"{on}: shares {len(shared)} classes with the run; it has {run.target}: {known}; the run "
            f"({run.experiment.scheme_name}) has: {', '.join(run.classes)}"
        )
    return shared
