"""Columns that are no part of an embedding: row numbers, times, labels and their codes.

A table of embeddings, as pandas, R or openSMILE write it, often has more columns than the embedding: the number of the
row, the times of the segment, the speaker. A probe reads the speaker from the row number alone where clips lie speaker
by speaker, so such a column makes any embedding look leaky. They are recognised by name where columns have names, else
by their values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.embedding_files.matching import nameless, role
from mien.corpora import time_columns
from mien.corpora.columns import SPELT, plain

COUNTED = 5  # rows from which equal steps are no accident
ORDERED = 12  # rows from which a column in strict order is none: 2 in 12! orders of distinct numbers
SAMPLE = 1_024  # rows by which columns are chosen that are looked at in all rows
AGREED = 0.95  # share of rows in which a code agrees with a label
EXPLAINED = (
    0.9  # share of the errors of the most frequent class that a code must not make: rare classes agree by chance
)
FEWEST = 4  # rows a value, or a class, in which agreement is no accident
FEW = 0.75  # values a row that are few
MOST = 0.75  # share of columns from which codes are the embedding
SEVERAL = 8  # columns of few values, or values of a column, from which they are no accident
SINGLE = 3  # codes among whole numbers
UNLIKELY = 12  # repetitions among random whole numbers in a range, of which having none has a probability of e ** -12
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
    | {spelling for name, spellings in SPELT.items() if name != "file" for spelling in spellings}
)


def by_name(column: str, labels: Sequence[str]) -> str | None:
    """Why a column is no part of an embedding, by its name; None if the name gives none.

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
    if time_columns.is_time(column) or spelled in RUN_TOGETHER:
        return True
    words = {word for word in plain(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())).split("_") if word}
    return bool(words & MOMENTS) and words <= MOMENTS | UNITS | {"index"}


def by_value(
    values: NDArray[Any], labels: pd.DataFrame, rows: NDArray[np.intp] | None = None
) -> tuple[dict[int, str], dict[int, str]]:
    """Columns that cannot be part of an embedding, by their values, and columns that may not be.

    Columns of few values that go with a label, or rise with the rows up to ties, are no part of it, unless the
    embedding itself has few values: rounded numbers, whole numbers, or one vector a speaker. There they are doubtful.

    Args:
        values: (N, D), finite numbers.
        labels: n rows of text.
        rows: (n,), the rows of the values that have labels, or None for all.

    Returns:
        the column's place in 0..D-1 -> why it is no part; and the same of those that are doubtful.
    """
    if len(labels) < COUNTED:
        return {}, {}
    codes = {str(name): np.asarray(pd.factorize(labels[name])[0], np.intp) for name in labels}
    codes = {name: code for name, code in codes.items() if 1 < code.max() + 1 < len(labels)}
    certain, coded = _certain(values, codes, rows)
    likely, rounded = ({}, False) if len(labels) < ORDERED else _likely(values, codes, labels, rows)
    likely = {place: why for place, why in likely.items() if place not in certain and place not in coded}
    if rounded and len(coded) > SINGLE:
        likely, coded = coded | likely, {}
    rest = values.shape[1] - len(certain) - len(coded)
    doubtful = {} if not rounded and (rest < 2 or len(likely) <= MOST * rest) else likely
    doubtful = {place: why for place, why in doubtful.items() if not why.startswith("is the ")}
    sure = {place: why for place, why in likely.items() if place not in doubtful}
    return dict(sorted((certain | coded | sure).items())), dict(sorted(doubtful.items()))


def _certain(
    values: NDArray[Any], codes: Mapping[str, NDArray[np.intp]], rows: NDArray[np.intp] | None
) -> tuple[dict[int, str], dict[int, str]]:
    """Columns that count or order the rows, and columns that are a code of whole numbers."""
    counting, coded = {}, {}
    places = slice(None) if rows is None else rows
    first = np.asarray(values[:ORDERED] if rows is None else values[rows[:ORDERED]], np.float64)
    steps = np.diff(first, axis=0)
    ordered = (steps > 0).all(axis=0) | (steps < 0).all(axis=0)
    even = (_alike(steps, first) | (first[1:] == first[0])).all(axis=0)
    whole = (first == np.rint(first)).all(axis=0)
    for place in np.flatnonzero(ordered | even | whole):
        column = np.asarray(values[places, place], np.float64)
        if _counts(column) or _numbers_rows(column) or _in_order(column):
            counting[int(place)] = "only counts or orders the rows"
        elif (name := next((name for name, code in codes.items() if _coded(column, code)), None)) is not None:
            coded[int(place)] = f"is a code of the labels' column '{name}'"
    return counting, coded


