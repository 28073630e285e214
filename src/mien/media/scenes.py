"""A recording in overlapping windows of sound and pictures, at bounded memory: what is heard, and who is seen.

The windows are those of `media.windows` where the sound lasts as long as the pictures; where the pictures outlast it by
more than `TOLERANCE`, the windows go on to their end. So they cover every file, and time is media time throughout.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.media.activity import Detector
from mien.media.audio import SAMPLE_RATE, AudioBlock
from mien.media.containers import TOLERANCE
from mien.media.pictures import Picture
from mien.media.streams import stream_media
from mien.media.windows import Window, Windows

if TYPE_CHECKING:
    from mien.media.faces.tracking import Seen


class Look(Protocol):
    """Who follows the people of a recording: `media.people.People`."""

    def feed(self, picture: Picture, /) -> None:
        """Take the next picture."""

    def hear(self, block: AudioBlock, /) -> None:
        """Take the next piece of sound."""

    def people(self, start: float, end: float, /) -> "Sequence[Seen]":
        """The people who are seen between two media seconds, which have passed."""

    def active(self, start: float, end: float, /) -> int | None:
        """The person of them who speaks; None where nobody clearly does."""

    def forget(self, before: float, /) -> None:
        """Let go of all that is earlier; no window will ask for it."""


class Scene(NamedTuple):
    """A window of sound and pictures.

    Attributes:
        start: media seconds.
        end: media seconds.
        samples: mono float32, from `start` on: shorter than the window where the sound ends in it, empty where there
            is none.
        active: seconds in which somebody is heard.
        people: who is seen.
        speaker: the number of the person who clearly speaks; None where nobody does.
    """

    start: float
    end: float
    samples: NDArray[np.float32]
    active: float
    people: "Sequence[Seen]"
    speaker: int | None


def scenes(
    file: Path, *, length: float, hop: float, detect: Detector, look: Look, rate: int = SAMPLE_RATE
) -> Iterator[Scene]:
    """Yield the windows of a file, each as soon as its pictures have passed.

    Args:
        file: any media file; it may hold sound alone or pictures alone.
        length: of a window in seconds; a shorter file is one window.
        hop: seconds from one window to the next, at most `length`.
        detect: where somebody is heard, see `media.activity.detector`.
        look: who is seen; a new one for each file.
        rate: of the samples, in Hz.

    Raises:
        MediaError: the file cannot be read.
    """
    cut = Windows(length=length, hop=hop, detect=detect, rate=rate)
    waiting: deque[Window] = deque()
    passed = shown = 0.0
    for item in stream_media(file, rate=rate):
        if isinstance(item, AudioBlock):
            look.hear(item)
            waiting.extend(cut.hear(item.samples))
            passed = max(passed, item.start)
        else:
            look.feed(item)
            passed, shown = item.time, item.time + item.seconds
            waiting.extend(cut.reach(item.time - TOLERANCE))  # no sound comes any more that begins before a picture
        while waiting and waiting[0].end <= passed:
            yield _seen(waiting.popleft(), hop, look)
    waiting.extend(cut.close(shown if not cut.heard or shown > cut.heard + TOLERANCE else 0.0))
    while waiting:
        yield _seen(waiting.popleft(), hop, look)


def _seen(window: Window, hop: float, look: Look) -> Scene:
    place = (window.start, window.end)
    scene = Scene(*window, look.people(*place), look.active(*place))
    look.forget(window.start + hop)
    return scene
