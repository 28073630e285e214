"""How a distribution over classes is learned: as it is, by sampling one label each time, or by its most probable class.

Barsoum et al. 2016, section 3, compare these on the votes of FER+; their names are beside ours.
"""

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from mien.data.batch import Batch

Learn = Literal["distribution", "sampled", "majority"]


def learning(batch: "Batch", factor: str, how: Learn) -> Tensor:
    """The labels of a factor for a training step, B x K float; nan where the distribution is not known.

    Args:
        batch: its labels of the factor are distributions, B x K.
        factor: its name.
        how: "distribution": the cross-entropy with the distribution itself (CEL; Albanie et al. 2018, Eq. 2);
            "sampled": one class is sampled by its probability, anew at each step (probabilistic label drawing, PLD);
            "majority": the most probable class, the first of equals (majority voting, MV).
    """
    labels = batch.labels[factor]
    if how == "distribution":
        return labels
    known = ~labels.isnan().any(dim=1)
    shares = labels.nan_to_num()
    if how == "majority":
        chosen = shares.argmax(dim=1)
    else:
        limits = shares.double().cumsum(dim=1)
        place = batch.uniform(f"label of {factor}", 1) * limits[:, -1:]
        chosen = torch.searchsorted(limits, place, right=True)[:, 0].clamp(max=labels.shape[1] - 1)
    whole = F.one_hot(chosen, labels.shape[1]).to(labels.dtype)
    return torch.where(known[:, None], whole, torch.nan)
