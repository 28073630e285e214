"""Answers with a part of the input missing, in words: how far scores fall, and whether confidence falls too.

All figures are read from the tables of RUN/robustness/NAME, see `mien.audit.robustness`.
"""

import math
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.statistics.verdict import FEWEST
from mien.reports import words

WIDTH = 80
MANY = 4  # models, above which the terminal shows whole clips alone
NAMED = 3  # pairs of a series that a sentence names
WHOSE = {"audio": "the sound", "video": "the face", "audio+video": "sound and face"}
SHARES = {0.25: "a quarter of ", 0.5: "half of ", 0.75: "three quarters of ", 1.0: ""}
PARTIAL = ("blocks", "frames", "face_lost", "whole")  # the pattern of which a sentence is, the first that there is
SAID = {  # by the verdict
    "overconfident": "overconfident, for its confidence falls less than its accuracy",
    "underconfident": "underconfident, for its confidence falls more than its accuracy",
    "not separable": "no difference between the two changes is shown",
    "unknown": "too few speakers to compare the two changes",
}

Row = dict[str, Any]


class Found(NamedTuple):
    """The files of one grid: `metrics.json`, `conditions.csv` and `graceful.csv`."""

    metrics: Mapping[str, Any]
    table: pd.DataFrame
    drops: pd.DataFrame


def answers(found: Found) -> list[str]:
    """Sentences: what each model loses, whether its confidence falls with it, and which model loses less."""
    return [*aware(found), *graceful(found)]


def aware(found: Found) -> list[str]:
    """A sentence for each model and modality with a part missing, and one with all of it missing; of classes alone.

    "Overconfident": confidence falls less than accuracy, and the interval of the difference excludes zero.
    """
    return [f"{row['model']}: {_sentence(row)}" for row in aware_rows(found)]


def aware_rows(found: Found) -> Iterator[Row]:
    """The rows that `aware` is about, with `what` is missing, the `verdict`, and whether one is its model's `first`."""
    if not found.metrics["classes"]:
        return
    first = found.table[found.table["measure"] == found.metrics["measures"][0]]
    for _, own in first.groupby("model", sort=False):
        rows = [one(own, modality) for modality in WHOSE for one in (_partial, _all_of)]
        known = [row for row in rows if row is not None]
        for number, row in enumerate(known):
            yield row | {"first": number == 0, "what": _what(row), "verdict": _verdict(row)}


def graceful(found: Found) -> list[str]:
    """Sentences on each series: what a single model loses in the mean over its shares, or which pairs are separable."""
    sentences, alike, few = [], [], False
    scale = words.scale(found.metrics["measures"][0])
    table = found.drops
    for (modality, pattern), rows in table.groupby(["modality", "pattern"], sort=False):
        where = f"{WHOSE[str(modality)]} missing ({words_of(str(pattern))})"
        named = f"{WHOSE[str(modality)]} ({words_of(str(pattern))})"
        pairs = rows[rows["other"] != ""]
        if pairs.empty:
            for row in _rows(rows):
                loss = f"{scale.value(row['drop'])} {_within(scale, row, 'drop')}"
                points = "points of " if scale.percent else ""
                over = f"in the mean over shares of {row['shares']}"
                sentences.append(f"{row['model']}: {where} costs {loss} {points}{scale.title} {over}.")
            continue
        apart = pairs[pairs["graceful"] != "not separable"]
        if apart.empty:
            few = int(pairs["speakers"].min()) < FEWEST
            alike.append(named)
            continue
        said = [_less(row, rows, scale) for row in _rows(apart)[:NAMED]]
        more = f"; {len(apart) - NAMED} more pairs are separable" if len(apart) > NAMED else ""
        sentences.append(f"With {where}, {'; '.join(said)}{more}.")
    if alike:
        why = f" ({FEWEST} speakers are needed)" if few else ""
        sentences.append(f"No two models' drops are separable where this is missing{why}: {'; '.join(alike)}.")
    return sentences


def words_of(pattern: str) -> str:
    """A pattern in words."""
    known = {"whole": "whole clips", "frames": "single frames", "face_lost": "one stretch", "shift": "sound late"}
    return known.get(pattern, pattern)


def level_of(level: float, unit: str) -> str:
    """A level with its unit."""
    return f"{100 * level:g}\N{NO-BREAK SPACE}%" if unit == "share" else f"{level:g}\N{NO-BREAK SPACE}{unit}"


def not_examined(metrics: Mapping[str, Any]) -> list[str]:
    """What was not examined, and why: a sentence for each reason."""
    entries = metrics["not_examined"]
    every, sentences = set(metrics["models"]), []
    for (why, models), group in groupby(
        sorted(entries, key=lambda one: (one["why"], one["models"])), key=lambda one: (one["why"], tuple(one["models"]))
    ):
        what = ", ".join(f"{words_of(one['pattern'])} ({one['modality']})" for one in group)
        whose = "" if set(models) == every else f" of {words.listed(models)}"
        sentences.append(f"not examined{whose}: {what}: {why}")
    return sentences


