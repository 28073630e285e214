"""What derived classes mean: the limits of levels and the midpoints of clusters, over the folds of a run."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mien.data.targets import Target
from mien.runs.run import Cell, Run


def derived(run: Run, cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """Factor -> what its classes are derived from; none of a factor whose classes are not derived from numbers.

    Args:
        run: the run of the cells.
        cells: finished ones; a factor of several models is fitted alike in a fold, and counts once.

    Returns:
        For each factor `classes`; `columns`; `folds`: their number; `given`: whether the settings give the limits.
        Of levels `limits`, of clusters `midpoints`: class -> a value for each column. A value is `mean`, `low` and
        `high` over folds.
    """
    by_factor: dict[str, dict[int, Target]] = {}
    for cell in cells if any(how.derived for how in run.experiment.data.targets.values()) else ():
        for factor, target in run.targets_of(cell).items():
            if target.derived:
                by_factor.setdefault(factor, {}).setdefault(cell.fold, target)
    return {factor: _described(list(found.values())) for factor, found in sorted(by_factor.items())}


def _described(targets: Sequence[Target]) -> dict[str, Any]:
    first = targets[0]
    found: dict[str, Any] = {"classes": list(first.classes), "columns": list(first.columns)}
    found |= {"folds": len(targets), "given": first.given}
    if first.edges:
        limits = np.array([target.edges for target in targets])
        return found | {"limits": [_over_folds(values) for values in limits.T]}
    points = np.array([target.midpoints for target in targets])
    midpoints = {name: [_over_folds(values) for values in points[:, k].T] for k, name in enumerate(first.classes)}
    return found | {"midpoints": midpoints}


def _over_folds(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return {"mean": float(values.mean()), "low": float(values.min()), "high": float(values.max())}
