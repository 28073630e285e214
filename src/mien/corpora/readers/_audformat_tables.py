"""The files of an audformat database, read without its package: a header `db.yaml` and a CSV or Parquet file a table.

Values are text as in the file, or None if missing, so a speaker 03 stays 03; values of a scheme of times are seconds,
as text. Nothing is executed: the header is read by YAML's safe loader, and pickled tables are not read. Parquet needs
the extra `audformat`. If a table is there as CSV and as Parquet, the CSV file is read; the package writes the same to
both.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from mien.errors import ConfigError, CorpusError

Key = tuple[str, float | None, float | None]  # file, start and end in seconds; None is the file's beginning or end
INDEX = {"filewise": ("file",), "segmented": ("file", "start", "end")}
TIMES = ("start", "end")


class Table(NamedTuple):
    """A table of clips.

    Attributes:
        keys: the clip of each row.
        columns: column -> its value in each row.
        schemes: column -> the name of its scheme or None.
        split: the name of its split or None.
    """

    keys: list[Key]
    columns: dict[str, list[str | None]]
    schemes: dict[str, str | None]
    split: str | None


class Database(NamedTuple):
    """A database with its tables in memory.

    Attributes:
        licence: from the header; empty if it has none.
        source: from the header; empty if it has none.
        tables: in the header's order.
        splits: split -> its type, such as `train`.
        labels: scheme -> label -> fact -> value; schemes without facts about their labels are left out.
    """

    licence: str
    source: str
    tables: dict[str, Table]
    splits: dict[str, str]
    labels: dict[str, dict[str, dict[str, str]]]


def read(root: Path) -> Database:
    """Read the header and all tables of a database.

    Raises:
        ConfigError: a table needs the extra.
        CorpusError: no database, or files that are not as the header describes them.
    """
    path = root / "db.yaml"
    if not path.is_file():
        raise CorpusError(f"{root}: not an audformat database; no db.yaml in it")
    try:
        header = yaml.safe_load(path.read_text(encoding="utf-8"))
        schemes = {str(name): dict(entry or {}) for name, entry in (header.get("schemes") or {}).items()}
        tables = {str(name): _described(entry) for name, entry in (header.get("tables") or {}).items()}
        misc = {str(name): _described(entry, "levels") for name, entry in (header.get("misc_tables") or {}).items()}
        splits = {str(name): str(entry["type"]) for name, entry in (header.get("splits") or {}).items()}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise CorpusError(f"{path}: not the header of an audformat database ({_plain(error)})") from error
    loaded = {name: _table(root, name, described, schemes) for name, described in tables.items()}
    people = {name: _facts(root, name, described, schemes) for name, described in misc.items()}
    labels = {name: _labels(scheme.get("labels"), people) for name, scheme in schemes.items()}
    return Database(
        str(header.get("license") or ""),
        str(header.get("source") or ""),
        loaded,
        splits,
        {name: facts for name, facts in labels.items() if facts},
    )


class _Described(NamedTuple):
    """A table as the header describes it: its index columns, its columns with their schemes, its split."""

    levels: tuple[str, ...]
    schemes: dict[str, str | None]
    split: str | None


def _described(entry: Mapping[str, Any], index: str = "type") -> _Described:
    columns = {str(name): (column or {}).get("scheme_id") for name, column in (entry.get("columns") or {}).items()}
    return _Described(INDEX[entry["type"]] if index == "type" else tuple(entry[index]), columns, entry.get("split_id"))


def _table(root: Path, name: str, described: _Described, schemes: Mapping[str, Mapping[str, Any]]) -> Table:
    path, columns = _stored(root, name, described, schemes)
    files, empty = columns["file"], [None] * len(columns["file"])
    if None in files:
        raise CorpusError(f"{path}: row {files.index(None) + 1} has no file")
    starts, ends = (columns[time] if time in described.levels else empty for time in TIMES)
    keys = [
        (str(file), float(start or 0) or None, None if end is None else float(end))
        for file, start, end in zip(files, starts, ends, strict=True)
    ]
    return Table(keys, {column: columns[column] for column in described.schemes}, described.schemes, described.split)


def _facts(
    root: Path, name: str, described: _Described, schemes: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, str]]:
    """The rows of a table of labels: label -> fact -> value."""
    _, columns = _stored(root, name, described, schemes)
    return {
        str(label): {fact: value for fact in described.schemes if (value := columns[fact][row]) is not None}
        for row, label in enumerate(columns[described.levels[0]])
    }


def _labels(labels: Any, people: Mapping[str, dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    """The facts about the labels of a scheme (label -> fact -> value), from the header or a table of labels."""
    if isinstance(labels, str):
        return people.get(labels, {})
    rows = labels.items() if isinstance(labels, dict) else ()
    return {
        str(label): {str(fact): str(value) for fact, value in facts.items() if value is not None}
        for label, facts in rows
        if isinstance(facts, dict)
    }


def _stored(
    root: Path, name: str, described: _Described, schemes: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, dict[str, list[str | None]]]:
    """The file of a table and its columns, times in seconds."""
    if Path(name).name != name or "\\" in name:
        raise CorpusError(f"{root}: the table '{name}' would be in another folder; a table's name must not be a path")
    path = next((file for kind in ("csv", "parquet") if (file := root / f"db.{name}.{kind}").is_file()), None)
    if path is None:
        raise CorpusError(
            f"{root}: table '{name}' has no file db.{name}.csv or .parquet (a pickle is not read); save the database "
            "with storage_format='csv'"
        )
    times = {column for column, key in described.schemes.items() if key and schemes.get(key, {}).get("dtype") == "time"}
    times |= set(TIMES) & set(described.levels)
    try:
        columns = _csv(path) if path.suffix == ".csv" else _parquet(path)
        if missing := [column for column in (*described.levels, *described.schemes) if column not in columns]:
            raise ValueError(f"no column '{missing[0]}'")
        return path, {
            column: [None if value is None else _text(value, column in times) for value in values]
            for column, values in columns.items()
        }
    except (ValueError, OSError) as error:  # the errors of pandas and pyarrow derive from these
        raise CorpusError(f"{path}: not the table that db.yaml describes ({_plain(error)})") from error


def _csv(path: Path) -> dict[str, list[Any]]:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8").astype(object)
    return {str(column): [None if pd.isna(value) else value for value in frame[column]] for column in frame}


def _parquet(path: Path) -> dict[str, list[Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            f"{path}: a Parquet table needs an extra: pip install 'mien[audformat]'; or save the database with "
            "storage_format='csv'"
        ) from None
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return {name: [None if pd.isna(value) else value for value in values] for name, values in columns.items()}


def _text(value: Any, time: bool) -> str:
    """A value as text; a time in seconds, a date at midnight without the time of day."""
    return str(pd.to_timedelta(value).total_seconds()) if time else str(value).removesuffix(" 00:00:00")


def _plain(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
