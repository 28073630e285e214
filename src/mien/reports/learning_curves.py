"""Learning curves in words: whether what a model learns from beside its labels helps, at each share of the labels."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from mien.audit.comparison.learning_curves import Curves, Learner
from mien.audit.statistics.verdict import FEWEST
from mien.reports import words
from mien.reports.figures import learning
from mien.reports.words import probability

Row = dict[str, Any]

WIDTH = 80
NAME = 14  # letters of the first column of the text; with longer names each has a line of its own
PERCENT = "\N{NO-BREAK SPACE}%"


class Subject(NamedTuple):
    """What a model has and its baseline has not, as the subject of a sentence; empty if that cannot be said."""

    text: str = ""
    several: bool = False
    unlabelled: bool = False


def section(found: Curves) -> dict[str, Any]:
    """The values of the section of a page."""
    scale = words.scale(found.measure)
    return {
        "lead": lead(found),
        "answers": answers(found),
        "notes": found.notes,
        "figure": _figure(found, scale),
        "systems": _by_system(found),
        "scale": scale,
        "share": _share,
        "rule": rule(found),
    }


def lead(found: Curves) -> str:
    """What the curves show, how many clips have a label at each share, and what models are compared with."""
    row = found.table.iloc[0]
    title = words.scale(found.measure).title
    sentences = [
        f"{title} on {words.counted(int(row['speakers']), f'{found.split} speaker')} against the share of the training "
        f"labels that is known, with 95{PERCENT} intervals over speakers."
    ]
    known_of = found.table.dropna(subset="labelled_clips")
    counts = {share: known_of[known_of["labelled"] == share] for share in _shares(found)}
    if all(len(part) for part in counts.values()):
        known, others = (
            ", ".join(f"{part[f'{which}_clips'].mean():,.0f} at {_share(share)}" for share, part in counts.items())
            for which in ("labelled", "unlabelled")
        )
        without = f"; without one: {others}" if (found.table["unlabelled_clips"] > 0).any() else ""
        sentences.append(f"Training clips with a label: {known}{without} (means over folds and seeds).")
    if bases := [base for base in dict.fromkeys(found.table["baseline"]) if base]:
        which = " (supervised)" if all(found.learners[base].supervised for base in bases) else ""
        sentences.append(f"Differences are from {words.listed(bases)}{which} at the same share.")
    return " ".join(sentences)


def answers(found: Curves) -> list[str]:
    """A sentence for each model that has a baseline: what it gains or loses at each share.

    Differences are fractions, as in papers. "Can be shown" is that the interval leaves out zero; a difference that is
    not separable by the rule of `verdict` is marked.
    """
    sentences = []
    for part in _by_system(found):
        rows = [row for row in part["rows"] if row["baseline"]]
        if rows:
            base = rows[0]["baseline"]
            subject = _subject(found, part["system"], base, rows)
            said = _with_subject(subject, rows) if subject.text else _from(base, rows)
            sentences.append(f"{part['system']}: {said}.")
    return sentences


def rule(found: Curves) -> str:
    """How differences are computed and called separable."""
    count = int((found.table["baseline"] != "").sum())
    both = " What is said of unlabelled clips includes the losses that need no label, on labelled clips too."
    return (
        "Differences are paired by speaker, seeds averaged within a speaker first. Separable: the rule of the section "
        f"Differences, p corrected by Holm over {words.counted(count, 'difference')}."
        f"{both if any(one.label_free for one in found.learners.values()) else ''}"
    )


def text(found: Curves) -> list[str]:
    """Lines for a terminal: a table of models and shares, and the answers."""
    scale = words.scale(found.measure)
    shares = _shares(found)
    cells = {
        (part["system"], row["labelled"]): (_cell(scale, row, "score"), _cell(scale, row, "difference"))
        for part in _by_system(found)
        for row in part["rows"]
    }
    wide = 1 + max(len(cell) for pair in cells.values() for cell in pair)
    beside = max(1, (WIDTH - NAME) // wide)
    long = max(map(len, found.table["system"])) >= NAME
    lines = textwrap.wrap(f"Learning curves: {lead(found)}", WIDTH)
    for start in range(0, len(shares), beside):
        block = shares[start : start + beside]
        lines += ["", f"{scale.title + scale.unit:<{NAME}}" + "".join(f"{_share(share):>{wide}}" for share in block)]
        for part in _by_system(found):
            name, compared = part["system"], any(row["baseline"] for row in part["rows"])
            lines += textwrap.wrap(name, WIDTH) if long else []
            for label, which in (("  score" if long else name, 0), ("  difference", 1))[: 1 + compared]:
                values = "".join(f"{cells.get((part['system'], share), ('', ''))[which]:>{wide}}" for share in block)
                lines.append(f"{label:<{NAME}}{values}".rstrip())
    if said := answers(found):
        lines += ["", *(line for sentence in said for line in textwrap.wrap(sentence, WIDTH, subsequent_indent="  "))]
        lines += ["", *textwrap.wrap(f"* separable. {rule(found)}", WIDTH)]
    return lines + [line for note in found.notes for line in textwrap.wrap(f"- {note}", WIDTH, subsequent_indent="  ")]


def _by_system(found: Curves) -> list[dict[str, Any]]:
    rows: list[Row] = [{str(key): value for key, value in row.items()} for row in found.table.to_dict("records")]
    return [{"system": system, "rows": list(part)} for system, part in groupby(rows, key=lambda row: row["system"])]


def _shares(found: Curves) -> list[float]:
    return sorted(map(float, set(found.table["labelled"])))


def _share(share: float) -> str:
    return f"{100 * share:g}{PERCENT}"


def _cell(scale: words.Scale, row: Row, which: str) -> str:
    """A score or a difference with its interval; a star if the difference is separable."""
    if which == "score":
        return f"{scale.value(row['score'])} {_between(scale, row['low'], row['high'])}"
    if not row["baseline"]:
        return ""
    star = "*" if row["separable"] is True else ""
    limits = _between(scale, row["difference_low"], row["difference_high"])
    return f"{scale.signed(row['difference'])} {limits}{star}"


def _between(scale: words.Scale, low: float, high: float) -> str:
    return f"[{scale.value(low)}, {scale.value(high)}]"


def _subject(found: Curves, system: str, base: str, rows: Sequence[Row]) -> Subject:
    own: Learner = found.learners[system]
    if not found.learners[base].supervised or own.supervised:
        return Subject()
    unlabelled = own.label_free and any(row["unlabelled_clips"] != 0 for row in rows)
    clips = "the unlabelled speech" if found.heard else "the unlabelled clips"
    parts = [
        ("the auxiliary tasks", own.tasks),
        (f"the removal of {words.listed(own.removed)}" if own.removed else "", bool(own.removed)),
        (clips if unlabelled else "the losses without labels", own.label_free),
    ]
    names = [name for name, there in parts if there]
    return Subject(words.listed(names), len(names) > 1 or names[0].endswith("s"), unlabelled)


def _with_subject(subject: Subject, rows: Sequence[Row]) -> str:
    """`the unlabelled speech adds .03 [.01, .05] at 10 % of the labels, nothing that can be shown at 100 %`."""
    said, last = [], ""
    for (verb, amount), places in _effects(rows, subject.unlabelled):
        verb = verb or last or "add"
        spoken = f"{verb if subject.several else f'{verb}s'} " if verb != last else ""
        said.append(f"{spoken}{amount or 'nothing that can be shown'} at {places}")
        last = verb
    return f"{subject.text} {', '.join(said)}"


def _from(base: str, rows: Sequence[Row]) -> str:
    """`.03 [.01, .05] above CNN at 10 % of the labels, no difference that can be shown at 100 %`."""
    where = {"add": f" above {base}", "take": f" below {base}", "": f"no difference from {base} that can be shown"}
    return ", ".join(f"{amount}{where[verb]} at {places}" for (verb, amount), places in _effects(rows, False))


def _effects(rows: Sequence[Row], unlabelled: bool) -> Iterator[tuple[tuple[str, str], str]]:
    """Verb and amount, empty if nothing can be shown, and the shares at which it is so."""
    of = " of the labels"
    for effect, part in groupby(rows, key=_effect):
        none = " (no clip is unlabelled)" if unlabelled else ""
        shares = [_share(row["labelled"]) + (none if row["unlabelled_clips"] == 0 else "") for row in part]
        *more, last = shares
        yield effect, words.listed([*more, last.replace(PERCENT, PERCENT + of, 1)])
        of = ""


def _effect(row: Row) -> tuple[str, str]:
    low, high = row["difference_low"], row["difference_high"]
    if not (low > 0 or high < 0):  # nan included
        return "", ""
    verb = "add" if low > 0 else "take"
    middle, *ends = _fractions([abs(row["difference"]), *sorted((abs(low), abs(high)))])
    amount = f"{middle} [{', '.join(ends)}]"
    return verb, amount if row["separable"] else f"{amount} (not separable: {_why(row)})"


def _why(row: Row) -> str:
    few = int(row["speakers"])
    return f"{words.counted(few, 'speaker')}" if few < FEWEST else f"p {probability(row['p_holm'])}"


def _fractions(values: Sequence[float]) -> list[str]:
    """Positive numbers with two decimals, or as many as none of them needs to be more than .00."""
    decimals = next(number for number in range(2, 16) if all(round(value, number) > 0 for value in values))
    return [f"{value:.{decimals}f}".removeprefix("0") for value in values]


def _figure(found: Curves, scale: words.Scale) -> str:
    shares = _shares(found)
    unit = 100 if scale.percent else 1
    series = []
    for system, part in found.table.groupby("system", sort=False):
        score, low, high = (unit * part[name].to_numpy(float) for name in ("score", "low", "high"))
        places = np.array([shares.index(share) for share in part["labelled"]], float)
        series.append(learning.Series(str(system), places, score, low, high))
    ticks = []
    for share in shares:
        clips = found.table.loc[found.table["labelled"] == share, "labelled_clips"].mean()
        ticks.append(_share(share) + ("" if math.isnan(clips) else f"\n{clips:,.0f} clips"))
    title = scale.title + scale.unit
    said = " ".join(answers(found))
    described = f"{title} against the share of the labels, of {words.listed([one.label for one in series])}. {said}"
    chance = unit * float(found.table["chance"].mean())
    named = {"name": "learning curves", "description": described.strip(), "axis": title}
    return learning.curves(series, ticks, chance=chance, **named)
