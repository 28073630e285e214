"""Sums over the processes of one training; with one process, the values themselves.

Every process must make the same calls in the same order, also with nothing of its own to add.
"""

import torch
from torch import Tensor, distributed


def processes() -> int:
    """How many processes share each batch."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient; with one process the tensor itself, detached."""
    value = value.detach()
    if processes() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value


def differentiable_total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; its gradient is the sum of what all processes send back.

    Where each process has its share of a loss, every entry so gets the gradient of the whole loss.
    """
    if processes() == 1:
        return value
    summed: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return summed


def gathered(values: Tensor, rows: Tensor, size: int) -> Tensor:
    """The rows of all processes, `size` x ..., where each holds `rows` (int64) of them; with gradient.

    Args:
        values: B x ..., those of this process.
        rows: B int64, their places.
        size: how many there are in all.
    """
    if processes() == 1 and len(rows) == size and bool((rows == torch.arange(size, device=rows.device)).all()):
        return values
    whole = values.new_zeros(size, *values.shape[1:]).index_copy(0, rows.to(values.device), values)
    return differentiable_total(whole)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, value: Tensor) -> Tensor:
        return total(value)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        return total(gradients[0].contiguous())
