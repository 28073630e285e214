"""A small convolutional encoder that keeps time and frequency, and the decoder that undoes it (Rana et al. 2019).

Section IV-C: three times convolution, batch normalisation, rectifier, max-pooling; the code has 16 x 16 x 32 values for
a spectrogram of 256 frames x 128 rows. Kernels, channels but the last, and how the poolings share the factors 16 (time)
and 8 (frequency) are not in the paper: `assumed`. With the defaults, for T frames of D values::

    1 x T x D                    channels   pool       at 256 x 128       parameters
    convolution 3 x 3            16         4 x 2      16 x 64 x 64       176
    convolution 3 x 3            32         2 x 2      32 x 32 x 32       4,672
    convolution 3 x 3            32         2 x 2      32 x 16 x 16       9,280
                                                                          14,128

A convolution has no bias: batch normalisation follows. It pools before the rectifier, which gives the same values (both
are monotone) at a fraction of the work. T and D are filled with zeros up to multiples of the poolings.

The decoder has the same blocks in the opposite order, with transposed convolutions whose stride is the pooling; a
kernel reaches over half a stride at both sides, the last one has a bias and neither normalisation nor rectifier::

    transposed convolution       32         2 x 2      32 x 32 x 32       16,448
    transposed convolution       16         2 x 2      16 x 64 x 64       8,224
    transposed convolution       1          4 x 2      1 x 256 x 128      513
                                                                          25,185
"""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import MapEncoder, channels_last, read
from mien.models.layers.normalisation import BatchNorm

SOURCE = "Rana et al. 2019, section IV-C: three convolutions with pooling; a decoder belongs to it"
READS = "frames of a spectrogram (audio)"
RETURNS = "map"

Size = Annotated[int, Field(ge=1)]
Pool = Annotated[int, Field(ge=1, le=8)]


class Config(Settings):
    """Settings of the encoder and its decoder.

    Attributes:
        channels: of each convolution. Rana et al.: three, the last of 32.
        pool: of each, time x frequency.
        kernel: side of every convolution, odd.
    """

    channels: tuple[Size, ...] = Field((16, 32, 32), min_length=1)
    pool: tuple[tuple[Pool, Pool], ...] = Field(((4, 2), (2, 2), (2, 2)), min_length=1)
    kernel: Size = 3

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("a kernel has an odd size, so that every output has a centre")
        return kernel

    @model_validator(mode="after")
    def _as_many(self) -> "Config":
        if len(self.channels) != len(self.pool):
            raise ValueError(
                f"'channels' has {len(self.channels)} convolutions and 'pool' {len(self.pool)}; give one pair for each"
            )
        return self


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return modality == "audio" and len(shape) == 1 and shape[0] > 0


class Block(nn.Module):
    """Convolution, batch normalisation over valid times, max-pooling, rectifier."""

    def __init__(self, inputs: int, outputs: int, pool: tuple[int, int], kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.normalisation = BatchNorm(outputs)
        self.pool = pool

    def forward(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return B x C' x T / p x D / q, zero where not valid, and which of its times hold a valid one.

        Args:
            values: B x C x T x D, zero where not valid; T and D are multiples of the pooling p x q.
            valid: B x T bool.
        """
        values = self.normalisation(self.convolution(values), valid)
        if self.pool != (1, 1):
            values = F.max_pool2d(values, self.pool)
        valid = valid.reshape(valid.shape[0], valid.shape[1] // self.pool[0], self.pool[0]).any(dim=2)
        return F.relu(values), valid


class Encoder(MapEncoder):
    """B x T x D to B x C x T' x D'."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config, self.modality, self.shape = config, modality, shape
        inputs = (1, *config.channels)
        self.blocks = nn.ModuleList(
            Block(one, two, pool, config.kernel)
            for one, two, pool in zip(inputs, config.channels, config.pool, strict=False)
        )
        self.factors = math.prod(pool[0] for pool in config.pool), math.prod(pool[1] for pool in config.pool)
        self.channels, self.rows = config.channels[-1], -(-shape[0] // self.factors[1])
        self.dimension = self.channels * self.rows

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the code, B x C x T' x D', zero where not valid, and B x T' bool: the times that hold a valid frame.

        T' is T over the poolings in time, rounded up.
        """
        values, valid = self.frames(batch)
        if not bool(valid.all()):
            values = torch.where(valid[:, :, None], values, 0.0)
        more = -values.shape[1] % self.factors[0], -values.shape[2] % self.factors[1]
        if any(more):
            values, valid = F.pad(values, (0, more[1], 0, more[0])), F.pad(valid, (0, more[0]))
        values = channels_last(values[:, None])
        for block in self.blocks:
            values, valid = block(values, valid)
        return values, valid

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What it reads of a batch, B x T x D with T at least 1, and which frames are valid, B x T."""
        return read(batch, self.modality, self.shape)

    def shortened(self, convolutions: int) -> "Encoder":
        """A new encoder of the first convolutions alone."""
        config = self.config
        kept = {"channels": config.channels[:convolutions], "pool": config.pool[:convolutions]}
        return Encoder(config.model_copy(update=kept), self.modality, self.shape)

    def decoder(self) -> "Decoder":
        """A new decoder of this encoder's codes."""
        return Decoder(self.config, self.shape[0])


class Upward(nn.Module):
    """Transposed convolution and, but for the last one, batch normalisation over valid times and a rectifier."""

    def __init__(self, inputs: int, outputs: int, pool: tuple[int, int], *, last: bool) -> None:
        super().__init__()
        beside = max(1, pool[0] // 2), max(1, pool[1] // 2)
        kernel = pool[0] + 2 * beside[0], pool[1] + 2 * beside[1]
        self.convolution = nn.ConvTranspose2d(inputs, outputs, kernel, pool, beside, bias=last)
        self.normalisation = nn.ModuleList([] if last else [BatchNorm(outputs)])
        self.times = pool[0]

    def forward(self, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values, zero where not valid but for the last one's, and which times are valid."""
        values, valid = self.convolution(values), valid.repeat_interleave(self.times, dim=1)
        for normalisation in self.normalisation:
            values = F.relu(normalisation(values, valid))
        return values, valid


class Decoder(nn.Module):
    """B x C x T' x D' to B x T x D."""

    def __init__(self, config: Config, size: int) -> None:
        super().__init__()
        outputs = (1, *config.channels)
        places = range(len(config.channels) - 1, -1, -1)
        self.blocks = nn.ModuleList(
            Upward(config.channels[place], outputs[place], config.pool[place], last=place == 0) for place in places
        )
        self.size = size

    def forward(self, code: Tensor, valid: Tensor, frames: int) -> Tensor:
        """Return B x `frames` x D; the values of frames that are not valid have no meaning.

        Args:
            code: as the encoder returns it.
            valid: likewise.
            frames: T of what was encoded.
        """
        for block in self.blocks:
            code, valid = block(code, valid)
        return code[:, 0, :frames, : self.size]
