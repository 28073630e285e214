"""`mien train`: an experiment with all its models, folds and seeds, from a prepared corpus to a run with its report."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mien import config, environment
from mien.audit import scores, splits
from mien.audit.leakage import speaker_leakage
from mien.cells import check, train_cell
from mien.commands import Outcome
from mien.config import Experiment
from mien.dataset import Dataset
from mien.engine import processes
from mien.errors import ConfigError, RunError, TrainingError
from mien.progress import progress
from mien.protocols import Fold
from mien.report import page
from mien.run import Cell, Run, read_table
from mien.workers import Lost, spread


def train(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    *,
    out: Path | str,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Train all models of an experiment on all its folds and seeds; what is finished already is not trained again.

    Args:
        experiment: a name that `mien list experiments` shows, or a YAML file.
        overrides: settings as `key=value`, with dots.
        out: the RUN folder, new or unfinished.
        workers: how many cells (model, fold, seed) train at once, and how many processes extract features.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: of each worker.

    Raises:
        ConfigError: a setting is not understood.
        CorpusError: a media file has gone or changed since it was prepared.
        LeakError: a speaker would be in two parts of a fold.
        RunError: `out` holds something else.
    """
    settings = config.load(experiment, overrides)
    place = processes.device(device)
    if workers > 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("--workers spreads whole models and torchrun spreads one model: use one of the two")
    dataset = Dataset.open(settings)
    folds = dataset.folds(settings)
    check(dataset, folds[0], settings)
    certificate = splits.certificate(
        dataset.clips, folds, dataset.classes, dataset.prepared.card, _left_out(dataset, settings)
    )
    if settings.data.normalisation == "speaker":
        certificate["notes"].insert(0, "warning: normalisation by speaker uses statistics of validation and test clips")
    with processes.together(place):
        run = Run(Path(out), settings)
        if processes.rank() == 0:
            _refuse_another_corpus(run, certificate)
            dataset.extract(workers=workers)
            run = Run.start(Path(out), settings)
            protocol = settings.protocol.model_dump(mode="json")
            run.write_json("splits.json", {"protocol": protocol, "folds": splits.describe(dataset.clips, folds)})
            run.write_json("certificate.json", certificate)
            run.write_json("environment.json", environment.describe(place))
            run.write_table("clips.csv", dataset.clips)
        processes.wait()
        _train_cells(run, dataset, folds, place, workers, threads)
        if processes.rank() == 0:
            finish(run, workers=workers)
        processes.wait()
    return _outcome(run)


def finish(run: Run, *, workers: int = 1) -> None:
    """Join the predictions of all cells, score them, probe the embeddings, and write the page."""
    tables = [read_table(cell.folder / "predictions.csv") for cell in run.cells]
    run.write_table("predictions.csv", pd.concat(tables, ignore_index=True))
    run.write_json("metrics.json", scores.metrics(run.predictions, run.classes))
    run.write_table("leakage.csv", speaker_leakage(run, workers=workers))
    page.write(run)


def _left_out(dataset: Dataset, settings: Experiment) -> dict[str, int]:
    """Why clips are in no fold -> how many."""
    if settings.data.unlabelled == "train":
        return {why: clips for why, clips in dataset.left_out.items() if why == "no sound"}
    several = int(dataset.several.sum())
    return dataset.left_out | ({"several emotions": several} if several else {})


def _refuse_another_corpus(run: Run, certificate: dict[str, Any]) -> None:
    """Raise RunError when the run was begun on other files, labels or speakers than PREPARED holds now."""
    if not (run.folder / "certificate.json").exists():
        return
    before = run.certificate
    for key in ("corpus_hash", "split", "files"):
        if before.get(key) != certificate[key]:
            raise RunError(
                f"{run.folder}: was begun on another corpus or split than {run.experiment.data.prepared} holds now "
                f"({key} differs); choose another --out"
            )


def _train_cells(
    run: Run, dataset: Dataset, folds: Sequence[Fold], device: torch.device, workers: int, threads: int
) -> None:
    todo = [
        (fold, cell)
        for seed in run.experiment.seeds
        for fold in folds
        for model in run.experiment.models
        if not (cell := run.cell(model, fold.number, seed)).finished
    ]
    epochs = run.experiment.training.epochs
    with progress(len(todo) * epochs, "training", "epochs") as advance:
        if workers == 1:
            for fold, cell in todo:
                begun = 0

                def watch(record: dict[str, float]) -> None:
                    nonlocal begun
                    advance(int(record["epoch"]) - begun)
                    begun = int(record["epoch"])

                train_cell(run, dataset, fold, cell, device=device, threads=threads, watch=watch)
                advance(epochs - begun)
            return
        job = partial(_job, run, dataset, device, threads)
        for _, result in spread(job, [[one] for one in todo], workers=workers):
            if isinstance(result, Lost):
                _, cell = result.item
                raise TrainingError(
                    f"{cell.folder}: the process that trained it was ended twice ({result.how or 'cause not known'}), "
                    "by lack of memory perhaps; run the same command again with fewer --workers to go on"
                )
            advance(epochs)


def _job(run: Run, dataset: Dataset, device: torch.device, threads: int, chunk: Sequence[tuple[Fold, Cell]]) -> None:
    for fold, cell in chunk:
        train_cell(run, dataset, fold, cell, device=device, threads=threads)


def _outcome(run: Run) -> Outcome:
    if not (run.folder / "metrics.json").exists():  # another process of this training writes it
        return Outcome(data={}, text="")
    metrics, certificate = run.metrics, run.certificate
    lines = []
    for model, splits_of in metrics["models"].items():
        test = splits_of["test"]
        lines.append(
            f"{model:20} test UAR {test['uar']:.3f} (95 % {_shown(test['uar_low'])} to {_shown(test['uar_high'])}, "
            f"chance {test['uar_chance']:.3f}), validation {splits_of['validation']['uar']:.3f}"
        )
    lines += [f"not used, {why}: {clips} clips" for why, clips in certificate["left_out"].items()]
    lines += certificate["notes"]
    report = run.folder / "report.html"
    data = {"run": str(run.folder), "report": str(report), "models": metrics["models"], "notes": certificate["notes"]}
    return Outcome(data=data, text="\n".join([*lines, f"report: {report}"]))


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
