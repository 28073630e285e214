"""Which of several people speaks: the one whose mouth opens when the sound rises. A deliberately simple choice.

- **Motion** of a mouth from one picture to the next is the change of log contrast (standard deviation of grey levels)
  in the lower part of a face's box, less that in its upper part: an open mouth is dark, with bright teeth. A head that
  moves, light, and focus change both parts alike. Both pictures are measured in the same box, so that a trembling box
  is no motion.
- **Sound** is the rate of change of log RMS, with a floor 30 dB below the loudest moment.
- Both lie in bins of 40 ms and are correlated over a window, in which both are known for a second at least. The sound
  may be 40 ms early or late, as broadcasting allows (EBU R 37); the correlation then counts a tenth less.

Of ten speakers of GRID, three seconds each, with the voice of one, 89 of 90 ordered pairs are right although both speak
at once (`benchmarks/show_clips.py --pairs`); the amount of motion against the level itself was right in 65. A speaker
outside the picture cannot be found: `clear_speaker` names none unless the best is clear.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.media.faces.detectors import Box
from mien.media.faces.tracking import tiles

BIN = 0.04  # s
LAGS = (1.0, 0.9)  # what a correlation counts at a lag of 0 and 1 bins; EBU R 37 allows 40 ms early, 60 ms late
LEAST_BINS = 25
_MOUTH = (0.2, 0.6, 0.8, 1.0)  # left, top, right, bottom in a face's box
_UPPER = (0.15, 0.1, 0.85, 0.5)
_GRID = (16, 24)
_NOISE = 1.0  # grey levels: of coding
_FLOOR = 10 ** (-30 / 20)
_BRIDGED = 2  # bins without a picture between two that have one, filled on a straight line
LONGEST = (_BRIDGED + 1) * BIN  # s from one picture to the next: in slower video mouths cannot be watched

Values = NDArray[np.float64]


class Evidence(NamedTuple):
    """A correlation and over how many bins it was taken; nan where there are too few, or nothing changes in them."""

    correlation: float
    bins: int


class Course:
    """Sums of a value over time, in bins of `BIN` seconds; earlier bins can be dropped."""

    def __init__(self) -> None:
        self._bins: dict[int, tuple[float, int]] = {}

    def add(self, time: float, value: float, count: int = 1) -> None:
        """Add a sum of `count` values at a media second."""
        place = bin_of(time)
        total, number = self._bins.get(place, (0.0, 0))
        self._bins[place] = (total + value, number + count)

    def between(self, start: float, end: float) -> Values:
        """(N,) means of the bins from `start` to `end`, nan where nothing was added."""
        bins = (self._bins.get(place, (math.nan, 1)) for place in range(bin_of(start), bin_of(end)))
        return np.array([total / number for total, number in bins], dtype=np.float64)

    def forget(self, before: float) -> None:
        """Drop the bins before a media second."""
        first = bin_of(before)
        for place in [place for place in self._bins if place < first]:
            del self._bins[place]


def bin_of(time: float) -> int:
    """The number of the bin that a media second falls into."""
    return math.floor(time / BIN + 1e-6)


def hear(course: Course, start: float, samples: NDArray[np.float32], rate: int) -> None:
    """Add the power of sound that begins at a media second; `samples` (N,) mono at `rate`."""
    power = np.square(samples, dtype=np.float64)
    size = max(1, round(BIN * rate))
    begin = round(start * rate)
    edges = np.arange(begin - begin % size, begin + len(power), size) - begin
    for left in edges.tolist():
        piece = power[max(0, left) : left + size]
        if len(piece):
            course.add((begin + left + size / 2) / rate, float(piece.sum()), len(piece))


def mouth_motion(before: NDArray[np.uint8], now: NDArray[np.uint8], box: Box) -> float:
    """How much a mouth opens (or, below 0, closes) from one picture to the next.

    Args:
        before: (H, W) uint8 luma.
        now: the next picture, of the same shape.
        box: the face in both, in px.

    Returns:
        The change of log contrast of the mouth less that of the upper face; nan where one is outside of the picture.
    """
    mouth, upper = (_contrast(now, box, part) - _contrast(before, box, part) for part in (_MOUTH, _UPPER))
    return mouth - upper


def correlation(motion: Values, power: Values) -> Evidence:
    """How well a mouth's motion goes with the sound.

    Args:
        motion: (N,) by bins, nan where it is not known.
        power: (N,) mean square of the sound by bins, nan where there is none.
    """
    motion, sound = _bridged(motion), _rise(power)
    bins = int((np.isfinite(motion) & np.isfinite(sound)).sum())
    scores = [math.nan]
    for lag in range(1 - len(LAGS), len(LAGS)):
        late, early = max(0, lag), max(0, -lag)
        ahead, behind = motion[late : len(motion) - early], sound[early : len(sound) - late]
        known = np.isfinite(ahead) & np.isfinite(behind)
        if known.sum() >= LEAST_BINS:
            scores.append(LAGS[abs(lag)] * _pearson(ahead[known], behind[known]))
    best = max((value for value in scores if not math.isnan(value)), default=math.nan)
    return Evidence(best, bins)


def clear_speaker(people: Mapping[int, Evidence]) -> int | None:
    """The number of the person who clearly speaks; None if none does.

    Clear is a correlation of 2.5 standard errors (1 / sqrt(bins)) above 0, and of half of one above the next person's.
    Half is little, but enough: among GRID's pairs no choice beyond it is wrong.
    """
    known = {person: evidence for person, evidence in people.items() if not math.isnan(evidence.correlation)}
    ranked = sorted(known, key=lambda person: (-known[person].correlation, person))
    if not ranked or known[ranked[0]].correlation < 2.5 / math.sqrt(known[ranked[0]].bins):
        return None
    if len(ranked) > 1:
        best, next_best = (known[person] for person in ranked[:2])
        if best.correlation - next_best.correlation < 0.5 / math.sqrt(min(best.bins, next_best.bins)):
            return None
    return ranked[0]


def _contrast(grey: NDArray[np.uint8], box: Box, share: Box) -> float:
    """Log contrast of a part of a box, after averaging over tiles; nan where it is not in the picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    left, right = (max(0, round(box[0] + part * width)) for part in (share[0], share[2]))
    top, bottom = (max(0, round(box[1] + part * height)) for part in (share[1], share[3]))
    piece = grey[top:bottom, left:right]
    return math.log(float(tiles(piece, *_GRID).std()) + _NOISE) if min(piece.shape) >= 2 else math.nan


def _bridged(values: Values) -> Values:
    """The same with short holes filled on a straight line."""
    known = np.flatnonzero(np.isfinite(values))
    filled = values.copy()
    for left, right in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
        if 1 < right - left <= _BRIDGED + 1:
            filled[left:right] = np.linspace(values[left], values[right], right - left, endpoint=False)
    return filled


def _rise(power: Values) -> Values:
    """The rate of change of log RMS; nan next to where there is no sound."""
    rms = np.sqrt(power)
    if len(rms) < 2 or not np.isfinite(rms).any() or np.nanmax(rms) == 0:
        return np.full_like(power, np.nan)
    rise: Values = np.gradient(np.log(rms + _FLOOR * np.nanmax(rms)))
    return rise


def _pearson(x: Values, y: Values) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 1e-9 else math.nan
