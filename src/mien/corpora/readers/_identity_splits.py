"""Who is seen and who is unseen: the partition and the split of VoxCeleb's segments, by Albanie et al. (2018, Table 3).

The partition train and the partition heard have the same people and no video in common; people of the partition unheard
are in no other. The split of a segment is train, seen for the partition heard, and validation or test for the partition
unheard, by people, of whom each is in one half (`_voxceleb.unseen_splits`).

A segment that nothing is said of has neither a partition nor a split.
"""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mien.corpora.corpus import Problem
from mien.corpora.readers import _face_logits, _voxceleb
from mien.errors import ConfigError

UNHEARD = 0.2  # of the people; in the paper 30.5 of 153.5 thousand segments are theirs
HEARD = 0.04  # of the videos of the others; in the paper 4.5 of 123 thousand segments

HASH = "hash"  # the value of the option for `by_hash`

_WORDS = {  # of a person: the partition and, if the word says it, the split
    **dict.fromkeys(("train", "training", "seen", "heard", "heardval", "heardtest", "1", "3"), ("seen", "")),
    **dict.fromkeys(("unseen", "unheard", "2"), ("unheard", "")),
    **dict.fromkeys(("val", "valid", "validation", "unheardval", "unseenval"), ("unheard", "validation")),
    **dict.fromkeys(("test", "unheardtest", "unseentest"), ("unheard", "test")),
}
_SETS = {"1": ("train", "train"), "2": ("heard", "validation"), "3": ("heard", "test")}  # of iden_split.txt
_HEADERS = frozenset({"speaker", "speakers", "identity", "identities", "id", "person", "people", "name"})
_IDEN = re.compile(r"([123])\s+(\S+/\S+)")


class Parts(NamedTuple):
    """What a split says of segments.

    Attributes:
        partition: of each segment: train, heard, unheard, or "" where nothing is said.
        split: of each segment: train, seen, validation, test, or "".
        notes: sentences on where it is from.
        problems: what could not be used.
    """

    partition: "pd.Series[str]"
    split: "pd.Series[str]"
    notes: list[str]
    problems: list[Problem]


def by_hash(segments: pd.DataFrame) -> Parts:
    """A split made of the names alone; the same names have the same split.

    The first share `UNHEARD` of the people, in the order of a hash of their names, is unheard (one at least of two or
    more), and of each other person's videos the first share `HEARD` is heard (one at least of two or more).

    Args:
        segments: one row a segment: speaker, video, segment.
    """
    people = sorted(segments["speaker"].unique(), key=_voxceleb.hash_of)
    unheard = set(people[: _share(len(people), UNHEARD)])
    parts = _of_people(segments, {person: ("unheard" if person in unheard else "seen", "") for person in people})
    heard = segments[["speaker", "video"]][parts.partition == "heard"].drop_duplicates()
    videos = segments[["speaker", "video"]][~segments["speaker"].isin(unheard)].drop_duplicates()
    return parts._replace(
        notes=[
            f"the identity split is made here, by a hash of names, since Albanie et al.'s list is not at hand: "
            f"{len(unheard):,} of {len(people):,} people are unheard, and {len(heard):,} of the {len(videos):,} videos "
            "of the others are heard; to give a list: --option split=FILE",
            *parts.notes,
        ]
    )


def from_segments(root: Path, paths: Iterable[str], segments: pd.DataFrame, spelt: Mapping[str, str]) -> Parts | None:
    """The split by the partitions in CSV files of segments, such as the logits of EmoVoxCeleb.

    Args:
        root: the folder of the files.
        paths: CSV files relative to it; those without the columns are ignored.
        segments: as for `by_hash`.
        spelt: a person's other spelling -> the one in `segments`.

    Returns:
        None if no file has the columns.

    Raises:
        ConfigError: a person is unheard in one row and not in another, or no segment is listed.
        CorpusError: a file that has the columns is damaged.
    """
    table, taken, problems = _face_logits.partitions(root, paths)
    if not taken:
        return None
    names = " and ".join(taken)
    people: dict[str, set[str]] = {}
    places: dict[_voxceleb.Key, set[str]] = {}
    for key, partition in zip(_keys(table, spelt), table["partition"], strict=True):
        people.setdefault(key[0], set()).add(partition)
        places.setdefault(key, set()).add(partition)
    if both := [person for person, parts in people.items() if "unheard" in parts and len(parts) > 1]:
        raise ConfigError(
            f"{root / taken[0]}: {both[0]} is in the partition unheard and in another; a person is unheard in all rows "
            "or in none"
        )
    twice = {key for key, parts in places.items() if len(parts) > 1}
    problems += [Problem(taken[0], f"{'/'.join(key)} is in the partitions train and heard, ignored") for key in twice]
    table = table[[key not in twice for key in _keys(table, spelt)]]
    own = _voxceleb.unseen_splits(table).where(table["partition"] != "unheard", "")
    said = dict(zip(_keys(table, spelt), zip(table["partition"], own, strict=True), strict=True))
    return _of_segments(segments, said, names, problems, table["speaker"])


