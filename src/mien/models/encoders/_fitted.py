"""Encoders that begin with statistics of the clips that they will be trained on."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from mien.data.batch import Batch

KEYS = ("components",)


class FittedEncoder(nn.Module, ABC):
    """An encoder with buffers that are fitted before its training, and that a network without them can replace."""

    @abstractmethod
    def fit(self, batches: Iterable[Batch]) -> None:
        """Fit the buffers on batches of all training clips; does nothing where the settings ask for none."""

    @abstractmethod
    def merged(self) -> dict[str, Tensor]:
        """The state of the same encoder with the settings of `KEYS` left out, which gives the same in evaluation."""


def merged(encoder: Any) -> Any:
    """The settings of encoders, as plain values, without those that `FittedEncoder.merged` makes needless."""
    if not isinstance(encoder, dict):
        return encoder
    return {key: merged(value) for key, value in encoder.items() if key not in KEYS}
