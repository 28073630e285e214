"""The area under the ROC curve of each class, on the page of a run: a table for each split."""

from collections.abc import Mapping
from typing import Any

from mien.experiments import reference
from mien.reports import words
from mien.runs.run import Run


def shown(run: Run, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the tables; None for a number, and in files of an older mien.

    Args:
        run: the run.
        found: its `metrics.json`.

    Returns:
        `scale` of the areas; `splits`, the one that the run is scored on first: its name, `models` (names), `rows`: for
        each class its `name`, `clips`, whether it is `kept` in the mean, and `by` = model -> area with `low, high`; and
        `means`: model -> the mean over the kept classes; `some`: what is kept, a clause, empty where all are; `paper`:
        what the paper reports under names of its own, of each model that it reports on.
    """
    models = [name for name in run.experiment.models if name in found.get("auc", {})]
    if not models:
        return None
    first = str(found["split"])
    names = dict.fromkeys(split for name in models for split in found["auc"][name])
    order = sorted(names, key=lambda split: split != first)
    return {
        "scale": words.scale("auc"),
        "splits": [_of_split(split, {name: found["auc"][name] for name in models}) for split in order],
        "some": _some(run),
        "paper": [f"{name}: {own}" for name in models if (own := reference.others(run.experiment, name, "AUC"))],
    }


def _of_split(split: str, areas: Mapping[str, Any]) -> dict[str, Any]:
    own = {model: found[split] for model, found in areas.items() if split in found}
    one = next(iter(own.values()))
    rows = [
        {
            "name": name,
            "clips": row["clips"],
            "kept": name in one["kept"],
            "by": {model: found["classes"][name] for model, found in own.items()},
        }
        for name, row in one["classes"].items()
    ]
    return {"name": split, "models": list(own), "rows": rows, "means": own, "kept": len(one["kept"])}


def _some(run: Run) -> str:
    keep = run.experiment.auc_classes
    if keep is None:
        return ""
    return f"of {keep} clips or more" if isinstance(keep, int) else words.listed(keep)