def text(found: Found) -> list[str]:
    """Lines for a terminal: the scores by series and level, the answers, and what was not examined."""
    metrics, scale = found.metrics, words.scale(found.metrics["measures"][0])
    models = metrics["models"]
    sizes = next(iter(models.values()))
    over = words.counted(sizes["speakers"], "speaker" if metrics["named"] else "clip")
    chance = metrics["chance"][metrics["measures"][0]]
    size = words.counted(sizes["clips"], "clip")
    on = f"{words.counted(len(models), 'model')} on {metrics['clips']}, {size} of {over}"
    measured = f"{scale.title}{scale.unit}, chance {scale.value(chance)}"
    lines = textwrap.wrap(f"{metrics['name']}: {on}; {measured}", WIDTH)
    first = found.table[found.table["measure"] == metrics["measures"][0]]
    for model, own in first.groupby("model", sort=False):
        complete = own[own["pattern"] == "complete"].iloc[0]
        limits = f" {scale.span(complete['low'], complete['high'])}"
        lines.append(f"{model}: {scale.value(complete['score'])} with all of its input (95 %{limits})")
        lines += _lines(own[own["pattern"] != "complete"], scale, whole_alone=len(models) > MANY)
    known = aware(found) if len(models) <= MANY else [one for one in aware(found) if "overconfident" in one]
    sentences = [*known, *graceful(found), *not_examined(metrics)]
    return lines + [line for one in sentences for line in _wrapped(one)]


def _lines(rows: pd.DataFrame, scale: words.Scale, *, whole_alone: bool) -> Iterator[str]:
    for (modality, pattern), part in rows.groupby(["modality", "pattern"], sort=False):
        if whole_alone and pattern != "whole":
            continue
        cells = [
            f"{level_of(level, '' if unit != 'share' else unit).strip()}: {scale.value(score)}"
            for level, unit, score in part[["level", "unit", "score"]].itertuples(index=False)
        ]
        unit = {"dB": ", dB", "ms": ", ms"}.get(part["unit"].iloc[0], "")
        head = f"  {modality} {words_of(str(pattern))}{unit}"
        for line in textwrap.wrap("  ".join(cells).replace(": ", ":\N{NO-BREAK SPACE}"), WIDTH - 31) or [""]:
            yield f"{head:30} {line}".rstrip().replace("\N{NO-BREAK SPACE}", " ")
            head = ""


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _partial(rows: pd.DataFrame, modality: str) -> Row | None:
    """The share nearest to a half that is missing of a modality, of the first pattern that there is."""
    part = rows[(rows["modality"] == modality) & (rows["unit"] == "share")]
    part = part[(part["level"] > 0) & (part["level"] < 1)]
    for pattern in PARTIAL:
        own = part[part["pattern"] == pattern]
        if len(own):
            return min(_rows(own), key=lambda row: abs(row["level"] - 0.5))
    return None


def _all_of(rows: pd.DataFrame, modality: str) -> Row | None:
    part = rows[(rows["modality"] == modality) & (rows["level"] == 1) & (rows["unit"] == "share")]
    return next(iter(_rows(part)), None)


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _sentence(row: Row) -> str:
    """What a model loses under a condition, and whether its confidence follows."""
    lost, sure = row["accuracy_change"], row["confidence_change"]
    falls = f"it answers {_points(lost, 'worse', 'better') or 'as well'}"
    follows = f"is {_points(sure, 'less confident', 'more confident') or 'as confident'}"
    part, how = _what(row).partition(" (")[::2]
    with_less = f"with {part} missing{' (' if how else ''}{how}"
    gap = f"confidence minus accuracy {words.signed(row['gap'])}"
    return f"{with_less} {falls} and {follows}: {SAID[row['verdict']]} ({gap})."


def _what(row: Row) -> str:
    """What is missing: "half of the face (blocks)"."""
    level = float(row["level"])
    how = "" if level == 1 else f" ({words_of(row['pattern'])})"
    return f"{SHARES.get(level, f'{100 * level:g} % of ')}{WHOSE[row['modality']]}{how}"


def _verdict(row: Row) -> str:
    """Whether confidence falls less, or more, than accuracy, by the interval of the difference."""
    low, high = row["gap_change_low"], row["gap_change_high"]
    if math.isnan(low):
        return "unknown"
    return "overconfident" if low > 0 else "underconfident" if high < 0 else "not separable"


def _points(change: float, below: str, above: str) -> str:
    """A change in points, in words; empty for none."""
    size = f"{abs(100 * change):.1f}"
    return "" if size == "0.0" else f"{size} point{'' if size == '1.0' else 's'} {below if change < 0 else above}"


def _within(scale: words.Scale, row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if math.isnan(low) else f"[{scale.value(low)}, {scale.value(high)}]"


def _less(row: Row, rows: pd.DataFrame, scale: words.Scale) -> str:
    """Which of two models drops less."""
    drop = rows[rows["other"] == ""].set_index("model")["drop"]
    less, more = (row["model"], row["other"]) if row["graceful"] == "yes" else (row["other"], row["model"])
    sign = 1 if row["graceful"] == "yes" else -1
    lost = f"{scale.value(drop[less])} against {scale.value(drop[more])}"
    higher = sign * row["area_difference"]
    area = f"its mean over shares is {scale.value(abs(higher))} {'higher' if higher > 0 else 'lower'}"
    return f"{less} drops less than {more} ({lost}; {area})"
