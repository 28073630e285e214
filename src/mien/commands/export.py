"""`mien export`: the cells of one model as a small folder for `mien predict`, calibrated, with a model card."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch

from mien import features
from mien.audit import model_card
from mien.audit.recognition import plain as plain_speech
from mien.audit.recognition.derived import derived
from mien.audit.recognition.elsewhere import elsewhere as scored_elsewhere
from mien.audit.statistics import calibration, scores
from mien.commands import Outcome
from mien.common import manifests
from mien.common.files import atomic_folder, require_folder, write_json, write_text
from mien.common.locks import writing
from mien.common.units import units
from mien.data import published
from mien.data.dataset import Dataset
from mien.errors import ConfigError, RunError, unknown
from mien.experiments.experiment import Experiment
from mien.features import images
from mien.media.faces import Faces
from mien.reports import card
from mien.reports.front_matter import with_front_matter
from mien.reports.sections.derived import meaning
from mien.runs import exported, exporting, tracing
from mien.runs.cell import Model
from mien.runs.corpus import moved, open_corpus
from mien.runs.description import Began, Description, FrontEnd, LeftOut, Trained, Unsure
from mien.runs.ensemble import Ensemble
from mien.runs.exported import CARD, DESCRIPTION, FILES, WEIGHTS
from mien.runs.other_corpus import refuse_empty, refuse_known_files, shared_speakers
from mien.runs.run import Cell, Run
from mien.runs.selection import find, of_model, refuse_other_inputs, shortest_sound
from mien.runs.synthetic import on_synthetic_speakers
from mien.runs.tables import AGAIN

COVERAGE = 0.8  # default share of the validation clips that get an answer
PLAIN_LIMIT = 0.1  # default share of the windows of plain speech that get an emotion other than neutral
NOT_TO_PREDICT = {"provenance", "reference", "axes", "claims", "choose"}  # of an experiment
OF_THE_SAME = ("title", "target", "recipe", "encoder", "models", "data", "training", "optimiser")  # experiment
AGREE = 1e-3  # the largest change of a probability by half precision that is accepted


def export(
    run: Path | str,
    overrides: Sequence[str] = (),
    *,
    out: Path | str,
    name: str | None = None,
    coverage: float = COVERAGE,
    cells: Sequence[str] = (),
    elsewhere: Sequence[Path | str] = (),
    left_out: Sequence[Path | str] = (),
    plain: Sequence[Path | str] = (),
    plain_limit: float = PLAIN_LIMIT,
    workers: int = 1,
    onnx: bool = False,
) -> Outcome:
    """Write a folder that predicts without its run: weights, the settings to rebuild the model, and a model card.

    The members (cells) share one temperature and one threshold below which the answer is unsure. Both are chosen on
    the members' validation speakers (see `audit.statistics.calibration`); `plain` may raise the threshold. The card
    gives the run's scores on its test speakers; their calibration is measured with a temperature and a threshold that
    were chosen without them. The same run gives the same bytes. Weights are stored in half precision where that changes
    no probability on synthetic utterances by more than `AGREE`. The folder is written completely or not at all.

    Args:
        run: RUN (its model with the best validation score), RUN/models/MODEL, or the folder of one cell, which is then
            exported alone. With `onnx` alone also a folder that was exported before, or the name of a model that comes
            with mien; it is copied.
        overrides: `data.prepared=PREPARED` where the run's corpus was moved since it was trained.
        out: the folder to write; an earlier export there is replaced.
        name: name of the model; by default that of the folder.
        coverage: share of the validation clips that get an answer, above 0 and up to 1.
        cells: folders of the cells to export, such as fold-0-seed-0; by default all.
        elsewhere: PREPARED folders of corpora that the run was not trained on, with or without labels: the card reports
            how often all members together answer there (see `mien.audit.recognition.elsewhere`).
        left_out: exports of runs of the same experiment on some of this run's corpora, each exported with `elsewhere`
            on a corpus that it lacks: the card reports what they do there, which for this model cannot be measured.
        plain: PREPARED folders of plain speech, without acted emotion, that the run was not trained on, with four or
            more speakers each. Half of them raise the threshold where needed, and the card reports what it gives on the
            other half (see `mien.audit.recognition.plain`).
        plain_limit: the greatest share of the windows of plain speech that get an emotion other than neutral, above 0
            and up to 1.
        workers: number of processes that extract features of `elsewhere`.
        onnx: whether the model is also written as `model.onnx`, by which it predicts without torch (`runs.graph`), and
            as a model of audonnx.

    Raises:
        BusyError: another process writes to `out`.
        ConfigError: a setting is wrong, or a corpus of `plain` is of acted speech.
        CorpusError: the PREPARED folder of the run, whose licence stands on the card, is missing; see `overrides`.
        LeakError: a corpus of `elsewhere` or `plain` has files or speakers of the run.
        RunError: the run is unfinished, has no test speakers, was trained on another corpus than lies there, or its
            model cannot classify media files.
    """
    with writing(out, "mien export", whole=True):
        return _export(
            run,
            overrides,
            Path(out),
            name,
            coverage,
            cells,
            elsewhere,
            left_out,
            plain,
            plain_limit,
            workers=workers,
            onnx=onnx,
        )


def _export(
    run: Path | str,
    overrides: Sequence[str],
    out: Path,
    name: str | None,
    coverage: float,
    cells: Sequence[str],
    elsewhere: Sequence[Path | str],
    left_out: Sequence[Path | str],
    plain: Sequence[Path | str],
    plain_limit: float,
    *,
    workers: int,
    onnx: bool,
) -> Outcome:
    run = exported.locate(run) if str(run) in exported.packaged() else Path(run)
    if exported.is_exported(run):
        given = {
            "--name": name,
            "--cells": cells,
            "--elsewhere": elsewhere,
            "--left-out": left_out,
            "--plain": plain,
            "overrides": overrides,
        }
        return _copied(run, out, onnx, [option for option, value in given.items() if value])
    _check(out, name, coverage, plain_limit)
    name = out.absolute().name if name is None else name
    opened, model, found, missing = find(run, partial=True)
    _refuse_inside(out, opened.folder)
    opened = moved(opened, overrides)
    if run.resolve() == found[0].folder.resolve():
        cells = _alone(found[0], cells)
    chosen = _chosen(opened, model, missing, cells)
    refuse_other_inputs(opened, chosen)
    trained = opened.experiment_at(chosen[0])
    _refuse_without_media(opened, model, trained)
    others = [_unseen(opened, trained, folder) for folder in elsewhere]
    read = [_unseen(opened, trained, folder) for folder in plain]
    for other in read:
        plain_speech.refuse_acted(other)
    validation, test = (_rows(opened, model, chosen, split) for split in ("validation", "test"))
    corpora = _corpora(opened, chosen)
    if not opened.classes:
        raise ConfigError(
            f"{opened.folder}: its target '{opened.target}' is a number, and an exported model is calibrated over "
            "classes; predict from the run: --model RUN/models/MODEL"
        )
    validated, tested = (calibration.member_predictions(rows, opened.classes) for rows in (validation, test))
    temperature = round(calibration.temperature(validated), 4)
    calm = validated.probabilities(temperature)
    by_coverage = calibration.rejection(calm, validated.truth, coverage)
    speaker = dict(zip(opened.clips["clip"], units(opened.clips), strict=True))
    nested = calibration.nested(validated, tested, speaker, coverage)
    members, stored = _members(opened, model, chosen)
    ensemble = Ensemble(name, opened.target, opened.classes, "", tuple(members.values()), temperature=temperature)
    shortest = shortest_sound(opened, chosen)
    listened = [plain_speech.listen(replace(ensemble, shortest=shortest), other) for other in read]
    quiet = [plain_speech.threshold(one, opened.classes, plain_limit) for one in listened]
    rule = calibration.rejected(calm, validated.truth, max([by_coverage.threshold, *quiet]))
    ensemble = replace(ensemble, unsure=rule.threshold)
    for other in others:
        other.extract(workers=workers, copies=False)
    settings = {member: exporting.placeless(one.experiment, NOT_TO_PREDICT) for member, one in members.items()}
    first = settings[chosen[0].folder.name]
    without = [one for place in left_out for one in _left_out(Path(place), first, [part.name for part in corpora])]
    description = Description(
        name=name,
        model=model,
        members=tuple(members),
        target=opened.target,
        classes=opened.classes,
        scheme=opened.experiment.scheme_name,
        derived=_meaning(opened, chosen),
        temperature=temperature,
        unsure=_unsure(rule),
        by_coverage=_unsure(by_coverage) if rule.threshold > by_coverage.threshold else None,
        trained=tuple(
            Trained(corpus=one.name, speech=one.speech, clips=one.clips, speakers=one.speakers) for one in corpora
        ),
        began=tuple(
            Began(encoder=modality, file=file, sha256=digest) for modality, (file, digest) in trained.began.items()
        ),
        front_ends=tuple(
            FrontEnd(
                feature=name,
                model=config.title,
                sha256=str(config.sha256),
                seen_corpora=config.seen_corpora or (),
            )
            for name, config in trained.data.front_ends
            if (name, config) in trained.inputs(model).values()
        ),
        taught=trained.data.teacher is not None,
        plain=tuple(
            plain_speech.plain(one, ensemble, limit=plain_limit, before=by_coverage.threshold) for one in listened
        ),
        scores=model_card.scored(tested, nested.probabilities, opened, model),
        elsewhere=tuple(scored_elsewhere(ensemble, [cell.fold for cell in chosen], other) for other in others),
        left_out=tuple(without),
        marks=tuple(opened.marks),
        shortest=shortest,
        stored=stored,
        sha256="",
        mien=version("mien"),
        commit=opened.environment.get("commit"),
        experiment=first,
        experiments={name: own for name, own in settings.items() if own != first},
    )
    counted = model_card.members(opened, chosen)
    before = model_card.calibrated(validated, calm, rule.threshold, opened.clips)
    thresholds = np.maximum(nested.thresholds, max(quiet, default=0.0))
    with atomic_folder(out) as folder:
        description = exporting.write_weights(folder, description, members)
        if onnx:
            identity = exported.identity(description.model_dump(mode="json"))
            graph = tracing.write_graph(folder, description, members, identity)
            description = description.model_copy(update={"graph": graph})
        text = card.render(
            description,
            size=(folder / WEIGHTS).stat().st_size,
            command=_command(model, name, coverage, cells, len(others), len(left_out), len(read), plain_limit, onnx),
            training=str(opened.environment.get("command", opened.experiment.command)),
            corpora=corpora,
            members=counted,
            recalls=model_card.recalls(tested, nested.probabilities, opened.classes),
            left_out=opened.certificate["left_out"],
            alone=float(scores.summary(test, opened.classes)["uar"].iloc[0]),
            validation=before,
            test=model_card.calibrated(tested, nested.probabilities, thresholds, opened.clips),
            test_by_coverage=model_card.calibrated(tested, nested.probabilities, nested.thresholds, opened.clips),
            protocol=_published(opened),
        )
        write_text(folder / CARD, with_front_matter(text, description))
        exporting.write_description(folder, description)
        exported.seal(folder)
    return _outcome(out, description, before, counted, plain_speech.doubts(read, opened.classes))


def _published(run: Run) -> list[str]:
    """Sentences on the protocol of a run, where others published it."""
    own = run.experiment.protocol.published
    return [] if own is None else published.notes(own, set(run.clips[own.of][run.clips["label"].notna()]))


def _copied(folder: Path, out: Path, onnx: bool, given: Sequence[str]) -> Outcome:
    """A folder that was exported before, with its graph."""
    if not onnx:
        raise ConfigError(f"{folder}: is an exported model already; give --onnx to add its graph, or a RUN")
    if given:
        raise ConfigError(
            f"{given[0]}: belongs to the export of a RUN, and {folder} is an exported model; leave it out"
        )
    _refuse_inside(out, folder)
    _refuse_other(out)
    description, members = exporting.read(folder, torch.device("cpu"))
    with atomic_folder(out) as written:
        shutil.copyfile(folder / WEIGHTS, written / WEIGHTS)
        raw, named = exported.raw(folder), dict(zip(description.members, members, strict=True))
        graph = tracing.write_graph(written, description, named, exported.identity(raw))
        described = description.model_copy(update={"graph": graph})
        text = _with_step((folder / CARD).read_text(encoding="utf-8"), description.name)
        write_text(written / CARD, with_front_matter(text, described))
        write_json(written / DESCRIPTION, raw | {"graph": graph.model_dump(mode="json")})
        exported.seal(written)
    size = sum(path.stat().st_size for path in out.iterdir())
    data = {"folder": str(out), "size": size, "graph": graph.sha256}
    text = f"{description.name}: answers by its graph as by torch, {size / 1e6:.1f} MB in all\nwritten: {out}"
    return Outcome(data=data, text=text)


def _with_step(text: str, name: str) -> str:
    """A card that says by which command the graph was added, where an export without `--onnx` is the last."""
    before, heading, after = text.partition("\n## How it was made\n")
    lines = after.split("\n")
    last = max((number for number, line in enumerate(lines) if line.startswith("mien export ")), default=None)
    if last is None or "--onnx" in lines[last].split():
        return text
    return (
        before
        + heading
        + "\n".join([*lines[: last + 1], f"mien export {name} --onnx --out {name}", *lines[last + 1 :]])
    )


def _check(out: Path, name: str | None, coverage: float, plain_limit: float) -> None:
    if not 0 < coverage <= 1:
        raise ConfigError(
            f"--coverage {coverage:g}: must be a share of the clips, above 0 and up to 1, such as {COVERAGE}"
        )
    if not 0 < plain_limit <= 1:
        raise ConfigError(
            f"--plain-limit {plain_limit:g}: must be a share of the windows, above 0 and up to 1, such as {PLAIN_LIMIT}"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", out.absolute().name if name is None else name):
        rule = "a model's name is a folder's: letters, digits, '.', '_' and '-' only"
        raise ConfigError(f"--out {out}: {rule}; give --name" if name is None else f"--name {name}: {rule}")
    _refuse_other(out)


def _refuse_other(out: Path) -> None:
    """Raise RunError for a folder that holds anything but an exported model."""
    require_folder(out)
    if out.exists() and ({path.name for path in out.iterdir()} - {*FILES, *exported.OTHERS, manifests.NAME}):
        raise RunError(f"{out}: is not an exported model; choose another --out")


def _refuse_inside(out: Path, source: Path) -> None:
    """Raise ConfigError for a folder within the one that is exported."""
    if source.resolve() in out.resolve().parents:
        raise ConfigError(f"--out {out}: lies in {source}, which is exported; choose a folder outside of it")


def _unsure(rule: calibration.Rejection) -> Unsure:
    """A rule as it is written; without an answer its accuracy is 0."""
    accuracy = 0.0 if np.isnan(rule.accuracy) else rule.accuracy
    return Unsure(threshold=round(rule.threshold, 4), coverage=round(rule.coverage, 4), accuracy=round(accuracy, 4))


def _refuse_without_media(run: Run, model: str, experiment: Experiment) -> None:
    """Raise RunError for a model whose inputs no media file has."""
    inputs = experiment.inputs(model)
    for name, _ in [*inputs.values()][: 1 if "audio" in inputs else None]:
        if features.source_of(name) == "files":
            raise RunError(
                f"{run.folder}: '{model}' reads {name}, vectors from files of yours, which a media file does not have; "
                "export a model of sound or faces"
            )
    if "audio" not in inputs and not isinstance(inputs["video"][1], (Faces, images.Config)):
        what = features.without_media(inputs["video"][0])
        raise RunError(
            f"{run.folder}: the inputs of '{model}' are {what}, which a media file does not have; export a model of "
            "sound or faces"
        )


def _alone(cell: Cell, names: Sequence[str]) -> list[str]:
    """The one cell whose folder is given."""
    if names:
        raise ConfigError(f"--cells: {cell.folder} is one cell; give RUN/models/{cell.model} to choose among its cells")
    return [cell.folder.name]


def _unseen(run: Run, experiment: Experiment, folder: Path | str) -> Dataset:
    """An unseen corpus, with the features of a model; refused where run and corpus share files or speakers."""
    dataset = Dataset.open(experiment.data, run.target, folder, run.cache)
    refuse_empty(dataset)
    refuse_known_files(run, dataset)
    shared_speakers(run, dataset)
    return dataset


def _chosen(run: Run, model: str, missing: Mapping[str, str], names: Sequence[str]) -> list[Cell]:
    """The cells to export, all finished; `missing` are those that are not, and why."""
    known = [cell.folder.name for cell in of_model(run, model)]
    if strange := [name for name in names if name not in known]:
        raise ConfigError(f"--cells: {unknown('cell', strange[0], known)}")
    wanted = [cell for cell in of_model(run, model) if not names or cell.folder.name in names]
    if lost := [cell for cell in wanted if cell.folder.name in missing]:
        why = missing[lost[0].folder.name]
        raise RunError(f"{lost[0].folder}: {why}; {AGAIN}, which trains it, or choose others by --cells")
    return wanted


def _rows(run: Run, model: str, cells: Sequence[Cell], split: str) -> pd.DataFrame:
    """The predictions of some cells on one split."""
    table = run.predictions
    places = {(cell.fold, cell.seed) for cell in cells}
    inside = [place in places for place in zip(table["fold"], table["seed"], strict=True)]
    rows = table[(table["model"] == model) & (table["split"] == split) & np.array(inside, bool)]
    if rows.empty:
        raise RunError(f"{run.folder}: has no predictions of '{model}' on {split} speakers, and the card needs them")
    return rows


def _corpora(run: Run, cells: Sequence[Cell]) -> list[model_card.TrainingCorpus]:
    """Each training corpus of the run, with the clips that the cells were trained on."""
    corpus = open_corpus(run)
    trained = {clip for cell in cells for clip in run.trained_on(cell)}
    used = run.clips[run.clips["clip"].isin(trained)]
    return [
        model_card.training_corpus(name or part.called, part.card, corpus.rows(name, used))
        for name, part in corpus.parts.items()
    ]


def _members(run: Run, model: str, cells: Sequence[Cell]) -> tuple[dict[str, Model], Literal["float32", "float16"]]:
    """The models by the names of their cells, and the precision in which they are stored."""
    cpu = torch.device("cpu")
    whole = {
        cell.folder.name: exporting.predictor(Model.load(run.experiment_at(cell), cell, cpu), model) for cell in cells
    }
    halved = {name: exporting.rounded(member) for name, member in whole.items()}
    one, other = (
        on_synthetic_speakers(Ensemble(model, run.target, run.classes, "", tuple(part.values())))
        for part in (whole, halved)
    )
    return (halved, "float16") if np.abs(one - other).max() <= AGREE else (whole, "float32")


def _left_out(folder: Path, experiment: Mapping[str, object], corpora: Sequence[str]) -> list[LeftOut]:
    """What an export says of the corpora of this run that it was not trained on.

    Raises:
        ConfigError: it is of another experiment, was not trained on fewer of the run's corpora, or says nothing of
            those that it lacks.
    """
    own = exported.describe(folder)
    if differing := [key for key in OF_THE_SAME if own.experiment.get(key) != experiment[key]]:
        raise ConfigError(
            f"--left-out {folder}: its '{differing[0]}' is another than that of this run; give exports of runs of the "
            "same experiment, with a corpus less"
        )
    trained = tuple(one.corpus for one in own.trained)
    if not set(trained) < set(corpora):
        raise ConfigError(
            f"--left-out {folder}: was trained on {', '.join(trained)}, and this run on {', '.join(corpora)}; give "
            "exports of runs on some of these corpora"
        )
    lacking = sorted(set(corpora) - set(trained))
    found = [LeftOut(trained=trained, other=one) for one in own.elsewhere if one.corpus in lacking]
    if not found:
        tried = ", ".join(one.corpus for one in own.elsewhere) or "none"
        raise ConfigError(
            f"--left-out {folder}: says nothing of {' or '.join(lacking)}, on which it was not trained; export it "
            f"again with --elsewhere PREPARED of that corpus, under this name (tried on: {tried})"
        )
    return found


def _meaning(run: Run, cells: Sequence[Cell]) -> str | None:
    """What the classes are derived from, in words; None where they are not derived from numbers."""
    found = derived(run, cells).get(run.target)
    return None if found is None else meaning(found)


def _command(
    model: str,
    name: str,
    coverage: float,
    cells: Sequence[str],
    others: int,
    left_out: int,
    read: int,
    plain_limit: float,
    onnx: bool,
) -> str:
    """The command line of this export, without paths."""
    parts = [f"mien export RUN/models/{model} --out {name} --coverage {coverage:g}"]
    parts += ["--cells", *cells] if cells else []
    parts += ["--elsewhere", *["PREPARED"] * others] if others else []
    parts += ["--left-out", *["EXPORTED"] * left_out] if left_out else []
    parts += ["--plain", *["PREPARED"] * read, f"--plain-limit {plain_limit:g}"] if read else []
    parts += ["--onnx"] if onnx else []
    return " ".join(parts)


def _whom(counted: model_card.Members) -> str:
    """The speakers that the score was computed on."""
    if not counted.learned:
        return "test clips, whose speakers are not named"
    if not counted.seen:
        return "unseen speakers"
    return f"test speakers, {counted.seen} of {counted.tested} seen in training"


def _outcome(
    out: Path,
    made: Description,
    validation: model_card.Calibrated,
    counted: model_card.Members,
    notes: Sequence[str],
) -> Outcome:
    score, size = made.scores[0], sum(path.stat().st_size for path in out.iterdir())
    members = f"{len(made.members)} member" + ("s" if len(made.members) > 1 else "")
    lines = [
        f"{made.name}: {members}, {len(made.classes)} classes, {size / 1e6:.1f} MB, {made.stored}",
        *made.marks,
        f"{_whom(counted)}: UAR {score.uar:.3f}, chance {score.uar_chance:.3f}",
        f"temperature {made.temperature:.3f}; calibration error on validation {validation.error:.3f}, then "
        f"{validation.error_after:.3f}",
        f"unsure below {made.unsure.threshold:.3f}: answers {made.unsure.coverage:.1%} of the validation clips, "
        f"{made.unsure.accuracy:.1%} of these correctly",
        *(
            f"{other.corpus}, not trained on: answers {other.coverage:.1%} of {other.clips} clips; the members of one "
            f"fold alone {other.coverage_of_a_fold:.1%}"
            for other in made.elsewhere
        ),
        *(
            f"{one.other.corpus}, by a model of {' and '.join(one.trained)}: UAR {one.other.score.uar:.3f}, chance "
            f"{one.other.score.uar_chance:.3f}"
            for one in made.left_out
            if one.other.score
        ),
        *(
            f"{one.corpus}, plain speech: an emotion other than neutral in {one.after.emotions:.1%} of the windows of "
            f"{one.speakers} speakers; {one.before.emotions:.1%} with a threshold of {one.before.threshold:.3f}"
            for one in made.plain
        ),
        *(f"note: {note}" for note in notes),
        f"written: {out}",
    ]
    data = {
        "folder": str(out),
        "size": size,
        "notes": list(notes),
        **made.model_dump(mode="json", exclude={"experiment", "experiments"}),
    }
    return Outcome(data=data, text="\n".join(lines))
