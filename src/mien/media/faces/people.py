"""The people in a stream of pictures and sound: their crops on an even grid, and which of them speaks.

Grid time n is `start` + n * `Faces.every` seconds of media time, and shows the last picture that began until then, for
up to `pictures.GAP` seconds. Detectors see these pictures alone; mouths are watched in all pictures. A frame in which a
person is not found is not valid: nothing is ever copied from another frame.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.media.audio import SAMPLE_RATE, AudioBlock
from mien.media.containers import ROUNDING
from mien.media.faces import Crops, Faces, Reason, Seen, crops, speaking
from mien.media.faces.detectors import Box, Face, detector
from mien.media.faces.tracking import Cuts, Track, Tracker
from mien.media.pictures import GAP, Picture

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class _Look(NamedTuple):
    """A person in one picture: the box as shares of it, and a crop (C, S, S) where it is valid."""

    box: Box
    reason: Reason
    pixels: NDArray[np.uint8] | None


@dataclass
class _Person:
    """What is known of a track: its looks by grid number, and the motion of its mouth."""

    track: Track
    looks: dict[int, _Look] = field(default_factory=dict)
    motion: speaking.Course = field(default_factory=speaking.Course)


class People:
    """Takes pictures and sound in the order of media time; gives the people of a window once it is over.

    Its memory grows with the time since `forget`, not with the length of the stream.
    """

    def __init__(self, config: Faces, *, rate: int = SAMPLE_RATE, start: float = 0.0) -> None:
        """Nothing seen yet.

        Args:
            config: how faces are found and cropped.
            rate: of the sound, in Hz.
            start: media second at which the grid begins.

        Raises:
            ConfigError: the detector's package is not installed.
        """
        whole = config.faces == "whole-frame"
        self._detect = None if whole else detector(config.faces, long_side=config.long_side)
        self._config, self._rate, self._start = config, rate, start
        self._tracker, self._cuts, self._power = Tracker(), Cuts(), speaking.Course()
        self._people: dict[Track, _Person] = {}
        self._shown: set[int] = set()  # grid numbers that show a picture
        self._next = 0
        self._held: Picture | None = None
        self._grey: NDArray[np.uint8] | None = None
        self._faces: list[tuple[Track, _Look]] | None = None  # those of the picture held, once they are looked for
        self._looked = start  # the grid time at which faces were looked for last

    @property
    def begun(self) -> bool:
        """Whether a picture has come."""
        return self._held is not None

    def feed(self, picture: Picture) -> None:
        """Take the next picture."""
        while self._time(self._next) + ROUNDING < picture.time:
            self._sample()
        if self._detect is not None:
            self._watch(picture)
        self._held, self._faces = picture, None

    def hear(self, block: AudioBlock) -> None:
        """Take the next piece of sound."""
        if self._detect is not None:
            speaking.hear(self._power, block.start, block.samples, self._rate)

    def people(self, start: float, end: float) -> list[Seen]:
        """The people from `start` to `end` (exclusive), in media seconds, by number.

        A face that was found in fewer than `tracking.HITS` pictures by `end` is no person yet; a later call counts it
        from its first picture on. All pictures and sound before `end` must have been given.
        """
        grid = self._grid(start, end)
        people = sorted(self._within(grid), key=lambda person: person.track.person)
        return [self._seen(person, grid, start, end) for person in people]

    def active(self, start: float, end: float) -> int | None:
        """The person who speaks from `start` to `end`, None where none clearly does."""
        people = self._within(self._grid(start, end))
        return speaking.clear_speaker({person.track.person: self._evidence(person, start, end) for person in people})

    def motion(self, number: int, start: float, end: float) -> speaking.Values:
        """(N,) motion of a person's mouth by bins (`faces.speaking`); nan throughout for an unknown number."""
        known = (person.motion for person in self._people.values() if person.track.person == number)
        return next(known, speaking.Course()).between(start, end)

    def power(self, start: float, end: float) -> speaking.Values:
        """(N,) mean square of the sound by bins; nan where there is none."""
        return self._power.between(start, end)

    def absent(self, start: float, end: float) -> NDArray[np.uint8]:
        """(T,) uint8 of `Reason`: why no person was found from `start` to `end`."""
        return np.array([self._absence(number) for number in self._grid(start, end)], dtype=np.uint8)

    def forget(self, before: float) -> None:
        """Drop what was before a media second: no later window begins earlier."""
        first = self._number(before)
        self._shown = {number for number in self._shown if number >= first}
        self._power.forget(before)
        for person in self._people.values():
            person.motion.forget(before)
            person.looks = {number: look for number, look in person.looks.items() if number >= first}
        alive = set(self._tracker.tracks)
        self._people = {track: person for track, person in self._people.items() if person.looks or track in alive}

    def _within(self, grid: range) -> list[_Person]:
        """The tracks that are people and have a look at one of these grid numbers."""
        people = (person for person in self._people.values() if person.track.person)
        return [person for person in people if not person.looks.keys().isdisjoint(grid)]

    def _time(self, number: int) -> float:
        return self._start + number * self._config.every

    def _number(self, time: float) -> int:
        """The first grid number at or after a media second."""
        return max(0, math.ceil((time - self._start) / self._config.every - 1e-6))

    def _grid(self, start: float, end: float) -> range:
        """The grid numbers of a window that is over; all of them have been looked at."""
        grid = range(self._number(start), self._number(end))
        while self._next < grid.stop:
            self._sample()
        return grid

    def _sample(self) -> None:
        """Look at the next grid time, which shows the picture held."""
        number, self._next = self._next, self._next + 1
        time, picture = self._time(number), self._held
        if picture is None or not picture.time - ROUNDING <= time <= picture.time + GAP + ROUNDING:
            return
        self._shown.add(number)
        if self._detect is None:
            self._frame(number, time, picture)
            return
        if self._faces is None:
            rgb, self._looked = picture.rgb(), time
            tracked = self._tracker.step(time, self._detect(rgb))
            self._faces = [(track, self._look(rgb, face)) for track, face in tracked]
        for track, look in self._faces:  # a picture that is shown at several grid times is one hit
            track.until = time
            self._people.setdefault(track, _Person(track)).looks[number] = look
        alive = set(self._tracker.tracks)
        self._people = {track: person for track, person in self._people.items() if track.person or track in alive}

    def _frame(self, number: int, time: float, picture: Picture) -> None:
        """The whole picture as the face of the one person there is."""
        if not self._people:
            track = Track(time, time, time, _WHOLE, person=1)
            self._people[track] = _Person(track)
        (person,) = self._people.values()
        pixels = crops.centre(picture.rgb(), size=self._config.size)
        person.looks[number] = self._checked(_WHOLE, min(picture.height, picture.width), pixels)

    def _look(self, rgb: NDArray[np.uint8], face: Face) -> _Look:
        height, width = rgb.shape[:2]
        left, top, right, bottom = face.box
        box = (left / width, top / height, right / width, bottom / height)
        side = min(right - left, bottom - top)
        if side < self._config.smallest:
            return _Look(box, Reason.TOO_SMALL, None)
        pixels = crops.crop(rgb, face.box, size=self._config.size, margin=self._config.margin, eyes=face.eyes)
        return self._checked(box, side, pixels)

    def _checked(self, box: Box, side: float, pixels: NDArray[np.uint8]) -> _Look:
        """The crop of a face, `side` px in the source, if it can be used."""
        if side < self._config.smallest:
            return _Look(box, Reason.TOO_SMALL, None)
        luma = crops.grey(pixels)
        if luma.mean() < self._config.darkest:
            return _Look(box, Reason.TOO_DARK, None)
        return _Look(box, Reason.VALID, luma if self._config.colour == "grey" else pixels)

    def _watch(self, picture: Picture) -> None:
        """Measure the motion of all mouths since the picture held; a cut ends all tracks."""
        before, self._grey = self._grey, picture.grey()
        cut = self._cuts.between(self._grey)
        if before is None or self._held is None:
            return
        if cut or before.shape != self._grey.shape:
            self._tracker.cut()
        seconds = picture.time - self._held.time
        if seconds > speaking.LONGEST + ROUNDING:
            return
        for track in self._tracker.tracks:
            motion = speaking.mouth_motion(before, self._grey, track.box) if track.last == self._looked else math.nan
            if not math.isnan(motion):
                self._people[track].motion.add(picture.time - seconds / 2, motion)

    def _evidence(self, person: _Person, start: float, end: float) -> speaking.Evidence:
        return speaking.correlation(person.motion.between(start, end), self.power(start, end))

    def _absence(self, number: int) -> Reason:
        return Reason.NO_FACE if number in self._shown else Reason.NO_PICTURE

    def _seen(self, person: _Person, grid: range, start: float, end: float) -> Seen:
        side = self._config.size
        pixels = np.zeros((len(grid), self._config.channels, side, side), np.uint8)
        reasons = np.zeros(len(grid), np.uint8)
        boxes = []
        for place, number in enumerate(grid):
            look = person.looks.get(number)
            reasons[place] = self._absence(number) if look is None else look.reason
            if look is not None:
                boxes.append(look.box)
                if look.pixels is not None:
                    pixels[place] = look.pixels
        all_boxes = np.array(boxes)
        left, top, right, bottom = all_boxes.mean(axis=0).tolist()
        area = float(((all_boxes[:, 2] - all_boxes[:, 0]) * (all_boxes[:, 3] - all_boxes[:, 1])).mean())
        times = np.array([self._time(number) for number in grid], dtype=np.float64)
        speaks = self._evidence(person, start, end).correlation
        return Seen(person.track.person, pixels, reasons, times, (left, top, right, bottom), area, speaks)


