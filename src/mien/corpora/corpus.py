"""A corpus: a checked table of clips, one row a clip, and a list of the problems found.

The table begins with the columns `COLUMNS`, in this order; other columns are kept after them.

- clip: the clip's name, unique in the corpus.
- file: path of the media file relative to the corpus's root, with `/`; missing in a corpus whose clips are single
  images out of a table, see `Corpus.images`.
- start, end: float64 seconds within the file; nan is the file's beginning or end.
- speaker: the speaker's name; missing alone in a corpus that names no speakers, see `Corpus.lacks`, or whose reader
  allows it for single clips. A missing speaker may be anybody, and two of them are not known to be one person.
- gender: "female", "male" or missing.
- emotion: a name in lower case; several are joined by "+" in alphabetical order ("anger+sadness"); missing if unknown.

Every other column is float64 or text. Text has pandas' dtype `str`; a missing value is pandas' own, never "" or a word
such as "NA".
"""

import csv
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.common.cells import unquoted_table
from mien.errors import CorpusError

EARLY = 0.5  # seconds by which a clip may begin before its file, as in transcripts that were aligned by hand or rounded
COLUMNS = ("clip", "file", "start", "end", "speaker", "gender", "emotion")
REQUIRED = ("clip", "file", "speaker")

# What R, Python, Excel and SQL write where nothing is known.
MISSING = ("", "NA", "N/A", "nan", "NaN", "NaT", "None", "<NA>", "NULL", "null", "#N/A")
_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(\.\d*)?[eE][+-]?\d+|inf)")
_GENDERS = {
    **dict.fromkeys(("female", "f", "w", "woman", "weiblich"), "female"),
    **dict.fromkeys(("male", "m", "man", "männlich"), "male"),
}
_NEITHER = frozenset({"unknown", "other", "diverse", "nonbinary", "non-binary", "u", "x", "-"})


class Problem(NamedTuple):
    """Something wrong in a corpus: the file (or, without one, the clip or row) and one clause that describes it."""

    file: str
    problem: str


