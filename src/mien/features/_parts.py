"""The feature of overlapping parts of one sound; shared frames are computed once.

- `logmel` and `spectrogram`: frames depend on nothing but the samples in their window. They are computed once; those at
  the edges of a part, which see the sound mirrored there, again. A part has the frames that it has alone, but for
  rounding.
- `prosody`, and with it `mfb43` and `functionals`: f0 is a path through all frames, so the f0 of a part depends on
  the sound around it. It is searched in pieces of `PIECE` with `MARGIN` on both sides, all at once. A part then has
  nearly the f0 that it has alone: voiced frames differ where the path alone was led by the part's end. Energies at the
  edges of a part see what follows instead of a mirror. Functionals without level take the loudest sample of all parts.

One part alone, perturbed sound, and parts that do not begin on the grid of frames are extracted part by part.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.features import _frames, functionals
from mien.features._config import FeatureConfig, FrameConfig

LOCAL = ("logmel", "spectrogram")
WITH_PITCH = ("prosody", "mfb43", "functionals")
PIECE = 4.0  # seconds in which one path of f0 is kept
MARGIN = 0.5  # seconds on both sides of it that are searched and not kept

Array = NDArray[np.float32]


def extract_parts(name: str, waveform: Array, places: Sequence[slice], config: FeatureConfig) -> list[Array]:
    """The feature of parts of a waveform, as `features.extract` gives it for each alone, up to the differences above.

    Args:
        name: of the feature.
        waveform: (N,) float32 at `config.sample_rate`.
        places: start and stop of each part, in samples.
        config: the feature's.

    Returns:
        One (T, D) float32 array a part, in order.
    """
    known = name in (*LOCAL, *WITH_PITCH) and len(places) > 1 and config.speed == 1 and config.noise_db is None
    if not known or not isinstance(config, FrameConfig) or any(place.start % config.shift_size for place in places):
        return features.extract(name, [waveform[place] for place in places], config)
    if name in LOCAL:
        return _local(name, waveform, places, config)
    if isinstance(config, functionals.Config):
        waveform = functionals.levelled(waveform, config)
        energies = _of_parts(features.extract("logmel", [waveform], config)[0], places, config)
        pairs = zip(energies, _pitched(waveform, places, config), strict=True)
        return [functionals.summary(np.concatenate(pair, axis=1), config) for pair in pairs]
    pitched = _pitched(waveform, places, config)
    if name == "prosody":
        return pitched
    pairs = zip(_local("logmel", waveform, places, config), pitched, strict=True)
    return [np.concatenate(pair, axis=1) for pair in pairs]


def _local(name: str, waveform: Array, places: Sequence[slice], config: FrameConfig) -> list[Array]:
    shift, edges = config.shift_size, [_edges(place.stop - place.start, config) for place in places]
    sounds = [
        waveform[place.start + edge.first * shift : min(place.stop, place.start + edge.until * shift)]
        for place, both in zip(places, edges, strict=True)
        for edge in both
    ]
    whole, *again = features.extract(name, [waveform, *sounds], config)
    parts, computed = _of_parts(whole, places, config), iter(again)
    for part, both in zip(parts, edges, strict=True):
        for edge in both:
            part[edge.frames] = next(computed)[edge.frames.start - edge.first :][: edge.frames.stop - edge.frames.start]
    return parts


def _pitched(waveform: Array, places: Sequence[slice], config: FrameConfig) -> list[Array]:
    shift = config.shift_size
    kept, margin = (round(seconds / config.shift) for seconds in (PIECE, MARGIN))  # in frames
    begins = range(0, _frames.count(len(waveform), config), kept)
    before = [min(begin, margin) for begin in begins]
    sounds = [
        waveform[(begin - early) * shift : (begin + kept + margin) * shift]
        for begin, early in zip(begins, before, strict=True)
    ]
    pieces = features.extract("prosody", sounds, config)
    whole = np.concatenate([piece[early:][:kept] for piece, early in zip(pieces, before, strict=True)])
    return _of_parts(whole, places, config)


def _of_parts(whole: Array, places: Sequence[slice], config: FrameConfig) -> list[Array]:
    """The frames of each part, copied from those of the whole."""
    counts = [_frames.count(place.stop - place.start, config) for place in places]
    firsts = [place.start // config.shift_size for place in places]
    return [whole[first : first + count].copy() for first, count in zip(firsts, counts, strict=True)]


class _Edge(NamedTuple):
    """Frames of a part that see beyond it, and the stretch, in frames of the part, on which they are computed again."""

    frames: slice
    first: int
    until: int


def _edges(samples: int, config: FrameConfig) -> tuple[_Edge, _Edge]:
    """The frames at the beginning and at the end of a part of that many samples."""
    window, shift = config.window_size, config.shift_size
    before = window // 2 - shift // 2
    count = _frames.count(samples, config)
    begin = min(count, -(-max(0, before) // shift))
    end = max(begin, min(count, (samples - window + before) // shift + 1))
    margin = begin + -(-window // shift)
    return _Edge(slice(0, begin), 0, begin + margin), _Edge(slice(end, count), max(0, end - margin), count + 1)
