"""Square crops of pictures, uint8 (C, S, S), channels first: C = 3 is RGB, C = 1 luma (ITU-R BT.601).

Shrinking averages over areas (an antialiased bilinear filter, the bits of torch's), which avoids aliasing. Beyond the
edge of the picture a crop repeats the picture's border, since black would add an edge that is not there.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.media.faces.detectors import Box, Point

Pixels = NDArray[np.uint8]
LUMA = (0.299, 0.587, 0.114)
AT_ONCE = 8  # rows that are scaled together: few enough that little is multiplied by zero
MOST_BITS = 22  # of the whole numbers that weights are rounded to, below 2^15: as torch rounds them


def crop(rgb: Pixels, box: Box, *, size: int, margin: float, eyes: tuple[Point, Point] | None = None) -> Pixels:
    """The square around a box, upright.

    Args:
        rgb: (H, W, 3) uint8.
        box: left, top, right, bottom in px.
        size: S, the side of the crop in px.
        margin: what is added on each side of the box, as a share of its longer side.
        eyes: where they are, the picture's left one first: the square is turned about the box's centre until they lie
            level. None: it is not turned.

    Returns:
        (3, S, S) uint8.
    """
    side = max(2, round((1 + 2 * margin) * max(box[2] - box[0], box[3] - box[1])))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if eyes is None:
        left, top = round(x - side / 2), round(y - side / 2)
        part = rgb[max(0, top) : top + side, max(0, left) : left + side]
        if part.shape[:2] != (side, side):
            rows = np.clip(np.arange(top, top + side), 0, rgb.shape[0] - 1)
            columns = np.clip(np.arange(left, left + side), 0, rgb.shape[1] - 1)
            part = rgb[rows[:, None], columns]
        square = part
    else:
        square = _turned(rgb, (x, y), side, math.atan2(eyes[1][1] - eyes[0][1], eyes[1][0] - eyes[0][0]))
    return _square(square, size)


def centre(rgb: Pixels, *, size: int) -> Pixels:
    """The largest square in the middle of a picture (H, W, 3), as (3, S, S) uint8."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _square(rgb[top : top + side, left : left + side], size)


def grey(pixels: Pixels) -> Pixels:
    """The luma of a crop (3, S, S), as (1, S, S) uint8."""
    luma = np.tensordot(np.asarray(LUMA, np.float32), pixels.astype(np.float32), axes=1)
    return np.rint(luma).astype(np.uint8)[None]


def fitted(rgb: Pixels, long_side: int) -> tuple[Pixels, float]:
    """A picture (H, W, 3) whose longer side is brought to `long_side` px, and the factor of the scaling."""
    scale = long_side / max(rgb.shape[:2])
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return _scaled(rgb, height, width), scale


def _square(rgb: Pixels, size: int) -> Pixels:
    """(H, W, 3) as (3, S, S)."""
    return np.ascontiguousarray(_scaled(rgb, size, size).transpose(2, 0, 1))


def _scaled(rgb: Pixels, height: int, width: int) -> Pixels:
    """(H, W, 3) as (height, width, 3)."""
    wide = _along(rgb.swapaxes(0, 1), width).swapaxes(0, 1)
    return np.ascontiguousarray(_along(wide, height))


class _Filter(NamedTuple):
    """How each of M new rows is a weighted mean of N old ones.

    Attributes:
        weights: M x N whole numbers, each row's sum near 2 to the power `bits`.
        first: (M,) the first row with a weight.
        last: (M,) the row after the last one.
        bits: of rounding.
    """

    weights: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    bits: int


@lru_cache(maxsize=64)
def _filter(old: int, new: int) -> _Filter:
    """A triangle as wide as two rows of the smaller picture."""
    scale = old / new
    reach = max(1.0, scale)
    centres = scale * (np.arange(new) + 0.5)
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), old)
    rows = np.arange(old)
    weights = np.maximum(0, 1 - np.abs(rows + 0.5 - centres[:, None]) / reach)
    weights[(rows < first[:, None]) | (rows >= last[:, None])] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    heaviest, bits = float(weights.max()), 0
    while bits < MOST_BITS and int(heaviest * 2 ** (bits + 1) + 0.5) < 2**15:
        bits += 1
    return _Filter(np.floor(weights * 2**bits + 0.5), first, last, bits)


def _along(pixels: Pixels, size: int) -> Pixels:
    """The first axis brought to `size` rows."""
    if len(pixels) == size:
        return pixels
    weights, first, last, bits = _filter(len(pixels), size)
    scaled = np.empty((size, *pixels.shape[1:]), np.uint8)
    for start in range(0, size, AT_ONCE):
        part = slice(start, min(start + AT_ONCE, size))
        rows = slice(first[part][0], last[part][-1])
        old = pixels[rows].reshape(rows.stop - rows.start, -1).astype(np.float64)
        sums = weights[part, rows] @ old  # of whole numbers, so they are exact
        scaled[part] = np.floor(sums * 2.0**-bits + 0.5).clip(0, 255).reshape(-1, *pixels.shape[1:])
    return scaled


def _turned(rgb: Pixels, middle: Point, side: int, angle: float) -> Pixels:
    """The (side, side, 3) uint8 square about a point whose rows run at an angle, in radians, through the picture."""
    height, width = rgb.shape[:2]
    offsets = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    down, right = np.meshgrid(offsets, offsets, indexing="ij")
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    x = (np.float32(middle[0] - 0.5) + right * cosine - down * sine).clip(0, width - 1)
    y = (np.float32(middle[1] - 0.5) + right * sine + down * cosine).clip(0, height - 1)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    beside, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, along = (x - left)[..., None], (y - top)[..., None]
    upper = rgb[top, left] * (1 - across) + rgb[top, beside] * across
    lower = rgb[below, left] * (1 - across) + rgb[below, beside] * across
    square: Pixels = np.rint(upper * (1 - along) + lower * along).clip(0, 255).astype(np.uint8)
    return square
