"""Shared by the readers of VoxCeleb's recordings: paths, the tables of people, and parts that are taken by a hash.

A segment is `.../SPEAKER/VIDEO/SEGMENT.*`, or `.../SPEAKER/VIDEO_SEGMENT.*` as VoxCeleb1 was named first, the segment
with any number of leading zeros. A person of VoxCeleb1 is a number (id10001) or a name (A.J._Buckley).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from mien.corpora.corpus import read_table
from mien.corpora.readers import _files
from mien.errors import CorpusError

META = "vox1_meta.csv"  # of VoxCeleb1, with tabs: VoxCeleb1 ID, VGGFace1 ID, Gender, Nationality, Set
META2 = "vox2_meta.csv"  # of VoxCeleb2, with commas and blanks before them: VoxCeleb2 ID, VGGFace2 ID, Gender, Set

_SHOWN = 5  # names in a sentence

Key = tuple[str, str, str]  # speaker, video, segment without leading zeros


class Meta(NamedTuple):
    """What the tables of people say of them; empty without the files.

    Attributes:
        name: the name of each number of VoxCeleb1.
        gender: by number, and of VoxCeleb1 by name; so are the next two.
        nationality: of VoxCeleb1 alone.
        part: dev or test, the sets of the release.
    """

    name: Mapping[str, str]
    gender: Mapping[str, str]
    nationality: Mapping[str, str]
    part: Mapping[str, str]


def meta(*files: Path) -> Meta:
    """The tables of people, `META` and `META2`, in one.

    Raises:
        CorpusError: a file is not a table, or lacks a column.
    """
    known = Meta({}, {}, {}, {})
    for file in files:
        own = _meta1(file) if file.name.lower() == META else _meta2(file)
        known = Meta(*({**before, **more} for before, more in zip(known, own, strict=True)))
    return known


def _meta1(file: Path) -> Meta:
    table = read_table(file, separator="\t")
    number, name = "VoxCeleb1 ID", "VGGFace1 ID"
    if lacking := [column for column in (number, name, "Gender", "Nationality") if column not in table]:
        raise CorpusError(f"{file}: no column '{lacking[0]}'; take the file as VoxCeleb1 has it, with tabs")
    listed = table.dropna(subset=[number, name])
    gender, nationality, part = (
        {who: what for column in (number, name) for who, what in zip(listed[column], listed[of], strict=True)}
        if of in table
        else {}
        for of in ("Gender", "Nationality", "Set")
    )
    return Meta(dict(zip(listed[number], listed[name], strict=True)), gender, nationality, part)


def _meta2(file: Path) -> Meta:
    table = read_table(file)
    table.columns = [str(column).strip() for column in table.columns]
    number = "VoxCeleb2 ID"
    if lacking := [column for column in (number, "Gender", "Set") if column not in table]:
        raise CorpusError(f"{file}: no column '{lacking[0]}'; take the file as VoxCeleb2 has it, with commas")
    listed = table.dropna(subset=[number])
    people = listed[number].str.strip()
    gender, part = (dict(zip(people, listed[of].str.strip(), strict=True)) for of in ("Gender", "Set"))
    return Meta({}, gender, {}, part)


def key(speaker: str, video: str, segment: str) -> Key:
    """A segment, however many zeros its number begins with."""
    return speaker, video, segment.lstrip("0")


def possible_keys(path: str, spelt: Mapping[str, str]) -> list[Key]:
    """The segments that a path may be, the current naming first.

    Args:
        path: of a recording.
        spelt: a person's other spelling -> the one that is wanted.
    """
    *above, stem = PurePosixPath(path).with_suffix("").parts
    keys = []
    if len(above) > 1:
        keys.append(key(spelt.get(above[-2], above[-2]), above[-1], stem))
    if above and "_" in stem:
        keys.append(key(spelt.get(above[-1], above[-1]), *stem.rsplit("_", 1)))
    return keys


def is_sound(path: str) -> bool:
    """Whether a recording is sound alone, by its ending."""
    return PurePosixPath(path).suffix.lower() in _files.SOUND


def splits(table: pd.DataFrame) -> "pd.Series[str]":
    """The split of each segment of three partitions.

    A speaker's videos of the partition heard, in the order of a hash of their names, go one by one to validation or
    test, to the part with fewer segments so far; the hash decides between equals. So no video is in both parts, and
    their sizes differ by at most the longest video.

    Args:
        table: one row a segment, with speaker, video and partition.

    Returns:
        "train" for the partition train, "validation" or "test" for the partition heard, "" for others.
    """
    held = table["partition"] == "heard"
    placed = halves(zip(table["speaker"][held], table["video"][held], strict=True))
    values = [
        "train" if partition == "train" else placed[speaker, video] if partition == "heard" else ""
        for speaker, video, partition in zip(table["speaker"], table["video"], table["partition"], strict=True)
    ]
    return pd.Series(values, index=table.index, dtype="str")


def unseen_splits(table: pd.DataFrame, given: Mapping[str, str] = MappingProxyType({})) -> "pd.Series[str]":
    """The split of each segment where unheard people validate and test, as in Albanie et al. 2018, section 5.1.

    The paper chooses its model and reports it on the same people; here one half of them validates and the other half is
    tested, each with all segments, see `halves`.

    Args:
        table: one row a segment, with speaker and partition.
        given: the split of unheard people for whom it is known.

    Returns:
        "train" for the partition train, "seen" for the partition heard, "validation" or "test" for the partition
        unheard, "" for others.
    """
    unheard = table["speaker"][table["partition"] == "unheard"]
    placed = halves(("", person) for person in unheard if not given.get(person))
    words = {"train": "train", "heard": "seen"}
    values = [
        given.get(speaker) or placed[("", speaker)] if partition == "unheard" else words.get(partition, "")
        for speaker, partition in zip(table["speaker"], table["partition"], strict=True)
    ]
    return pd.Series(values, index=table.index, dtype="str")


def halves(segments: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The half, "validation" or "test", of each unit, which stays whole, within its group; see `splits`.

    Args:
        segments: the group and the unit of each segment.
    """
    sizes = Counter(segments)
    held: Counter[tuple[str, str]] = Counter()
    placed: dict[tuple[str, str], str] = {}
    for group, unit in sorted(sizes, key=lambda place: hash_of(*place)):
        parts = ("validation", "test") if hash_of(group, unit)[-1] % 2 else ("test", "validation")
        part = min(parts, key=lambda name: held[group, name])
        placed[group, unit] = part
        held[group, part] += sizes[group, unit]
    return placed


def hash_of(*names: str) -> bytes:
    """32 bytes that look random and are always those of these names."""
    return sha256("/".join(names).encode()).digest()


def counted(names: Iterable[str], what: str) -> str:
    """How many there are, and the first names."""
    several = [PurePosixPath(name).name for name in names]
    more = ", ..." if len(several) > _SHOWN else ""
    return f"{len(several)} {what}{'' if len(several) == 1 else 's'} ({', '.join(several[:_SHOWN])}{more})"
