"""Pooling over the valid frames of a sequence: B x T x D and B x T bool in, B x (.) out; padding never counts."""

import torch
from torch import Tensor

EPSILON = 1e-6  # variance below which the gradient of the standard deviation is cut off: its slope grows without bound


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
    mean = torch.where(mask, values, 0.0).sum(dim=1) / count
    deviation = torch.where(mask, values - mean[:, None], 0.0)
    std = (deviation.square().sum(dim=1) / count).clamp(min=EPSILON).sqrt()
    maximum = torch.where(mask, values, -torch.inf).amax(dim=1) if values.shape[1] else mean
    some = valid.any(dim=1)[:, None]
    return torch.where(some, torch.cat([mean, std, torch.where(some, maximum, 0.0)], dim=1), 0.0)
