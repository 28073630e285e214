"""A database in audEERING's audformat: a header `db.yaml`, a CSV or Parquet file a table, and the media beside them.

Clips are the rows of the tables that have a column `emotion` (else a column of the scheme `emotion`), filewise or
segmented; if several tables list a clip, they must agree. Speaker, gender, age and language are looked up by clip, then
by file, in columns or schemes of these names; the last three also in the labels of the speaker's scheme. `split` comes
from the emotion's tables (else from any table): from their split, or from a part of their name (train, dev, test).
Other columns of the emotion's tables are kept, except for names that a prepared corpus uses itself.

The files are read by `_audformat_tables`.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.corpora.corpus import COLUMNS, Corpus, Problem, check
from mien.corpora.readers import _audformat_tables as files
from mien.corpora.readers._audformat_tables import Database, Key
from mien.corpora.schemes import canonical
from mien.errors import CorpusError, unknown

SOURCE = "your own database, see https://audeering.github.io/audformat"
LICENCE = "as stated in the header of the database"
EXPECTED = None
SCHEME = "canonical"
SPEECH = "as stated in the description of the database"
OPTIONS = {
    "table": "the table of emotions, or the first part of the names of several (default: all tables with emotions)",
    "emotion": "the column or scheme of the emotion (default: emotion)",
    "speaker": "the column or scheme of the speaker (default: speaker)",
}

PERSON = ("gender", "age", "language")
OWN = frozenset({*COLUMNS, *PERSON, "split", "seconds", "sha256", "label", "corpus"})
SPLITS = {"train": "train", "dev": "validation", "development": "validation", "validation": "validation"}
SPLITS |= {"test": "test"}


class Values(NamedTuple):
    """A column: its table, its name, its scheme or None, and its values by clip, None if missing."""

    table: str
    column: str
    scheme: str | None
    by: dict[Key, str | None]


def read(root: Path, *, table: str | None = None, emotion: str = "emotion", speaker: str = "speaker") -> Corpus:
    """Read an audformat database.

    Args:
        root: the folder with `db.yaml`.
        table: see `OPTIONS`.
        emotion: see `OPTIONS`.
        speaker: see `OPTIONS`.

    Raises:
        ConfigError: a table is Parquet and the extra is not installed.
        CorpusError: no database, no emotions or speakers in it, or tables that disagree.
    """
    database = files.read(root)
    chosen = [name for name in database.tables if table is None or f"{name}.".startswith(f"{table}.")]
    if not chosen:
        raise CorpusError(f"{root}: {unknown('table', str(table), database.tables)}")
    emotions = _columns(database, emotion, chosen)
    speakers = _columns(database, speaker, [column.table for column in emotions]) or _columns(database, speaker)
    for name, columns in ((emotion, emotions), (speaker, speakers)):
        if not columns:
            option = "emotion" if columns is emotions else "speaker"
            raise CorpusError(f"{root}: no column and no scheme '{name}' in its tables; give --option {option}=NAME")
    felt = _joined(root, emotions)
    rows, problems = _rows(database, felt, emotions, speakers)
    there = [(root / row["file"]).is_file() for row in rows]
    problems += [
        Problem(row["file"], "no such file, left out") for row, exists in zip(rows, there, strict=True) if not exists
    ]
    if not any(there):
        raise CorpusError(f"{root}: none of its {len(felt)} clips has a file and exactly one speaker")
    return check(
        name="audformat",
        root=root,
        table=pd.DataFrame([row for row, exists in zip(rows, there, strict=True) if exists]),
        licence=database.licence or LICENCE,
        source=database.source or SOURCE,
        expected=len(felt),
        scheme=SCHEME,
        problems=problems,
    )


def _columns(database: Database, name: str, among: Iterable[str] | None = None) -> list[Values]:
    """The columns of that name in some tables, or in all; if there are none, the columns of the scheme of that name."""
    tables = dict.fromkeys(database.tables if among is None else among)
    columns = [
        Values(table, column, own.schemes[column], dict(zip(own.keys, values, strict=True)))
        for table in tables
        for own in (database.tables[table],)
        for column, values in own.columns.items()
    ]
    named = [values for values in columns if values.column == name]
    return named or [values for values in columns if values.scheme == name]


def _joined(root: Path, columns: Sequence[Values]) -> dict[Key, str | None]:
    """Every clip of the emotion's tables and its emotion, None if it is not known."""
    felt: dict[Key, str | None] = {}
    sources: dict[Key, str] = {}
    listed: dict[str, tuple[bool, str]] = {}
    for column in columns:
        for key, value in column.by.items():
            whole = key[1] is None and key[2] is None
            before, where = listed.setdefault(key[0], (whole, column.table))
            other = felt.get(key)
            if before != whole or (None not in (other, value) and other != value):
                what = "as a whole and in segments" if before != whole else f"with the emotions '{other}' and '{value}'"
                first = sources.get(key, where)
                if first != column.table:
                    tables = f"tables '{first}' and '{column.table}'"
                    way = "choose with --option table=NAME or --option emotion=COLUMN"
                else:
                    tables = f"table '{first}'"
                    way = "keep one of the two" if before != whole else "choose with --option emotion=COLUMN"
                raise CorpusError(f"{root}: {key[0]} is listed {what} in the {tables}; {way}")
            if other is None:
                felt[key], sources[key] = value, column.table
    return felt


