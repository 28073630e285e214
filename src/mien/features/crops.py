"""Face crops of one person a clip, (T, C, S, S) uint8, on an even grid of time: frame t is shown at t x `every` s.

A frame without a usable face has a reason beside it (`faces.Reason`) and zeros for pixels: it is not valid,
and no other frame stands in for it.
"""

from math import isnan
from pathlib import Path

from mien.media.faces import Crops, Faces
from mien.media.faces.people import one_person
from mien.media.streams import stream_media

SOURCE = "Peri et al. 2021, section 3.1: face crops resized to a fixed size; detection and tracking are ours"
VERSION = 1
MODALITY = "video"


class Config(Faces):
    """See `mien.media.faces.Faces`."""


def shape(config: Config) -> tuple[int, int, int]:
    """Channels, height and width."""
    return (config.channels, config.size, config.size)


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return float(config.every)


def extract_file(file: Path, start: float, end: float, config: Config) -> Crops:
    """The crops of a clip, from second `start` to `end` of its file; nan is the file's beginning or end.

    Raises:
        ConfigError: a detector that is not installed.
        MediaError: the file cannot be read.
    """
    first = 0.0 if isnan(start) else start
    last = None if isnan(end) else end
    return one_person(stream_media(file, start=first, end=last), config, start=first, end=last)
