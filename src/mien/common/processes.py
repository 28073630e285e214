"""The processes of one training, as `torchrun` starts them, and sums over them; a single process needs none of it.

Every process must make the same calls in the same order, also with nothing of its own to add.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from mien.errors import ConfigError


def device(name: str) -> torch.device:
    """The device of a name: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:N"; ConfigError for any other."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    kind, _, number = name.partition(":")
    if kind not in {"cpu", "cuda"} or (number and not number.isdecimal()):
        raise ConfigError(f"--device {name}: not a device; write auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(f"--device {name}: this machine has {torch.cuda.device_count()} GPUs that torch can use")
    return torch.device(name)


def use_threads(number: int) -> None:
    """Let torch compute on so many threads; ConfigError for less than one."""
    if number < 1:
        raise ConfigError(f"--threads {number}: at least 1")
    torch.set_num_threads(number)


def count() -> int:
    """How many processes train together and share each batch."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process; 0 writes the files."""
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def add_up(tensor: Tensor) -> None:
    """Replace a tensor by its sum over all processes, in place."""
    if count() > 1:
        distributed.all_reduce(tensor)


def agree(tensor: Tensor) -> None:
    """Replace a tensor by that of process 0, in place, so that all take the same decision."""
    if count() > 1:
        distributed.broadcast(tensor, src=0)


def wait() -> None:
    """Return when every process has come here."""
    if count() > 1:
        distributed.barrier()


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the processes that `torchrun` started, and leave them at the end; does nothing without `torchrun`."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # tensors of the CPU travel by gloo also where gradients travel by nccl; others wait while one extracts features
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(days=1))
    try:
        yield
        distributed.barrier()  # without it gloo aborts now and then, when one process is gone before the other is done
    finally:
        distributed.destroy_process_group()


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient; with one process the tensor itself, detached."""
    value = value.detach()
    if count() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value


def differentiable_total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; its gradient is the sum of what all processes send back.

    Where each process has its share of a loss, every entry so gets the gradient of the whole loss.
    """
    if count() == 1:
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
    if count() == 1 and len(rows) == size and bool((rows == torch.arange(size, device=rows.device)).all()):
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
