"""Encoders that begin with weights out of a file: its place and hash among their settings, its tensors checked.

Only safetensors is read: a pickle can run code. The hash stands in the resolved experiment, so that it is known later
what a model began with, and another file under the same path is refused.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from mien.common.files import sha256
from mien.common.settings import Settings
from mien.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"
KEYS = ("weights", "sha256")


class Pretrained(Settings):
    """Settings of an encoder that can begin with weights out of a file.

    The file is read where a training starts and is not needed afterwards.

    Attributes:
        weights: a .safetensors file. A relative path is taken from the working directory and made absolute. None begins
            with random weights.
        sha256: of that file, in hexadecimal; computed where it is not given.
    """

    weights: str | None = None
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")

    @field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str | None) -> str | None:
        if weights is not None and Path(weights).suffix != SUFFIX:
            raise ValueError(f"only {SUFFIX} files are read; convert it as docs/encoders.md says")
        return None if weights is None else str(Path(weights).absolute())

    @model_validator(mode="after")
    def _pinned(self) -> "Pretrained":
        if self.weights is None and self.sha256 is not None:
            raise ValueError("sha256 is of 'weights', which is not given; leave it out")
        if self.weights is not None and self.sha256 is None:
            try:
                found = sha256(Path(self.weights))
            except OSError as error:
                raise ValueError(_unreadable(self.weights, error)) from error
            object.__setattr__(self, "sha256", found)  # settings are frozen once they are read
        return self

    def tensors(self) -> "dict[str, Tensor]":
        """The tensors of the file by name; there must be one.

        Raises:
            ConfigError: the file is missing, is another one than `sha256` says, or is no safetensors file.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = str(self.weights)
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(_unreadable(path, error)) from error
        if (found := hashlib.sha256(content).hexdigest()) != self.sha256:
            raise ConfigError(
                f"weights: {path}: its SHA-256 is {found[:12]}... and sha256 is {str(self.sha256)[:12]}...; give the "
                "right file, or leave sha256 out to take this one"
            )
        try:
            return load(content)
        except SafetensorError as error:
            raise ConfigError(
                f"weights: {path}: not a safetensors file ({error}); convert it again as docs/encoders.md says"
            ) from error


def put(own: "Mapping[str, Tensor]", given: "Mapping[str, Tensor]", where: str) -> None:
    """Copy tensors over an encoder's own ones, in their dtype and on their device; all of them or none.

    Args:
        own: name in the file -> the encoder's parameter or statistic.
        given: the tensors of the file.
        where: the file, for errors.

    Raises:
        ConfigError: a tensor is missing or has another shape; names the file and the first such tensor.
    """
    import torch

    way = "give a file for this network, or change the encoder's settings to those of the file"
    for name, tensor in own.items():
        if name not in given:
            raise ConfigError(f"weights: {where}: has no tensor '{name}'; {way}")
        if given[name].shape != tensor.shape:
            shapes = [" x ".join(map(str, one.shape)) for one in (given[name], tensor)]
            raise ConfigError(f"weights: {where}: '{name}' is {shapes[0]}, and the encoder's is {shapes[1]}; {way}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])


def forgotten(encoder: Any) -> Any:
    """The settings of encoders, as plain values, without the files that they began with."""
    if not isinstance(encoder, dict):
        return encoder
    return {key: forgotten(value) for key, value in encoder.items() if key not in KEYS}


def _unreadable(path: str, error: OSError) -> str:
    why = error.strerror or str(error)
    return f"weights: {path}: {why[0].lower()}{why[1:]}; give a {SUFFIX} file, or null to begin with random weights"
