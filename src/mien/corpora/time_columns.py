"""Which columns of tables that others have written hold the times of clips, and in what unit."""

import re
from itertools import pairwise
from typing import Any

import pandas as pd

from mien.corpora.columns import chosen, plain
from mien.corpora.corpus import MISSING
from mien.corpora.times import TIMES, is_seconds, of_hours, of_minutes, of_thousandths
from mien.errors import CorpusError

_BASES = {  # how their names begin, without blanks and underscores; a unit may follow
    **dict.fromkeys(
        ("start", "starttime", "timestart", "tstart", "begin", "begintime", "timebegin", "tbegin"), "start"
    ),
    **dict.fromkeys(("onset", "onsettime", "segmentstart", "segstart", "clipstart", "utterancestart"), "start"),
    **dict.fromkeys(("end", "endtime", "timeend", "tend", "stop", "stoptime", "timestop", "tstop"), "end"),
    **dict.fromkeys(("segmentend", "segend", "clipend", "utteranceend"), "end"),
    **dict.fromkeys(("duration", "dur", "segmentduration", "clipduration"), "duration"),
    "offset": "offset",
    **dict.fromkeys(("length", "len"), "length"),
}
_PAIRS = {"tmin": "tmax", "xmin": "xmax", "t0": "t1", "from": "to"}  # each says a time only beside the other
_SECONDS = ("s", "sec", "secs", "second", "seconds", "insec", "inseconds", "ssmsec", "ssms", "hhmmss", "hhmmssms")
_THOUSANDTHS = ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds", "inms", "inmilliseconds")
_UNITS = {"": "", **dict.fromkeys(_SECONDS, "s"), **dict.fromkeys(_THOUSANDTHS, "ms")}
_NAME = re.compile(f"({'|'.join((*_BASES, *_PAIRS, *_PAIRS.values(), 'ymin'))})({'|'.join(_UNITS)})")
_LIMITS = frozenset({"start", "begin", "onset", "offset", "end", "stop"})
_MOMENTS = frozenset({"time", "timestamp", "seconds", "sec", "t"})
_COUNTS = frozenset(
    {
        *(
            "id",
            "index",
            "idx",
            "number",
            "no",
            "nr",
            "num",
            "count",
            "turn",
            "utterance",
            "unnamed",
            "row",
            "line",
            "rank",
        ),
        *(
            "clip",
            "speaker",
            "emotion",
            "split",
            "fold",
            "session",
            "sentence",
            "recording",
            "gender",
            "corpus",
            "take",
        ),
    }
)  # words in the names of columns of numbers that are no times


def renamed(table: pd.DataFrame, place: object) -> tuple[pd.DataFrame, list[str]]:
    """A table with times called `start`, `end` and `duration`, milliseconds as seconds, and sentences on what was read.

    `offset` is the end beside another start, else the start. `length` is the duration beside one of them alone.

    Args:
        table: one row a clip.
        place: the file, for sentences.

    Raises:
        CorpusError: two columns may be meant, or one is in milliseconds and another has no unit.
    """
    named: dict[str, str] = {}
    units: dict[str, str] = {}
    notes: list[str] = []
    for column, names in _found(table).items():
        cells = {name: _in_seconds(table[name], _parts(name)[1]) for name in names}
        name, said = chosen(column, pd.DataFrame(cells, index=table.index), place)
        notes += said
        if name is None:
            continue
        named[column], units[name] = name, _parts(name)[1]
        table = table.assign(**{name: cells[name]})
        if name != column:
            notes.append(f"the column '{name}' is read as '{column}'" + ", in milliseconds" * (units[name] == "ms"))
    if "ms" in units.values() and (unsaid := [name for name, unit in units.items() if not unit]):
        thousandths = next(name for name, unit in units.items() if unit == "ms")
        raise CorpusError(
            f"{place}: the column '{thousandths}' is in milliseconds, and '{unsaid[0]}' has no unit; call it "
            f"'{unsaid[0]}_ms' or '{unsaid[0]}_s'"
        )
    return table.rename(columns={name: column for column, name in named.items()}), notes


def refuse_missed(table: pd.DataFrame, place: object) -> None:
    """Raise CorpusError if rows share a file, no time is known, and columns of numbers look like times.

    They do where a row's number in one is always below that in the next, and both rise through every file; or where
    one is called so and differs within a file. A table with a column `start` or `end`, which may be empty, passes.
    """
    if "file" not in table or {"start", "end"} & set(table):
        return
    several = table[table["file"].notna() & table["file"].duplicated(keep=False)]
    if several.empty or not (names := _missed(several)):
        return
    if len(names) == 2:
        looks, way = f"columns '{names[0]}' and '{names[1]}' look like", "them 'start' and 'end'"
    else:
        looks, way = f"column '{names[0]}' looks like", "it 'start', 'end' or 'duration'"
    raise CorpusError(
        f"{place}: several rows are of {several['file'].iloc[0]}, and the {looks} times within it; call {way}, in "
        "seconds, or add an empty column 'start' if the rows are of whole files"
    )


