"""One file of a split manifest as a table: CSV (comma, tab or semicolon), JSON lines, HiCMAE's lists, `splits.json`.

Every value is text; unknown values are missing.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.audit.splits.findings import counted
from mien.corpora import columns, time_columns, times
from mien.corpora.corpus import read_table
from mien.corpora.schemes import EMOTIONS, SYNONYMS
from mien.data.protocols import PARTS
from mien.errors import CorpusError, nearest

NAMES = (
    "clip",
    "key",
    "utt_id",
    "utterance_id",
    "id",
    "name",
    "utterance",
)  # columns that may name clips, in this order
MELD = ("dialogue_id", "utterance_id")  # it counts dialogues anew in each part
NAMED = "named:"  # before the name of a column that may name clips


def table(path: Path, fold: str, part: str | None, notes: list[str]) -> pd.DataFrame:
    """The rows of one file, with columns named as in `manifests.COLUMNS`, and `place`, the file and number of each row.

    A column that may name clips is kept as `named:` and its name, see `NAMES`; `manifests` chooses among them.

    Args:
        path: the file.
        fold: given by the file's name and folder; the values of a column of folds are appended to it.
        part: given by the file's name, for a file without a column of splits.
        notes: a list of sentences; those on rows that are passed over are added.

    Raises:
        CorpusError: it is no such table, is empty, or a cell cannot be read.
    """
    if path.suffix.lower() == ".json":
        return _ours(path).rename(columns={"clip": f"{NAMED}clip"})
    whole, hint = _whole(path)
    known = _renamed(path, whole, notes)
    there = ", ".join(map(str, whole.columns)) + hint
    if not _naming(known):
        raise CorpusError(f"{path}: no column 'file' or 'clip'; it has: {there}")
    if "split" not in known and part is None:
        raise CorpusError(f"{path}: no column 'split', and no part such as train in its name; it has: {there}")
    if known.empty:
        raise CorpusError(f"{path}: has a header but no row; a split manifest has a row for each clip")
    known, missing = columns.known(known.astype("str").replace("nan", None).apply(_trimmed))
    notes += [sentence.replace(NAMED, "") for sentence in missing]
    known = columns.whole(known)
    for name in [name for name in known if str(name).startswith(NAMED)]:
        known[name] = columns.somebody(known[name])  # such as 'unknown' of openSMILE, where no name was given
    if known[_naming(known)].isna().to_numpy().all():
        named = " and ".join(f"'{name.removeprefix(NAMED)}'" for name in _naming(known))
        raise CorpusError(f"{path}: no row names a clip in {named}; give a column 'file' or 'clip' that does")
    if "speaker" in known:
        known["speaker"] = columns.somebody(known["speaker"])
    known["split"] = _splits(path, known["split"]) if "split" in known else part
    known, timed = times.spans(known, path)
    notes += timed
    times.refuse_words(known, ("start", "end"), path)
    _refuse_reversed(path, known)
    known["place"] = [f"{path.name}:{row + 1}" for row in range(len(known))]
    if set(MELD) <= set(known):
        known[f"{NAMED}clip"] = known["split"] + "/dia" + known.pop(MELD[0]) + "_utt" + known.pop(MELD[1])
    if (lacking := known[_naming(known)].isna().all(axis=1)).any():
        notes.append(f"{path}: {counted(int(lacking.sum()), 'row')} without the name of a clip, passed over")
    own = known["fold"].fillna("") if "fold" in known else ""
    return known[~lacking].assign(fold=fold + own if fold == "" else fold if isinstance(own, str) else fold + "/" + own)


def has_split(path: Path) -> bool:
    """Whether a file is a table with a column of splits; False if it cannot be read."""
    if path.suffix.lower() == ".json":
        return path.name == "splits.json"
    try:
        if path.suffix.lower() == ".jsonl":
            first = json.loads(_first(_lines(path)))
            header = list(first) if isinstance(first, dict) else []
        else:
            first = _first(_lines(path))
            header = first.split(columns.separator(first) or ",")
        named = {columns.plain(name.strip(' "')) for name in header} & set(columns.SPELT["split"])
        return bool(named and (named - set(columns.PARTS_OR_CORPORA) or columns.fitting(_whole(path)[0], "split")))
    except (CorpusError, ValueError):
        return False


def _whole(path: Path) -> tuple[pd.DataFrame, str]:
    """All columns of a file, and a hint for the error message if they are not the expected ones."""
    if path.suffix.lower() == ".jsonl":
        return pd.DataFrame(_objects(path), dtype=object), ""
    first = _first(lines := _lines(path))
    if _is_list(first):
        return _list(path, lines), ""
    separator = columns.separator(first)
    hint = "" if separator else " (columns are separated by commas, tabs or semicolons, and named in the first line)"
    return read_table(path, separator=separator or ",", missing=("",)), hint


def _first(lines: Sequence[str]) -> str:
    return next(line for line in lines if line.strip())


def _is_list(line: str) -> bool:
    """Whether a line is of a HiCMAE list: three words, a path first and a label last."""
    cells = line.split()
    if len(cells) != 3 or not re.search(r"[/\\]", cells[0]):
        return False
    return cells[2].isdecimal() or cells[2].lower() in {*EMOTIONS, *SYNONYMS}


def _refuse_reversed(path: Path, known: pd.DataFrame) -> None:
    """Raise CorpusError if a clip ends before it begins."""
    if not {"start", "end"} <= set(known):
        return
    start, end = (pd.to_numeric(known[name]) for name in ("start", "end"))
    if (wrong := end <= start.fillna(0.0)).any():
        row = int(wrong.to_numpy().argmax())
        raise CorpusError(
            f"{path}: row {row + 1}, column 'end': {known['end'].iloc[row]} is not after the start; give both in "
            "seconds of the file, or call the column 'duration'"
        )


def _trimmed(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Cells without blanks and without the single quotes that openSMILE puts around names; empty ones are missing."""
    return cells.str.strip().str.replace(r"^'(.*)'$", r"\1", regex=True).replace("", None)


