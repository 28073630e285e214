"""The audio feature of test clips whose sound is changed: with noise, with other voices, or late against the pictures.

The recordings are decoded again, as when the feature was extracted, and each once for all conditions; the frames lie in
a temporary folder of shards. Sound that is late by a number of hops has the frames that there are, moved. The samples
of one file and the frames of `CHUNK` clips are in memory at a time.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from mien import features
from mien.common.progress import progress
from mien.common.workers import Lost, spread
from mien.data import shards
from mien.data.batches import Frames
from mien.data.dataset import Dataset
from mien.data.extraction import CHUNK, TOGETHER, Source, Waveform, chunked, one_thread, sounds
from mien.data.hidden import Later
from mien.data.kept import Kept
from mien.errors import MediaError
from mien.experiments.conditions import BABBLE, NOISES, SHIFT, Condition
from mien.media.limits import carried, of_process
from mien.media.perturbations import babble, generator, later, mixed, noise

LONGEST = 30.0  # seconds of a voice of babble; a longer clip gives its beginning
KEPT = 16  # voices in memory
KEY = ""  # of all frames in a folder, which are of one condition
ALONE = "there is no voice of another speaker in the corpus"


class _Clip(NamedTuple):
    """A clip, and the clips whose voices babble beneath it."""

    source: Source
    voices: tuple[Source, ...]


class _Job(NamedTuple):
    """What is made of each clip, and where: the folder of a condition is called after its place among all."""

    name: str
    config: Any
    hop: float
    conditions: tuple[Condition, ...]
    seed: int
    folder: Path


@dataclass(frozen=True)
class _OrNothing:
    """Frames of changed sound, and of clips without sound what the store has: none."""

    changed: Kept
    store: Frames

    def _of(self, clip: str) -> Frames:
        return self.changed if clip in self.changed else self.store

    def length(self, clip: str) -> int:
        return self._of(clip).length(clip)

    def frames(self, clip: str) -> torch.Tensor:
        return self._of(clip).frames(clip)

    def valid(self, clip: str) -> torch.Tensor:
        return self._of(clip).valid(clip)


class Changed(NamedTuple):
    """The frames under each condition that can be examined, and for each other one why not, one clause."""

    sources: dict[Condition, Frames]
    lacking: dict[Condition, str]


def extract(
    dataset: Dataset,
    clips: Collection[str],
    conditions: Sequence[Condition],
    *,
    seed: int,
    voices: int,
    folder: Path,
    workers: int = 1,
) -> Changed:
    """Extract the audio feature of clips under conditions of the sound.

    Args:
        dataset: the clips' corpus, with an audio feature of sound.
        clips: names.
        conditions: with patterns of `conditions.OF_SOUND`.
        seed: of all random numbers.
        voices: how many babble.
        folder: a new one, where the frames are written.
        workers: number of processes.
    """
    table = dataset.clips[dataset.clips["seconds"] > 0]
    wanted = set(clips)
    chosen = [clip for clip in table["clip"] if clip in wanted]
    babbling, others = [one for one in conditions if one.pattern == BABBLE], ""
    around = _voices(table, chosen, seed, voices) if babbling else {}
    voiced = sorted({voice for each in around.values() for voice in each})
    if babbling:
        others = _gone(dataset, voiced) if around or not chosen else ALONE
    lacking = dict.fromkeys(babbling, others) if others else {}
    moved = {one: later(one.level, _hop(dataset))[0] for one in conditions if _only_moved(one, _hop(dataset))}
    ready = {one: Later(dataset.stores["audio"], dataset.stores["audio"], frames) for one, frames in moved.items()}
    left = [one for one in conditions if one not in lacking and one not in ready]
    around, voiced = ({}, []) if lacking else (around, voiced)
    sources = {clip: _source(dataset, table.loc[clip]) for clip in dict.fromkeys([*chosen, *voiced])}
    why = _gone(dataset, chosen)
    if not why and left:
        parts = chunked([sources[clip] for clip in chosen])
        chunks = [
            [_Clip(one, tuple(sources[voice] for voice in around.get(one.clip, ()))) for one in part] for part in parts
        ]
        why = _written(
            chunks, _Job(*dataset.settings.features["audio"], _hop(dataset), tuple(left), seed, folder), workers
        )
    if why:
        return Changed(dict(ready), {one: why for one in conditions if one not in ready})
    made = {one: _frames(one, folder / str(number), dataset) for number, one in enumerate(left)}
    return Changed({**ready, **made}, lacking)


def _only_moved(condition: Condition, hop: float) -> bool:
    """Whether the frames that there are need only be moved, which takes no recording."""
    return condition.pattern == SHIFT and later(condition.level, hop)[1] == 0


def _written(chunks: Sequence[Sequence[_Clip]], job: _Job, workers: int) -> str:
    """Write the frames of all clips; the first thing that is wrong with a recording, or nothing."""
    work = carried(partial(_work, job=job))
    with progress(sum(map(len, chunks)), "changing the sound", "clips") as advance:
        for chunk, found in spread(work, chunks, workers=workers, limits=of_process()):
            if isinstance(found, Lost):
                return f"{found.item.source.file} {found.problem}"
            if found:
                return found
            advance(len(chunk))
    return ""


def _gone(dataset: Dataset, clips: Sequence[str]) -> str:
    """Which recordings of some clips are not where they were."""
    gone = [
        path
        for corpus, own in dataset.prepared.divided(clips).items()
        for path in dataset.prepared.parts[corpus].missing_media(own)
    ]
    return f"{len(gone)} of the recordings are not there, such as {gone[0]}" if gone else ""


def _frames(condition: Condition, folder: Path, dataset: Dataset) -> Frames:
    """The frames under a condition."""
    store = dataset.stores["audio"]
    changed = Kept(dataset.settings.features["audio"][0], [folder], dict.fromkeys(dataset.clips["clip"], KEY))
    changed.read_index()
    whole = _OrNothing(changed, store)
    return Later(whole, store, later(condition.level, _hop(dataset))[0]) if condition.pattern == SHIFT else whole


def _hop(dataset: Dataset) -> float:
    name, config = dataset.settings.features["audio"]
    return float(features.feature(name).hop(config))


def _voices(table: pd.DataFrame, clips: Sequence[str], seed: int, voices: int) -> dict[str, list[str]]:
    """Clip -> clips of other speakers, one each; of a clip whose speaker is not known any others. Empty without any."""
    speakers = table["speaker"].fillna(table["clip"]).astype(str)
    own = {str(name): sorted(part) for name, part in table["clip"].groupby(speakers)}
    names, found = sorted(own), {}
    for clip in clips:
        random, others = generator(seed, clip, "who babbles"), [name for name in names if name != speakers[clip]]
        if not others:
            return {}
        chosen = random.choice(len(others), min(voices, len(others)), replace=False)
        found[clip] = [own[others[one]][int(random.integers(len(own[others[one]])))] for one in chosen]
    return found


def _source(dataset: Dataset, row: "pd.Series[Any]") -> Source:
    return Source(
        row["clip"],
        dataset.prepared.media({str(key): value for key, value in row.items()}),
        row["start"],
        row["end"],
        row["sha256"],
    )


def _work(clips: Sequence[_Clip], *, job: _Job) -> str:
    """Write the shards of some clips; the first thing that is wrong with a recording, or nothing."""
    voices = {one.source.clip: one.voices for one in clips}
    held: list[list[shards.Frames]] = [[] for _ in job.conditions]
    seconds = 0.0
    try:
        for source, sound in sounds([one.source for one in clips], job.config.sample_rate):
            if isinstance(sound, MediaError):
                raise sound
            length = len(sound) / job.config.sample_rate
            with one_thread():
                for frames, changed in zip(held, _changed(sound, source.clip, voices[source.clip], job), strict=True):
                    (values,) = features.extract(job.name, [changed], job.config)
                    frames.append(shards.Frames(source.clip, KEY, length, values))
            seconds += length
            if seconds >= TOGETHER or len(held[0]) >= CHUNK:
                _write(held, job)
                seconds = 0.0
    except MediaError as error:
        return str(error)
    _write(held, job)
    return ""


def _changed(sound: Waveform, clip: str, voices: Sequence[Source], job: _Job) -> Iterator[Waveform]:
    """The sound of a clip under each condition. One noise, or one babble, is used at all levels."""
    count = len(sound)
    for _, pattern, level in job.conditions:
        random = generator(job.seed, clip, pattern)
        if pattern in NOISES:
            yield mixed(sound, noise(NOISES[pattern], count, random), level)
        elif pattern == BABBLE:
            each = [_voice(*_of_voice(source), job.config.sample_rate) for source in voices]
            yield mixed(sound, babble(each, count, random), level)
        else:
            _, cut = later(level, job.hop)
            yield sound[round(cut * job.config.sample_rate) :]


def _of_voice(source: Source) -> tuple[Path, float | None, float | None, str | None]:
    """The part of a recording that babbles, without nan, which equals nothing."""
    start = 0.0 if math.isnan(source.start) else source.start
    end = None if math.isnan(source.end) else min(source.end, start + LONGEST)
    return source.file, None if math.isnan(source.start) else start, end, source.sha256


@lru_cache(maxsize=KEPT)
def _voice(file: Path, start: float | None, end: float | None, sha256: str | None, rate: int) -> Waveform:
    """The sound of a part of a recording, at most `LONGEST` seconds of it."""
    first, last = (math.nan if value is None else value for value in (start, end))
    ((_, sound),) = sounds([Source("", file, first, last, sha256)], rate)
    if isinstance(sound, MediaError):
        raise sound
    return sound[: round(LONGEST * rate)]


def _write(held: Sequence[list[shards.Frames]], job: _Job) -> None:
    for number, frames in enumerate(held):
        if frames:
            shards.write(job.folder / str(number), frames)
            frames.clear()
