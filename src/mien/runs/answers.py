"""What a model answers on a media file: a row a person and window, and a row for the whole file.

Windows overlap where the hop is shorter than the window. The time that two consecutive windows share belongs to each by
half (`shown`), so the seconds of all windows add up to those of the file.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.common.escapes import written
from mien.runs.predictor import Predictor
from mien.runs.timeline import Prediction

WINDOW, HOP = 4.0, 1.0  # seconds: the default windows of `mien predict`
LEAST = 0.1  # seconds: the least window and hop
LEAST_SOUND = 0.25  # seconds of sound that a model answers whose training clips are not known
SILENCE, UNSURE = "silence", "unsure"


class Answers(NamedTuple):
    """The answers on one file.

    Attributes:
        rows: one per person and window, in the order of time.
        whole: one row for the file; see `answers`.
        brief: number of windows whose sound is too short for an answer.
    """

    rows: list[dict[str, Any]]
    whole: dict[str, Any]
    brief: int


def least_sound(ensemble: Predictor) -> float:
    """Seconds of sound below which an answer by the voice is unsure."""
    return LEAST_SOUND if ensemble.shortest is None else max(LEAST, ensemble.shortest / 2)


def answers(
    file: Path, predicted: Iterable[Prediction], ensemble: Predictor, least: float, *, asked: Predictor | None = None
) -> Answers:
    """The rows of a file.

    The row of the whole file has the mean probability of each class over all windows that have probabilities, weighted
    by their own seconds (`shown`); windows that are too brief count only where there is no other, and windows whose
    model does not know a class do not count for it. The likeliest class is its emotion, by the greatest threshold of
    the models that answered. `CLASS_share`, `unsure_share` and `silence_share` are shares of the file's seconds; the
    people of one window share its seconds equally. A model of a number has the mean number.

    Args:
        file: named in the rows.
        predicted: its predictions, in the order of time.
        ensemble: the model that made them.
        least: seconds of sound below which an answer by the voice is unsure.
        asked: the model that was asked, where a part of it answers the file; `missing` is what its modalities lack.
    """
    found = list(predicted)
    taken = _taken(ensemble if asked is None else asked)
    brief = [_is_brief(one, least) for one in found]
    rows = [_row(file, one, ensemble, short, taken) for one, short in zip(found, brief, strict=True)]
    windows = {one.start for one, short in zip(found, brief, strict=True) if short}
    return Answers(rows, _whole(file, found, rows, brief, ensemble), len(windows))


def row_of_sound(one: Prediction, ensemble: Predictor, least: float) -> dict[str, Any]:
    """The row of one prediction by the voice, as `answers` gives it but without a file."""
    row = _row(Path(), one, ensemble, _is_brief(one, least), _taken(ensemble))
    return {name: value for name, value in row.items() if name != "file"}


def shown(windows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The part of each window that is its own, for windows in the order of time: (start, end) in seconds.

    A window ends, and the next one begins, in the middle of the time that they share.
    """
    borders = [(before[1] + after[0]) / 2 for before, after in pairwise(windows)]
    return list(zip([windows[0][0], *borders], [*borders, windows[-1][1]], strict=True)) if windows else []


def _is_brief(one: Prediction, least: float) -> bool:
    return "audio" in one.modality and one.end - one.start < least - 1e-6


