"""A recording in overlapping windows, at bounded memory: each with its place in media time and how long it is active.

Windows begin every `hop` seconds from 0; the last one ends where the sound ends, so that they cover all of it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

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
    cut = Windows(length=length, hop=hop, detect=detect, rate=rate)
    for block in stream_audio(file, rate=rate):
        yield from cut.hear(block.samples)
    yield from cut.close()


class Windows:
    """Cuts sound into windows while it comes."""

    def __init__(self, *, length: float, hop: float, detect: Detector, rate: int = SAMPLE_RATE) -> None:
        """See `windows`."""
        self._size, self._step, self._frame = round(length * rate), round(hop * rate), frame_size(rate)
        self._rate, self._detect = rate, detect
        self._sound, self._flags = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        self._first = self._first_flag = 0  # the sample and the frame at which what is kept begins
        self._begin = self._covered = 0

    @property
    def next(self) -> float:
        """Media seconds at which the next window ends, where it is a whole one."""
        return (self._begin + self._size) / self._rate

    @property
    def heard(self) -> float:
        """Media seconds of sound that have come."""
        return self._total / self._rate

    def hear(self, samples: NDArray[np.float32]) -> list[Window]:
        """The windows that the next samples complete."""
        self._sound = np.concatenate([self._sound, samples])
        ready, known = self._total // self._frame, self._first_flag + len(self._flags)
        frames = self._sound[known * self._frame - self._first : ready * self._frame - self._first]
        self._flags = np.concatenate([self._flags, self._detect(frames.reshape(-1, self._frame))])
        return self._cut_all(lambda: self._total >= self._begin + self._size)

    def reach(self, time: float) -> list[Window]:
        """The windows that are over at a media time, for a file whose sound ended earlier: with what there is of it."""
        return self._cut_all(lambda: self.next <= time)

    def close(self, end: float = 0.0) -> list[Window]:
        """The windows that are left when all sound has come, as far as to `end` where the sound ended earlier."""
        last, known = max(self._total, round(end * self._rate)), self._first_flag + len(self._flags)
        rest = self._sound[max(0, known * self._frame - self._first) :]
        if len(rest) and last > self._covered:
            frame = np.zeros((1, self._frame), np.float32)
            frame[0, : len(rest)] = rest
            self._flags = np.concatenate([self._flags, self._detect(frame)])
        return self._cut_all(lambda: last > self._covered, last)

    @property
    def _total(self) -> int:
        return self._first + len(self._sound)

    def _cut_all(self, ready: Callable[[], bool], last: int | None = None) -> list[Window]:
        windows = []
        while ready():
            windows.append(self._cut(last))
        return windows

    def _cut(self, last: int | None = None) -> Window:
        begin, frame = self._begin, self._frame
        end = begin + self._size if last is None else min(begin + self._size, last)
        inside = self._flags[max(0, begin // frame - self._first_flag) : max(0, -(-end // frame) - self._first_flag)]
        samples = self._sound[max(0, begin - self._first) : max(0, end - self._first)].copy()
        window = Window(begin / self._rate, end / self._rate, samples, float(inside.sum()) * frame / self._rate)
        self._covered, self._begin = end, begin + self._step
        keep = min(self._begin // frame, self._first_flag + len(self._flags))
        self._flags, self._first_flag = self._flags[keep - self._first_flag :], keep
        self._sound, self._first = self._sound[keep * frame - self._first :], keep * frame
        return window


class Sounding(Protocol):
    """What begins at a media second and holds samples: a `Window`, or a scene."""

    @property
    def start(self) -> float:
        """Media seconds."""

    @property
    def samples(self) -> NDArray[np.float32]:
        """Mono, from `start` on; fewer than the window is long, or none, where the sound ends before it."""


def joined(some: Sequence[Sounding], rate: int) -> tuple[NDArray[np.float32], list[slice]]:
    """The sound of consecutive windows, (N,) float32, and the place of each in it, in samples."""
    begins = [round((part.start - some[0].start) * rate) for part in some]
    places = [slice(begin, begin + len(part.samples)) for begin, part in zip(begins, some, strict=True)]
    sound = np.zeros(max(place.stop for place in places), np.float32)
    for place, part in zip(places, some, strict=True):
        sound[place] = part.samples
    return sound, places
