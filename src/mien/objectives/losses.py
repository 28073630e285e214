"""Losses as functions: tensors in, one scalar out.

Every loss returns this process's *share*: the shares of all processes sum to the loss over the global batch, so sums of
their gradients are its gradient. Means divide by the number of known entries in the global batch. Every process must
make the same calls in the same order, also with no clip of its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, distributed


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient; with one process the tensor itself, detached."""
    value = value.detach()
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value


def mean(values: Tensor, where: Tensor, weight: Tensor | None = None) -> Tensor:
    """This process's share of the (weighted) mean over the entries known anywhere in the global batch.

    Args:
        values: B, any float dtype; entries that are not known may hold anything, also nan.
        where: B bool, which entries are known.
        weight: B, not negative; the mean is then sum(weight * values) / sum(weight).

    Returns:
        A scalar. Where nothing is known on any process it is zero without a graph, so that nothing moves.
    """
    if values.shape != where.shape:
        raise ValueError(f"values of shape {tuple(values.shape)} but where of shape {tuple(where.shape)}")
    weights = where.to(values.dtype) if weight is None else torch.where(where, weight, 0.0)
    count = total(weights.sum())
    if count == 0:
        return values.new_zeros(())
    return (torch.where(where, values, 0.0) * weights).sum() / count


def cross_entropy(logits: Tensor, labels: Tensor, class_weight: Tensor | None = None) -> Tensor:
    """Cross-entropy over the clips whose label is known (Li et al. 2020, Eq. 1 and 4).

    Args:
        logits: B x K, any float dtype; computed in float32 or wider.
        labels: B int64, -1 where not known; or B x K float, the probability of each class, nan where not known.
        class_weight: K, the weight of a clip by its class; only with int64 labels.

    Returns:
        This process's share, in nats.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if labels.dim() == 2:
        known = ~labels.isnan().any(dim=1)
        targets = torch.where(known[:, None], labels, 0.0).to(logits.dtype)
        return mean(-(targets * F.log_softmax(logits, dim=1)).sum(dim=1), known)
    known = labels >= 0
    labels = labels.clamp(min=0)
    weight = None if class_weight is None else class_weight.to(logits.dtype)[labels]
    return mean(F.cross_entropy(logits, labels, reduction="none"), known, weight)


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the predicted distributions (Li et al. 2020, Eq. 2), over all clips of the global batch.

    Args:
        logits: B x K, any float dtype; computed in float32 or wider.

    Returns:
        This process's share, in nats: between 0 and log(K), the latter where every class is equally likely (Eq. 3).
    """
    log_probabilities = F.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=1)
    values = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    return mean(values, torch.ones_like(values, dtype=torch.bool))
