"""Columns that are no part of an embedding: row numbers, times, labels and their codes.

A table of embeddings, as pandas, R or openSMILE write it, often has more columns than the embedding: the number of the
row, the times of the segment, the speaker. A probe reads the speaker from the row number alone where clips lie speaker
by speaker, so such a column makes any embedding look leaky. They are recognised by name where columns have names, else
by their values.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.embedding_files.matching import nameless, role
from mien.corpora.columns import SPELT, plain

COUNTED = 5  # rows from which equal steps are no accident
ORDERED = 12  # rows from which a column in strict order is none: 2 in 12! orders of distinct numbers
SHOWN = 5  # columns listed in a message

UNITS = frozenset({"s", "ms", "us", "sec", "secs", "second", "seconds", "frame", "frames", "sample", "samples", "t"})
MOMENTS = frozenset(
    {"start", "end", "begin", "stop", "time", "times", "onset", "offset", "duration", "dur", "timestamp"}
    | {"seconds", "secs", "xmin", "xmax", "tmin", "tmax", "frame", "t"}
)
RUN_TOGETHER = (
    "starttime",
    "endtime",
    "begintime",
    "frametime",
    "frameindex",
    "timestart",
    "timeend",
    "tstart",
    "tend",
)
LABELS = frozenset(
    {"age", "age_group", "agegroup", "birth_year", "gender_id", "class", "class_id", "classid"}
    | {"language", "lang", "native_language", "nationality", "country", "ethnicity", "race", "accent", "dialect"}
    | {spelling for name, spellings in SPELT.items() if name not in ("file", "start", "end") for spelling in spellings}
)


def by_name(column: str, labels: Sequence[str]) -> str | None:
    """Why a column is no part of an embedding, by its name; None if the name says nothing.

    Args:
        column: its name.
        labels: the names of the columns of the labels.
    """
    if nameless(column):
        return "has no name, as the row numbers of pandas and R"
    if column.strip().lower() in {name.strip().lower() for name in labels}:
        return "is a column of the labels"
    if _is_time(column):
        return "is a time"
    if role(column) is not None:
        return "names or numbers the rows by its name"
    if plain(column) in LABELS:
        return "is a label by its name"
    return None


def _is_time(column: str) -> bool:
    """Whether all words of a name are of times: `start_ms`, `frameTime`, `t_end`, not `loudnessPeaksPerSec`."""
    spelled = plain(column)
    if any(spelled in SPELT[name] for name in ("start", "end", "duration")) or spelled in RUN_TOGETHER:
        return True
    words = {word for word in plain(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())).split("_") if word}
    return bool(words & MOMENTS) and words <= MOMENTS | UNITS | {"index"}


def by_value(
    values: NDArray[Any], labels: pd.DataFrame, rows: NDArray[np.intp] | None = None
) -> Iterator[tuple[int, str]]:
    """Columns that cannot be part of an embedding, by their values, and why.

    Args:
        values: (N, D), finite numbers.
        labels: n rows of text.
        rows: (n,), the rows of the values that have labels, or None for all.

    Yields:
        the column's place in 0..D-1, and why.
    """
    if len(labels) < COUNTED:
        return
    places = slice(None) if rows is None else rows
    beside = [(name, np.asarray(pd.factorize(labels[name])[0], np.intp)) for name in labels]
    beside = [(name, codes) for name, codes in beside if 1 < codes.max() + 1 < len(labels)]
    first = np.asarray(values[:ORDERED] if rows is None else values[rows[:ORDERED]], np.float64)
    steps = np.diff(first, axis=0)
    ordered = (steps > 0).all(axis=0) | (steps < 0).all(axis=0)
    even = (_alike(steps, first) | (first[1:] == first[0])).all(axis=0)
    whole = (first == np.rint(first)).all(axis=0)
    for place in np.flatnonzero(ordered | even | whole):
        column = np.asarray(values[places, place], np.float64)
        if _counts(column) or _numbers_rows(column) or _in_order(column):
            yield int(place), "only counts or orders the rows"
        elif (name := next((name for name, codes in beside if _coded(column, codes)), None)) is not None:
            yield int(place), f"is a code of the labels' column '{name}'"


def flat(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of columns of one value, and of columns that hold 0 and 1 alone, as a class is marked.

    Args:
        values: (n, D), finite numbers.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    marks = np.flatnonzero((low == 0) & (high == 1))
    marks = marks[[bool(np.isin(values[:, place], (0, 1)).all()) for place in marks]] if len(marks) else marks
    return np.flatnonzero(low == high), marks


def listed(columns: Sequence[str]) -> str:
    """Names of columns in a sentence, at most `SHOWN`."""
    quoted = ", ".join(f"'{column}'" for column in columns[:SHOWN])
    return quoted + (", ..." if len(columns) > SHOWN else "")


def _counts(column: NDArray[np.float64]) -> bool:
    """Equal steps, but where the count begins anew: 0 1 2 3 0 1 2, or times of frames."""
    steps = np.diff(column)
    again = column[1:] == column[0]
    return steps[0] != 0 and bool((_alike(steps, column) | again).all()) and int(again.sum()) <= len(column) // 3


def _alike(steps: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Steps equal to the first one, but for times that were written with few digits."""
    close: NDArray[np.bool_] = np.abs(steps - steps[0]) <= 2e-3 * np.abs(steps[0]) + 1e-12 * np.abs(values).max(axis=0)
    return close


def _numbers_rows(column: NDArray[np.float64]) -> bool:
    """Whole numbers without a gap, each once, in any order: row numbers of a table that was shuffled."""
    if not (column == np.rint(column)).all():
        return False
    return len(np.unique(column)) == len(column) and float(np.ptp(column)) == len(column) - 1


def _in_order(column: NDArray[np.float64]) -> bool:
    """Every value above the one before, or every one below."""
    steps = np.diff(column)
    return len(column) >= ORDERED and bool((steps > 0).all() or (steps < 0).all())


def _coded(column: NDArray[np.float64], codes: NDArray[np.intp]) -> bool:
    """Whether whole numbers say the class one to one. Marks by 0 and 1 do not count: a one-hot embedding has them."""
    known = codes >= 0
    if known.sum() < ORDERED or not (column == np.rint(column)).all():
        return False
    values, labels = column[known], codes[known]
    kinds = len(np.unique(labels))
    if kinds < 2 or kinds != len(np.unique(values)) or set(np.unique(values)) == {0.0, 1.0}:
        return False
    return bool(np.unique(np.stack([values, labels]), axis=1).shape[1] == kinds)
