"""The labels of a user's own embeddings: a table of text, one column a factor, one row a clip; as others write it.

Columns of other names (`Emotion`, `SpkrID`, `label`) are read as ours, see `corpora.columns`, each is noted, and two
that differ are refused. A column that is asked for by its very name keeps it. Cells such as NA and None are missing,
and so is a speaker called unknown.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.corpora import columns
from mien.corpora.corpus import read_table
from mien.errors import AuditError, CorpusError

READ = ("file", "speaker", "emotion", "sentence", "recording")  # what an audit uses, by these names


class Labels(NamedTuple):
    """Labels.

    Attributes:
        table: one column a factor, of text, with missing values.
        names: the given name -> ours, of columns that are read as another.
        notes: sentences on columns that are read as others, and on cells that are taken as missing.
    """

    table: pd.DataFrame
    names: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, as they are here and as they were given."""
        return (*map(str, self.table), *self.names)


def read_labels(
    source: Path | str | pd.DataFrame | Mapping[str, Sequence[object]], asked: Collection[str] = ()
) -> Labels:
    """Read labels as a table of text.

    Args:
        source: a CSV file (commas, tabs or semicolons) with a header line, a table, or factor -> labels.
        asked: names of columns that stay as they are where a column is called so.

    Raises:
        AuditError: the file is no CSV, columns have different lengths or the same name, or there is no row.
        CorpusError: two columns may both be one of ours.
    """
    place = os.fspath(source) if isinstance(source, str | Path) else "labels"
    if isinstance(source, pd.DataFrame | Mapping):
        try:
            table = pd.DataFrame(source).reset_index(drop=True)
        except ValueError as error:
            raise AuditError(f"labels: {error}; give each factor one label for each row") from None
    else:
        table = _csv(Path(source))
    if table.empty:
        raise AuditError(f"{place}: has no row of labels; give one row a clip")
    if repeated := table.columns[table.columns.duplicated()].tolist():
        raise AuditError(f"{place}: two columns are called '{repeated[0]}'; rename one")
    texts = {str(name): _texts(table[name]) for name in table}
    known, missing = columns.known(pd.DataFrame(texts, dtype="str"))
    named, renamed = columns.renamed(known, READ, place, kept=asked)
    names = {str(old): str(new) for old, new in zip(known, named, strict=True) if old != new}
    notes = [*renamed, *missing]
    if "speaker" in named:
        people = columns.somebody(named["speaker"])
        if len(nobody := named["speaker"][named["speaker"].notna() & people.isna()]):
            notes.append(f"the speaker is not known in {len(nobody)} rows, which say '{nobody.iloc[0]}'")
        named["speaker"] = people
    named, joined = columns.within_speaker(named, ("recording",))
    return Labels(named, names, (*notes, *joined))


def _csv(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise AuditError(f"{path}: is a folder; give a CSV file of labels")
    try:
        separator = columns.separator_of(path) if path.is_file() else None
        if separator is None and path.is_file() and _has_blanks(path):
            raise AuditError(
                f"{path}: its columns are separated by blanks, as by R's write.table; write labels with "
                "write.csv(L, row.names = FALSE)"
            )
        return read_table(path, separator=separator or ",", missing=("",))
    except CorpusError as error:
        raise AuditError(f"{error}; give a CSV file of labels, one row a clip") from None


def _has_blanks(path: Path) -> bool:
    """Whether cells in quotes have blanks between them."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return any('" "' in line for line in (file.readline(), file.readline()))


def _texts(column: "pd.Series[Any]") -> Sequence[str | None]:
    """Every cell as text without blanks around it; None where it is missing or empty."""
    if not isinstance(column.dtype, pd.StringDtype):
        return [None if pd.isna(value) else _text(value) for value in column]
    codes, values = pd.factorize(column)  # each text once: there are few, and as many as a million cells
    texts: list[str | None] = np.array([*map(_text, values), None], object)[codes].tolist()
    return texts


def _text(value: object) -> str | None:
    return str(value).strip() or None
