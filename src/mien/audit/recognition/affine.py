"""One affine map and a softmax from the outputs of a model to the classes of another corpus, cross-validated.

Albanie et al. 2018, section 5.2: the classes that a model was trained with are not those of another corpus, and its
answers lean to what was frequent in training. So its K outputs are taken as an embedding of K numbers, and a matrix and
a bias are fitted from them to the C classes of the corpus: K C + C numbers, by multinomial logistic regression.

- The outputs are standardised by the training folds, which an affine map absorbs, and the penalty on the matrix is
  nearly none: `C`, fixed, chosen on no data. So an affine change of the outputs changes nothing but by rounding and
  this penalty.
- Two protocols. "clips" is the paper's: ten folds over clips, dealt by class, so the speakers of the test clips are
  also in training: **folds over clips: speakers are seen**. "speakers": ten folds of whole speakers; where there are at
  most ten, each is a fold of its own.
- A clip is tested in one fold of a protocol. Where a run has several cells (folds and seeds), each cell has its own
  map, and a clip counts once, with the mean of its cells, as everywhere (`scores.confusion`).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.comparison.pairs import differences
from mien.audit.statistics import scores
from mien.audit.statistics.verdict import with_verdicts
from mien.common.measures import Codes, measure_of, of_classes
from mien.common.tables import records
from mien.data.protocols import Fold, refuse_shared_speakers

FOLDS = 10
C = 1e4  # inverse strength of the penalty on the squared matrix, of standardised outputs; the loss is summed over clips
STEPS = 1_000  # at most, of Newton's method; it needs some ten
BY_PART = ("system", "protocol", "part", "measure", "score", "speakers", "clips")
PROTOCOLS = {  # name -> what it is
    "speakers": "folds of whole speakers: speakers are unseen",
    "clips": "folds over clips: speakers are seen",
}


class Affine(NamedTuple):
    """A fitted map.

    Attributes:
        matrix: (C, K) float64; a class without training clips has zeros.
        bias: (C,) float64; minus infinity for such a class, which is never predicted.
    """

    matrix: NDArray[np.float64]
    bias: NDArray[np.float64]

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The softmax of the mapped outputs: (n, K) -> (n, C) float64."""
        logits = np.asarray(outputs, np.float64) @ self.matrix.T + self.bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def fit(outputs: NDArray[Any], labels: Codes, classes: int) -> Affine:
    """Fit the map on some clips, see the module; the same numbers for the same clips.

    Args:
        outputs: (n, K), of a model.
        labels: (n,), 0 to `classes` - 1.
        classes: their number, C. One that no clip has gets no probability.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    embedded = np.asarray(outputs, np.float64)
    matrix, bias = np.zeros((classes, embedded.shape[1])), np.full(classes, -np.inf)
    present = np.unique(labels)
    bias[present] = 0.0
    if len(present) > 1:
        scaler = StandardScaler().fit(embedded)
        model = LogisticRegression(C=C, solver="newton-cholesky", max_iter=STEPS, tol=1e-8)
        model.fit(scaler.transform(embedded), labels)
        weights, offset = model.coef_, model.intercept_
        if len(present) == 2:  # scikit-learn fits the log-odds of the second class alone
            weights, offset = np.vstack([np.zeros_like(weights), weights]), np.append(0.0, offset)
        matrix[present] = weights / scaler.scale_
        bias[present] = offset - matrix[present] @ scaler.mean_
    return Affine(matrix, bias)


def over_clips(clips: Sequence[str], labels: Codes, folds: int = FOLDS) -> Codes:
    """The test fold of each clip, (n,): clips by class, then by a hash of their names, are dealt to the folds in turn.

    So each fold has nearly the same number of clips, and of each class. There are as many folds as clips where clips
    are fewer.
    """
    order = sorted(range(len(clips)), key=lambda place: (int(labels[place]), _hash(clips[place])))
    return _dealt(order, min(folds, len(clips)))


def over_speakers(speakers: Sequence[str], folds: int = FOLDS) -> Codes:
    """The test fold of each clip, (n,): speakers by a hash of their names are dealt to the folds in turn.

    Where there are at most `folds` speakers, each of them is a fold.

    Args:
        speakers: of each clip.
        folds: their number.
    """
    names = sorted(set(speakers), key=_hash)
    fold = dict(zip(names, _dealt(range(len(names)), min(folds, len(names))).tolist(), strict=True))
    return np.array([fold[name] for name in speakers], np.int64)


def parts(clips: pd.DataFrame, labels: Codes) -> dict[str, Codes]:
    """Protocol -> the test fold of each clip, (n,).

    Args:
        clips: `clip` and `speaker`, n rows.
        labels: (n,), the class of each.

    Raises:
        LeakError: a speaker would be in training and test of a fold of whole speakers.
    """
    names = clips["clip"].to_numpy()
    found = {
        "speakers": over_speakers(clips["speaker"].astype(str).tolist()),
        "clips": over_clips(names.tolist(), labels),
    }
    for number in np.unique(found["speakers"]).tolist():
        test = found["speakers"] == number
        refuse_shared_speakers(clips, Fold(number, tuple(names[~test]), (), tuple(names[test])))
    return found


def answers(outputs: NDArray[Any], labels: Codes, part: Codes, classes: int) -> NDArray[np.float64]:
    """The probabilities of each clip, (n, C), by the map that was fitted on all other folds.

    Args:
        outputs: (n, K).
        labels: (n,), 0 to `classes` - 1.
        part: (n,), the test fold of each clip; two or more different ones.
        classes: their number, C.
    """
    found = np.zeros((len(labels), classes))
    for number in np.unique(part):
        test = part == number
        found[test] = fit(outputs[~test], labels[~test], classes).probabilities(outputs[test])
    return found


def by_part(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The scores of each system on each test fold, its cells averaged: the rows of `affine_folds.csv`.

    Args:
        rows: of `affine.csv`, of one protocol.
        classes: the C classes.

    Returns:
        `system, protocol, part, measure, score, speakers, clips`.
    """
    found = []
    for (system, protocol, part), own in rows.groupby(["system", "protocol", "part"], sort=False):
        size = {"speakers": own["speaker"].nunique(), "clips": own["clip"].nunique()}
        for name, table in scores.measured(own, classes).items():
            score = float(measure_of(name)(table.counts.sum(0)))
            place = {"system": system, "protocol": protocol, "part": part}
            found.append({**place, "measure": name, "score": score, **size})
    return pd.DataFrame(found, columns=list(BY_PART))


