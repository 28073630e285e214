"""From the frame vectors that a corpus holds of its clips to shards; nothing is decoded (`Corpus.frames`).

A clip is known by its sound, which does not say of which face model the frames are. So what is kept is compared with
what the corpus gives, and where any of it differs all of it is written anew.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.common.progress import progress
from mien.corpora.corpus import FrameVectors
from mien.data import shards
from mien.data.extraction import Target
from mien.data.kept import Kept
from mien.errors import ConfigError
from mien.media.faces import Reason

CHUNK = 512  # clips a shard


def refuse_unfitting(name: str, config: Any, held: Mapping[str, Any], place: str) -> None:
    """Raise ConfigError where a corpus has no frames, or those of other classes or another hop.

    Args:
        name: of the feature.
        config: its settings.
        held: what the corpus holds, see `Corpus.held`.
        place: the corpus, for the sentence.
    """
    if not held:
        raise ConfigError(
            f"{name}: {place} holds no frames of its clips; label films by 'mien label' and prepare them with the "
            "reader labelled"
        )
    classes, every = held["classes"], held["every"]
    if set(classes) != set(config.classes):
        own, asked = ", ".join(classes), ", ".join(config.classes)
        raise ConfigError(f"{name}: classes: the frames of {place} are of {own}, and the settings say {asked}")
    if abs(every - config.every) > 1e-9:
        raise ConfigError(
            f"{name}: every: {place} has a frame each {every:g} s, and the settings say {config.every:g}; write the "
            "former"
        )


def extract(frames: FrameVectors, keys: Mapping[str, str], target: Target, *, what: str) -> None:
    """Write the shards that a target lacks; finished shards stay when it is interrupted.

    Args:
        frames: of the corpus, which fit the target.
        keys: clip -> the identity of its sound, of all clips that are wanted.
        target: the feature and its folder.
        what: the name of this work in its progress.
    """
    order = [frames.classes.index(name) for name in target.config.classes]
    kept = Kept(target.name, [target.folder], keys)
    kept.mend()
    if any(_differs(kept, clip, *_read(frames, clip, order)) for clip in keys if clip in kept):
        shutil.rmtree(target.folder)
        kept.read_index()
    lacking = [clip for clip in keys if clip not in kept]
    with progress(len(lacking), what) as advance:
        for first in range(0, len(lacking), CHUNK):
            clips = lacking[first : first + CHUNK]
            shards.write(target.folder, list(_shard(frames, clips, keys, order)))
            advance(len(clips))


def _shard(
    frames: FrameVectors, clips: Sequence[str], keys: Mapping[str, str], order: Sequence[int]
) -> Iterator[shards.Frames]:
    for clip in clips:
        values, reasons = _read(frames, clip, order)
        yield shards.Frames(clip, keys[clip], round(len(values) * frames.every, 3), values, reasons)


def _read(frames: FrameVectors, clip: str, order: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    values, valid = frames.read(clip)
    reasons = np.where(valid, Reason.VALID, Reason.NO_FACE).astype(np.uint8)
    return np.where(valid[:, None], values[:, order], np.float32(0)), reasons


def _differs(kept: Kept, clip: str, values: NDArray[np.float32], reasons: NDArray[np.uint8]) -> bool:
    before = kept.frames(clip).numpy()
    return not (np.array_equal(before, values) and np.array_equal(kept.reasons(clip).numpy(), reasons))


def of(target: Target) -> bool:
    """Whether a feature is frames that a corpus holds."""
    return features.source_of(target.name) == "frames"
