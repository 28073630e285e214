"""From media files to shards: each clip is hashed and decoded once for all the features that lack it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mien import features
from mien.common.files import sha256
from mien.common.progress import progress
from mien.common.workers import Lost, spread
from mien.data import shards
from mien.data.prepared import key
from mien.errors import MediaError
from mien.media.audio import SAMPLE_RATE, read_audio
from mien.media.containers import probe
from mien.media.faces import Crops

CHUNK = 32  # clips a shard
TOGETHER = 120.0  # seconds of sound in memory at which features are extracted

Waveform = NDArray[np.float32]


class Source(NamedTuple):
    """A clip to be read.

    Attributes:
        clip: its name.
        file: its media file.
        start: seconds; nan is the file's beginning.
        end: seconds; nan is the file's end.
        sha256: of the file when it was prepared; None when it is being prepared now.
        known: key -> seconds of sound, for clips that were decoded before.
        there: for each target, the keys under which it has the clip already.
    """

    clip: str
    file: Path
    start: float
    end: float
    sha256: str | None = None
    known: Mapping[str, float] = {}
    there: tuple[frozenset[str], ...] = ()


class Target(NamedTuple):
    """A feature and the folder of its shards."""

    folder: Path
    name: str
    config: Any

    @property
    def visual(self) -> bool:
        """Whether it is a feature of the pictures."""
        return features.modality(self.name) == "video"


@dataclass(frozen=True)
class Reading:
    """The result for a clip: the hash of its file, its seconds of sound and of pictures, or a problem, one clause."""

    clip: str
    sha256: str = ""
    seconds: float = 0.0
    problem: str = ""
    video_seconds: float = 0.0


def extract(sources: Sequence[Source], targets: Sequence[Target], *, workers: int, what: str) -> Iterator[Reading]:
    """Read clips in worker processes, writing the shards that the targets lack; yields in any order."""
    chunks = [sources[first : first + CHUNK] for first in range(0, len(sources), CHUNK)]
    with progress(len(sources), what) as advance:
        for chunk, result in spread(partial(work, targets=targets), chunks, workers=workers):
            if isinstance(result, Lost):
                by = f" ({result.how})" if result.how else ""
                yield Reading(result.item.clip, problem=f"ended the process that read it{by}")
            else:
                yield from result
            advance(len(chunk))


def work(sources: Sequence[Source], *, targets: Sequence[Target]) -> list[Reading]:
    """Read some clips in this process and write one shard for each target that lacks any of them."""
    rates = {target.config.sample_rate for target in targets if not target.visual} or {SAMPLE_RATE}
    hashes: dict[Path, str] = {}
    readings: list[Reading] = []
    waiting: list[_Waiting] = []
    written: list[list[shards.Frames]] = [[] for _ in targets]
    for source in sources:
        try:
            digest = hashes[source.file] = hashes.get(source.file) or _hash(source.file)
            if source.sha256 not in (None, digest):
                raise MediaError(source.file, "has changed since it was prepared")
            identity = key(digest, source.start, source.end)
            lacking = [number for number, there in enumerate(source.there) if identity not in there]
            video_seconds = _video_seconds(source)
            if not lacking and identity in source.known:
                readings.append(Reading(source.clip, digest, source.known[identity], video_seconds=video_seconds))
                continue
            sound = {rate: read_audio(source.file, start=source.start, end=source.end, rate=rate) for rate in rates}
            seconds = max(len(waveform) / rate for rate, waveform in sound.items())
            crops_of = {
                number: _crops_of(source, targets[number], video_seconds)
                for number in lacking
                if targets[number].visual
            }
        except MediaError as error:
            readings.append(Reading(source.clip, problem=error.cause))
            continue
        readings.append(Reading(source.clip, digest, seconds, video_seconds=video_seconds))
        for number, crops in crops_of.items():
            written[number].append(shards.Frames(source.clip, identity, seconds, crops.pixels, crops.reasons))
        waiting.append(
            _Waiting(source.clip, identity, seconds, sound, [number for number in lacking if number not in crops_of])
        )
        if sum(clip.seconds for clip in waiting) >= TOGETHER:
            _extract(waiting, targets, written)
            waiting.clear()
    _extract(waiting, targets, written)
    for target, clips in zip(targets, written, strict=True):
        if clips:
            shards.write(target.folder, clips)
    return readings


class _Waiting(NamedTuple):
    clip: str
    key: str
    seconds: float
    sound: dict[int, Waveform]
    lacking: list[int]


def _extract(waiting: Sequence[_Waiting], targets: Sequence[Target], written: Sequence[list[shards.Frames]]) -> None:
    for number, target in enumerate(targets):
        clips = [clip for clip in waiting if number in clip.lacking]
        if not clips:
            continue
        waveforms = [clip.sound[target.config.sample_rate] for clip in clips]
        with _one_thread():
            frames = features.extract(target.name, waveforms, target.config)
        written[number] += [
            shards.Frames(clip.clip, clip.key, clip.seconds, values) for clip, values in zip(clips, frames, strict=True)
        ]


def _video_seconds(source: Source) -> float:
    """Seconds of pictures of a clip; 0 where there are none."""
    media = probe(source.file)
    if not media.video:
        return 0.0
    start, end = (other if math.isnan(value) else value for value, other in ((source.start, 0.0), (source.end, inf)))
    return max(0.0, min(end, media.seconds) - start)


def _crops_of(source: Source, target: Target, video_seconds: float) -> Crops:
    """The face crops of a clip; none, of the feature's shape, where it has no pictures."""
    if video_seconds == 0:
        nothing = np.zeros((0, *features.shape(target.name, target.config)), np.uint8)
        return Crops(nothing, np.zeros(0, np.uint8), target.config.every)
    crops: Crops = features.feature(target.name).extract_file(source.file, source.start, source.end, target.config)
    return crops


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers are spread over the cores already, and the last bits of a sum do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _hash(file: Path) -> str:
    try:
        return sha256(file)
    except OSError as error:
        raise MediaError(file, f"cannot be read ({error.strerror})") from error