def from_file(file: Path, segments: pd.DataFrame, spelt: Mapping[str, str]) -> Parts:
    """The split that a file gives, in one of four forms; blank lines and those that begin with # are passed over.

    - `SPEAKER SET` in each line, with a comma, semicolon, tab or blanks between: train, seen and heard are seen people,
      unheard and unseen are unheard ones, validation and test are unheard ones of that split. dev is validation beside
      train, and train without it, as in the sets of VoxCeleb.
    - `N SPEAKER/VIDEO/SEGMENT.wav` in each line, as `iden_split.txt` of VoxCeleb1: 1 train, 2 validation, 3 test. All
      people are seen, so 2 and 3 are heard, and validate and test all the same.
    - `SPEAKER` in each line: these people are unheard, all others seen.
    - a CSV file with the columns speaker, video, segment and partition, see `from_segments`.

    The videos of seen people are divided as in `by_hash` where the file names people.

    Args:
        file: the path.
        segments: as for `by_hash`.
        spelt: as for `from_segments`.

    Raises:
        ConfigError: there is no such file, it has none of these forms, a line contradicts another, or nothing in it is
            in `segments`.
    """
    if not file.is_file():
        raise ConfigError(f"option split: {file}: no such file; give a path, or {HASH} for a split by a hash of names")
    parts = from_segments(file.parent, [file.name], segments, spelt)
    if parts is not None:
        return parts
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise ConfigError(f"option split: {file} has no line; write one person a line, or SPEAKER SET")
    if _IDEN.fullmatch(lines[0][1]):
        return _of_segments(segments, _identification(file, lines, spelt), file.name, [])
    rows = [(number, re.split(r"\s*[,;\t]\s*|\s+", line)) for number, line in lines]
    if rows[0][1][0].lower() in _HEADERS:
        rows = rows[1:]
    return _listed_people(file, rows, segments, spelt)


def _identification(
    file: Path, lines: list[tuple[int, str]], spelt: Mapping[str, str]
) -> dict[_voxceleb.Key, tuple[str, str]]:
    """Segment -> partition and split, from lines as in iden_split.txt."""
    said: dict[_voxceleb.Key, tuple[str, str]] = {}
    for number, line in lines:
        match = _IDEN.fullmatch(line)
        keys = _voxceleb.possible_keys(match[2], spelt) if match else []
        if match is None or not keys:
            raise ConfigError(
                f"option split: {file}: line {number}: '{line}' is not N SPEAKER/VIDEO/SEGMENT.wav, N being 1, 2 or 3, "
                "as in iden_split.txt"
            )
        for key in keys:
            if said.setdefault(key, _SETS[match[1]]) != _SETS[match[1]]:
                raise ConfigError(
                    f"option split: {file}: line {number}: {match[2]} is listed with another number already"
                )
    return said


