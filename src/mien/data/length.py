"""The length of clips: shortened, repeated, filled, or kept. Of sound and pictures the same seconds are taken.

A clip of T frames, a frame each `hop` seconds, lasts T x hop. Frames are T x ..., lengths in seconds.
"""

import math
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mien.common.settings import Settings

_INEXACT = 1e-6  # of a frame: the rounding of seconds
GREY = 128  # of pixels that fill a clip: in the middle between black and white


class Place(NamedTuple):
    """The part that is taken of a clip, in seconds.

    Attributes:
        start: where it begins.
        seconds: its length.
        whole: the length of the clip.
    """

    start: float
    seconds: float
    whole: float

    def within(self, length: int, hop: float) -> slice:
        """Which of `length` frames, one each `hop` seconds from the clip's beginning, lie in the part.

        All where the clip has one vector, or where the part has no length, as of a clip without the modality that
        decides it.
        """
        if math.isinf(hop) or self.seconds == 0:
            return slice(0, length)
        first, last = (math.ceil(time / hop - _INEXACT) for time in (self.start, self.start + self.seconds))
        return slice(min(first, length), min(last, length))


class Length(Settings):
    """The length of clips, in seconds; None keeps every clip as it is.

    Attributes:
        seconds: the target, at least .05: less has too few frames for an encoder.
        long: what is kept of a longer clip: its middle (Li et al. 2020, section 5), a random part in training (all of
            it in evaluation), or all of it.
        short: a shorter clip is repeated up to the target (cycle repeat, Li et al. 2020: there the sound, here its
            frames); filled up with a constant that counts as frames (Peri et al. 2021, section 3.1); or stays short,
            and the batch is padded with frames that do not count.
    """

    seconds: float | None = Field(None, ge=0.05)
    long: Literal["middle", "random", "whole"] = "whole"
    short: Literal["repeat", "constant", "pad"] = "pad"

    def place(self, length: int, hop: float, position: float) -> Place:
        """The part that is taken of a clip of `length` frames; a random part begins at `position` in [0, 1)."""
        if self.seconds is None or length == 0 or math.isinf(hop):
            return Place(0.0, length * hop, length * hop)
        target = round(self.seconds / hop)
        if length <= target:
            kept = length if self.short == "pad" else target
            return Place(0.0, kept * hop, length * hop)
        if self.long == "whole":
            return Place(0.0, length * hop, length * hop)
        start = int(position * (length - target + 1)) if self.long == "random" else (length - target) // 2
        return Place(start * hop, target * hop, length * hop)

    def frames(self, length: int, hop: float, place: Place) -> int:
        """How many frames of a modality with `length` of them, one each `hop` seconds, are taken."""
        if length == 0 or self.seconds is None or math.isinf(hop):
            return length
        wanted = math.ceil(place.seconds / hop - _INEXACT)
        if self.short == "constant" or place.seconds > place.whole:
            return wanted
        return min(wanted, max(0, length - round(place.start / hop)))

    def span(self, length: int, hop: float, place: Place) -> slice | None:
        """The frames that are taken of `length`, one each `hop` seconds; None where they are repeated or filled up."""
        target = self.frames(length, hop, place)
        if target == length and place.start == 0:
            return slice(0, length)
        start = round(place.start / hop)
        repeated = self.short == "repeat" and place.seconds > place.whole
        return None if repeated or start + target > length else slice(start, start + target)

    def apply(
        self, frames: NDArray[Any], valid: NDArray[np.bool_], hop: float, place: Place, *, filler: float = 0.0
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Take frames T x ... and their validity T: a part, repeated in step with the clip, or filled.

        Args:
            frames: of the whole clip; pixels are filled with `GREY`.
            valid: which of them are usable.
            hop: seconds from one to the next.
            place: the part that is taken.
            filler: of numbers that fill up a short clip.
        """
        length, target = len(frames), self.frames(len(frames), hop, place)
        if (span := self.span(length, hop, place)) is not None:
            return frames[span], valid[span]
        if self.short == "repeat" and place.seconds > place.whole:
            taken, seen = _repeated(target, hop, place.whole, length)
            usable = valid.take(taken, axis=0)
            return frames.take(taken, axis=0), usable if seen is None else usable & seen
        start = round(place.start / hop)
        part, usable = frames[start : start + target], valid[start : start + target]
        missing = target - len(part)
        constant = GREY if frames.dtype == np.uint8 else filler
        filled = np.full((missing, *frames.shape[1:]), constant, dtype=frames.dtype)
        return np.concatenate([part, filled]), np.concatenate([usable, np.ones(missing, dtype=np.bool_)])


@lru_cache(maxsize=1024)
def _repeated(count: int, hop: float, whole: float, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Which of `length` frames are shown at n * `hop` seconds of a clip of `whole` seconds that is played repeatedly.

    Returns:
        Their numbers, `count` int64, only to be read, and whether there is such a frame, `count` bool; None where all
        are there.
    """
    period = round(whole / hop)
    if abs(period * hop - whole) < _INEXACT * hop:
        taken = np.arange(count) % max(1, period)
    else:
        times = np.arange(count) * hop
        taken = np.floor((times + _INEXACT * hop) % whole / hop).astype(np.int64)
    seen = taken < length
    return np.minimum(taken, length - 1), None if bool(seen.all()) else seen
