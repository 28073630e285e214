"""Fingerprints of sound: which clips are the same recording, also after a codec or another change of the file.

A fingerprint holds the changes of the energies of 24 mel bands between 300 and 3,400 Hz (the band of a telephone) over
time and over neighbouring bands, as in Haitsma & Kalker 2002 ("A highly robust audio fingerprinting system", section
4.2). But it holds the changes themselves, limited to 4.3 dB, and not their signs. So silence, where signs are random,
has no effect, and a single onset has little. Energies more than 45 dB below a clip's loudest band are raised to that
level. Frames are 128 ms long and 16 ms apart; those that reach beyond the clip are left out.

The **similarity** of two clips is the correlation of their changes at the best alignment within +-.3 s of their centres
of energy: 1 for the same sound. Level does not change it; a codec, a lower sampling rate, an encoder's delay or trimmed
ends hardly do. `benchmarks/bench_duplicates.py` measures the similarities of equal and of different recordings; `SAME`
lies between them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.features import logmel

FEATURE = "logmel"
CONFIG = logmel.Config(mels=24, low=300.0, high=3400.0, window=0.128, shift=0.016, preemphasis=0.0, taper="hann")

SAME = 0.75  # the least similarity of two clips of one recording
SHORTEST = 27  # frames: less than .43 s of sound is not distinctive
_EDGE = 4  # frames at either end, half a window: their window reaches beyond the clip, into its mirror image
_MOST = 1.0  # natural logarithm of power, 4.3 dB: greater changes are clipped
_DEPTH = 4.5 * float(np.log(10))  # natural logarithms of power: 45 dB
_LAGS = 19  # frames: .3 s
_COARSE = 4  # frames (64 ms) in one step of the coarse comparison, which has half the bands
_STEPS = 32  # steps of the coarse comparison, 2 s around the centre
_SHIFTS = 5  # steps to either side, .3 s
_LIKELY = 0.5  # the least coarse similarity of pairs that are compared in full
_BLOCK = 1024  # clips at a time

Values = NDArray[np.float32]


class Fingerprint(NamedTuple):
    """The fingerprint of a clip.

    Attributes:
        changes: (frames, 23) float32, of norm 1.
        centre: centre of the energy in frames.
        coarse: (_STEPS, 11) float32, of norm 1: the changes around the centre at a quarter of the rate, half the bands.
    """

    changes: Values
    centre: float
    coarse: Values


class Pair(NamedTuple):
    """Two clips of one recording, in sorted order, and their similarity."""

    first: str
    second: str
    similarity: float


def fingerprint(energies: Values) -> Fingerprint | None:
    """The fingerprint of a clip; None if it is shorter than `SHORTEST` or its sound does not change.

    Args:
        energies: (T, 24) natural logarithms of power, the feature `FEATURE` under `CONFIG`.
    """
    if len(energies) < SHORTEST:
        return None
    energies = energies[_EDGE:-_EDGE]
    peak = energies.max()
    raised = np.maximum(energies, peak - _DEPTH)
    loudness = np.sqrt(np.exp(raised - peak).sum(1))
    loudness -= loudness.min()
    if not (total := float(loudness.sum())) > 0:
        return None
    centre = float((np.arange(len(loudness)) * loudness).sum() / total)
    changes = _unit(np.clip(_changes(raised, 2), -_MOST, _MOST))
    coarse = _unit(_around(raised, round(centre)))
    return None if changes is None or coarse is None else Fingerprint(changes, centre, coarse)


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """The correlation at the best alignment, in [-1, 1]."""
    straight = round(other.centre - one.centre)
    return max(_shifted(one.changes, other.changes, straight + lag) for lag in range(-_LAGS, _LAGS + 1))


def duplicates(fingerprints: Mapping[str, Fingerprint], others: Iterable[tuple[str, Fingerprint]] = ()) -> list[Pair]:
    """All pairs of clips that are one recording.

    All pairs are compared coarsely by matrix products, and the likely ones by `similarity`.

    Args:
        fingerprints: clip -> its fingerprint.
        others: clips and fingerprints that are compared with these and not with each other; `_BLOCK` at a time.
    """
    clips = sorted(fingerprints)
    prints = [fingerprints[clip] for clip in clips]
    found = []
    for first, second in _likely(prints):
        alike = similarity(prints[first], prints[second])
        if alike >= SAME:
            found.append(Pair(clips[first], clips[second], alike))
    stream, flat = iter(others), _flat(_coarse(prints))
    while block := list(islice(stream, _BLOCK)):
        for row, column in _alike(flat, _coarse([own for _, own in block])):
            alike = similarity(prints[row], block[column][1])
            if alike >= SAME:
                one, other = sorted((clips[row], block[column][0]))
                found.append(Pair(one, other, alike))
    return sorted(found)


def _likely(prints: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """The likely pairs by the coarse comparison, each once."""
    coarse = _coarse(prints)
    flat = _flat(coarse)
    for begin in range(0, len(prints), _BLOCK):
        for row, column in _alike(flat[begin:], coarse[begin : begin + _BLOCK]):
            if column < row:
                yield begin + column, begin + row


def _coarse(prints: Sequence[Fingerprint]) -> Values:
    return np.stack([one.coarse for one in prints]) if prints else np.zeros((0, _STEPS, 0), np.float32)


def _flat(coarse: Values) -> Values:
    return coarse.reshape(len(coarse), coarse.shape[1] * coarse.shape[2])


def _alike(flat: Values, coarse: Values) -> Iterator[tuple[int, int]]:
    """The likely pairs of two groups of clips: places in the first, whose rows are flat, and in the second."""
    if not len(flat):
        return
    best = flat @ _flat(coarse).T
    for shift in range(-_SHIFTS, _SHIFTS + 1):
        if shift:
            moved = np.zeros_like(coarse)
            here, there = slice(max(0, shift), _STEPS + min(0, shift)), slice(max(0, -shift), _STEPS - max(0, shift))
            moved[:, here] = coarse[:, there]
            np.maximum(best, flat @ _flat(moved).T, out=best)
    rows, columns = np.nonzero(best >= _LIKELY)
    yield from zip(rows.tolist(), columns.tolist(), strict=True)


def _changes(energies: Values, step: int) -> Values:
    """Differences along bands, then along time."""
    slopes = np.diff(energies, axis=1)
    return slopes[step:] - slopes[:-step]


def _around(energies: Values, centre: int) -> Values:
    """The coarse changes around the centre; beyond the ends of the clip there is no change."""
    frames = (_STEPS + 1) * _COARSE
    before = frames // 2
    places = np.clip(np.arange(centre - before, centre - before + frames), 0, len(energies) - 1)
    steps = energies[places].reshape(_STEPS + 1, _COARSE, -1, 2).mean((1, 3))
    return _changes(steps, 1)


def _shifted(one: Values, other: Values, lag: int) -> float:
    begin, end = max(0, -lag), min(len(one), len(other) - lag)
    return float(np.vdot(one[begin:end], other[begin + lag : end + lag])) if begin < end else 0.0


def _unit(values: Values) -> Values | None:
    norm = float(np.linalg.norm(values))
    return values / np.float32(norm) if norm > 1e-3 else None
