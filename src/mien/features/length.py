"""How long a clip is made: cut, repeated, or left as it is; frames are T x D, lengths in seconds."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mien.settings import Settings


class Length(Settings):
    """How long a clip is made, in seconds; None keeps every clip as long as it is.

    Attributes:
        seconds: the target, at least .05: an encoder sees nothing in less.
        long: what is kept of a longer clip: its middle (Li et al. 2020, section 5), a random part in training (all of
            it in evaluation), or all of it.
        short: a shorter clip is repeated up to the target (cycle repeat, Li et al. 2020), or stays short and is padded.
    """

    seconds: float | None = Field(None, ge=0.05)
    long: Literal["middle", "random", "whole"] = "whole"
    short: Literal["repeat", "pad"] = "pad"

    def frames(self, length: int, hop: float) -> int:
        """How many frames a clip of `length` frames has afterwards; `hop` is the time between frames in seconds."""
        if self.seconds is None or length == 0:
            return length
        target = round(self.seconds / hop)
        if length > target:
            return length if self.long == "whole" else target
        return target if self.short == "repeat" else length

    def apply(self, frames: Tensor, hop: float, position: float) -> Tensor:
        """Cut or repeat frames T x D; `position` in [0, 1) says where a random part begins."""
        length, target = len(frames), self.frames(len(frames), hop)
        if target > length:
            return frames[torch.arange(target) % length]
        start = int(position * (length - target + 1)) if self.long == "random" else (length - target) // 2
        return frames[start : start + target]
