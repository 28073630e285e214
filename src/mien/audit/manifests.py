"""Split manifests of anybody, read into one table: a row for each time that a clip is put into a part of a fold.

- our `splits.json`, with the `clips.csv` beside it; a folder that holds it;
- a CSV file with a column `split`, and perhaps `fold`;
- files of one part each, which their names tell (`train.csv`, `emodb_test_fold_1.jsonl`): EmoBox's lines of JSON
  (`key`, `dataset`, `wav`, `emo`), CSV with a header, HiCMAE's lists (`frames-folder wav label`, no header). A folder
  of them is one fold, a folder of such folders several; a single one of them is read with those beside it.

Every value is text; what nobody tells is missing. Columns: `COLUMNS`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.corpora import names
from mien.corpora.corpus import read_table
from mien.errors import CorpusError
from mien.protocols import PARTS

COLUMNS = (
    "fold", "split", "clip", "file", "start", "end", "corpus", "speaker", "emotion", "sentence", "session", "recording",
    "named", "folder",
)  # fmt: skip

SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "development", "devel", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "evaluation", "eval"), "test"),
}
_SPELT = {  # column -> how others call it, the likeliest first
    "clip": ("clip", "key", "id", "utt_id", "utterance", "utterance_id", "name"),
    "file": (
        "file",
        "wav",
        "path",
        "audio",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "wav_path",
        "audio_path",
    ),
    "split": ("split", "set", "partition", "split_set", "subset"),
    "fold": ("fold", "fold_id"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "actor", "actor_id", "speakerid", "subject"),
    "emotion": ("emotion", "emo", "label", "emotion_label"),
    "corpus": ("corpus", "dataset", "database"),
    "sentence": ("sentence", "sentence_id", "statement"),
    "session": ("session", "session_id"),
    "recording": ("recording", "recording_id", "dialog", "dialogue", "video", "video_id"),
    "start": ("start", "start_time"),
    "end": ("end", "end_time"),
}
_KINDS = (".csv", ".jsonl", ".json")


@dataclass(frozen=True)
class Manifest:
    """A split as it was published.

    Attributes:
        rows: `COLUMNS`; `speaker` is told by the table, else by the file's name, else by a folder; `named` and `folder`
            are what the two latter say.
        files: the files that it was read from.
        said: sentences on what was passed over or could not be told.
    """

    rows: pd.DataFrame
    files: tuple[Path, ...]
    said: tuple[str, ...]


def read(manifest: Path, reader: str | None = None) -> Manifest:
    """Read a manifest.

    Args:
        manifest: a file, or a folder of files.
        reader: the corpus whose rule for file names tells what the table does not; recognised where it is None.

    Raises:
        ConfigError: no corpus of that name has a rule.
        CorpusError: it is missing, no manifest, damaged, has other words in its column `split`, or only one part.
    """
    rule = None if reader is None else names.rule(reader)
    if not manifest.exists():
        raise CorpusError(f"{manifest}: no such split manifest, neither a file nor a folder")
    said: list[str] = []
    tables, files = [], []
    for path, fold in _files(manifest, said):
        tables.append(_table(path, fold, said))
        files.append(path)
    rows = pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS)).astype("str")
    if unused := int(rows["split"].isna().sum()):
        said.append(f"{unused:,} rows have no split and are not examined")
        rows = rows[rows["split"].notna()].reset_index(drop=True)
    if len(found := sorted(set(rows["split"]))) < 2:
        raise CorpusError(
            f"{manifest}: holds {found[0] if found else 'no clip of any split'} only; a split has two parts at least, "
            "such as train and test"
        )
    rows = _told_by_names(rows, rule, said)
    again = rows.duplicated(["fold", "split", "clip", "start", "end", "emotion"])
    if again.any():
        said.append(
            f"{int(again.sum()):,} rows are told twice, such as {rows['clip'][again].iloc[0]}; each counts once"
        )
    return Manifest(rows[~again].reset_index(drop=True), tuple(files), tuple(said))


def _files(manifest: Path, said: list[str]) -> Iterator[tuple[Path, str]]:
    """The files of a manifest, each with the name of its fold, empty where there is one."""
    if manifest.is_file() and not (_part(manifest.stem) and not _has_split(manifest)):
        yield manifest, ""
        return
    root = manifest.parent if manifest.is_file() else manifest
    if (root / "splits.json").is_file() and manifest.is_dir():
        yield root / "splits.json", ""
        return
    below = root.glob("*") if manifest.is_file() else root.rglob("*")
    paths = sorted(path for path in below if path.is_file() and path.suffix.lower() in _KINDS)
    told = [path for path in paths if path.suffix.lower() != ".json" and (_part(path.stem) or _has_split(path))]
    said += [f"{path.relative_to(root)}: its name tells no split, passed over" for path in paths if path not in told]
    if not told:
        raise CorpusError(
            f"{manifest}: no split manifest in it; known are splits.json, a CSV with a column 'split', and files named "
            "after their part, such as train.csv or emodb_test_fold_1.jsonl"
        )
    for path in told:
        yield path, path.parent.relative_to(root).as_posix().removeprefix(".")


def _part(stem: str) -> str | None:
    """The split that a file's name tells, where it tells one."""
    found = {SPLITS[word] for word in re.split(r"[^a-z]+", stem.lower()) if word in SPLITS}
    return found.pop() if len(found) == 1 else None


