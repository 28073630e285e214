"""VoxCeleb1 and VoxCeleb2 (Nagrani et al. 2017, Chung et al. 2018): interviews of 1,251 and 6,112 people, no emotions.

Read from the recordings as they are released, at any depth below the root: `.../SPEAKER/VIDEO/SEGMENT.*`, such as
`wav/id10001/1zcIwhmdeo4/00001.wav` (VoxCeleb1), `dev/aac/id00012/21Uxsk56VDQ/00001.m4a` and `dev/mp4/...`
(VoxCeleb2), or `.../SPEAKER/VIDEO_SEGMENT.wav` as VoxCeleb1 was named first. People of VoxCeleb1 are id1...., of
VoxCeleb2 id0...., so both may be below one root. `vox1_meta.csv` and `vox2_meta.csv`, at the root or below it, give the
gender, for VoxCeleb1 the nationality and the names in place of numbers, and the set (dev, test).

Clips are called SPEAKER/VIDEO/SEGMENT. A segment that is there in several formats is one clip. Columns: recording (the
video), segment, release (VoxCeleb1, VoxCeleb2), partition and split; and set, nationality if a table gives them.

Partition (train, heard, unheard) and split (train, validation, test) say who is seen in training, see
`_identity_splits`: by a file, by the partitions of EmoVoxCeleb if its CSV file lies below the root, or by a hash of
names. Labels by a face model are read by the reader `emovoxceleb`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check
from mien.corpora.readers import _files, _identity_splits, _voxceleb
from mien.errors import ConfigError, CorpusError, unknown

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/"
LICENCE = "CC BY 4.0, for research; the recordings belong to their owners"
SPEECH = "interviews, several languages, without emotion labels"
COMPLETE = {"VoxCeleb1": 153_516, "VoxCeleb2": 1_128_246}
EXPECTED = 1_281_762  # of both: a literal, so that `mien list` reads it without an import
SCHEME = "none"
OPTIONS = {
    "split": "who is unseen: a file of people or segments, or hash, of their names (default: EmoVoxCeleb's CSV file if "
    "it is there, else hash)",
    "media": "which file to take of a segment that has both: sound (default) or video",
}

_PERSON = re.compile(r"id([01])\d{4}")
_SEGMENT = re.compile(r"\d{0,7}")  # without the zeros that it begins with


def read(root: Path, *, split: str = "", media: str = "sound") -> Corpus:
    """Read VoxCeleb1, VoxCeleb2, or both; `expected` counts the releases that are there.

    Args:
        root: the folder of the recordings.
        split: a path, absolute, relative to the working directory, or else to the root; or "hash". Empty takes the CSV
            files with partitions that lie below the root, else "hash".
        media: "sound" or "video".

    Raises:
        ConfigError: an option is not understood, or the split does not fit, see `_identity_splits`.
        CorpusError: `root` is missing, a table is damaged, or no file below it is named like VoxCeleb's.
    """
    if media not in _files.KINDS:
        raise ConfigError(f"option media: {unknown('value', media, _files.KINDS)}")
    paths = _files.files(root, *_files.MEDIA, ".csv")
    tables = [path for path in paths if path.lower().endswith(".csv")]
    listings, problems = _listings(tables)
    meta = _voxceleb.meta(*(root / path for path in listings))
    numbers = {name: number for number, name in meta.name.items()}
    named, strange = _named(set(paths) - set(tables), numbers)
    if not named:
        first = f" ({strange[0].file}: {strange[0].problem})" if strange else ""
        raise CorpusError(
            f"{root}: not VoxCeleb; no recording such as wav/id10001/1zcIwhmdeo4/00001.wav below it{first}"
        )
    kept, doubled = _files.one_each([(path, _shown(key)) for path, key in named.items()], media)
    table = _table(kept.values(), named, meta)
    parts = _parts(root, split, tables, table.rename(columns={"recording": "video"}), numbers)
    table = table.assign(partition=parts.partition, split=parts.split)
    unlisted = [*_unlisted(table, listings, meta)]
    return check(
        name="voxceleb",
        root=root,
        table=table,
        licence=LICENCE,
        source=SOURCE,
        expected=sum(COMPLETE[release] for release in table["release"].unique()),
        scheme=SCHEME,
        problems=[*problems, *strange, *doubled, *unlisted, *parts.problems],
        notes=[*parts.notes, *_formats(named.values(), len(kept), media)],
    )


def _listings(tables: Iterable[str]) -> tuple[list[str], list[Problem]]:
    """The table of people of each release that is nearest to the root, and a problem for each further one."""
    first, problems = [], []
    for name in (_voxceleb.META, _voxceleb.META2):
        if own := [path for path in tables if PurePosixPath(path).name.lower() == name]:
            nearest, others = _files.nearest(own, (name,))
            first.append(nearest)
            problems += [Problem(path, f"a second table of people beside {nearest}, ignored") for path in others]
    return first, problems


def _named(paths: Iterable[str], numbers: Mapping[str, str]) -> tuple[dict[str, _voxceleb.Key], list[Problem]]:
    """The segment of each recording; those that are named otherwise are problems, one for each folder."""
    named: dict[str, _voxceleb.Key] = {}
    strange = []
    for path in sorted(paths):
        for key in _voxceleb.possible_keys(path, numbers):
            if _PERSON.fullmatch(key[0]) and _SEGMENT.fullmatch(key[2]):
                named[path] = key
                break
        else:
            strange.append(path)
    problems = []
    for place, some in groupby(strange, key=lambda path: PurePosixPath(path).parent.as_posix()):
        files = _voxceleb.counted(some, "recording")
        problems.append(Problem(place, f"{files} not at a place such as id10001/1zcIwhmdeo4/00001.wav, left out"))
    return named, problems


def _table(paths: Iterable[str], named: Mapping[str, _voxceleb.Key], meta: _voxceleb.Meta) -> pd.DataFrame:
    """One row a segment; its number is written as in its file's name."""
    files = list(paths)
    people, videos, _ = zip(*(named[path] for path in files), strict=True)
    table = pd.DataFrame({"file": files, "speaker": people, "recording": videos}).astype("str")
    table["segment"] = [PurePosixPath(path).stem.rsplit("_", 1)[-1] for path in files]
    table.insert(0, "clip", table["speaker"] + "/" + table["recording"] + "/" + table["segment"])
    table["gender"] = table["speaker"].map(meta.gender)
    table["release"] = ["VoxCeleb1" if person.startswith("id1") else "VoxCeleb2" for person in people]
    for column, known in (("set", meta.part), ("nationality", meta.nationality)):
        if known:
            table[column] = table["speaker"].map(known)
    return table


