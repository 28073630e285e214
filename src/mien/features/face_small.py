"""Vectors of `face-small`, the model of faces that comes with mien, of one person a clip: (T, 128) float32.

Each crop on the grid of `crops` becomes the vector that the model's classifier reads, once, where a corpus is prepared;
nothing trains it. A frame without a usable face is not valid, as there, and has zeros. The model reads grey crops of 48
px, cut as the images that it was trained on.

Features know no model: what makes the vectors is handed in from above, by the name of its place (`FRONT_END`).
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mien.features import crops
from mien.media.faces import Crops, Faces

SOURCE = "ours: the embedding of the packaged model face-small (docs/results/face-small.md), of face crops"
VERSION = 1  # to be raised with the weights of the model, which tests/features/test_face_small.py knows
MODALITY = "video"
DIMENSION = 128
FRONT_END = "mien.runs.front_ends"


class Config(Faces):
    """See `mien.media.faces.Faces`. The size and colour are the model's.

    Attributes:
        size: 48.
        colour: grey.
        every: seconds from one crop to the next, in media time.
        margin: none, as the images of the model's training.
    """

    size: Literal[48] = 48
    colour: Literal["grey"] = "grey"
    every: float = Field(0.1, ge=0.01, le=0.5)
    margin: float = Field(0.0, ge=0, le=2)


def shape(config: Config) -> tuple[int]:
    """Values a frame."""
    return (DIMENSION,)


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return float(config.every)


def extract_file(file: Path, start: float, end: float, config: Config) -> Crops:
    """The vectors of a clip, from second `start` to `end` of its file; nan is the file's beginning or end.

    Raises:
        ConfigError: a detector that is not installed.
        MediaError: the file cannot be read.
    """
    seen = crops.extract_file(file, start, end, config)  # type: ignore[arg-type]
    return seen._replace(pixels=of_crops(seen.pixels, seen.reasons, config))


def of_crops(pixels: NDArray[np.uint8], reasons: NDArray[np.uint8], config: Config) -> NDArray[np.float32]:
    """The vectors of crops, (T, 1, 48, 48) uint8 to (T, 128) float32; zeros where a crop is not usable."""
    found, usable = np.zeros((len(pixels), DIMENSION), np.float32), reasons == 0
    if usable.any():
        found[usable] = _front_end()(pixels[usable])
    return found


@lru_cache(maxsize=1)
def _front_end() -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    make: Any = import_module(FRONT_END).face_small
    front_end: Callable[[NDArray[np.uint8]], NDArray[np.float32]] = make()
    return front_end
