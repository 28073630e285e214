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


def answers(file: Path, predicted: Iterable[Prediction], ensemble: Predictor, least: float) -> Answers:
    """The rows of a file.

    The row of the whole file has the mean probability of each class over all windows that have probabilities, weighted
    by their own seconds (`shown`); windows that are too brief count only where there is no other. The likeliest class
    is its emotion, by the threshold of a window of the same modalities. `CLASS_share`, `unsure_share` and
    `silence_share` are shares of the file's seconds; the people of one window share its seconds equally. A model of a
    number has the mean number.

    Args:
        file: named in the rows.
        predicted: its predictions, in the order of time.
        ensemble: the model that made them.
        least: seconds of sound below which an answer by the voice is unsure.
    """
    found = list(predicted)
    brief = [_is_brief(one, least) for one in found]
    rows = [_row(file, one, ensemble, short) for one, short in zip(found, brief, strict=True)]
    windows = {one.start for one, short in zip(found, brief, strict=True) if short}
    return Answers(rows, _whole(file, found, rows, brief, ensemble), len(windows))


def shown(windows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The part of each window that is its own, for windows in the order of time: (start, end) in seconds.

    A window ends, and the next one begins, in the middle of the time that they share.
    """
    borders = [(before[1] + after[0]) / 2 for before, after in pairwise(windows)]
    return list(zip([windows[0][0], *borders], [*borders, windows[-1][1]], strict=True)) if windows else []


def _is_brief(one: Prediction, least: float) -> bool:
    return "audio" in one.modality and one.end - one.start < least - 1e-6


def _row(file: Path, one: Prediction, ensemble: Predictor, brief: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"file": str(file), "start": round(one.start, 3), "end": round(one.end, 3)}
    row |= {"person": one.person, "modality": one.modality}
    row |= _answer(one.probabilities, ensemble, one.modality, brief)
    row |= _model(ensemble, one.modality)
    if ensemble.faces is not None:
        shares = {"audio_share": one.audio_share, "video_share": one.video_share}
        row |= {name: None if share is None else round(share, 4) for name, share in shares.items()}
    return row


def _answer(
    probabilities: NDArray[np.float64] | None, ensemble: Predictor, modality: str, brief: bool
) -> dict[str, Any]:
    """The target and the probabilities of the classes, empty where the modality's model does not know one.

    For a number it is the target alone.
    """
    classes, target = ensemble.classes, ensemble.target
    if probabilities is None:
        return {target: SILENCE if classes else None, **dict.fromkeys(classes)}
    if not classes:
        return {target: round(float(probabilities[0]), 4)}
    answering = ensemble.part(modality)
    sure = probabilities.max() >= answering.unsure and not brief
    best = classes[probabilities.argmax()] if sure else UNSURE
    each = dict(zip(classes, probabilities.round(4).tolist(), strict=True))
    return {target: best, **{name: value if name in answering.classes else None for name, value in each.items()}}


def _model(ensemble: Predictor, modality: str) -> dict[str, str]:
    answering = ensemble.part(modality)
    return {"scheme": answering.scheme, "model": answering.name}


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
    mean = None
    if counted.any():
        probabilities = [one.probabilities for one, take in zip(found, counted, strict=True) if take]
        each = np.stack([one for one in probabilities if one is not None])
        mean = np.average(each, axis=0, weights=seconds[counted])
    used = {what for one in found for what in one.modality.split("+") if what}
    row: dict[str, Any] = {"file": str(file), "seconds": round(max(one.end for one in found), 3)}
    row |= {"modality": "+".join(sorted(used))}
    row |= _answer(mean, ensemble, row["modality"], too_brief)
    labels = [one[ensemble.target] if ensemble.classes else None for one in rows]
    for name in (*ensemble.classes, *((UNSURE,) if ensemble.classes else ())):
        row[f"{name}_share"] = _share(seconds, [label == name for label in labels], total)
    row[f"{SILENCE}_share"] = _share(seconds, list(~known), total)
    return row | _model(ensemble, row["modality"])


def _share(seconds: NDArray[np.float64], where: Sequence[bool], total: float) -> float:
    return round(float(seconds[np.array(where, bool)].sum()) / total, 4)
