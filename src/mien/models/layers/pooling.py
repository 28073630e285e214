"""Pooling over the valid frames of a sequence: B x T x D and B x T bool in, B x (.) out; padding never counts."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-6  # variance below which the standard deviation has no gradient: its slope grows without bound


def mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of each dimension over valid frames.

    Args:
        values: B x T x D, any float dtype; computed in float32 or wider.
        valid: B x T bool.

    Returns:
        B x D, float32 or wider; zeros, with a gradient of zero, for a clip without a valid frame.
    """
    values = values if values.dtype == torch.float64 else values.float()
    count = valid.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where(valid[:, :, None], values, 0.0).sum(dim=1) / count


def mean_std_max(values: Tensor, valid: Tensor) -> Tensor:
    """Mean, standard deviation (biased) and maximum of each dimension over valid frames (Li et al. 2020, Table 1).

    Args:
        values: B x T x D, any float dtype; computed in float32 or wider.
        valid: B x T bool.

    Returns:
        B x 3D, float32 or wider; zeros, with a gradient of zero, for a clip without a valid frame.
    """
    values = values if values.dtype == torch.float64 else values.float()
    mask = valid[:, :, None]
    count = mask.sum(dim=1).clamp(min=1)
    average = mean(values, valid)
    deviation = torch.where(mask, values - average[:, None], 0.0)
    std = (deviation.square().sum(dim=1) / count).clamp(min=EPSILON).sqrt()
    maximum = torch.where(mask, values, -torch.inf).amax(dim=1) if values.shape[1] else average
    some = valid.any(dim=1)[:, None]
    return torch.where(some, torch.cat([average, std, torch.where(some, maximum, 0.0)], dim=1), 0.0)


class Pooling(NamedTuple):
    """A pooling, and how many times larger than a frame its vector is."""

    pool: Callable[[Tensor, Tensor], Tensor]
    times: int


POOLINGS = {"mean": Pooling(mean, 1), "mean_std_max": Pooling(mean_std_max, 3)}
