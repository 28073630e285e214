"""How much of a number (valence, arousal, an age in years) is left in an embedding: probes of a number, scored by CCC.

As for classes (`leakage`), every clip is tested once by probes that were fitted on other clips, and *the* leakage is
the score of the strongest probe on validation clips. Chance is 0, the CCC of any constant.

p needs no assumption on the division: the numbers are permuted, among speakers where these are known
(`permutation.traded`), and for each permutation settings are chosen, and the probes fitted, again. The interval is a
bootstrap over speakers, over clips where there are fewer than five. Cross-fitted predictions have an interval wider by
the square root of 2: at chance each pair of clips counts twice with the same outcome (see `statistics.measures`; a CCC
is all linear part).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from mien.audit.probes.leace import Eraser
from mien.audit.probes.number_division import choosing, divide
from mien.audit.probes.smoothers import PROBES, smoothers
from mien.audit.probes.task import ProbingTask
from mien.audit.statistics.measures import FEWEST_CLUSTERS
from mien.audit.statistics.permutation import traded
from mien.audit.statistics.scores import BySpeaker, interval, resampled
from mien.common.leakage_tables import LEAKAGE, MEASURED, STRONGEST
from mien.common.measures import ccc, moments
from mien.errors import AuditError

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

PERMUTATIONS = 500
MOST = 5_000  # clips that are resampled where speakers are few; with more, there is no interval
CROSSED = np.sqrt(2.0)


class _Part(NamedTuple):
    """Rows that fit and rows that are tested, and the same for the choice of settings."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    inner: tuple[NDArray[np.intp], NDArray[np.intp]]


class _Predicted(NamedTuple):
    """Predictions for the true numbers and P permutations, (n, 1 + P), and their CCC on clips that choose, (1 + P,)."""

    of_clips: Array
    validation: Array


def number_leakage(
    embedding: NDArray[np.floating], task: ProbingTask, *, erase: ArrayLike | None = None
) -> pd.DataFrame:
    """Scores of probes that predict the number of a task from an embedding; see `leakage.leakage`.

    Args:
        embedding: (n, D), one row a clip, finite.
        task: its `numbers` are predicted; without a division its clips are divided by `number_division`.
        erase: (n,), labels that LEACE erases before the probes are fitted, as for classes.

    Returns:
        The rows of `leakage.csv` from `factor` on: for each probe, and again for the `strongest`, the measure ccc;
        `classes` is nan.

    Raises:
        AuditError: all numbers are equal, the clips cannot be divided, or an embedding is not finite.
    """
    X, y = np.asarray(embedding), np.asarray(task.numbers, np.float64)
    erased = None if erase is None else np.asarray(erase).astype(str)
    _check(X, y, task.factor)
    division, seed = task.division or divide(task), task.options.seed
    parts = [_Part(train, test, choosing(train, division, seed)) for train, test in division.parts]
    tested = np.sort(np.concatenate([part.test for part in parts]))
    labels = _permuted(y, task, parts, seed)
    with threadpool_limits(1):
        found = {name: _predicted(name, X, labels, parts, erased) for name in PROBES}
    names = list(found)
    best = np.stack([found[name].validation for name in names]).argmax(axis=0)
    strongest = np.choose(best, [found[name].of_clips[tested] for name in names])
    answers = {name: found[name].of_clips[tested] for name in names} | {STRONGEST: strongest}
    place = {"factor": task.factor, "balanced": "", "role": MEASURED, "speakers": task.options.speakers}
    words = division.description + ("; eraser fitted on training clips" if erased is not None else "")
    table = []
    for name, predicted in answers.items():
        row = _row(labels[tested], predicted, task, tested, len(parts) > 1)
        table.append({**place, "probe": name, **row, "split": f"{words}; {row['split']}"})
    return pd.DataFrame(table, columns=list(LEAKAGE[LEAKAGE.index("factor") :]))


def _predicted(
    name: str, X: NDArray[np.floating], labels: Array, parts: Sequence[_Part], erased: "NDArray[np.str_] | None"
) -> _Predicted:
    """The predictions of a probe for each column of labels, whose setting is that with the best CCC on the clips that
    choose, of ties the first.
    """
    values, validation = np.full(labels.shape, np.nan), []
    for part in parts:
        fitted, choosers = part.inner
        inside, outside = _erased(X, fitted, choosers, erased)
        scores = np.stack([_ccc(labels[choosers], one(labels[fitted])) for one in smoothers(name, inside, outside)])
        best = scores.argmax(axis=0)
        validation.append(scores.max(axis=0))
        inside, outside = _erased(X, part.train, part.test, erased)
        for setting, smoother in enumerate(smoothers(name, inside, outside)):
            if len(columns := np.flatnonzero(best == setting)):
                values[np.ix_(part.test, columns)] = smoother(labels[np.ix_(part.train, columns)])
    return _Predicted(values, np.mean(validation, axis=0))


