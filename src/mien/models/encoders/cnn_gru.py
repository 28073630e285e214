"""The encoder of Li et al. 2020 (Table 1, ENC): convolutions over time, a recurrent layer, statistical pooling.

Input is one modality as vectors over time, B x T x D (audio of 43 dimensions in the paper); output B x 96. With 43
dimensions it has 26,339 parameters.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import read
from mien.models.layers.pooling import mean_std_max

SOURCE = "Li et al. 2020, Table 1 (ENC); vectors over time, 26,339 parameters"
READS = "vectors over time"
RETURNS = "vector"

Size = Annotated[int, Field(ge=1)]


class Config(Settings):
    """Sizes as in the paper. Kernels and strides are in frames."""

    channels: Size = 32
    kernels: tuple[Size, Size] = (10, 5)
    strides: tuple[Size, Size] = (2, 2)


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return len(shape) == 1 and shape[0] > 0


class Encoder(nn.Module):
    """Conv1d, PReLU, Conv1d, PReLU, GRU, Linear, PReLU, then mean, standard deviation and maximum over time."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.modality, self.shape = modality, shape
        size = config.channels
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs, size, kernel, stride)
            for inputs, kernel, stride in zip((*shape, size), config.kernels, config.strides, strict=True)
        )
        self.activations = nn.ModuleList(nn.PReLU() for _ in config.kernels)
        self.recurrent = nn.GRU(size, size, batch_first=True)
        self.linear = nn.Linear(size, size)
        self.activation = nn.PReLU()
        self.dimension = 3 * size
        self.receptive_field = config.kernels[0] + (config.kernels[1] - 1) * config.strides[0]

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`."""
        values, valid = read(batch, self.modality, self.shape)
        if len(values) == 0:
            return values.new_zeros(0, self.dimension)
        shortfall = max(0, self.receptive_field - values.shape[1])
        values = F.pad(torch.where(valid[:, :, None], values, 0.0), (0, 0, 0, shortfall)).transpose(1, 2)
        values = values.contiguous()  # the first convolution is twice as fast so, and the same bit for bit
        valid = self._fill(F.pad(valid, (0, shortfall)))
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            values = activation(convolution(values))
            valid = _whole_windows(valid, convolution)
        hidden, _ = self.recurrent(values.transpose(1, 2))
        return mean_std_max(self.activation(self.linear(hidden)), valid)

    def _fill(self, valid: Tensor) -> Tensor:
        """Let a clip shorter than the receptive field count as one window, silent where it has no frames."""
        whole = valid
        for convolution in self.convolutions:
            whole = _whole_windows(whole, convolution)
        short = valid.any(dim=1) & ~whole.any(dim=1)
        first = torch.arange(valid.shape[1], device=valid.device) < self.receptive_field
        return valid | (short[:, None] & first)


def _whole_windows(valid: Tensor, convolution: nn.Module) -> Tensor:
    """Which outputs of a convolution saw valid frames only: B x T bool to B x T' bool."""
    assert isinstance(convolution, nn.Conv1d)
    invalid = (~valid)[:, None].float()
    return F.max_pool1d(invalid, convolution.kernel_size[0], convolution.stride[0])[:, 0] == 0