def _ours(path: Path) -> pd.DataFrame:
    """`splits.json` of a run, with the clips beside it."""
    try:
        folds = json.loads(_text(path))["folds"]
        rows = [(str(fold["fold"]), part, clip) for fold in folds for part in PARTS for clip in fold[part]["clips"]]
        speakers = {(str(fold["fold"]), part): fold[part]["speakers"] for fold in folds for part in PARTS}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path}: not a splits.json of mien ({type(error).__name__}: {error})") from error
    placed = pd.DataFrame(rows, columns=["fold", "split", "clip"], dtype="str")
    beside = path.with_name("clips.csv")
    if not beside.is_file():
        alone = {key: names[0] for key, names in speakers.items() if len(names) == 1}
        known = [alone.get(key) for key in zip(placed["fold"], placed["split"], strict=True)]
        return placed.assign(speaker=pd.Series(known, index=placed.index, dtype="str"))
    clips = read_table(beside).drop(columns=["fold", "split"], errors="ignore")
    if "clip" not in clips or clips["clip"].duplicated().any():
        raise CorpusError(f"{beside}: has no column 'clip' with a different name in each row; give the run's clips.csv")
    return placed.merge(clips, on="clip", how="left", validate="many_to_one")


def _list(path: Path, lines: list[str]) -> pd.DataFrame:
    """HiCMAE's `frames-folder wav label`, without a header."""
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    if wrong := [number for number, cells in rows if len(cells) != 3]:
        raise CorpusError(f"{path}: line {wrong[0]} is not 'frames-folder wav label', three words separated by spaces")
    return pd.DataFrame([(cells[1], cells[2]) for _, cells in rows], columns=["file", "emotion"], dtype="str")


def _objects(path: Path) -> list[dict[str, Any]]:
    """The JSON object of each line."""
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


def _renamed(path: Path, whole: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The known columns, renamed as in `manifests.COLUMNS`; a column that may name clips is kept beside."""
    there = {columns.plain(name): name for name in reversed(whole.columns)}
    named, renamed = columns.renamed(whole, list(columns.SPELT), path)
    named, timed = time_columns.renamed(named, path)
    time_columns.refuse_missed(named, path)
    notes += [*renamed, *timed]
    found = {name: named[name] for name in (*columns.SPELT, *times.TIMES) if name in named}
    found |= {f"{NAMED}{name}": whole[there[name]] for name in NAMES if name in there}
    return pd.DataFrame(found | ({name: whole[there[name]] for name in MELD} if set(MELD) <= set(there) else {}))


def _naming(known: pd.DataFrame) -> list[str]:
    """The columns that say which clip a row is about."""
    return [str(name) for name in known if name == "file" or str(name).startswith(NAMED)]


def _splits(path: Path, cells: "pd.Series[str]") -> "pd.Series[str]":
    """The words of the column `split` as train, validation and test."""
    words = cells.map(columns.split_of, na_action="ignore")
    if len(strange := cells[cells.notna() & words.isna()]):
        hint = nearest(str(strange.iloc[0]).lower(), columns.SPLITS)
        raise CorpusError(
            f"{path}: row {strange.index[0] + 1}, column 'split': '{strange.iloc[0]}'.{hint} Known: train, validation, "
            "test (also dev, val, eval), and an empty cell for a clip that is not used"
        )
    return words


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise CorpusError(
            f"{path}: not text in UTF-8, so no split manifest; save a table of Excel as CSV UTF-8"
        ) from error


def _lines(path: Path) -> list[str]:
    lines = _text(path).splitlines()
    if not any(line.strip() for line in lines):
        raise CorpusError(f"{path}: is empty; a split manifest has a row for each clip")
    return lines
