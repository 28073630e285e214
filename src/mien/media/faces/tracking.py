"""Faces in time: which face of one picture is which of the one before.

A **track** is one person for as long as the camera does not look away. Each face goes to the track whose box, moved on
by its velocity, it overlaps most (assignment over all pairs, at least `LEAST_OVERLAP`). A track bridges up to `BRIDGE`
seconds without its face, and is a person after `HITS` faces in as many pictures: a single false detection is no
person. A hard cut of the camera ends all tracks (`Cuts`): the face at the same place after it may be another
person's, and gets a new number even if it is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.media.faces.detectors import Box, Face, overlap

LEAST_OVERLAP = 0.25  # boxes of neighbours hardly touch; a head that moves by .6 of its width overlaps by as much
BRIDGE = 0.75  # s: a blink of the detector, a hand before the face; three steps of .24 s
HITS = 3
_LOST = 0.2  # by how much an overlap counts less for each second without the face
_CHANGE = 8.0  # grey levels, see `Cuts`
_STANDS_OUT = 3.0
_TILES = 16


@dataclass(eq=False)
class Track:
    """A face through time.

    Attributes:
        first: media second of the first face.
        last: of the latest picture with the face.
        until: up to which that picture is shown.
        box: the face in that picture, in px.
        hits: pictures with the face.
        person: its number, 0 until it is a person.
        velocity: of the box, px a second to the right and down.
    """

    first: float
    last: float
    until: float
    box: Box
    hits: int = 1
    person: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)

    def expected(self, time: float) -> Box:
        """Where the box should be by now."""
        x, y = (speed * (time - self.last) for speed in self.velocity)
        return self.box[0] + x, self.box[1] + y, self.box[2] + x, self.box[3] + y

    def follow(self, time: float, box: Box) -> None:
        """Take a new place. The velocity is half new and half old: boxes tremble."""
        seconds = time - self.last
        moved = ((box[0] + box[2] - self.box[0] - self.box[2]) / 2, (box[1] + box[3] - self.box[1] - self.box[3]) / 2)
        known = 0.5 if self.hits > 1 else 0.0
        self.velocity = (
            known * self.velocity[0] + (1 - known) * moved[0] / seconds,
            known * self.velocity[1] + (1 - known) * moved[1] / seconds,
        )
        self.box, self.last, self.until, self.hits = box, time, time, self.hits + 1


@dataclass(eq=False)
class Tracker:
    """The tracks that are alive, and how many people there have been."""

    tracks: list[Track] = field(default_factory=list)
    people: int = 0

    def step(self, time: float, faces: Sequence[Face]) -> list[tuple[Track, Face]]:
        """The track of each face of the picture at a time, in media seconds, later than the one before."""
        self.tracks = [track for track in self.tracks if time - track.until <= BRIDGE]
        pairs = [(track, faces[number]) for track, number in self._assigned(time, faces)]
        for track, face in pairs:
            track.follow(time, face.box)
        taken = {id(face) for _, face in pairs}
        for face in faces:
            if id(face) not in taken:
                track = Track(time, time, time, face.box)
                self.tracks.append(track)
                pairs.append((track, face))
        new = [track for track in self.tracks if not track.person and track.hits >= HITS]
        for track in sorted(new, key=lambda track: (track.first, track.box[0])):
            self.people += 1
            track.person = self.people
        return pairs

    def cut(self) -> None:
        """End all tracks."""
        self.tracks = []

    def _assigned(self, time: float, faces: Sequence[Face]) -> list[tuple[Track, int]]:
        if not self.tracks or not faces:
            return []
        places = [track.expected(time) for track in self.tracks]
        shared = np.array([[overlap(place, face.box) for face in faces] for place in places])
        shared[shared < LEAST_OVERLAP] = 0.0
        # Of two tracks at one place, of which one has lost its face, the face is the other's.
        shared *= 1 - _LOST * np.array([[time - track.until] for track in self.tracks])
        from scipy.optimize import linear_sum_assignment  # takes long to import, and sound alone has no faces

        rows, columns = linear_sum_assignment(shared, maximize=True)
        return [
            (self.tracks[row], int(column)) for row, column in zip(rows, columns, strict=True) if shared[row, column]
        ]


class Cuts:
    """Hard cuts between successive pictures.

    A cut is a change, averaged over 16 x 16 tiles, of more than 8 of 255 grey levels, and of 3 times the change
    before it on top: a pan or a shaking camera changes much in every picture, a cut in one. In real clips pictures that
    follow each other change by up to 5.8, and pictures of two people before the same background differ by 10.2 and
    more. Dissolves and fades are not found; a flash of light counts as a cut.
    """

    def __init__(self) -> None:
        self._tiles: NDArray[np.float32] | None = None
        self._change = 0.0

    def between(self, grey: NDArray[np.uint8]) -> bool:
        """Whether a picture (H, W) uint8 follows the one given before by a cut."""
        before, self._tiles = self._tiles, tiles(grey, _TILES, _TILES)
        if before is None:
            return False
        usual, self._change = self._change, float(np.abs(self._tiles - before).mean())
        return self._change > _CHANGE + _STANDS_OUT * usual


def tiles(grey: NDArray[Any], rows: int, columns: int) -> NDArray[np.float32]:
    """(rows, columns) float32: means over the tiles of a picture (H, W), of some 100 pixels each where it has more."""
    step_y, step_x = max(1, grey.shape[0] // (10 * rows)), max(1, grey.shape[1] // (10 * columns))
    values = grey[::step_y, ::step_x].astype(np.float32)
    down = np.linspace(0, values.shape[0], rows, endpoint=False).astype(np.intp)
    right = np.linspace(0, values.shape[1], columns, endpoint=False).astype(np.intp)
    sums = np.add.reduceat(np.add.reduceat(values, down, axis=0), right, axis=1)
    high = np.maximum(1, np.diff(np.append(down, values.shape[0])))
    wide = np.maximum(1, np.diff(np.append(right, values.shape[1])))
    means: NDArray[np.float32] = np.divide(sums, high[:, None] * wide, dtype=np.float32)
    return means
