"""A perceptron with one hidden layer, by full-batch Adam with decoupled decay, in NumPy.

Small enough that a framework would cost more than the arithmetic; float32, one thread, so the same seed gives the same
bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = tuple[Floats, Floats, Floats, Floats]  # (D, HIDDEN), (HIDDEN,), (HIDDEN, K), (K,)

HIDDEN, RATE = 64, 0.01


@dataclass(frozen=True)
class Perceptron:
    """Rectified hidden units, then one logit a class."""

    weights: Weights

    def predict(self, X: NDArray[np.floating]) -> NDArray[np.int64]:
        """The class of each row of X, (m, D) -> (m,)."""
        return np.asarray(_forward(self.weights, X.astype(np.float32))[1].argmax(1), np.int64)


def descent(
    X: NDArray[np.floating], target: NDArray[np.floating], *, decay: float, epochs: int, seed: int
) -> Iterator[Perceptron]:
    """The perceptron after each epoch; the arrays of all are the same ones, overwritten by the next: see `kept`.

    Args:
        X: (n, D), standardised.
        target: (n, K), the weight of a row at its class, 0 elsewhere; the loss is the sum of weighted cross-entropies.
        decay: what each step takes off the weights, over the rate.
        epochs: steps.
        seed: of the first weights.
    """
    random = np.random.default_rng(seed)
    values, goal = X.astype(np.float32), target.astype(np.float32)
    inputs, kinds = values.shape[1], goal.shape[1]
    weights: Weights = (
        random.normal(0, np.sqrt(2 / inputs), (inputs, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        random.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, kinds)).astype(np.float32),
        np.zeros(kinds, np.float32),
    )
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for epoch in range(1, epochs + 1):
        for w, (first, second), gradient in zip(weights, moments, gradients(weights, values, goal), strict=True):
            first += np.float32(0.1) * (gradient - first)
            second += np.float32(0.001) * (gradient**2 - second)
            step = first / (1 - 0.9**epoch) / (np.sqrt(second / (1 - 0.999**epoch)) + 1e-8)
            w -= np.float32(RATE) * (step + decay * w)
        yield Perceptron(weights)


def kept(probe: Perceptron) -> Perceptron:
    """The same perceptron with weights of its own."""
    first, bias, second, last = (w.copy() for w in probe.weights)
    return Perceptron((first, bias, second, last))


def gradients(weights: Weights, X: Floats, target: Floats) -> Weights:
    """Gradients of the sum of weighted cross-entropies with respect to the four weights."""
    hidden, logits = _forward(weights, X)
    logits -= logits.max(1, keepdims=True)
    np.exp(logits, out=logits)
    logits *= target.sum(1, keepdims=True) / logits.sum(1, keepdims=True)
    out = logits - target
    back = np.asarray((out @ weights[2].T) * (hidden > 0), np.float32)
    sums = (np.asarray(part.sum(0), np.float32) for part in (back, out))
    return X.T @ back, next(sums), hidden.T @ out, next(sums)


def _forward(weights: Weights, X: Floats) -> tuple[Floats, Floats]:
    hidden = np.maximum(X @ weights[0] + weights[1], 0)
    return hidden, hidden @ weights[2] + weights[3]
