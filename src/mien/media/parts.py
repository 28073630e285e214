"""Parts of a file's sound, in one pass through it where its format has no place to begin at but the beginning.

Of parts that overlap or lie in any order, each is what it would be if it were read alone, and so is its error.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mien.errors import MediaError, SoundError
from mien.media.containers import TOLERANCE, Media, Part, open_media
from mien.media.packets import Packets, lands_exactly
from mien.media.resampling import Stretch
from mien.media.soundtrack import Track, Waveform, sound_stream

SILENCE = 2.0**-16  # half a step of 16-bit sound: sound that stays below it is no recording


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
) -> Iterator[tuple[int, Sound | MediaError]]:
    """The number of each part with its sound, or why it cannot be read; a part that ends first comes first.

    Args:
        file: any media file.
        parts: start and end of each in media seconds; None and nan are those of the file.
        rate: samples per second of the result.
        longest: seconds of a part.
    """
    left = set(range(len(parts)))
    try:
        with open_media(file) as media:
            stream = sound_stream(media)
            alone = len(parts) > 1 and stream is not None and lands_exactly(media, [stream])
            for number, found in () if alone else _decoded(media, parts, rate, round(longest * rate)):
                left.discard(number)
                yield number, found
    except MediaError as error:
        for number in sorted(left):
            yield number, error
        return
    for number in sorted(left):
        for _, found in decode(file, [parts[number]], rate=rate, longest=longest):
            yield number, found


@dataclass
class _Taken:
    """What has been taken of a part, by its number; `first` and `last` are samples at the result's rate."""

    number: int
    part: Part
    first: int
    last: int | None
    pieces: list[Waveform] = field(default_factory=lambda: [np.zeros(0, np.float32)])
    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    error: MediaError | None = None

    def sound(self, track: Track, rate: int) -> Sound | MediaError:
        missing = self.last is not None and self.first + self.count < self.last - TOLERANCE * rate
        if self.error is None and (missing or not self.count):
            there = np.concatenate(self.pieces) if self.high - self.low >= 2 * SILENCE else None
            self.error = SoundError(track.media.file, track.media.ends_early(self.part, track.end).cause, there)
        if self.error is not None:
            return self.error
        samples = np.concatenate(self.pieces)
        if self.count == 1:  # which has no middle
            return Sound(samples, abs(float(samples[0])))
        return Sound(samples, max(0.0, (self.high - self.low) / 2))


class _Open:
    """Those of some parts that a pass has come to, by samples at any rate: `share` of them are one of the result."""

    def __init__(self, parts: Sequence[_Taken], share: float) -> None:
        self.now: list[_Taken] = []
        self._share = share
        self._later = sorted(parts, key=lambda one: -one.first)

    def between(self, begin: int, end: int) -> Iterator[tuple[_Taken, slice]]:
        """Each part with samples from `begin` to `end`, and the place of these."""
        while self._later and self._later[-1].first * self._share < end:
            self.now.append(self._later.pop())
        self.now = [one for one in self.now if one.last is None or one.last * self._share > begin]
        for one in self.now:
            left = max(0, round(one.first * self._share) - begin)
            yield one, slice(left, None if one.last is None else max(left, round(one.last * self._share) - begin))


def _decoded(
    media: Media, asked: Sequence[tuple[float | None, float | None]], rate: int, most: int
) -> Iterator[tuple[int, Sound | MediaError]]:
    parts = []
    for number, (start, end) in enumerate(asked):
        try:
            part = media.part(start, end, rate)
        except MediaError as error:
            yield number, error
        else:
            parts.append(_Taken(number, part, *part.samples(rate)))
    stream = sound_stream(media)
    if stream is None:
        yield from ((one.number, Sound(np.zeros(0, np.float32), 0.0)) for one in parts)
    elif parts:
        begin = min(one.first for one in parts) / rate
        track = Track(Packets(media, [stream], start=begin), stream)
        if track.empty:
            yield from ((one.number, SoundError(media.file, media.ends_early(one.part).cause)) for one in parts)
        else:
            for one in _Pass(track, parts, rate, most).run():
                yield one.number, one.sound(track, rate)


class _Pass:
    """One pass through a track that fills parts of it."""

    def __init__(self, track: Track, parts: Sequence[_Taken], rate: int, most: int) -> None:
        ends = [one.last for one in parts if one.last is not None]
        self._first = min(one.first for one in parts)
        self._stretch = Stretch(track, rate, self._first, max(ends) if len(ends) == len(parts) else None)
        self._parts = {one.number: one for one in parts}
        self._most = most
        self._reached = self._stretch.begin  # the sample of the track up to which it is decoded

    def run(self) -> Iterator[_Taken]:
        """The parts, each once it is complete or cannot be."""
        arrived, position = _Open(list(self._parts.values()), 1.0), self._first
        begun: dict[int, _Taken] = {}
        for piece in self._stretch.resampled(self._watched()):
            for one, place in arrived.between(position, position + piece.shape[1]):
                if one.number in self._parts:  # not one that was complete before its last sample's piece ended
                    begun[one.number] = one
                if one.error is None:
                    one.pieces.append(piece[0, place])
                    one.count += len(one.pieces[-1])
                if one.count > self._most:
                    seconds = f"{self._most / self._stretch.rate:.0f} seconds"
                    one.error = self._stretch.track.media.error(
                        f"is longer than {seconds}; read a part of it, or stream it"
                    )
            position += piece.shape[1]
            for one in [one for one in begun.values() if self._is_over(one, position)]:
                del begun[one.number]
                yield self._parts.pop(one.number)
            if not self._parts:
                return
        yield from self._parts.values()

    def _is_over(self, one: _Taken, position: int) -> bool:
        until = self._stretch.until_of(one.last)
        whole = one.last is not None and position >= one.last and until is not None and self._reached >= until
        return whole or one.error is not None

    def _watched(self) -> Iterator[Waveform]:
        """The decoded samples, whose swing is noted; damage ends them, and the parts that it reaches."""
        failures: list[MediaError] = []
        passed = _Open(list(self._parts.values()), self._stretch.track.rate / self._stretch.rate)
        for piece in self._stretch.decoded(failures):
            for one, place in passed.between(self._reached, self._reached + piece.shape[1]):
                inside = piece[0, place]
                if inside.any():  # holes are zero
                    one.low, one.high = min(one.low, float(inside.min())), max(one.high, float(inside.max()))
            self._reached += piece.shape[1]
            yield piece
        for one in self._parts.values() if failures else ():
            until = self._stretch.until_of(one.last)
            if until is None or self._reached < until:
                one.error = failures[0]
