"""The answers of a model on media files: one is read in this process, several in worker processes.

Where a decoder crashes, hangs or eats memory, the process is lost with the file, and no other file is.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from math import isfinite
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from mien import features
from mien.common.progress import Advance, progress
from mien.common.workers import Lost, spread
from mien.errors import ConfigError, MediaError, unknown
from mien.media import activity, headers
from mien.media.containers import probe
from mien.media.faces import Faces, choices
from mien.media.limits import Limits, held, of_process
from mien.media.pictures import picture_size
from mien.media.tracks import heard_instead
from mien.runs import opening, timeline
from mien.runs.answers import LEAST, Answers, answers, least_sound
from mien.runs.late_fusion import LateFusion
from mien.runs.one_model import OneModel
from mien.runs.predictor import Predictor
from mien.runs.timeline import Prediction

LONG = 60  # seconds from which the progress of a single file is shown
LARGE = 720  # px of a picture's shorter side: crops of one face are smaller, whole scenes are not
NOT_LOOKED = "faces are not looked for, which needs an extra: pip install 'mien[faces]'"


class Asked(NamedTuple):
    """The settings of a call of `mien predict`, for the processes that read its files.

    Attributes:
        models: folder of the model; or of a model of voices and one of faces, for films that have both.
        device: as `commands.predict.predict` takes it, like all that follow.
        threads: of torch, in each process.
        unsure: threshold; None for the model's own.
        window: seconds.
        hop: seconds.
        voice_activity: finds silence.
        speaker: which of several faces is classified.
        faces: the face detector; None for that of the model's training.
        partial: whether cells of a run may be missing.
        call: another text in each call.
        limits: on each file.
    """

    models: tuple[Path, ...]
    device: str
    threads: int
    unsure: float | None
    window: float
    hop: float
    voice_activity: activity.Kind
    speaker: timeline.Choice
    faces: str | None
    partial: bool
    call: str
    limits: Limits = Limits()


class Read(NamedTuple):
    """The answers on a file that could be read, and sentences on it."""

    answers: Answers
    notes: list[str]


def open_model(asked: Asked) -> Predictor:
    """The model with the threshold that is asked for; raises ConfigError where a setting does not fit it."""
    opened = [opening.open_model(folder, asked.device, asked.threads, partial=asked.partial) for folder in asked.models]
    for one in opened:
        refuse_files(one)
    ensemble = limited(opened[0] if len(opened) == 1 else LateFusion(*opened), asked.window, asked.unsure)
    _faces(ensemble, asked)
    return ensemble


def refuse_files(model: OneModel) -> None:
    """Raise ConfigError for a model of vectors from files."""
    if model.from_files:
        raise ConfigError(
            f"{model.name} reads {model.from_files}, vectors from files, which a media file does not have; give a "
            "model of sound or faces"
        )


def check_windows(window: float, hop: float, unsure: float | None) -> None:
    """Raise ConfigError for windows or a threshold that no model takes.

    Args:
        window: seconds; a finite number.
        hop: seconds, `LEAST` or more and at most `window`.
        unsure: a probability from 0 to 1; None for the model's own.
    """
    for name, seconds in {"window": window, "hop": hop}.items():
        if not _is_number(seconds) or not isfinite(seconds):
            raise ConfigError(f"--{name} {seconds!r}: a number of seconds is needed")
    if not LEAST <= hop <= window:
        raise ConfigError(
            f"--hop {hop:g} with --window {window:g}: the hop must be {LEAST} s or more, and not longer than the window"
        )
    if unsure is not None and not (_is_number(unsure) and 0 <= unsure <= 1):
        given = f"{unsure:g}" if _is_number(unsure) else repr(unsure)
        raise ConfigError(f"--unsure {given}: a probability from 0 (never unsure) to 1")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def limited(model: Predictor, window: float, unsure: float | None) -> Predictor:
    """The model with the threshold that is asked for; ConfigError where that or the window does not fit it."""
    if unsure is not None:
        if not model.classes:
            raise ConfigError(f"--unsure: {model.name} predicts a number, {model.target}; leave it out")
        model = model.with_threshold(unsure)
    if model.longest is not None and window > model.longest:
        raise ConfigError(f"--window {window:g}: the model uses only the middle {model.longest:g} s; give that or less")
    return model


_opened_once = lru_cache(maxsize=1)(open_model)  # in a worker; not across calls, between which a model may change


def check_looked(faces: str | None, speaker: str) -> None:
    """Raise ConfigError for a face detector, or a choice among several faces, that there is not."""
    if speaker not in (known := get_args(timeline.Choice)):
        raise ConfigError(f"--speaker: {unknown('choice', speaker, known)}")
    if faces is not None and faces not in choices():
        raise ConfigError(f"--faces: {unknown('face detector', faces, choices())}")


def has_pictures(file: Path) -> bool:
    """Whether a file has pictures; not where it cannot be read, which is reported when it is."""
    if file.is_file() and headers.is_sound_alone(file):  # opening each of many sounds once more would count
        return False
    try:
        return picture_size(file) is not None
    except MediaError:
        return False


def read_all(
    files: Sequence[Path], asked: Asked, ensemble: Predictor, workers: int
) -> Iterator[tuple[Path, Read | MediaError]]:
    """Read files: a single one in this process, several in worker processes.

    Args:
        files: each once.
        asked: the settings.
        ensemble: the model that they open.
        workers: number of processes.

    Yields:
        A file with its answers, or with the error where it cannot be read or ended its process; in any order.
    """
    if len(files) == 1:
        with progress(_seconds(files[0]), "predicting", "seconds") as advance:
            yield files[0], read_one(files[0], asked, ensemble, advance)
        return
    work, chunks = partial(_in_worker, asked=asked), [[file] for file in files]
    with progress(len(files), "predicting", "files") as advance:
        for (file,), result in spread(work, chunks, workers=min(workers, len(files)), limits=of_process()):
            yield file, MediaError(file, result.problem) if isinstance(result, Lost) else result
            advance()


def _in_worker(files: Sequence[Path], *, asked: Asked) -> Read | MediaError:
    """Read the one file of a chunk in a worker process."""
    (file,) = files
    return read_one(file, asked, _opened_once(asked))


def _seconds(file: Path) -> int:
    """The length of a file whose progress is shown; 0 for a short one, or one that cannot be read."""
    try:
        seconds = int(probe(file).seconds)
    except MediaError:
        return 0
    return seconds if seconds >= LONG else 0


def _counted(predicted: Iterable[Prediction], advance: Advance) -> Iterator[Prediction]:
    """The predictions, whose seconds are counted as done when they come."""
    done = 0
    for one in predicted:
        advance(max(0, int(one.end) - done))
        done = max(done, int(one.end))
        yield one


def read_one(file: Path, asked: Asked, ensemble: Predictor, advance: Advance | None = None) -> Read | MediaError:
    """Read a file; the error where that cannot be done."""
    try:
        with held(asked.limits):
            return _read(file, asked, ensemble, advance)
    except MediaError as error:
        return error


def _read(file: Path, asked: Asked, ensemble: Predictor, advance: Advance | None) -> Read:
    least = 0.0 if asked.unsure == 0 else least_sound(ensemble)
    faces, opened = _faces(ensemble, asked), ensemble
    if isinstance(ensemble, LateFusion) and picture_size(file) is None:
        ensemble, faces = ensemble.voice, None
    detect = activity.detector(asked.voice_activity, ensemble.rate)
    predicted = timeline.predictions(
        file,
        ensemble,
        faces,
        window=asked.window,
        hop=asked.hop,
        detect=detect,
        speaker=asked.speaker,
        least=least if isinstance(ensemble, LateFusion) else 0.0,
    )
    if advance is not None:
        predicted = _counted(predicted, advance)
    found = answers(file, predicted, ensemble, least, asked=opened)
    return Read(found, list(_notes(file, found, ensemble, faces, least)))


def _notes(file: Path, found: Answers, ensemble: Predictor, faces: Faces | None, least: float) -> Iterator[str]:
    """Sentences on a file: what of it is too short, silent, or taken for a face."""
    if found.brief:
        yield _too_short(file, found, least, ensemble)
    used = found.whole["modality"].split("+")
    if "audio" in ensemble.modalities and "audio" not in used and (other := heard_instead(file)):
        yield f"{file}: is silent; {other}"
    if isinstance(ensemble, LateFusion) and "video" not in used:
        yield f"{file}: no face was found in it; {ensemble.voice.name} answers"
    if faces is not None and faces.faces == "whole-frame" and "video" in used:
        size = picture_size(file)
        if size is not None and min(size) >= LARGE:
            yield (
                f"{file}: each whole picture ({size[0]} x {size[1]}) is taken for one face; where it shows more, "
                "--faces auto looks for the faces in it"
            )


def _too_short(file: Path, found: Answers, least: float, ensemble: Predictor) -> str:
    windows = len({row["start"] for row in found.rows})
    seconds = found.whole["seconds"]
    what = f"lasts {seconds:.3g} s" if windows == 1 else f"{found.brief} of its {windows} windows are too short"
    name = ensemble.part("audio").name
    half = f", half of the shortest sound that {name} was trained on," if ensemble.shortest else ""
    answer = "the answer is unsure" if ensemble.classes else f"its {ensemble.target} says little"
    return f"{file}: {what}: below {least:.3g} s{half} {answer}"


def _faces(ensemble: Predictor, asked: Asked) -> Faces | None:
    """How faces are found in the files; None for a model without faces."""
    faces, speaker = asked.faces, asked.speaker
    check_looked(faces, speaker)
    if ensemble.faces is None:
        given = {"faces": faces, "speaker": None if speaker == "active" else speaker}
        if wrong := [f"--{option} {value}" for option, value in given.items() if value is not None]:
            raise ConfigError(f"{wrong[0]}: {ensemble.name} takes no faces; leave it out")
        if "audio" not in ensemble.modalities:
            name, _ = ensemble.parts[-1].inputs["video"]
            raise ConfigError(
                f"the inputs of {ensemble.name} are {features.without_media(name)}, which a media file does not have; "
                "give a model of sound or faces"
            )
        return None
    settings = ensemble.faces if faces is None else ensemble.faces.model_copy(update={"faces": faces})
    if settings.faces == "whole-frame" and speaker != "active":
        why = "" if faces else f", as {ensemble.name} was trained"
        raise ConfigError(
            f"--speaker {speaker}: a whole frame is one person{why}; leave it out, or give --faces auto, which looks "
            "for faces"
        )
    return settings
