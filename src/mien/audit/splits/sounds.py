"""Clips of a split with the same sound: by bytes, by decoded samples, and by fingerprint. Images: by their pixels.

Fingerprints are computed from a stored feature (`fingerprints.FEATURE`). It is kept beside the other features
(`mien.data.store`), by the hash of each file, so that it is extracted once.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.splits import fingerprints
from mien.audit.splits.checks import Twins
from mien.audit.splits.fingerprints import CONFIG, FEATURE, Fingerprint, Pair
from mien.data import extraction, shards
from mien.data.extraction import Source, Target
from mien.data.joined import Joined
from mien.data.prepared import key
from mien.data.store import open_store
from mien.errors import MediaError
from mien.media.audio import read_audio

WORK = "fingerprints"  # what progress calls it
_EQUAL = 1 - 1e-5  # similarity below which samples cannot be the same


class Sounds(NamedTuple):
    """The result of comparing the sound of clips.

    Attributes:
        twins: pairs of clips of one sound, and of equal images.
        hashes: clip -> the SHA-256 of its file; without images.
        problems: one sentence for each file that could not be read.
        mute: clips without a fingerprint, of those that are compared with all: too short, or without change. They are
            compared by bytes alone.
    """

    twins: list[Twins]
    hashes: dict[str, str]
    problems: list[str]
    mute: list[str]


class _Place(NamedTuple):
    file: Path
    start: float
    end: float


def of_prepared(prepared: Joined, clips: Collection[str], *, beside: Collection[str] = (), workers: int = 1) -> Sounds:
    """The twins among clips of prepared corpora. Missing fingerprints are extracted; images need none.

    Args:
        prepared: one corpus or several.
        clips: names.
        beside: those of the clips that only train, in every fold: two of them are compared by bytes alone.
        workers: processes.
    """
    wanted = prepared.table[prepared.table["clip"].isin(list(clips))]
    equal = list(_equal_images(wanted[wanted["file"].isna()]))
    table = wanted[wanted["seconds"] > 0]
    if table.empty:
        return Sounds(equal, {}, [], [])
    store, names = open_store(prepared, FEATURE, CONFIG), list(table["clip"])
    missing = store.missing(names)
    problems = store.extract(missing, workers=workers, what=WORK) if missing else pd.DataFrame()
    unread = [f"{file}: {problem}" for file, problem in problems.itertuples(index=False)] if len(problems) else []
    lacking, others = set(store.missing(names)), set(beside)
    there = [clip for clip in names if clip not in lacking]
    found = ((clip, fingerprints.fingerprint(store.frames(clip).numpy())) for clip in there if clip in others)
    prints = {clip: fingerprints.fingerprint(store.frames(clip).numpy()) for clip in there if clip not in others}
    keys = {
        str(row["clip"]): (
            key(row["sha256"], row["start"], row["end"]),
            _Place(_media(prepared, row), row["start"], row["end"]),
        )
        for row in table.to_dict("records")
    }
    hashes = dict(zip(table["clip"], table["sha256"], strict=True))
    twins = [*equal, *_twins(keys, prints, found)]
    return Sounds(twins, hashes, unread, sorted(clip for clip in prints if prints[clip] is None))


def of_files(files: Mapping[str, tuple[Path, float, float]], *, workers: int = 1) -> Sounds:
    """The twins among clips of files.

    Args:
        files: clip -> its file, and where it begins and ends there in seconds (nan: the file's beginning and end).
        workers: processes.
    """
    places = {clip: _Place(*place) for clip, place in files.items()}
    sources = [Source(clip, *place, there=(frozenset(),)) for clip, place in places.items()]
    with TemporaryDirectory() as folder:
        readings = list(
            extraction.extract(sources, [Target(Path(folder), FEATURE, CONFIG)], workers=workers, what=WORK)
        )
        prints = {
            entry.clip: fingerprints.fingerprint(shards.Shard(entry.shard).read(entry.begin, entry.end).numpy())
            for entry in shards.entries(Path(folder))
        }
    good = {reading.clip: reading for reading in readings if not reading.problem}
    keys = {
        clip: (key(reading.sha256, places[clip].start, places[clip].end), places[clip])
        for clip, reading in good.items()
        if reading.seconds > 0
    }
    problems = sorted(f"{places[one.clip].file}: {one.problem}" for one in readings if one.problem)
    hashes = {clip: good[clip].sha256 for clip in sorted(good)}
    return Sounds(list(_twins(keys, prints)), hashes, problems, sorted(clip for clip in keys if not prints.get(clip)))


def _equal_images(images: pd.DataFrame) -> Iterator[Twins]:
    for clips in images["clip"].groupby(images["sha256"]).agg(sorted):
        for first, second in combinations(clips, 2):
            yield Twins(first, second, "pixels", 1.0)


def _media(prepared: Joined, row: Mapping[Hashable, Any]) -> Path:
    return prepared.media({str(name): value for name, value in row.items()})


def _twins(
    places: Mapping[str, tuple[str, _Place]],
    prints: Mapping[str, Fingerprint | None],
    others: Iterable[tuple[str, Fingerprint | None]] = (),
) -> Iterator[Twins]:
    """Pairs of clips of one key (equal bytes), then of one sound. One clip of a key is compared for all of it.

    Args:
        places: clip -> its key, and where it is.
        prints: clip -> its fingerprint.
        others: clips and fingerprints that are not compared with each other.
    """
    same: dict[str, list[str]] = {}
    for clip, (identity, _) in sorted(places.items(), key=lambda place: (place[0] not in prints, place[0])):
        same.setdefault(identity, []).append(clip)
    for clips in same.values():
        for first, second in combinations(sorted(clips), 2):
            yield Twins(first, second, "bytes", 1.0)
    group = {clips[0]: clips for clips in same.values()}
    known = {clip: found for clip in group if (found := prints.get(clip)) is not None}
    beside = ((clip, found) for clip, found in others if clip in group and found is not None)
    for pair in fingerprints.duplicates(known, beside):
        how: Literal["samples", "near"] = (
            "samples" if _same_samples(places[pair.first][1], places[pair.second][1], pair) else "near"
        )
        for first in group[pair.first]:
            for second in group[pair.second]:
                one, other = sorted((first, second))
                yield Twins(one, other, how, min(1.0, pair.similarity))


def _same_samples(one: _Place, other: _Place, pair: Pair) -> bool:
    """Whether two clips are equal, sample by sample, as decoded."""
    if pair.similarity < _EQUAL:
        return False
    try:
        samples = [read_audio(place.file, start=place.start, end=place.end) for place in (one, other)]
    except MediaError:
        return False  # the file is gone since its fingerprint was made
    return bool(np.array_equal(samples[0], samples[1]))
