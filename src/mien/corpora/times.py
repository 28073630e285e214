"""How tables that others have written write the times of clips; they become text of seconds, `start` and `end`."""

import math
import re
from collections.abc import Sequence

import pandas as pd

from mien.errors import CorpusError

TIMES = ("start", "end", "duration")
_COMMA = r"\d+,\d+"  # a number with a decimal comma
_MINUTES = r"(\d+):([0-5]?\d(?:[.,]\d+)?)"
_HOURS = r"(?:(\d+) days? )?(\d+):([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)"


def spans(table: pd.DataFrame, place: object) -> tuple[pd.DataFrame, list[str]]:
    """A table with `start` and `end` as text of seconds, and sentences on how they were read.

    Times of day (00:01:02,500 of MELD, 0 days 00:00:01 of pandas), minutes:seconds and decimal commas (1,5 of a German
    or French Excel) become seconds. Where one of `start` and `end` lacks, it follows from the other and `duration`.

    Args:
        table: cells of text.
        place: the file, for sentences.

    Raises:
        CorpusError: a time with colons cannot be read, or a file has several clips of which one of start, end and
            duration is all that is known.
    """
    present = [name for name in TIMES if name in table]
    commas = [name for name in present if table[name].str.strip().str.fullmatch(_COMMA).eq(True).any()]
    notes = [f"decimal commas are read as points: {', '.join(commas)}"] if commas else []
    table, minutes = _minutes(table)
    notes += minutes
    seconds = table.assign(**{name: table[name].map(of_hours, na_action="ignore").astype("str") for name in present})
    for name in present:
        for row, cell in enumerate(seconds[name], 1):
            if pd.notna(cell) and ":" in cell:
                raise _unread(place, row, name, cell)
    known = [name for name in present if seconds[name].notna().any()]
    if len(known) == 1:
        _refuse_alone(seconds, known[0], place)
    if "duration" not in table or not {"start", "end"} & set(table):
        return seconds, notes
    duration = pd.to_numeric(seconds["duration"], errors="coerce")
    if "start" in table:
        start = pd.to_numeric(seconds["start"], errors="coerce")
        ends = (start.fillna(0.0) + duration).map(_written, na_action="ignore").astype("str")
        ends = ends.fillna(seconds["duration"])  # a word that is no number is listed or refused as that of an end
        if "end" not in table:
            return seconds.assign(end=ends), [*notes, "the end of a clip is its start + its duration"]
        lacks = seconds["end"].isna() & seconds["start"].notna() & ends.notna()
        said = ["where no end is given, it is start + duration"] if lacks.any() else []
        return seconds.assign(end=seconds["end"].mask(lacks, ends)), [*notes, *said]
    if (lost := seconds["duration"].notna() & seconds["end"].isna()).any():
        raise CorpusError(
            f"{place}: row {int(lost.to_numpy().argmax()) + 1} has a duration, and neither a start nor an end; give one"
        )
    end = pd.to_numeric(seconds["end"], errors="coerce")
    starts = (end - duration).map(_written, na_action="ignore").astype("str")
    starts = starts.fillna(seconds["duration"].where(duration.isna()))
    return seconds.assign(start=starts), [*notes, "the start of a clip is its end - its duration"]


def refuse_words(table: pd.DataFrame, names: Sequence[str], place: object) -> None:
    """Raise CorpusError if a cell of these columns, which may be missing, is no number of seconds."""
    for column in [name for name in names if name in table]:
        for row, cell in enumerate(table[column], 1):
            if pd.notna(cell) and not is_seconds(cell):
                raise _unread(place, row, column, cell)


def _unread(place: object, row: int, column: str, cell: str) -> CorpusError:
    return CorpusError(
        f"{place}: row {row}, column '{column}': '{cell}' is no number of seconds; write 62.5 or 00:01:02.5"
    )


def of_commas(cells: "pd.Series[str]") -> bool:
    """Whether the known cells of a column are numbers, one at least with a decimal comma."""
    known = cells.dropna().str.strip()
    return bool(known.str.fullmatch(rf"[+-]?(\d+|{_COMMA})").all() and known.str.contains(",").any())


def of_thousandths(cell: object) -> object:
    """A number of milliseconds as text of seconds; any other cell as it is."""
    text = str(cell).strip()
    try:
        return _written(float(text.replace(",", ".") if re.fullmatch(_COMMA, text) else text) / 1000)
    except ValueError:
        return cell


def _refuse_alone(table: pd.DataFrame, column: str, place: object) -> None:
    """Raise CorpusError if a file has several values of the only column that says when its clips are."""
    if "file" not in table or not ((counts := table.groupby("file")[column].nunique()) > 1).any():
        return
    lacks, ways = {
        "start": ("a start and no end", "'end' or 'duration'"),
        "end": ("an end and no start", "'start' or 'duration'"),
        "duration": ("a duration and no start", "'start'"),
    }[column]
    raise CorpusError(f"{place}: several clips of {counts.idxmax()} have {lacks}; give a column {ways}, in seconds")


def _minutes(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A table whose minutes:seconds are seconds, where all times of it are written so.

    Beside hours:minutes:seconds or plain numbers, 1:30 may be hours and minutes.
    """
    notes = []
    for together in (("start", "end"), ("duration",)):
        names = [name for name in together if name in table]
        cells = pd.concat(
            [table[name].dropna().astype("str").str.strip() for name in names] or [pd.Series(dtype="str")]
        )
        found = cells.str.fullmatch(_MINUTES).eq(True)
        if found.any() and (found | cells.str.fullmatch(r"0+([.,]0+)?").eq(True)).all():
            table = table.assign(**{name: table[name].map(of_minutes, na_action="ignore") for name in names})
            notes.append(f"times such as {cells[found].iloc[0]} are read as minutes:seconds: {', '.join(names)}")
    return table, notes


def of_minutes(cell: str) -> str:
    """`M:S` as seconds; any other text as it is."""
    if (parts := re.fullmatch(_MINUTES, cell.strip())) is None:
        return cell
    return _written(60 * int(parts[1]) + float(parts[2].replace(",", ".")))


def is_seconds(cell: str) -> bool:
    """Whether it is a finite number that is not negative."""
    try:
        return float(cell) >= 0 and math.isfinite(float(cell))
    except ValueError:
        return False


def of_hours(cell: str) -> str:
    """`H:M:S`, also after `0 days`, and numbers with a decimal comma as seconds; any other text as it is."""
    if re.fullmatch(_COMMA, cell.strip()):
        return cell.strip().replace(",", ".")
    if (parts := re.fullmatch(_HOURS, cell.strip())) is None:
        return cell
    days, hours, minutes, seconds = parts.groups()
    return _written(86_400 * int(days or 0) + 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", ".")))


def _written(seconds: float) -> str:
    return f"{round(seconds, 6) + 0.0:.6f}".rstrip("0").rstrip(".")
