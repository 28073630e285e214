"""What reads a map of channels x times x rows: a classifier (Rana et al. 2019, section IV-C), and means over time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.data.batch import Batch
from mien.models.layers.dropout import dropout
from mien.models.layers.normalisation import BatchNorm
from mien.models.layers.pooling import mean


class MapClassifier(nn.Module):
    """Convolution, max-pooling, two fully connected layers with dropout between them: logits.

    The maximum is over all valid times and pairs of neighbouring rows, so that a clip may have any length (`assumed`;
    the paper pools clips of one length).

    Args:
        channels: C of the map.
        rows: D' of the map.
        outputs: K.
        hidden: values between the fully connected layers.
        rate: share of these that dropout sets to 0.
        normalised: whether batch normalisation follows the convolution.
    """

    def __init__(
        self, channels: int, rows: int, outputs: int, *, hidden: int, rate: float, normalised: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=not normalised)
        self.normalisation = nn.ModuleList([BatchNorm(channels)] if normalised else [])
        self.first, self.second = nn.Linear(channels * -(-rows // 2), hidden), nn.Linear(hidden, outputs)
        self.rate = rate

    def forward(self, code: Tensor, valid: Tensor, batch: Batch, name: str) -> Tensor:
        """Return B x K.

        Args:
            code: B x C x T' x D', zero where not valid.
            valid: B x T' bool.
            batch: gives dropout its random numbers.
            name: of these numbers, unique in a step.
        """
        values = self.convolution(code)
        for normalisation in self.normalisation:
            values = normalisation(values, valid)
        values = F.relu(values)
        if not bool(valid.all()):
            values = torch.where(valid[:, None, :, None], values, 0.0)
        values = values.amax(dim=2)
        values = F.max_pool1d(values, 2, ceil_mode=True) if values.shape[2] > 1 else values
        values = F.relu(self.first(values.flatten(1)))
        logits: Tensor = self.second(dropout(values, batch, name, self.rate, training=self.training))
        return logits


def over_time(code: Tensor, valid: Tensor) -> Tensor:
    """The mean over valid times of every channel and row: B x C x T' x D' and B x T' bool to B x (C x D')."""
    return mean(code.transpose(1, 2).flatten(2), valid)
