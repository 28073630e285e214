"""`mien predict`: emotion over time in media files, by a trained model; its folds and seeds are averaged."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.commands import Outcome
from mien.engine import processes
from mien.ensemble import Ensemble
from mien.errors import ConfigError, MediaError
from mien.exported import locate
from mien.files import atomic, write_json
from mien.media import activity
from mien.media.windows import Window, joined, windows

LEAST_ACTIVE = 0.2  # seconds of voice that a window needs to be judged; of a shorter one, half of it
SHORTEST = 0.1  # seconds of a window and of a hop
AT_ONCE = 60  # windows in memory; with the usual window and hop, the pitch of so many is searched in one go


def predict(
    files: Sequence[Path | str],
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    window: float = 4.0,
    hop: float = 1.0,
    unsure: float | None = None,
    voice_activity: activity.Kind = "energy",
    device: str = "auto",
    threads: int = 1,
) -> Outcome:
    """Say which emotion is heard when.

    Args:
        files: media files; their sound is judged.
        model: an exported folder, or the name of a model that comes with mien (`mien.exported.DEFAULT` unless told);
            or RUN, RUN/models/MODEL or a cell's folder. Of a RUN, the model with the best validation score.
        out: a .csv or .json file for the rows.
        window: seconds of sound that are judged at once; a shorter file is one window.
        hop: seconds from one window to the next.
        unsure: a window whose likeliest class is less probable gets the emotion `unsure`; its probabilities stay. None
            takes what an exported model comes with, and 0, never, for a model of a RUN, which is not calibrated.
        voice_activity: "energy" or "silero": what tells where nobody speaks; see `media.activity`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: of torch.

    Returns:
        An outcome whose data have `rows`, one a window: file, start, end (media seconds), person, modality, emotion (or
        `silence`, or `unsure`), a probability for each class (empty in silence), scheme, model.

    Raises:
        ConfigError: a setting is wrong.
        MediaError: no file at all could be judged.
        RunError: `model` is no trained model.
    """
    if not SHORTEST <= hop <= window:
        raise ConfigError(
            f"--hop {hop:g} with --window {window:g}: windows must follow each other without a gap, by {SHORTEST} s at "
            "least"
        )
    if out is not None and Path(out).suffix not in {".csv", ".json"}:
        raise ConfigError(f"--out {out}: the name of the file must end in .csv or .json")
    if unsure is not None and not 0 <= unsure <= 1:
        raise ConfigError(f"--unsure {unsure:g}: a probability from 0 (never unsure) to 1")
    processes.use_threads(threads)
    ensemble = Ensemble.open(locate(model), processes.device(device))
    if unsure is not None:
        ensemble = replace(ensemble, unsure=unsure)
    if ensemble.longest is not None and window > ensemble.longest:
        raise ConfigError(f"--window {window:g}: the model hears the middle {ensemble.longest:g} s of a longer one")
    rows: list[dict[str, Any]] = []
    problems: list[MediaError] = []
    for file in map(Path, files):
        try:
            detect = activity.detector(voice_activity, ensemble.rate)
            found = windows(file, length=window, hop=hop, detect=detect, rate=ensemble.rate)
            rows += _rows(file, found, ensemble)
        except MediaError as error:
            problems.append(error)
    if not rows:
        others = f" (and {len(problems) - 1} more files that cannot be read)" if len(problems) > 1 else ""
        raise MediaError(problems[0].file, problems[0].cause + others)
    table = pd.DataFrame(rows)
    if out is not None:
        _write(table, Path(out))
    return Outcome(
        data={"rows": _plain(table)},
        text=summary(table) + _rule(ensemble) + _marked(ensemble),
        problems=[str(error) for error in problems],
    )


def _rows(file: Path, found: Iterator[Window], ensemble: Ensemble) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while some := list(islice(found, AT_ONCE)):
        sound, places = joined(some, ensemble.rate)
        heard = [place for place, part in zip(places, some, strict=True) if _is_heard(part)]
        judged = iter(ensemble.over(sound, heard) if heard else ())
        for part in some:
            row: dict[str, Any] = {"file": str(file), "start": round(part.start, 3), "end": round(part.end, 3)}
            row |= {"person": "1", "modality": "audio", "emotion": "silence", **dict.fromkeys(ensemble.classes)}
            if _is_heard(part):
                told: NDArray[np.float64] = next(judged)
                best = ensemble.classes[told.argmax()] if told.max() >= ensemble.unsure else "unsure"
                row |= {"emotion": best, **dict(zip(ensemble.classes, told.round(4).tolist(), strict=True))}
            rows.append(row | {"scheme": ensemble.scheme, "model": ensemble.name})
    if not rows:
        raise MediaError(file, "there is no sound in it, and this model hears only")
    return rows


def _rule(ensemble: Ensemble) -> str:
    """What unsure means, where the model can be."""
    if ensemble.unsure == 0:
        return ""
    return f"\n{ensemble.name}: unsure where no emotion reaches {ensemble.unsure:.0%} (--unsure 0: never)"


def _marked(ensemble: Ensemble) -> str:
    """What the model's scores must not be quoted without."""
    return f"\n{ensemble.name}: marked: {'; '.join(ensemble.marks)}" if ensemble.marks else ""


def _is_heard(part: Window) -> bool:
    return part.active >= min(LEAST_ACTIVE, 0.5 * (part.end - part.start))


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    known = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in known.to_dict("records")]


def _write(table: pd.DataFrame, out: Path) -> None:
    if out.suffix == ".json":
        write_json(out, _plain(table))
    else:
        with atomic(out) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")


def summary(table: pd.DataFrame) -> str:
    """The rows for people: one line a stretch of windows with the same emotion, times in media seconds."""
    lines = []
    for file, rows in table.groupby("file", sort=False):
        lines.append(str(file))
        stretch = (rows["emotion"] != rows["emotion"].shift()).cumsum()
        for _, part in rows.groupby(stretch):
            emotion = part["emotion"].iloc[0]
            sure = f"  {part[emotion].astype(float).mean():4.0%}" if emotion in part else ""
            lines.append(f"  {part['start'].iloc[0]:8.1f} - {part['end'].iloc[-1]:8.1f} s  {emotion}{sure}")
    return "\n".join(lines)
