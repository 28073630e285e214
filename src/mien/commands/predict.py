"""`mien predict`: emotion over time in media files; the cells of the model are averaged."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, get_args
from uuid import uuid4

import pandas as pd

from mien.commands import Outcome
from mien.common import processes
from mien.common.files import atomic, require_folder, write_json
from mien.common.progress import progress
from mien.common.tables import records
from mien.common.workers import Lost, spread
from mien.corpora import media_files
from mien.errors import ConfigError, MediaError, unknown
from mien.media import activity
from mien.media.faces import Faces, choices
from mien.media.pictures import picture_size
from mien.media.tracks import heard_instead
from mien.reports import timeline_text
from mien.runs import timeline
from mien.runs.answers import HOP, LEAST, WINDOW, Answers, answers, least_sound
from mien.runs.ensemble import Ensemble
from mien.runs.exported import locate

LARGE = 720  # px of a picture's shorter side: crops of one face are smaller, whole scenes are not


def predict(
    files: Path | str | Sequence[Path | str],
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    summary: bool = False,
    window: float = WINDOW,
    hop: float = HOP,
    unsure: float | None = None,
    voice_activity: activity.Kind = "energy",
    speaker: timeline.Choice = "active",
    faces: str | None = None,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Predict emotion over time in audio and video files.

    Args:
        files: a media file or a folder, or several of them; of a folder, all media files below it, by their endings and
            sorted. A file is read once, however often it is given. Sound is used, and faces where the model takes them.
        model: an exported folder, or the name of a model that comes with mien (default: `runs.exported.DEFAULT`); or
            RUN, RUN/models/MODEL or a cell's folder. Of a RUN, the model with the best validation score.
        out: a .csv or .json file to write the rows to.
        summary: one row a file in the place of one a window.
        window: length of a window in seconds; a shorter file is one window.
        hop: seconds from the start of one window to the next; of the length of a window, rows do not overlap.
        unsure: a window whose likeliest class is less probable gets the emotion `unsure`; its probabilities are kept.
            None takes the threshold of an exported model, and none for a model of a RUN, which is not calibrated. So
            does sound that is shorter than half of the shortest that the model was trained on, or
            `runs.answers.LEAST_SOUND` where that is not known. 0: never.
        voice_activity: "energy" or "silero": the method that finds silence; see `media.activity`.
        speaker: which of several faces to classify: "active" (who speaks), "largest" or "all"; see
            `mien.runs.timeline`.
        faces: the face detector (`mien.media.faces.Faces`); None takes that of the model's training.
        workers: number of processes, each of which reads one file at a time; 1 is this process. The rows are the same.
            With two or more, a file whose decoder crashes is listed as a problem, and the others are read.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads in each process.

    Returns:
        An outcome whose data have `rows` (with `summary`: `files`), `notes`, sentences on files, and `about`, sentences
        on the model. `rows` are one per person and window: file, start, end (media seconds), person, modality (audio,
        video, or audio+video; empty in silence), emotion or the model's other target (`silence` where there is neither
        voice nor face, or `unsure`), a probability for each class (empty in silence), scheme, model. Models of faces
        add audio_share and video_share: how much less probable the likeliest class is without that modality. `files`
        are one per file: file, seconds, modality, emotion, the mean probability of each class, CLASS_share,
        unsure_share and silence_share, scheme, model; see `mien.runs.answers`. `problems` are the files that cannot be
        read.

    Raises:
        ConfigError: a setting is wrong, there is no file, or a folder holds none.
        MediaError: no file could be classified.
        RunError: `model` is not a trained model.
    """
    given = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    if not given:
        raise ConfigError("predict: no file is given; name a sound or a video file")
    if not LEAST <= hop <= window:
        raise ConfigError(
            f"--hop {hop:g} with --window {window:g}: the hop must be {LEAST} s or more, and not longer than the window"
        )
    if workers < 1:
        raise ConfigError(f"--workers {workers}: must be 1 or more")
    if out is not None:
        _check(Path(out))
    if unsure is not None and not 0 <= unsure <= 1:
        raise ConfigError(f"--unsure {unsure:g}: a probability from 0 (never unsure) to 1")
    chosen, notes = media_files.listed(given, output=None if out is None else Path(out))
    asked = _Asked(locate(model), device, threads, unsure, window, hop, voice_activity, speaker, faces, uuid4().hex)
    ensemble = _open(asked)
    found = dict(_answered(chosen, asked, ensemble, workers))
    problems = [one for file in chosen if isinstance(one := found[file], MediaError)]
    read = [one for file in chosen if not isinstance(one := found[file], MediaError)]
    if not read:
        others = f" (and {len(problems) - 1} more files that cannot be read)" if len(problems) > 1 else ""
        raise MediaError(problems[0].file, problems[0].cause + others)
    notes += [note for one in read for note in one.notes]
    rows = [one.answers.whole for one in read] if summary else [row for one in read for row in one.answers.rows]
    table = pd.DataFrame(rows)
    if out is not None:
        _write(table, Path(out))
    about = [*_rule(ensemble), *_limits(ensemble), *_voice_alone(ensemble), *_marked(ensemble)]
    text = timeline_text.one_line_a_file if summary else timeline_text.stretches
    overlap = [] if summary else _overlap(read, window, hop)
    return Outcome(
        data={"files" if summary else "rows": records(table), "notes": notes, "about": about},
        text="\n".join([text(table, ensemble.target), *notes, *timeline_text.wrapped([*overlap, *about])]),
        problems=[str(error) for error in problems],
    )


