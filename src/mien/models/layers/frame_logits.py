"""One vector of logits for the frames of a face track, in which most frames are less expressive than a few of them.

Albanie et al. 2018, section 3.1, take the maximum of each emotion over the frames, "an approximation to peak frame
selection", and found the mean slightly inferior. They say "maximum response", "individual prediction distributions" and
"pre-softmax predictions" of what is pooled; which of them it was is open.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

Pool = Literal["max", "max_distribution", "mean", "log_mean"]
POOLINGS: tuple[Pool, ...] = get_args(Pool)


def pooled(values: Tensor, valid: Tensor, size: int, pool: Pool) -> tuple[Tensor, Tensor]:
    """One vector of logits for the frames of each clip.

    Args:
        values: B x T x K logits, any float dtype; of frames that are not valid they may be anything, also nan.
        valid: B x T bool.
        size: K, also of a batch without a frame.
        pool: "max": the greatest of each logit; "max_distribution": the greatest of each probability, then brought to
            sum 1, and its logarithm; "mean": the mean logits; "log_mean": the logarithm of the mean probabilities.

    Returns:
        B x K, float32 or wider, zeros where no frame is valid; and which clips have a valid frame, B bool.
    """
    values = values if values.dtype == torch.float64 else values.float()
    known = valid.any(dim=1)
    if values.shape[1] == 0:
        return values.new_zeros(len(values), size), known
    shown = valid[:, :, None]
    values = torch.where(shown, values, 0.0)
    if pool in ("max_distribution", "log_mean"):
        values = values.log_softmax(dim=2)
    if pool == "mean":
        found = torch.where(shown, values, 0.0).sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)
    else:
        values = torch.where(shown, values, -torch.inf)
        found = values.logsumexp(dim=1) if pool == "log_mean" else values.amax(dim=1)
    found = torch.where(known[:, None], found, 0.0)
    found = found.log_softmax(dim=1) if pool in ("max_distribution", "log_mean") else found
    return torch.where(known[:, None], found, 0.0), known
