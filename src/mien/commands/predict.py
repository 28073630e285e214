"""`mien predict`: emotion over time in media files; the cells of the model are averaged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from mien.commands import Outcome
from mien.common import processes
from mien.common.files import atomic, require_folder, write_json
from mien.common.tables import records
from mien.errors import ConfigError, MediaError, unknown
from mien.media import activity
from mien.media.faces import Faces, choices
from mien.media.tracks import heard_instead
from mien.runs import timeline
from mien.runs.ensemble import Ensemble
from mien.runs.exported import locate
from mien.runs.timeline import Prediction

SHORTEST = 0.1  # seconds: the least window and hop
LEAST_SOUND = 0.25  # seconds of sound that a model answers whose training clips are not known


def predict(
    files: Path | str | Sequence[Path | str],
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    window: float = 4.0,
    hop: float = 1.0,
    unsure: float | None = None,
    voice_activity: activity.Kind = "energy",
    speaker: timeline.Choice = "active",
    faces: str | None = None,
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Predict emotion over time in audio and video files.

    Args:
        files: a media file, or several; their sound is used, and their faces where the model takes faces.
        model: an exported folder, or the name of a model that comes with mien (default: `runs.exported.DEFAULT`); or
            RUN, RUN/models/MODEL or a cell's folder. Of a RUN, the model with the best validation score.
        out: a .csv or .json file to write the rows to.
        window: length of a window in seconds; a shorter file is one window.
        hop: seconds from the start of one window to the next.
        unsure: a window whose likeliest class is less probable gets the emotion `unsure`; its probabilities are kept.
            None takes the threshold of an exported model, and none for a model of a RUN, which is not calibrated. So
            does sound that is shorter than half of the shortest that the model was trained on, or `LEAST_SOUND` where
            that is not known. 0: never.
        voice_activity: "energy" or "silero": the method that finds silence; see `media.activity`.
        speaker: which of several faces to classify: "active" (who speaks), "largest" or "all"; see
            `mien.runs.timeline`.
        faces: the face detector (`mien.media.faces.Faces`); None takes that of the model's training.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads.

    Returns:
        An outcome whose data have `notes`, sentences on files, and `rows`, one per person and window: file, start, end
        (media seconds), person, modality (audio, video, or audio+video; empty in silence), emotion or the model's other
        target (`silence` where there is neither voice nor face, or `unsure`), a probability for each class (empty in
        silence), scheme, model. Models of faces add audio_share and video_share: how much less probable the likeliest
        class is without that modality.

    Raises:
        ConfigError: a setting is wrong, or there is no file.
        MediaError: no file could be classified.
        RunError: `model` is not a trained model.
    """
    files = [files] if isinstance(files, (str, Path)) else files
    if not len(files):
        raise ConfigError("predict: no file is given; name a sound or a video file")
    if not SHORTEST <= hop <= window:
        raise ConfigError(
            f"--hop {hop:g} with --window {window:g}: the hop must be {SHORTEST} s or more, and not longer than the "
            "window"
        )
    if out is not None:
        _check(Path(out))
    if unsure is not None and not 0 <= unsure <= 1:
        raise ConfigError(f"--unsure {unsure:g}: a probability from 0 (never unsure) to 1")
    processes.use_threads(threads)
    ensemble = Ensemble.open(locate(model), processes.device(device))
    if unsure is not None:
        if not ensemble.classes:
            raise ConfigError(f"--unsure: {ensemble.name} predicts a number, {ensemble.target}; leave it out")
        ensemble = replace(ensemble, unsure=unsure)
    if ensemble.longest is not None and window > ensemble.longest:
        raise ConfigError(
            f"--window {window:g}: the model uses only the middle {ensemble.longest:g} s; give that or less"
        )
    looked_for = _faces(ensemble, faces, speaker)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    problems: list[MediaError] = []
    least = 0.0 if unsure == 0 else _least_sound(ensemble)
    for file in map(Path, files):
        try:
            detect = activity.detector(voice_activity, ensemble.rate)
            predicted = timeline.predictions(
                file, ensemble, looked_for, window=window, hop=hop, detect=detect, speaker=speaker
            )
            own, short = _rows(file, predicted, ensemble, least)
            rows += own
            if short:
                notes.append(_too_short(file, short, own, least, ensemble))
            if "audio" in ensemble.modalities and not any("audio" in row["modality"] for row in own):
                notes += [f"{file}: is silent; {other}" for other in [heard_instead(file)] if other]
        except MediaError as error:
            problems.append(error)
    if not rows:
        others = f" (and {len(problems) - 1} more files that cannot be read)" if len(problems) > 1 else ""
        raise MediaError(problems[0].file, problems[0].cause + others)
    table = pd.DataFrame(rows)
    if out is not None:
        _write(table, Path(out))
    return Outcome(
        data={"rows": records(table), "notes": notes},
        text=summary(table, ensemble.target)
        + "".join(f"\n{note}" for note in notes)
        + _rule(ensemble)
        + _voice_alone(ensemble)
        + _marked(ensemble),
        problems=[str(error) for error in problems],
    )


def _least_sound(ensemble: Ensemble) -> float:
    """Seconds of sound below which an answer by the voice is unsure."""
    return LEAST_SOUND if ensemble.shortest is None else max(SHORTEST, ensemble.shortest / 2)


