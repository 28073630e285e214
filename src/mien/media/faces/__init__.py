"""Faces in a recording: the settings (`Faces`), the people found (`Seen`, `Crops`), why a frame has none (`Reason`).

`people` puts the parts together: `detectors` find faces, `tracking` follows them from picture to picture, `crops` takes
them out of the picture, and `speaking` finds who speaks.
"""

from enum import IntEnum
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from mien.common.settings import Settings
from mien.errors import unknown
from mien.media.faces import detectors
from mien.media.faces.detectors import Box, resolve
from mien.media.faces.tracking import BRIDGE


class Reason(IntEnum):
    """Whether a frame of a person can be used, and why not."""

    VALID = 0
    NO_FACE = 1
    TOO_SMALL = 2
    TOO_DARK = 3
    NO_PICTURE = 4

    @property
    def words(self) -> str:
        """The reason as people read it."""
        return self.name.lower().replace("_", " ")


def choices() -> tuple[str, ...]:
    """All values of `Faces.faces`: the detectors, `auto` and `whole-frame`."""
    return ("auto", *detectors.names(), "whole-frame")


class Faces(Settings):
    """How faces are found and cropped.

    Attributes:
        faces: the detector (`mien.media.faces.detectors`), `auto` for the one that is installed, or
            `whole-frame` for a corpus whose pictures are crops of one face already: the middle square of each picture.
        size: side of a crop in px.
        every: seconds from one crop to the next, in media time.
        colour: rgb (3 channels) or grey (1, luma).
        margin: added on each side of a face's box, as a share of its longer side.
        long_side: px to which the longer side of a picture is brought for the detector; 640 for crowds.
        smallest: a face whose box is narrower, or lower, in px of the source, is too small.
        darkest: a crop whose mean luma (0 to 255) is below this is too dark. The default is for pictures in which
            nothing can be seen, and refuses no colour of skin.
        speaker: which of several people a clip is about: the one who speaks (`media.faces.speaking`), or the largest
            if that is not clear; or always the largest.
    """

    faces: str = "auto"
    size: int = Field(default=224, ge=8, le=1024)
    every: float = Field(default=0.24, ge=0.01, le=BRIDGE)
    colour: Literal["rgb", "grey"] = "rgb"
    margin: float = Field(default=0.15, ge=0, le=2)
    long_side: int = Field(default=320, ge=64, le=960)
    smallest: int = Field(default=24, ge=1)
    darkest: float = Field(default=16.0, ge=0, le=255)
    speaker: Literal["active", "largest"] = "active"

    @field_validator("faces")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in choices():
            raise ValueError(unknown("face detector", name, choices()))
        return name

    @model_validator(mode="after")
    def _whole_frames_have_no_boxes(self) -> Self:
        if self.faces == "whole-frame":
            for key in ("margin", "long_side", "speaker"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise ValueError(f"'{key}' does nothing where faces is 'whole-frame'; leave it out")
        return self

    @property
    def channels(self) -> int:
        """Channels of a crop."""
        return 3 if self.colour == "rgb" else 1

    def resolved(self) -> Self:
        """The same with the detector that `auto` stands for on this machine: what crops have to be stored under."""
        return self if self.faces == "whole-frame" else self.model_copy(update={"faces": resolve(self.faces)})


class Seen(NamedTuple):
    """A person in a stretch of video, on the grid of `Faces.every`.

    Attributes:
        person: 1, 2, ...: in the order in which they are found to be people; together, by first appearance, then from
            left to right.
        pixels: (T, C, S, S) uint8; zeros where the frame is not valid.
        reasons: (T,) uint8 of `Reason`.
        times: (T,) float64 media seconds.
        box: left, top, right, bottom: mean over the frames with a face, as shares of the picture's width and height.
        area: mean share of the picture that the box covers in these frames.
        speaking: correlation of the mouth's motion with the sound, -1 to 1; nan where it is not known.
    """

    person: int
    pixels: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    times: NDArray[np.float64]
    box: Box
    area: float
    speaking: float


class Crops(NamedTuple):
    """The frames of one person: `pixels` (T, C, S, S) uint8, `reasons` (T,) uint8 of `Reason`, `every` seconds.

    A feature may put (T, D) float32 in the place of the pixels.
    """

    pixels: NDArray[Any]
    reasons: NDArray[np.uint8]
    every: float
