"""Frame vectors of the sound from files of one's own, (T, D) float32: embeddings of a frozen model, descriptors.

See `mien.features._vectors` for the files. They are the audio of a model, of a clip that need not have any sound.
"""

from mien.features import _vectors

SOURCE = "files of your own: a matrix of frames, or one vector, for each clip"
VERSION = 1
FROM = "files"


class Config(_vectors.Config):
    """See `mien.features._vectors.Config`."""


def dimension(config: Config) -> int:
    """Values a frame."""
    return config.dimension


def hop(config: Config) -> float:
    """Seconds from one frame to the next; infinite where a clip has one vector."""
    return _vectors.hop(config)
