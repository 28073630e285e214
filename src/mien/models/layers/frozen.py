"""Modules that never train, such as a teacher: in no optimiser, and in checkpoints by their hash only."""

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Frozen(nn.Module):
    """A module in evaluation mode, without gradient, whatever mode the recipe is in.

    A checkpoint holds the SHA-256 of its parameters and buffers, not their values: loading one that was written with
    another module raises RuntimeError, as torch does of any mismatch.

    Args:
        module: already holding its weights; it is not copied.
    """

    module: nn.Module
    fingerprint: Tensor

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__["module"] = module.requires_grad_(False).eval()  # no child: not in state, mode or parameters
        self.register_buffer("fingerprint", fingerprint(module))

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in evaluation mode."""
        return self

    @torch.no_grad()
    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Call the module without gradient."""
        return self.module(*inputs, **named)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Frozen":
        self.module._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, local: Any, strict: bool, missing: Any, unexpected: Any,
        errors: list[str],
    ) -> None:  # fmt: skip
        key = f"{prefix}fingerprint"
        if key in state_dict and not torch.equal(state_dict[key].cpu(), self.fingerprint.cpu()):
            errors.append(f"{prefix.rstrip('.')}: the checkpoint was written with another frozen module")
        super()._load_from_state_dict(state_dict, prefix, local, strict, missing, unexpected, errors)


class Absent(nn.Module):
    """What stands for a `Frozen` module where nobody asks it, as after training: its fingerprint alone."""

    fingerprint: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fingerprint", torch.zeros(32, dtype=torch.uint8))


def fingerprint(module: nn.Module) -> Tensor:
    """The SHA-256 of a module's parameters and buffers, by name, shape, type and bytes: 32 uint8."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}/{tuple(value.shape)}/{value.dtype};".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8).clone()
