"""Scores by group of speakers: the groups, and the gaps between them that are shown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

MOST_GAPS = 3  # the number between three groups; more would fill the table


def grouped(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Scores by each factor that groups the speakers of the split that the run is scored on.

    Args:
        groups: `groups` of `metrics.json`.

    Returns:
        One mapping for each factor: `factor`; `groups`: their names; `sizes`: group -> number of speakers; `rows`: for
        each model its name, `by`: group -> its scores, `gaps`: if more than `MOST_GAPS` the widest and those that are
        separable, `bias`.
    """
    found = []
    for factor in groups:
        by = pd.DataFrame(factor["groups"])
        rows = [
            {
                "model": model,
                "by": {row["group"]: row for row in part.to_dict("records")},
                "gaps": _shown([gap for gap in factor["gaps"] if gap["model"] == model]),
                "bias": factor["bias"].get(str(model), float("nan")),
            }
            for model, part in by.groupby("model", sort=False)
        ]
        sizes = by.drop_duplicates("group").set_index("group")["speakers"].to_dict()
        found.append({"factor": factor["factor"], "groups": list(sizes), "sizes": sizes, "rows": rows})
    return found


def _shown(gaps: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    if len(gaps) <= MOST_GAPS:
        return gaps
    widest = max(gaps, key=lambda gap: np.nan_to_num(abs(gap["gap"]), nan=-1.0))
    return [gap for gap in gaps if gap is widest or gap["separable"]]
