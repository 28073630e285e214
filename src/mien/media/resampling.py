"""The samples of a track at another rate: libswresample's polyphase sinc filter under a Kaiser window.

The filter has 128 zero crossings at the lower rate (`FILTER`): at 16 kHz it is flat within .1 dB to 7 kHz, -1 dB at
7.5 kHz, below -95 dB from 8.4 kHz; no delay, no dither. Sound is rows x N float32; each row is filtered by itself.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import av
import numpy as np

from mien.errors import MediaError
from mien.media.soundtrack import Track, Waveform

FILTER = {"resampler": "swr", "filter_size": "128", "cutoff": "0.955", "filter_type": "kaiser", "kaiser_beta": "9"}
EDGE = 0.1  # s of sound around a part: more than half the filter at any rate
_BATCH = 0.5  # s of sound a call of the resampler
_SHORT = 160  # samples at the lower rate: of less, libswresample drops more than a sample, or all


class Stretch:
    """A stretch of an open track at a rate, and the place in the track at which its decoding begins and ends.

    Attributes:
        track: the track.
        rate: of the result, in Hz.
        first: its first sample, at `rate`.
        last: the sample after its last one; None for the end of the track.
        begin: the sample of the track at which decoding begins.
        until: the one at which it ends; None for the end of the track.
    """

    def __init__(self, track: Track, rate: int, first: int, last: int | None) -> None:
        """Leave room for the filter around the stretch; nothing is decoded."""
        self.track, self.rate, self.first, self.last = track, rate, first, last
        # The resampler starts where a sample of the track and one of the result fall together (every `period` of the
        # former, `step` of the latter), so that its phases are the same wherever the part begins.
        common = math.gcd(track.rate, rate)
        period, step = track.rate // common, rate // common
        start = max(0, math.floor((first - EDGE * rate) / step))
        self.begin, self._position = start * period, start * step
        self.until = self.until_of(last)

    def until_of(self, last: int | None) -> int | None:
        """The sample of the track at which decoding may end for a sample of the result; None for the end."""
        return None if last is None else math.ceil((last / self.rate + EDGE) * self.track.rate)

    def decoded(self, failures: list[MediaError] | None = None) -> Iterator[Waveform]:
        """The samples of the track from `begin` to `until`, in pieces of `_BATCH` seconds; only the last is shorter.

        Args:
            failures: a list to which an error is added; the samples before it come, and end there. None: it is raised.

        Raises:
            MediaError: as `Track.samples`.
        """
        pieces = self.track.samples(self.begin, self.until)
        size = max(1, round(_BATCH * self.track.rate))
        return regrouped(pieces if failures is None else _ending(pieces, failures), size)

    def resampled(self, decoded: Iterable[Waveform]) -> Iterator[Waveform]:
        """The stretch, of what was `decoded`, in pieces; as many samples as there are.

        The pieces do not depend on where the stretch begins, but for the edges.
        """
        position = self._position
        for piece in resampled(decoded, self.track.rate, self.rate, self.track.media.guard):
            inside = piece[
                :, max(0, self.first - position) : None if self.last is None else max(0, self.last - position)
            ]
            position += piece.shape[1]
            if inside.shape[1]:
                yield inside


def part_of(track: Track, rate: int, first: int, last: int | None) -> Iterator[Waveform]:
    """Samples `first` to `last` (exclusive; None: the end) of an open track at `rate`, in pieces."""
    stretch = Stretch(track, rate, first, last)
    return stretch.resampled(stretch.decoded())


def regrouped(pieces: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """The same samples in pieces of `size`; the last one may be shorter."""
    held: list[Waveform] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[1]
        if count >= size:
            joined = np.concatenate(held, axis=1)
            whole = count - count % size
            for begin in range(0, whole, size):
                yield joined[:, begin : begin + size]
            held, count = [joined[:, whole:]], count - whole
    if count:
        yield np.concatenate(held, axis=1)


def _ending(pieces: Iterable[Waveform], failures: list[MediaError]) -> Iterator[Waveform]:
    try:
        yield from pieces
    except MediaError as error:
        failures.append(error)


def _unguarded(doing: str) -> AbstractContextManager[None]:
    return nullcontext()


def resampled(
    pieces: Iterable[Waveform],
    source: int,
    rate: int,
    guard: Callable[[str], AbstractContextManager[None]] = _unguarded,
) -> Iterator[Waveform]:
    """The same sound at another rate: N samples become N * rate / source, rounded up, or one less.

    All pieces but the last are longer than the filter. A sound that is shorter is prolonged by its mirror image, as
    libswresample does at both ends; of that one, no sample is missing.

    Args:
        pieces: of the sound, rows x N float32, all with as many rows.
        source: their rate in Hz.
        rate: of the result in Hz.
        guard: makes what the resampler raises an error of a file, see `containers.Media.guard`.
    """
    if source == rate:
        yield from pieces
        return
    pieces = iter(pieces)
    first = next(pieces, None)
    if first is None:
        return
    short = first.shape[1] < _SHORT * source / min(source, rate)
    many = len(first) > 1
    layout = f"{len(first)} channels" if many else "mono"
    resampler = av.AudioResampler("flt" if many else "fltp", layout, rate, options=FILTER)
    room = ((0, 0), (0, math.ceil(EDGE * source) if short else 0))
    filled = [np.pad(first, room, mode="symmetric")] if short else chain([first], pieces)
    left = math.ceil(first.shape[1] * rate / source) if short else None
    for piece in chain(filled, [None]):
        frame = None
        if piece is not None:
            values = piece.T.reshape(1, -1) if many else np.ascontiguousarray(piece)  # packed, as in `soundtrack`
            frame = av.AudioFrame.from_ndarray(values, format="flt" if many else "fltp", layout=layout)
            frame.sample_rate = source
        with guard(f"cannot be resampled from {source} to {rate} Hz"):
            changed = [one.to_ndarray().astype(np.float32, copy=False) for one in resampler.resample(frame)]
        for one in changed:
            result = one.reshape(-1, len(first)).T if many else one
            yield result[:, :left]
            left = None if left is None else max(0, left - result.shape[1])