class Sought:
    """Looks up the values that columns have for a clip: for the clip itself, else for its whole file."""

    def __init__(self, columns: Iterable[Values]) -> None:
        self.by: dict[Key, set[str]] = {}
        for column in columns:
            for key, value in column.by.items():
                if value is not None:
                    self.by.setdefault(key, set()).add(str(value))

    def all(self, key: Key) -> list[str]:
        """All different values, sorted."""
        return sorted(self.by.get(key) or self.by.get((key[0], None, None)) or ())

    def one(self, key: Key) -> str | None:
        """The value, or None if there is none or more than one."""
        values = self.all(key)
        return values[0] if len(values) == 1 else None


def _rows(
    database: Database, felt: Mapping[Key, str | None], emotions: Sequence[Values], speakers: Sequence[Values]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """One row for each clip with exactly one speaker; and the problems of the other clips and of splits."""
    who, people = Sought(speakers), _people(database, speakers)
    personal = {name: Sought(_columns(database, name)) for name in PERSON}
    splits = Sought(_splits(database, [column.table for column in emotions]) or _splits(database, database.tables))
    others = _others(database, emotions, {values.column for values in (*emotions, *speakers)})
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for key, value in felt.items():
        clip, named, parts = _clip(key), who.all(key), splits.all(key)
        if len(named) != 1:
            complaint = f"has the speakers {' and '.join(named)}" if named else "has no speaker"
            problems.append(Problem(key[0], f"{clip} {complaint}, left out"))
            continue
        if len(parts) > 1:
            problems.append(Problem(key[0], f"{clip} is in the splits {' and '.join(parts)}, so its split is missing"))
        row = {"clip": clip, "file": key[0], "start": key[1], "end": key[2], "speaker": named[0]}
        row["emotion"] = None if value is None else canonical(str(value))
        row |= {name: sought.one(key) or people.get(named[0], {}).get(name) for name, sought in personal.items()}
        row["split"] = parts[0] if len(parts) == 1 else None
        rows.append(row | {name: sought.one(key) for name, sought in others.items()})
    empty = {name for name in (*PERSON[1:], "split") if all(row[name] is None for row in rows)}
    return [{name: value for name, value in row.items() if name not in empty} for row in rows], problems


def _clip(key: Key) -> str:
    file, start, end = key
    name = Path(file).with_suffix("").as_posix()
    first, last = ("" if second is None else np.format_float_positional(second, trim="-") for second in (start, end))
    return name if start is None and end is None else f"{name}:{first}-{last}"


def _people(database: Database, speakers: Sequence[Values]) -> dict[str, dict[str, str]]:
    """Speaker -> gender, age and language, as far as the labels of the speaker's scheme have them."""
    people: dict[str, dict[str, str]] = {}
    for scheme in dict.fromkeys(column.scheme for column in speakers if column.scheme):
        for name, facts in database.labels.get(scheme, {}).items():
            known = {"gender" if fact == "sex" else fact: value for fact, value in facts.items()}
            people.setdefault(name, {}).update({fact: value for fact, value in known.items() if fact in PERSON})
    return people


def _splits(database: Database, among: Iterable[str]) -> list[Values]:
    """The split of the clips of each table that belongs to one."""
    columns = []
    for name in dict.fromkeys(among):
        table = database.tables[name]
        words = name.split(".") if table.split is None else [database.splits.get(table.split, table.split)]
        parts = [SPLITS[word] for word in words if word in SPLITS]
        if len(set(parts)) == 1:
            columns.append(Values(name, "split", None, dict.fromkeys(table.keys, parts[0])))
    return columns


def _others(database: Database, emotions: Sequence[Values], used: Set[str]) -> dict[str, Sought]:
    """The other columns of the emotion's tables."""
    tables = list(dict.fromkeys(column.table for column in emotions))
    names = {column: None for table in tables for column in database.tables[table].columns if column not in OWN | used}
    return {name: Sought(_columns(database, name, tables)) for name in names}
