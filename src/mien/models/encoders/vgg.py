"""Convolutional trunks for face crops and for log-mel frames, VGG-M-like, with batch normalisation.

Peri et al. 2021 (section 3, Fig. 1) take them from Nagrani et al. 2020 and print no layers. The tables are those of
that work's public baseline (its filter bank model), with two departures that let any size of crop and any length of
clip in: every convolution is padded by half its kernel, and where the last convolution would cover what is left of the
image, the image is averaged and a linear layer follows. All of it is `assumed` in an experiment of Peri et al.

    video: C x S x S        kernel   stride   channels   pool     at S = 224
    1                       7 x 7    2        96         2        96 x 56 x 56
    2                       5 x 5    2        256        2        256 x 14 x 14
    3, 4                    3 x 3    1        256        -        256 x 14 x 14
    5                       3 x 3    1        256        2        256 x 7 x 7
    mean over height, width                                       256
    linear                                                        512
    pooling over valid frames                                     512

    audio: T x D            kernel   stride   channels   pool     at D = 40
    1                       7 x 5    1        96         2 x 1    96 x T/2 x 40
    2                       5 x 5    1 x 2    256        1 x 2    256 x T/2 x 10
    3                       3 x 3    1        384        -        384 x T/2 x 10
    4                       3 x 3    1        256        -        256 x T/2 x 10
    5                       3 x 3    1        256        2        256 x T/4 x 5
    mean over mel                                                 T/4 x 256
    linear                                                        T/4 x 512
    pooling over valid times                                      512

Convolutions and linear layers have no bias: batch normalisation, then a rectifier, come after each. `pool` is the
stride of a maximum over windows of 3, padded by 1, along the axes where it is not 1. Two numbers are height x width, or
time x mel; sizes are rounded up.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import channels_last, pooled, read
from mien.models.layers.normalisation import BatchNorm
from mien.models.layers.pooling import POOLINGS

SOURCE = "Peri et al. 2021, after Nagrani et al. 2020 (VGG-M-like); pixels or log-mel, sizes by setting"
READS = "square crops of 1 or 3 channels (video), or frames of log-mel (audio)"
RETURNS = "vector"

Size = Annotated[int, Field(ge=1)]
Stride = Annotated[int, Field(ge=1, le=3)]  # of windows of 3: a longer one would pass values by
Pair = Size | tuple[Size, Size]


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


class Block(Settings):
    """A convolution with batch normalisation and a rectifier, then pooling; a pair is height, width or time, mel.

    Attributes:
        channels: of the output.
        kernel: odd, so that an output has a centre.
        stride: of the convolution.
        pool: stride of the maximum over windows of 3; 1 pools nothing along that axis.
    """

    channels: Size
    kernel: Pair = 3
    stride: Pair = 1
    pool: Stride | tuple[Stride, Stride] = 1

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int | tuple[int, int]) -> int | tuple[int, int]:
        if any(size % 2 == 0 for size in _pair(kernel)):
            raise ValueError("a kernel has an odd size, so that every output has a centre")
        return kernel


VGG_M: dict[Modality, tuple[Block, ...]] = {
    "video": (
        Block(channels=96, kernel=7, stride=2, pool=2),
        Block(channels=256, kernel=5, stride=2, pool=2),
        Block(channels=256),
        Block(channels=256),
        Block(channels=256, pool=2),
    ),
    "audio": (
        Block(channels=96, kernel=(7, 5), pool=(2, 1)),
        Block(channels=256, kernel=5, stride=(1, 2), pool=(1, 2)),
        Block(channels=384),
        Block(channels=256),
        Block(channels=256, pool=2),
    ),
}


class Config(Settings):
    """Settings of a trunk.

    Attributes:
        blocks: the convolutions, first to last; without `blocks` and `channels` those of the table above.
        channels: short for blocks with kernels of 3 x 3 and strides of 2, one for each number, for small crops.
        dimension: size of the linear layer; None leaves it out.
        pooling: over valid frames: the mean, or the mean, the standard deviation and the maximum (thrice as large).
    """

    blocks: tuple[Block, ...] | None = Field(None, min_length=1)
    channels: tuple[Size, ...] | None = Field(None, min_length=1)
    dimension: Size | None = 512
    pooling: Literal["mean", "mean_std_max"] = "mean"

    @model_validator(mode="after")
    def _one(self) -> "Config":
        if self.blocks is not None and self.channels is not None:
            raise ValueError("'blocks' and 'channels' both define the convolutions; keep one of the two")
        return self

    def layers(self, modality: Modality) -> tuple[Block, ...]:
        """The convolutions of the trunk of a modality."""
        if self.channels is not None:
            return tuple(Block(channels=size, stride=2) for size in self.channels)
        return VGG_M[modality] if self.blocks is None else self.blocks


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    if modality == "audio":
        return len(shape) == 1 and shape[0] > 0
    return len(shape) == 3 and shape[0] in {1, 3} and shape[1] == shape[2] > 0


class Convolution(nn.Module):
    """One block: N x C x H x W to N x C' x H' x W', where H' is H over the strides, rounded up."""

    def __init__(self, inputs: int, block: Block) -> None:
        super().__init__()
        kernel = _pair(block.kernel)
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.convolution = nn.Conv2d(inputs, block.channels, kernel, _pair(block.stride), padding, bias=False)
        self.normalisation = BatchNorm(block.channels)
        self.pool = _pair(block.pool)

    def forward(self, values: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the outputs and which are valid.

        Args:
            values: N x C x H x W, zero where not valid, so that padding equals what the convolution pads by itself.
            valid: N x H bool; an output is valid where its centre is. None: all are.
        """
        values = self.convolution(values)
        if valid is not None:
            valid = valid[:, :: self.convolution.stride[0]]
        values = F.relu(self.normalisation(values, valid), inplace=True)  # zero where not valid, so no maximum
        if self.pool != (1, 1):
            window = [3 if stride > 1 else 1 for stride in self.pool]
            values = F.max_pool2d(values, window, self.pool, [size // 2 for size in window])
            if valid is not None:
                valid = valid[:, :: self.pool[0]]
                values = torch.where(valid[:, None, :, None], values, 0.0)  # a window may end beside its invalid centre
        return values, valid


class Encoder(nn.Module):
    """The trunk of one modality: B x T x D, or B x T x C x S x S, to B x `dimension`."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.modality, self.shape = modality, shape
        blocks = config.layers(modality)
        inputs = [shape[0] if modality == "video" else 1, *(block.channels for block in blocks)]
        self.convolutions = nn.ModuleList(Convolution(size, block) for size, block in zip(inputs, blocks, strict=False))
        size = inputs[-1] if config.dimension is None else config.dimension
        self.linear = nn.ModuleList()
        if config.dimension is not None:
            self.linear.extend([nn.Linear(inputs[-1], size, bias=False), BatchNorm(size), nn.ReLU()])
        self.pooling = POOLINGS[config.pooling]
        self.dimension = self.pooling.times * size

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`; zeros for a clip without a valid frame."""
        values, valid = read(batch, self.modality, self.shape)
        if self.modality == "video":
            values = self._convolved(values[valid])[0].mean(dim=(2, 3))
        else:
            values, times = self._convolved(torch.where(valid[:, :, None], values, 0.0)[:, None], valid)
            assert times is not None
            valid = times
            values = values.mean(dim=3).transpose(1, 2)[valid]
        for layer in self.linear:
            values = layer(values)
        return pooled(values, valid, self.pooling.pool)

    def _convolved(self, values: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        values = channels_last(values)
        for convolution in self.convolutions:
            values, valid = convolution(values, valid)
        return values, valid
