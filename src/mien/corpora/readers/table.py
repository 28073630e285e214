"""Any corpus, as a CSV file beside its recordings: UTF-8, commas, a header line, one row a clip.

`file` and `speaker` are required; `clip`, `start`, `end` (seconds), `gender`, `emotion` and `split` are used if they
are there, and any other column is kept. Empty cells are missing. A clip without a name is named after its file without
the extension, followed by `:START-END` if these are given. Emotions may have the usual spellings ("happy", "hap",
"joy"); several are joined by "+". Paths are relative to the CSV file's folder; an absolute path must be inside it
(links in the folder may lead anywhere), so that a table from someone else cannot open other files. The root is the CSV
file, or a folder with `corpus.csv`.
"""

import os
from pathlib import Path

import pandas as pd

from mien.corpora.corpus import Corpus, check, read_table
from mien.corpora.readers import _files
from mien.corpora.schemes import canonical
from mien.errors import CorpusError

SOURCE = "your own recordings"
LICENCE = "as stated by the owner of the recordings"
SPEECH = "as stated by the owner of the recordings"
EXPECTED = None
SCHEME = "canonical"


def read(root: Path) -> Corpus:
    """Read a table of clips.

    Raises:
        CorpusError: no such file, no column `file` or `speaker`, or no row that can be used.
    """
    listing = root / "corpus.csv" if root.is_dir() else root
    if not listing.is_file():
        raise CorpusError(f"{root}: neither a CSV file nor a folder with corpus.csv")
    place = listing.parent
    table = read_table(listing)
    if table.empty:
        raise CorpusError(f"{listing}: has a header line and no clips; write one row a clip")
    if missing := [column for column in ("file", "speaker") if column not in table]:
        raise CorpusError(f"{listing}: no column '{missing[0]}'; it has: {', '.join(map(str, table.columns))}")
    table["file"] = table["file"].map(lambda file: _inside(file, place), na_action="ignore").astype("str")
    named = _names(table)
    table["clip"] = table["clip"].fillna(named) if "clip" in table else named
    if "emotion" in table:
        table["emotion"] = table["emotion"].map(canonical, na_action="ignore").astype("str")
    clips, problems = _files.existing(table, place)
    if clips.empty:
        raise CorpusError(f"{listing}: none of its {len(table)} files is there; paths are relative to {place}")
    return check(
        name="table",
        root=place,
        table=clips,
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
    )


def _inside(file: str, place: Path) -> str:
    """An absolute path within the folder as a relative one; any other path is only normalised."""
    path = Path(os.path.normpath(file.strip()))
    absolute = place.absolute()
    return path.relative_to(absolute).as_posix() if path.is_relative_to(absolute) else path.as_posix()


def _names(table: pd.DataFrame) -> "pd.Series[str]":
    names = table["file"].map(lambda file: Path(file).with_suffix("").as_posix(), na_action="ignore").astype("str")
    if not {"start", "end"} & set(table):
        return names
    empty = pd.Series("", index=table.index, dtype="str")
    start, end = (table[column].fillna("") if column in table else empty for column in ("start", "end"))
    return names.where((start == "") & (end == ""), names + ":" + start + "-" + end)