def _row(file: Path, one: Prediction, ensemble: Predictor, brief: bool, taken: tuple[str, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {"file": written(str(file)), "start": round(one.start, 3), "end": round(one.end, 3)}
    row |= {"person": one.person, "modality": one.modality}
    answering = [ensemble.part(one.modality)]
    row |= _answer(one.probabilities, ensemble, answering, brief)
    row |= _models(answering)
    if ensemble.faces is not None:
        shares = {"audio_share": one.audio_share, "video_share": one.video_share}
        row |= {name: None if share is None else round(share, 4) for name, share in shares.items()}
    if taken:
        row["missing"] = "+".join(sorted({*taken} - {*one.modality.split("+")}))
    return row


def _taken(asked: Predictor) -> tuple[str, ...]:
    """The modalities that a window can lack: those of a model of sound and faces."""
    return asked.modalities if asked.faces is not None and "audio" in asked.modalities else ()


def _answer(
    probabilities: NDArray[np.float64] | None, ensemble: Predictor, answering: Sequence[Predictor], brief: bool
) -> dict[str, Any]:
    """The target and the probabilities of the classes, empty where none of the answering models knows one.

    It is unsure below the greatest of their thresholds. For a number it is the target alone.
    """
    classes, target = ensemble.classes, ensemble.target
    if probabilities is None:
        return {target: SILENCE if classes else None, **dict.fromkeys(classes)}
    if not classes:
        return {target: round(float(probabilities[0]), 4)}
    sure = probabilities.max() >= max(one.unsure for one in answering) and not brief
    best = classes[probabilities.argmax()] if sure else UNSURE
    known = {name for one in answering for name in one.classes}
    each = dict(zip(classes, probabilities.round(4).tolist(), strict=True))
    return {target: best, **{name: value if name in known else None for name, value in each.items()}}


def _models(answering: Sequence[Predictor]) -> dict[str, str]:
    """The names of the models that answered and of their schemes; a joined answer has both names already."""
    named = [one for one in answering if len(one.parts) > 1] or answering
    return {"scheme": ", ".join(one.scheme for one in named), "model": ", ".join(one.name for one in named)}


def _mean(predictions: Sequence[Prediction], seconds: NDArray[np.float64], ensemble: Predictor) -> NDArray[np.float64]:
    """The mean probability of each class (K,), weighted by seconds, over the windows whose model knows it."""
    each = np.stack([one.probabilities for one in predictions if one.probabilities is not None])
    answered = [ensemble.part(one.modality).classes for one in predictions]
    known = np.array([[name in classes for name in ensemble.classes] for classes in answered], bool)
    if known.all():  # of a number as well, which has no classes
        return np.asarray(np.average(each, axis=0, weights=seconds))
    weights = known * seconds[:, None]
    mean = (each * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    return np.asarray(mean / mean.sum())


def _whole(
    file: Path,
    found: Sequence[Prediction],
    rows: Sequence[Mapping[str, Any]],
    brief: Sequence[bool],
    ensemble: Predictor,
) -> dict[str, Any]:
    people = Counter((one.start, one.end) for one in found)
    windows = sorted(people)
    own = {window: end - start for window, (start, end) in zip(windows, shown(windows), strict=True)}
    seconds = np.array([own[one.start, one.end] / people[one.start, one.end] for one in found])
    total = float(seconds.sum())
    known = np.array([one.probabilities is not None for one in found])
    counted = known & ~np.array(brief)
    too_brief = bool(known.any() and not counted.any())
    counted = known if too_brief else counted
    taken = [one for one, take in zip(found, counted, strict=True) if take]
    mean = _mean(taken, seconds[counted], ensemble) if taken else None
    kinds = {one.modality for one in taken} or {""}
    answering = [ensemble.part(kind) for kind in sorted(kinds)]
    used = {what for one in found for what in one.modality.split("+") if what}
    row: dict[str, Any] = {"file": written(str(file)), "seconds": round(max(one.end for one in found), 3)}
    row |= {"modality": "+".join(sorted(used))}
    row |= _answer(mean, ensemble, answering, too_brief)
    labels = [one[ensemble.target] if ensemble.classes else None for one in rows]
    for name in (*ensemble.classes, *((UNSURE,) if ensemble.classes else ())):
        row[f"{name}_share"] = _share(seconds, [label == name for label in labels], total)
    row[f"{SILENCE}_share"] = _share(seconds, list(~known), total)
    return row | _models(answering[:1] if len(ensemble.parts) == 1 else answering)


def _share(seconds: NDArray[np.float64], where: Sequence[bool], total: float) -> float:
    return round(float(seconds[np.array(where, bool)].sum()) / total, 4)
