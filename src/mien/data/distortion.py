"""Affine distortions of the images of training batches: rotation, scale, shear, shift and mirroring.

Albanie et al. 2018, section 3.1, distort the faces of training so (after its reference [63]) and print no ranges. The
numbers of a clip are sampled with its batch, keyed by (seed, step), and applied once the batch is on its device, where
pixels become numbers; until then images stay uint8. All frames of a clip are distorted alike, so that a film does not
shake.
"""

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from mien.common.settings import Settings

NUMBERS = 7  # of a clip: rotation, scale, two of shear, two of shift, mirroring


class Distortion(Settings):
    """The ranges of the distortions; each number is uniform within its range. All 0 leaves images as they are.

    Attributes:
        rotation: largest angle, in degrees, either way.
        scale: largest change of size: a factor from 1 / (1 + scale) to 1 + scale, uniform in its logarithm.
        shear: largest shear along each axis, as the tangent of its angle, either way.
        shift: largest shift along each axis, as a share of the side, either way.
        flip: the share of clips that are mirrored, left and right.
    """

    rotation: float = Field(0.0, ge=0, le=180)
    scale: float = Field(0.0, ge=0, le=4)
    shear: float = Field(0.0, ge=0, le=0.5)  # with both at 1 an image would become a line
    shift: float = Field(0.0, ge=0, lt=1)
    flip: float = Field(0.0, ge=0, le=1)

    @property
    def some(self) -> bool:
        """Whether anything is distorted."""
        return any((self.rotation, self.scale, self.shear, self.shift, self.flip))


def transforms(numbers: Tensor, distortion: Distortion) -> Tensor:
    """Where each pixel of a distorted image is taken from, in the image as it was.

    Args:
        numbers: B x `NUMBERS` in [0, 1), float64.
        distortion: the ranges.

    Returns:
        B x 2 x 3 float64: (x, y, 1), from -1 to 1 over the image, x to the right and y down, to (x, y).
    """
    either = 2 * numbers - 1
    angle = either[:, 0] * math.radians(distortion.rotation)
    scale = torch.exp(either[:, 1] * math.log1p(distortion.scale))
    mirror = torch.where(numbers[:, 6] < distortion.flip, -1.0, 1.0).to(numbers.dtype)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
    shear = torch.eye(2, dtype=numbers.dtype).repeat(len(numbers), 1, 1)
    shear[:, 0, 1], shear[:, 1, 0] = either[:, 2] * distortion.shear, either[:, 3] * distortion.shear
    matrix = rotation @ shear / scale[:, None, None]
    matrix[:, :, 0] *= mirror[:, None]
    return torch.cat([matrix, 2 * either[:, 4:6, None] * distortion.shift], dim=2)


def distorted(values: Tensor, transform: Tensor) -> Tensor:
    """Images taken from where `transforms` says, bilinearly; beyond their edge the pixel at the edge goes on.

    Args:
        values: B x T x C x S x S float.
        transform: B x 2 x 3; all frames of a clip have one.

    Returns:
        The shape and dtype of `values`.
    """
    clips, frames, *shape = values.shape
    if not clips or not frames:
        return values
    each = transform.to(values).repeat_interleave(frames, dim=0)
    with torch.autocast(values.device.type, enabled=False):  # it would round places, by .1 px at 48 px and .7 at 224
        grid = F.affine_grid(each, [clips * frames, *shape], align_corners=False)
        images = F.grid_sample(values.flatten(0, 1), grid, padding_mode="border", align_corners=False)
    return images.view(values.shape)
