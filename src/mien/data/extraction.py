"""From media files to shards: each file is hashed once, and each clip decoded once for all the features that lack it.

The sound of all clips of one file that lie in one chunk is decoded in one pass where the format asks for it
(`media.parts`).
"""

import math
from collections import defaultdict
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
from mien.errors import MediaError, SoundError
from mien.media.audio import SAMPLE_RATE, read_parts
from mien.media.containers import ROUNDING, TOLERANCE, MediaInfo, Part, probe
from mien.media.faces import Crops
from mien.media.limits import carried, of_process

CHUNK = 32  # clips a shard
SEARCHED = {".wav", ".flac", ".m4a", ".mp4", ".mov", ".aiff", ".aif", ".w64", ".caf"}  # parts are found without a pass
TOGETHER = 120.0  # seconds of sound in memory at which features are extracted
BEYOND = 0.5  # seconds by which a clip may end after its file, as in transcripts that were aligned by hand or rounded

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
    """The result for a clip: the hash of its file, its seconds of sound and of pictures, or a problem, one clause.

    A `notice`, one clause, says what is missing of a clip that can be used all the same.
    """

    clip: str
    sha256: str = ""
    seconds: float = 0.0
    problem: str = ""
    video_seconds: float = 0.0
    notice: str = ""


def extract(sources: Sequence[Source], targets: Sequence[Target], *, workers: int, what: str) -> Iterator[Reading]:
    """Read clips in worker processes, writing the shards that the targets lack; yields in any order.

    Raises:
        ConfigError: the extra of a feature is not installed.
    """
    for target in targets if sources else ():
        features.ready(target.name, target.config)
    with progress(len(sources), what) as advance:
        reading = carried(partial(work, targets=targets))
        for chunk, result in spread(reading, chunked(sources), workers=workers, limits=of_process()):
            if isinstance(result, Lost):
                yield Reading(result.item.clip, problem=result.problem)
            else:
                yield from result
            advance(len(chunk))


def chunked(sources: Sequence[Source]) -> list[list[Source]]:
    """Clips that are read together: `CHUNK`, or all of a file that can be read from its beginning only."""
    chunks: list[list[Source]] = [[]]
    for file, clips in by_file(sources).items():
        step = CHUNK if file.suffix.lower() in SEARCHED else len(clips)
        for first in range(0, len(clips), step):
            if len(chunks[-1]) + len(clips[first : first + step]) > CHUNK:
                chunks.append([])
            chunks[-1] += clips[first : first + step]
    return [chunk for chunk in chunks if chunk]


def work(sources: Sequence[Source], *, targets: Sequence[Target]) -> list[Reading]:
    """Read some clips in this process and write shards for each target that lacks any of them."""
    readings: list[Reading] = []
    writing = _Writing(targets)
    for file, clips in by_file(sources).items():
        try:
            found, media = hash_of(file), probe(file)
        except MediaError as error:
            readings += [Reading(source.clip, problem=error.cause) for source in clips]
            continue
        asked: list[_Asked] = []
        for source in clips:
            identity, part = key(found, source.start, source.end), part_of(source, media)
            lacking = [number for number, there in enumerate(source.there) if identity not in there]
            if source.sha256 not in (None, found):
                readings.append(Reading(source.clip, problem="has changed since it was prepared"))
            elif part.problem:
                readings.append(Reading(source.clip, problem=part.problem))
            elif lacking or source.known.get(identity, -1.0) < part.sound - TOLERANCE:
                asked.append(_Asked(source, identity, lacking, part))
            else:
                readings.append(part.reading(source.clip, found, source.known[identity]))
        readings += [writing.read(one, found, sound) for one, sound in _sounds(file, asked, writing.rates)]
    writing.close()
    return readings


def by_file(sources: Sequence[Source]) -> dict[Path, list[Source]]:
    """File -> its clips, both in the order of the clips."""
    files: dict[Path, list[Source]] = {}
    for source in sources:
        files.setdefault(source.file, []).append(source)
    return files


class FilePart(NamedTuple):
    """What there is of a clip in its file: the part to read, and its seconds of sound and of pictures.

    Seconds are 0 without a track. A file that is read to its end may have less sound than pictures.
    """

    start: float
    end: float
    sound: float = 0.0
    pictures: float = 0.0
    notice: str = ""
    problem: str = ""

    def reading(self, clip: str, sha256: str, seconds: float, missing: str = "") -> Reading:
        """The result for a clip with so much sound; `missing` says what of it is."""
        early = 0 < seconds < self.pictures - BEYOND and math.isnan(self.end) and not missing
        ends = f"its sound ends at {seconds:.2f} s, its pictures at {self.pictures:.2f} s; kept for its pictures"
        notice = "; ".join(one for one in (self.notice, missing, ends if early else "") if one)
        return Reading(clip, sha256, seconds, video_seconds=self.pictures, notice=notice)


def part_of(source: Source, media: MediaInfo) -> FilePart:
    """The part of a file that a clip is; up to the file's end where the clip ends up to `BEYOND` later."""
    start, end = (other if math.isnan(value) else value for value, other in ((source.start, 0.0), (source.end, inf)))
    late = 0.0 if end == inf else end - media.seconds - ROUNDING
    here = f"ends at {media.seconds:.2f} s, before the part {Part(start, end)} does"
    if late > BEYOND or (late > TOLERANCE and start >= media.seconds):
        return FilePart(source.start, source.end, problem=here)
    shown = max(0.0, min(end, media.seconds) - start)
    notice = f"{here}; read up to there, kept" if late > TOLERANCE else ""
    last = math.nan if notice else source.end
    sound = (shown if end < inf else min(shown, 2 * TOLERANCE)) * media.audio
    return FilePart(source.start, last, sound, shown * media.video, notice)


