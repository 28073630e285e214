"""The paired t-test over random splits that papers make, and by how much it is too sure.

Goncalves & Busso 2022, section 5.1, compare two models by a one-tailed matched paired t-test of their scores on 20
random splits. The test takes the 20 differences for independent. They are not: every split trains on most of the
speakers that another one trains on, and tests some of those that another one tests. More splits of the same speakers
make its interval as narrow as one likes, and bring no new speaker. What is known of other speakers is bounded by the
number of speakers, which the intervals over speakers (`contrasts`) keep to.

Beside it stands the correction of the field: the variance of the mean is (1 / n + tested / trained) s^2 in place of
s^2 / n (Nadeau & Bengio 2003, section 5.3).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from mien.audit.statistics.scores import LEVEL, BySpeaker
from mien.audit.statistics.significance import Alternative, corrected_resampled_t, paired_t
from mien.common.measures import Array, within


class OverSplits(NamedTuple):
    """The test of the differences of two models on n splits.

    Attributes:
        splits: n.
        mean: the mean difference.
        low: lower end of its 95 % interval by Student's t, as if splits were independent; nan with fewer than two.
        high: upper end.
        t: the statistic of the matched paired t-test; nan with fewer than two, infinite if all differences are alike.
        p: of the test, one-tailed.
        corrected: p of the corrected resampled t-test, one-tailed.
        variance: the factor on the variance of the mean by that correction, 1 + n x tested / trained.
    """

    splits: int
    mean: float
    low: float
    high: float
    t: float
    p: float
    corrected: float
    variance: float


def over_splits(differences: ArrayLike, ratio: float, *, alternative: Alternative = "greater") -> OverSplits:
    """Test the differences of scores on splits.

    Args:
        differences: (n,), first minus second, one a split, seeds averaged; nan is left out.
        ratio: number of test clips divided by number of training clips.
        alternative: the alternative hypothesis about the mean.
    """
    flat = np.asarray(differences, np.float64).ravel()
    known = flat[~np.isnan(flat)]
    count, mean = len(known), float(known.mean()) if len(known) else math.nan
    p, corrected = (
        paired_t(known, alternative=alternative),
        corrected_resampled_t(known, ratio, alternative=alternative),
    )
    if count < 2:
        return OverSplits(count, mean, math.nan, math.nan, math.nan, p, corrected, 1 + count * ratio)
    error = float(known.std(ddof=1)) / math.sqrt(count)
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
    t = mean / error if error > 0 else math.copysign(math.inf, mean) if mean else 0.0
    return OverSplits(count, mean, mean - half, mean + half, t, p, corrected, 1 + count * ratio)


def by_split(
    rows: pd.DataFrame, counted: Callable[[pd.DataFrame], BySpeaker], measure: Callable[[Array], Array]
) -> "pd.Series[float]":
    """The score of one model on each split: fold -> the mean over its seeds.

    A class that no clip of a split has is left out of the macro F1 of that split (`measures.within`).

    Args:
        rows: predictions of one model on one part: `fold, seed`, and what `counted` reads.
        counted: rows -> their statistic by speaker.
        measure: a score of the statistic.
    """
    score = within(measure, counted(rows).counts.sum(0))
    each = {key: float(score(counted(part).counts.sum(0))) for key, part in rows.groupby(["fold", "seed"], sort=True)}
    table = pd.Series(each, dtype=float)
    table.index = pd.MultiIndex.from_tuples(list(each), names=["fold", "seed"])
    return table.groupby(level="fold").mean()


def ratio_of(folds: Sequence[Mapping[str, Any]], part: str) -> float:
    """The number of clips of a part divided by that of training clips, the mean over the folds of `splits.json`."""
    return float(np.mean([len(fold[part]["clips"]) / len(fold["train"]["clips"]) for fold in folds]))
