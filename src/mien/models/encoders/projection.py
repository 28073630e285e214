"""A convolution over time to another number of values (Goncalves and Busso 2022, 4.2): frames in, frames out.

The paper projects the vectors of faces from 4,096 to 130 values, so that they are as wide as those of the voice, which
are taken as they are (`kernel: null`). Its kernel is not given: 1, as in Tsai et al. 2019, is `assumed`; there is no
bias, so that a frame of zeros stays one. Pixels are flattened.

    4,096 -> 130, kernel 1       532,480 parameters
"""

import math
from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.errors import ConfigError
from mien.models.encoders._inputs import SequenceEncoder, read

SOURCE = "Goncalves and Busso 2022, section 4.2: a 1D convolution over time"
READS = "vectors over time, or square crops of 1 or 3 channels"
RETURNS = "sequence"


class Config(Settings):
    """Settings of the convolution.

    Attributes:
        dimension: values of a frame afterwards. Goncalves and Busso: 130.
        kernel: in frames, odd; None takes frames of `dimension` values as they are.
    """

    dimension: Annotated[int, Field(ge=1)] = 130
    kernel: int | None = Field(1, ge=1)

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int | None) -> int | None:
        if kernel is not None and kernel % 2 == 0:
            raise ValueError("a kernel has an odd size, so that every output has a centre")
        return kernel


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    vectors = len(shape) == 1 and shape[0] > 0
    return vectors or (modality == "video" and len(shape) == 3 and shape[0] in (1, 3) and shape[1] == shape[2] > 0)


class Encoder(SequenceEncoder):
    """B x T x D, or pixels, to B x T x `dimension`."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.modality, self.shape, self.dimension = modality, shape, config.dimension
        inputs = math.prod(shape)
        if config.kernel is None and inputs != config.dimension:
            raise ConfigError(
                f"encoder.{modality}: kernel: null takes frames as they are, which have {inputs} values here and not "
                f"dimension = {config.dimension}; give a kernel, or that dimension"
            )
        self.convolution = (
            None
            if config.kernel is None
            else nn.Conv1d(inputs, config.dimension, config.kernel, padding=config.kernel // 2, bias=False)
        )

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return B x T x `dimension`, zero where not valid, and B x T bool."""
        values, valid = read(batch, self.modality, self.shape)
        values = values.flatten(2)
        whole = bool(valid.all())
        if not whole:
            values = torch.where(valid[:, :, None], values, 0.0)
        if self.convolution is None:
            return values, valid
        if self.convolution.kernel_size == (1,):  # a product of matrices is faster, and the same
            values = values @ self.convolution.weight[:, :, 0].T
        elif len(values):
            values = self.convolution(values.transpose(1, 2)).transpose(1, 2)
        else:
            values = values.new_zeros(0, values.shape[1], self.dimension)
        return values if whole else torch.where(valid[:, :, None], values, 0.0), valid
