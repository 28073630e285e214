"""The processes of one training, as `torchrun` starts them; a single process needs none of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from mien import collective
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
    """How many processes train together."""
    return collective.processes()


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
