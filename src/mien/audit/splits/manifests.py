"""Split manifests of several formats, read into one table: one row for each clip in a part of a fold.

- `splits.json` of a run, with the `clips.csv` beside it, or a folder that holds it;
- a table (comma, tab or semicolon) with a column `split`, and optionally `fold`;
- files of one part each, which is in the name (`train.csv`, `emodb_test_fold_1.jsonl`): EmoBox's JSON lines (`key`,
  `dataset`, `wav`, `emo`), tables with a header, HiCMAE's lists (`frames-folder wav label`, no header). The fold is
  given by name (`fold_1`, `split01`, `cv3`) and folder. With a single file, those beside it are read whose names differ
  in the part alone.

Every value is text; unknown values are missing. The columns are `COLUMNS`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from mien.audit.splits import checks, manifest_clips, manifest_tables
from mien.audit.splits.findings import counted
from mien.audit.splits.manifest_tables import has_split
from mien.corpora import columns, names
from mien.corpora.columns import SPLITS
from mien.errors import CorpusError

COLUMNS = (
    "fold", "split", "clip", "file", "start", "end", "corpus", "speaker", "emotion", "sentence", "session", "recording",
    "listed", "named", "folder",
)  # fmt: skip
_KINDS = (".csv", ".tsv", ".jsonl")
_LISTS = (".txt", ".lst")  # read in a folder if the name gives a part
_FOLD = re.compile(r"(?<![a-z])(fold|split|cv)[._-]?(\d+)")
_WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLITS, key=len, reverse=True))})(?![a-z])")


class Place(NamedTuple):
    """A file of a manifest. `fold` is empty if it gives none; `part` is None if the rows have a column of splits."""

    path: Path
    fold: str
    part: str | None


@dataclass(frozen=True)
class Manifest:
    """A published split.

    Attributes:
        rows: `COLUMNS`. `speaker` is that of the table, else that of the file's name, else that of the folder; the
            columns `listed`, `named` and `folder` hold the three.
        named: whether a column, or the files, name the clips; if not, a clip listed twice cannot be recognised.
    files: the files that it was read from.
        notes: sentences on rows and files that were passed over or could not be read.
    """

    rows: pd.DataFrame
    named: bool
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read(manifest: Path, reader: str | None = None, root: Path | None = None) -> Manifest:
    """Read a manifest.

    Args:
        manifest: a file, or a folder of files.
        reader: the corpus whose rule for file names gives what the table lacks. If None, it is recognised by the names.
        root: the folder of the recordings, where it is known, see `manifest_clips.spelt`.

    Raises:
        ConfigError: no corpus of that name has a rule for file names.
        CorpusError: the manifest is missing, damaged or not a manifest, has unknown words in its column `split`, has
            only one part, or fewer than half of its names fit the rule of `reader`.
    """
    rule = None if reader is None else names.rule(reader)
    if not manifest.exists():
        raise CorpusError(f"{manifest}: no such split manifest, neither a file nor a folder")
    notes: list[str] = []
    tables, files = [], []
    for path, fold, part in places(manifest, notes):
        tables.append(manifest_tables.table(path, fold, part, notes))
        files.append(path)
    together = pd.concat(tables, ignore_index=True)
    if "file" in together:
        together["file"] = together["file"].map(lambda file: manifest_clips.spelt(file, root), na_action="ignore")
    clips, named = manifest_clips.clips(together, notes)
    rows = together.assign(clip=clips).reindex(columns=list(COLUMNS)).astype("str")
    if unused := int(rows["split"].isna().sum()):
        notes.append(f"{counted(unused, 'row')} without a split, not examined")
        rows = rows[rows["split"].notna()].reset_index(drop=True)
    if len(found := sorted(set(rows["split"]))) < 2:
        raise CorpusError(
            f"{manifest}: holds {f'clips of {found[0]} only' if found else 'no clip of any split'}; a split has at "
            "least two parts, such as train and test, in one file or in files whose names differ in the part alone"
        )
    if reader is not None:
        _refuse_foreign(manifest, rows, reader)
    rows, joined = columns.within_speaker(_with_names(rows, rule, notes))
    notes += joined
    again = rows.duplicated(["fold", "split", "clip", "corpus", "file", "start", "end", "speaker", "emotion"])
    if again.any():
        first = rows["clip"][again].iloc[0]
        notes.append(f"{counted(int(again.sum()), 'row')} listed twice, such as {first}; each counts once")
    people = rows.groupby("clip")["speaker"].nunique()
    if (several := people.index[people > 1]).size:
        verb = "is" if len(several) == 1 else "are"
        notes.append(f"{counted(len(several), 'clip')} {verb} listed with several speakers, such as {several[0]}")
    return Manifest(rows[~again].reset_index(drop=True), named, tuple(files), tuple(dict.fromkeys(notes)))


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


def _refuse_foreign(manifest: Path, rows: pd.DataFrame, reader: str) -> None:
    """Raise CorpusError if fewer than half of the names fit the rule of a corpus."""
    pairs = pd.DataFrame({"path": _paths(rows), "corpus": rows["corpus"].fillna("")}).drop_duplicates()
    stems = [_stem(path, corpus) for path, corpus in pairs.itertuples(index=False)]
    read = sum(names.rule(reader).parse(stem) is not None for stem in stems)
    if 2 * read >= len(stems):
        return
    better = names.recognise(stems)
    way = f"they fit {better}: give --reader {better}, or leave it out" if better else "leave --reader out"
    raise CorpusError(
        f"{manifest}: only {read:,} of {counted(len(stems), 'file name')} fit the corpus {reader}, unlike {stems[0]}; "
        f"{way}"
    )


def _with_names(rows: pd.DataFrame, rule: names.Rule | None, notes: list[str]) -> pd.DataFrame:
    """The rows with values from file names: `named`, `folder`, and speaker, sentence and others if they are missing."""
    paths = _paths(rows)
    parsed: dict[tuple[str, str], dict[str, str]] = {}
    pairs = pd.DataFrame({"path": paths, "corpus": rows["corpus"].fillna("")}).drop_duplicates()
    for corpus in sorted(set(pairs["corpus"])):
        stems = {path: _stem(path, corpus) for path in pairs["path"][pairs["corpus"] == corpus]}
        found = names.find(corpus) if corpus else names.recognise(stems.values())
        using = rule or (names.RULES[found] if found else None)
        if using is None:
            continue
        read = {path: using.parse(stem) for path, stem in stems.items()}
        if strange := [path for path, parts in read.items() if parts is None]:
            state = f"of {counted(len(read), 'file name')} {'does' if len(strange) == 1 else 'do'} not fit the corpus"
            notes.append(f"{len(strange):,} {state}{f' {corpus}' if corpus else ''}, such as {strange[0]}")
        for path, parts in read.items():
            by_folder = using.folder_speaker(path)
            parsed[path, corpus] = (parts or {}) | ({"folder": by_folder} if by_folder else {})
    keys = list(zip(paths, rows["corpus"].fillna(""), strict=True))
    added = pd.DataFrame([parsed.get(key, {}) for key in keys], index=rows.index, dtype="str")
    columns = ["speaker", "sentence", "emotion", "session", "recording", "folder"]
    added = added.reindex(columns=columns).astype("str")
    result = rows.assign(listed=rows["speaker"], named=added["speaker"], folder=added["folder"])
    result["speaker"] = rows["speaker"].fillna(_called(result)).fillna(added["speaker"]).fillna(added["folder"])
    for column in ("sentence", "session", "recording", "emotion"):
        if result[column].isna().all():
            result[column] = added[column]
    return result


def _called(rows: pd.DataFrame) -> "pd.Series[str]":
    """The table's most frequent name for the speaker of each file name, so that one speaker has one name."""
    keys = rows["corpus"].fillna("") + "\n" + rows["named"]
    known = rows[keys.notna() & rows["listed"].notna()]
    return keys.map(known.groupby(keys[known.index])["listed"].agg(checks.usual)).astype("str")


def _paths(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows["file"].fillna(rows["clip"]).str.replace("\\", "/", regex=False)


def _stem(path: str, corpus: str) -> str:
    """The name without its folder and ending, and without the corpus prefix of EmoBox keys."""
    name = PurePosixPath(path).name
    name = PurePosixPath(name).stem if re.search(r"\.\w{1,5}$", name) else name
    return name.removeprefix(f"{corpus}-") if corpus else name