def _ccc(truth: Array, predicted: Array) -> Array:
    """The CCC of each column, (m, P) -> (P,); 0, as of guessing, where there is none."""
    if not len(truth):
        return np.zeros(truth.shape[1])
    return np.nan_to_num(ccc(moments(truth, predicted, origin=float(truth.mean()))))


def _erased(
    X: NDArray[np.floating], train: NDArray[np.intp], other: NDArray[np.intp], erased: "NDArray[np.str_] | None"
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The rows that fit and the others, after an eraser that was fitted on those that fit."""
    if erased is None:
        return X[train], X[other]
    eraser = Eraser.fit(X[train], erased[train])
    return eraser.apply(X[train]), eraser.apply(X[other])


def _permuted(y: Array, task: ProbingTask, parts: Sequence[_Part], seed: int) -> Array:
    """The numbers of the clips and their permutations, (n, 1 + PERMUTATIONS); clips in no part keep theirs."""
    used = np.unique(np.concatenate([rows for part in parts for rows in (part.train, part.test)]))
    random = np.random.default_rng([seed, 15])
    speakers = None if task.speakers is None else _codes(np.asarray(task.speakers)[used])
    if speakers is None or len(np.unique(speakers)) < 2:
        places = random.permuted(np.tile(np.arange(len(used)), (PERMUTATIONS, 1)), axis=1)
    else:
        places = traded(np.arange(len(used), dtype=np.int64), speakers, PERMUTATIONS, random)
    labels = np.tile(y[:, None], (1, 1 + PERMUTATIONS))
    labels[used, 1:] = y[used][places].T
    return labels


def _row(
    truth: Array, predicted: Array, task: ProbingTask, tested: NDArray[np.intp], crossed: bool
) -> dict[str, object]:
    """The columns from `split` on; the first column of truth and predictions is of the true numbers."""
    origin, scores = float(truth[:, 0].mean()), _ccc(truth, predicted)
    over, table = _clusters(truth[:, 0] - origin, predicted[:, 0] - origin, task, tested)
    ends = np.array(interval(resampled(table, "ccc", seed=task.options.seed), len(table.speakers)))
    low, high = np.clip(scores[0] + (CROSSED if crossed else 1.0) * (ends - scores[0]), -1.0, 1.0)
    return {
        **{"split": f"interval over {over}", "measure": "ccc", "score": float(scores[0]), "chance": 0.0},
        **{"shuffled": float(scores[1]), "low": float(low), "high": float(high)},
        **{"p": float((scores >= scores[0] - 1e-9).mean()), "p_corrected": float("nan")},
        **{"n": len(truth), "classes": float("nan")},
    }


def _clusters(truth: Array, predicted: Array, task: ProbingTask, tested: NDArray[np.intp]) -> tuple[str, BySpeaker]:
    """What is resampled, in words, and its moments: speakers, or clips where these are few."""
    each = np.stack([moments(truth[[row]], predicted[[row]]) for row in range(len(truth))])
    names = None if task.speakers is None else np.asarray(task.speakers).astype(str)[tested]
    if names is not None and len(np.unique(names)) >= FEWEST_CLUSTERS:
        people, place = np.unique(names, return_inverse=True)
        summed = np.stack([each[place == who].sum(0) for who in range(len(people))])
        return "speakers", BySpeaker(tuple(map(str, people)), summed)
    each = each if len(each) <= MOST else each[:0]
    return "clips", BySpeaker(tuple(map(str, range(len(each)))), each)


def _check(X: NDArray[np.floating], y: Array, factor: str) -> None:
    if X.ndim != 2 or len(X) != len(y):
        raise AuditError(f"embeddings of shape {X.shape} for {len(y)} numbers; give one row for each number, (n, D)")
    if len(bad := np.flatnonzero(~np.isfinite(X).all(1))):
        raise AuditError(f"embedding {bad[0]} is not finite; leave out rows with nan or infinity")
    if len(y) < 2 or y.min() == y.max():
        raise AuditError(f"{factor}: all clips have one number; a probe needs two: give clips of another number")


def _codes(values: ArrayLike) -> Codes:
    return np.unique(np.asarray(values).astype(str), return_inverse=True)[1].ravel().astype(np.int64)
