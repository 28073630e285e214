"""The files of a training run: its unfinished state and its finished weights; no pickle is ever executed.

A state ends in the SHA-256 of what stands before it.
"""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mien.common.files import atomic, sha256
from mien.errors import RunError

DIGEST = 64  # bytes of a SHA-256 in hexadecimal


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state of an unfinished training run (tensors, numbers, strings, lists, dicts), atomically."""
    with atomic(path) as temporary:
        torch.save(state, temporary)
        digest = sha256(temporary)
        with temporary.open("ab") as file:
            file.write(digest.encode())


def load_state(path: Path) -> dict[str, Any] | None:
    """Read it again; None for a file that is not as it was written."""
    content = path.read_bytes()
    written, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(written).hexdigest().encode() != digest:
        return None
    state: dict[str, Any] = torch.load(BytesIO(written), map_location="cpu", weights_only=True)
    return state


def save_weights(path: Path, weights: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors by name as safetensors, atomically."""
    with atomic(path) as temporary:
        save_file({name: value.contiguous().cpu() for name, value in weights.items()}, temporary, metadata)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata again; raises RunError for a file that is missing or broken."""
    try:
        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return weights, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: no readable weights ({error}); train this model again") from error
