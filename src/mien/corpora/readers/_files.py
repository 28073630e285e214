"""Shared by the readers: the media files below a folder, by path, by stem and by table. Nothing is opened.

Paths are relative to the folder, with `/`, sorted. Other files are ignored and not listed: names that begin with a
dot (such as `._*` of macOS), `__MACOSX`, and every extension that is not in `MEDIA`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Problem
from mien.corpora.folders import MEDIA as MEDIA
from mien.corpora.folders import files as files

SOUND = MEDIA[:5]  # the others are video
KINDS = ("sound", "video")  # the values of the option `media` of readers whose clips may be there as both


def media(root: Path) -> list[str]:
    """All media files below a folder; raises CorpusError if it is missing."""
    return files(root, *MEDIA)


def under_speakers(root: Path, paths: Iterable[str], folder: re.Pattern[str]) -> Iterator[tuple[str, PurePosixPath]]:
    """Each path, and the path that says whose it is: where none of its folders does, with the last three of the root.

    Args:
        root: the folder that paths are relative to; it may be a speaker's, or lie in one.
        paths: as `media` gives them.
        folder: matches the whole name of a folder that names a speaker.
    """
    above = root.resolve().parts[-3:]
    for path in paths:
        place = PurePosixPath(path)
        named = any(folder.fullmatch(part) for part in place.parts[:-1])
        yield path, place if named or not any(map(folder.fullmatch, above)) else PurePosixPath(*above, path)


def nearest(paths: Iterable[str], names: Sequence[str]) -> tuple[str, list[str]]:
    """The path with the fewest folders above it, of equals the first by the order of `names`; and the other paths.

    Args:
        paths: one at least.
        names: file names in small letters; every path has one of them.
    """

    def distance(path: str) -> tuple[int, int]:
        return path.count("/"), names.index(PurePosixPath(path).name.lower())

    first, *others = sorted(paths, key=distance)
    return first, others


def _as_named(stem: str) -> str:
    return stem


def by_stem(paths: Iterable[str], clip_of: Callable[[str], str] = _as_named) -> tuple[dict[str, str], list[Problem]]:
    """One file for each stem, the first in the order of `MEDIA`, then of paths; each further file is a problem.

    Args:
        paths: as `media` gives them.
        clip_of: stem -> its clip, where some clip has several spellings.
    """
    kept: dict[str, str] = {}
    problems = []
    for path in sorted(paths, key=lambda path: (MEDIA.index(PurePosixPath(path).suffix.lower()), path)):
        clip = clip_of(PurePosixPath(path).stem)
        if clip in kept:
            problems.append(Problem(path, f"a second file of the clip {clip} beside {kept[clip]}, left out"))
        else:
            kept[clip] = path
    return dict(sorted(kept.items())), problems


def one_each(named: Iterable[tuple[str, str]], media: str) -> tuple[dict[str, str], list[Problem]]:
    """One file for each clip of which there may be sound and video, each in several encodings.

    Args:
        named: each path with its clip's name.
        media: the kind that is taken where there are both, one of `KINDS`; within a kind, the first in the order of
            `MEDIA`.

    Returns:
        Clip -> its file, in the order of the clips; and a problem for each second file of one ending.
    """
    problems = []
    kept: dict[str, dict[str, str]] = {}
    for path, clip in sorted(named):
        if (first := kept.setdefault(clip, {}).setdefault(PurePosixPath(path).suffix.lower(), path)) != path:
            problems.append(Problem(path, f"a second file of the clip {clip} beside {first}, left out"))

    def order(ending: str) -> tuple[bool, int]:
        return (ending in SOUND) != (media == "sound"), MEDIA.index(ending)

    return {clip: own[min(own, key=order)] for clip, own in sorted(kept.items())}, problems


def usable(
    paths: Iterable[str],
    complaint: Callable[[PurePosixPath], str | None],
    clip_of: Callable[[str], str] = _as_named,
) -> tuple[dict[str, str], list[Problem]]:
    """One file for each stem, as `by_stem`, of the files without a complaint; each other file is a problem.

    Args:
        paths: as `media` gives them.
        complaint: a path -> why the file cannot be used, one clause; None if it can.
        clip_of: as `by_stem`.
    """
    complaints = {path: complaint(PurePosixPath(path)) for path in paths}
    kept, doubled = by_stem((path for path, text in complaints.items() if text is None), clip_of)
    return kept, [*doubled, *(Problem(path, f"{text}, left out") for path, text in complaints.items() if text)]


def existing(table: pd.DataFrame, root: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows whose `file` exists below a folder or is not given, and a problem for each other row."""
    there = table["file"].map(lambda file: (root / file).is_file(), na_action="ignore").ne(False)
    return table[there], [Problem(str(file), "no such file, left out") for file in table["file"][~there]]
