"""VGG-M for spectrograms of any length, with batch normalisation (Albanie et al. 2018, section 5.1 and Table 4).

The network of VGGVox whose first fully connected layer spans all rows of one time, so that a mean over time follows it.
With the defaults, rows x times of a part of 4 s:

    1 x 512 x 400                 channels   stride   rows x times   parameters
    convolution 7 x 7             96         2 x 2    254 x 198      4,800
    max-pooling 3 x 3                        2 x 2    126 x 98
    convolution 5 x 5             256        2 x 2    62 x 48        614,656
    max-pooling 3 x 3                        2 x 2    30 x 23
    convolution 3 x 3             256        1 x 1    30 x 23        590,080
    convolution 3 x 3             256        1 x 1    30 x 23        590,080
    convolution 3 x 3             256        1 x 1    30 x 23        590,080
    max-pooling 5 x 3                        3 x 2    9 x 11
    fc6, convolution 9 x 1        4096       1 x 1    1 x 11         9,441,280
    mean over valid times                             1 x 1
    fc7                           1024                1 x 1          4,195,328

Not in the paper, or not as printed (`assumed`): every convolution is padded by 1, without which the first one does not
give 254 x 198; a pooling has no padding and leaves out what it does not fill, so that 99, 49, 24 times of the table are
98, 48 and 23 here and its 11 come out; batch normalisation follows fc6 and fc7 too, which are convolutions in the
authors' library; biases are kept before it, as the numbers of parameters have them; weights are of a normal
distribution of deviation .01 and biases zero. The rectifier follows the normalisation.

A clip alone and in a padded batch gives the same vector: a layer's output counts for as many times as the clip alone
would have, one at least. Fewer than 97 rows or 65 frames are filled up with zeros. The support of fc6 is as many rows
as are left.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import channels_last, read
from mien.models.layers.normalisation import BatchNorm
from mien.models.layers.pooling import mean

SOURCE = "Albanie et al. 2018, section 5.1: VGG-M, a mean over time"
READS = "frames of a spectrogram (audio)"
RETURNS = "vector"

Size = Annotated[int, Field(ge=1)]
Pair = tuple[int, int]  # times x rows, as the maps are kept


class Config(Settings):
    """Settings of the encoder.

    Attributes:
        channels: of the five convolutions. Albanie et al.: 96 and four times 256.
        fc6: values of each time before the mean. Albanie et al.: 4096.
        dimension: values of fc7. Albanie et al.: 1024.
        deviation: standard deviation of the first weights.
    """

    channels: tuple[Size, Size, Size, Size, Size] = (96, 256, 256, 256, 256)
    fc6: Size = 4096
    dimension: Size = 1024
    deviation: float = Field(0.01, gt=0)


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return modality == "audio" and len(shape) == 1 and shape[0] > 0


class Block(nn.Module):
    """Convolution, batch normalisation over valid times, rectifier and, where there is one, max-pooling."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, pool: Pair | None, pool_stride: Pair = (1, 1)
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, 1)
        self.normalisation = BatchNorm(outputs)
        self.kernel, self.stride, self.pool, self.pool_stride = kernel, stride, pool, pool_stride

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return B x C' x T' x D', zero after a clip's end, and the times of each clip, B int64.

        Args:
            values: B x C x T x D, zero after a clip's end.
            lengths: B int64, 0 for a clip without a valid frame.
        """
        values = self.convolution(values)
        lengths = _shorter(lengths, self.kernel - 2, self.stride)
        values = F.relu(self.normalisation(values, _before(lengths, values.shape[2])))
        if self.pool is not None:
            values = F.max_pool2d(values, self.pool, self.pool_stride)
            lengths = _shorter(lengths, self.pool[0], self.pool_stride[0])
            before = _before(lengths, values.shape[2])
            values = values if bool(before.all()) else torch.where(before[:, None, :, None], values, 0.0)
        return values, lengths

    def rows(self, rows: int) -> int:
        """D' of a number of rows D."""
        rows = (rows + 2 - self.kernel) // self.stride + 1
        return rows if self.pool is None else (rows - self.pool[1]) // self.pool_stride[1] + 1


class Encoder(nn.Module):
    """B x T x D to B x `dimension`."""

    FEWEST = 65, 97  # frames and rows of which every layer leaves one

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config, self.modality, self.shape = config, modality, shape
        self.dimension = config.dimension
        one, two, three, four, five = config.channels
        self.blocks = nn.ModuleList(
            [
                Block(1, one, 7, 2, (3, 3), (2, 2)),
                Block(one, two, 5, 2, (3, 3), (2, 2)),
                Block(two, three, 3, 1, None),
                Block(three, four, 3, 1, None),
                Block(four, five, 3, 1, (3, 5), (2, 3)),
            ]
        )
        rows = max(shape[0], self.FEWEST[1])
        for block in self.blocks:
            rows = block.rows(rows)  # type: ignore[operator]
        self.fc6 = nn.Conv2d(five, config.fc6, (1, rows))
        self.fc7 = nn.Linear(config.fc6, config.dimension)
        self.normalisation6, self.normalisation7 = BatchNorm(config.fc6), BatchNorm(config.dimension)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=config.deviation)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> Tensor:
        """Return the rectified values of fc7, B x `dimension`; of a clip without a valid frame those of zeros."""
        values, valid = read(batch, self.modality, self.shape)
        if not bool(valid.all()):
            values = torch.where(valid[:, :, None], values, 0.0)
        frames = torch.arange(1, valid.shape[1] + 1, device=valid.device)
        lengths = torch.where(valid, frames, 0).amax(dim=1)
        lacking = [max(0, least - size) for least, size in zip(self.FEWEST, values.shape[1:], strict=True)]
        if any(lacking):
            values = F.pad(values, (0, lacking[1], 0, lacking[0]))
        maps = channels_last(values[:, None])
        for block in self.blocks:
            maps, lengths = block(maps, lengths)
        times = _before(lengths, maps.shape[2])
        each = F.relu(self.normalisation6(self.fc6(maps)[..., 0], times))
        vectors = mean(each.transpose(1, 2), times).to(each.dtype)
        result: Tensor = F.relu(self.normalisation7(self.fc7(vectors), lengths > 0))
        return result


def _shorter(lengths: Tensor, kernel: int, stride: int) -> Tensor:
    """The times of clips after a window was moved over them, one at least; 0 stays 0."""
    outputs = (torch.div(lengths - kernel, stride, rounding_mode="floor") + 1).clamp(min=1)
    return torch.where(lengths > 0, outputs, 0)


def _before(lengths: Tensor, times: int) -> Tensor:
    """Which of some times are before a clip's end, B x T bool."""
    return torch.arange(times, device=lengths.device) < lengths[:, None]
