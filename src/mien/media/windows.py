"""A recording in overlapping windows, at bounded memory: each with its place in media time and how long it is active.

Windows begin every `hop` seconds from 0; the last one ends where the sound ends, so that they cover all of it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.media.activity import Detector, frame_size
from mien.media.audio import SAMPLE_RATE, stream_audio


class Window(NamedTuple):
    """A window of sound.

    Attributes:
        start: media seconds.
        end: media seconds.
        samples: mono float32.
        active: seconds in which somebody is heard.
    """

    start: float
    end: float
    samples: NDArray[np.float32]
    active: float


def windows(file: Path, *, length: float, hop: float, detect: Detector, rate: int = SAMPLE_RATE) -> Iterator[Window]:
    """Yield the windows of a file, the first before the second is decoded; nothing where it has no sound.

    Args:
        file: any media file.
        length: of a window in seconds; a shorter file is one window.
        hop: seconds from one window to the next, at most `length`.
        detect: see `media.activity.detector`.
        rate: of the samples, in Hz.

    Raises:
        MediaError: the file cannot be read.
    """
    size, step, frame = round(length * rate), round(hop * rate), frame_size(rate)
    sound, flags = np.zeros(0, np.float32), np.zeros(0, np.bool_)
    first, first_flag = 0, 0  # the sample and the frame at which what is kept begins
    begin = covered = 0
    for block in stream_audio(file, rate=rate):
        sound = np.concatenate([sound, block.samples])
        ready = (first + len(sound)) // frame
        known = first_flag + len(flags)
        frames = sound[known * frame - first : ready * frame - first].reshape(-1, frame)
        flags = np.concatenate([flags, detect(frames)])
        while first + len(sound) >= begin + size:
            yield _window(sound[begin - first :][:size], begin, flags, first_flag, rate)
            covered, begin = begin + size, begin + step
            keep = min(begin // frame, first_flag + len(flags))
            flags, first_flag = flags[keep - first_flag :], keep
            sound, first = sound[keep * frame - first :], keep * frame
    total = first + len(sound)
    if total > covered:
        known = first_flag + len(flags)
        rest = np.zeros((1, frame), np.float32)
        rest[0, : total - known * frame] = sound[known * frame - first :]
        flags = np.concatenate([flags, detect(rest)])
        yield _window(sound[begin - first :], begin, flags, first_flag, rate)


def joined(some: Sequence[Window], rate: int) -> tuple[NDArray[np.float32], list[slice]]:
    """The sound of consecutive windows, (N,) float32, and the place of each in it, in samples."""
    begins = [round((part.start - some[0].start) * rate) for part in some]
    sound = np.zeros(begins[-1] + len(some[-1].samples), np.float32)
    places = [slice(begin, begin + len(part.samples)) for begin, part in zip(begins, some, strict=True)]
    for place, part in zip(places, some, strict=True):
        sound[place] = part.samples
    return sound, places


def _window(samples: NDArray[np.float32], begin: int, flags: NDArray[np.bool_], first_flag: int, rate: int) -> Window:
    end, frame = begin + len(samples), frame_size(rate)
    inside = flags[begin // frame - first_flag : -(-end // frame) - first_flag]
    return Window(begin / rate, end / rate, samples.copy(), float(inside.sum()) * frame / rate)
