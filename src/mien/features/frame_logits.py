"""Logits of a face model for the frames of a clip, (T, K) float32, as the corpus holds them: frame t at t x `every` s.

`mien label` keeps them of films (Albanie et al. 2018, section 4), and the reader `labelled` gives them. Nothing is
decoded. A frame without a usable face is not valid. The first frame is the clip's beginning, so that of sound and
logits the same seconds are taken (`mien.data.length`).
"""

from pydantic import Field, field_validator

from mien.common.settings import Settings
from mien.corpora.votes import EMOTIONS

SOURCE = "the corpus's own frames, such as those of 'mien label' (Albanie et al. 2018, section 4)"
VERSION = 1
MODALITY = "video"
FROM = "frames"


class Config(Settings):
    """Which frames.

    Attributes:
        classes: of the face model, in the order of the vector: all that it has. The default are those of FER+.
        every: seconds from one frame to the next, as the corpus has them.
    """

    classes: tuple[str, ...] = Field(EMOTIONS, min_length=2)
    every: float = Field(0.24, gt=0)

    @field_validator("classes")
    @classmethod
    def _each_once(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError("a class is named twice; name each once")
        return classes


def shape(config: Config) -> tuple[int]:
    """Logits a frame."""
    return (len(config.classes),)


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.every
