"""`mien train`: all models, folds and seeds of an experiment, from a prepared corpus to a run with its report."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mien import experiments
from mien.audit import results
from mien.audit.run_leakage.inputs import inputs_of
from mien.audit.run_leakage.measure import run_leakage
from mien.audit.splits import certificate as splits
from mien.audit.splits import sounds
from mien.audit.splits.resumed import refuse_another_corpus
from mien.commands import Outcome
from mien.common import environment, processes
from mien.common.cluster import current, joined
from mien.common.locks import writing_as_first
from mien.common.measures import measure_of, of_classes
from mien.common.progress import progress, say
from mien.data import release, scheme_fit
from mien.data.dataset import NOTHING, Dataset, different, open_all
from mien.data.protocols import SEEN, Fold
from mien.engine import board
from mien.engine.fit import Record
from mien.errors import ConfigError, RunError
from mien.experiments import reference
from mien.experiments.experiment import Experiment
from mien.media.faces import Faces
from mien.media.faces.detectors import detector, names, resolve
from mien.reports import page
from mien.reports.sections import copies, seen
from mien.reports.words import listed
from mien.runs import labels, teacher
from mien.runs.cell import check
from mien.runs.cells import Training, train_apart, train_here
from mien.runs.choice import tidy
from mien.runs.coverage import outdated
from mien.runs.run import Cell, Run
from mien.runs.run_files import TEACHERS
from mien.runs.tables import TASKS, read_table


def train(
    experiment: str | Path,
    overrides: Sequence[str] = (),
    *,
    out: Path | str,
    workers: int | None = None,
    cluster: str | None = None,
    device: str = "auto",
    threads: int = 1,
    tensorboard: bool = False,
) -> Outcome:
    """Train all models of an experiment on all its folds and seeds; finished cells are not trained again.

    A run goes on with the same corpus in another PREPARED folder, which its experiment names from then on.

    Args:
        experiment: a name from `mien list experiments`, or a YAML file.
        overrides: settings that replace those of the experiment, as `key=value` with dots.
        out: the RUN folder, new or unfinished.
        workers: number of cells (model, fold, seed) trained at once, and of processes that extract features; None for
            one, or with `cluster` for one in each of its threads.
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run; they have to
            see `out` and PREPARED. None for this machine.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads of each worker.
        tensorboard: also write event files to RUN/tensorboard; see `engine.board`.

    Raises:
        ConfigError: a setting is wrong, or an extra is not installed.
        CorpusError: a media file is missing or has changed since it was prepared.
        LeakError: the split leaks (see `mien.audit.splits.findings`), and the experiment does not accept it.
        BusyError: another process writes to `out`.
        ClusterError: the cluster cannot be used as it is.
        RunError: `out` holds another experiment, a run of another corpus, or something else.
    """
    with writing_as_first(out, "mien train"):
        folders = {place for own in _pinned(experiment, overrides).data_of.values() for place in own.folders}
        with joined(cluster, workers, writes=out, reads=sorted(folders)) as at_once:
            return _train(experiment, overrides, Path(out), at_once, device, threads, tensorboard)


def _train(
    experiment: str | Path,
    overrides: Sequence[str],
    out: Path,
    workers: int,
    device: str,
    threads: int,
    tensorboard: bool,
) -> Outcome:
    settings = _pinned(experiment, overrides)
    if tensorboard:
        board.require()
    place = processes.device(device)
    if workers > 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "--workers trains several models at once and torchrun spreads one model over processes: use one of the two"
        )
    cache = Run(out, settings).cache
    datasets = open_all(settings.data_of, settings.target, cache=cache)
    dataset = next(iter(datasets.values()))  # all have the same clips
    own_classes = settings.data.scheme is None
    if own_classes and dataset.scheme is not None:  # another corpus might have others
        settings = _pinned(experiment, [*overrides, f"data.scheme={dataset.scheme}"])
        datasets = open_all(settings.data_of, settings.target, cache=cache)
        dataset = next(iter(datasets.values()))
    keys = [override.partition("=")[0].split(".")[:2] for override in overrides]
    chosen = own_classes or ["data", "scheme"] in keys  # who names the classes has seen the corpus
    other = scheme_fit.refuse_misfit(dataset, str(experiment), settings.reader, own_classes=chosen)
    folds = dataset.folds(settings.protocol)
    check(datasets, folds, settings)
    with processes.together(place):
        run = Run(out, settings, writes=True)
        if processes.rank() == 0:
            run.files.mend(base=True)
            run.refuse_other()
            refuse_another_corpus(run, dataset, folds)
            certificate = _certificate(settings, datasets, folds, workers)
            kept = [labels.kept(datasets, fold, settings.seeds) for fold in folds]
            certificate["notes"] += labels.notes(settings, datasets, folds, kept)
            certificate["notes"] += dataset.differences(settings.protocol)
            for each in different(datasets.values()):
                each.extract(workers=workers, clips=_read(folds) if settings.hold_test else None)
            asked = _same_teachers(run, settings)
            run.begin()
            if asked:
                run.write_json(TEACHERS, asked)
            protocol = settings.protocol.model_dump(mode="json")
            whole = settings.protocol.model_copy(update={"folds": None})
            if (published := whole.published) is not None:  # a fold that is not trained may have no clips
                every = len(published.folds)
            else:
                every = len(folds if whole == settings.protocol else dataset.folds(whole))
            described = splits.describe(dataset.clips, folds)
            for one, of in zip(described, kept, strict=True):
                one |= {"labelled": of} if of else {}
            run.write_json("splits.json", {"protocol": protocol, "of": every, "folds": described})
            run.write_json("certificate.json", certificate)
            given = {
                "command": environment.command(experiment, overrides),
                "changed": experiments.changed(experiment, overrides),
            }
            run.write_json("environment.json", environment.describe(place) | given)
            run.write_table("clips.csv", dataset.clips)
            for sentence in filter(
                None, [*experiments.questions(experiment, overrides), other, *_before(dataset, certificate)]
            ):
                say(sentence)
        processes.wait()
        _train_cells(run, datasets, folds, place, workers, threads, tensorboard)
        if processes.rank() == 0:
            finish(run, workers=workers)
            run.files.seal(of=run.of)
        processes.wait()
    return _outcome(run)


def _pinned(experiment: str | Path, overrides: Sequence[str]) -> Experiment:
    """The settings, with the face detector that `auto` stands for on this machine written out.

    Raises:
        ConfigError: no detector is installed, or a variant of the grid names none.
    """
    settings, more = experiments.load(experiment, overrides), list(overrides)
    for key in _found_by_any(settings):
        name = resolve("auto")
        try:
            detector(name)
        except ConfigError as error:
            raise ConfigError(f"{key}.faces: auto, and no face detector is installed: {error}") from None
        more.append(f"{key}.faces={name}")
    settings = experiments.load(experiment, more) if len(more) > len(overrides) else settings
    if variants := [name for name, (_, own) in settings.attempts.items() if _found_by_any(own)]:
        raise ConfigError(
            f"'{variants[0]}' has faces: auto, which differs between machines; name one of {', '.join(names())} there"
        )
    return settings


def _same_teachers(run: Run, settings: Experiment) -> dict[str, str]:
    """The hashes of the models that are asked in training; raises RunError where the run began with others."""
    configs = [own.model(model) for model, own in settings.trained.items()]
    asked = teacher.hashes([place for config in configs for place in config.frozen.values()])
    before = asked
    if run.has(TEACHERS):
        before = json.loads(run.files.check(TEACHERS).read_text(encoding="utf-8"))
    if other := [place for place in before if before[place] != asked.get(place)]:
        raise RunError(
            f"{run.folder}: began with another teacher under {other[0]} (SHA-256 {before[other[0]][:12]}..., now "
            f"{asked.get(other[0], 'none')[:12]}...); put that one back, or choose a new folder for --out"
        )
    return asked


def _before(dataset: Dataset, certificate: Mapping[str, Any]) -> Iterator[str]:
    """What is to be known before hours of training: clips that are not used, and classes without clips."""
    left_out, every = certificate["left_out"], len(dataset.prepared.table)
    if left_out:
        yield f"{sum(left_out.values())} of {every} clips are not used: {scheme_fit.listed(left_out)}"
    for part in dataset.prepared.parts.values():
        yield from release.cut(part.card)
    yield from certificate["notes"]


def _found_by_any(settings: Experiment) -> list[str]:
    """The keys of features of faces that any detector finds."""
    seen = {"data.video": settings.features.get("video"), "data.teacher": settings.data.teaching}
    return [key for key, one in seen.items() if one and isinstance(one[1], Faces) and one[1].faces == "auto"]


def finish(run: Run, *, workers: int = 1, thorough: bool = False, seed: int = 0) -> tuple[str, ...]:
    """Join the predictions of all cells, score them, probe the embeddings, and write the report.

    Nothing is probed where the corpus names no speakers.

    Args:
        run: a run with at least one finished cell.
        workers: number of processes that probe.
        thorough: whether to probe every known factor, and not the speaker alone.
        seed: random seed of the probes.

    Returns:
        Sentences on measures that could not be computed.
    """
    own = [cell.checked(cell.folder / "predictions.csv") for cell in run.cells]
    tables = [read_table(path, text=(run.target,)) for path in own]
    run.write_table("predictions.csv", pd.concat(tables, ignore_index=True))
    others = [cell.checked(cell.folder / TASKS) for cell in run.cells]
    if tables := [table for path in others if len(table := read_table(path))]:
        run.write_table(TASKS, pd.concat(tables, ignore_index=True))
    inputs = inputs_of(run) if thorough else None
    if run.named:
        leakage, by_speaker = run_leakage(run, thorough=thorough, inputs=inputs, workers=workers, seed=seed)
        run.write_table("leakage.csv", leakage)
        run.write_table("leakage_by_speaker.csv", by_speaker)
    results.write(run)
    page.write(run)
    return inputs.notes if inputs else ()


def _certificate(
    settings: Experiment, datasets: Mapping[str, Dataset], folds: Sequence[Fold], workers: int
) -> dict[str, Any]:
    """The certificate of the split, from the audio of its clips; raises LeakError for a leak that is not accepted."""
    dataset = next(iter(datasets.values()))
    decoded = _read(folds) | (set() if settings.hold_test else {clip for fold in folds for clip in fold.test})
    beside = decoded.difference(dataset.labelled["clip"])
    certificate = splits.certificate(
        dataset.clips,
        folds,
        () if dataset.main.kind == "numbers" else dataset.classes,  # the limits of levels differ from fold to fold
        dataset.prepared.card,
        _left_out(dataset, settings),
        sounds=sounds.of_prepared(dataset.prepared, decoded, beside=beside, workers=workers),
        unread_sound="the test clips are held out (hold_test) and not read" if settings.hold_test else "",
        by_speaker=[name for name, (_, own) in settings.attempts.items() if own.data.normalisation == "speaker"],
        accepted=settings.accepted,
    )
    certificate["notes"] += [*dataset.miscounts(), *_unnamed(dataset)]
    return certificate


def _left_out(dataset: Dataset, settings: Experiment) -> dict[str, int]:
    """Reason why clips are in no fold -> number of clips."""
    if settings.data.unlabelled == "train":
        return {why: clips for why, clips in dataset.left_out.items() if why in NOTHING.values()}
    several = int((dataset.several & ~dataset.nameless).sum())
    return dataset.left_out | ({"several classes": several} if several else {})


def _unnamed(dataset: Dataset) -> Iterator[str]:
    if dataset.settings.unlabelled == "train" and (count := int(dataset.nameless.sum())):
        yield (
            f"note: {count} clips have a label and no speaker, who may be one of the test part: they train without the "
            "label, and are never scored"
        )


def _read(folds: Sequence[Fold]) -> set[str]:
    """The clips of training and validation, and those of seen speakers."""
    return {clip for fold in folds for clip in (*fold.train, *fold.validation, *fold.seen)}


def _train_cells(
    run: Run,
    datasets: Mapping[str, Dataset],
    folds: Sequence[Fold],
    device: torch.device,
    workers: int,
    threads: int,
    events: bool,
) -> None:
    epochs = dict.fromkeys(run.experiment.trained, 0)
    for model, own in run.experiment.attempts.values():
        epochs[model] += own.training.epochs
    for cell in run.cells if processes.rank() == 0 else ():
        tidy(cell)  # likewise of a run that was killed
    every = (
        run.cell(model, fold.number, seed)
        for seed in run.experiment.seeds
        for fold in folds
        for model in run.experiment.trained
    )
    todo = [cell for cell in every if not _is_trained(cell)]
    if processes.rank() == 0 and todo:
        run.files.seal("training", of=run.of)
    training = Training(run, datasets, {fold.number: fold for fold in folds}, device, threads, events)
    for cell in run.cells if events and processes.rank() == 0 else ():  # finished cells are shown, too
        with training.shown(cell):
            pass
    with progress(sum(epochs[cell.model] for cell in todo), "training", "epochs") as advance:
        shown = dict.fromkeys(todo, 0)

        def watch(cell: Cell, record: Record) -> None:
            advance(int(record["epoch"]) - shown[cell])
            shown[cell] = int(record["epoch"])

        here = workers == 1 and current() is None
        trained = train_here(training, todo, watch) if here else train_apart(training, todo, workers)
        for cell in trained:
            advance(epochs[cell.model] - shown[cell])


def _is_trained(cell: Cell) -> bool:
    """Whether a cell is trained; one whose files are damaged is trained again."""
    damaged = cell.damaged
    if processes.rank() == 0:
        for path, what in damaged.items():
            say(f"{path}: {what}; this cell is trained again")
        if damaged:
            cell.begin_again()
    return cell.finished and not damaged


def _outcome(run: Run) -> Outcome:
    if not run.has("metrics.json"):  # another process of this run writes it
        return Outcome(data={}, text="")
    scored, certificate = run.metrics, run.certificate
    lines = list(run.marks)
    width = max([20, *map(len, scored["models"])])
    name = of_classes(run.classes)[0]
    title = measure_of(name).title
    over = "" if run.named else " over clips, whose speakers are not named,"
    without = scored.get("without_copies")
    for model, splits_of in scored["models"].items():
        part = "test" if "test" in splits_of else "validation"
        found = splits_of[part]
        lines.append(
            f"{model:{width}} {part} {title} {found[name]:.3f} ({_interval(found, f'{name}_', over)}, "
            f"chance {found[f'{name}_chance']:.3f})"
            + (f", validation {splits_of['validation'][name]:.3f}" if part == "test" else "")
        )
        if without and (left := without["models"].get(model)):
            lines.append(f"{'':{width}} {copies.phrase(without)}: {left[name]:.3f} ({_interval(left, f'{name}_')})")
        lines += [f"{'':{width}} {line}" for line in _areas(run, scored.get("auc", {}).get(model, {}))]
        own = [row for row in scored.get(SEEN, []) if (row["model"], row["measure"]) == (model, name)]
        lines += [f"{'':{width}} {seen.sentence(row).removeprefix(f'{model}: ')}" for row in own]
        paper = reference.published(run.experiment, model, reference.RUN, corpus=certificate["corpus"])
        if beside := reference.sentence(paper, (name,), ("test", "validation")):
            lines.append(f"{'':{width}} {beside}")
    lines += [f"not used, {why}: {clips} clips" for why, clips in certificate["left_out"].items()]
    lines += [*certificate["notes"], *outdated(run)]
    report = run.folder / "report.html"
    data = {"run": str(run.folder), "report": str(report), "models": scored["models"], "notes": certificate["notes"]}
    data |= {"marks": run.marks} | ({"without_copies": without} if without else {})
    return Outcome(data=data, text="\n".join([*lines, f"report: {report}"]))


def _areas(run: Run, areas: Mapping[str, Any]) -> Iterator[str]:
    """The mean areas under the ROC curves of a model that learned from another one, whose answers lean to one class."""
    if run.experiment.data.teacher is None:
        return
    for part in ("test", SEEN):
        if (found := areas.get(part)) and found["auc"] is not None:
            kept = listed(found["kept"])
            yield (
                f"{'seen speakers' if part == SEEN else part}, mean AUC of {kept} {found['auc']:.3f} "
                f"({_interval(found)}, chance .5)"
            )


def _interval(found: Mapping[str, Any], name: str = "", over: str = "") -> str:
    """The ends of a score, which has none with fewer than two speakers."""
    low, high = found[f"{name}low"], found[f"{name}high"]
    return "no interval" if low is None else f"95 %{over} {low:.3f} to {high:.3f}"
