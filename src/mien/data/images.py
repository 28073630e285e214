"""From the images of a corpus to shards: their pixels are hashed and written, nothing is decoded.

The key of a clip is the SHA-256 of its pixels, so that equal images are known as such, whatever they are called.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.common.progress import progress
from mien.data import shards
from mien.data.extraction import Reading, Target
from mien.errors import ConfigError

CHUNK = 1024  # images a shard

Images = Mapping[str, NDArray[np.uint8]]


def identity(image: NDArray[np.uint8]) -> str:
    """The SHA-256 of the pixels, hexadecimal."""
    return sha256(image.tobytes()).hexdigest()


def extract(images: Images, targets: Sequence[Target], *, what: str) -> Iterator[Reading]:
    """Write the shards that the targets lack; finished shards stay when it is interrupted.

    Args:
        images: clip -> its pixels, (C, S, S).
        targets: the feature `images`, or a feature of media, of which an image has no frame.
        what: the name of this work in its progress.

    Raises:
        ConfigError: the images are of another shape than the feature's settings say.
    """
    writers = [(target.folder, _frames_of(target)) for target in targets]
    for target in targets:
        shards.mend(target.folder)
    there = [{(entry.clip, entry.key) for entry in shards.entries(target.folder)} for target in targets]
    with progress(len(images), what) as advance:
        every = list(images)
        for first in range(0, len(every), CHUNK):
            names = every[first : first + CHUNK]
            keys = {clip: identity(images[clip]) for clip in names}
            for (folder, frames_of), known in zip(writers, there, strict=True):
                lacking = [clip for clip in names if (clip, keys[clip]) not in known]
                if lacking:
                    shards.write(
                        folder, [shards.Frames(clip, keys[clip], 0.0, frames_of(images[clip])) for clip in lacking]
                    )
            yield from (Reading(clip, keys[clip]) for clip in names)
            advance(len(names))


def _frames_of(target: Target) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """A function from an image to its frames of a feature."""
    shape = features.shape(target.name, target.config)
    if features.source_of(target.name) != "images":
        nothing = np.zeros((0, *shape), np.uint8 if len(shape) > 1 else np.float32)
        return lambda image: nothing

    def frames(image: NDArray[np.uint8]) -> NDArray[Any]:
        if image.shape != shape:
            own, wanted = (" x ".join(map(str, one)) for one in (image.shape, shape))
            raise ConfigError(f"feature images: the images are {own} and the settings say {wanted}; give their size")
        return image[None]

    return frames
