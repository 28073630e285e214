"""A recording in overlapping windows, at bounded memory: the sound of each, and the people in its pictures.

Windows begin every `hop` seconds from 0; the last one ends where the sound ends, so that they cover all of it. Where
pictures outlast the sound by more than `TOLERANCE`, decoded or not, the windows reach to their end. Time is media time
throughout.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.media.activity import Detector, frame_size
from mien.media.audio import SAMPLE_RATE, AudioBlock, block_size, sound_of
from mien.media.containers import TOLERANCE, open_media, probe
from mien.media.pictures import Picture
from mien.media.streams import stream_media

if TYPE_CHECKING:
    from mien.media.faces import Seen


class Window(NamedTuple):
    """A window of a recording.

    Attributes:
        start: media seconds.
        end: media seconds.
        samples: mono float32, from `start` on: shorter than the window where the sound ends in it, empty where there
            is none.
        active: seconds with voice activity.
        people: the people in the pictures; none where no picture is decoded.
        speaker: the number of the person who clearly speaks; None where none does.
    """

    start: float
    end: float
    samples: NDArray[np.float32]
    active: float
    people: "Sequence[Seen]" = ()
    speaker: int | None = None


class Look(Protocol):
    """An object that follows the people of a recording: `media.faces.people.People`."""

    def feed(self, picture: Picture, /) -> None:
        """Take the next picture."""

    def hear(self, block: AudioBlock, /) -> None:
        """Take the next piece of sound."""

    def people(self, start: float, end: float, /) -> "Sequence[Seen]":
        """The people who are seen between two media seconds, which have passed."""

    def active(self, start: float, end: float, /) -> int | None:
        """The person of them who speaks; None where none clearly does."""

    def forget(self, before: float, /) -> None:
        """Drop all that is earlier; no later window needs it."""


def windows(
    file: Path, *, length: float, hop: float, detect: Detector, rate: int = SAMPLE_RATE, look: Look | None = None
) -> Iterator[Window]:
    """Yield the windows of a file, each as soon as its sound has come and its pictures have passed.

    Args:
        file: any media file; it may hold sound alone or pictures alone.
        length: of a window in seconds; a shorter file is one window.
        hop: seconds from one window to the next, at most `length`.
        detect: finds voice activity, see `media.activity.detector`.
        rate: of the samples, in Hz.
        look: follows the people; a new one for each file. None: no picture is decoded, and a file without sound has no
            window.

    Raises:
        MediaError: the file cannot be read.
    """
    slicer = Slicer(length, hop, detect, rate)
    if look is None:
        with open_media(file) as media:
            for block in sound_of(media, rate=rate, size=block_size(1.0, rate), channels=True):
                yield from slicer.hear(block)
            film = media.moves and slicer.sound_end > 0
        seconds = probe(file).seconds if film else 0.0
        yield from slicer.close(seconds if seconds > slicer.sound_end + TOLERANCE else 0.0)
        return
    waiting: deque[Window] = deque()
    passed = shown = 0.0
    for item in stream_media(file, rate=rate, channels=True):
        if isinstance(item, AudioBlock):
            look.hear(item)
            waiting.extend(slicer.hear(item))
            passed = max(passed, item.start)
        else:
            look.feed(item)
            passed, shown = item.time, item.time + item.seconds
            waiting.extend(slicer.reach(item.time - TOLERANCE))  # no sound that begins before a picture comes after it
        while waiting and waiting[0].end <= passed:
            yield _watched(waiting.popleft(), hop, look)
    waiting.extend(slicer.close(shown if not slicer.sound_end or shown > slicer.sound_end + TOLERANCE else 0.0))
    while waiting:
        yield _watched(waiting.popleft(), hop, look)


def of_blocks(
    blocks: Iterable[AudioBlock], *, length: float, hop: float, detect: Detector, rate: int = SAMPLE_RATE
) -> Iterator[Window]:
    """Yield the windows of sound that comes in blocks, each as soon as its sound has come; see `windows`."""
    slicer = Slicer(length, hop, detect, rate)
    for block in blocks:
        yield from slicer.hear(block)
    yield from slicer.close()


def _watched(window: Window, hop: float, look: Look) -> Window:
    place = (window.start, window.end)
    window = window._replace(people=look.people(*place), speaker=look.active(*place))
    look.forget(window.start + hop)
    return window


def joined(some: Sequence[Window], rate: int) -> tuple[NDArray[np.float32], list[slice]]:
    """The sound of consecutive windows, (N,) float32, and the place of each in it, in samples."""
    begins = [round((part.start - some[0].start) * rate) for part in some]
    places = [slice(begin, begin + len(part.samples)) for begin, part in zip(begins, some, strict=True)]
    sound = np.zeros(max(place.stop for place in places), np.float32)
    for place, part in zip(places, some, strict=True):
        sound[place] = part.samples
    return sound, places


class Slicer:
    """Divides sound into windows while it comes."""

    def __init__(self, length: float, hop: float, detect: Detector, rate: int) -> None:
        self._size, self._step, self._frame = round(length * rate), round(hop * rate), frame_size(rate)
        self._rate, self._detect = rate, detect
        self._sound, self._flags = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        self._unheard = np.zeros((1, 0), np.float32)  # channels x samples of a frame that is not complete
        self._first = self._first_flag = 0  # the sample and the frame at which the kept ones begin
        self._begin = self._covered = 0

    @property
    def sound_end(self) -> float:
        """Media seconds of sound that have come."""
        return self._total / self._rate

    def hear(self, block: AudioBlock) -> list[Window]:
        """The windows that the next piece completes."""
        self._sound = np.concatenate([self._sound, block.samples])
        channels = block.samples[None] if block.channels is None else block.channels
        waiting = np.concatenate([self._unheard, channels], axis=1) if self._unheard.size else channels
        count = waiting.shape[1] // self._frame
        frames = waiting[:, : count * self._frame].reshape(len(waiting), count, self._frame)
        self._unheard = waiting[:, count * self._frame :].copy()
        self._flags = np.concatenate([self._flags, self._detect(frames.swapaxes(0, 1))])
        return self._complete(lambda: self._total >= self._begin + self._size)

    def reach(self, time: float) -> list[Window]:
        """The windows that are over at a media time, for a file whose sound ended earlier."""
        return self._complete(lambda: (self._begin + self._size) / self._rate <= time)

    def close(self, end: float = 0.0) -> list[Window]:
        """The windows that are left when all sound has come, as far as to `end` where the sound ended earlier."""
        last, rest = max(self._total, round(end * self._rate)), self._unheard
        if rest.size and last > self._covered:
            frame = np.zeros((1, len(rest), self._frame), np.float32)
            frame[0, :, : rest.shape[1]] = rest - rest.mean(axis=1, keepdims=True)  # else its end would be a step
            self._flags = np.concatenate([self._flags, self._detect(frame)])
        return self._complete(lambda: last > self._covered, last)

    @property
    def _total(self) -> int:
        return self._first + len(self._sound)

    def _complete(self, ready: Callable[[], bool], last: int | None = None) -> list[Window]:
        windows = []
        while ready():
            windows.append(self._window(last))
        return windows

    def _window(self, last: int | None = None) -> Window:
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
