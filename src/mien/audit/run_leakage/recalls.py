"""The recall of each speaker by a probe. Intervals over speakers and comparisons of systems are computed from it.

A table of recalls (`RECALLS`) has one row per cell (model, fold, seed), embedding, `eraser`, probe, `speakers` (seen or
unseen by the encoder) and `speaker`. `recall` is the share of this speaker's `clips` that the probe classifies
correctly. Within a cell the mean of the recalls is the UAR of `leakage.csv`.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.leakage.leakage import Predictions
from mien.audit.statistics.scores import draws
from mien.common.leakage_tables import RECALLS, STRONGEST

PLACE = ("model", "embedding", "eraser", "speakers", "probe")


def recalls(found: Predictions, speakers: ArrayLike) -> pd.DataFrame:
    """The recall of each speaker by each probe, and by the strongest: `probe, speaker, recall, clips`.

    Args:
        found: predictions of the factor speaker.
        speakers: (n,), the speaker of each clip that was passed to the division.
    """
    names = np.unique(np.asarray(speakers).astype(str))
    best = max(found.predicted, key=lambda name: found.validation[name])
    by_probe = {**found.predicted, STRONGEST: found.predicted[best]}
    rows = []
    for probe, predicted in by_probe.items():
        for number in np.unique(found.truth):
            own = found.truth == number
            recall = float((predicted[own] == number).mean())
            rows.append({"probe": probe, "speaker": str(names[number]), "recall": recall, "clips": int(own.sum())})
    return pd.DataFrame(rows)


def by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """The recalls of one model, embedding and probe: folds x speakers, averaged over seeds; nan where missing."""
    return table.pivot_table("recall", "fold", "speaker")


def resampled(wide: pd.DataFrame, *, seed: int = 0) -> NDArray[np.float64]:
    """The mean over folds of the mean recall, on bootstrap resamples of speakers, (DRAWS,).

    The resamples are the same for the same speakers and seed, so that systems can be paired.

    Args:
        wide: the result of `by_fold`.
        seed: of the bootstrap.
    """
    weights, values = draws(list(map(str, wide.columns)), seed=seed), wide.to_numpy(float)
    there = np.isfinite(values)
    hits, totals = weights @ np.where(there, values, 0.0).T, weights @ there.T
    means = np.divide(hits, totals, out=np.full(hits.shape, np.nan), where=totals > 0)
    known = np.isfinite(means)
    return np.asarray(np.where(known, means, 0.0).sum(1) / np.maximum(known.sum(1), 1))


def select(table: pd.DataFrame | None, place: Iterable[object]) -> pd.DataFrame:
    """The rows of a table of recalls at one `place`; no rows if there is no table.

    Args:
        table: of columns `RECALLS`, or None.
        place: values of `PLACE`, in this order.
    """
    if table is None:
        return pd.DataFrame(columns=list(RECALLS))
    wanted = np.ones(len(table), bool)
    for column, value in zip(PLACE, place, strict=True):
        wanted &= (table[column] == value).to_numpy()
    return table[wanted]
