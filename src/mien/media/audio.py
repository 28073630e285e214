"""Sound of any media file as one waveform: float32, mono, full scale [-1, 1], 16 kHz by default.

- **Mono** is the plain average of all channels: equal channels keep their level, opposite ones cancel to silence.
  (libswresample's own downmix to float is 3 dB louder, and would leave full scale.)
- **Level** is the file's: integer samples are divided by their full scale, so that 16-bit sound at its own rate
  is exact; values of a float file beyond full scale are kept.
- **Resampling** adds no delay and no dither (`mien.media.resampling`).
- **Time** is media time: sample n is at n / rate seconds after the earliest stream of the file begins. Holes before
  and in a track are zeros (`mien.media.soundtrack`). An encoder's delay is removed where the file declares it.

The default sound track is read; no other stream is decoded.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mien.errors import MediaError, SoundError
from mien.media.containers import Media, open_media
from mien.media.packets import Packets
from mien.media.parts import SILENCE, decode
from mien.media.resampling import part_of, regrouped
from mien.media.soundtrack import Track, Waveform, sound_stream
from mien.media.tracks import heard_instead

SAMPLE_RATE = 16_000
MAX_SECONDS = 3600.0  # of one waveform in memory (230 MB at 16 kHz); `stream_audio` has no such bound


class AudioBlock(NamedTuple):
    """A piece of sound.

    Attributes:
        start: media seconds.
        samples: (N,) float32 mono.
        channels: (C, N) float32, each channel by itself, where they were asked for and there are several.
    """

    start: float
    samples: Waveform
    channels: Waveform | None = None

    @staticmethod
    def of(start: float, rows: Waveform) -> "AudioBlock":
        """A piece of the rows of a `soundtrack.Track`."""
        return AudioBlock(start, rows[0], rows[1:] if len(rows) > 1 else None)


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
        silent: whether sound that, freed of its constant offset, stays below `parts.SILENCE` is refused.

    Returns:
        (N,) float32 mono. A part equals that slice of the whole, sample by sample for lossless files.
        Shape (0,) for a video without sound.

    Raises:
        MediaError: the file is missing, no regular file, empty, no media, a playlist, damaged, truncated, holds
            not-a-number or infinity, or the part is longer than `MAX_SECONDS`.
        SoundError: the sound is silent, has no samples, or ends before the part does.
    """
    ((_, found),) = read_parts(file, [(start, end)], rate=rate, silent=silent)
    if isinstance(found, MediaError):
        raise found
    return found


def read_parts(
    file: Path | str,
    parts: Sequence[tuple[float | None, float | None]],
    *,
    rate: int = SAMPLE_RATE,
    silent: Literal["refuse", "allow"] = "refuse",
) -> Iterator[tuple[int, Waveform | MediaError]]:
    """What `read_audio` returns or raises for each of several parts of a file, which is decoded once.

    Args:
        file: any media file.
        parts: start and end of each, as for `read_audio`; they may overlap and lie in any order.
        rate: samples per second of the result.
        silent: whether a part that, freed of its constant offset, stays below `parts.SILENCE` is refused.

    Yields:
        The number of each part with its sound or its error, as soon as it is decoded.
    """
    file = Path(file)
    instead: list[str] | None = None
    for number, found in decode(file, parts, rate=rate, longest=MAX_SECONDS):
        if isinstance(found, MediaError):
            yield number, found
        elif silent == "refuse" and len(found.samples) and found.swing < SILENCE:
            if instead is None:  # it is looked for once, in all of the file
                instead = [other for other in [heard_instead(file)] if other]
            yield number, SoundError(file, "; ".join([_silent(found.samples), *instead]))
        else:
            yield number, found.samples


def _silent(samples: Waveform) -> str:
    offset = float(np.median(samples))
    what = f"stays below {SILENCE:.1e}" if abs(offset) < SILENCE else f"is a constant offset of {offset:.1e}"
    return f"is silent: the mean of its channels {what} of full scale"


def stream_audio(
    file: Path | str, *, rate: int = SAMPLE_RATE, block: float = 1.0, channels: bool = False
) -> Iterator[AudioBlock]:
    """Decode a file's sound of any length piece by piece, in bounded memory.

    The pieces, joined, equal `read_audio(file, rate=rate, silent="allow")` bit for bit.

    Args:
        file: any media file.
        rate: samples per second of the pieces.
        block: seconds a piece; the last one may be shorter.
        channels: whether each channel of several is given beside their mean.

    Yields:
        Pieces in order without hole or overlap, the first at 0 s; none for a video without sound.

    Raises:
        MediaError: as `read_audio`, once the damage is reached; silence and length are no errors here.
        ValueError: a block shorter than one sample.
    """
    size = block_size(block, rate)
    with open_media(file) as media:
        yield from sound_of(media, rate=rate, size=size, channels=channels)


def sound_of(media: Media, *, rate: int, size: int, channels: bool) -> Iterator[AudioBlock]:
    """The sound of an open file, as `stream_audio` gives it, in pieces of `size` samples."""
    stream = sound_stream(media)
    if stream is None:
        return
    position, track = 0, Track(Packets(media, [stream]), stream, channels=channels)
    for rows in regrouped(part_of(track, rate, 0, None), size):
        yield AudioBlock.of(position / rate, rows)
        position += rows.shape[1]
    if position == 0:
        raise SoundError(media.file, "has a sound track without samples")


def block_size(block: float, rate: int) -> int:
    """Samples in a block of that many seconds; raises ValueError if it is shorter than one sample."""
    size = round(block * rate)
    if size < 1:
        raise ValueError(f"block={block} s is less than one sample at {rate} Hz; give a longer block")
    return size
