"""A database in audEERING's audformat: a header `db.yaml`, a CSV or Parquet file a table, and the media beside them.

Clips are the rows of the tables with a column `emotion` (else: with a column of the scheme
`emotion`), filewise or segmented; where several tables hold a clip they must agree. Speaker, gender and age are looked
up by clip, then by file, in columns or schemes of that name; gender, age and language else in the labels of the
speaker's scheme. `split` is that of the emotion's tables (else of any), told by their split or by a part of their name:
train, dev, test. Other columns of the emotion's tables are kept, but for names that a prepared corpus has of its own.

How the files are read, and what is not, is told in `database`.
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
LICENCE = "as the database's header says"
EXPECTED = None
SCHEME = "canonical"
SPEECH = "as the database's description says"
OPTIONS = {
    "table": "the table of emotions, or what the names of several begin with; else every table that has some",
    "emotion": "the column or scheme of the emotion; else 'emotion'",
    "speaker": "the column or scheme of the speaker; else 'speaker'",
}

PERSON = ("gender", "age", "language")
OWN = frozenset({*COLUMNS, *PERSON, "split", "seconds", "sha256", "label", "corpus"})
SPLITS = {"train": "train", "dev": "validation", "development": "validation", "validation": "validation"}
SPLITS |= {"test": "test"}


class Values(NamedTuple):
    """A column: its table, its name, its scheme or None, and its values by clip, None where one is missing."""

    table: str
    column: str
    scheme: str | None
    by: dict[Key, str | None]


def read(root: Path, *, table: str | None = None, emotion: str = "emotion", speaker: str = "speaker") -> Corpus:
    """Read an audformat database.

    Args:
        root: the folder with `db.yaml`.
        table: see `OPTIONS`, as the others.
        emotion: a column or scheme.
        speaker: a column or scheme.

    Raises:
        ConfigError: a table is Parquet and the extra is not installed.
        CorpusError: no database, no emotions or speakers in it, or tables that disagree.
    """
    database = files.read(root)
    chosen = [name for name in database.tables if table is None or f"{name}.".startswith(f"{table}.")]
    if not chosen:
        raise CorpusError(f"{root}: {unknown('table', str(table), database.tables)}")
    emotions = _columns(database, emotion, chosen)
    speakers = _columns(database, speaker, [one.table for one in emotions]) or _columns(database, speaker)
    for name, found in ((emotion, emotions), (speaker, speakers)):
        if not found:
            option = "emotion" if found is emotions else "speaker"
            raise CorpusError(f"{root}: no column and no scheme '{name}' in its tables; give --option {option}=NAME")
    felt = _joined(root, emotions)
    rows, problems = _rows(database, felt, emotions, speakers)
    there = [(root / row["file"]).is_file() for row in rows]
    problems += [
        Problem(row["file"], "no such file, left out") for row, one in zip(rows, there, strict=True) if not one
    ]
    if not any(there):
        raise CorpusError(f"{root}: not one of its {len(felt)} clips has its file and one speaker")
    return check(
        name="audformat",
        root=root,
        table=pd.DataFrame([row for row, one in zip(rows, there, strict=True) if one]),
        licence=database.licence or LICENCE,
        source=database.source or SOURCE,
        expected=len(felt),
        scheme=SCHEME,
        problems=problems,
    )


def _columns(database: Database, name: str, among: Iterable[str] | None = None) -> list[Values]:
    """The columns of a name in some tables, or in all; where there is none, those of the scheme of that name."""
    tables = dict.fromkeys(database.tables if among is None else among)
    there = [
        Values(table, column, own.schemes[column], dict(zip(own.keys, values, strict=True)))
        for table in tables
        for own in (database.tables[table],)
        for column, values in own.columns.items()
    ]
    return [one for one in there if one.column == name] or [one for one in there if one.scheme == name]


def _joined(root: Path, columns: Sequence[Values]) -> dict[Key, str | None]:
    """Every clip of the emotion's tables and its emotion, None where it is not known."""
    felt: dict[Key, str | None] = {}
    told: dict[Key, str] = {}
    cuts: dict[str, tuple[bool, str]] = {}
    for column in columns:
        for key, value in column.by.items():
            whole = key[1] is None and key[2] is None
            before, where = cuts.setdefault(key[0], (whole, column.table))
            other = felt.get(key)
            if before != whole or (None not in (other, value) and other != value):
                what = "as a whole and in segments" if before != whole else f"'{other}' and '{value}'"
                raise CorpusError(
                    f"{root}: {key[0]} is told {what} by the tables '{told.get(key, where)}' and '{column.table}'; "
                    "choose with --option table=NAME or --option emotion=COLUMN"
                )
            if other is None:
                felt[key], told[key] = value, column.table
    return felt


