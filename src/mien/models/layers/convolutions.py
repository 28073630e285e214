"""Convolutions with batch normalisation, and squeeze-and-excitation (Hu et al. 2018): N x C x H x W in and out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mien.models.layers.normalisation import BatchNorm


class Convolution(nn.Module):
    """A convolution without bias, padded by half its kernel, then batch normalisation; no rectifier.

    Args:
        inputs: C.
        outputs: C'.
        kernel: its side, odd.
        stride: H x W become H x W over it, rounded up.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.normalisation = BatchNorm(outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Return N x C' x H' x W'.

        In evaluation without gradient the normalisation is folded into the convolution, which saves a quarter of the
        time; the result is the same up to rounding.
        """
        one, other = self.convolution, self.normalisation
        if self.training or torch.is_grad_enabled():
            normalised: Tensor = other(one(values))
            return normalised
        statistics = (other.running_mean, other.running_var, other.epsilon, other.weight, other.bias)
        weight, bias = fuse_conv_bn_weights(one.weight, None, *statistics)
        return F.conv2d(values, weight, bias, one.stride, one.padding)


class SqueezeExcitation(nn.Module):
    """Each channel times a gate, from 0 to 1, that follows from the means of all channels (Hu et al. 2018, 3.1-3.2).

    Args:
        channels: C.
        reduction: the gate goes through C / `reduction` channels, one at least.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.down, self.up = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return the shape of `values`."""
        gates: Tensor = self.up(F.relu(self.down(values.mean(dim=(2, 3), keepdim=True)))).sigmoid()
        return values * gates
