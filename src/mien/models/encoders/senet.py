"""SE-ResNet-50 for face crops: the teacher of Albanie et al. 2018 (section 3.1), as VGGFace2 released it.

The blocks are the bottlenecks of He et al. 2016 with the gates of Hu et al. 2018. The release (Cao et al. 2018) has the
stride of a stage in the first convolution of its first block, and pools without padding; windows at the far edge reach
beyond the map.

    3 x S x S                                   channels        blocks   size at S = 224
    convolution 7 x 7, stride 2                 64                       112 x 112
    maximum over 3 x 3, stride 2                64                       56 x 56
    conv2: 1 x 1, 3 x 3, 1 x 1                  64, 64, 256     3        56 x 56
    conv3: the same, stride 2                   128, 128, 512   4        28 x 28
    conv4: the same, stride 2                   256, 256, 1024  6        14 x 14
    conv5: the same, stride 2                   512, 512, 2048  3        7 x 7
    mean over height, width                     2048
    mean over valid frames                      2048

Batch normalisation follows each of these convolutions, and a rectifier each but the last of a block. A gate scales the
last, before the block's input is added; the first block of a stage has a convolution of 1 x 1 on the way past.

Pixels are 0 to 255 with a mean subtracted. Grey crops stand in all three channels. The release's own script for its
PyTorch models (ox-vgg/vgg_face2, standard_evaluation) reads RGB; its readme prints the mean in the order BGR, which
conversions of the Caffe models read.
"""

import re
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.data.batch import Batch, Modality
from mien.errors import ConfigError
from mien.models.encoders._inputs import channels_last, pooled, read
from mien.models.encoders._pretrained import Pretrained, put
from mien.models.layers.convolutions import Convolution, SqueezeExcitation
from mien.models.layers.pooling import mean

SOURCE = "SE-ResNet-50 (Hu et al. 2018) as in VGGFace2 (Cao et al. 2018): the teacher of Albanie et al. 2018"
READS = "square crops of 1 or 3 channels (video)"
RETURNS = "vector"
WIDER = 4  # a block's outputs over the channels of its first convolution

Size = Annotated[int, Field(ge=1)]
Value = Annotated[float, Field(ge=0, le=255)]


class Config(Pretrained):
    """Settings of the network.

    Attributes:
        layers: blocks of each stage, first to last.
        channels: of the first convolutions of a stage's blocks, whose outputs have four times as many; the convolution
            before all stages has those of the first.
        reduction: of the gates: they go through 1 / `reduction` of the channels.
        size: side of the images that the network reads, in px: crops are resized to it bilinearly; None keeps theirs.
        mean: red, green and blue, from 0 to 255, subtracted from every pixel.
        order: of the channels that the network reads, see the module.
        weights: a file with the names of VGGFace2's release in PyTorch, see `Pretrained`.
        sha256: of that file.
    """

    layers: tuple[Size, ...] = Field((3, 4, 6, 3), min_length=1)
    channels: tuple[Size, ...] = Field((64, 128, 256, 512), min_length=1)
    reduction: Size = 16
    size: Size | None = 224
    mean: tuple[Value, Value, Value] = (131.0912, 103.8827, 91.4953)
    order: Literal["rgb", "bgr"] = "rgb"

    @model_validator(mode="after")
    def _paired(self) -> "Config":
        if len(self.layers) != len(self.channels):
            raise ValueError(
                f"'layers' has {len(self.layers)} stages and 'channels' {len(self.channels)}; give as many"
            )
        return self


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return modality == "video" and len(shape) == 3 and shape[0] in {1, 3} and shape[1] == shape[2] > 0


class Block(nn.Module):
    """A bottleneck with a gate: N x C x H x W to N x 4C' x H' x W', where H' is H over the stride, rounded up."""

    def __init__(self, inputs: int, channels: int, *, stride: int, first: bool, reduction: int) -> None:
        super().__init__()
        outputs = WIDER * channels
        self.reduce = Convolution(inputs, channels, kernel=1, stride=stride)
        self.middle = Convolution(channels, channels)
        self.increase = Convolution(channels, outputs, kernel=1)
        self.gate = SqueezeExcitation(outputs, reduction)
        self.projection = Convolution(inputs, outputs, kernel=1, stride=stride) if first else None

    def forward(self, values: Tensor) -> Tensor:
        """Return the outputs, not negative."""
        past = values if self.projection is None else self.projection(values)
        inner = F.relu(self.middle(F.relu(self.reduce(values), inplace=True)), inplace=True)
        return F.relu(self.gate(self.increase(inner)) + past)

    @property
    def named(self) -> dict[str, Convolution]:
        """The convolutions under their names in the release."""
        named = {"1x1_reduce": self.reduce, "3x3": self.middle, "1x1_increase": self.increase}
        return named if self.projection is None else named | {"1x1_proj": self.projection}


