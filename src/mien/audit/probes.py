"""Probes: small classifiers that are trained afresh on frozen embeddings, to see what can be read from them.

A probe is a fitter `fit(X, y, seed) -> Fitted`; what it returns is frozen and applies. X is (n, D), any floating dtype;
y is (n,) of integers, at least two kinds. Standardisation, the choice of regularisation and early stopping use the
training clips alone. Everything runs on one thread in float64, so the same seed gives the same bits.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

INNER = 0.25  # the share of the training clips that chooses C, or when to stop
GRID = (0.001, 0.01, 0.1, 1.0)  # inverse strengths of the linear probe's penalty
HIDDEN, RATE, DECAY, EPOCHS, PATIENCE = 64, 0.01, 1.0, 400, 30  # of the perceptron


class Fitted(Protocol):
    """A probe that has been fitted."""

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The label of each row of X, (m, D) -> (m,)."""
        ...


Fitter = Callable[[NDArray[np.floating], Labels, int], Fitted]


@dataclass(frozen=True)
class Standard:
    """Moves and scales features as those that it was taken from: mean 0 and deviation 1 there; constant ones to 0."""

    mean: Array
    scale: Array

    @classmethod
    def of(cls, X: NDArray[np.floating]) -> "Standard":
        """Mean and deviation of the rows of X."""
        values = np.asarray(X, np.float64)
        mean, deviation = values.mean(0), values.std(0)
        rounding = 1e-6 * np.abs(mean)  # a feature that moves by the rounding of float32 only says nothing
        return cls(mean, np.where(deviation > rounding, deviation, np.inf))

    def apply(self, X: NDArray[np.floating]) -> Array:
        """The rows of X, moved and scaled, (m, D) -> (m, D)."""
        return (np.asarray(X, np.float64) - self.mean) / self.scale


@dataclass(frozen=True)
class Linear:
    """Multinomial logistic regression on standardised features."""

    standard: Standard
    model: LogisticRegression

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The label of each row of X, (m, D) -> (m,)."""
        return np.asarray(self.model.predict(self.standard.apply(X)), np.int64)


@dataclass(frozen=True)
class Perceptron:
    """One hidden layer with rectified units on standardised features."""

    standard: Standard
    kinds: Labels
    weights: tuple[Array, Array, Array, Array]

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The label of each row of X, (m, D) -> (m,)."""
        logits = _forward(self.weights, self.standard.apply(X))[1]
        return np.asarray(self.kinds[logits.argmax(1)], np.int64)


def linear(X: NDArray[np.floating], y: Labels, seed: int) -> Linear:
    """Fit a multinomial logistic regression, then again with the penalty that was best on an inner validation part.

    Best is the highest UAR; of equals the strongest penalty.
    """
    with threadpool_limits(1):
        train, inner = _inner(y, seed)
        standard = Standard.of(X[train])
        inside, outside = standard.apply(X[train]), standard.apply(X[inner])
        scores = [
            recall_score(
                y[inner], _regression(C, inside, y[train]).predict(outside), average="macro", zero_division=0.0
            )
            for C in GRID
        ]
        standard = Standard.of(X)
        return Linear(standard, _regression(GRID[int(np.argmax(scores))], standard.apply(X), y))


def mlp(X: NDArray[np.floating], y: Labels, seed: int) -> Perceptron:
    """Fit a perceptron by full-batch Adam with decoupled decay, stopped where an inner validation part is best."""
    with threadpool_limits(1):
        train, inner = _inner(y, seed)
        standard, kinds = Standard.of(X[train]), np.unique(y)
        target = (y[:, None] == kinds).astype(np.float64)
        inside, outside = standard.apply(X[train]), standard.apply(X[inner])
        random = np.random.default_rng(seed)
        sizes = X.shape[1], HIDDEN, len(kinds)
        weights = [
            random.normal(0, np.sqrt(2 / sizes[0]), sizes[:2]),
            np.zeros(sizes[1]),
            random.normal(0, np.sqrt(1 / sizes[1]), sizes[1:]),
            np.zeros(sizes[2]),
        ]
        moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        best, kept, since = np.inf, tuple(w.copy() for w in weights), 0
        for epoch in range(1, EPOCHS + 1):
            for w, (first, second), gradient in zip(
                weights, moments, _gradients(weights, inside, target[train]), strict=True
            ):
                first += 0.1 * (gradient - first)
                second += 0.001 * (gradient**2 - second)
                w -= RATE * (first / (1 - 0.9**epoch) / (np.sqrt(second / (1 - 0.999**epoch)) + 1e-8) + DECAY * w)
            loss = -float((target[inner] * _log_softmax(_forward(weights, outside)[1])).sum(1).mean())
            since += 1
            if loss < best:
                best, kept, since = loss, tuple(w.copy() for w in weights), 0
            if since == PATIENCE:
                break
        return Perceptron(standard, kinds, (kept[0], kept[1], kept[2], kept[3]))


PROBES: dict[str, Fitter] = {"linear": linear, "mlp": mlp}


def _inner(y: Labels, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the training and the inner validation part: of every kind a share, both of a kind of two, one stays."""
    random = np.random.default_rng([seed, 1])
    train, inner = [], []
    for kind in np.unique(y):
        places = random.permutation(np.flatnonzero(y == kind))
        count = max(1, round(INNER * len(places))) if len(places) > 1 else 0
        inner.append(places[:count])
        train.append(places[count:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(inner))


def _regression(C: float, X: Array, y: Labels) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that is stopped early is still a probe
        return LogisticRegression(C=C, tol=1e-3, max_iter=200).fit(X, y)


def _forward(weights: list[Array] | tuple[Array, ...], X: Array) -> tuple[Array, Array]:
    hidden = np.maximum(X @ weights[0] + weights[1], 0)
    return hidden, hidden @ weights[2] + weights[3]


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _gradients(weights: list[Array], X: Array, target: Array) -> tuple[Array, Array, Array, Array]:
    """Gradients of the mean cross-entropy with respect to the four weights."""
    hidden, logits = _forward(weights, X)
    out = (np.exp(_log_softmax(logits)) - target) / len(X)
    back = (out @ weights[2].T) * (hidden > 0)
    return X.T @ back, back.sum(0), hidden.T @ out, out.sum(0)