def scored(rows: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> list[dict[str, Any]]:
    """The scores of each system under one protocol.

    Args:
        rows: of `affine.csv`, of one protocol.
        classes: the C classes.
        seed: of the bootstrap.

    Returns:
        For each system: `system`; the columns of `scores.summary`, speakers pooled (`uar`, `wa` with `_low, _high,
        _chance`, `worst_speaker`, ...); of each measure the mean and the standard deviation over test folds,
        `uar_mean`, `uar_std` (n - 1 in the denominator; None for one fold); `parts`: their number.
    """
    each = by_part(rows, classes).pivot_table(index=["system", "part"], columns="measure", values="score", sort=False)
    found = scores.summary(rows.assign(model=rows["system"], split="test"), classes, seed=seed)
    found = found.drop(columns="split").rename(columns={"model": "system"})
    own = [each.loc[system] for system in found["system"]]
    for name in of_classes(classes):
        found[f"{name}_mean"] = [float(table[name].mean()) for table in own]
        found[f"{name}_std"] = [float(table[name].std(ddof=1)) for table in own]
    return records(found.assign(parts=[len(table) for table in own]))


def compared(rows: pd.DataFrame, pairs: Iterable[tuple[str, str]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Paired differences of systems over the speakers of the clips that both have.

    Args:
        rows: of `affine.csv`, of one protocol.
        pairs: systems, one family: p is corrected over them.
        classes: the C classes.

    Returns:
        The rows of `pairs.differences`, with `system` in place of `model`, and `clips`.
    """
    found: list[pd.DataFrame] = []
    for system, other in pairs:
        both = [rows[rows["system"] == name] for name in (system, other)]
        shared = set(both[0]["clip"]) & set(both[1]["clip"])
        same = pd.concat([part[part["clip"].isin(shared)] for part in both])
        table = differences(same.assign(model=same["system"], split="test"), classes, among=[(system, other)])
        found.append(table.assign(clips=len(shared)))
    if not found:
        return []
    table = with_verdicts(pd.concat(found, ignore_index=True), "measure", number="speakers")
    return records(table.rename(columns={"model": "system"}))


def confusion(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, list[list[float]]]:
    """System -> its confusion matrix (C, C) of counts, rows the truth, cells averaged within clips."""
    return {
        str(system): scores.confusion(own, classes).counts.sum(0).tolist()
        for system, own in rows.groupby("system", sort=False)
    }


def _dealt(order: Sequence[int], folds: int) -> Codes:
    """The number of the fold of each place, where places in this order are dealt to the folds in turn."""
    found = np.zeros(len(order), np.int64)
    found[list(order)] = np.arange(len(order)) % folds
    return found


def _hash(name: str) -> bytes:
    return sha256(name.encode()).digest()