def _likely(
    values: NDArray[Any], codes: Mapping[str, NDArray[np.intp]], labels: pd.DataFrame, rows: NDArray[np.intp] | None
) -> tuple[dict[int, str], bool]:
    """Columns that go with a label or number the clips, but for ties, gaps, their scale, or single rows.

    And whether most columns that are no marks of a class have few values.
    """
    count = len(labels)
    some = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.intp))
    sample = np.asarray(values[some if rows is None else rows[some]], np.float64)
    kinds = 1 + (np.diff(np.sort(sample, axis=0), axis=0) > 0).sum(axis=0)
    orders = {name: (order, order[np.isin(order, some)]) for name, order in _orders(labels).items()}
    named = [(f"the number {place} in the names of the clips", numbers) for place, numbers in _numbers(labels)]
    measured = [(f"the labels' column '{name}', but for its scale", one) for name, one in _measures(labels)]
    at = {int(row): place for place, row in enumerate(some)}
    sampled = {name: [at[int(row)] for row in order] for name, (_, order) in orders.items()}

    def why(place: int) -> str | None:
        part, read = sample[:, place], partial(np.asarray, values[:, place] if rows is None else values[rows, place])
        for what, numbers in [*named, *measured]:
            if _scaled(part, numbers[some]) and _scaled(read(np.float64), numbers):
                return f"is {what}"
        for name, code in codes.items() if kinds[place] <= FEW * len(some) else ():
            if _goes_with(part, code[some], 1, 0.9) and _goes_with(read(np.float64), code, FEWEST, AGREED):
                return f"goes with the labels' column '{name}', as a code does"
        for name, (order, _) in orders.items():
            if _rises(part[sampled[name]]) and _rises(read(np.float64)[order]):
                return f"rises with the {name}"
        if kinds[place] == len(some) and _numbers_with_gaps(part) and _numbers_with_gaps(read(np.float64)):
            return "numbers the rows, with gaps"
        return None

    varied = [int(place) for place in np.flatnonzero(kinds > 1)]
    varied = [place for place in varied if kinds[place] != 2 or not _is_mark(np.unique(sample[:, place]))]
    found = {place: reason for place in varied if (reason := why(place)) is not None}
    few = sum(kinds[place] <= FEW * len(some) for place in varied)
    return found, bool(few >= SEVERAL and 2 * few > len(varied))


def _orders(labels: pd.DataFrame) -> dict[str, NDArray[np.intp]]:
    """What orders the clips -> the rows in this order."""
    orders = {"rows": np.arange(len(labels))}
    for name in labels:
        if role(str(name)) is not None and labels[name].notna().all() and labels[name].is_unique:
            words = [re.split(r"(\d+)", word) for word in labels[name]]
            keys = [[(int(part), "") if part.isdecimal() else (-1, part) for part in word] for word in words]
            orders[f"labels' column '{name}'"] = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)
    return orders


def _numbers(labels: pd.DataFrame) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Numbers in the names of clips, eight or more, with their place in the name, where all names have as many."""
    for name in labels:
        if role(str(name)) is not None and labels[name].notna().all():
            parts = [re.findall(r"\d{1,15}", word) for word in labels[name]]
            if len({len(part) for part in parts}) == 1:
                for place, numbers in enumerate(zip(*parts, strict=True), 1):
                    if len(set(numbers)) >= SEVERAL:
                        yield place, np.array(numbers, np.float64)


def _measures(labels: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The columns of labels that hold numbers alone, eight or more."""
    for name in labels:
        numbers = pd.to_numeric(labels[name], errors="coerce").to_numpy(np.float64)
        if np.isfinite(numbers).all() and len(np.unique(numbers)) >= SEVERAL:
            yield str(name), numbers


def _scaled(column: NDArray[np.float64], numbers: NDArray[np.float64]) -> bool:
    """Whether a column is these numbers but for an offset and a factor."""
    if np.ptp(column) == 0 or np.ptp(numbers) == 0:
        return False
    one, two = (part - part.mean() for part in (column, numbers))
    return bool(np.abs(one @ two) >= (1 - 1e-6) * np.sqrt((one @ one) * (two @ two)))


def _rises(column: NDArray[np.float64]) -> bool:
    """Whether three values or more rise, or fall, up to ties."""
    steps = np.diff(column)
    return bool((steps >= 0).all() or (steps <= 0).all()) and int((steps != 0).sum()) > 1


def _numbers_with_gaps(column: NDArray[np.float64]) -> bool:
    """Whole numbers, each once, of so few that chance would have repeated some."""
    if not (column == np.rint(column)).all() or len(np.unique(column)) < len(column):
        return False
    return len(column) * (len(column) - 1) / 2 > UNLIKELY * float(np.ptp(column))


def _goes_with(column: NDArray[np.float64], codes: NDArray[np.intp], fewest: int, agreed: float) -> bool:
    """Whether a column of few values says the class of a label, or the class says the value, in nearly all rows."""
    known = codes >= 0
    count = int(known.sum())
    if count < ORDERED:
        return False
    value, label = (np.unique(part[known], return_inverse=True)[1] for part in (column, codes))
    for one, two in ((value, label), (label, value)):
        kinds = int(one.max()) + 1
        if kinds < 2 or kinds * fewest > count:
            continue
        pairs, times = np.unique(one * (int(two.max()) + 1) + two, return_counts=True)
        best = np.zeros(kinds, np.intp)
        np.maximum.at(best, pairs // (int(two.max()) + 1), times)
        right, usual = int(best.sum()), int(np.bincount(two).max())
        # Where nearly all rows are of one class, any column agrees with it in nearly all.
        if usual < count and right >= agreed * count and right - usual >= (2 * agreed - 1) * (count - usual):
            return True
    return False


def _is_mark(distinct: NDArray[np.float64]) -> bool:
    return len(distinct) == 2 and distinct[1] == 1 and distinct[0] in (0, -1)


def flat(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of columns of one value, and of columns that hold 0 and 1, or -1 and 1, alone, as a class is marked.

    Args:
        values: (n, D), finite numbers.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    marks = np.flatnonzero(((low == 0) | (low == -1)) & (high == 1))
    marks = marks[[_is_mark(np.unique(values[:, place])) for place in marks]] if len(marks) else marks
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
    if kinds < 2 or kinds != len(np.unique(values)) or _is_mark(np.unique(values)):
        return False
    return bool(np.unique(np.stack([values, labels]), axis=1).shape[1] == kinds)