class _Asked(NamedTuple):
    """The settings of a call, for the processes that read its files; `call` is another one in each call."""

    model: Path
    device: str
    threads: int
    unsure: float | None
    window: float
    hop: float
    voice_activity: activity.Kind
    speaker: timeline.Choice
    faces: str | None
    call: str


class _Read(NamedTuple):
    """The answers on a file that could be read, and sentences on it."""

    answers: Answers
    notes: list[str]


def _open(asked: _Asked) -> Ensemble:
    """The model with the threshold that is asked for; raises ConfigError where a setting does not fit it."""
    processes.use_threads(asked.threads)
    ensemble = Ensemble.open(asked.model, processes.device(asked.device))
    if asked.unsure is not None:
        if not ensemble.classes:
            raise ConfigError(f"--unsure: {ensemble.name} predicts a number, {ensemble.target}; leave it out")
        ensemble = replace(ensemble, unsure=asked.unsure)
    if ensemble.longest is not None and asked.window > ensemble.longest:
        raise ConfigError(
            f"--window {asked.window:g}: the model uses only the middle {ensemble.longest:g} s; give that or less"
        )
    _faces(ensemble, asked)
    return ensemble


_opened_once = lru_cache(maxsize=1)(_open)  # in a worker; not across calls, between which a model may change


def _answered(
    files: Sequence[Path], asked: _Asked, ensemble: Ensemble, workers: int
) -> Iterator[tuple[Path, _Read | MediaError]]:
    """Read the files, in this process or in several; in any order."""
    with progress(len(files) if len(files) > 1 else 0, "predicting", "files") as advance:
        if workers == 1 or len(files) == 1:
            for file in files:
                yield file, _one(file, asked, ensemble)
                advance()
            return
        work = partial(_in_worker, asked=asked)
        for (file,), result in spread(work, [[file] for file in files], workers=min(workers, len(files))):
            if isinstance(result, Lost):
                how = f" ({result.how})" if result.how else ""
                yield file, MediaError(file, f"ended the process that read it{how}")
            else:
                yield file, result
            advance()


def _in_worker(files: Sequence[Path], *, asked: _Asked) -> _Read | MediaError:
    """Read the one file of a chunk in a worker process."""
    (file,) = files
    return _one(file, asked, _opened_once(asked))


def _one(file: Path, asked: _Asked, ensemble: Ensemble) -> _Read | MediaError:
    """Read a file; the error where that cannot be done."""
    least = 0.0 if asked.unsure == 0 else least_sound(ensemble)
    faces = _faces(ensemble, asked)
    try:
        detect = activity.detector(asked.voice_activity, ensemble.rate)
        predicted = timeline.predictions(
            file, ensemble, faces, window=asked.window, hop=asked.hop, detect=detect, speaker=asked.speaker
        )
        found = answers(file, predicted, ensemble, least)
        return _Read(found, list(_notes(file, found, ensemble, faces, least)))
    except MediaError as error:
        return error


