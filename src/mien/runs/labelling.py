"""What a teacher of faces says of a film: the logits of every face, and whose face goes with the voice.

A film is read once, in windows of `WINDOW` frames: 4.08 s on the grid of `teacher.EVERY`, which begins at second 0
(Albanie et al. 2018, section 3.3: the time-scale of transfer is 4 s). In a window a person speaks if there is voice
while the person is seen, and the person's mouth clearly moves with it (`media.faces.speaking`) or nobody else is seen
at the same time: where a cut replaces one face by another, both may speak, each in its own part of the window.

A **run** is the frames of one person in consecutive windows in each of which a frame of this person can be used, and
in all or none of which the person speaks. A last window of less than `SHORT` seconds counts as the one before. A run
begins and ends with a frame that can be used; one of more than `LONGEST` seconds is divided evenly. A **segment** is a
run up to the end of the sound, of `SHORT` seconds at least; what is left of runs is kept without being a segment.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.activity import Detector, frame_size
from mien.media.audio import SAMPLE_RATE, AudioBlock
from mien.media.faces import Reason, Seen
from mien.media.faces.people import People
from mien.media.faces.tracking import BRIDGE, HITS
from mien.media.pictures import Picture
from mien.media.windows import Window, windows
from mien.runs.teacher import EVERY, Teacher
from mien.runs.timeline import LEAST_ACTIVE

WINDOW = 17  # frames of a window
LONGEST = 20.0  # s of a segment (assumed, near the longest of the tracks of VoxCeleb)
SHORT = 1.0  # s
_BEFORE = (HITS - 1) * BRIDGE  # s: as long ago a person may have been first seen who is found to be one
_THERE = (Reason.VALID, Reason.TOO_SMALL, Reason.TOO_DARK)


class Stretch(NamedTuple):
    """Frames of one person.

    Attributes:
        person: a number from 1, within the file.
        start: media seconds of the first frame.
        end: media seconds: `EVERY` after the last frame, or where the sound ends.
        speaking: whether the person speaks; None where it is no segment.
        logits: (T, K) float32, zeros for frames that cannot be used.
        reasons: (T,) uint8 of `Reason`.
    """

    person: int
    start: float
    end: float
    speaking: bool | None
    logits: NDArray[np.float32]
    reasons: NDArray[np.uint8]


def label(file: Path, teacher: Teacher, detect: Detector) -> list[Stretch]:
    """The segments of a file and what else there is of frames, in the order of time, then of persons.

    Memory holds the pictures of one window, and the logits of all frames of the file.

    Args:
        file: a film.
        teacher: gives the logits.
        detect: voice activity detector, see `media.activity.detector`.

    Raises:
        MediaError: the file cannot be read, has no pictures or no sound, or shows nobody for `SHORT` seconds.
    """
    look, voice = _Followed(People(teacher.faces)), _Voice(detect)
    runs = _Runs(voice)
    sound = 0.0
    for window in windows(file, length=WINDOW * EVERY, hop=WINDOW * EVERY, detect=voice, look=look):
        if len(window.samples):
            sound = window.start + len(window.samples) / SAMPLE_RATE
        runs.add(window, teacher)
    if not look.begun:
        raise MediaError(file, "has no pictures, so there is no face to label; give films")
    found = [run for run in runs.closed() if run.usable]
    if not found:
        raise MediaError(file, "no face is found in it")
    if sound == 0:
        raise MediaError(file, "shows faces and has no sound, so there is no voice to label")
    stretches = [part for run in found for part in _parts(run, sound)]
    if all(part.speaking is None for part in stretches):
        raise MediaError(file, f"nobody is seen with sound for {SHORT:g} s")
    return sorted(stretches, key=lambda part: (part.start, part.person, part.end))


class _Voice:
    """A voice activity detector that keeps its answers."""

    def __init__(self, detect: Detector) -> None:
        self._detect = detect
        self._flags: list[NDArray[np.bool_]] = []

    def __call__(self, frames: NDArray[np.float32], /) -> NDArray[np.bool_]:
        flags = self._detect(frames)
        self._flags.append(flags)
        return flags

    def between(self, start: float, end: float) -> bool:
        """Whether there is enough voice from one media second to another, as far as the sound has come."""
        self._flags = [np.concatenate(self._flags)] if self._flags else []
        size = frame_size(SAMPLE_RATE) / SAMPLE_RATE
        inside = self._flags[0][int(start / size) : math.ceil(end / size)] if self._flags else ()
        return float(np.sum(inside)) * size >= min(LEAST_ACTIVE, 0.5 * (end - start))


class _Followed:
    """People as `windows` follows them, each with all frames.

    A person is found in the third picture with the face, which may be in a later window than the first one: the frames
    before the window are then given with it.
    """

    def __init__(self, people: People) -> None:
        self._people, self._known = people, set[int]()

    @property
    def begun(self) -> bool:
        return self._people.begun

    def feed(self, picture: Picture, /) -> None:
        self._people.feed(picture)

    def hear(self, block: AudioBlock, /) -> None:
        self._people.hear(block)

    def people(self, start: float, end: float, /) -> Sequence[Seen]:
        seen = [self._cut(one, start) for one in self._people.people(max(0.0, start - _BEFORE), end)]
        there = [one for one in seen if np.isin(one.reasons, _THERE).any()]
        self._known |= {one.person for one in there}
        return there

    def active(self, start: float, end: float, /) -> int | None:
        return self._people.active(start, end)

    def forget(self, before: float, /) -> None:
        self._people.forget(before - _BEFORE)

    def _cut(self, one: Seen, start: float) -> Seen:
        """A person who was given before, without the frames before a window."""
        if one.person not in self._known:
            return one
        first = int(np.searchsorted(one.times, start - EVERY / 2))
        return one._replace(pixels=one.pixels[first:], reasons=one.reasons[first:], times=one.times[first:])


@dataclass
class _Run:
    """The frames of a person in consecutive windows: the number of the first one on the grid, and what there is."""

    person: int
    speaking: bool
    first: int
    window: int
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    reasons: list[NDArray[np.uint8]] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return any((part == Reason.VALID).any() for part in self.reasons)


class _Runs:
    """The runs of a file, from its windows in the order of time."""

    def __init__(self, voice: _Voice) -> None:
        self._voice = voice
        self._open: dict[int, _Run] = {}
        self._closed: list[_Run] = []
        self._count = 0

    def add(self, window: Window, teacher: Teacher) -> None:
        """Take the next window."""
        people = [one for one in window.people if (one.reasons == Reason.VALID).any()]
        shown = {one.person: _shown(one) for one in window.people}
        brief = window.end - window.start < SHORT - 1e-6
        for one, logits in zip(people, teacher.logits(people), strict=True):
            first, last = _ends(one.reasons)
            heard = self._voice.between(float(one.times[first]), float(one.times[last - 1]) + EVERY)
            others = [own for person, own in shown.items() if person != one.person]
            alone = all(shown[one.person].isdisjoint(own) for own in others)
            speaking = heard and (alone or one.person == window.speaker)
            run = self._open.get(one.person)
            follows = run is not None and run.window == self._count - 1
            if run is None or not follows or (run.speaking != speaking and not brief):
                if run is not None:
                    self._closed.append(run)
                number = round(float(one.times[0]) / EVERY)
                run = self._open[one.person] = _Run(one.person, speaking, number, self._count)
            run.window = self._count
            run.logits.append(logits)
            run.reasons.append(one.reasons)
        self._count += 1

    def closed(self) -> list[_Run]:
        """All runs, once the last window has come."""
        return [*self._closed, *self._open.values()]


def _parts(run: _Run, sound: float) -> list[Stretch]:
    """The segments of a run, and what of it lies beyond the sound or is too short."""
    logits, reasons = np.concatenate(run.logits), np.concatenate(run.reasons)
    first, last = _ends(reasons)
    pieces = math.ceil((last - first) / round(LONGEST / EVERY - 0.5))
    parts = []
    for begin, end in zip(*_divided(first, last, pieces), strict=True):
        heard = min(end, max(begin, math.ceil(sound / EVERY - 1e-6) - run.first))  # frames that begin within the sound
        for place in (slice(begin, heard), slice(heard, end)):
            if (reasons[place] == Reason.VALID).any():
                from_, to = (place.start + one for one in _ends(reasons[place]))
                own = slice(from_, to)
                parts.append(_stretch(run, own, logits[own], reasons[own], sound))
    return parts


def _divided(first: int, last: int, pieces: int) -> tuple[list[int], list[int]]:
    """The begins and ends of so many nearly equal pieces of the frames from `first` to `last` (exclusive)."""
    limits = [first + (last - first) * number // pieces for number in range(pieces + 1)]
    return limits[:-1], limits[1:]


def _shown(one: Seen) -> frozenset[int]:
    """The numbers on the grid of the frames in which a person is seen, usable or not."""
    times = one.times[np.isin(one.reasons, _THERE)]
    return frozenset(np.rint(times / EVERY).astype(int).tolist())


def _ends(reasons: NDArray[np.uint8]) -> tuple[int, int]:
    """The first frame that can be used, and the one after the last."""
    usable = np.flatnonzero(reasons == Reason.VALID)
    return int(usable[0]), int(usable[-1]) + 1


def _stretch(run: _Run, place: slice, logits: NDArray[np.float32], reasons: NDArray[np.uint8], sound: float) -> Stretch:
    start, end = (round((run.first + number) * EVERY, 2) for number in (place.start, place.stop))
    heard = min(end, math.floor(1000 * sound) / 1000)  # whole milliseconds, and never beyond the sound
    segment = heard - start >= SHORT - 1e-6
    return Stretch(run.person, start, heard if segment else end, run.speaking if segment else None, logits, reasons)
