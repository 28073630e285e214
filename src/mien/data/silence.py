"""Silence at both ends of clips: where sound begins and ends, by the energy detector of `mien.media.activity`.

A clip is heard as features hear it, as the mean of its channels, at 16,000 Hz, in frames of 32 ms from its beginning;
the last frame may be shorter. It is cut before the first and after the last active frame, with a margin of one frame at
either side, within the `start` and `end` that it has. The level is one of full scale and not of the recording: where
the noise of a recording is above it, its pauses are not found.

What was found is kept in `silence.csv` of a PREPARED folder, one row a clip: `clip`, `key` (`data.prepared.key` of the
clip as its reader gives it), `seconds` of sound in it, `start` and `end` in seconds of the file (empty: nothing is cut
there), and `active`, False for a clip without an active frame, which is not cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.common.cells import write_table
from mien.common.progress import duration, progress
from mien.common.workers import Lost, spread
from mien.corpora.corpus import Corpus, Problem, read_table
from mien.data.extraction import Source, by_file, chunked, hash_of, part_of
from mien.data.prepared import key
from mien.errors import CorpusError, MediaError
from mien.media.activity import detector, frame_size
from mien.media.audio import SAMPLE_RATE, read_parts
from mien.media.containers import probe
from mien.media.limits import carried, of_process

FILE = "silence.csv"
MARGIN = 1  # frames that are kept before the first active one and after the last
NOTE = "nothing in it is above -55 dB of full scale, so no silence was cut, kept"


class Ends(NamedTuple):
    """Where sound begins and ends in a clip.

    Attributes:
        clip: its name.
        key: its identity before it is cut, see `data.prepared.key`.
        seconds: of sound before it is cut.
        start: seconds of the file; nan where nothing is cut at the beginning.
        end: seconds of the file; nan where nothing is cut at the end.
        active: whether any frame is.
    """

    clip: str
    key: str
    seconds: float
    start: float
    end: float
    active: bool

    @property
    def cut(self) -> bool:
        """Whether anything is."""
        return not (np.isnan(self.start) and np.isnan(self.end))


def find(folder: Path, corpus: Corpus, *, workers: int, what: str) -> dict[str, Ends]:
    """Clip -> its ends, found in worker processes. `folder` keeps them, and what it has is not looked for again.

    Clips that cannot be read are missing: extraction reads them again and says why.

    Args:
        folder: PREPARED.
        corpus: as its reader gives it.
        workers: how many processes.
        what: the name of this work in its progress.
    """
    known = _read(folder / FILE)
    columns = (corpus.table[name] for name in ("clip", "file", "start", "end"))
    sources = [
        Source(clip, corpus.root / file, start, end, known={known[clip].key: 0.0} if clip in known else {})
        for clip, file, start, end in zip(*columns, strict=True)
    ]
    found, same = dict[str, Ends](), set[str]()
    with progress(len(sources), what) as advance:
        for chunk, result in spread(carried(work), chunked(sources), workers=workers, limits=of_process()):
            if not isinstance(result, Lost):
                found |= {one.clip: one for one in result.found}
                same |= set(result.same)
            advance(len(chunk))
    ends = {clip: found.get(clip, known[clip] if clip in same else None) for clip in corpus.table["clip"]}
    kept = {clip: one for clip, one in ends.items() if one is not None}
    if found:
        write_table(folder / FILE, pd.DataFrame(kept.values()))
    return kept


class Found(NamedTuple):
    """The ends of some clips; of others, which are `same` as before, the names."""

    found: list[Ends]
    same: list[str]


def work(sources: Sequence[Source]) -> Found:
    """Find the ends of some clips in this process, but of those whose `known` has their key."""
    result = Found([], [])
    for file, clips in by_file(sources).items():
        with suppress(MediaError):
            content, media = hash_of(file), probe(file)
            asked = []
            for source in clips:
                own, part = key(content, source.start, source.end), part_of(source, media)
                if own in source.known:
                    result.same.append(source.clip)
                elif not part.problem:
                    asked.append((source, own, (part.start, part.end)))
            for number, sound in read_parts(file, [part for _, _, part in asked]) if asked else ():
                if not isinstance(sound, MediaError):
                    source, own, _ = asked[number]
                    result.found.append(_ends(source, own, sound))
    return result


def _ends(source: Source, own: str, sound: NDArray[np.float32]) -> Ends:
    size = frame_size(SAMPLE_RATE)
    count = -(-len(sound) // size)
    frames = np.zeros((count, size), np.float32)
    frames.reshape(-1)[: len(sound)] = sound
    if rest := len(sound) % size:
        frames[-1, :rest] -= frames[-1, :rest].mean()  # else its end would be a step
    active = [int(frame) for frame in np.flatnonzero(detector("energy")(frames))]
    first, last = (active[0] - MARGIN, active[-1] + 1 + MARGIN) if active else (0, count)
    begin = 0.0 if np.isnan(source.start) else source.start
    start, end = (
        round(begin + frame * size / SAMPLE_RATE, 6) if 0 < frame < count else np.nan for frame in (first, last)
    )
    return Ends(source.clip, own, len(sound) / SAMPLE_RATE, start, end, bool(active))


def cut(corpus: Corpus, ends: Mapping[str, Ends]) -> Corpus:
    """The corpus with the `start` and `end` of its clips where their sound begins and ends."""
    table = corpus.table.copy()
    for name in ("start", "end"):
        at = pd.Series({clip: getattr(one, name) for clip, one in ends.items()}, dtype="float64")
        table[name] = table["clip"].map(at).astype("float64").fillna(table[name])
    return replace(corpus, table=table)


def notes(table: pd.DataFrame, ends: Mapping[str, Ends]) -> Iterator[Problem]:
    """A note on each clip of a table that was not cut since nothing in it is active."""
    several = table["file"].duplicated(keep=False)
    for clip, file, shared in zip(table["clip"], table["file"], several, strict=True):
        if clip in ends and not ends[clip].active:
            yield Problem(file, f"{clip}: {NOTE}" if shared else NOTE)


def summary(table: pd.DataFrame, ends: Mapping[str, Ends]) -> str:
    """How much was cut of the clips of a table, whose `seconds` are of what is left; one clause."""
    before = {clip: ends[clip].seconds for clip in table["clip"] if clip in ends}
    left = table.set_index("clip")["seconds"]
    whole = float(left.drop(list(before)).sum()) + sum(before.values())
    number = sum(ends[clip].cut for clip in before)
    away = duration(whole - float(left.sum()))
    return f"cut {away} of {duration(whole)} at the ends of {number} of {len(table)} clips"


def _read(file: Path) -> dict[str, Ends]:
    """What a folder keeps; nothing where it keeps nothing that can be read."""
    with suppress(CorpusError, KeyError, ValueError):
        table = read_table(file)
        numbers = (pd.to_numeric(table[name]) for name in ("seconds", "start", "end"))
        rows = zip(table["clip"], table["key"], *numbers, table["active"] == "True", strict=True)
        return {row[0]: Ends(*row) for row in rows}
    return {}
