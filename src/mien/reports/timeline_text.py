"""The answers of `predict` as text for a terminal: stretches of a file, or one line a file.

A line of stretches covers the windows of one person that agree. Windows overlap and lines do not: what two consecutive
windows share belongs to each by half (`runs.answers.shown`).
"""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from mien.runs import timeline
from mien.runs.answers import SILENCE, UNSURE, shown

WIDTH = 80
SHARES = {"audio_share": ("voice", "sound"), "video_share": ("face", "face")}  # column -> on a line, in the sentence


def stretches(table: pd.DataFrame, target: str = "emotion") -> str:
    """The rows as text: one line per person and stretch of windows with one class, times in media seconds.

    For a number: one line per stretch with the same modality, and the mean over it.
    """
    lines: list[str] = []
    found: list[_Stretch] = []
    numbers = pd.api.types.is_float_dtype(table[target])
    answers = table[target].notna().map({True: "", False: SILENCE}) if numbers else table[target]
    wide = max(map(len, answers)) if not numbers else max(len(SILENCE), len(target) + 8)
    for file, rows in table.groupby("file", sort=False):
        lines.append(str(file))
        people = rows["person"][rows["person"] != ""].unique()
        names = {person: f"person {person}" if person != timeline.VOICE else "a voice" for person in people}
        room = max(map(len, names.values())) + 2 if len(names) > 1 else 0
        for one in _stretches(rows.assign(answer=answers[rows.index])):
            first = one.rows.iloc[0]
            likely = one.rows[one.answer].astype(float).mean() if not numbers and one.answer in one.rows else None
            sure = "" if likely is None else f"{likely:4.0%}"
            answer = one.answer if one.answer else f"{target} {one.rows[target].mean():.3g}"
            who = f"{names.get(first['person'], ''):{room}}" if room else ""
            times = f"{one.start:8.1f} - {one.end:8.1f}"
            lines.append(f"  {times} s  {who}{answer:{wide}}  {sure:4}  {_by(one.rows, numbers)}".rstrip())
            found.append(one)
    return "\n".join([*lines, *_worth(found, target, numbers)])


def one_line_a_file(table: pd.DataFrame, target: str = "emotion") -> str:
    """The rows of whole files as text; a line ends with the name of the file."""
    classes = [name.removesuffix("_share") for name in map(str, table) if name.endswith("_share")]
    classes = [name for name in classes if name not in (UNSURE, SILENCE)]
    heads = ["seconds", target, *(["mean", UNSURE] if classes else []), SILENCE]
    lines = []
    for row in table.to_dict("records"):
        answer = row[target]
        cells = [f"{row['seconds']:.1f}"]
        if classes:
            mean = f"{row[answer]:.0%}" if answer in classes else ""
            cells += [answer, mean, f"{row[f'{UNSURE}_share']:.0%}"]
        else:
            cells += [SILENCE if pd.isna(answer) else f"{answer:.3g}"]
        lines.append([*cells, f"{row[f'{SILENCE}_share']:.0%}"])
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    shape = [f"{{:{'<' if head == target else '>'}{width}}}" for head, width in zip(heads, widths, strict=True)]
    texts = ["  ".join(shape).format(*cells) for cells in (heads, *lines)]
    return "\n".join(f"{text}  {file}" for text, file in zip(texts, ["file", *table["file"]], strict=True))


def wrapped(sentences: Sequence[str]) -> list[str]:
    """Sentences in lines of a terminal; what follows the first line of one is indented."""
    return [
        line for one in sentences for line in textwrap.wrap(one, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    ]


class _Stretch(NamedTuple):
    """Consecutive windows of one person with one answer, and the seconds that are theirs alone."""

    start: float
    end: float
    answer: str
    rows: pd.DataFrame


def _stretches(rows: pd.DataFrame) -> list[_Stretch]:
    """The rows of a file in stretches of consecutive windows of one person, class and modality."""
    windows = sorted(set(zip(rows["start"], rows["end"], strict=True)))
    own = dict(zip(windows, shown(windows), strict=True))
    window = rows["start"].rank(method="dense")
    found = []
    for _, of_person in rows.groupby("person", sort=False):
        new = window[of_person.index].diff() != 1
        for column in ("answer", "modality"):
            new |= of_person[column] != of_person[column].shift()
        found += [part for _, part in of_person.groupby(new.cumsum())]
    found.sort(key=lambda part: (part["start"].iloc[0], part.index[0]))
    places = [[own[start, end] for start, end in zip(part["start"], part["end"], strict=True)] for part in found]
    return [
        _Stretch(place[0][0], place[-1][1], part["answer"].iloc[0], part)
        for place, part in zip(places, found, strict=True)
    ]


def _by(part: pd.DataFrame, numbers: bool) -> str:
    """The modalities of a stretch, with their shares where both were used; empty for a model without faces."""
    if "audio_share" not in part:
        return ""
    modality = part["modality"].iloc[0]
    if modality != "audio+video":
        return {"audio": "voice", "video": "face"}.get(modality, "no face" if modality == "" else modality)
    return ", ".join(f"{name} {_signed(_share(part, column), numbers)}" for column, (name, _) in SHARES.items())


def _share(part: pd.DataFrame, column: str) -> float:
    return round(float(part[column].astype(float).mean()), 2) + 0.0


def _signed(share: float, numbers: bool) -> str:
    return f"{share:+.2f}" if numbers else f"{share:+.0%}"


def _worth(found: list[_Stretch], target: str, numbers: bool) -> list[str]:
    """What the shares of a line mean, by the line that has the greatest."""
    both = [one for one in found if "audio_share" in one.rows and one.rows["modality"].iloc[0] == "audio+video"]
    sure = [one for one in both if one.answer not in (UNSURE, SILENCE)] or both
    if not sure:
        return []
    one, column = max(
        ((one, column) for one in sure for column in SHARES), key=lambda pair: abs(_share(pair[0].rows, pair[1]))
    )
    share, (name, word) = _share(one.rows, column), SHARES[column]
    size: Any = f"{abs(share):.2f}" if numbers else f"{abs(share):.0%}".removesuffix("%")
    if numbers:
        what = f"{target} would be " + (f"{size} {'lower' if share > 0 else 'higher'}" if share else "the same")
    else:
        answer = "the likeliest class" if one.answer == UNSURE else one.answer
        points = f"{size} point{'' if size == '1' else 's'} {'less' if share > 0 else 'more'} probable"
        what = f"{answer} would be {points if share else 'as probable'}"
    sentence = f"{name} {_signed(share, numbers)}: without the {word}, {what} (line at {one.start:.1f} s)"
    return wrapped([sentence])