def one_person(
    media: Iterable[AudioBlock | Picture],
    config: Faces,
    *,
    rate: int = SAMPLE_RATE,
    start: float = 0.0,
    end: float | None = None,
) -> Crops:
    """The frames of the person that a clip is about.

    Args:
        media: its sound and pictures in the order of media time (`mien.media.streams.stream_media`).
        config: how faces are found, and by `speaker` which of several people it is. The largest is the person whose
            boxes cover most, summed over all frames.
        rate: of the sound, in Hz.
        start: media second at which the clip, and so the grid, begins.
        end: where it ends (exclusive); None for the end of the sound or of the last picture, whichever is later.

    Returns:
        One frame for each grid time. In a frame without the person pixels are zeros, and the reason says why. If there
        is no person at all, that holds for all frames.

    Raises:
        ConfigError: the detector's package is not installed.
        MediaError: from `media`.
    """
    look, reached = People(config, rate=rate, start=start), start
    for item in media:
        if isinstance(item, AudioBlock):
            look.hear(item)
            reached = max(reached, item.start + len(item.samples) / rate)
        else:
            look.feed(item)
            reached = max(reached, item.time + max(item.seconds, 2 * ROUNDING))
    end = reached if end is None else end
    seen = {each.person: each for each in look.people(start, end)}
    if not seen:
        reasons = look.absent(start, end)
        return Crops(
            np.zeros((len(reasons), config.channels, config.size, config.size), np.uint8), reasons, config.every
        )
    active = look.active(start, end) if config.speaker == "active" and len(seen) > 1 else None
    absent = (Reason.NO_FACE, Reason.NO_PICTURE)
    largest = max(seen.values(), key=lambda each: each.area * int(np.isin(each.reasons, absent, invert=True).sum()))
    chosen = seen[active] if active is not None else largest
    return Crops(chosen.pixels, chosen.reasons, config.every)
