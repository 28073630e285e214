"""Square crops of pictures, uint8 (C, S, S), channels first: C = 3 is RGB, C = 1 luma (ITU-R BT.601).

Shrinking averages over areas (torch's antialiased bilinear filter), which avoids aliasing. Beyond the edge of the
picture a crop repeats the picture's border, since black would add an edge that is not there.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mien.media.faces.detectors import Box, Point

Pixels = NDArray[np.uint8]
LUMA = (0.299, 0.587, 0.114)


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
        square = _channels_first(part)
    else:
        square = _turned(rgb, (x, y), side, math.atan2(eyes[1][1] - eyes[0][1], eyes[1][0] - eyes[0][0]))
    return _square(square, size)


def centre(rgb: Pixels, *, size: int) -> Pixels:
    """The largest square in the middle of a picture (H, W, 3), as (3, S, S) uint8."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _square(_channels_first(rgb[top : top + side, left : left + side]), size)


def grey(pixels: Pixels) -> Pixels:
    """The luma of a crop (3, S, S), as (1, S, S) uint8."""
    luma = np.tensordot(np.asarray(LUMA, np.float32), pixels.astype(np.float32), axes=1)
    return np.rint(luma).astype(np.uint8)[None]


def fitted(rgb: Pixels, long_side: int) -> tuple[Pixels, float]:
    """A picture (H, W, 3) whose longer side is brought to `long_side` px, and the factor of the scaling."""
    scale = long_side / max(rgb.shape[:2])
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    small = _scaled(_channels_first(rgb), height, width)[0].permute(1, 2, 0)
    return np.ascontiguousarray(small.numpy()), scale


def _channels_first(rgb: Pixels) -> Tensor:
    """(H, W, 3) as (1, 3, H, W), without a copy where torch may write to it."""
    return torch.from_numpy(rgb if rgb.flags.writeable else rgb.copy()).permute(2, 0, 1)[None]


def _square(pixels: Tensor, size: int) -> Pixels:
    scaled: Pixels = _scaled(pixels, size, size)[0].numpy()
    return scaled


def _scaled(pixels: Tensor, height: int, width: int) -> Tensor:
    if pixels.shape[2:] == (height, width):
        return pixels.contiguous()
    return F.interpolate(pixels, (height, width), mode="bilinear", antialias=True)


def _turned(rgb: Pixels, middle: Point, side: int, angle: float) -> Tensor:
    """The (1, 3, side, side) uint8 square about a point whose rows run at an angle, in radians, through the picture."""
    height, width = rgb.shape[:2]
    offsets = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    down, right = torch.meshgrid(offsets, offsets, indexing="ij")
    x = middle[0] - 0.5 + right * math.cos(angle) - down * math.sin(angle)
    y = middle[1] - 0.5 + right * math.sin(angle) + down * math.cos(angle)
    # Only what the square covers becomes floats: a 4K picture as floats has 100 MB.
    left, top = (min(max(0, math.floor(float(values.min()))), limit - 1) for values, limit in ((x, width), (y, height)))
    end_x, end_y = (
        max(first + 1, min(limit, math.ceil(float(values.max())) + 1))
        for values, limit, first in ((x, width, left), (y, height, top))
    )
    part = _channels_first(rgb[top:end_y, left:end_x]).float()
    places = torch.stack([(2 * (x - left) + 1) / (end_x - left) - 1, (2 * (y - top) + 1) / (end_y - top) - 1], dim=-1)
    square = F.grid_sample(part, places[None], mode="bilinear", padding_mode="border", align_corners=False)
    return square.round().clamp(0, 255).to(torch.uint8)
