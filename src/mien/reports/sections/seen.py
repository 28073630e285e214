"""Seen beside unseen speakers: a table and a sentence for each model."""

import math
from collections.abc import Mapping
from typing import Any

from mien.common.measures import of_classes
from mien.data.protocols import SEEN
from mien.reports import words
from mien.reports.words import counted
from mien.runs.run import Run


def shown(run: Run, found: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the table; empty where no recordings of training speakers are kept back.

    Args:
        run: the run.
        found: its `metrics.json`.

    Returns:
        `rows`: the rows of `audit.recognition.seen`, by model: `model` and `by`: measure -> row; `clips` and `speakers`
        of the split; `sentences`: one a model; `paired`: whether the speakers of both sides are the same.
    """
    rows = [row for row in found.get(SEEN, []) if row["model"] in run.experiment.models]
    if not rows:
        return {}
    by: dict[str, dict[str, Any]] = {}
    for row in rows:
        by.setdefault(row["model"], {})[row["measure"]] = row
    name = of_classes(run.classes)[0]
    size = next(iter(found["models"][model][SEEN] for model in by))
    return {
        "rows": [{"model": model, "by": own} for model, own in by.items()],
        "clips": int(size["clips"]),
        "speakers": int(size["speakers"]),
        "paired": all(row["paired"] for row in rows),
        "sentences": [sentence(own[name]) for own in by.values()],
    }


def sentence(row: Mapping[str, Any]) -> str:
    """How far seen and unseen speakers are apart: one sentence, without a full stop.

    Args:
        row: of `audit.recognition.seen`, of one model and measure.
    """
    scale = words.scale(row["measure"])
    unit = " points" if scale.percent else ""
    low, high = row["low"], row["high"]
    known = (
        f"{row['model']}: {scale.title} {scale.value(row['seen'])} on seen speakers, {scale.value(row['unseen'])} on "
        "unseen ones"
    )
    if low is None or math.isnan(low):
        return f"{known}; too few speakers for an interval of the difference"
    over = counted(row["speakers"], "speaker")
    apart = f"{scale.signed(row['difference'])}{unit}, 95 % over {over} {scale.span(low, high)}"
    verdict = "not separable" if low <= 0 <= high else "separable"
    return f"{known} ({apart}: {verdict})"
