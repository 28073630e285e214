"""The best and the worst speaker of each model. Chance alone makes them differ, the more so the fewer their clips."""

from typing import Any

import pandas as pd


def extremes(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The extremes of each model that has several speakers.

    Args:
        table: rows of `scores.by_speaker` of one split, of classes.

    Returns:
        For each model: `model`; `best` and `worst`: the rows of these speakers by WA, of equal speakers the first by
        name; `spread`: the standard deviation of WA over speakers; `speakers`: their number.
    """
    found = []
    for model, part in table.groupby("model", sort=False):
        if len(part) > 1:
            wa = part["wa"].to_numpy(float)
            best, worst = (part.iloc[int(place)].to_dict() for place in (wa.argmax(), wa.argmin()))
            spread = float(part["wa"].std(ddof=1))
            found.append({"model": str(model), "best": best, "worst": worst, "spread": spread, "speakers": len(part)})
    return found
