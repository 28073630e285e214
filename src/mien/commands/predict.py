"""`mien predict`: emotion over time in media files; the cells of the model are averaged."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pandas as pd

from mien.commands import Outcome
from mien.common.files import atomic, require_folder, write_json
from mien.common.tables import records
from mien.corpora import media_files
from mien.errors import ConfigError, MediaError
from mien.media import activity
from mien.reports import timeline_text
from mien.runs import timeline
from mien.runs.answers import HOP, LEAST, WINDOW
from mien.runs.ensemble import Ensemble
from mien.runs.exported import locate
from mien.runs.reading import Asked, Read, open_model, read_all


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
    asked = Asked(locate(model), device, threads, unsure, window, hop, voice_activity, speaker, faces, uuid4().hex)
    ensemble = open_model(asked)
    found = dict(read_all(chosen, asked, ensemble, workers))
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
    about = [*_rule(ensemble), *_limits(ensemble), *_voice_alone(ensemble), *_of_images(ensemble), *_marked(ensemble)]
    text = timeline_text.one_line_a_file if summary else timeline_text.stretches
    overlap = [] if summary else _overlap(read, window, hop)
    return Outcome(
        data={"files" if summary else "rows": records(table), "notes": notes, "about": about},
        text="\n".join([text(table, ensemble.target), *notes, *timeline_text.wrapped([*overlap, *about])]),
        problems=[str(error) for error in problems],
    )


def _overlap(read: Sequence[Read], window: float, hop: float) -> list[str]:
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
    known = ensemble.by_coverage
    other = (
        ""
        if known is None or f"{known:.2g}" == f"{ensemble.unsure:.2g}"
        else (f"--unsure {known:.2g}: for speech like its training; ")
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


def _of_images(ensemble: Ensemble) -> list[str]:
    """A note on a model of single images, whose faces in a film are cut otherwise."""
    if not ensemble.of_images:
        return []
    return [
        f"{ensemble.name}: trained on single images; faces of a film are cut otherwise, and how well it recognises "
        "them was not measured"
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
