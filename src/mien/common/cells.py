"""CSV files that a spreadsheet may open: how mien writes them, and reads a cell back, bit for bit.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break as a formula, and names of clips,
files and speakers come from outside. Such a text gets an apostrophe in front, as OWASP advises; a number, such as -0.5,
gets none. So that every text has one way back, one more apostrophe also stands before a text that begins with
apostrophes and then such a character.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from mien.common.files import atomic

if TYPE_CHECKING:
    import pandas as pd

_RUN = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # the last four are the full-width forms of the first four
_QUOTED, _UNQUOTED = re.compile(rf"'*{_RUN}"), re.compile(rf"'+{_RUN}")
_END = "\r\n"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.ASCII)


def quoted(value: Any) -> Any:
    """A value as it is written: of a text that a spreadsheet would run, the text behind an apostrophe."""
    run = isinstance(value, str) and _QUOTED.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if run else value


def unquoted(value: Any) -> Any:
    """The value that `quoted` was given."""
    return value[1:] if isinstance(value, str) and _UNQUOTED.match(value) else value


class _Lines:
    """A text file for a csv writer that ends lines by CR LF, so that it quotes cells with either; they end by LF."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(f"{line.removesuffix(_END)}\n")


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows with all of the columns as a CSV file, atomically."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(_Lines(file), lineterminator=_END)
        writer.writerow([quoted(column) for column in columns])
        writer.writerows([quoted(row[column]) for column in columns] for row in rows)


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table without its index as a CSV file, atomically."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        _write(table, file)


def text_of(table: "pd.DataFrame") -> str:
    """What `write_table` writes."""
    file = StringIO(newline="")
    _write(table, file)
    return file.getvalue()


def _write(table: "pd.DataFrame", file: TextIO) -> None:
    _mapped(table, quoted, _QUOTED).to_csv(cast("Any", _Lines(file)), index=False, lineterminator=_END)


def unquoted_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table that was read, with its cells and names of columns as they were before `write_table`."""
    return _mapped(table, unquoted, _UNQUOTED)


def _mapped(table: "pd.DataFrame", change: Any, which: re.Pattern[str]) -> "pd.DataFrame":
    """The table with a function of its texts, in those columns that have one that is changed."""
    changed = {}
    for place, (_, column) in enumerate(table.items()):
        if column.dtype.kind == "O" or str(column.dtype) in ("str", "string", "category"):
            values = column.tolist()
            if any(isinstance(value, str) and which.match(value) for value in values):
                changed[place] = [change(value) for value in values]
    names = [change(name) for name in table.columns]
    if not changed and names == list(table.columns):
        return table
    table = table.copy()
    for place, values in changed.items():
        table.isetitem(place, values)
    table.columns = names
    return table