def _too_short(file: Path, short: int, rows: Sequence[Mapping[str, Any]], least: float, ensemble: Ensemble) -> str:
    seconds = max(row["end"] for row in rows) - min(row["start"] for row in rows)
    windows = len({row["start"] for row in rows})
    what = f"lasts {seconds:.3g} s" if windows == 1 else f"{short} of its {windows} windows are too short"
    half = f", half of the shortest sound that {ensemble.name} was trained on," if ensemble.shortest else ""
    answer = "the answer is unsure" if ensemble.classes else f"its {ensemble.target} says little"
    return f"{file}: {what}: below {least:.3g} s{half} {answer}"


def _rows(
    file: Path, predicted: Iterable[Prediction], ensemble: Ensemble, least: float
) -> tuple[list[dict[str, Any]], int]:
    """The rows of a file, and in how many windows the sound is shorter than the least that is answered."""
    rows: list[dict[str, Any]] = []
    short: set[float] = set()
    for one in predicted:
        row: dict[str, Any] = {"file": str(file), "start": round(one.start, 3), "end": round(one.end, 3)}
        row |= {"person": one.person, "modality": one.modality}
        probabilities, target = one.probabilities, ensemble.target
        if brief := "audio" in one.modality and one.end - one.start < least - 1e-6:
            short.add(one.start)
        row |= {target: "silence" if ensemble.classes else None, **dict.fromkeys(ensemble.classes)}
        if probabilities is not None and not ensemble.classes:
            row[target] = round(float(probabilities[0]), 4)
        elif probabilities is not None:
            sure = probabilities.max() >= ensemble.unsure and not brief
            best = ensemble.classes[probabilities.argmax()] if sure else "unsure"
            row |= {target: best, **dict(zip(ensemble.classes, probabilities.round(4).tolist(), strict=True))}
        row |= {"scheme": ensemble.scheme, "model": ensemble.name}
        if ensemble.faces is not None:
            shares = {"audio_share": one.audio_share, "video_share": one.video_share}
            row |= {name: None if share is None else round(share, 4) for name, share in shares.items()}
        rows.append(row)
    return rows, len(short)


def _faces(ensemble: Ensemble, faces: str | None, speaker: str) -> Faces | None:
    """How faces are found in the files; None for a model without faces."""
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


def _rule(ensemble: Ensemble) -> str:
    """What `unsure` means, where there is a threshold."""
    if ensemble.unsure == 0:
        return ""
    return f'\n{ensemble.name}: "unsure" below a probability of {ensemble.unsure:.0%} (--unsure 0: never)'


def _voice_alone(ensemble: Ensemble) -> str:
    """A note on a model that predicts without its columns of a corpus's table."""
    if "video" not in ensemble.modalities or ensemble.faces is not None:
        return ""
    return (
        f"\n{ensemble.name}: from the voice alone, without its columns of a corpus's table, which a file does not have"
    )


def _marked(ensemble: Ensemble) -> str:
    """The leaks that its run accepted, to be quoted with every score."""
    return f"\n{ensemble.name}: {'; '.join(ensemble.marks)}" if ensemble.marks else ""


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


def summary(table: pd.DataFrame, target: str = "emotion") -> str:
    """The rows as text: one line per person and stretch of windows with one class, times in media seconds.

    For a number: one line per stretch with the same modality, and the mean over it.
    """
    lines = []
    numbers = pd.api.types.is_float_dtype(table[target])
    shown = table[target].notna().map({True: "", False: "silence"}) if numbers else table[target]
    wide = max(map(len, shown)) if not numbers else max(len("silence"), len(target) + 8)
    for file, rows in table.groupby("file", sort=False):
        lines.append(str(file))
        people = rows["person"][rows["person"] != ""].unique()
        names = {person: f"person {person}" if person != timeline.VOICE else "a voice" for person in people}
        room = max(map(len, names.values())) + 2 if len(names) > 1 else 0
        for part in _stretches(rows.assign(shown=shown[rows.index])):
            first = part.iloc[0]
            likely = part[first["shown"]].astype(float).mean() if not numbers and first["shown"] in part else None
            sure = "" if likely is None else f"{likely:4.0%}"
            answer = first["shown"] if first["shown"] else f"{target} {part[target].mean():.3g}"
            who = f"{names.get(first['person'], ''):{room}}" if room else ""
            times = f"{first['start']:8.1f} - {part['end'].iloc[-1]:8.1f}"
            lines.append(f"  {times} s  {who}{answer:{wide}}  {sure:4}  {_by(part)}".rstrip())
    if "audio_share" in table and table["audio_share"].notna().any():
        lines.append(f"voice or face +N%: without it, the {target} would be less probable by N points")
    return "\n".join(lines)


def _stretches(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of a file in stretches of consecutive windows of one person, class and modality."""
    window = rows["start"].rank(method="dense")
    found = []
    for _, own in rows.groupby("person", sort=False):
        new = window[own.index].diff() != 1
        for column in ("shown", "modality"):
            new |= own[column] != own[column].shift()
        found += [part for _, part in own.groupby(new.cumsum())]
    return sorted(found, key=lambda part: (part["start"].iloc[0], part.index[0]))


def _by(part: pd.DataFrame) -> str:
    """The modalities of a stretch, with their shares where both were used; empty for a model without faces."""
    if "audio_share" not in part:
        return ""
    modality = part["modality"].iloc[0]
    if modality != "audio+video":
        return {"audio": "voice", "video": "face"}.get(modality, "no face" if modality == "" else modality)
    voice, face = (round(float(part[name].astype(float).mean()), 2) + 0.0 for name in ("audio_share", "video_share"))
    return f"voice {voice:+.0%}, face {face:+.0%}"
