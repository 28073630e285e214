r"""CSV files that a spreadsheet may open: how mien writes them, and reads a cell back, bit for bit.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break as a formula, and names of clips,
files and speakers come from outside. Such a text gets an apostrophe in front, as OWASP advises; a number, such as -0.5,
gets none. A spreadsheet that takes another separator than the comma begins a cell within a text: there, behind a comma,
a semicolon, a tab or a line break, the same holds, and such texts are also wrapped in double quotes. So that every text
has one way back, one more apostrophe also stands before apostrophes that are followed by such a character. What is no
UTF-8 in a file's name is written as `\xNN` (`common.escapes`), and stays so.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from mien.common.escapes import written
from mien.common.files import atomic

if TYPE_CHECKING:
    import pandas as pd

_RUN = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # the last four are the full-width forms of the first four
_SEPARATOR = r"[,;\t\r\n]"
_NUMBER = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)"
_QUOTED = re.compile(rf"\A(?!{_NUMBER}\Z)(?='*{_RUN})|(?<={_SEPARATOR})(?!{_NUMBER}(?:{_SEPARATOR}|\Z))(?='*{_RUN})")
_UNQUOTED = re.compile(rf"(?:\A|(?<={_SEPARATOR}))'(?='*{_RUN})")
_END = "\r\n;\t"  # a csv writer wraps cells that hold one of these


def quoted(value: Any) -> Any:
    """A value as it is written: of a text that a spreadsheet would run, or a part of it, that behind an apostrophe."""
    return _QUOTED.sub("'", written(value)) if isinstance(value, str) else value


def unquoted(value: Any) -> Any:
    """The value that `quoted` was given."""
    return _UNQUOTED.sub("", value) if isinstance(value, str) else value


class _Lines:
    """A text file for a csv writer that ends lines by `_END`; they end by LF."""

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
    _mapped(table, quoted).to_csv(cast("Any", _Lines(file)), index=False, lineterminator=_END)


def unquoted_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table that was read, with its cells and names of columns as they were before `write_table`."""
    return _mapped(table, unquoted)


def _mapped(table: "pd.DataFrame", change: Any) -> "pd.DataFrame":
    """The table with a function of its texts, in those columns that have one that is changed."""
    changed = {}
    for place, (_, column) in enumerate(table.items()):
        if column.dtype.kind == "O" or str(column.dtype) in ("str", "string", "category"):
            values = column.tolist()
            new = [change(value) for value in values]
            if any(
                one is not old and isinstance(old, str) and one != old for one, old in zip(new, values, strict=True)
            ):
                changed[place] = new
    names = [change(name) for name in table.columns]
    if not changed and names == list(table.columns):
        return table
    table = table.copy()
    for place, values in changed.items():
        table.isetitem(place, values)
    table.columns = names
    return table
