"""Models that answer another corpus with one class: which, and how their inputs differ from those of training.

What can be known are the mean and the standard deviation of the training frames, by which a model normalises: how far
the other corpus's frames lie from them, and, where columns are logarithms of energies, by how many decibels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mien.data.dataset import Dataset
from mien.data.normalisation import fit
from mien.features import functionals
from mien.runs.cell import Model

ALL = 0.99  # share of the answers from which on they count as one class
FEW = 10  # clips; of fewer, one answer may be chance
LOUD = 6.0  # dB by which another level is a likely cause: half or twice the amplitude
FAR = 1.0  # standard deviations
DECIBELS = 10 / math.log(10)  # of a natural logarithm of energy


def note(name: str, shares: dict[str, float], model: Model, dataset: Dataset, clips: Sequence[str]) -> str | None:
    """A sentence on a model that gives one answer to `FEW` clips or more, with the likely cause; else None.

    Args:
        name: of the model.
        shares: class -> its share of the model's answers.
        model: one of its cells.
        dataset: the other corpus, with its features.
        clips: those that were answered.
    """
    answer = max(shares, key=lambda one: shares[one], default="")
    if len(clips) < FEW or not answer or shares[answer] < ALL:
        return None
    what = f"{name}: {shares[answer]:.0%} of the answers are '{answer}', so its scores do not measure how well it"
    return f"{what} separates classes; {_cause(model, dataset, clips)}"


def _cause(model: Model, dataset: Dataset, clips: Sequence[str]) -> str:
    normalise = model.normalise.get("audio")
    if normalise is None or normalise.kind != "train":
        return "the likely cause is another way of recording (level, microphone, room) or another kind of speech"
    mean, std = normalise.statistics[""]
    own, _ = fit("train", [(clip, "", dataset.stores["audio"]) for clip in clips]).statistics[""]
    apart = (own - mean).double().cpu()
    columns = _levels(*model.experiment.features["audio"])
    decibels = DECIBELS * float(apart[columns].mean()) if columns is not None else 0.0
    if abs(decibels) >= LOUD:
        word = "louder" if decibels > 0 else "quieter"
        return (
            f"the likely cause is the level: its sound is {abs(decibels):.0f} dB {word} than that of training; bring "
            "the recordings to that level, or train without it, as data.audio={name: functionals, level: false} does"
        )
    far = float((apart / std.double().cpu()).abs().mean())
    if far >= FAR:
        return (
            "the likely cause is another way of recording (microphone, room, noise): its features lie "
            f"{far:.1f} standard deviations from the mean of training, on average over columns"
        )
    return (
        f"its features are like those of training ({far:.1f} standard deviations from their mean, on average over "
        "columns), so the likely cause is the model: see its scores on test speakers"
    )


def _levels(name: str, config: Any) -> Tensor | None:
    """The columns of a feature that are logarithms of energies of the sound as it was recorded; None without."""
    if name in ("logmel", "mfb43"):
        return torch.arange(config.mels)
    if name == "functionals" and config.level:
        return torch.tensor(np.flatnonzero([one == "energy, mean" for one in functionals.names(config)]))
    return None
