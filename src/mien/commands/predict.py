"""`mien predict`: emotion over time in media files; the cells of the model are averaged."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from mien import features
from mien.commands import Outcome
from mien.common.cells import write_rows
from mien.common.escapes import is_text, written
from mien.common.files import clean_beside, require_folder, write_json
from mien.corpora import media_files
from mien.errors import ConfigError, MediaError
from mien.media import activity
from mien.media.faces.detectors import installed
from mien.media.limits import held, limits_of
from mien.reports import timeline_text
from mien.runs import exported, timeline
from mien.runs.answers import HOP, WINDOW
from mien.runs.exported import locate
from mien.runs.late_fusion import LateFusion
from mien.runs.one_model import OneModel
from mien.runs.predictor import Predictor
from mien.runs.reading import NOT_LOOKED, Asked, Read, check_looked, check_windows, has_pictures, open_model, read_all


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
    partial: bool = False,
    workers: int = 1,
    device: str = "auto",
    threads: int = 1,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Outcome:
    """Predict emotion over time in audio and video files.

    Args:
        files: a media file or a folder, or several of them; of a folder, all media files below it, by their endings and
            sorted. A file is read once, however often it is given. Sound is used, and faces where the model takes them.
        model: an exported folder, or the name of a model that comes with mien; or RUN, RUN/models/MODEL or a cell's
            folder. Of a RUN, the model with the best validation score. None: voices by `runs.exported.DEFAULT` and,
            in a film, faces by `runs.exported.FACES`; a window with both has their joined answer, see
            `mien.runs.late_fusion`.
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
        partial: whether a RUN answers without the cells (folds and seeds) that are not finished or are damaged; they
            are named. Else they are an error.
        workers: number of processes, each of which reads one file at a time. The rows are the same. A file whose
            decoder crashes, hangs or eats memory (`stall` and `memory` of the limits) is listed as a problem, and the
            others are read. A single file is read in this process, without these two limits.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads in each process.
        limits: limits on a file beyond which it is not read, by name, where they are not those of
            `mien.media.limits.Limits`.

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
        RunError: `model` is not a trained model, a cell of it is missing, or a file of it is damaged.
    """
    given = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    if not given:
        raise ConfigError("predict: no file is given; name a sound or a video file")
    check_windows(window, hop, unsure)
    if workers < 1:
        raise ConfigError(f"--workers {workers}: must be 1 or more")
    most = limits_of(limits)
    if out is not None:
        _check(Path(out))
    chosen, notes = media_files.listed(given, output=None if out is None else Path(out))
    with held(most):
        folders, lacking = _models(model, chosen, faces, speaker)
    looked = (speaker, faces) if model is not None or len(folders) > 1 else ("active", None)
    asked = Asked(folders, device, threads, unsure, window, hop, voice_activity, *looked, partial, uuid4().hex, most)
    ensemble = open_model(asked)
    with held(most):
        found = dict(read_all(chosen, asked, ensemble, workers))
    problems = [one for file in chosen if isinstance(one := found[file], MediaError)]
    read = [one for file in chosen if not isinstance(one := found[file], MediaError)]
    if not read:
        others = f" (and {len(problems) - 1} more files that cannot be read)" if len(problems) > 1 else ""
        raise MediaError(problems[0].file, problems[0].cause + others)
    notes += [*lacking, *(note for one in read for note in one.notes)]
    rows = [one.answers.whole for one in read] if summary else [row for one in read for row in one.answers.rows]
    columns = max((list(row) for row in rows), key=len)  # a film has columns that sound alone has not
    rows = [row if list(row) == columns else {name: row.get(name) for name in columns} for row in rows]
    notes += _unnamed([file for file in chosen if not isinstance(found[file], MediaError)])
    if out is not None:
        _write(rows, Path(out))
    about = _about(ensemble, unsure, {row["modality"] for one in read for row in one.answers.rows})
    text = timeline_text.one_line_a_file if summary else timeline_text.stretches
    overlap = [] if summary else _overlap(read, window, hop)
    return Outcome(
        data={"files" if summary else "rows": rows, "notes": notes, "about": about},
        text="\n".join([text(rows, ensemble.target), *notes, *timeline_text.wrapped([*overlap, *about])]),
        problems=[str(error) for error in problems],
    )


def _unnamed(files: Sequence[Path]) -> list[str]:
    """How names of files that are no UTF-8 are written, where there are such."""
    unnamed = [file for file in files if not is_text(file)]
    if not unnamed:
        return []
    what = "1 name of a file is" if len(unnamed) == 1 else f"{len(unnamed)} names of files are"
    example = written(str(unnamed[0]))
    return [f"{what} not UTF-8, and each such byte is written as \\xNN, which opens no file: {example}; rename it"]


def _models(
    model: Path | str | None, files: Sequence[Path], faces: str | None, speaker: str
) -> tuple[tuple[Path, ...], list[str]]:
    """The folders of the models that answer, and a sentence on faces where they are not looked for."""
    voice, seen = locate(model), exported.faces()
    if model is not None:
        return (voice,), []
    check_looked(faces, speaker)
    if seen is None or not any(map(has_pictures, files)):
        given = {"--faces": faces, "--speaker": None if speaker == "active" else speaker}
        unused = [f"{option} {value}" for option, value in given.items() if value is not None]
        return (voice,), [f"{one}: no file has pictures, so there are no faces" for one in unused]
    if faces is None and not installed("auto"):  # a detector that was asked for is refused where it is missing
        return (voice,), [f"{NOT_LOOKED}; {voice.name} answers"]
    return (voice, seen), []


def _about(ensemble: Predictor, asked: float | None, modalities: Collection[str]) -> list[str]:
    """Sentences on the models that answered some row; `asked` is the threshold that was asked for."""
    if not isinstance(ensemble, LateFusion):
        return _on(ensemble, alone=True)
    both = "audio+video" in modalities
    answered = [one for one, own in zip(ensemble.parts, ("audio", "video"), strict=True) if both or own in modalities]
    sentences = [sentence for one in answered or ensemble.parts for sentence in _on(one, alone=len(answered) < 2)]
    return sentences + (_joined(ensemble, asked) if both else [])


def _on(ensemble: OneModel, *, alone: bool) -> list[str]:
    return [
        *_rule(ensemble, alone=alone),
        *_limits(ensemble),
        *_voice_alone(ensemble),
        *_of_images(ensemble),
        *_marked(ensemble),
    ]


def _joined(ensemble: LateFusion, asked: float | None) -> list[str]:
    """How two models are joined."""
    rule = f'"unsure" below {ensemble.unsure:.0%}' if ensemble.unsure else "never unsure"
    if asked is None and ensemble.unsure:
        rule += ", the geometric mean of both thresholds"
    return [
        f"{ensemble.name}, where a voice and a face are there: the product of their probabilities; {rule}. How well "
        "films are answered so was not measured (--model NAME: one of the two alone)"
    ]


def _overlap(read: Sequence[Read], window: float, hop: float) -> list[str]:
    """How lines and rows differ, where windows overlap."""
    if hop == window or all(len({row["start"] for row in one.answers.rows}) == 1 for one in read):
        return []
    return [
        f"rows (--out, --json): windows of {window:g} s, one every {hop:g} s; lines: what windows share, by half to "
        f"each (--hop {window:g}: rows that do not overlap)"
    ]


def _rule(ensemble: OneModel, *, alone: bool) -> list[str]:
    """What `unsure` means, where there is a threshold; another one is named where that would be of this model alone."""
    if ensemble.unsure == 0:
        return []
    known = ensemble.by_coverage
    other = (
        ""
        if not alone or known is None or f"{known:.2g}" == f"{ensemble.unsure:.2g}"
        else (f"--unsure {known:.2g}: for speech like its training; ")
    )
    return [f'{ensemble.name}: "unsure" below a probability of {ensemble.unsure:.0%} ({other}--unsure 0: never)']


def _limits(ensemble: OneModel) -> list[str]:
    """What it was trained on, and how it answers other speech."""
    return [f"{ensemble.name}: {sentence}" for sentence in ensemble.limits]


def _voice_alone(ensemble: OneModel) -> list[str]:
    """A note on a model that predicts without what no media file has."""
    if "video" not in ensemble.modalities or ensemble.faces is not None:
        return []
    name, _ = ensemble.features["video"]
    what = features.without_media(name)
    return [f"{ensemble.name}: from the voice alone, without its {what}, which a file does not have"]


def _of_images(ensemble: OneModel) -> list[str]:
    """A note on a model of single images, which knows nothing of films."""
    if not ensemble.of_images:
        return []
    where = (
        f"tried on {' and '.join(ensemble.elsewhere)} alone (see its card)" if ensemble.elsewhere else "not measured"
    )
    return [
        f"{ensemble.name}: trained on single images; how it answers films was {where}, and speaking moves a face too"
    ]


def _marked(ensemble: OneModel) -> list[str]:
    """The leaks that its run accepted, which concern its scores; some of the clips are named on its card."""
    without_clips = [": ".join(mark.split(": ")[:2]) for mark in ensemble.marks]
    return [f"{ensemble.name}: {'; '.join(without_clips)}"] if without_clips else []


def _check(out: Path) -> None:
    """Raise ConfigError where rows cannot be written."""
    if out.suffix not in {".csv", ".json"}:
        raise ConfigError(f"--out {out}: the name of the file must end in .csv or .json")
    if out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give the name of a file")
    require_folder(out.parent)


def _write(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    clean_beside(out)
    if out.suffix == ".json":
        write_json(out, rows)
        return
    write_rows(out, list(rows[0]), rows)
