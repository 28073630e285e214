"""Ways of removing a factor (speaker, gender, corpus, ...) from an embedding with an adversary that predicts it.

A removal is one row of `REMOVALS`: where its adversary learns, and what the encoder's loss gains. Each row ends with
its source. A new removal is one function and one row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mien.models.objectives.losses import confusion, cross_entropies, cross_entropy, entropy, mean

Adversary = Callable[[Tensor], Tensor]
Term = Callable[[Tensor, Tensor, Adversary, float], Tensor]


@dataclass(frozen=True)
class Removal:
    """One way of removing a factor.

    Attributes:
        adversary: "own phase": the adversary is trained first, by cross-entropy on the detached embedding; "main
            phase": it is trained together with the encoder, by what `term` returns; "absent": there is none.
        term: (embedding B x D, labels, adversary, weight) -> what is added to the encoder's loss, a scalar share.
            Labels are as of `losses.cross_entropy`. The gradient that the embedding gets is proportional to the weight.
        source: the paper.
        unbounded: the same without its bound, where `term` has one.
    """

    adversary: Literal["own phase", "main phase", "absent"]
    term: Term | None
    source: str
    unbounded: Term | None = None


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, value: Tensor, factor: float) -> Tensor:
        context.factor = factor  # type: ignore[attr-defined]
        return value.view_as(value)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.factor * gradients[0], None  # type: ignore[attr-defined]


def reverse_gradient(value: Tensor, factor: float) -> Tensor:
    """The identity, whose gradient is multiplied by -factor on the way back (Ganin et al. 2016)."""
    reversed_value: Tensor = _Reverse.apply(value, factor)  # type: ignore[no-untyped-call]
    return reversed_value


def _gradient_reversal(embedding: Tensor, labels: Tensor, adversary: Adversary, weight: float) -> Tensor:
    return cross_entropy(adversary(reverse_gradient(embedding, weight)), labels)


def _alternating(embedding: Tensor, labels: Tensor, adversary: Adversary, weight: float) -> Tensor:
    # An adversary that is wrong more often than chance is informative again (of two classes, by inverting its answer),
    # and without a bound the term has no minimum: it would outgrow every task. So a clip counts up to log K, unlike in
    # the paper.
    logits = adversary(embedding)
    values, known = cross_entropies(logits, labels)
    return -weight * mean(values.clamp(max=math.log(logits.shape[1])), known)


def _alternating_unbounded(embedding: Tensor, labels: Tensor, adversary: Adversary, weight: float) -> Tensor:
    return -weight * cross_entropy(adversary(embedding), labels)


def _confusion(embedding: Tensor, labels: Tensor, adversary: Adversary, weight: float) -> Tensor:
    return weight * confusion(adversary(embedding))


def _max_entropy(embedding: Tensor, labels: Tensor, adversary: Adversary, weight: float) -> Tensor:
    return -weight * entropy(adversary(embedding))


REMOVALS: dict[str, Removal] = {
    "none": Removal("absent", None, "no removal: the baseline of a comparison"),
    "gradient_reversal": Removal("main phase", _gradient_reversal, "Ganin et al. 2016; Tu et al. 2019 (DAT)"),
    "alternating": Removal(
        "own phase",
        _alternating,
        "Peri et al. 2021, Eq. 1-2 (ALT); Goodfellow et al. 2014",
        unbounded=_alternating_unbounded,
    ),
    "confusion": Removal("own phase", _confusion, "Tzeng et al. 2015; Peri et al. 2021, section 3.2 (CONF)"),
    "max_entropy": Removal("own phase", _max_entropy, "Li et al. 2020, Eq. 1-5 (MEnAN)"),
}


def strength(progress: float, *, warmup: float, schedule: Literal["constant", "ganin"]) -> float:
    """The factor on a removal's weight at a point of training.

    Args:
        progress: 0 at the first step, 1 after the last.
        warmup: share of training, 0 to 1, over which the factor rises linearly from 0.
        schedule: "constant" is 1; "ganin" is 2 / (1 + exp(-10 progress)) - 1 (Ganin et al. 2016, section 5.2.2).
    """
    rise = 1.0 if warmup == 0 else min(1.0, progress / warmup)
    return rise * (1.0 if schedule == "constant" else 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0)