class Sought:
    """What columns tell of a clip: of the clip itself, else of its whole file."""

    def __init__(self, columns: Iterable[Values]) -> None:
        self.by: dict[Key, set[str]] = {}
        for column in columns:
            for key, value in column.by.items():
                if value is not None:
                    self.by.setdefault(key, set()).add(str(value))

    def all(self, key: Key) -> list[str]:
        """All that is told, in order."""
        return sorted(self.by.get(key) or self.by.get((key[0], None, None)) or ())

    def one(self, key: Key) -> str | None:
        """What is told, None where nothing or more than one thing is."""
        found = self.all(key)
        return found[0] if len(found) == 1 else None


def _rows(
    database: Database, felt: Mapping[Key, str | None], emotions: Sequence[Values], speakers: Sequence[Values]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """A row a clip with one speaker, and what is wrong with others and with splits."""
    who, people = Sought(speakers), _people(database, speakers)
    persons = {name: Sought(_columns(database, name)) for name in PERSON}
    splits = Sought(_splits(database, [one.table for one in emotions]) or _splits(database, database.tables))
    others = _others(database, emotions, {one.column for one in (*emotions, *speakers)})
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for key, value in felt.items():
        clip, named, parts = _clip(key), who.all(key), splits.all(key)
        if len(named) != 1:
            problems.append(Problem(key[0], f"{clip}: speaker told as {' and '.join(named) or 'nobody'}, left out"))
            continue
        if len(parts) > 1:
            problems.append(Problem(key[0], f"{clip}: in the splits {' and '.join(parts)}, so taken for neither"))
        row = {"clip": clip, "file": key[0], "start": key[1], "end": key[2], "speaker": named[0]}
        row["emotion"] = None if value is None else canonical(str(value))
        row |= {name: sought.one(key) or people.get(named[0], {}).get(name) for name, sought in persons.items()}
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
    """Speaker -> what the labels of the speaker's scheme tell of her."""
    told: dict[str, dict[str, str]] = {}
    for scheme in dict.fromkeys(column.scheme for column in speakers if column.scheme):
        for name, facts in database.labels.get(scheme, {}).items():
            known = {"gender" if fact == "sex" else fact: value for fact, value in facts.items()}
            told.setdefault(name, {}).update({fact: value for fact, value in known.items() if fact in PERSON})
    return told


def _splits(database: Database, among: Iterable[str]) -> list[Values]:
    """The split of the clips of each table that belongs to one."""
    found = []
    for name in dict.fromkeys(among):
        table = database.tables[name]
        words = name.split(".") if table.split is None else [database.splits.get(table.split, table.split)]
        parts = [SPLITS[word] for word in words if word in SPLITS]
        if len(set(parts)) == 1:
            found.append(Values(name, "split", None, dict.fromkeys(table.keys, parts[0])))
    return found


def _others(database: Database, emotions: Sequence[Values], used: Set[str]) -> dict[str, Sought]:
    """The other columns of the emotion's tables."""
    tables = list(dict.fromkeys(one.table for one in emotions))
    names = {column: None for table in tables for column in database.tables[table].columns if column not in OWN | used}
    return {name: Sought(_columns(database, name, tables)) for name in names}
