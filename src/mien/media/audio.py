"""Sound of any media file as one waveform: float32, mono, full scale [-1, 1], 16 kHz by default.

- **Mono** is the plain average of all channels: equal channels keep their level, opposite ones cancel to silence.
  (libswresample's own downmix to float is 3 dB louder, and would leave full scale.)
- **Level** is the file's: integer samples are divided by their full scale, so that 16-bit sound at its own rate
  is exact; values of a float file beyond full scale are kept.
- **Resampling** is libswresample's polyphase sinc filter under a Kaiser window, 128 zero crossings at the lower rate
  (`FILTER`): at 16 kHz flat within .1 dB to 7 kHz, -1 dB at 7.5 kHz, below -95 dB from 8.4 kHz; no delay, no dither.
- **Time** is media time: sample n is at n / rate seconds after the earliest stream of the file begins. Holes before
  and in a track are zeros (`mien.media.soundtrack`). An encoder's delay is removed where the file declares it.

The default sound track is read; no other stream is decoded.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np

from mien.errors import MediaError
from mien.media.containers import TOLERANCE, Media, open_media
from mien.media.packets import Packets
from mien.media.soundtrack import Track, Waveform, sound_stream

SAMPLE_RATE = 16_000
FILTER = {"resampler": "swr", "filter_size": "128", "cutoff": "0.955", "filter_type": "kaiser", "kaiser_beta": "9"}
MAX_SECONDS = 3600.0  # of one waveform in memory (230 MB at 16 kHz); `stream_audio` has no such bound
SILENCE = 2.0**-16  # half a step of 16-bit sound: sound that stays below it is no recording
_EDGE = 0.1  # s of sound around a part: more than half the resampler's filter at any rate
_BATCH = 0.5  # s of sound a call of the resampler


class AudioBlock(NamedTuple):
    """A piece of sound: `start` in media seconds, `samples` (N,) float32 mono."""

    start: float
    samples: Waveform


def read_audio(
    file: Path | str,
    *,
    start: float | None = None,
    end: float | None = None,
    rate: int = SAMPLE_RATE,
    silent: Literal["refuse", "allow"] = "refuse",
) -> Waveform:
    """Decode a file's sound, or the part from `start` to `end`, of which only the neighbourhood is decoded.

    Args:
        file: any media file; sound and video alike.
        start: first second, in media time; None or nan for the beginning.
        end: last second (exclusive); None or nan for the end of the file. It may lie up to .1 s beyond that end.
        rate: samples per second of the result.
        silent: whether sound in which nothing reaches `SILENCE` is refused.

    Returns:
        (N,) float32 mono. A part equals that slice of the whole, sample by sample for lossless files.
        Shape (0,) for a video without sound.

    Raises:
        MediaError: the file is missing, no regular file, empty, no media, a playlist, damaged, truncated, holds
            not-a-number or infinity, is silent, ends before the part does, or the part is longer than `MAX_SECONDS`.
    """
    file = Path(file)
    most = round(MAX_SECONDS * rate)
    pieces, count = [np.zeros(0, np.float32)], 0
    for piece in _sound(file, rate, start, end):
        pieces.append(piece)
        count += len(piece)
        if count > most:
            raise MediaError(file, f"is longer than {MAX_SECONDS:.0f} seconds; read a part of it, or stream it")
    waveform = np.concatenate(pieces)
    if silent == "refuse" and count and max(waveform.max(), -waveform.min()) < SILENCE:
        raise MediaError(file, f"is silent: the mean of its channels stays below {SILENCE:.1e} of full scale")
    return waveform


def stream_audio(file: Path | str, *, rate: int = SAMPLE_RATE, block: float = 1.0) -> Iterator[AudioBlock]:
    """Decode a file's sound of any length piece by piece, in bounded memory.

    The pieces, joined, equal `read_audio(file, rate=rate, silent="allow")` bit for bit.

    Args:
        file: any media file.
        rate: samples per second of the pieces.
        block: seconds a piece; the last one may be shorter.

    Yields:
        Pieces in order without hole or overlap, the first at 0 s; none for a video without sound.

    Raises:
        MediaError: as `read_audio`, once the damage is reached; silence and length are no errors here.
        ValueError: a block shorter than one sample.
    """
    position = 0
    for samples in regrouped(_sound(Path(file), rate, None, None), block_size(block, rate)):
        yield AudioBlock(position / rate, samples)
        position += len(samples)


def block_size(block: float, rate: int) -> int:
    """Samples in a block of that many seconds; raises ValueError if it is shorter than one sample."""
    size = round(block * rate)
    if size < 1:
        raise ValueError(f"block={block} s is less than one sample at {rate} Hz; give a longer block")
    return size


def _sound(file: Path, rate: int, start: float | None, end: float | None) -> Iterator[Waveform]:
    """The sound from second `start` to `end` at `rate`, in pieces; none of a file without sound."""
    with open_media(file) as media:
        part = media.part(start, end, rate)
        stream = sound_stream(media)
        if stream is None:
            return
        first, last = part.samples(rate)
        track = Track(Packets(media, [stream], start=first / rate), stream)
        if track.empty:
            raise media.ends_early(part)
        count = 0
        for piece in part_of(track, rate, first, last):
            yield piece
            count += len(piece)
        if not count or (last is not None and first + count < last - TOLERANCE * rate):
            raise media.ends_early(part, track.end)


def part_of(track: Track, rate: int, first: int, last: int | None) -> Iterator[Waveform]:
    """Samples `first` to `last` (exclusive; None: the end) of an open track at `rate`, in pieces; as many as there are.

    The pieces do not depend on where the part begins, but for the edges.
    """
    # The resampler starts where a sample of the track and one of the result fall together (every `period` of the
    # former, `step` of the latter), so that its phases are the same wherever the part begins.
    common = math.gcd(track.rate, rate)
    period, step = track.rate // common, rate // common
    start = max(0, math.floor((first - _EDGE * rate) / step))
    until = None if last is None else math.ceil((last / rate + _EDGE) * track.rate)
    position = start * step
    for piece in _resampled(track.media, track.samples(start * period, until), track.rate, rate):
        inside = piece[max(0, first - position) : None if last is None else max(0, last - position)]
        position += len(piece)
        if len(inside):
            yield inside


def _resampled(media: Media, pieces: Iterable[Waveform], source: int, rate: int) -> Iterator[Waveform]:
    """The same sound at another rate: N samples become N * rate / source, rounded up."""
    if source == rate:
        yield from pieces
        return
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, options=FILTER)
    for piece in regrouped(pieces, max(1, round(_BATCH * source))):
        frame = av.AudioFrame.from_ndarray(piece[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = source
        with media.guard(f"cannot be resampled from {source} to {rate} Hz"):
            changed = [result.to_ndarray()[0] for result in resampler.resample(frame)]
        yield from changed
    for result in resampler.resample(None):
        yield result.to_ndarray()[0]


def regrouped(pieces: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """The same samples in pieces of `size`; the last one may be shorter."""
    held: list[Waveform] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count >= size:
            joined = np.concatenate(held)
            whole = count - count % size
            yield from joined[:whole].reshape(-1, size)
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)
