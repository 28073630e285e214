"""Faces: a head that speaks, drawn as layers of colour, (T, S, S, 3) uint8.

A shape is a field: negative inside and, near its edge, the distance to the edge in half-heights of the head. A pixel at
the edge is covered in part, so edges are smooth and can move by less than a pixel. In a face's coordinates the head's
middle is (0, 0) and its chin (0, 1); x points to the right of the picture, y down.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from mien.corpora.toy.expression import Expression
from mien.corpora.toy.people import Person

Field = NDArray[np.float32]

WHITE = (0.96, 0.95, 0.93)
PUPIL = (0.05, 0.05, 0.06)
INSIDE = (0.30, 0.08, 0.09)  # of the mouth
_SCALE = 0.33  # half-height of the head relative to the picture's height


class Motion(NamedTuple):
    """Position and movement of a head at each frame, (T,) float64.

    Attributes:
        x: middle of the head relative to the picture's, in half-heights of the head.
        y: likewise, down.
        roll: turn to the right in radians.
        gaze: where the eyes look, -1..1.
        blink: how far the lids are shut, 0..1.
        opening: how far the mouth is open, 0..1.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    roll: NDArray[np.float64]
    gaze: NDArray[np.float64]
    blink: NDArray[np.float64]
    opening: NDArray[np.float64]


def move(opening: NDArray[np.float64], frame_rate: float, rng: Generator) -> Motion:
    """Sample slow movements of the head, glances and blinks, for `opening`, (T,) how far the mouth is open in 0..1."""
    time = np.arange(len(opening)) / frame_rate

    def sway(amount: float) -> NDArray[np.float64]:
        waves = np.sin(2 * np.pi * (rng.uniform(0.15, 0.7, (3, 1)) * time + rng.random((3, 1))))
        swaying: NDArray[np.float64] = amount * (rng.normal(0, 0.8) + waves.mean(axis=0))
        return swaying

    blinks = rng.uniform(0, max(2.5, time[-1]), 1 + round(time[-1] / 3))
    blink = np.exp(-(((time[:, None] - blinks) / 0.07) ** 2)).max(axis=1)
    return Motion(sway(0.06), sway(0.05), sway(0.06), sway(0.5), blink, opening)


def draw(person: Person, expression: Expression, motion: Motion, size: int, rng: Generator) -> NDArray[np.uint8]:
    """Draw a clip: (T, size, size, 3) uint8. Background, light and distance are sampled from `rng`."""
    canvas = _Canvas(motion, size, _SCALE * rng.uniform(0.94, 1.06))
    _background(canvas, rng)
    _body(canvas, person)
    _head(canvas, person, expression)
    with canvas.window(-0.65, 0.25, 0.75):
        _eyes(canvas, person, expression, motion)
    with canvas.window(-0.25, 0.95, 0.55):
        _nose(canvas, person, expression)
        _mouth(canvas, person, expression, motion)
    _fringe(canvas, person)
    light = 255 * rng.uniform(0.85, 1.02) * (1 + rng.uniform(-0.02, 0.02, 3))
    picture = canvas.picture
    picture *= light.astype(np.float32)
    picture += 3 * rng.standard_normal((size, size, 1), np.float32) + np.float32(0.5)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


