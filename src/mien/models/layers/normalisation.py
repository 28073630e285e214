"""Batch normalisation (Ioffe and Szegedy 2015) over the valid entries of the global batch, moved by `minimise` alone.

torch's own moves its running statistics in every forward pass, also without gradient, counts padding, and differs
between one process and two. Here the statistics of a forward pass wait until `commit`.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.common import processes


class Pending(ABC):
    """A module that keeps what it learns outside of gradients, such as running statistics, until it is committed.

    `minimise` commits the modules that it is given, after a step that moved something. So neither the parameters nor
    the statistics of other modules can move.
    """

    @abstractmethod
    def commit(self) -> None:
        """Take over the statistics of the last forward pass with gradient; do nothing where none wait."""


class BatchNorm(nn.Module, Pending):
    """Normalise each channel by the mean and variance of its valid entries on all processes, then scale and shift.

    In training these are the batch's own (biased variance), in evaluation the running ones (unbiased, as in torch).
    Only a forward pass in training with gradient leaves statistics to `commit`, in the place of what an earlier one
    left; without gradient, or in evaluation, nothing changes. What waits is in no state dict and in no copy.

    Every process must call it equally often, also with no entry of its own: in training there are two sums over
    processes in each forward pass, and two in its backward pass.

    Args:
        channels: C.
        momentum: the share of the new statistics in the running ones at each `commit`.
        epsilon: added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self._waiting: tuple[Tensor, Tensor, float | Tensor] | None = None  # mean, unbiased variance, momentum

    def forward(self, values: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the normalised values.

        Args:
            values: N x C x ..., any float dtype; computed in float32 or wider. Any N, also 0.
            valid: bool, the shape of the leading axes of N x ... (without C): N, or N x T, and so on; None: all are.

        Returns:
            The shape and dtype of `values`; zeros where not valid, whatever stood there.
        """
        if valid is None or bool(valid.all()):
            return self._normalised(values)
        last = values.movedim(1, values.ndim - 1)
        entries = last.reshape(valid.numel(), -1, values.shape[1])
        chosen = valid.reshape(-1).nonzero()[:, 0]
        packed = entries.index_select(0, chosen)
        packed = self._normalised(packed.flatten(0, 1)).view_as(packed)
        return torch.zeros_like(entries).index_copy(0, chosen, packed).view(last.shape).movedim(last.ndim - 1, 1)

    def commit(self) -> None:
        """Move the running statistics by those of the last forward pass in training with gradient."""
        if self._waiting is None:
            return
        mean, variance, momentum = self._waiting
        with torch.no_grad():
            for running, measured in ((self.running_mean, mean), (self.running_var, variance)):
                running.lerp_(measured.to(running), momentum if isinstance(momentum, float) else momentum.to(running))
        self._waiting = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_waiting": None}

    def extra_repr(self) -> str:
        """What torch prints of it."""
        return f"{len(self.weight)}, momentum={self.momentum}, epsilon={self.epsilon}"

    def _normalised(self, values: Tensor) -> Tensor:
        """All entries of N x C x ... are valid here."""
        if not self.training:
            mean, variance = self.running_mean, self.running_var
            return F.batch_norm(values, mean, variance, self.weight, self.bias, False, 0.0, self.epsilon)
        count = values.numel() // len(self.weight)
        if processes.count() > 1 or count < 2:  # torch refuses a batch of one entry
            return self._over_processes(values, count)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        # with a momentum of 1 torch leaves the batch's own statistics, which its fused kernel has measured anyway
        result = F.batch_norm(values, mean, variance, self.weight, self.bias, True, 1.0, self.epsilon)
        if torch.is_grad_enabled():
            self._waiting = (mean, variance, self.momentum)
        return result

    def _over_processes(self, values: Tensor, entries: int) -> Tensor:
        wide = values if values.dtype == torch.float64 else values.float()
        axes = [axis for axis in range(wide.dim()) if axis != 1]
        shape = [1, -1] + [1] * (wide.dim() - 2)
        sums = processes.differentiable_total(torch.cat([wide.sum(axes), wide.new_full((1,), entries)]))
        counted = sums[-1].detach()
        count = counted.clamp(min=1)
        mean = sums[:-1] / count
        deviation = wide - mean.view(shape)
        squares = processes.differentiable_total(deviation.square().sum(axes))
        scale = self.weight * (squares / count + self.epsilon).rsqrt()
        if torch.is_grad_enabled():
            # without an entry on any process nothing moves, and nothing is copied to the host
            some = (counted > 0).to(wide.dtype)
            self._waiting = (mean.detach(), squares.detach() / (count - 1).clamp(min=1), self.momentum * some)
        result: Tensor = deviation * scale.view(shape) + self.bias.view(shape)
        return result.to(values.dtype)
