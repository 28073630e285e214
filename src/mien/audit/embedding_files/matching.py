"""Which row of labels belongs to which row of embeddings, by columns that name the clips on both sides.

Columns of names are known by their own names (`clip`, `id`, `filename`, ... without regard to case) or have none,
as row names of pandas and R. Two of them match where each names every row once and both hold the same names, as they
are, without folders, or without folders and endings. Of two columns that are called alike one may hold more names than
the other. Row numbers match nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.corpora.columns import SPELT, plain
from mien.errors import AuditError

CLIPS = ("clip", "clips", "clip_id", "clipid", "clip_name", "clipname")
OTHERS = ("name", "key", "id", "utterance", "utterance_id", "utt", "utt_id", "uttid", "segment", "segment_id", "sample")
OTHER = "other"  # the role of a column that is called otherwise, and may still hold the names of the other side
ROW = "row"  # the role of a column of row numbers or row names
INDICES = ("index", "idx", "row", "row_id", "row_number", "rownames", "row_names")

_NUMBER = re.compile(r"[+-]?\d+(\.0*)?")
_ENDING = re.compile(r"\.[A-Za-z]\w{1,4}$")


class Column(NamedTuple):
    """A column that names rows.

    Attributes:
        name: what it is called in the file.
        role: clip, file, row, other, or its own name in lower case.
        names: a name for each row, as text; some may be missing.
    """

    name: str
    role: str
    names: "pd.Series[str]"

    @property
    def numbers(self) -> bool:
        """Whether all its names are whole numbers."""
        return bool(self.names.str.fullmatch(_NUMBER.pattern).eq(True).all())

    @property
    def complete(self) -> bool:
        """Whether it names each row once."""
        return bool(self.names.notna().all() and self.names.is_unique)

    @property
    def rising(self) -> bool:
        """Whether its numbers rise from row to row."""
        return bool((np.diff(self.names.astype("float64")) > 0).all())


class Match(NamedTuple):
    """The name of each row of the embeddings and of the labels, to be joined by, and the sentence on it, if any."""

    clips: "pd.Series[str]"
    labels: "pd.Series[str]"
    note: str | None


def nameless(column: str) -> bool:
    """Whether a header cell is empty: pandas calls such a column 'Unnamed: 0'."""
    word, _, number = column.partition(": ")
    return not column.strip() or (word == "Unnamed" and number.isdecimal())


def role(column: str) -> str | None:
    """What a column names by its name: clip, file, row, or the name itself; None if it names no rows."""
    word = plain(column)
    if nameless(column) or word in INDICES:
        return ROW
    for kind, words in (("clip", CLIPS), ("file", SPELT["file"])):
        if word in words:
            return kind
    return word if word in OTHERS else None


def match(ours: Sequence[Column], theirs: Sequence[Column], place: str) -> Match | None:
    """The names by which embeddings and labels are joined; None where no column names the rows of both.

    Args:
        ours: the columns of names of the embeddings.
        theirs: those of the labels.
        place: the file of the embeddings, for sentences.

    Raises:
        AuditError: both sides name their rows, but not alike, or two pairs of columns match the rows differently.
    """
    if (explicit := _clips(ours, theirs, place)) is not None:
        return explicit
    usable = [[column for column in side if column.complete] for side in (ours, theirs)]
    pairs = sorted(
        product(*usable), key=lambda pair: (OTHER in (pair[0].role, pair[1].role), pair[0].role != pair[1].role)
    )
    found = [(mine, other, same) for mine, other in pairs if (same := _pair(mine, other, place)) is not None]
    if found:
        first, *rest = found
        for mine, other, pair in rest:
            if OTHER not in (mine.role, other.role) and _order(pair) != _order(first[2]):
                raise AuditError(
                    f"{place}: the columns '{first[0].name}' and '{mine.name}' match the labels' columns "
                    f"'{first[1].name}' and '{other.name}' in different orders; name each clip in a column 'clip' of "
                    "both alone"
                )
        return first[2]
    for mine, other in pairs:
        if (
            mine.role == other.role not in (ROW, OTHER)
            and not mine.numbers
            and (part := _partly(mine, other, place)) is not None
        ):
            return part
    _rows(usable[0], usable[1], place)
    known = [[column for column in side if column.role != OTHER] for side in usable]
    named = [[column for column in side if not column.numbers or column.role == "clip"] for side in known]
    if named[0] and named[1]:
        mine, other = named[0][0], named[1][0]
        raise AuditError(
            f"{place}: its column '{mine.name}' and the labels' column '{other.name}' name the clips differently, such "
            f"as '{mine.names.iloc[0]}' and '{other.names.iloc[0]}'; name each clip alike in a column 'clip' of both"
        )
    return None


def by_order(ours: Sequence[Column], theirs: Sequence[Column], place: str) -> str:
    """The sentence on rows that are matched by their order."""
    sentence = f"{place}: rows are matched by their order"
    known = [[column for column in side if column.complete and column.role != OTHER] for side in (ours, theirs)]
    mine, other = ([column for column in side if column.role != ROW or not column.numbers] for side in known)
    if mine and not other:
        sentence += f": its column '{mine[0].name}' names the clips, but no column of the labels does"
    elif other and not mine:
        sentence += f": the labels' column '{other[0].name}' names the clips, but nothing does in the embeddings"
    for column in ours:
        if column.role == ROW and column.complete and column.numbers and not column.rising:
            sentence += f"; the row numbers in its column '{column.name}' are not in order"
    return sentence


def _clips(ours: Sequence[Column], theirs: Sequence[Column], place: str) -> Match | None:
    """By the columns of clips of both sides, where each has one, whatever they hold."""
    mine, other = _only_clip(ours), _only_clip(theirs)
    if mine is None or other is None:
        return None
    note = None if plain(mine.name) == plain(other.name) or other.name == "clip" else _note(place, mine, other, "")
    if not mine.names.isin(other.names).any() and mine.complete and other.complete:
        return _partly(mine, other, place) or Match(mine.names, other.names, note)
    return Match(mine.names, other.names, note)


def _only_clip(columns: Iterable[Column]) -> Column | None:
    clips = [column for column in columns if column.role == "clip"]
    exact = [column for column in clips if column.name == "clip"]
    return exact[0] if exact else clips[0] if len(clips) == 1 else None


def _pair(mine: Column, other: Column, place: str) -> Match | None:
    """Two columns that hold the same names."""
    if len(mine.names) != len(other.names) or (mine.numbers and {ROW, OTHER} & {mine.role, other.role}):
        return None
    for form, how in _FORMS:
        one, two = form(mine.names), form(other.names)
        if one.is_unique and two.is_unique and set(one) == set(two):
            return Match(one, two, _note(place, mine, other, how))
    return None


def _partly(mine: Column, other: Column, place: str) -> Match | None:
    """Two columns that share a name at least."""
    for form, how in _FORMS:
        one, two = form(mine.names), form(other.names)
        if one.is_unique and two.is_unique and one.isin(two).any():
            return Match(one, two, _note(place, mine, other, how))
    return None


def _order(pair: Match) -> list[int]:
    return pd.Index(pair.labels).get_indexer(pd.Index(pair.clips)).tolist()


def _rows(ours: Sequence[Column], theirs: Sequence[Column], place: str) -> None:
    """Raise AuditError where the row numbers of both sides do not say the same order.

    Numbers in order may be those of a table that was shuffled before it was numbered, so they are not matched.
    """
    for mine, other in product(ours, theirs):
        if mine.role != ROW or other.role != ROW or not (mine.numbers and other.numbers):
            continue
        one, two = (column.names.astype("float64").to_numpy() for column in (mine, other))
        if len(one) == len(two) and np.unique(one - two).size > 1:
            row = int(np.argmax(one - two != one[0] - two[0])) if one[0] == two[0] else 0
            raise AuditError(
                f"{place}: row {row + 1}: its column '{mine.name}' numbers it {mine.names.iloc[row]}, the labels' "
                f"column '{other.name}' {other.names.iloc[row]}; name each clip in a column 'clip' of both"
            )


def _note(place: str, mine: Column, other: Column, how: str) -> str:
    if mine.name == other.name:
        return f"{place}: rows are matched by the column '{mine.name}'{how}"
    return f"{place}: rows are matched by its column '{mine.name}' and the labels' column '{other.name}'{how}"


def _as_it_is(names: "pd.Series[str]") -> "pd.Series[str]":
    """Without the quotes of openSMILE."""
    return names.str.strip(" '")


def _below(names: "pd.Series[str]") -> "pd.Series[str]":
    """Paths below the folder that all share."""
    paths = [name.replace("\\", "/").removeprefix("./").split("/") for name in _as_it_is(names)]
    shared = 0
    while all(len(path) > shared + 1 for path in paths) and len({path[shared] for path in paths}) == 1:
        shared += 1
    return pd.Series(["/".join(path[shared:]) for path in paths], index=names.index, dtype="str")


def _file(names: "pd.Series[str]") -> "pd.Series[str]":
    return _as_it_is(names).str.replace("\\", "/").str.rsplit("/", n=1).str[-1]


def stems(names: "pd.Series[str]") -> "pd.Series[str]":
    """Names of files without folders and endings."""
    return _file(names).str.replace(_ENDING, "", regex=True)


def _numbers(names: "pd.Series[str]") -> "pd.Series[str]":
    """Numbers as a reader of tables writes them that takes 007 for 7, or 7.0."""
    return stems(names).str.replace(r"^0+(?=\d+$)|(?<=\d)\.0*$", "", regex=True)


def _below_stem(names: "pd.Series[str]") -> "pd.Series[str]":
    return _below(names).str.replace(_ENDING, "", regex=True)


_Form = Callable[["pd.Series[str]"], "pd.Series[str]"]
_FORMS: tuple[tuple[_Form, str], ...] = (
    (_as_it_is, ""),
    (_file, ", without folders"),
    (stems, ", without folders and endings"),
    (_numbers, ", without folders and endings, as numbers"),
    (_below, ", without the folders that all share"),
    (_below_stem, ", without the folders that all share and without endings"),
    (lambda names: stems(names).str.lower(), ", without folders and endings and without regard to case"),
)
