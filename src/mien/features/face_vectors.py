"""Frame vectors of the face from files of one's own, (T, D) float32, such as those of VGG-Face, 4,096 a frame.

See `mien.features._vectors` for the files. They are the video of a model, of a clip that need not have any pictures.
"""

from pydantic import Field

from mien.features import _vectors

SOURCE = "files of your own: a matrix of frames, or one vector, for each clip (Goncalves & Busso 2022: VGG-Face)"
VERSION = 1
MODALITY = "video"
FROM = "files"


class Config(_vectors.Config):
    """See `mien.features._vectors.Config`.

    Attributes:
        dimension: how many values a frame has. Goncalves & Busso 2022, section 4.1.1: 4,096.
    """

    dimension: int = Field(4096, ge=1)


def shape(config: Config) -> tuple[int]:
    """Values a frame."""
    return (config.dimension,)


def hop(config: Config) -> float:
    """Seconds from one frame to the next; infinite where a clip has one vector."""
    return _vectors.hop(config)
