"""Which clip each row of a split manifest is about, and one spelling for each file.

A column names clips where each of its values has one file, or one part of a file, and each of these has one value. Else
clips are named by their files. So rows are of one clip only where the table says so.
"""

import os
import posixpath
from pathlib import Path

import pandas as pd

from mien.audit.splits.manifest_tables import NAMED, NAMES
from mien.corpora.media_files import ENDINGS
from mien.corpora.recordings import limits

OWN = ("clip", "key")  # columns that name clips by what they are called; the others of `NAMES` may say something else
_ENDING = r"[^/.](\.\w{1,5})$"


def spelt(file: str, root: Path | None = None) -> str:
    """A path as it is compared: with `/`, without `.`, doubled separators, and folders that `..` leaves again.

    Args:
        file: as in the manifest.
        root: the folder of the recordings. Where a file is there, `..` behind a link leaves the folder that the link
            leads to, as for the operating system.
    """
    path = file.replace("\\", "/")
    if root is not None and ".." in path.split("/") and (root / path).is_file():
        real, top = os.path.realpath(root / path), os.path.realpath(root)
        return Path(os.path.relpath(real, top) if Path(real).is_relative_to(top) else real).as_posix()
    return posixpath.normpath(path)


def without_endings(files: "pd.Series[str]") -> "pd.Series[str]":
    """Files without the endings of media, and without an ending that all files share: codes such as 1.2 have none."""
    endings = files.str.extract(_ENDING, expand=False).str.lower()
    shared = len(set(endings[files.notna()])) == 1
    ends = endings.notna() if shared else endings.isin(ENDINGS)
    return files.mask(ends, files.str.replace(r"\.\w+$", "", regex=True))


def by_file(rows: pd.DataFrame) -> "pd.Series[str]":
    """The file without its ending, and where the clip is a part of it, the part's start and end.

    Files that differ in the ending alone keep it, and files of several corpora with one name begin with the corpus.
    """
    files, stems = rows["file"], without_endings(rows["file"])
    names = stems.mask(files.groupby(stems).transform("nunique") > 1, files)
    if "corpus" in rows:
        names = names.mask(rows["corpus"].groupby(names).transform("nunique") > 1, rows["corpus"] + "/" + names)
    start, end = (
        rows[column].fillna("") if column in rows else pd.Series("", index=rows.index) for column in ("start", "end")
    )
    part = start + "-" + end
    return names + (":" + part).where(part != "-", "")


def clips(rows: pd.DataFrame, notes: list[str]) -> tuple["pd.Series[str]", bool]:
    """The name of each row's clip, and whether the rows name clips at all.

    It is taken from the first column of `manifest_tables.NAMES` that can be one, else from the file and its part, else
    from the place of the row.

    Args:
        rows: as of `manifest_tables.table`, the files spelt by `spelt`.
        notes: a list of sentences; one on a column that names no clips is added.
    """
    if "place" not in rows:  # splits.json, whose names are those of a run
        return rows[f"{NAMED}clip"], True
    there = [name for name in NAMES if f"{NAMED}{name}" in rows]
    refused = f"column '{there[0]}' does not name each clip once; " if there else ""
    for name in there:
        values = rows[f"{NAMED}{name}"]
        values = values.mask(values.str.contains(r"[/\\]", na=False), values.map(spelt, na_action="ignore"))
        if _names(values, rows, name in OWN):
            if "file" in rows:
                values = values.fillna(values.groupby(_part(rows)).transform("first"))
                others = by_file(rows)
                values = values.fillna(others.mask(others.isin(set(values.dropna()))))
            if there[0] in OWN and name != there[0]:
                notes.append(f"{refused}clips are named by the column '{name}'")
            return values.fillna(rows["place"]), True
    if "file" in rows and rows["file"].notna().any():
        if there:
            notes.append(f"{refused}clips are named by their files")
        return by_file(rows).fillna(rows["place"]), True
    notes.append(f"{refused}no column names the clips, so a clip that is listed twice is not recognised")
    return rows["place"], False


def _names(values: "pd.Series[str]", rows: pd.DataFrame, own: bool) -> bool:
    """Whether a column can name clips: each value has one file (or part of it) and each has one value.

    Without files it can where it is neither sentences nor numbers that are counted anew. A column that is called `clip`
    may have any words, and is refused only where it is counted anew for each speaker or file of the manifest.
    """
    if values.isna().any() and not own:
        return False
    named = values.notna()
    filed = rows["file"].notna() & named if "file" in rows else ~named & named
    if filed.any():
        pairs = pd.DataFrame({"value": values[filed], "part": _part(rows)[filed]}).drop_duplicates()
        if not (pairs["value"].is_unique and pairs["part"].is_unique):
            return False
    if not (named & ~filed).any():
        return True
    words = values[named].str.strip()
    numbers = bool(words.str.fullmatch(r"\d+").all())
    if own:
        return not _counted_anew(words, rows[named], numbers)
    return (not numbers or values.is_unique) and not words.str.contains(r"\s").any()


def _part(rows: pd.DataFrame) -> "pd.Series[float]":
    """A number for each row, equal for the same part of the same file; missing where the file is."""
    parts = rows[[name for name in ("corpus", "file") if name in rows]].assign(**limits(rows))
    return parts.groupby(list(parts), dropna=False).ngroup().astype("float64").where(rows["file"].notna())


def _counted_anew(words: "pd.Series[str]", rows: pd.DataFrame, numbers: bool) -> bool:
    """Whether most names that occur again are of several speakers, or numbers in several files of a fold."""
    again = words.duplicated(keep=False)
    if not again.any():
        return False
    people = rows["speaker"].groupby(words).nunique() if "speaker" in rows else pd.Series(0, index=words.unique())
    people = people[words[again].unique()]
    if 2 * int((people > 1).sum()) > len(people):
        return True
    listings = rows["place"].str.rpartition(":")[0].groupby([rows["fold"], words]).nunique()
    return numbers and bool((listings > 1).any()) and not (people == 1).all()
