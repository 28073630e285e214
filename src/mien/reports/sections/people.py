"""Who is served how well: the best and the worst speaker, groups and their gaps, listeners beside models."""

from typing import Any

import numpy as np
import pandas as pd

from mien.audit.recognition import groups
from mien.audit.recognition.listeners import listeners, rated_clips
from mien.audit.statistics import scores
from mien.common.measures import uar
from mien.runs.run import Run

MOST_GAPS = 3  # between three groups: of more, a table holds little else


def extremes(run: Run, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a model: `model`, and the rows of `scores.by_speaker` of its `best` and its `worst` speaker, `spread`.

    Of equals the first by name; without two speakers, and of a number, there is no row.
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
    """Scores by each factor that groups the speakers who were judged.

    Returns:
        One mapping a factor: `factor`; `groups`: their names; `sizes`: group -> how many speakers; `rows`: for each
        model its name, `by`: group -> row of `groups.by_group`, `gaps`: rows of `groups.gaps`, of more than
        `MOST_GAPS` the widest and those that are separable, `bias`.
    """
    split = scores.judged(predictions)
    judged = run.clips[run.clips["speaker"].isin(predictions.loc[predictions["split"] == split, "speaker"])]
    found = []
    for factor, group in groups.factors(judged).items():
        by = groups.by_group(predictions, run.classes, group, split=split)
        if by.empty:
            continue
        apart = groups.gaps(predictions, run.classes, group, split=split)
        bias = groups.bias(predictions, run.classes, group, split=split)
        rows = [
            {
                "model": model,
                "by": {row["group"]: row for row in part.to_dict("records")},
                "gaps": _told(apart[apart["model"] == model].to_dict("records")),
                "bias": bias.get(str(model), float("nan")),
            }
            for model, part in by.groupby("model", sort=False)
        ]
        sizes = by.drop_duplicates("group").set_index("group")["speakers"].to_dict()
        found.append({"factor": factor, "groups": list(sizes), "sizes": sizes, "rows": rows})
    return found


def _told(gaps: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    if len(gaps) <= MOST_GAPS:
        return gaps
    widest = max(gaps, key=lambda gap: np.nan_to_num(abs(gap["gap"]), nan=-1.0))
    return [gap for gap in gaps if gap is widest or gap["separable"]]


def heard_by_people(run: Run, predictions: pd.DataFrame) -> dict[str, Any] | None:
    """Listeners beside the models, on the clips of the judged split that listeners were asked about.

    Returns:
        `listeners`: see `audit.listeners`; `models`: model -> `recalls` of classes, `uar, low, high`; `clips` and how
        many of `all` these are; None where the corpus has no listeners.
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
