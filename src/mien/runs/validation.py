"""The scores on validation clips, by which the best epoch is chosen."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from mien.common.measures import MEASURES
from mien.data.targets import Target, measures_of, rightness
from mien.engine.fit import Record
from mien.models.recipes._recipe import Inference


def mean_rightness(targets: Mapping[str, Target], inference: Inference, labels: Mapping[str, Tensor]) -> float:
    """The mean of `rightness` over targets; nan where no label is known."""
    each = [rightness(targets[name], inference.outputs[name], labels[name]) for name in sorted(targets)]
    known = [value for value in each if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def scores(target: Target, inference: Inference, labels: Tensor) -> Record:
    """The validation scores of the main target (`data.targets.measures_of`).

    Args:
        target: the main target.
        inference: the outputs of the model.
        labels: as the target encodes them.
    """
    truth, factor = labels.numpy(), target.factor
    if target.kind == "numbers":
        predicted, truth = target.values(inference.outputs[factor])[:, 0], target.values(truth)[:, 0]
    else:
        predicted = inference.probabilities(factor)
    return {name: MEASURES[name].value(truth, predicted) for name in measures_of(target.kind)}
