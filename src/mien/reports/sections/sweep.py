"""The sweep of a run on its page: the variants of its grid by group, and a sentence on them."""

from typing import Any

import pandas as pd

from mien.audit.statistics.verdict import FEWEST
from mien.common.measures import of_classes
from mien.reports import words
from mien.runs.run import Run

NAMED = 4  # variants that a sentence names


def shown(run: Run) -> dict[str, Any] | None:
    """The values of the section, from `sweep.csv`; None if the run has no grid, or no variant is trained yet.

    Returns:
        `groups`: for each group and base model its name and the `rows` of the table; `varied`: group -> the settings
        that it varies; `chance`: of the first measure, as text; `stands`: the number of speakers or units of folds that
        leakage is over, empty if it was not measured; `answer`: sentences; `curves`: whether `mien compare` of the run
        shows learning curves.
    """
    table = run.sweep
    if table is None or table.empty:
        return None
    name = of_classes(run.classes)[0]
    scale = words.scale(name)
    varied = {group: [key for key in settings if key != "models"] for group, settings in run.experiment.grid.items()}
    groups = [
        {"group": group, "rows": part.to_dict("records")}
        for (group, _), part in table.groupby(["group", "base"], sort=False)
    ]
    return {
        "groups": groups,
        "varied": varied,
        "chance": scale.value(float(table[f"{name}_chance"].mean())),
        "stands": _stands(table.dropna(subset="leakage_number")),
        "answer": _answer(table, scale),
        "curves": len(run.experiment.models) > 1 and any("data.labelled" in keys for keys in varied.values()),
    }


def _stands(table: pd.DataFrame) -> str:
    if table.empty:
        return ""
    number = int(table["leakage_number"].min())
    over = "speaker" if set(table["leakage_interval"]) == {"speakers"} else "unit"
    more = "" if over == "speaker" else " (folds that train on the same speakers or test the same ones count as one)"
    return words.counted(number, over) + more


def _answer(table: pd.DataFrame, scale: words.Scale) -> list[str]:
    """How many variants are separable from their base models."""
    variants = table[table["model"] != table["base"]]
    if variants.empty:
        return []
    few = int(variants["speakers"].min())
    opening = f"{words.counted(len(variants), 'variant')} trained: on {words.counted(few, 'validation speaker')}"
    apart = variants[variants["separable"].eq(True)]
    if apart.empty:
        why = "" if few >= FEWEST else f" ({FEWEST} speakers are needed)"
        return [f"{opening} none is separable from its base model{why}."]
    named = [f"{row['model']} ({scale.signed(row['difference'])})" for row in apart.to_dict("records")]
    more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
    names = words.listed([*named[:NAMED], *more])
    are = "is" if len(apart) == 1 else "are"
    unit = f"{'points of ' if scale.percent else ''}{scale.title}"
    return [f"{opening} {len(apart)} {are} separable from the base model: {names}, in {unit}."]
