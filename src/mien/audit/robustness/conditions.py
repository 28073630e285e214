"""The scores of models under conditions, each with its difference to the complete data, and confidence beside them.

Confidence is the greatest probability of a clip. Where it falls by as much as accuracy does, `gap`, confidence minus
accuracy, stays what it was. Clips of several classes are left out of
confidence, gap and calibration error. Intervals are 95 %, over speakers (`scores.interval`), folds and seeds averaged
first; differences are paired: both are computed on the same resamples of speakers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.robustness.counted import Counted
from mien.audit.statistics.scores import draws, interval, resampled
from mien.common.measures import Array, measure_of
from mien.experiments.conditions import NOTHING, Condition

PLACE = ("model", "modality", "pattern", "level", "unit")
SURE = (
    *("confidence", "accuracy", "ece", "gap", "gap_low", "gap_high"),
    *("confidence_change", "accuracy_change", "gap_change", "gap_change_low", "gap_change_high"),
)
COLUMNS = (
    *(*PLACE, "measure", "score", "low", "high", "chance", "difference", "difference_low", "difference_high"),
    *("clips", "speakers", "folds", "seeds", *SURE),
)
FOLDS = (*PLACE, "fold", "seed", "measure", "score", "speakers")


def table(models: Sequence[Counted], conditions: Sequence[Condition]) -> pd.DataFrame:
    """One row per model, condition and measure (`COLUMNS`): first the complete data, then `conditions`.

    Conditions that were not examined have no row. `speakers` is the number of speakers, of clips where none is named.
    What is not known is nan.
    """
    rows: list[dict[str, Any]] = []
    for model in models:
        base = {name: _Scored(model, NOTHING, name) for name in model.measures}
        complete = _Sureness(model, NOTHING)
        sizes = {"clips": model.clips, "speakers": len(model.speakers)}
        sizes |= {f"{name}s": int(model.units[name].nunique()) for name in ("fold", "seed")}
        known: dict[Condition, list[dict[str, Any]]] = {}
        for condition in examined(model, conditions):
            same = condition.same
            if same not in known:
                sure = _Sureness(model, same).beside(complete)
                scored = [_Scored(model, same, name).beside(base[name]) for name in model.measures]
                known[same] = [one | sizes | sure for one in scored]
            rows += [_place(model, condition) | one for one in known[same]]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def folds(models: Sequence[Counted], conditions: Sequence[Condition]) -> pd.DataFrame:
    """One row per model, condition, fold, seed and measure (`FOLDS`)."""
    tables = []
    for model in models:
        for name in model.measures:
            known: dict[Condition, pd.DataFrame] = {}
            for condition in examined(model, conditions):
                if condition.same not in known:
                    known[condition.same] = model.by_cell(condition, name)
                tables.append(known[condition.same].assign(**_place(model, condition), measure=name))
    return pd.concat(tables, ignore_index=True)[list(FOLDS)]


def examined(model: Counted, conditions: Iterable[Condition]) -> list[Condition]:
    """The complete data, and those of the conditions that a model was examined under."""
    return [NOTHING, *(one for one in conditions if one.series in model.series)]


def _place(model: Counted, condition: Condition) -> dict[str, Any]:
    return dict(zip(PLACE, (model.model, *condition, condition.unit), strict=True))


class _Scored:
    """A score with its resamples."""

    def __init__(self, model: Counted, condition: Condition, name: str) -> None:
        table = model.table(condition)
        self.name, self.chance, self.speakers = name, model.chances[name], len(table.speakers)
        self.score = float(measure_of(name)(table.counts.sum(0)))
        self.resamples = resampled(table, name)

    def beside(self, base: "_Scored") -> dict[str, Any]:
        low, high = interval(self.resamples, self.speakers)
        difference = {"difference": self.score - base.score}
        ends = interval(self.resamples - base.resamples, self.speakers)
        difference |= dict(zip(("difference_low", "difference_high"), ends, strict=True))
        return {"measure": self.name, "score": self.score, "low": low, "high": high, "chance": self.chance} | difference


class _Sureness:
    """Confidence and accuracy with the resamples of their difference."""

    def __init__(self, model: Counted, condition: Condition) -> None:
        sums, self.error = model.sureness(condition), model.errors[condition]
        self.speakers = len(sums)
        self.confidence, self.accuracy = (
            _ratio(sums[:, 0].sum(), sums[:, 2].sum()),
            _ratio(sums[:, 1].sum(), sums[:, 2].sum()),
        )
        weighted = draws(model.speakers, seed=0) @ sums
        self.resamples = _ratio(weighted[:, 0] - weighted[:, 1], weighted[:, 2])

    def beside(self, base: "_Sureness") -> dict[str, Any]:
        gap, before = self.confidence - self.accuracy, base.confidence - base.accuracy
        ends, changes = (interval(part, self.speakers) for part in (self.resamples, self.resamples - base.resamples))
        values = (
            *(self.confidence, self.accuracy, self.error, gap, *ends),
            *(self.confidence - base.confidence, self.accuracy - base.accuracy, gap - before, *changes),
        )
        return dict(zip(SURE, (float(value) for value in values), strict=True))


def _ratio(part: Array, whole: Array) -> Array:
    """The ratio part / whole; nan where there is no clip."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0))