@dataclass(frozen=True)
class FrameVectors:
    """Frame vectors that a corpus has of its clips, such as the logits of a face model; none is read until asked for.

    Attributes:
        classes: the names of the values, in order.
        every: seconds from one frame to the next; the first frame is the clip's beginning.
        read: clip -> the frames (T, K) float32, and which of them can be used (T,); raises CorpusError.
    """

    classes: tuple[str, ...]
    every: float
    read: Callable[[str], tuple[NDArray[np.float32], NDArray[np.bool_]]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus as read from disk. Made by `check`, so its table has the columns described at the head of this module.

    Attributes:
        name: the reader's name.
        root: the folder that `file` is relative to.
        table: one row a clip.
        problems: columns file, problem; sorted. Most are of clips that were left out, and end so.
        licence: the corpus's licence, in one line.
        source: where to get the corpus.
        expected: how many clips the complete corpus has; None if it is not known.
        scheme: the name of the emotion classes that the corpus is usually read with, see `schemes`.
        notes: sentences on how the table was read.
        lacks: those of `REQUIRED` that no clip of the corpus has.
        images: clip -> its pixels, (C, H, W) uint8, of a corpus whose clips are single images without a file of their
            own; empty for all others.
        frames: frame vectors of all clips; None for a corpus that has none.
    """

    name: str
    root: Path
    table: pd.DataFrame
    problems: pd.DataFrame
    licence: str
    source: str
    expected: int | None
    scheme: str
    notes: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    frames: FrameVectors | None = None

    @property
    def held(self) -> dict[str, Any]:
        """What its frames are: `classes` and `every` of `FrameVectors`; empty without frames."""
        frames = self.frames
        return {} if frames is None else {"classes": list(frames.classes), "every": frames.every}

    @property
    def shortfall(self) -> int:
        """How many clips of the complete corpus are missing; 0 if `expected` is not known."""
        return 0 if self.expected is None else max(0, self.expected - len(self.table))


def check(
    *,
    name: str,
    root: Path,
    table: pd.DataFrame,
    licence: str,
    source: str,
    expected: int | None,
    scheme: str,
    problems: Iterable[Problem] = (),
    notes: Iterable[str] = (),
    users: bool = False,
    lacks: Collection[str] = (),
    may_lack: Collection[str] = (),
    images: Mapping[str, NDArray[np.uint8]] = MappingProxyType({}),
    frames: FrameVectors | None = None,
) -> Corpus:
    """Normalise a table of clips, leave out the rows that break the schema, and list all problems.

    Of several usable rows with the same clip name, the first is kept. All clips of a speaker with two genders are left
    out, since it is not known which of them are whose. A gender that is not understood becomes missing and is listed;
    its clip is kept. Words for neither gender ("other", "unknown", "nonbinary", ...) become missing and are not listed.

    Args:
        name: the reader's name.
        root: the folder that the column `file` is relative to.
        table: at least the columns `REQUIRED` without `lacks` and `may_lack`, one row a clip.
        licence: the corpus's licence.
        source: where to get the corpus.
        expected: how many clips the complete corpus has; None if it is not known.
        scheme: the emotion classes that the corpus is usually read with.
        problems: problems that the reader has listed already.
        notes: sentences on how the table was read.
        users: whether the table is a user's own: files may lie anywhere by absolute paths, and columns stay text.
        lacks: those of `REQUIRED` that the corpus does not have; they are missing in every row.
        may_lack: those of `REQUIRED` that may be missing, in single rows or in all.
        images: see `Corpus.images`.
        frames: see `Corpus.frames`.

    Raises:
        CorpusError: a column is missing or there twice, or no row can be used.
    """
    columns = [str(column) for column in table.columns]
    if missing := [column for column in REQUIRED if column not in (*columns, *lacks, *may_lack)]:
        raise CorpusError(f"{root}: the table of clips has no column '{missing[0]}'; it has: {', '.join(columns)}")
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise CorpusError(f"{root}: the table of clips has two columns '{twice[0]}'; rename one of them")
    given = table.set_axis(columns, axis=1).reset_index(drop=True)
    given = given.drop(columns=[*lacks], errors="ignore")
    clean, complaints, broken = _normalised(given, users, {*lacks, *may_lack})
    listed = [*problems, *complaints]
    if broken.all():
        shown = "; ".join(f"{file}: {problem}" for file, problem in listed[:3]) or "it has no rows"
        raise CorpusError(f"{root}: none of its {len(clean)} clips can be used ({shown})")
    usable = typed(clean[~broken].reset_index(drop=True), () if users else None)
    return Corpus(
        name=name,
        root=root,
        table=usable,
        problems=problem_table(listed),
        licence=licence,
        source=source,
        expected=expected,
        scheme=scheme,
        notes=tuple(notes),
        lacks=tuple(name for name in REQUIRED if usable[name].isna().all()),
        images=images,
        frames=frames,
    )


def places(table: pd.DataFrame) -> "pd.Series[str]":
    """What problems call each row: its file, or its clip where it has none."""
    return table["file"].fillna(table["clip"])


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a table (columns file, problem: text), each once, sorted by file."""
    return pd.DataFrame(sorted(set(problems)), columns=list(Problem._fields), dtype="str")


def typed(table: pd.DataFrame, numbers: Collection[str] | None = None) -> pd.DataFrame:
    """The same rows with `COLUMNS` first and every column float64 or text, so that a CSV file keeps all of it.

    `start` and `end` are numbers, and columns of dtype float64 stay so.

    Args:
        table: one row a clip.
        numbers: other columns that become numbers, where they are there. None is every column outside of `COLUMNS` each
            of whose values is written with a decimal point or an exponent: for tables whose codes are known not to be
            (a user's sentences 1.1 and 1.10 are two).
    """
    result: dict[str, pd.Series[Any]] = {}
    for column in [*COLUMNS, *(str(column) for column in table if column not in COLUMNS)]:
        values: pd.Series[Any] = table[column] if column in table else pd.Series(np.nan, index=table.index)
        if column in ("start", "end"):
            result[column] = pd.to_numeric(values, errors="coerce").astype("float64")
        elif column in COLUMNS:
            result[column] = _text(values)
        elif numbers is None:
            result[column] = _number_or_text(values)
        elif column in numbers:
            result[column] = pd.to_numeric(values).astype("float64")
        else:
            result[column] = values if pd.api.types.is_float_dtype(values.dtype) else _text(values)
    return pd.DataFrame(result, index=table.index)


def fractions(values: "pd.Series[Any]") -> bool:
    """Whether a column holds numbers and nothing else, one at least with a fraction: a measure and no class."""
    numbers = pd.to_numeric(values.dropna(), errors="coerce")
    return len(numbers) > 0 and bool(numbers.notna().all() and (numbers % 1 != 0).any())


def read_table(
    file: Path,
    *,
    encoding_errors: Literal["strict", "replace"] = "strict",
    separator: str = ",",
    missing: Sequence[str] = MISSING,
    blank_lines: bool = False,
) -> pd.DataFrame:
    """A CSV file (UTF-8, a header line) with every cell as text; empty cells and the like are missing.

    Args:
        file: the CSV file.
        separator: the character between two columns.
        encoding_errors: refuse ("strict") or replace ("replace") bytes that are not UTF-8.
        missing: the cells that are missing.
        blank_lines: whether a blank line is a row without cells, so that rows can be counted as in the file; else it is
            passed over.

    A first line such as `sep=;`, which is meant for Excel, is passed over; so is the apostrophe by which a text is kept
    from being run as a formula (`common.cells`).

    Raises:
        CorpusError: the file is missing, is not UTF-8, has two columns of one name, or rows of unequal length.
    """
    try:
        header, skipped = _header(file, separator, encoding_errors)
        table = pd.read_csv(
            file,
            sep=separator,
            skiprows=skipped,
            dtype="str",
            keep_default_na=False,
            na_values=list(missing),
            encoding="utf-8-sig",
            encoding_errors=encoding_errors,
            skip_blank_lines=not blank_lines,
        )
    except FileNotFoundError as error:
        raise CorpusError(f"{file}: no such table of clips") from error
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        between = {",": "commas", "\t": "tabs"}.get(separator, f"'{separator}'")
        raise CorpusError(f"{file}: not a table with {between} and a header line in UTF-8 ({why})") from error
    if twice := [name for name in header if name.strip() and header.count(name) > 1]:
        raise CorpusError(f"{file}: two columns are called '{twice[0]}'; rename one of them")
    if not isinstance(table.index, pd.RangeIndex):
        raise CorpusError(f"{file}: the rows have more cells than the header line; give every column a name")
    return unquoted_table(table)


def _header(file: Path, separator: str, errors: str) -> tuple[list[str], int]:
    """The names of columns as written, since pandas renames the second of a name, and how many lines precede them."""
    with file.open(encoding="utf-8-sig", errors=errors, newline="") as lines:
        first = lines.readline()
        skipped = int(re.fullmatch(r'"?sep=.?"?', first.rstrip("\r\n")) is not None)
        try:
            rows = csv.reader(lines if skipped else itertools.chain([first], lines), delimiter=separator)
            return next((row for row in rows if row), []), skipped
        except csv.Error:
            return [], skipped


def _normalised(
    given: pd.DataFrame, users: bool, optional: Collection[str]
) -> tuple[pd.DataFrame, list[Problem], "pd.Series[bool]"]:
    """The normalised rows, their problems, and which of them cannot be used."""
    clean = typed(given, () if users else None)
    row = pd.Series([f"row {number + 1}" for number in range(len(clean))], index=clean.index, dtype="str")
    which = clean["clip"].fillna(row)
    file = clean["file"].fillna(which)
    shared = file.duplicated(keep=False)
    problems: list[Problem] = []
    broken = pd.Series(False, index=clean.index)
    needed = [name for name in COLUMNS if name in given]

    def complain(rows: "pd.Series[bool]", complaint: str, *, leave_out: bool = True) -> None:
        for at in clean.index[rows]:
            cells = {
                name: given[name][at] if name in ("start", "end", "gender") else clean[name][at] for name in needed
            }
            text = complaint.format(**cells) + (", left out" if leave_out else "")
            problems.append(Problem(str(file[at]), f"{which[at]}: {text}" if shared[at] else text))
        if leave_out:
            broken[rows] = True

    for column in (name for name in REQUIRED if name not in optional):
        complain(clean[column].isna(), f"no {column} is given")
    leaves = clean["file"].map(lambda file: _leaves(file, users), na_action="ignore").eq(True)
    complain(leaves, "the path {file} leaves the corpus's folder" + "; give it as an absolute path" * users)
    for column in ("start", "end"):
        if column in given:
            unread = clean[column].isna() & _text(given[column]).notna() | np.isinf(clean[column])
            complain(unread, f"{column} '{{{column}}}' is not a number of seconds")
    early = (clean["start"] < 0) & (clean["start"] >= -EARLY)
    complain(early, "start {start} is negative, read from 0, kept", leave_out=False)
    clean.loc[early, "start"] = 0.0
    complain(clean["start"] < 0, "start {start} is negative")
    complain(clean["end"] <= clean["start"].fillna(0.0), "end {end} is not after the start")

    words = clean["gender"].str.lower()
    clean["gender"] = words.map(_GENDERS).astype("str")
    strange = words.notna() & clean["gender"].isna() & ~words.isin(_NEITHER)
    complain(strange, "gender '{gender}' is neither female nor male, taken as missing", leave_out=False)
    genders = clean.groupby("speaker")["gender"].nunique()
    both = clean["speaker"].isin(genders.index[genders > 1])
    complain(both, "speaker {speaker} is listed as female and as male")

    clean["emotion"] = clean["emotion"].map(_emotions, na_action="ignore").astype("str")
    repeated = clean["clip"].where(~broken).duplicated() & clean["clip"].notna() & ~broken
    complain(repeated, "the clip name {clip} is taken already")
    return clean, problems, broken


def _text(values: "pd.Series[Any]") -> "pd.Series[str]":
    """As dtype `str`, trimmed; whole numbers that pandas holds as floats, because some are missing, lose the point."""

    def word(value: object) -> str | None:
        if isinstance(value, float | np.floating) and float(value).is_integer():
            value = int(value)
        trimmed = str(value).strip()
        return None if trimmed in MISSING else trimmed

    words = [None if pd.isna(value) else word(value) for value in values]
    return pd.Series(words, index=values.index, dtype="str")


def _number_or_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if pd.api.types.is_float_dtype(values.dtype) and values.notna().any():
        return values.astype("float64")
    words = _text(values)
    present = words.dropna()
    if len(present) and present.map(lambda word: _DECIMAL.fullmatch(word) is not None).all():
        return words.map(float, na_action="ignore").astype("float64")
    return words


def _leaves(file: str, users: bool) -> bool:
    path = PurePosixPath(file)
    return (path.is_absolute() and not users) or ".." in path.parts


def _emotions(emotion: str) -> str | None:
    return "+".join(sorted(set(_parts(emotion)))) or None


def _parts(emotion: str) -> Iterator[str]:
    for part in emotion.lower().split("+"):
        if part.strip():
            yield part.strip()
