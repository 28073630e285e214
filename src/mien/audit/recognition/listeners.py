"""How well listeners recognise the emotion of the clips that models are scored on: the human ceiling of a corpus.

The column `recognised` of a corpus holds the share of its listeners, in [0, 1], who named the emotion of a clip. The
recall of a class is the mean share over its clips, and UAR is the mean over classes. The interval resamples speakers
(`scores`). These scores depend on the listening test of the corpus: on its choice of answers, and on its choice of
clips, which were often kept because listeners recognised them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.statistics import scores
from mien.common.measures import uar
from mien.common.units import units

COLUMN = "recognised"


class Listeners(NamedTuple):
    """The scores of listeners on some clips.

    Attributes:
        recalls: class -> mean share of listeners who named it; only classes with a clip.
        clips: class -> number of clips.
        uar: the mean of the recalls.
        low: lower end of its 95 % interval over speakers.
        high: upper end.
        least: the smallest share of listeners that a clip has.
    """

    recalls: dict[str, float]
    clips: dict[str, int]
    uar: float
    low: float
    high: float
    least: float


def rated_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips of one emotion that listeners rated; no rows if the corpus has no column `recognised`."""
    if COLUMN not in clips:
        return clips.iloc[:0]
    return clips[
        clips[COLUMN].notna() & clips["label"].notna() & ~clips["label"].astype(str).str.contains("+", regex=False)
    ]


def listeners(clips: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> Listeners | None:
    """Score the listeners on some clips.

    Args:
        clips: one row per clip, with `speaker`, `label` and, if the corpus has it, `recognised`.
        classes: the K classes, in order.
        seed: of the bootstrap.

    Returns:
        The scores, or None if listeners rated no clip.
    """
    rows = rated_clips(clips)
    rows = rows[rows["label"].isin(classes)]
    if rows.empty:
        return None
    speakers, who = np.unique(units(rows), return_inverse=True)
    label = np.array([list(classes).index(name) for name in rows["label"]])
    counts = np.zeros((len(speakers), len(classes), len(classes)))  # right answers on the diagonal, others beside it
    share = rows[COLUMN].to_numpy(float)
    np.add.at(counts, (who, label, label), share)
    np.add.at(counts, (who, label, (label + 1) % len(classes)), 1 - share)
    table = scores.BySpeaker(tuple(map(str, speakers)), counts)
    low, high = scores.interval(scores.resampled(table, "uar", seed=seed), len(speakers))
    present = [name for number, name in enumerate(classes) if (label == number).any()]
    recalls = {name: float(share[label == list(classes).index(name)].mean()) for name in present}
    size = {name: int((rows["label"] == name).sum()) for name in present}
    return Listeners(recalls, size, float(uar(counts.sum(0))), low, high, float(share.min()))


def beside_models(
    clips: pd.DataFrame, predictions: pd.DataFrame, classes: Sequence[str], *, split: str, seed: int = 0
) -> dict[str, Any] | None:
    """The scores of listeners and of models on those clips of a split that listeners rated.

    Args:
        clips: one row per clip of the run, as for `listeners`.
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        split: the split that is scored.
        seed: of the bootstraps.

    Returns:
        `listeners`: see `Listeners`; `models`: model -> `recalls` (class -> recall), `uar, low, high`; `clips`: the
        number of rated clips; `all`: the number of clips of the split. None if listeners rated no clip.
    """
    rows = predictions[(predictions["split"] == split) & predictions["truth"].notna()]
    tested = set(rows["clip"])
    rated = rated_clips(clips[clips["clip"].isin(tested)])
    found = listeners(rated, classes, seed=seed)
    if found is None:
        return None
    models = {}
    for (model, _), table in scores.confusions(rows[rows["clip"].isin(set(rated["clip"]))], classes).items():
        counts = table.counts.sum(0)
        recalls = {name: counts[at, at] / counts[at].sum() for at, name in enumerate(classes) if counts[at].any()}
        low, high = scores.interval(scores.resampled(table, "uar", seed=seed), len(table.speakers))
        models[model] = {"recalls": recalls, "uar": float(uar(counts)), "low": low, "high": high}
    return {"listeners": found, "models": models, "clips": len(rated), "all": len(tested)}