def _has_split(path: Path) -> bool:
    """Whether a file is a table with a column of splits."""
    if path.suffix.lower() != ".csv":
        return path.name == "splits.json"
    header = _lines(path)[0].lower().split(",")
    return any(name.strip(' "') in _SPELT["split"] for name in header)


def _table(path: Path, fold: str, said: list[str]) -> pd.DataFrame:
    """The rows of one file, columns as `COLUMNS` call them."""
    if path.suffix.lower() == ".json":
        return _ours(path)
    if path.suffix.lower() == ".jsonl":
        table = _renamed(pd.DataFrame(_objects(path), dtype=object))
    elif "," not in (lines := _lines(path))[0] and len(lines[0].split()) >= 3:
        table = _list(path, lines)
    else:
        table = _renamed(read_table(path))
    if "file" not in table and "clip" not in table:
        raise CorpusError(f"{path}: no column 'file' or 'clip'; it has: {', '.join(map(str, table.columns))}")
    table = table.astype("str").replace("nan", None) if len(table.columns) else table
    if "split" in table:
        table["split"] = _splits(path, table["split"])
    elif (part := _part(path.stem)) is None:
        raise CorpusError(
            f"{path}: no column 'split', and its name tells none; it has: {', '.join(map(str, table.columns))}"
        )
    else:
        table["split"] = part
    if "clip" not in table:
        table["clip"] = table["file"].map(_clip, na_action="ignore")
    if (lacking := table["clip"].isna()).any():
        said.append(f"{path}: {int(lacking.sum()):,} rows name no clip, passed over")
    own = table["fold"].fillna("") if "fold" in table else ""
    return table[~lacking].assign(fold=fold + own if fold == "" else fold if isinstance(own, str) else fold + "/" + own)


def _ours(path: Path) -> pd.DataFrame:
    """`splits.json` of a run, with the clips beside it."""
    try:
        folds = json.loads(_text(path))["folds"]
        rows = [(str(fold["fold"]), part, clip) for fold in folds for part in PARTS for clip in fold[part]["clips"]]
        speakers = {(str(fold["fold"]), part): fold[part]["speakers"] for fold in folds for part in PARTS}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path}: not a splits.json of mien ({type(error).__name__}: {error})") from error
    table = pd.DataFrame(rows, columns=["fold", "split", "clip"], dtype="str")
    beside = path.with_name("clips.csv")
    if not beside.is_file():
        alone = {key: told[0] for key, told in speakers.items() if len(told) == 1}
        told = [alone.get(key) for key in zip(table["fold"], table["split"], strict=True)]
        return table.assign(speaker=pd.Series(told, index=table.index, dtype="str"))
    clips = read_table(beside).drop(columns=["fold", "split"], errors="ignore")
    if "clip" not in clips or clips["clip"].duplicated().any():
        raise CorpusError(f"{beside}: has no column 'clip' with a name for each; it is to lie beside splits.json")
    return table.merge(clips, on="clip", how="left", validate="many_to_one")


