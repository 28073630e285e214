"""What derived classes mean, in words: where levels end, and where the midpoints of clusters lie."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from mien.reports.words import counted


def meaning(found: Mapping[str, Any]) -> str:
    """A row of `audit.recognition.derived` as text.

    Levels read "low < 2.1 ≤ medium < 3.4 ≤ high", or with given limits "low ≤ 2 < medium ≤ 3.5 < high": so it says of
    which level a value on a limit is.
    """
    several = found["folds"] > 1 and not found["given"]
    over = f"mean over {counted(found['folds'], 'fold')}, least and greatest in brackets" if several else ""
    if "midpoints" in found:
        clusters = (
            f"{name}: {', '.join(map(' '.join, zip(found['columns'], map(_shown, point), strict=True)))}"
            for name, point in found["midpoints"].items()
        )
        return f"midpoints of {'; '.join(clusters)}{over and f' ({over})'}"
    before, after = ("\N{LESS-THAN OR EQUAL TO}", "<") if found["given"] else ("<", "\N{LESS-THAN OR EQUAL TO}")
    limits = [f"{before} {_shown(limit)} {after}" for limit in found["limits"]]
    ordered = chain.from_iterable(zip(found["classes"], [*limits, ""], strict=True))
    how = "given limits" if found["given"] else "quantiles of the training clips"
    return f"{found['columns'][0]}: {' '.join(ordered).strip()} ({', '.join(filter(None, [how, over]))})"


def _shown(value: Mapping[str, float]) -> str:
    """A value, with its range over folds where it has one."""
    mean, low, high = (f"{value[key]:.3g}" for key in ("mean", "low", "high"))
    return mean if low == high else f"{mean} ({low} to {high})"
