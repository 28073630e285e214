"""What a paper claims and what the run answers, for the page: Peri et al. 2021, from `peri2021.json` of the run."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mien.audit.comparison.claims import ALL, MARGIN, NO, OPEN, UNASKED, YES
from mien.audit.comparison.peri2021 import FILE, METHODS
from mien.reports import words
from mien.reports.figures import bars
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run
from mien.runs.tables import reading

CORPUS = "EmoVoxCeleb"  # of the paper
CALLED = {
    "multitask": "multitask",
    "gradient_reversal": "gradient reversal",
    "alternating": "alternating",
    "confusion": "confusion",
    "max_entropy": "maximum entropy",
    "single_task": "single task",
}
KINDS = {
    "above": "above",
    "below": "below",
    "kept": f"no worse by {100 * MARGIN:g} points",
    "near": f"within {100 * MARGIN:g} points",
    "different": "Stuart-Maxwell",
}


def shown(run: Run) -> dict[str, Any] | None:
    """What the section shows; None of a run that has no such evidence.

    Returns:
        `answer`: a sentence; `claims`: each with `says, clips, kind, answer`, and `contrasts`; `pictures` like Figs 3a
        and 3b; `people`: rows of Table 1 by method, with a cell a dimension; `elsewhere`: whether the paper's figures
        there, of its `corpus`, stand beside those of another; `knows`: rows of the person read from the emotion
        embedding, its `person_chance`, and whether the `strongest` probe read it, too; `leaks`: rows of Fig. 3b, with
        `floor` and `chance`; `dimensions`, the largest first; `split`: what is judged; `even`: whether its classes are
        equally frequent.
    """
    path = run.folder / FILE
    if not path.is_file():
        return None
    with reading(path, way="delete it and run 'mien audit RUN'"):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sizes = sorted({row["dimension"] for row in _rows(found) if row["dimension"]}, reverse=True)
        return {
            "answer": answer(found["claims"]),
            "claims": [
                claim | {"called": KINDS[claim["kind"]], "clips": _clips(claim["clips"], found["split"])}
                for claim in found["claims"]
            ],
            "pictures": list(_pictures(found, sizes)),
            "people": _by_method(found["table_1"], sizes),
            "knows": _by_method(found["person_from_emotion"], sizes),
            "person_chance": next((row["chance"] for row in found["person_from_emotion"]), None),
            "leaks": [row | {"name": _named(row)} for row in found["figure_3b"]],
            "floor": found["identity_floor"],
            "chance": found["chance"],
            "strongest": any("strongest_accuracy" in row for row in found["person_from_emotion"]),
            "elsewhere": run.certificate["corpus"].casefold() != CORPUS.casefold() and _published(found),
            "corpus": CORPUS,
            "dimensions": sizes,
            "split": found["split"],
            "even": found.get("even", False),
        }


def answer(claims: Sequence[Mapping[str, Any]]) -> str:
    """How many claims got which answer."""
    asked = [claim for claim in claims if claim["answer"] != UNASKED]
    if not asked:
        return "No claim of the paper can be answered by this run."
    counts = {kind: sum(claim["answer"] == kind for claim in asked) for kind in (YES, NO, OPEN)}
    told = words.listed(f"{count} {kind}" for kind, count in counts.items() if count)
    skipped = len(claims) - len(asked)
    more = f"; {skipped} not asked, for want of models or measurements" if skipped else ""
    return f"Of {words.counted(len(asked), 'claim')} that this run can answer: {told}{more}."


def _rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [row for name in ("figure_3a", "figure_3b", "table_1", "person_from_emotion") for row in found[name]]


def _published(found: Mapping[str, Any]) -> bool:
    """Whether a figure of the paper stands in Table 1."""
    return any(row["paper"] is not None for row in found["table_1"])


def _pictures(found: Mapping[str, Any], sizes: Sequence[int]) -> list[Picture]:
    """Fig. 3a, and Fig. 3b: on all clips, and with all classes weighted alike; once where they are that already."""
    chance, floor = found["chance"] or {}, found["identity_floor"] or {}
    probed = ("Emotion from the speaker embedding", "As Fig. 3b: a one-hidden-layer probe; less is better.")
    more = (
        "Only what lies above the identity floor (what the true person says of the emotion) leaks more than who it is."
    )
    asked = [
        ("Emotion from the emotion embedding", "figure_3a", "f1", "As Fig. 3a: the model's own head; more is better.")
    ]
    if found.get("even", False):
        asked.append((probed[0], "figure_3b", "balanced_f1", f"{probed[1]} {more}"))
    else:
        asked.append((probed[0], "figure_3b", "f1", probed[1]))
        asked.append(("The same, all classes weighted alike", "figure_3b", "balanced_f1", f"Less is better. {more}"))
    pictures = []
    for title, figure, score, told in asked:
        rows = [_bar(row, score) for row in found[figure] if row["dimension"]]
        single = next((row[score] for row in found[figure] if row["method"] == "single_task"), None)
        lines = {"single task": single, "all one class": chance.get(score)}
        if figure == "figure_3b":
            lines["identity floor"] = floor.get(score)
        known = {name: 100 * value for name, value in lines.items() if value is not None}
        if rows:
            drawn = bars.bars(
                rows,
                [str(size) for size in sizes],
                [CALLED[method] for method in METHODS],
                known,
                name=f"claims {figure} {score}",
                description=f"{title}, macro F by method and dimension of the speaker embedding",
                axis="macro F, %",
                below="dimension of the speaker embedding",
            )
            pictures.append(Picture(title, drawn, f"{told} Bars: 95 % intervals over speakers, seeds averaged."))
    return pictures


def _clips(which: str, split: str) -> str:
    """The clips of a claim, with the split that they are of."""
    return f"all {split} clips" if which == ALL else which


def _bar(row: Mapping[str, Any], score: str) -> bars.Bar:
    value, low, high = (
        math.nan if row[f"{score}{end}"] is None else 100 * float(row[f"{score}{end}"]) for end in ("", "_low", "_high")
    )
    return bars.Bar(str(row["dimension"]), CALLED[row["method"]], value, low, high)


def _by_method(rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """One row a method: `name`, and `by` = dimension (None of a single-task model) -> its row."""
    found: dict[str, dict[Any, Any]] = {}
    for row in rows:
        found.setdefault(row["method"], {})[row["dimension"]] = row
    return [
        {"name": CALLED[method], "by": by, "cells": [by.get(size) for size in sizes]} for method, by in found.items()
    ]


def _named(row: Mapping[str, Any]) -> str:
    return " ".join([CALLED[row["method"]], *([str(row["dimension"])] if row["dimension"] else [])])
