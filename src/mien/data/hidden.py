"""Sources of frames of which some are missing or late: nothing is extracted again, and what is not known is not valid.

A clip of which every frame is missing has none, as one without that modality.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.batches import Frames


@dataclass(frozen=True)
class Hidden:
    """Frames of another source without those that are missing.

    Attributes:
        source: where the frames come from.
        missing: (clip, its number of frames T) -> which are missing, (T,) bool; the same whenever it is asked.
    """

    source: Frames
    missing: Callable[[str, int], NDArray[np.bool_]]
    _shown: dict[str, torch.Tensor] = field(default_factory=dict, repr=False, compare=False)

    def length(self, clip: str) -> int:
        """The number of frames of a clip, also of those that are missing; 0 where all are."""
        shown = self._there(clip)
        return len(shown) if bool(shown.any()) else 0

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, as the source has them."""
        frames = self.source.frames(clip)
        return frames[: self.length(clip)]

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames are usable and not missing, (T,) bool."""
        count = self.length(clip)
        return self.source.valid(clip)[:count] & self._there(clip)[:count]

    def _there(self, clip: str) -> torch.Tensor:
        """Which frames are not missing, kept for every clip: a bit of what its frames take."""
        if clip not in self._shown:
            missed = self.missing(clip, self.source.length(clip))
            self._shown[clip] = ~torch.as_tensor(missed, dtype=torch.bool)
        return self._shown[clip]


@dataclass(frozen=True)
class Later:
    """Frames that come later than they did; the first ones are not known, and the last ones are cut off.

    Attributes:
        source: the frames that are moved.
        store: how many frames a clip has.
        frames_before: how many of them are before the first of the source.
    """

    source: Frames
    store: Frames
    frames_before: int

    def length(self, clip: str) -> int:
        """The number of frames of a clip; 0 where none is left."""
        length = self.store.length(clip)
        return length if self.frames_before < length and self.source.length(clip) else 0

    def frames(self, clip: str) -> torch.Tensor:
        """The frames of a clip, those before the first of the source zeros."""
        return self._moved(self.source.frames(clip), clip)

    def valid(self, clip: str) -> torch.Tensor:
        """Which frames are known and usable."""
        return self._moved(self.source.valid(clip), clip)

    def _moved(self, values: torch.Tensor, clip: str) -> torch.Tensor:
        length = self.length(clip)
        moved = values.new_zeros(length, *values.shape[1:])
        if length:
            part = values[: length - self.frames_before]
            moved[self.frames_before : self.frames_before + len(part)] = part
        return moved
