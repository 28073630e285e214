"""The sweep of a run on its page: the points of its grid by group, and what they say in a sentence."""

from typing import Any

import pandas as pd

from mien.audit.comparison.sweep import sweep
from mien.audit.statistics.verdict import FEWEST
from mien.reports import words
from mien.runs.run import Run

NAMED = 4  # variants that a sentence names


def shown(run: Run) -> dict[str, Any] | None:
    """What the page shows of a grid, None where there is none, or nothing of it is trained yet.

    Returns:
        `groups`: for each group and base model its name and the `rows` of `audit.sweep.sweep`; `varied`: group -> the
        settings that it varies; `chance`: of the UAR; `stands`: how many speakers or units of folds
        stand behind a leakage, empty where none was measured; `answer`: sentences.
    """
    table = sweep(run) if run.experiment.grid else pd.DataFrame()
    if table.empty:
        return None
    groups = [
        {"group": group, "rows": part.to_dict("records")}
        for (group, _), part in table.groupby(["group", "base"], sort=False)
    ]
    return {
        "groups": groups,
        "varied": {group: [key for key in told if key != "models"] for group, told in run.experiment.grid.items()},
        "chance": float(table["uar_chance"].mean()),
        "stands": _stands(table.dropna(subset="leakage_number")),
        "answer": _answer(table),
    }


def _stands(table: pd.DataFrame) -> str:
    if table.empty:
        return ""
    number = int(table["leakage_number"].min())
    over = "speaker" if set(table["leakage_interval"]) == {"speakers"} else "unit"
    more = "" if over == "speaker" else " (folds that train on the same people are one)"
    return words.counted(number, over) + more


def _answer(table: pd.DataFrame) -> list[str]:
    """How many variants can be told from the models that they vary."""
    variants = table[table["model"] != table["base"]]
    if variants.empty:
        return []
    few = int(variants["speakers"].min())
    opening = f"{words.counted(len(variants), 'variant')} swept: on {words.counted(few, 'validation speaker')}"
    apart = variants[variants["separable"].eq(True)]
    if apart.empty:
        why = "" if few >= FEWEST else ": so few can separate nothing"
        return [f"{opening} none is separable from the model that it varies{why}."]
    named = [f"{row['model']} ({words.signed(row['difference'])})" for row in apart.to_dict("records")]
    more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
    told = words.listed([*named[:NAMED], *more])
    return [f"{opening} {len(apart)} can be told from the model varied: {told}, in points of UAR."]
