"""The files of a split manifest, and the part and fold that the name and folder of each give."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mien.audit.splits.manifest_tables import has_split
from mien.corpora.columns import SPLITS
from mien.errors import CorpusError

_KINDS = (".csv", ".tsv", ".jsonl")
_LISTS = (".txt", ".lst")  # read in a folder if the name gives a part
_FOLD = re.compile(r"(?<![a-z])(fold|split|cv)[._-]?(\d+)")
_WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLITS, key=len, reverse=True))})(?![a-z])")


class Place(NamedTuple):
    """A file of a manifest. `fold` is empty if it gives none; `part` is None if the rows have a column of splits."""

    path: Path
    fold: str
    part: str | None


def places(manifest: Path, notes: list[str]) -> list[Place]:
    """The files of a manifest.

    Args:
        manifest: a file, or a folder. With a file of one part, the files beside it are read whose names differ in the
            part alone.
        notes: a list of sentences; those on files that are read or passed over are added.

    Raises:
        CorpusError: a folder without a manifest, or two files of the same part of the same fold.
    """
    if manifest.is_dir() and (manifest / "splits.json").is_file():
        return [Place(manifest / "splits.json", "", None)]
    if manifest.is_dir():
        if not (found := list(_below(manifest, notes))):
            raise CorpusError(
                f"{manifest}: no split manifest in it; known are splits.json, a CSV with a column 'split', and files "
                "named after their part, such as train.csv or emodb_test_fold_1.jsonl"
            )
    elif part(manifest.stem) is None or has_split(manifest):
        return [Place(manifest, "", None)]
    else:
        found = list(_beside(manifest, notes))
    _refuse_twice(found)
    return found


def part(stem: str) -> str | None:
    """The part (train, validation, test) that a file's name gives, or None."""
    found = {SPLITS[word] for word in _WORD.findall(stem.lower())}
    return found.pop() if len(found) == 1 else None


def fold(folder: str, stem: str) -> str:
    """The fold that a folder and a file's name give together, such as `emodb/fold_1`; empty if neither gives one."""
    named = [f"{word}_{int(number)}" for word, number in _FOLD.findall(stem.lower())]
    last = folder.rpartition("/")[2].lower()
    again = [f"{word}_{int(number)}" for word, number in _FOLD.findall(last)]
    if last.isdecimal():
        again = [f"{name.rpartition('_')[0]}_{int(last)}" for name in named]
    return "/".join(name for name in (folder, "" if named == again else "_".join(named)) if name)


def _beside(manifest: Path, notes: list[str]) -> Iterator[Place]:
    """A file of one part, and the files beside it whose names differ in the part alone."""
    rest = _WORD.sub("", manifest.stem.lower())
    same = [path for path in sorted(manifest.parent.glob("*")) if path.suffix.lower() == manifest.suffix.lower()]
    for path in same:
        if path.is_file() and part(path.stem) and _WORD.sub("", path.stem.lower()) == rest:
            if path.name != manifest.name:
                notes.append(f"{path.name} beside {manifest.name} is read with it")
            yield Place(path, fold("", path.stem), part(path.stem))


def _below(root: Path, notes: list[str]) -> Iterator[Place]:
    """All files below a folder that have a column of splits, or a part in their name."""
    passed = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        kind, named = path.suffix.lower(), part(path.stem)
        if (whole := kind in _KINDS and has_split(path)) or (named and kind in (*_KINDS, *_LISTS)):
            folder = path.parent.relative_to(root).as_posix().removeprefix(".")
            yield Place(path, fold(folder, path.stem), None if whole else named)
        elif kind in (*_KINDS, ".json"):
            passed.append(path.relative_to(root).as_posix())
    if passed:
        state = "file is passed over: its name gives" if len(passed) == 1 else "files are passed over: their names give"
        notes.append(f"{len(passed):,} {state} no part of a split, such as {passed[0]}")


def _refuse_twice(found: Sequence[Place]) -> None:
    """Raise CorpusError if two files of one folder have the same part of the same fold."""
    before: dict[tuple[Path, str], list[Place]] = {}
    for place in found:
        others = before.setdefault((place.path.parent, place.fold), [])
        for other in others:
            if place.part == other.part or None in (place.part, other.part):
                raise CorpusError(
                    f"{other.path} and {place.path.name} beside it both give {place.part or other.part or 'the split'} "
                    f"of {place.fold or 'one fold'}; number the folds as in train_fold_1.csv, put each in a folder of "
                    "its own, or give one file alone"
                )
        others.append(place)