def _notes(file: Path, found: Answers, ensemble: Ensemble, faces: Faces | None, least: float) -> Iterator[str]:
    """Sentences on a file: what of it is too short, silent, or taken for a face."""
    if found.brief:
        yield _too_short(file, found, least, ensemble)
    used = found.whole["modality"].split("+")
    if "audio" in ensemble.modalities and "audio" not in used and (other := heard_instead(file)):
        yield f"{file}: is silent; {other}"
    if faces is not None and faces.faces == "whole-frame" and "video" in used:
        size = picture_size(file)
        if size is not None and min(size) >= LARGE:
            yield (
                f"{file}: each whole picture ({size[0]} x {size[1]}) is taken for one face; where it shows more, "
                "--faces auto looks for the faces in it"
            )


def _too_short(file: Path, found: Answers, least: float, ensemble: Ensemble) -> str:
    windows = len({row["start"] for row in found.rows})
    seconds = found.whole["seconds"]
    what = f"lasts {seconds:.3g} s" if windows == 1 else f"{found.brief} of its {windows} windows are too short"
    half = f", half of the shortest sound that {ensemble.name} was trained on," if ensemble.shortest else ""
    answer = "the answer is unsure" if ensemble.classes else f"its {ensemble.target} says little"
    return f"{file}: {what}: below {least:.3g} s{half} {answer}"


def _faces(ensemble: Ensemble, asked: _Asked) -> Faces | None:
    """How faces are found in the files; None for a model without faces."""
    faces, speaker = asked.faces, asked.speaker
    if speaker not in (known := get_args(timeline.Choice)):
        raise ConfigError(f"--speaker: {unknown('choice', speaker, known)}")
    if ensemble.faces is None:
        given = {"faces": faces, "speaker": None if speaker == "active" else speaker}
        if wrong := [f"--{option} {value}" for option, value in given.items() if value is not None]:
            raise ConfigError(f"{wrong[0]}: {ensemble.name} takes no faces; leave it out")
        if "audio" not in ensemble.modalities:
            raise ConfigError(
                f"the inputs of {ensemble.name} are columns of a corpus's table, which a media file does not have; "
                "give a model of sound or faces"
            )
        return None
    if faces is not None and faces not in choices():
        raise ConfigError(f"--faces: {unknown('face detector', faces, choices())}")
    settings = ensemble.faces if faces is None else ensemble.faces.model_copy(update={"faces": faces})
    if settings.faces == "whole-frame" and speaker != "active":
        why = "" if faces else f", as {ensemble.name} was trained"
        raise ConfigError(
            f"--speaker {speaker}: a whole frame is one person{why}; leave it out, or give --faces auto, which looks "
            "for faces"
        )
    return settings


def _overlap(read: Sequence[_Read], window: float, hop: float) -> list[str]:
    """How lines and rows differ, where windows overlap."""
    if hop == window or all(len({row["start"] for row in one.answers.rows}) == 1 for one in read):
        return []
    return [
        f"rows (--out, --json): windows of {window:g} s, one every {hop:g} s; lines: what windows share, by half to "
        f"each (--hop {window:g}: rows that do not overlap)"
    ]


def _rule(ensemble: Ensemble) -> list[str]:
    """What `unsure` means, where there is a threshold."""
    if ensemble.unsure == 0:
        return []
    other = (
        "" if ensemble.by_coverage is None else f"--unsure {ensemble.by_coverage:.2g}: for speech like its training; "
    )
    return [f'{ensemble.name}: "unsure" below a probability of {ensemble.unsure:.0%} ({other}--unsure 0: never)']


def _limits(ensemble: Ensemble) -> list[str]:
    """What it was trained on, and how it answers other speech."""
    return [f"{ensemble.name}: {sentence}" for sentence in ensemble.limits]


def _voice_alone(ensemble: Ensemble) -> list[str]:
    """A note on a model that predicts without its columns of a corpus's table."""
    if "video" not in ensemble.modalities or ensemble.faces is not None:
        return []
    return [
        f"{ensemble.name}: from the voice alone, without its columns of a corpus's table, which a file does not have"
    ]


def _marked(ensemble: Ensemble) -> list[str]:
    """The leaks that its run accepted, to be quoted with every score."""
    return [f"{ensemble.name}: {'; '.join(ensemble.marks)}"] if ensemble.marks else []


def _check(out: Path) -> None:
    """Raise ConfigError where rows cannot be written."""
    if out.suffix not in {".csv", ".json"}:
        raise ConfigError(f"--out {out}: the name of the file must end in .csv or .json")
    if out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give the name of a file")
    require_folder(out.parent)


def _write(table: pd.DataFrame, out: Path) -> None:
    if out.suffix == ".json":
        write_json(out, records(table))
    else:
        with atomic(out) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