class _Canvas:
    """The frames while they are drawn, (T, S, S, 3) float32, with the face's coordinates of each pixel."""

    def __init__(self, motion: Motion, size: int, scale: float) -> None:
        self.pixels = scale * size  # a half-height of the head
        place = ((np.arange(size) + 0.5) / size - 0.5) / scale
        x = place[None, None, :] - motion.x[:, None, None]
        y = place[None, :, None] - motion.y[:, None, None] - 0.12
        turn = motion.roll[:, None, None]
        self.x: Field = (x * np.cos(turn) + y * np.sin(turn)).astype(np.float32)
        self.y: Field = (y * np.cos(turn) - x * np.sin(turn)).astype(np.float32)
        self.picture: Field = np.empty((*self.x.shape, 3), np.float32)

    def fill(self, field: Field, colour: ArrayLike, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Cover what is inside the field; `soft` is the width of its edge, at least a pixel."""
        edge = max(soft, 1 / self.pixels)
        box = _box(field < 0.5 * edge)
        cover = np.clip(0.5 - field[box] / edge, 0, opacity)[..., None]
        part = self.picture[box]
        part *= 1 - cover
        part += cover * np.asarray(colour, np.float32)

    @contextmanager
    def window(self, top: float, bottom: float, half: float) -> Iterator[None]:
        """Draw only where some frame shows the part of the face between two heights and `half` to either side."""
        whole = (self.x, self.y, self.picture)
        box = _box((self.y > top) & (self.y < bottom) & (np.abs(self.x) < half))
        self.x, self.y, self.picture = (part[box] for part in whole)
        try:
            yield
        finally:
            self.x, self.y, self.picture = whole


def _box(inside: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The smallest rectangle around all pixels that are true in some frame, (T, S, S); empty if none is."""
    rows, columns = np.flatnonzero(inside.any(axis=(0, 2))), np.flatnonzero(inside.any(axis=(0, 1)))
    if not len(rows):
        return slice(None), slice(0), slice(0)
    return slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _background(canvas: _Canvas, rng: Generator) -> None:
    """A wall in a plain colour, darker below, with a bright patch."""
    size = canvas.x.shape[-1]
    place = np.linspace(-1, 1, size, dtype=np.float32)
    wall = (rng.uniform(0.35, 0.75) + rng.uniform(-0.12, 0.12, 3)) * (1 - 0.12 * place[:, None, None])
    across, down = rng.uniform(-1, 1, 2)
    patch = np.exp(-2.5 * ((place[None, :] - across) ** 2 + (place[:, None] - down) ** 2))
    canvas.picture[:] = wall + 0.15 * patch[..., None]


def _body(canvas: _Canvas, person: Person) -> None:
    x, y = canvas.x, canvas.y
    fall = 0.55 + 0.75 * person.length
    hair = _ellipse(x, y + 0.17, person.width + 0.13, 1.0)
    curtain = np.maximum(np.abs(x) - person.width - 0.10, np.maximum(-y - 0.2, y - fall))
    canvas.fill(np.minimum(hair, curtain) if person.length > 0.3 else np.maximum(hair, y - 0.2), person.hair)
    canvas.fill(_ellipse(x, y - 2.0, 1.25, 0.85), person.shirt)
    neck = np.maximum(np.abs(x) - 0.36, np.abs(y - 1.0) - 0.32)
    canvas.fill(neck, _shade(person.skin, 0.82))


def _head(canvas: _Canvas, person: Person, expression: Expression) -> None:
    x, y = canvas.x, canvas.y
    canvas.fill(_ellipse(np.abs(x) - person.width, y - 0.02, 0.11, 0.2), _shade(person.skin, 0.88))
    outline = _outline(x, y, person)
    canvas.fill(outline, _shade(person.skin, 0.94))
    canvas.fill(outline + 0.14, _shade(person.skin, 1.04), soft=0.28)
    cheeks = _ellipse(np.abs(x) - 0.42, y - 0.30 + 0.5 * max(0.0, expression.corners), 0.20, 0.14)
    canvas.fill(cheeks, _blend(person.skin, (0.90, 0.35, 0.32), 0.5), 0.3, soft=0.14)


def _outline(x: Field, y: Field, person: Person) -> Field:
    """The head: an egg that narrows to the jaw below the eyes."""
    jaw = 1 - (1 - person.jaw) * np.clip(y, 0, 1) ** 1.5
    return _ellipse(x / jaw, y, person.width, 1.0)


def _eyes(canvas: _Canvas, person: Person, expression: Expression, motion: Motion) -> None:
    x, y = canvas.x, canvas.y
    side = np.abs(x) - person.eyes
    level = y + 0.08
    shut = _per_frame(1 - 0.95 * motion.blink)
    height = 0.085 * _bounded(2**expression.lids, 0.25, 2.0) * shut
    arch = 1 - (side / person.eye) ** 2
    above, below = -1.0 * height * arch, 0.65 * height * arch
    white = np.maximum(above - level, level - below)
    canvas.fill(_ellipse(side, level + 0.02, person.eye * 1.25, 0.16), _shade(person.skin, 0.86), 0.7, soft=0.07)
    canvas.fill(white, WHITE)
    look = x - np.sign(x) * person.eyes - 0.05 * _per_frame(motion.gaze)
    distance = np.hypot(look, level)
    canvas.fill(np.maximum(distance - 0.085, white), person.iris)
    canvas.fill(np.maximum(distance - 0.045, white), PUPIL)
    canvas.fill(np.maximum(np.hypot(look - 0.03, level + 0.03) - 0.022, white), WHITE)
    lid = np.maximum(np.abs(level - above) - 0.02, np.abs(side) - person.eye)
    canvas.fill(lid, _shade(person.hair, 0.5))

    reach = 1.3 * person.eye
    along = (side + 0.02) / reach  # -1 at the inner end, 1 at the outer
    inner, outer = _bounded(expression.inner, -0.17, 0.17), _bounded(expression.outer, -0.12, 0.12)
    raised = 0.5 * (inner * (1 - along) + outer * (1 + along)) + 0.03 * (1 - along**2)
    brow = np.abs(y + 0.30 + raised) - person.brow * (1 - 0.3 * along)
    canvas.fill(np.maximum(brow, (np.abs(along) - 1) * reach), _shade(person.hair, 0.75))


def _nose(canvas: _Canvas, person: Person, expression: Expression) -> None:
    x, y = canvas.x, canvas.y
    bridge = np.maximum(np.abs(x - 0.045) - 0.03, np.abs(y - 0.06) - person.nose * 0.7)
    canvas.fill(bridge, _shade(person.skin, 0.88), 0.8, soft=0.06)
    tip = person.nose + 0.02 - 0.3 * max(0.0, expression.upper)
    canvas.fill(_ellipse(x, y - tip, 0.125, 0.07), _shade(person.skin, 0.92), soft=0.05)
    canvas.fill(_ellipse(np.abs(x) - 0.065, y - tip - 0.035, 0.035, 0.022), _shade(person.skin, 0.5))
    furrows = np.maximum(np.abs(np.abs(x) - 0.07 - 0.3 * np.abs(y + 0.08)) - 0.018, np.abs(y + 0.08) - 0.12)
    canvas.fill(furrows, _shade(person.skin, 0.6), _bounded(expression.wrinkle, 0, 1))


def _mouth(canvas: _Canvas, person: Person, expression: Expression, motion: Motion) -> None:
    opening = 0.20 * _per_frame(motion.opening)
    half = person.mouth * _bounded(1 + expression.stretch, 0.6, 1.5) * (1 - 0.6 * opening)
    along = canvas.x / half
    arch = 1 - along**2
    corners = _bounded(expression.corners, -0.2, 0.2)
    level = canvas.y - 0.56 + 1.2 * corners * (along**2 - 0.4)
    lift = _bounded(expression.upper, -0.03, 0.12) + 0.25 * opening
    above, below = -lift * arch - 0.006, 0.75 * opening * arch + 0.006
    lips = np.maximum(above - person.lips * arch - level, level - below - 1.25 * person.lips * arch)
    colour = _blend(person.skin, (0.72, 0.22, 0.25), 0.55)
    canvas.fill(np.maximum(lips, (np.abs(along) - 1) * half), colour)
    inside = np.maximum(above - level, level - below)
    inside = np.maximum(inside, (np.abs(along) - 0.97) * half)
    canvas.fill(inside, INSIDE)
    canvas.fill(np.maximum(inside, level - above - 0.05), WHITE, 0.9)


def _fringe(canvas: _Canvas, person: Person) -> None:
    x, y = canvas.x, canvas.y
    hairline = -0.98 + person.fringe + 0.45 * x**2
    canvas.fill(np.maximum(_ellipse(x, y + 0.03, person.width + 0.04, 1.03), y - hairline), person.hair)


def _ellipse(x: NDArray[Any], y: NDArray[Any], width: float, height: float) -> Field:
    field: Field = (np.sqrt(np.square(x / width) + np.square(y / height)) - 1) * min(width, height)
    return field


def _per_frame(values: NDArray[np.float64]) -> Field:
    return values.astype(np.float32)[:, None, None]


def _bounded(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def _shade(colour: tuple[float, float, float], factor: float) -> NDArray[np.float64]:
    return np.minimum(1.0, factor * np.asarray(colour))


def _blend(colour: ArrayLike, other: ArrayLike, share: float) -> NDArray[np.float64]:
    blended: NDArray[np.float64] = (1 - share) * np.asarray(colour) + share * np.asarray(other)
    return blended
