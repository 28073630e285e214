"""Multinomial logistic regression, in which all classes have the same total weight.

It is scikit-learn's `LogisticRegression(class_weight="balanced")`: the same loss, start, L-BFGS and criteria, so the
same coefficients up to rounding. For as few clips as a fold has, that spends most of its time between the sums.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

TOLERANCE, STEPS = 1e-3, 200  # the largest slope that ends the descent, and how often it goes down: it may stop early
STALLED, SEARCHES = 64 * float(np.finfo(float).eps), 50  # as scikit-learn sets them


@dataclass(frozen=True)
class Logistic:
    """A fitted model.

    Attributes:
        weights: (D, K), or (D, 1) of the second of two classes.
        biases: (K,) or (1,).
    """

    weights: Array
    biases: Array

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        logits = X @ self.weights + self.biases
        return np.asarray(logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1), np.int64)


def fits(X: Array, y: Labels, penalties: Sequence[float]) -> Iterator[Logistic]:
    """One model for each inverse strength of the squared penalty, scikit-learn's C; biases are not penalised.

    Args:
        X: (n, D), finite.
        y: (n,), classes 0 to K - 1, each with a row, at least two.
        penalties: the inverse strengths.
    """
    counts = np.bincount(y)
    weight = (len(y) / (len(counts) * counts))[y]
    total = float(weight.sum())
    share = weight / total
    rows, columns = 1 if len(counts) == 2 else len(counts), X.shape[1] + 1
    for penalty in penalties:
        objective = _Objective(X, y, share, rows, 1 / (penalty * total))
        found = minimize(
            objective.value,
            np.zeros(rows * columns),
            jac=objective.slopes,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxls": SEARCHES, "gtol": TOLERANCE, "ftol": STALLED},
        )
        table = found.x.reshape(rows, columns, order="F")
        yield Logistic(table[:, :-1].T, table[:, -1])


class _Objective:
    """The penalised loss of a table of weights and biases, given as one row of numbers, and its slopes.

    SciPy asks for the value at a point and then for the slopes there. Two functions cost it less than one that returns
    both, which it wraps and compares with the last point.
    """

    def __init__(self, X: Array, y: Labels, share: Array, rows: int, strength: float) -> None:
        self.X, self.y, self.share, self.rows, self.strength = X, y, share, rows, strength
        self._loss = _of_two if rows == 1 else _of_many
        self._slopes = np.empty(0)

    def value(self, flat: Array) -> float:
        """The value at a point."""
        table = flat.reshape(self.rows, -1, order="F")
        value, slopes = self._loss(self.X, self.y, self.share, table)
        own = table[:, :-1]
        slopes[:, :-1] += self.strength * own
        self._slopes = slopes.ravel(order="F")
        return value + 0.5 * self.strength * float((own * own).sum())

    def slopes(self, flat: Array) -> Array:
        """The slopes at the point whose value was asked for last."""
        return self._slopes


def _of_many(X: Array, y: Labels, share: Array, table: Array) -> tuple[float, Array]:
    """The weighted cross-entropy, and its slopes (K, D + 1), of weights and biases in a table (K, D + 1)."""
    logits, rows = table[:, :-1] @ X.T, np.arange(len(y))  # a class a row: sums over classes are faster so
    logits += table[:, -1:]
    logits -= logits.max(0)
    own = logits[y, rows]
    np.exp(logits, out=logits)
    sums = logits.sum(0)
    logits *= share / sums
    logits[y, rows] -= share
    return float(share @ (np.log(sums) - own)), _slopes(X, logits)


def _of_two(X: Array, y: Labels, share: Array, table: Array) -> tuple[float, Array]:
    """The same of two classes, with weights and a bias (1, D + 1) of the second."""
    logits = X @ table[0, :-1] + table[0, -1]
    value = float(share @ (np.logaddexp(0, logits) - y * logits))
    return value, _slopes(X, (share * (expit(logits) - y))[None])


def _slopes(X: Array, errors: Array) -> Array:
    slopes = np.empty((len(errors), X.shape[1] + 1), order="F")
    slopes[:, :-1] = errors @ X
    slopes[:, -1] = errors.sum(1)
    return slopes
