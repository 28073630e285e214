"""Parts of a file's sound, in one pass through it where its format has no place to begin at but the beginning.

Of parts that overlap or lie in any order, each is what it would be if it were read alone, and so is its error.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mien.errors import MediaError
from mien.media.containers import TOLERANCE, Media, Part, open_media
from mien.media.packets import Packets, lands_exactly
from mien.media.resampling import Stretch
from mien.media.soundtrack import Track, Waveform, sound_stream


class Sound(NamedTuple):
    """The sound of a part.

    Attributes:
        samples: (N,) float32 mono; N is 0 in a file without sound.
        swing: how far they swing around their middle, at the track's own rate and without what is zero: half of the
            greatest sample less the least.
    """

    samples: Waveform
    swing: float


def decode(
    file: Path, parts: Sequence[tuple[float | None, float | None]], *, rate: int, longest: float
) -> list[Sound | MediaError]:
    """The sound of parts, or why a part cannot be read.

    Args:
        file: any media file.
        parts: start and end of each in media seconds; None and nan are those of the file.
        rate: samples per second of the result.
        longest: seconds of a part.
    """
    try:
        with open_media(file) as media:
            stream = sound_stream(media)
            searched = len(parts) > 1 and stream is not None and lands_exactly(media, [stream])
            if not searched:
                return _decoded(media, parts, rate, longest)
    except MediaError as error:
        return [error] * len(parts)
    return [decode(file, [part], rate=rate, longest=longest)[0] for part in parts]


@dataclass
class _Taken:
    """What has been taken of a part; `first` and `last` are samples at the result's rate."""

    part: Part
    first: int
    last: int | None
    pieces: list[Waveform] = field(default_factory=lambda: [np.zeros(0, np.float32)])
    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    error: MediaError | None = None

    def sound(self, media: Media, rate: int, end: float) -> Sound | MediaError:
        if self.error is None and (
            not self.count or (self.last is not None and self.first + self.count < self.last - TOLERANCE * rate)
        ):
            self.error = media.ends_early(self.part, end)
        if self.error is not None:
            return self.error
        samples = np.concatenate(self.pieces)
        if self.count == 1:  # which has no middle
            return Sound(samples, abs(float(samples[0])))
        return Sound(samples, max(0.0, (self.high - self.low) / 2))


class _Open:
    """Those of some parts that a pass has come to, by samples at any rate: `share` of them are one of the result."""

    def __init__(self, parts: Sequence[_Taken], share: float) -> None:
        self._share = share
        self._later = sorted(parts, key=lambda one: -one.first)
        self._now: list[_Taken] = []

    def between(self, begin: int, end: int) -> Iterator[tuple[_Taken, slice]]:
        """Each part with samples from `begin` to `end`, and the place of these."""
        while self._later and self._later[-1].first * self._share < end:
            self._now.append(self._later.pop())
        self._now = [one for one in self._now if one.last is None or one.last * self._share > begin]
        for one in self._now:
            left = max(0, round(one.first * self._share) - begin)
            yield one, slice(left, None if one.last is None else max(left, round(one.last * self._share) - begin))


def _decoded(
    media: Media, asked: Sequence[tuple[float | None, float | None]], rate: int, longest: float
) -> list[Sound | MediaError]:
    taken: list[_Taken | MediaError] = []
    for start, end in asked:
        try:
            part = media.part(start, end, rate)
            taken.append(_Taken(part, *part.samples(rate)))
        except MediaError as error:
            taken.append(error)
    parts = [one for one in taken if isinstance(one, _Taken)]
    stream = sound_stream(media)
    if stream is None:
        return [Sound(np.zeros(0, np.float32), 0.0) if isinstance(one, _Taken) else one for one in taken]
    end = 0.0
    if parts:
        first = min(one.first for one in parts)
        track = Track(Packets(media, [stream], start=first / rate), stream)
        if track.empty:
            return [media.ends_early(one.part) if isinstance(one, _Taken) else one for one in taken]
        _take(track, parts, rate, round(longest * rate))
        end = track.end
    return [one.sound(media, rate, end) if isinstance(one, _Taken) else one for one in taken]


def _take(track: Track, parts: Sequence[_Taken], rate: int, most: int) -> None:
    """Fill the parts."""
    ends = [one.last for one in parts if one.last is not None]
    position = first = min(one.first for one in parts)
    stretch = Stretch(track, rate, first, max(ends) if len(ends) == len(parts) else None)
    arrived = _Open(parts, 1.0)
    for piece in stretch.resampled(_watched(stretch, parts)):
        for one, place in arrived.between(position, position + piece.shape[1]):
            if one.error is None:
                one.pieces.append(piece[0, place])
                one.count += len(one.pieces[-1])
            if one.count > most:
                seconds = most // rate
                one.error = track.media.error(f"is longer than {seconds} seconds; read a part of it, or stream it")
                one.pieces.clear()
        position += piece.shape[1]
        if all(one.error is not None for one in parts):
            return


def _watched(stretch: Stretch, parts: Sequence[_Taken]) -> Iterator[Waveform]:
    """The decoded samples of a stretch, whose swing is noted; damage ends them, and the parts that it reaches."""
    position, failures = stretch.begin, list[MediaError]()
    passed = _Open(parts, stretch.track.rate / stretch.rate)
    for piece in stretch.decoded(failures):
        for one, place in passed.between(position, position + piece.shape[1]):
            inside = piece[0, place]
            if inside.any():  # holes are zero
                one.low, one.high = min(one.low, float(inside.min())), max(one.high, float(inside.max()))
        position += piece.shape[1]
        yield piece
    for one in parts if failures else ():
        until = stretch.until_of(one.last)
        if until is None or position < until:
            one.error = failures[0]
