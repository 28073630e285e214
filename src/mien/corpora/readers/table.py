"""Any corpus, as a CSV file beside its recordings: UTF-8, a header line, one row a clip.

Columns are separated by commas, semicolons or tabs. `file` is required; `speaker`, `clip`, `start`, `end` (seconds, or
`duration`), `gender`, `emotion` and `split` are used if they are there, and any other column is kept as text, codes
such as 1.10 too; in a table with semicolons numbers with decimal commas are numbers. The same names in other case and
the usual other ones (`Emotion`, `SpkrID`, `Split_Set`, see `corpora.columns`) are read as these, each is noted, and two
that differ are refused. Empty cells are missing, and so are NA, None, NaN and their like, and a speaker called unknown.
A column with a name that mien gives to its own, such as `seconds`, is kept as `seconds_given`. A column `label` is the
emotion where most of its words are emotions, or the option `emotions` names one of them. A clip without a name is named
after its file without the extension, followed by `:START-END` if these are given. Emotions may have the usual spellings
("happy", "hap", "joy"); several are joined by "+". Sessions and recordings that are counted anew for each speaker are
joined with the speaker, and it is noted. Paths are absolute, or relative to the CSV file's folder, or to the folder of
the option `root`. The root is the CSV file, or a folder with `corpus.csv`.
"""

from pathlib import Path

import pandas as pd

from mien.corpora import columns, time_columns, times
from mien.corpora.corpus import Corpus, check, read_table
from mien.corpora.readers import _files
from mien.corpora.schemes import canonical
from mien.errors import CorpusError

SOURCE = "your own recordings"
LICENCE = "as stated by the owner of the recordings"
SPEECH = "as stated by the owner of the recordings"
EXPECTED = None
SCHEME = "canonical"
MAY_LACK = ("speaker",)
OPTIONS = {"root": "the folder that relative paths are relative to (default: the folder of the CSV file)"}
PLACES = ("root",)
READ = ("file", "split", "speaker", "gender", "emotion", "sentence", "session", "recording")
ALSO = ("emotions",)
RESERVED = ("seconds", "sha256", "video_seconds", "label", "corpus", "truth", "predicted")  # columns that mien makes


def read(table_or_folder: Path, /, *, root: str | None = None, emotions: str = "") -> Corpus:
    """Read a table of clips.

    Args:
        table_or_folder: the CSV file, or a folder with `corpus.csv`.
        root: see `OPTIONS`.
        emotions: the option of every reader; a column `label` that holds one of its words is the emotion.

    Raises:
        CorpusError: no such file, no column `file`, two columns that may both be one of ours, or no row that can be
            used.
    """
    listing = table_or_folder / "corpus.csv" if table_or_folder.is_dir() else table_or_folder
    if not listing.is_file():
        raise CorpusError(f"{table_or_folder}: neither a CSV file nor a folder with corpus.csv")
    folder = listing.parent if root is None else Path(root)
    if not folder.is_dir():
        raise CorpusError(f"--option root={root}: no such folder")
    separator = columns.separator_of(listing) or ","
    table, notes = columns.known(read_table(listing, separator=separator, missing=("",)))
    given = list(map(str, table))
    if table.empty:
        raise CorpusError(f"{listing}: has a header line and no clips; write one row a clip")
    mapped = {pair.partition(":")[0].strip().lower() for pair in emotions.split(",")}
    table, renamed = columns.renamed(table, READ, listing, emotions=mapped)
    table, moments = time_columns.renamed(table, listing)
    time_columns.refuse_missed(table, listing)
    table, timed = times.spans(_kept(table, notes), listing)
    notes += timed
    if separator == ";":
        table = _with_points(table, notes)
    if "file" not in table:
        raise CorpusError(
            f"{listing}: no column 'file'; it has: {', '.join(given)}; rename the one that names the recordings to "
            f"'file' (read as it, too: {', '.join(columns.SPELT['file'][1:])})"
        )
    notes += [
        f"no column is read as the {column}; the columns are: {', '.join(given)}; if one {what}, call it '{column}'"
        for column, what in (("speaker", "names the people"), ("emotion", "holds it"))
        if column not in table
    ]
    table["speaker"] = columns.somebody(table["speaker"]) if "speaker" in table else None
    table["file"] = table["file"].map(lambda file: _inside(file, folder), na_action="ignore").astype("str")
    if "clip" in table and _counted_anew(table):
        table = table.rename(columns={"clip": f"clip{columns.GIVEN}"})
        notes.append(
            "the column 'clip' does not name each file, or part of one, once; clips are named by their files, and the "
            "column is kept as 'clip_given'"
        )
    named = _names(table)
    table["clip"] = table["clip"].fillna(named) if "clip" in table else named
    if "emotion" in table:
        table["emotion"] = table["emotion"].map(canonical, na_action="ignore").astype("str")
    if "split" in table:
        words = table["split"].map(columns.split_of, na_action="ignore")
        table["split"] = words if words.notna().equals(table["split"].notna()) else table["split"]
    table, joined = columns.within_speaker(table)
    there, problems = _files.existing(table, folder)
    if there.empty:
        raise CorpusError(
            f"{listing}: none of its {len(table)} files is there, such as {folder / str(table['file'].iloc[0])}; "
            "relative paths are relative to the table's folder, or give --option root=FOLDER"
        )
    if 0 < (unknown := int(there["speaker"].isna().sum())) < len(there):
        notes.append(
            f"the speakers of {unknown} of {len(there)} clips are not known: such clips are never scored, and may "
            "train as clips without a label do"
        )
    return check(
        name="table",
        root=folder,
        table=there,
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
        notes=[*renamed, *moments, *notes, *joined],
        users=True,
        may_lack=MAY_LACK,
    )


