"""The area under the ROC curve of each class against the rest, with an interval over speakers.

For one class it is the probability that a clip of it gets a higher probability of the class than another clip; ties
count half (Mann and Whitney 1947). It does not change where a model leans to a frequent class, so it shows what a model
knows of a rare one. Albanie et al. 2018 (section 5) report its mean over all emotions but disgust, fear and contempt,
which their teacher hardly finds.

Clips of all folds are ranked together, as those of all speakers are pooled in the UAR; seeds are ranked apart, and the
mean is taken over them. A clip that several folds test has a share of each (`repeated`). The area is a function of
pairs of clips: with M[s, t], the pairs in order of a clip of the class by speaker s and another clip by speaker t, the
area of a resample of speakers with counts d is d M d / ((d P) (d N)), P and N the speakers' clips of and not of the
class. So a resample costs S x S and not a new ranking. A resample without a clip of or not of the class is left out.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.statistics.repeated import times
from mien.audit.statistics.scores import DRAWS, SPLITS, draws, interval
from mien.common.measures import Array, Codes
from mien.common.units import units

MANY = 1_000  # units (speakers; clips where nobody is named) above which there are fewer resamples
FEWER = 1_000  # resamples then
MOST = 5_000  # units above which no interval is computed, which would need a table of all pairs of them
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")

Flags = NDArray[np.bool_]
Kept = Sequence[str] | int | None  # names of classes, or the least number of clips; None keeps all


class Pairs(NamedTuple):
    """The pairs of a class, of one seed.

    Attributes:
        ordered: (S, S), the weight of pairs of a clip of the class (rows: its speaker) and another clip (columns) of
            which the first has the higher probability; ties count half.
        those: (S,), the weight of each speaker's clips of the class.
        others: (S,), and of all other clips.
    """

    ordered: Array
    those: Array
    others: Array

    def area(self, weights: Array) -> Array:
        """The area with these weights of speakers, (..., S) -> (...); nan where one of both sides has no clip."""
        pairs = (weights @ self.those) * (weights @ self.others)
        inside = ((weights @ self.ordered) * weights).sum(-1)
        return np.asarray(np.divide(inside, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0))


def pairs(right: Flags, probability: Array, speaker: Codes, weight: Array, count: int) -> Pairs:
    """The pairs of one class.

    Args:
        right: (n,), whether a clip is of the class.
        probability: (n,), of the class.
        speaker: (n,), 0 to S - 1.
        weight: (n,), of each clip.
        count: S.
    """
    scores, whose, heavy = probability[right], speaker[right], weight[right]
    ordered = np.zeros((count, count))
    for other in np.unique(speaker[~right]).tolist():
        own = ~right & (speaker == other)
        order = np.argsort(probability[own], kind="stable")
        ranked, below = probability[own][order], np.concatenate([[0.0], np.cumsum(weight[own][order])])
        first, last = (below[np.searchsorted(ranked, scores, side)] for side in SIDES)
        ordered[:, other] = np.bincount(whose, heavy * (first + last) / 2, minlength=count)
    sides = (np.bincount(speaker[side], weight[side], minlength=count) for side in (right, ~right))
    those, others = (side.astype(np.float64) for side in sides)
    return Pairs(ordered, those, others)


def areas(predictions: pd.DataFrame, classes: Sequence[str], keep: Kept = None, *, seed: int = 0) -> dict[str, Any]:
    """The area of each class, of each model on each split.

    Args:
        predictions: `predictions.csv`, with the truth as `truth`; rows without a known truth are left out.
        classes: the K classes.
        keep: the classes that are in the mean: names, or those with at least so many clips of the split.
        seed: of the bootstrap.

    Returns:
        Model -> split -> `auc`, the mean over the `kept` classes (names), with its 95 % interval over speakers `low`,
        `high`; `clips`, `speakers`; `classes`: class -> `auc, low, high`, and `clips` of it. Each area is the mean over
        seeds. The area of a class that no clip or every clip has is nan, and it is in no mean. Nothing where the table
        has no probabilities.
    """
    found: dict[str, Any] = {}
    if not set(classes) <= set(predictions):
        return found
    known = predictions[predictions["truth"].notna()]
    for model in known["model"].unique():
        for split in SPLITS:
            rows = known[(known["model"] == model) & (known["split"] == split)]
            if len(rows):
                found.setdefault(str(model), {})[split] = _of_model(rows, classes, keep, seed)
    return found


def _of_model(rows: pd.DataFrame, classes: Sequence[str], keep: Kept, seed: int) -> dict[str, Any]:
    """The areas of one model on one split."""
    names, number = np.unique(units(rows), return_inverse=True)
    speaker, weights = number.astype(np.int64), _resamples(names.tolist(), seed)
    if weights.shape[1] != len(names):  # too many for pairs of them
        speaker = np.zeros(len(rows), np.int64)
    truth = rows["truth"].astype(str).str.split("+").tolist()
    each_clip = (~rows["clip"].duplicated()).to_numpy()
    table: dict[str, Any] = {}
    samples: dict[str, Array] = {}
    for name in classes:
        right = np.array([name in own for own in truth], np.bool_)
        clips = int(right[each_clip].sum())
        area, resampled = _of_class(rows, right, rows[name].to_numpy(float), speaker, weights)
        low, high = interval(resampled, len(names))
        table[name] = {"auc": area, "low": low, "high": high, "clips": clips}
        if np.isfinite(area) and _keeps(keep, name, clips):
            samples[name] = resampled
    mean, low, high = float("nan"), float("nan"), float("nan")
    if samples:
        mean = float(np.mean([table[name]["auc"] for name in samples]))
        low, high = interval(np.mean([*samples.values()], axis=0), len(names))
    size = {"clips": int(each_clip.sum()), "speakers": int(rows["speaker"].nunique())}
    return {"auc": mean, "low": low, "high": high, "kept": list(samples), **size, "classes": table}


def _of_class(
    rows: pd.DataFrame, right: Flags, probability: Array, speaker: Codes, weights: Array
) -> tuple[float, Array]:
    """The area of a class, and that on each resample: the mean over seeds."""
    folds, seeds, count = times(rows), rows["seed"].to_numpy(), weights.shape[1]
    whole, resampled = [], []
    for number in np.unique(seeds):
        own = seeds == number
        one = pairs(right[own], probability[own], speaker[own], 1 / folds[own], count)
        whole.append(float(one.area(np.ones(count))))
        resampled.append(one.area(weights))
    return float(np.mean(whole)), np.asarray(np.mean(resampled, axis=0))


def _resamples(names: Sequence[str], seed: int) -> Array:
    """How often each unit is in each resample; of too many units none, of one unit."""
    if len(names) > MOST:
        return np.zeros((0, 1))
    return draws(names, seed=seed, number=FEWER if len(names) > MANY else DRAWS)


def _keeps(keep: Kept, name: str, clips: int) -> bool:
    """Whether a class is in the mean."""
    if keep is None:
        return True
    return clips >= keep if isinstance(keep, int) else name in keep
