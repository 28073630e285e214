"""Probes: small classifiers that are trained afresh on frozen embeddings, to see what can be read from them.

A probe is a fitter `fit(X, y, seed) -> Fitted`; what it returns is frozen and applies. X is (n, D), any floating dtype;
y is (n,) of integers, at least two kinds. Standardisation and the choice of the penalty and of the number of epochs use
the training clips alone; both probes are then fitted on all of these. Everything runs on one thread in float64, so the
same seed gives the same bits.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Weights = tuple[Array, Array, Array, Array]  # (D, HIDDEN), (HIDDEN,), (HIDDEN, kinds), (kinds,)

INNER = 0.25  # the share of the training clips that chooses the penalty and the number of epochs
GRID = (0.001, 0.01, 0.1, 1.0)  # inverse strengths of the linear probe's penalty
HIDDEN, RATE = 64, 0.01  # of the perceptron
DECAYS, EPOCHS = (10.0, 1.0, 0.1), (25, 50, 100)  # weaker decays do nothing in 100 epochs


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
    weights: Weights

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
        scores = [_uar(y[inner], _regression(C, inside, y[train]).predict(outside)) for C in GRID]
        standard = Standard.of(X)
        return Linear(standard, _regression(GRID[int(np.argmax(scores))], standard.apply(X), y))


def mlp(X: NDArray[np.floating], y: Labels, seed: int) -> Perceptron:
    """Fit a perceptron, then again with the decay and the number of epochs that were best on an inner validation part.

    Best is the highest UAR; of equals the strongest decay, then the fewest epochs. Not the lowest loss: that rises
    with overconfidence long before the UAR stops rising; a probe that is stopped there understates the leak.
    """
    with threadpool_limits(1):
        train, inner = _inner(y, seed)
        standard, kinds = Standard.of(X[train]), np.unique(y)
        target = (y[:, None] == kinds).astype(np.float64)
        inside, outside = standard.apply(X[train]), standard.apply(X[inner])
        scores = {
            (decay, epoch): _uar(y[inner], kinds[_forward(weights, outside)[1].argmax(1)])
            for decay in DECAYS
            for epoch, weights in enumerate(_descent(inside, target[train], decay, seed), 1)
            if epoch in EPOCHS
        }
        decay, epochs = max(scores, key=scores.__getitem__)
        standard = Standard.of(X)
        weights = next(islice(_descent(standard.apply(X), target, decay, seed), epochs - 1, None))
        return Perceptron(standard, kinds, weights)


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


def _uar(truth: Labels, found: Labels) -> float:
    return float(recall_score(truth, found, average="macro", zero_division=0.0))


def _regression(C: float, X: Array, y: Labels) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that is stopped early is still a probe
        return LogisticRegression(C=C, tol=1e-3, max_iter=200).fit(X, y)


def _descent(X: Array, target: Array, decay: float, seed: int) -> Iterator[Weights]:
    """The weights, always the same arrays, after each epoch of full-batch Adam with decoupled decay."""
    random = np.random.default_rng(seed)
    inputs, kinds = X.shape[1], target.shape[1]
    weights = (
        random.normal(0, np.sqrt(2 / inputs), (inputs, HIDDEN)),
        np.zeros(HIDDEN),
        random.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, kinds)),
        np.zeros(kinds),
    )
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for epoch in range(1, EPOCHS[-1] + 1):
        for w, (first, second), gradient in zip(weights, moments, _gradients(weights, X, target), strict=True):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            w -= RATE * (first / (1 - 0.9**epoch) / (np.sqrt(second / (1 - 0.999**epoch)) + 1e-8) + decay * w)
        yield weights


def _forward(weights: Weights, X: Array) -> tuple[Array, Array]:
    hidden = np.maximum(X @ weights[0] + weights[1], 0)
    return hidden, hidden @ weights[2] + weights[3]


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _gradients(weights: Weights, X: Array, target: Array) -> Weights:
    """Gradients of the mean cross-entropy with respect to the four weights."""
    hidden, logits = _forward(weights, X)
    out = (np.exp(_log_softmax(logits)) - target) / len(X)
    back = (out @ weights[2].T) * (hidden > 0)
    return X.T @ back, back.sum(0), hidden.T @ out, out.sum(0)