def _list(path: Path, lines: list[str]) -> pd.DataFrame:
    """HiCMAE's `frames-folder wav label`, without a header."""
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    if wrong := [number for number, cells in rows if len(cells) != 3]:
        raise CorpusError(f"{path}: line {wrong[0]} is not 'frames-folder wav label', three words with a space between")
    return pd.DataFrame([(cells[1], cells[2]) for _, cells in rows], columns=["file", "emotion"], dtype="str")


def _objects(path: Path) -> list[dict[str, Any]]:
    """One JSON object a line."""
    found = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}: line {number} is not JSON ({error})") from error
        if not isinstance(value, dict):
            raise CorpusError(f"{path}: line {number} is no JSON object with keys such as 'key', 'wav' and 'emo'")
        found.append({name: one for name, one in value.items() if not isinstance(one, dict | list)})
    return found


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that are known, under our names."""
    there = {str(column).strip().lower(): column for column in reversed(table.columns)}
    known = {name: next((there[one] for one in spelt if one in there), None) for name, spelt in _SPELT.items()}
    return pd.DataFrame({name: table[column] for name, column in known.items() if column is not None})


def _splits(path: Path, told: "pd.Series[str]") -> "pd.Series[str]":
    """The words of the column `split` as train, validation and test."""
    words = told.str.strip().str.lower()
    if len(strange := told[words.notna() & ~words.isin(list(SPLITS))]):
        near = get_close_matches(str(strange.iloc[0]).lower(), SPLITS, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise CorpusError(
            f"{path}: row {strange.index[0] + 1}, column 'split': '{strange.iloc[0]}'.{hint} Known: train, validation, "
            "test (also dev, val, eval), and an empty cell for a clip that is not used"
        )
    return words.map(SPLITS, na_action="ignore")


def _clip(file: str) -> str:
    return PurePosixPath(file.replace("\\", "/")).with_suffix("").as_posix() if file.strip("./\\ ") else file


def _told_by_names(rows: pd.DataFrame, rule: names.Rule | None, said: list[str]) -> pd.DataFrame:
    """The rows with what file names tell: `named`, `folder`, and speaker, sentence, recording where they lack."""
    paths = rows["file"].fillna(rows["clip"]).str.replace("\\", "/", regex=False)
    told: dict[tuple[str, str], dict[str, str]] = {}
    pairs = pd.DataFrame({"path": paths, "corpus": rows["corpus"].fillna("")}).drop_duplicates()
    for corpus, group in pairs.groupby("corpus", sort=True):
        stems = {path: _stem(path, str(corpus)) for path in group["path"]}
        found = names.find(str(corpus)) if corpus else names.recognise(stems.values())
        using = rule or (names.RULES[found] if found else None)
        if using is None:
            continue
        read = {path: using.told(stem) for path, stem in stems.items()}
        if strange := [path for path, parts in read.items() if parts is None]:
            said.append(f"{len(strange):,} of {len(read):,} names are not those of the corpus, such as {strange[0]}")
        for path, parts in read.items():
            by_folder = using.folder_speaker(path)
            told[path, str(corpus)] = (parts or {}) | ({"folder": by_folder} if by_folder else {})
    keys = list(zip(paths, rows["corpus"].fillna(""), strict=True))
    added = pd.DataFrame([told.get(key, {}) for key in keys], index=rows.index, dtype="str")
    columns = ["speaker", "sentence", "emotion", "session", "recording", "folder"]
    added = added.reindex(columns=columns).astype("str")
    result = rows.assign(named=added["speaker"], folder=added["folder"])
    result["speaker"] = rows["speaker"].fillna(added["speaker"]).fillna(added["folder"])
    for column in ("sentence", "session", "recording", "emotion"):
        if result[column].isna().all():
            result[column] = added[column]
    return result


def _stem(path: str, corpus: str) -> str:
    """The name without its folder and ending, and without the corpus that keys of EmoBox begin with."""
    name = PurePosixPath(path).name
    name = PurePosixPath(name).stem if re.search(r"\.\w{1,5}$", name) else name
    return name.removeprefix(f"{corpus}-") if corpus else name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise CorpusError(f"{path}: not text in UTF-8, so no split manifest") from error


def _lines(path: Path) -> list[str]:
    lines = _text(path).splitlines()
    if not any(line.strip() for line in lines):
        raise CorpusError(f"{path}: is empty; a split manifest has a row for each clip")
    return lines