def _kept(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The table without names of columns that mien gives to its own: these get the ending `_given`."""
    taken = [name for name in table if str(name) in RESERVED]
    new = {name: f"{name}{columns.GIVEN}" for name in taken}
    notes += [f"the column '{name}' is kept as '{new[name]}', since mien has a column of that name" for name in taken]
    return table.rename(columns=new)


def _with_points(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The table of a program that writes decimal commas: further columns of such numbers alone are numbers."""
    others = [str(name) for name in table if name not in (*READ, *times.TIMES, "clip")]
    found = [name for name in others if times.of_commas(table[name])]
    if found:
        notes.append(f"decimal commas are read as points: {', '.join(found)}")
    points = {name: pd.to_numeric(table[name].str.strip().str.replace(",", ".")).astype("float64") for name in found}
    return table.assign(**points)


def _inside(file: str, place: Path) -> str:
    """An absolute path within the folder as a relative one; any other path as it is.

    Behind a link `..` leaves the folder that the link leads to, as for the operating system. A relative path that then
    leaves the folder keeps its `..`, which `corpus.check` refuses.
    """
    given = Path(file.strip())
    path, tops = given, [place.absolute()]
    if ".." in given.parts:
        tops.append(place.resolve())
        last = len(given.parts) - given.parts[::-1].index("..")
        path = (place / Path(*given.parts[:last])).resolve() / Path(*given.parts[last:])
    for top in tops:
        if path.is_relative_to(top):
            return path.relative_to(top).as_posix()
    return (path if given.is_absolute() else given).as_posix()


def _counted_anew(table: pd.DataFrame) -> bool:
    """Whether a name in the column `clip` is of several files, or of several parts of one."""
    parts = table[[name for name in ("clip", "file", "start", "end") if name in table]]
    return bool(parts[parts[["clip", "file"]].notna().all(axis=1)].drop_duplicates()["clip"].duplicated().any())


def _names(table: pd.DataFrame) -> "pd.Series[str]":
    """The file without its ending, and the part of it. Files that differ in the ending alone keep it."""
    stems = table["file"].map(lambda file: Path(file).with_suffix("").as_posix(), na_action="ignore").astype("str")
    names = stems.mask(table["file"].groupby(stems).transform("nunique") > 1, table["file"])
    if not {"start", "end"} & set(table):
        return names
    empty = pd.Series("", index=table.index, dtype="str")
    start, end = (table[column].fillna("") if column in table else empty for column in ("start", "end"))
    return names.where((start == "") & (end == ""), names + ":" + start + "-" + end)
