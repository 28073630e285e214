"""The points of a grid compared on validation speakers, for choosing a setting.

Test clips are not used, even if they were scored: clips that choose a setting cannot evaluate it.
"""

from typing import Any

import pandas as pd

from mien.audit.comparison.pairs import differences
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.statistics.scores import summary
from mien.common.leakage_tables import SEEN, STRONGEST
from mien.runs.run import Run

SPLIT = "validation"
BASE = "base"  # label of a base model whose settings are not a point of its group
SCORE = ("uar", "uar_low", "uar_high", "uar_chance", "wa", "wa_low", "wa_high", "wa_chance", "speakers")
DIFFERENCE = ("difference", "low", "high", "separable")
LEAK = ("probe", "score", "low", "high", "chance", "interval", "number")
COLUMNS = (
    *("group", "label", "model", "base", *SCORE),
    *("difference", "difference_low", "difference_high", "separable"),
    *(f"leakage_{name}" for name in LEAK),
    "best",
)


def sweep(run: Run) -> pd.DataFrame:
    """The scores of the grid: one row per point, and one per base model that is not a point; only trained models.

    Args:
        run: a run with predictions; it is not changed.

    Returns:
        The columns of `sweep.csv` (`COLUMNS`), all scores fractions in [0, 1]: `group, label, model` (the variant) and
        its `base`; UAR and WA on validation speakers, all folds pooled, as in `scores.summary`; `difference`: UAR minus
        that of the base on the same resamples of speakers (95 %, see `pairs.differences`), empty for the base itself;
        `leakage_...`: how well the strongest probe identifies seen speakers, as in `summary.leakage_summary` (of
        several embeddings the first), with the kind and number of units of its interval, empty if not measured; `best`:
        whether the row has the highest UAR of its group and base, of equal ones the first.

    Raises:
        RunError: a file of the run is missing or damaged.
    """
    predictions = run.predictions
    validated = predictions[predictions["split"] == SPLIT]
    found = summary(validated, run.classes)
    scored = found.set_index("model").to_dict("index") if len(found) else {}
    leaks, apart = _leaks(run), _differences(run, validated)
    rows: list[dict[str, Any]] = []
    for place in _places(run):
        if (model := place["model"]) in scored:
            score = {name: scored[model][name] for name in SCORE}
            rows.append(place | score | apart.get(model, {}) | leaks.get(model, {}))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    best = table.sort_values("uar", ascending=False, kind="stable").drop_duplicates(["group", "base"])
    return table.assign(best=table.index.isin(best.index))


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
    """Variant -> its UAR minus that of its base."""
    among = [(point.name, point.base) for point in run.experiment.sweep if point.name != point.base]
    table = differences(validated, run.classes, split=SPLIT, among=dict.fromkeys(among))
    names = ("difference", "difference_low", "difference_high", "separable")
    return {
        row["model"]: {name: row[key] for name, key in zip(names, DIFFERENCE, strict=True)}
        for row in table[table["measure"] == "uar"].to_dict("records")
    }


def _leaks(run: Run) -> dict[str, dict[str, Any]]:
    """Model -> the leakage of seen speakers by the strongest probe."""
    if run.leakage is None:
        return {}
    table = leakage_summary(run.leakage, run.units, run.leakage_by_speaker)
    table = table[(table["eraser"] == "") & (table["speakers"] == SEEN) & (table["probe"] == STRONGEST)]
    table = table.drop_duplicates("model")
    return {row["model"]: {f"leakage_{name}": row[name] for name in LEAK} for row in table.to_dict("records")}
