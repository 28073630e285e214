"""A small squeeze-and-excitation ResNet for face crops of 48 to 64 px: two blocks at each of three resolutions.

Not from a paper: the blocks are the basic ones of He et al. 2016 (two convolutions of 3 x 3) with the gates of Hu et
al. 2018, few enough to encode a face in about a millisecond on one core of a CPU.

    1 x S x S                              channels    size at S = 48
    convolution 3 x 3                      24          48 x 48
    2 blocks, the first with stride 2      48          24 x 24
    2 blocks, the first with stride 2      96          12 x 12
    2 blocks, the first with stride 2      128         6 x 6
    mean over height, width                128
    mean over valid frames                 128

Each image is first brought to mean 0 and standard deviation 1, as far as its contrast is above that of noise: so the
exposure of a film matters little. A block with stride averages its input over 2 x 2 pixels on the way past the
convolutions, where a convolution of 1 x 1 gives it the channels of the output.
"""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import channels_last, pooled, read
from mien.models.layers.convolutions import Convolution, SqueezeExcitation
from mien.models.layers.pooling import mean

SOURCE = "ours: basic blocks of He et al. 2016 with squeeze-and-excitation (Hu et al. 2018), for small crops of faces"
READS = "square crops of 1 or 3 channels (video)"
RETURNS = "vector"
NOISE = 0.1  # of values from -1 to 1: added to the standard deviation of an image, so that a blank one stays blank

Size = Annotated[int, Field(ge=1)]


class Config(Settings):
    """Settings of the network.

    Attributes:
        stem: channels of the first convolution, at the size of the crop.
        channels: of the two blocks at each resolution, first to last; the resolution is halved before each.
        reduction: of the gates: they go through 1 / `reduction` of the channels.
        standardise: whether each image is brought to mean 0 and standard deviation 1 first.
    """

    stem: Size = 24
    channels: tuple[Size, ...] = Field((48, 96, 128), min_length=1)
    reduction: Size = 8
    standardise: bool = True


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return modality == "video" and len(shape) == 3 and shape[0] in {1, 3} and shape[1] == shape[2] > 0


class Block(nn.Module):
    """Two convolutions and a gate, added to the input: N x C x H x W to N x C' x H' x W'."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, reduction: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(inputs, outputs, stride=stride), Convolution(outputs, outputs)
        self.gate = SqueezeExcitation(outputs, reduction)
        self.past = nn.ModuleList([Convolution(inputs, outputs, kernel=1)] if inputs != outputs or stride > 1 else [])
        self.stride = stride

    def forward(self, values: Tensor) -> Tensor:
        """Return the outputs, not negative."""
        past = F.avg_pool2d(values, self.stride, ceil_mode=True) if self.stride > 1 else values
        for convolution in self.past:
            past = convolution(past)
        return F.relu(self.gate(self.second(F.relu(self.first(values), inplace=True))) + past)


class Encoder(nn.Module):
    """B x T x C x S x S to B x `dimension`."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.modality, self.shape, self.standardise = modality, shape, config.standardise
        self.stem = Convolution(shape[0], config.stem)
        blocks, inputs = [], config.stem
        for size in config.channels:
            for stride in (2, 1):
                blocks.append(Block(inputs, size, stride=stride, reduction=config.reduction))
                inputs = size
        self.blocks = nn.Sequential(*blocks)
        self.dimension = inputs

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`; zeros for a clip without a valid frame."""
        values, valid = read(batch, self.modality, self.shape)
        images = values[valid]
        if self.standardise:
            images = standardised(images)
        maps = self.blocks(F.relu(self.stem(channels_last(images)), inplace=True))
        return pooled(maps.mean(dim=(2, 3)), valid, mean)


def standardised(images: Tensor) -> Tensor:
    """Images N x C x S x S with mean 0 and, where their contrast is well above `NOISE`, standard deviation 1."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + NOISE)