def _shown(key: _voxceleb.Key) -> str:
    """A segment in one word."""
    return "/".join((*key[:2], key[2] or "0"))


def _parts(
    root: Path, split: str, tables: Iterable[str], segments: pd.DataFrame, numbers: Mapping[str, str]
) -> _identity_splits.Parts:
    """The partition and the split of each segment."""
    if split == _identity_splits.HASH:
        return _identity_splits.by_hash(segments)
    if not split:
        given = _identity_splits.from_segments(root, tables, segments, numbers)
        return _identity_splits.by_hash(segments) if given is None else given
    file = Path(split)
    return _identity_splits.from_file(file if file.is_file() else root / file, segments, numbers)


def _unlisted(table: pd.DataFrame, listings: Iterable[str], meta: _voxceleb.Meta) -> Iterable[Problem]:
    """A problem for each person whom the table of the release does not list."""
    for path in listings:
        release = "id1" if PurePosixPath(path).name.lower() == _voxceleb.META else "id0"
        own = table["speaker"][table["speaker"].str.startswith(release)].unique()
        for person in sorted(set(own) - meta.gender.keys()):
            yield Problem(path, f"speaker {person} is not listed, so the gender is missing")


def _formats(keys: Iterable[_voxceleb.Key], clips: int, media: str) -> Iterable[str]:
    """A sentence on segments of which there are several recordings."""
    counts = Counter(keys)
    if len(several := [key for key, count in counts.items() if count > 1]):
        yield (
            f"{len(several):,} of {clips:,} clips have several files, such as {_shown(several[0])}; of each the "
            f"{media} is taken, of several formats the first of wav, flac, ogg, mp3, m4a"
        )
