"""Affine maps to another corpus's classes, in words: the scores of each system, and what training adds.

All figures are those of `affine.json`, see `mien.audit.recognition.affine`.
"""

import math
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from mien.audit.statistics.verdict import FEWEST
from mien.common.tables import numbers
from mien.reports import words

WIDTH = 80
NAME = 23  # letters of a system's name beside its scores

Found = Mapping[str, Any]


def head(found: Found) -> str:
    """A sentence: the corpus, its classes and clips, and the map."""
    sizes = f"{words.counted(found['clips'], 'clip')} of {words.counted(found['speakers'], 'speaker')}"
    return (
        f"{found['corpus']}: affine maps from {len(found['outputs'])} outputs to {len(found['classes'])} classes "
        f"({', '.join(found['classes'])}); {sizes}"
    )


def answers(found: Found) -> list[str]:
    """Sentences: each trained system minus the untrained one, the teacher and the supervised one, by protocol."""
    return [sentence for protocol in found["protocols"].values() for sentence in of_protocol(numbers(dict(protocol)))]


def of_protocol(protocol: Found) -> list[str]:
    """The sentences of one protocol."""
    where = "speakers seen" if protocol["speakers_seen"] else "speakers unseen"
    rows = protocol["differences"]
    return [
        f"{_pair(system, other)} ({where}): {_differences(list(own))}."
        for (system, other), own in groupby(rows, key=lambda row: (row["system"], row["other"]))
    ]


def lines_of(protocol: Found, chance: Mapping[str, float]) -> Iterator[str]:
    """The table of one protocol: WA, its mean and deviation over folds, UAR, with intervals over speakers."""
    folds = protocol["folds"]
    yield f"{protocol['what']} ({words.counted(folds, 'fold')})"
    yield f"  {'':{NAME}} {'WA, %':>5}  {'of folds':>11}  {'95 %':>12}  {'UAR, %':>6}  {'95 %':>12}"
    yield f"  {'chance':{NAME}} {words.percent(chance['wa']):>5}  {'':11}  {'':12}  {words.percent(chance['uar']):>6}"
    for row in protocol["systems"]:
        name = row["system"]
        if len(name) > NAME:
            yield f"  {name}"
            name = ""
        spread = f"{words.percent(row['wa_mean'])} \N{PLUS-MINUS SIGN} {words.percent(row['wa_std'])}"
        wa, uar = (words.span(row[f"{key}_low"], row[f"{key}_high"]) for key in ("wa", "uar"))
        yield (
            f"  {name:{NAME}} {words.percent(row['wa']):>5}  {spread:>11}  {wa:>12}  "
            f"{words.percent(row['uar']):>6}  {uar:>12}"
        )


def worst(protocol: Found) -> str:
    """A sentence on the speaker with the lowest WA of each system."""
    each = [f"{row['system']} {row['worst_speaker']} ({words.percent(row['worst_wa'])})" for row in protocol["systems"]]
    return f"worst speaker, WA in %: {'; '.join(each)}"


def text(found: Found) -> list[str]:
    """Lines of 80 columns for a terminal."""
    known = numbers(dict(found))
    lines = _wrapped(head(known))
    for protocol in known["protocols"].values():
        lines += lines_of(protocol, known["chance"])
        for sentence in (worst(protocol), *of_protocol(protocol)):
            lines += _wrapped(sentence, "  ")
    for value, clips in known["left_out"].items():
        lines += _wrapped(f"not scored: {value} ({words.counted(clips, 'clip')})", "  ")
    for note in known["notes"]:
        lines += _wrapped(note, "  ")
    if namesakes := known["shared_speakers"]:
        lines += _wrapped(
            f"speakers with the name of a training speaker, by chance or not: {', '.join(namesakes)}", "  "
        )
    return lines


def _pair(system: str, other: str) -> str:
    own = f"{system}, "
    return f"{own}trained minus {other.removeprefix(own)}" if other.startswith(own) else f"{system} minus {other}"


def _differences(rows: list[Mapping[str, Any]]) -> str:
    parts = []
    for row in sorted(rows, key=lambda row: row["measure"] != "wa"):
        scale = words.scale(row["measure"])
        limits = "" if math.isnan(row["low"]) else f"{scale.span(row['low'], row['high'])}, "
        verdict = "separable" if row["separable"] else "not separable"
        parts.append(
            f"{scale.title} {scale.signed(row['difference'])} points ({limits}p {words.probability(row['p_holm'])}; "
            f"{verdict})"
        )
    few = rows[0]["speakers"] < FEWEST
    return " and ".join(parts) + (f"; {FEWEST} speakers are needed for a verdict" if few else "")


def _wrapped(sentence: str, indent: str = "") -> list[str]:
    settings: dict[str, Any] = {"break_on_hyphens": False, "break_long_words": False}
    return textwrap.wrap(sentence, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", **settings)
