"""Scores by speaker and group: the best and the worst speaker, groups and their gaps, listeners beside models."""

from typing import Any

import numpy as np
import pandas as pd

from mien.audit.recognition import groups
from mien.audit.recognition.listeners import listeners, rated_clips
from mien.audit.statistics import scores
from mien.common.measures import uar
from mien.runs.run import Run

MOST_GAPS = 3  # the number between three groups; more would fill the table


def extremes(run: Run, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each model: `model`, the rows of `scores.by_speaker` of its `best` and `worst` speaker, `spread`.

    Of equal speakers the first by name counts. There is no row for a single speaker, or for a target of numbers.
    """
    if not run.classes:
        return []
    table = scores.by_speaker(predictions, run.classes, split=scores.judged(predictions))
    rows = []
    for model, part in table.groupby("model", sort=False):
        if len(part) > 1:
            wa = part["wa"].to_numpy(float)
            best, worst = (part.iloc[int(place)].to_dict() for place in (wa.argmax(), wa.argmin()))
            spread = float(part["wa"].std(ddof=1))
            rows.append({"model": str(model), "best": best, "worst": worst, "spread": spread, "speakers": len(part)})
    return rows


def grouped(run: Run, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Scores by each factor that groups the speakers of the split that the run is scored on.

    Returns:
        One mapping for each factor: `factor`; `groups`: their names; `sizes`: group -> number of speakers; `rows`: for
        each model its name, `by`: group -> row of `groups.by_group`, `gaps`: rows of `groups.gaps`, if more than
        `MOST_GAPS` the widest and those that are separable, `bias`.
    """
    split = scores.judged(predictions)
    clips = run.clips[run.clips["speaker"].isin(predictions.loc[predictions["split"] == split, "speaker"])]
    found = []
    for factor, group in groups.factors(clips).items():
        by = groups.by_group(predictions, run.classes, group, split=split)
        if by.empty:
            continue
        apart = groups.gaps(predictions, run.classes, group, split=split)
        bias = groups.bias(predictions, run.classes, group, split=split)
        rows = [
            {
                "model": model,
                "by": {row["group"]: row for row in part.to_dict("records")},
                "gaps": _shown(apart[apart["model"] == model].to_dict("records")),
                "bias": bias.get(str(model), float("nan")),
            }
            for model, part in by.groupby("model", sort=False)
        ]
        sizes = by.drop_duplicates("group").set_index("group")["speakers"].to_dict()
        found.append({"factor": factor, "groups": list(sizes), "sizes": sizes, "rows": rows})
    return found


def _shown(gaps: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    if len(gaps) <= MOST_GAPS:
        return gaps
    widest = max(gaps, key=lambda gap: np.nan_to_num(abs(gap["gap"]), nan=-1.0))
    return [gap for gap in gaps if gap is widest or gap["separable"]]


def human(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """Recalls of human listeners and of the models, on those clips of the split that listeners labelled.

    Returns:
        `listeners`: see `audit.listeners`; `models`: model -> `recalls` of classes, `uar, low, high`; `clips`: their
        number; `all`: the number of clips of the split. None if the corpus has no listeners.
    """
    rows = predictions[(predictions["split"] == scores.judged(predictions)) & predictions["truth"].notna()]
    tested = set(rows["clip"])
    clips = rated_clips(run.clips[run.clips["clip"].isin(tested)])
    found = listeners(clips, run.classes)
    if found is None:
        return None
    models = {}
    for (model, _), table in scores.confusions(rows[rows["clip"].isin(set(clips["clip"]))], run.classes).items():
        counts = table.counts.sum(0)
        recalls = {name: counts[at, at] / counts[at].sum() for at, name in enumerate(run.classes) if counts[at].any()}
        low, high = scores.interval(scores.resampled(table, "uar"), len(table.speakers))
        models[model] = {"recalls": recalls, "uar": float(uar(counts)), "low": low, "high": high}
    return {"listeners": found, "models": models, "clips": len(clips), "all": len(tested)}