class Encoder(nn.Module):
    """B x T x C x S x S to B x `dimension`."""

    mean: Tensor

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.modality, self.shape = modality, shape
        self.size, self.flipped = config.size, config.order == "bgr"
        self.register_buffer("mean", torch.tensor(config.mean)[:, None, None], persistent=False)  # a setting
        self.stem = Convolution(3, config.channels[0], kernel=7, stride=2)
        self.stages, inputs = nn.ModuleList(), config.channels[0]
        for number, (blocks, channels) in enumerate(zip(config.layers, config.channels, strict=True)):
            stage = nn.Sequential()
            for place in range(blocks):
                stride = 2 if number and not place else 1
                stage.append(Block(inputs, channels, stride=stride, first=not place, reduction=config.reduction))
                inputs = WIDER * channels
            self.stages.append(stage)
        self.dimension = inputs

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`; zeros for a clip without a valid frame."""
        values, valid = read(batch, self.modality, self.shape)
        maps = pool(F.relu(self.stem(self.pixels(values[valid])), inplace=True))
        for stage in self.stages:
            maps = stage(maps)
        return pooled(maps.mean(dim=(2, 3)), valid, mean)

    def pixels(self, images: Tensor) -> Tensor:
        """Images N x C x S x S from -1 to 1 as the network reads them: N x 3 x `size` x `size`, the mean subtracted.

        Computed in float32 or wider, which resizing needs; returned in the wider of the types of images and mean.
        """
        returned = torch.promote_types(images.dtype, self.mean.dtype)
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        if self.size is not None and images.shape[-1] != self.size:
            # where a crop is made smaller, every pixel of it counts, as in the release's script
            smaller = images.shape[-1] > self.size
            images = F.interpolate(images, size=(self.size, self.size), mode="bilinear", antialias=bool(smaller))
        coloured = (127.5 * (images + 1) - self.mean).to(returned)
        return channels_last(coloured.flip(1) if self.flipped else coloured)

    @property
    def released(self) -> dict[str, Tensor]:
        """The parameters and statistics under the names of the release."""
        layers: dict[str, nn.Module] = {
            "conv1_7x7_s2": self.stem.convolution,
            "conv1_7x7_s2_bn": self.stem.normalisation,
        }
        for number, stage in enumerate(self.stages, 2):
            for place, block in enumerate(stage.children(), 1):
                assert isinstance(block, Block)
                head = f"conv{number}_{place}"
                for name, layer in block.named.items():
                    layers |= {f"{head}_{name}": layer.convolution, f"{head}_{name}_bn": layer.normalisation}
                layers |= {f"{head}_1x1_down": block.gate.down, f"{head}_1x1_up": block.gate.up}
        return {f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}


def pool(maps: Tensor) -> Tensor:
    """The maximum over windows of 3 x 3 with stride 2, N x C x H x W, H to H / 2 rounded down, but at least 1."""
    return F.max_pool2d(maps, 3, 2, ceil_mode=True) if maps.shape[-1] > 1 else maps


def begin(encoder: Encoder, config: Config) -> None:
    """Put the weights of the file that the settings name into an encoder; classifiers in the file are left out.

    Raises:
        ConfigError: the file is missing, another one, or not of this network.
    """
    own, given = encoder.released, config.tensors()
    put(own, given, str(config.weights))
    strange = [name for name in given if re.match(r"conv\d", name) and name not in own]
    if more := [name for name in strange if not name.endswith(".num_batches_tracked")]:
        raise ConfigError(
            f"weights: {config.weights}: '{sorted(more)[0]}' is of a layer that the encoder does not have; give a file "
            "for this network, or change the encoder's settings to those of the file"
        )
