"""Masks over time and bands of training batches (Park et al. 2019): masked values become the clip's mean."""

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor

from mien.common.settings import Settings

if TYPE_CHECKING:
    from mien.data.batch import Batch


class Masking(Settings):
    """SpecAugment-style masking of training batches (Park et al. 2019): masked frames and bands become the clip's mean.

    Attributes:
        count: masks of each kind on a clip.
        seconds: longest time mask; its length is uniform from 0.
        bands: widest mask over feature dimensions; its width is uniform from 0.
    """

    count: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    bands: int = Field(0, ge=0)


def masked(batch: "Batch", masking: Masking, hop: float, name: str = "") -> Tensor:
    """The values of a batch's audio with masks over time and over bands, by the batch's own random numbers.

    Args:
        batch: its values of frames that are not valid are masked with the rest.
        masking: how many and how large.
        hop: seconds between frames.
        name: of the random numbers; another name gives other masks.
    """
    values, valid = batch.audio.values.clone(), batch.audio.valid
    clips, longest, dimension = values.shape
    if clips == 0 or longest == 0:
        return values
    count = valid.sum(dim=1).clamp(min=1)
    centre = torch.where(valid[:, :, None], values, 0.0).sum(dim=1, keepdim=True) / count[:, None, None]
    for number in range(masking.count):
        width, start = batch.uniform(f"{name}mask {number}", 2, 2).to(values.device).unbind(dim=1)  # B x (time, bands)
        time = _span(width[:, 0] * masking.seconds / hop, start[:, 0], count, longest)
        bands = _span(width[:, 1] * (masking.bands + 1), start[:, 1], torch.full_like(count, dimension), dimension)
        hidden = (time & valid)[:, :, None] | bands[:, None, :]
        values = torch.where(hidden, centre, values)
    return values


def _span(width: Tensor, start: Tensor, count: Tensor, size: int) -> Tensor:
    """B x size bool: true on a stretch of `width` (rounded down) that begins at the share `start` of the free room."""
    wide = torch.minimum(width.floor().long(), count)
    first = (start * (count - wide + 1)).long()
    place = torch.arange(size, device=width.device)
    return (place >= first[:, None]) & (place < (first + wide)[:, None])
