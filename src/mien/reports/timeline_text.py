"""The answers of `predict` as text for a terminal: stretches of a file, or one line a file.

A line of stretches covers the windows of one person that agree. Windows overlap and lines do not: what two consecutive
windows share belongs to each by half (`runs.answers.shown`).
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from mien.runs import timeline
from mien.runs.answers import SILENCE, UNSURE, shown

WIDTH = 80
SHARES = {"audio_share": ("voice", "sound"), "video_share": ("face", "face")}  # column -> on a line, in the sentence

Row = Mapping[str, Any]


def stretches(rows: Sequence[Row], target: str = "emotion") -> str:
    """The rows as text: one line per person and stretch of windows with one class, times in media seconds.

    For a number: one line per stretch with the same modality, and the mean over it.

    Args:
        rows: as `mien predict` gives them, those of a file together; None where a value is missing.
        target: the column of the answer.
    """
    lines: list[str] = []
    found: list[_Stretch] = []
    numbers = not any(isinstance(row[target], str) for row in rows)
    answers = [_answer(row[target], numbers) for row in rows]
    wide = max(map(len, answers)) if not numbers else max(len(SILENCE), len(target) + 8)
    for file, of_file in groupby(zip(rows, answers, strict=True), key=lambda pair: pair[0]["file"]):
        lines.append(str(file))
        answered = list(of_file)
        people = dict.fromkeys(row["person"] for row, _ in answered if row["person"] != "")
        names = {person: f"person {person}" if person != timeline.VOICE else "a voice" for person in people}
        room = max(map(len, names.values())) + 2 if len(names) > 1 else 0
        for one in _stretches(answered):
            likely = one.mean(one.answer) if not numbers and one.answer in one.rows[0] else None
            sure = "" if likely is None else f"{likely:4.0%}"
            answer = one.answer if one.answer else f"{target} {one.mean(target):.3g}"
            who = f"{names.get(one.rows[0]['person'], ''):{room}}" if room else ""
            times = f"{one.start:8.1f} - {one.end:8.1f}"
            lines.append(f"  {times} s  {who}{answer:{wide}}  {sure:4}  {_by(one, numbers)}".rstrip())
            found.append(one)
    return "\n".join([*lines, *_worth(found, target, numbers)])


def one_line_a_file(rows: Sequence[Row], target: str = "emotion") -> str:
    """The rows of whole files as text; a line ends with the name of the file."""
    classes = [name.removesuffix("_share") for name in rows[0] if name.endswith("_share")]
    classes = [name for name in classes if name not in (UNSURE, SILENCE)]
    heads = ["seconds", target, *(["mean", UNSURE] if classes else []), SILENCE]
    lines = []
    for row in rows:
        answer = row[target]
        cells = [f"{row['seconds']:.1f}"]
        if classes:
            mean = f"{row[answer]:.0%}" if answer in classes else ""
            cells += [answer, mean, f"{row[f'{UNSURE}_share']:.0%}"]
        else:
            cells += [SILENCE if answer is None else f"{answer:.3g}"]
        lines.append([*cells, f"{row[f'{SILENCE}_share']:.0%}"])
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    shape = [f"{{:{'<' if head == target else '>'}{width}}}" for head, width in zip(heads, widths, strict=True)]
    texts = ["  ".join(shape).format(*cells) for cells in (heads, *lines)]
    files = ["file", *(row["file"] for row in rows)]
    return "\n".join(f"{text}  {file}" for text, file in zip(texts, files, strict=True))


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
    rows: list[Row]

    def mean(self, column: str) -> float:
        """The mean of a column over its windows."""
        values = [row[column] for row in self.rows]
        return float(sum(values) / len(values))


def _answer(value: Any, numbers: bool) -> str:
    """What stands on a line for the answer of a row; empty for a number."""
    if not numbers:
        return str(value)
    return SILENCE if value is None else ""


def _stretches(answered: Sequence[tuple[Row, str]]) -> list[_Stretch]:
    """The rows of a file in stretches of consecutive windows of one person, class and modality."""
    windows = sorted({(row["start"], row["end"]) for row, _ in answered})
    own = dict(zip(windows, shown(windows), strict=True))
    number = {start: place for place, start in enumerate(sorted({start for start, _ in windows}))}
    found: list[tuple[tuple[float, int], _Stretch]] = []
    for person in dict.fromkeys(row["person"] for row, _ in answered):
        theirs = [(place, row, answer) for place, (row, answer) in enumerate(answered) if row["person"] == person]
        for part in _runs(theirs, number):
            first, last = part[0][1], part[-1][1]
            begin, end = own[first["start"], first["end"]][0], own[last["start"], last["end"]][1]
            found.append(((first["start"], part[0][0]), _Stretch(begin, end, part[0][2], [row for _, row, _ in part])))
    return [stretch for _, stretch in sorted(found, key=lambda pair: pair[0])]


def _runs(theirs: Sequence[tuple[int, Row, str]], number: Mapping[float, int]) -> Iterator[list[tuple[int, Row, str]]]:
    """The rows of one person, with their places and answers, where windows follow each other and answers agree."""
    part: list[tuple[int, Row, str]] = []
    for one in theirs:
        if part:
            (_, before, answer), (_, row, now) = part[-1], one
            follows = number[row["start"]] == number[before["start"]] + 1
            if not follows or (answer, before["modality"]) != (now, row["modality"]):
                yield part
                part = []
        part.append(one)
    yield part


def _by(part: _Stretch, numbers: bool) -> str:
    """The modalities of a stretch, with their shares where both were used; empty for a model without faces."""
    first = part.rows[0]
    if "audio_share" not in first:
        return ""
    modality = first["modality"]
    if modality != "audio+video":
        return {"audio": "voice", "video": "face"}.get(modality, "no face" if modality == "" else modality)
    return ", ".join(f"{name} {_signed(_share(part, column), numbers)}" for column, (name, _) in SHARES.items())


def _share(part: _Stretch, column: str) -> float:
    return round(part.mean(column), 2) + 0.0


def _signed(share: float, numbers: bool) -> str:
    return f"{share:+.2f}" if numbers else f"{share:+.0%}"


def _worth(found: list[_Stretch], target: str, numbers: bool) -> list[str]:
    """What the shares of a line mean, by the line that has the greatest."""
    both = [one for one in found if "audio_share" in one.rows[0] and one.rows[0]["modality"] == "audio+video"]
    sure = [one for one in both if one.answer not in (UNSURE, SILENCE)] or both
    if not sure:
        return []
    one, column = max(((one, column) for one in sure for column in SHARES), key=lambda pair: abs(_share(*pair)))
    share, (name, word) = _share(one, column), SHARES[column]
    size: Any = f"{abs(share):.2f}" if numbers else f"{abs(share):.0%}".removesuffix("%")
    if numbers:
        what = f"{target} would be " + (f"{size} {'lower' if share > 0 else 'higher'}" if share else "the same")
    else:
        answer = "the likeliest class" if one.answer == UNSURE else one.answer
        points = f"{size} point{'' if size == '1' else 's'} {'less' if share > 0 else 'more'} probable"
        what = f"{answer} would be {points if share else 'as probable'}"
    sentence = f"{name} {_signed(share, numbers)}: without the {word}, {what} (line at {one.start:.1f} s)"
    return wrapped([sentence])