class _Asked(NamedTuple):
    """A clip that lacks something: its key, the numbers of the targets, and what there is of it."""

    source: Source
    key: str
    lacking: list[int]
    part: FilePart


def _sounds(
    file: Path, asked: Sequence[_Asked], rates: Sequence[int]
) -> Iterator[tuple[_Asked, dict[int, Waveform | MediaError]]]:
    """Each clip with its sound at all the rates."""
    parts = [(one.part.start, one.part.end) for one in asked]
    waiting: dict[int, dict[int, Waveform | MediaError]] = defaultdict(dict)
    for found in zip(*(read_parts(file, parts, rate=rate) for rate in rates if parts), strict=True):
        for rate, (number, sound) in zip(rates, found, strict=True):
            waiting[number][rate] = sound
            if len(waiting[number]) == len(rates):
                yield asked[number], waiting.pop(number)


def sounds(sources: Sequence[Source], rate: int) -> Iterator[tuple[Source, Waveform | MediaError]]:
    """The sound of each clip as features are extracted of it, or why it cannot be read; in any order.

    Args:
        sources: clips.
        rate: samples a second.
    """
    for file, clips in by_file(sources).items():
        try:
            found, media = hash_of(file), probe(file)
        except MediaError as error:
            yield from ((source, error) for source in clips)
            continue
        asked: list[_Asked] = []
        for source in clips:
            part = part_of(source, media)
            if source.sha256 not in (None, found):
                yield source, MediaError(file, "has changed since it was prepared")
            elif part.problem:
                yield source, MediaError(file, part.problem)
            else:
                asked.append(_Asked(source, "", [], part))
        for one, sound in _sounds(file, asked, [rate]):
            yield one.source, _there(sound[rate]) if one.part.pictures else sound[rate]


class _Held(NamedTuple):
    clip: str
    key: str
    seconds: float
    sound: dict[int, Waveform]
    lacking: list[int]


class _Writing:
    """The shards that are being made: `CHUNK` clips each; features are extracted of `TOGETHER` seconds at once."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.rates = sorted({target.config.sample_rate for target in targets if not target.visual} or {SAMPLE_RATE})
        self._targets = targets
        self._held: list[_Held] = []
        self._written: list[list[shards.Frames]] = [[] for _ in targets]

    def read(self, one: _Asked, sha256: str, sound: Mapping[int, Waveform | MediaError]) -> Reading:
        """Take a clip, whose pictures are decoded here."""
        clip = one.source.clip
        waveforms = {rate: _there(found) if one.part.pictures else found for rate, found in sound.items()}
        errors = [found for found in waveforms.values() if isinstance(found, MediaError)]
        causes = [found.cause for found in sound.values() if isinstance(found, SoundError)]
        missing = f"{causes[0]}; kept for its pictures" if causes else ""
        decoded = {rate: found for rate, found in waveforms.items() if not isinstance(found, MediaError)}
        seconds = max((len(found) / rate for rate, found in decoded.items()), default=0.0)
        seen = [number for number in one.lacking if self._targets[number].visual]
        try:
            crops = {number: _seen(one, self._targets[number]) for number in seen if not errors}
        except MediaError as error:
            errors.append(error)
        if errors:
            return Reading(clip, problem=errors[0].cause)
        for number, found in crops.items():
            self._written[number].append(shards.Frames(clip, one.key, seconds, found.pixels, found.reasons))
        heard = [number for number in one.lacking if number not in seen]
        self._held.append(_Held(clip, one.key, seconds, decoded, heard))
        if sum(held.seconds for held in self._held) >= TOGETHER or len(self._held) >= CHUNK:
            self._extract()
            self._write(CHUNK)
        return one.part.reading(clip, sha256, seconds, missing)

    def close(self) -> None:
        """Write what is left."""
        self._extract()
        self._write(1)

    def _extract(self) -> None:
        for number, target in enumerate(self._targets):
            clips = [one for one in self._held if number in one.lacking]
            if not clips:
                continue
            waveforms = [one.sound[target.config.sample_rate] for one in clips]
            with one_thread():
                frames = features.extract(target.name, waveforms, target.config)
            self._written[number] += [
                shards.Frames(one.clip, one.key, one.seconds, values) for one, values in zip(clips, frames, strict=True)
            ]
        self._held.clear()

    def _write(self, least: int) -> None:
        for target, clips in zip(self._targets, self._written, strict=True):
            if len(clips) >= least:
                shards.write(target.folder, clips)
                clips.clear()


def _there(sound: Waveform | MediaError) -> Waveform | MediaError:
    """The sound of a clip with pictures: what there is of it, where it is silent or ends early."""
    if not isinstance(sound, SoundError):
        return sound
    return np.zeros(0, np.float32) if sound.samples is None else sound.samples


def _seen(one: _Asked, target: Target) -> Crops:
    """The face crops of a clip; none, of the feature's shape, where it has no pictures."""
    if one.part.pictures == 0 or features.source_of(target.name) == "images":  # a file has none of a table
        shape = features.shape(target.name, target.config)
        nothing = np.zeros((0, *shape), np.float32 if len(shape) == 1 else np.uint8)
        return Crops(nothing, np.zeros(0, np.uint8), features.feature(target.name).hop(target.config))
    extract_file = features.feature(target.name).extract_file
    crops: Crops = extract_file(one.source.file, one.part.start, one.part.end, target.config)
    return crops


@contextmanager
def one_thread() -> Iterator[None]:
    """Workers are spread over the cores already, and the last bits of a sum do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def hash_of(file: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal; raises MediaError where it cannot be read."""
    try:
        return sha256(file)
    except OSError as error:
        raise MediaError(file, f"cannot be read ({error.strerror})") from error
