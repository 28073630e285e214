"""The processes of one training run, as `torchrun` starts them, and sums over them; no-ops with a single process.

Every process must make the same calls in the same order, even if it has nothing to add.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from mien.errors import ConfigError, TrainingError


def device(name: str) -> torch.device:
    """The device of a name: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N"; ConfigError otherwise."""
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
    """Set the number of threads of torch; ConfigError below 1."""
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
    """Replace a tensor by that of process 0, in place, so that all processes decide alike."""
    if count() > 1:
        distributed.broadcast(tensor, src=0)


def wait() -> None:
    """Wait until all processes have made this call."""
    if count() > 1:
        distributed.barrier()


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the processes that `torchrun` started, and leave them at the end; does nothing without `torchrun`.

    Raises:
        TrainingError: another process has ended before its work was done.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # CPU tensors need gloo even where gradients use nccl; the long timeout: others wait while one extracts features
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(days=1))
    try:
        yield
        distributed.barrier()  # without it gloo sometimes aborts, if one process ends before the other is done
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or "/gloo/" in str(error)):
            raise
        raise TrainingError(
            "another process of this training has ended; run the same command again to resume, with as many processes "
            "or with another number"
        ) from error
    finally:
        distributed.destroy_process_group()


def first_to_say() -> bool:
    """Whether no other process that `torchrun` started has asked this before; of an error, one sentence is enough."""
    try:
        place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            place, port, is_master=False, timeout=timedelta(seconds=2)
        )
        return int(store.add(f"said {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", 1)) == 1
    except (KeyError, ValueError, RuntimeError):  # who keeps what they share has ended
        return True


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient; with a single process the tensor itself, detached."""
    value = value.detach()
    if count() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value


def differentiable_total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; its gradient is the sum of the gradients of all processes.

    If each process holds a share of a loss, every entry thus gets the gradient of the whole loss.
    """
    if count() == 1:
        return value
    summed: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return summed


def gathered(values: Tensor, rows: Tensor, size: int) -> Tensor:
    """The rows of all processes in one tensor, `size` x ..., with gradient.

    Args:
        values: B x ..., the rows of this process.
        rows: B int64, their indices in the result.
        size: the number of rows of all processes.
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