def _found(table: pd.DataFrame) -> dict[str, list[str]]:
    """start, end and duration -> the columns that may be meant."""
    bases: dict[str, list[str]] = {}
    for name in map(str, table):
        bases.setdefault(_BASES.get(base := _parts(name)[0], base), []).append(name)
    found = {column: bases.get(column, []) for column in TIMES}
    for low, high in _PAIRS.items():
        both = [*bases.get(low, []), *bases.get(high, [])]
        box = low == "xmin" and "ymin" in bases
        if low in bases and high in bases and not box and _below(*(_numbers(table[name]) for name in both[:2])):
            found["start"] = [*found["start"], *bases[low]]
            found["end"] = [*found["end"], *bases[high]]
    if offsets := bases.get("offset"):
        limit = "end" if found["start"] else "start"
        found[limit] = [*found[limit], *offsets]
    if bool(found["start"]) != bool(found["end"]) and not found["duration"]:
        found["duration"] = bases.get("length", [])
    return found


def is_time(name: str) -> bool:
    """Whether a column's name alone says that it holds times of clips, such as `start_ms` or `Begin Time (s)`.

    `t0`, `from` and the like do so only beside `t1` and `to`: they may be dimensions of an embedding.
    """
    return _parts(name)[0] in _BASES


def _parts(name: str) -> tuple[str, str]:
    """What a column's name says of a time, and its unit: s, ms, or empty; both are empty for any other name."""
    parts = _NAME.fullmatch(re.sub(r"[^a-z0-9]", "", plain(name)))
    return (parts[1], _UNITS[parts[2]]) if parts else ("", "")


def _in_seconds(cells: "pd.Series[Any]", unit: str) -> "pd.Series[Any]":
    """The cells as they are, or of milliseconds as text of seconds; what is no number stays."""
    if unit != "ms":
        return cells
    return cells.map(of_thousandths, na_action="ignore")


def _missed(rows: pd.DataFrame) -> list[str]:
    """The columns of rows that share files which look like their times: two, one or none."""
    numbers: dict[str, pd.Series[Any]] = {}
    boxes = any(_parts(str(name))[0] == "ymin" for name in rows)
    for name in map(str, rows):
        box = boxes and _parts(name)[0] in ("xmin", "xmax", "ymin")
        if name == "file" or box or _COUNTS & set(_words(name)):
            continue
        values = _numbers(rows[name])
        if values is not None and values.notna().any():
            numbers[name] = values
    for one, other in pairwise(numbers):
        for low, high in ((one, other), (other, one)):
            if _below(numbers[low], numbers[high]) and _rise(rows["file"], numbers[low], numbers[high]):
                return [low, high]
    for name, values in numbers.items():
        words = _words(name)
        called = _LIMITS & set(words) or (words and set(words) <= _MOMENTS)
        ranges = values.groupby(rows["file"]).agg(["min", "max"])
        if called and (ranges["min"] < ranges["max"]).any():
            return [name]
    return []


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]


def _below(low: "pd.Series[Any] | None", high: "pd.Series[Any] | None") -> bool:
    """Whether both are columns of numbers, the first always below the second where both are known."""
    if low is None or high is None:
        return False
    both = low.notna() & high.notna()
    return bool(both.any() and (low[both] < high[both]).all())


def _rise(files: "pd.Series[Any]", low: "pd.Series[Any]", high: "pd.Series[Any]") -> bool:
    """Whether two columns differ from row to row of a file and rise together; the same row again counts once."""
    rows = pd.DataFrame({"file": files, "low": low, "high": high}).dropna().drop_duplicates()
    rows = rows[rows["file"].duplicated(keep=False)].sort_values(["file", "low", "high"])
    same = rows["file"].eq(rows["file"].shift())
    return bool(same.any() and (rows[["low", "high"]].diff()[same] > 0).all(axis=None))


def _numbers(cells: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """Cells as seconds, with missing ones; None if one is neither a number of seconds nor a time with colons."""
    text = cells.dropna().astype("str").str.strip()
    text = text[~text.isin(MISSING)]
    if len(text) and not is_seconds(of_hours(of_minutes(str(text.iloc[0])))):
        return None
    written = text.map(lambda cell: of_hours(of_minutes(cell)))
    if not written.map(is_seconds).all():
        return None
    return pd.to_numeric(written).astype("float64").reindex(cells.index)
