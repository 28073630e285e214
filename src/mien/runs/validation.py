"""The scores of validation clips: those by which an epoch may be chosen."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mien.common.measures import MEASURES, counts, macro_f1, uar, wa
from mien.engine.fit import Record
from mien.engine.inference import Inference

# Of what branches read, for each point of what heads tell. With a whole one the epoch of a model without removal is one
# of the first, in which neither is learned yet: its branches learn as its heads do.
LEAK = 0.1


def mean_right(told: Iterable[tuple[str, NDArray[np.float32]]], labels: Mapping[str, Tensor]) -> float:
    """The mean over (factor, logits N x K) of how right they are; nan where no label is known."""
    each = [_right(logits, labels[factor], factor) for factor, logits in told]
    known = [value for value in each if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def leak(spied: Mapping[str, NDArray[np.float32]], labels: Mapping[str, Tensor]) -> float:
    """The mean over embeddings and factors of how right their best spy or reader is; 0 where there is none.

    Args:
        spied: name of a branch -> logits N x K; see `recipes.base.Recipe.spied`. One that has just begun anew knows
            nothing, so the best of several tells.
        labels: factor -> N.
    """
    best: dict[str, float] = {}
    for name, logits in spied.items():
        own, _, factor = name.partition("-")  # the name of an embedding has no hyphen
        read = mean_right([(factor, logits)], labels)
        place = f"{own.partition('#')[0]}-{factor}"
        if not np.isnan(read):
            best[place] = max(read, best.get(place, 0.0))
    return float(np.mean(list(best.values()))) if best else 0.0


def _right(logits: NDArray[np.float32], labels: Tensor, factor: str) -> float:
    """Of emotions the unweighted F over the classes that occur, of others the accuracy; nan where nothing is known."""
    known = labels.numpy() >= 0
    if not known.any():
        return np.nan
    truth, told = labels.numpy()[known], logits.argmax(axis=1)[known]
    if factor != "emotion":
        return float((truth == told).mean())
    return float(macro_f1(counts(truth, told)))


def scores(inference: Inference, labels: Tensor) -> Record:
    """Validation scores of the emotion: UAR over the classes present, accuracy, cross-entropy in nats."""
    truth, probabilities = labels.numpy(), inference.probabilities("emotion")
    found = counts(truth, probabilities)
    return {
        "uar": float(uar(found)),
        "accuracy": float(wa(found)),
        "loss": MEASURES["cross_entropy"].value(truth, probabilities),
    }
