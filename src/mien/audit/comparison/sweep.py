"""The points of a grid compared on validation speakers, for choosing a setting.

Test clips are not used, even if they were scored: clips that choose a setting cannot evaluate it.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.pairs import differences
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.statistics.scores import summary
from mien.common.leakage_tables import SEEN, STRONGEST
from mien.common.measures import of_classes
from mien.runs.run import Run

SPLIT = "validation"
BASE = "base"  # label of a base model whose settings are not a point of its group
DIFFERENCE = ("difference", "low", "high", "separable")
LEAK = ("probe", "score", "low", "high", "chance", "interval", "number")


def sweep(run: Run) -> pd.DataFrame:
    """The scores of the grid: one row per point, and one per base model that is not a point; only trained models.

    Args:
        run: a run with predictions; it is not changed.

    Returns:
        `columns` of `sweep.csv`: `group, label, model` (the variant) and its `base`; UAR and WA, fractions, or CCC and
        RMSE on validation speakers, all folds pooled, as in `scores.summary`; `difference`: UAR (or CCC) minus that of
        the base on the same resamples of speakers (95 %, see `pairs.differences`), empty for the base itself;
        `leakage_...`: how well the strongest probe identifies seen speakers, as in `summary.leakage_summary` (of
        several embeddings the first), with the kind and number of units of its interval, empty if not measured; `best`:
        whether the row has the highest UAR (or CCC) of its group and base, of equal ones the first.

    Raises:
        RunError: a file of the run is missing or damaged.
    """
    predictions, measures = run.predictions, of_classes(run.classes)
    validated = predictions[predictions["split"] == SPLIT]
    found = summary(validated, run.classes)
    scored = found.set_index("model").to_dict("index") if len(found) else {}
    leaks, apart = _leaks(run), _differences(run, validated)
    rows: list[dict[str, Any]] = []
    for place in _places(run):
        if (model := place["model"]) in scored:
            score = {name: scored[model][name] for name in _scores(measures)}
            rows.append(place | score | apart.get(model, {}) | leaks.get(model, {}))
    table = pd.DataFrame(rows, columns=list(columns(measures)))
    best = table.sort_values(measures[0], ascending=False, kind="stable").drop_duplicates(["group", "base"])
    return table.assign(best=table.index.isin(best.index))


def columns(measures: Sequence[str]) -> tuple[str, ...]:
    """The columns of `sweep.csv` for these measures (`common.measures.of_classes`)."""
    return (
        *("group", "label", "model", "base", *_scores(measures)),
        *("difference", "difference_low", "difference_high", "separable"),
        *(f"leakage_{name}" for name in LEAK),
        "best",
    )


def _scores(measures: Sequence[str]) -> tuple[str, ...]:
    return (*(f"{name}{end}" for name in measures for end in ("", "_low", "_high", "_chance")), "speakers")


def _places(run: Run) -> list[dict[str, str]]:
    """The names of each row, by group and base; a base that is not a point of its group comes first."""
    points = run.experiment.sweep
    places = []
    for group, base in dict.fromkeys((point.group, point.base) for point in points):
        here = [point for point in points if (point.group, point.base) == (group, base)]
        listed = [(point.label, point.name) for point in here]
        if base not in [name for _, name in listed]:
            listed.insert(0, (BASE, base))
        places += [{"group": group, "label": label, "model": name, "base": base} for label, name in listed]
    return places


def _differences(run: Run, validated: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Variant -> its first measure minus that of its base."""
    among = [(point.name, point.base) for point in run.experiment.sweep if point.name != point.base]
    table = differences(validated, run.classes, split=SPLIT, among=dict.fromkeys(among))
    names = ("difference", "difference_low", "difference_high", "separable")
    return {
        row["model"]: {name: row[key] for name, key in zip(names, DIFFERENCE, strict=True)}
        for row in table[table["measure"] == of_classes(run.classes)[0]].to_dict("records")
    }


def _leaks(run: Run) -> dict[str, dict[str, Any]]:
    """Model -> the leakage of seen speakers by the strongest probe."""
    if run.leakage is None:
        return {}
    table = leakage_summary(run.leakage, run.units, run.leakage_by_speaker)
    table = table[(table["eraser"] == "") & (table["speakers"] == SEEN) & (table["probe"] == STRONGEST)]
    table = table.drop_duplicates("model")
    return {row["model"]: {f"leakage_{name}": row[name] for name in LEAK} for row in table.to_dict("records")}
