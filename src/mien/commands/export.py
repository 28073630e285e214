"""`mien export`: the cells of one model of a run as one small folder with a card, calibrated, for `mien predict`."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mien.audit.recognition.elsewhere import elsewhere as judged_elsewhere
from mien.audit.statistics import calibration, scores
from mien.commands import Outcome
from mien.commands.evaluate import refuse_empty, refuse_known_files, shared_speakers
from mien.common.files import atomic_folder, write_text
from mien.corpora.toy import face
from mien.corpora.toy.config import SENTENCES
from mien.corpora.toy.expression import Expression, express
from mien.corpora.toy.people import EMOTIONS, Person, draw
from mien.corpora.toy.voice import Voice, speak
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.errors import ConfigError, RunError, unknown
from mien.media.faces import Crops, Faces
from mien.media.faces.crops import grey
from mien.reports import card
from mien.runs import exported
from mien.runs.cell import Model
from mien.runs.ensemble import Ensemble, find, planned
from mien.runs.exported import CARD, FILES, WEIGHTS, Description, Unsure
from mien.runs.run import Cell, Run
from mien.runs.tables import AGAIN

COVERAGE = 0.8  # share of validation clips that get an answer, unless another is asked for
NOT_TO_PREDICT = {"provenance", "reference", "axes", "claims"}  # of an experiment
AGREE = 1e-3  # how far half precision may move a probability


def export(
    run: Path | str,
    *,
    out: Path | str,
    name: str | None = None,
    coverage: float = COVERAGE,
    cells: Sequence[str] = (),
    elsewhere: Sequence[Path | str] = (),
    workers: int = 1,
) -> Outcome:
    """Write a folder that predicts without its run: weights, what is needed to rebuild the model, and its card.

    The members are calibrated by one temperature, and get a threshold under which they are unsure; both are chosen on
    the members' validation speakers (see `audit.statistics.calibration`). Scores are those of the run on its test
    speakers, whose calibration is measured with a temperature and a threshold that were chosen without them. The same
    run gives the same bytes. Weights are halved in precision where that moves no probability of toy people by more than
    `AGREE`.
    The folder appears whole or not at all.

    Args:
        run: RUN (the model with the best validation score), RUN/models/MODEL, or the folder of one of its cells, which
            is then taken alone.
        out: the folder to write; an earlier export there is replaced.
        name: what the model is called; the folder's name unless told.
        coverage: share of the validation clips that shall get an answer, above 0 and up to 1.
        cells: folders of the cells to take, such as fold-0-seed-0; all unless told.
        elsewhere: PREPARED folders of corpora that the run did not hear, with labels or without: the card tells how
            often all members together answer there (see `mien.audit.recognition.elsewhere`).
        workers: processes that extract features of those.

    Raises:
        ConfigError: a setting is wrong.
        CorpusError: the PREPARED folder of the run, whose licence the card tells, has gone.
        LeakError: a corpus of `elsewhere` holds files or people of the run.
        RunError: the run is unfinished, has no test speakers, or its model cannot judge media files.
    """
    out = Path(out)
    name = out.absolute().name if name is None else name
    _check(out, name, coverage)
    opened, model, found = find(Path(run))
    if Path(run).resolve() == found[0].folder.resolve():
        cells = _alone(found[0], cells)
    chosen = _chosen(opened, model, found, cells)
    _refuse_without_media(opened, model)
    others = [_unheard(opened, model, folder) for folder in elsewhere]
    validation, test = (_rows(opened, model, chosen, split) for split in ("validation", "test"))
    heard = _heard(opened, chosen)
    if not opened.classes:
        raise ConfigError(
            f"{opened.folder}: its target '{opened.target}' is a number, and an exported model is calibrated over "
            "classes; predict from the run: --model RUN/models/MODEL"
        )
    judged, tested = (calibration.judgements(rows, opened.classes) for rows in (validation, test))
    temperature = round(calibration.temperature(judged), 4)
    calm = judged.probabilities(temperature)
    rule = calibration.rejection(calm, judged.truth, coverage)
    speaker = dict(zip(opened.clips["clip"], opened.clips["speaker"], strict=True))
    nested = calibration.nested(judged, tested, speaker, coverage)
    members, stored = _members(opened, model, chosen)
    ensemble = Ensemble(name, opened.target, opened.classes, "", tuple(members.values()), temperature, rule.threshold)
    for other in others:
        other.extract(workers=workers, copies=False)
    told = Description(
        name=name,
        model=model,
        members=tuple(members),
        target=opened.target,
        classes=opened.classes,
        scheme=opened.experiment.scheme_name,
        temperature=temperature,
        unsure=Unsure(**{key: round(value, 4) for key, value in rule._asdict().items()}),
        scores=card.scored(tested, nested.probabilities, opened, model),
        elsewhere=tuple(judged_elsewhere(ensemble, [cell.fold for cell in chosen], other) for other in others),
        marks=tuple(opened.marks),
        stored=stored,
        sha256="",
        mien=version("mien"),
        commit=opened.environment.get("commit"),
        experiment=next(iter(members.values())).experiment.model_dump(mode="json", exclude=NOT_TO_PREDICT),
    )
    counted = card.members(opened, chosen)
    before = card.calibrated(judged, calm, rule.threshold, opened.clips)
    with atomic_folder(out) as folder:
        told = exported.write_weights(folder, told, members)
        text = card.render(
            told,
            size=(folder / WEIGHTS).stat().st_size,
            command=_command(model, name, coverage, cells, len(others)),
            training=str(opened.environment.get("command", opened.experiment.command)),
            corpora=heard,
            members=counted,
            left_out=opened.certificate["left_out"],
            alone=float(scores.summary(test, opened.classes)["uar"].iloc[0]),
            validation=before,
            test=card.calibrated(tested, nested.probabilities, nested.thresholds, opened.clips),
        )
        write_text(folder / CARD, text)
        exported.write_description(folder, told)
    return _outcome(out, told, before, counted)


def _check(out: Path, name: str, coverage: float) -> None:
    if not 0 < coverage <= 1:
        raise ConfigError(f"--coverage {coverage:g}: a share of the clips, above 0 and up to 1, such as {COVERAGE}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"--name {name}: a model's name is a folder's: letters, digits, '.', '_' and '-' only")
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - set(FILES)):
        raise RunError(f"{out}: holds something else than an exported model; choose another --out")


def _refuse_without_media(run: Run, model: str) -> None:
    """Raise RunError for a model that takes in nothing that a media file has."""
    taken = run.experiment_of(model).features
    if "audio" not in taken and not isinstance(taken["video"][1], Faces):
        raise RunError(
            f"{run.folder}: '{model}' sees columns of a corpus's table alone, which a media file has not; export a "
            "model that hears, or sees the faces of a file"
        )


def _alone(cell: Cell, names: Sequence[str]) -> list[str]:
    """The one cell whose folder is given."""
    if names:
        raise ConfigError(f"--cells: {cell.folder} is one cell; give RUN/models/{cell.model} to choose among its cells")
    return [cell.folder.name]


def _unheard(run: Run, model: str, folder: Path | str) -> Dataset:
    """A corpus from elsewhere, under the feature of a model; refused where the run knows files or people of it."""
    dataset = Dataset.open(run.experiment_of(model).data, run.target, folder)
    refuse_empty(dataset)
    refuse_known_files(run, dataset)
    shared_speakers(run, dataset)
    return dataset


def _chosen(run: Run, model: str, found: Sequence[Cell], names: Sequence[str]) -> list[Cell]:
    """The cells to export, all finished."""
    known = [cell.folder.name for cell in planned(run, model)]
    if strange := [name for name in names if name not in known]:
        raise ConfigError(f"--cells: {unknown('cell', strange[0], known)}")
    wanted = [cell for cell in planned(run, model) if not names or cell.folder.name in names]
    if missing := [cell for cell in wanted if cell not in found]:
        raise RunError(f"{missing[0].folder}: is not trained to the end; {AGAIN} to go on, or choose others by --cells")
    return wanted


def _rows(run: Run, model: str, cells: Sequence[Cell], split: str) -> pd.DataFrame:
    """What some cells predicted on one split."""
    table = run.predictions
    places = {(cell.fold, cell.seed) for cell in cells}
    inside = [place in places for place in zip(table["fold"], table["seed"], strict=True)]
    rows = table[(table["model"] == model) & (table["split"] == split) & np.array(inside, bool)]
    if rows.empty:
        raise RunError(f"{run.folder}: has no predictions of '{model}' on {split} speakers, which the card needs")
    return rows


def _heard(run: Run, cells: Sequence[Cell]) -> list[card.TrainingCorpus]:
    """Each corpus that the run was trained on, as far as some cells learned from it."""
    folder = run.experiment.data.prepared
    if folder is None:
        raise RunError(f"{run.folder}: its experiment names no PREPARED folder, whose licence the card needs")
    corpus = Joined.open(folder) if isinstance(folder, dict) else Prepared.open(folder)
    if corpus.card["hash"] != run.certificate["corpus_hash"]:
        raise RunError(f"{corpus.place}: holds another corpus than {run.folder} was trained on; prepare that one again")
    folds = {cell.fold for cell in cells}
    learned = {clip for fold in run.splits if fold["fold"] in folds for clip in fold["train"]["clips"]}
    used = run.clips[run.clips["clip"].isin(learned)]
    if isinstance(corpus, Prepared):
        return [card.training_corpus(corpus.card["name"], corpus.card, used)]
    return [card.training_corpus(name, part.card, used[used["corpus"] == name]) for name, part in corpus.parts.items()]


def _members(run: Run, model: str, cells: Sequence[Cell]) -> tuple[dict[str, Model], Literal["float32", "float16"]]:
    """The models by the names of their cells, and the precision in which they may be stored."""
    cpu = torch.device("cpu")
    whole = {
        cell.folder.name: exported.predictor(Model.load(run.experiment_of(model), cell, cpu), model) for cell in cells
    }
    halved = {name: exported.rounded(member) for name, member in whole.items()}
    one, other = (_said(Ensemble(model, run.target, run.classes, "", tuple(part.values()))) for part in (whole, halved))
    return (halved, "float16") if np.abs(one - other).max() <= AGREE else (whole, "float32")


def _said(ensemble: Ensemble) -> NDArray[np.float64]:
    """The probabilities (n, K) of toy people: by voice, by face, and by both, as far as the model takes them in."""
    spoken, rng = _utterances(), np.random.default_rng(1)
    nothing = [None] * len(spoken)
    voices: Sequence[NDArray[np.float32] | None] = nothing
    faces: Sequence[Crops | None] = nothing
    if "audio" in ensemble.modalities:
        voices = ensemble.voices([one.voice.samples for one in spoken])
    if ensemble.faces is not None:
        faces = [_face(one, ensemble.faces, rng) for one in spoken]
    said = [ensemble.judge(voices, faces)]
    if voices is not nothing and faces is not nothing:
        said += [ensemble.judge(voices, nothing), ensemble.judge(nothing, faces)]
    return np.concatenate(said)


class _Utterance(NamedTuple):
    person: Person
    expression: Expression
    voice: Voice


def _utterances() -> list[_Utterance]:
    """A dozen sentences of toy people, the same on every call."""
    rng = np.random.default_rng(0)
    told = []
    for person, sentence in zip(draw(2, rng), SENTENCES, strict=False):
        for emotion in EMOTIONS:
            shown = express(emotion, 1.0, 0.1, rng)
            told.append(_Utterance(person, shown, speak(sentence, person, shown, seconds=2.0, snr=30.0, rng=rng)))
    return told


def _face(one: _Utterance, config: Faces, rng: np.random.Generator) -> Crops:
    """The face of who speaks, as large as the model sees faces."""
    rate = 1 / config.every
    frames = face.draw(one.person, one.expression, face.move(one.voice.openings(rate), rate, rng), config.size, rng)
    pixels = frames.transpose(0, 3, 1, 2)
    shown = np.stack([grey(frame) for frame in pixels]) if config.colour == "grey" else pixels
    return Crops(np.ascontiguousarray(shown), np.zeros(len(shown), np.uint8), config.every)


def _command(model: str, name: str, coverage: float, cells: Sequence[str], others: int) -> str:
    """The line that does the same again, without places of this machine."""
    parts = [f"mien export RUN/models/{model} --out {name} --coverage {coverage:g}"]
    parts += ["--cells", *cells] if cells else []
    return " ".join([*parts, "--elsewhere", *["PREPARED"] * others] if others else parts)


def _whom(counted: card.Members) -> str:
    """On whom the score was taken."""
    if not counted.seen:
        return "unheard speakers"
    return f"test speakers, {counted.seen} of {counted.tested} heard in training"


def _outcome(out: Path, told: Description, validation: card.Calibrated, counted: card.Members) -> Outcome:
    score, size = told.scores[0], sum((out / name).stat().st_size for name in FILES)
    members = f"{len(told.members)} member" + ("s" if len(told.members) > 1 else "")
    lines = [
        f"{told.name}: {members}, {len(told.classes)} classes, {size / 1e6:.1f} MB, {told.stored}",
        *(f"marked: {mark}" for mark in told.marks),
        f"{_whom(counted)}: UAR {score.uar:.3f}, chance {score.uar_chance:.3f}",
        f"temperature {told.temperature:.3f}; calibration error on validation {validation.error:.3f}, then "
        f"{validation.error_after:.3f}",
        f"unsure below {told.unsure.threshold:.3f}: answers {told.unsure.coverage:.1%} of the validation clips, "
        f"{told.unsure.accuracy:.1%} of these rightly",
        *(
            f"{other.corpus}, not heard: answers {other.coverage:.1%} of {other.clips} clips; the members of one fold "
            f"alone {other.coverage_of_a_fold:.1%}"
            for other in told.elsewhere
        ),
        f"written: {out}",
    ]
    data = {"folder": str(out), "size": size, **told.model_dump(mode="json", exclude={"experiment"})}
    return Outcome(data=data, text="\n".join(lines))