def _listed_people(
    file: Path, rows: list[tuple[int, list[str]]], segments: pd.DataFrame, spelt: Mapping[str, str]
) -> Parts:
    """The split by lines of one person, or of a person and a word."""
    width = len(rows[0][1]) if rows else 1
    plain = [re.sub(r"[^a-z0-9]", "", cells[1].lower()) if len(cells) == 2 else "" for _, cells in rows]
    words = {**_WORDS, "dev": _WORDS["val"] if {"train", "training"} & {*plain} else _WORDS["train"]}
    known: dict[str, tuple[str, str]] = {}
    for (number, cells), word in zip(rows, plain, strict=True):
        if len(cells) != width or width > 2:
            raise ConfigError(
                f"option split: {file}: line {number}: '{' '.join(cells)}' is not like the first line; write one "
                "person in each line, or SPEAKER SET, such as id10001 unheard"
            )
        if width == 2 and word not in words:
            raise ConfigError(
                f"option split: {file}: line {number}: the set '{cells[1]}' is none of train, seen, unheard, unseen, "
                "validation, test, dev"
            )
        person, part = spelt.get(cells[0], cells[0]), words[word] if width == 2 else ("unheard", "")
        if known.setdefault(person, part) != part:
            raise ConfigError(f"option split: {file}: line {number}: {cells[0]} is listed with another set already")
    people = set(segments["speaker"])
    if not people & known.keys():
        raise ConfigError(
            f"option split: {file} lists none of the {len(people):,} people who are there, such as {min(people)}"
        )
    if width == 1:
        known = {person: known.get(person, ("seen", "")) for person in people}
    parts = _of_people(segments, known)
    gone = people - known.keys()
    unheard = sum(known[person][0] == "unheard" for person in people & known.keys())
    notes = [f"the identity split is that of {file.name}: {unheard:,} of {len(people):,} people are unheard"]
    if gone:
        clips = int(segments["speaker"].isin(gone).sum())
        notes.append(f"{file.name} does not list {len(gone):,} people with {clips:,} clips, which are in no split")
    return parts._replace(notes=[*notes, *parts.notes])


def _of_people(segments: pd.DataFrame, known: Mapping[str, tuple[str, str]]) -> Parts:
    """The split by people: each is "seen" or "unheard", with the split of the unheard if it is given, else ""."""
    videos: dict[str, list[str]] = {}
    for speaker, video in dict.fromkeys(zip(segments["speaker"], segments["video"], strict=True)):
        if known.get(speaker, ("", ""))[0] == "seen":
            videos.setdefault(speaker, []).append(video)
    heard = set()
    for speaker, own in videos.items():
        first = sorted(own, key=lambda video: _voxceleb.hash_of(speaker, video))
        heard |= {(speaker, video) for video in first[: _share(len(own), HEARD)]}

    def partition(speaker: str, video: str) -> str:
        part = known.get(speaker, ("", ""))[0]
        return part if part != "seen" else "heard" if (speaker, video) in heard else "train"

    places = zip(segments["speaker"], segments["video"], strict=True)
    partitions = pd.Series([partition(*place) for place in places], index=segments.index, dtype="str")
    return _whole(segments, partitions, {person: split for person, (_, split) in known.items()})


def _of_segments(
    segments: pd.DataFrame,
    said: Mapping[_voxceleb.Key, tuple[str, str]],
    name: str,
    problems: list[Problem],
    listed: Iterable[str] = (),
) -> Parts:
    """The split by segments: each has a partition, and a split unless it is of unheard people."""
    nothing = ("", "")
    values = [said.get(key, nothing) for key in _keys(segments, {})]
    partitions = pd.Series([partition for partition, _ in values], index=segments.index, dtype="str")
    if not partitions.ne("").any():
        person = next(iter(listed), "")
        example = f", such as one of {person}" if person else ""
        raise ConfigError(
            f"{name} lists segments{example}, and none of the {len(segments):,} that are there; where it calls people "
            f"by name, put vox1_meta.csv at the root, or give --option split={HASH}"
        )
    parts = _whole(segments, partitions, {})
    splits = pd.Series([split for _, split in values], index=segments.index, dtype="str")
    notes = [f"the identity split is that of {name}"]
    if unsaid := int(partitions.eq("").sum()):
        notes.append(f"{name} does not list {unsaid:,} of {len(segments):,} clips, which are in no split")
    return Parts(partitions, splits.where(partitions != "unheard", parts.split), [*notes, *parts.notes], problems)


def _whole(segments: pd.DataFrame, partitions: "pd.Series[str]", given: Mapping[str, str]) -> Parts:
    """Partitions with their splits; `given` is the split of unheard people for whom it is known."""
    splits = _voxceleb.unseen_splits(segments.assign(partition=partitions), given)
    counts = partitions.value_counts()
    sizes = ", ".join(f"{name} {int(counts.get(name, 0)):,}" for name in ("train", "heard", "unheard"))
    return Parts(partitions, splits, [f"clips by partition: {sizes}"], [])


def _keys(table: pd.DataFrame, spelt: Mapping[str, str]) -> list[_voxceleb.Key]:
    rows = zip(table["speaker"], table["video"], table["segment"], strict=True)
    return [_voxceleb.key(spelt.get(speaker, speaker), video, segment) for speaker, video, segment in rows]


def _share(count: int, share: float) -> int:
    """A share of a number, rounded; one at least of two or more, and none of one."""
    return 0 if count < 2 else max(1, math.floor(share * count + 0.5))
