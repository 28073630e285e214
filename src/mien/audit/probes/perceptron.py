"""A perceptron with any number of hidden layers in NumPy: its gradients, Adam, and a full-batch descent.

Small enough that a framework would cost more than the arithmetic; float32, one thread, so the same seed gives the same
bits. Without a hidden layer it is a softmax regression. A layer is one array, (inputs + 1, outputs), whose last row is
the biases: one array a layer is updated faster than two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

HIDDEN, RATE = 64, 0.01


@dataclass(frozen=True)
class Perceptron:
    """Rectified hidden units, then one logit a class."""

    layers: tuple[Floats, ...]

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        return np.asarray(_forward(self.layers, X.astype(np.float32, copy=False))[-1].argmax(1), np.int64)


class Adam:
    """Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019); overwrites the layers."""

    def __init__(self, layers: Sequence[Floats]) -> None:
        self.layers = layers
        self.moments = [(np.zeros_like(layer), np.zeros_like(layer)) for layer in layers]
        self.steps = 0
        self._spare = [(np.empty_like(layer), np.empty_like(layer)) for layer in layers]

    def step(self, slopes: Sequence[Floats], rate: float, decay: float | Floats = 0.0) -> None:
        """One step down the gradients; each step also takes `rate * decay` of the weights and biases away."""
        self.steps += 1
        unbiased, unbiased_square = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for layer, (first, second), slope, (scale, step) in zip(
            self.layers, self.moments, slopes, self._spare, strict=True
        ):
            np.subtract(slope, first, out=scale)
            scale *= np.float32(0.1)
            first += scale
            np.square(slope, out=scale)
            scale -= second
            scale *= np.float32(0.001)
            second += scale
            np.divide(second, unbiased_square, out=scale)
            np.sqrt(scale, out=scale)
            scale += 1e-8
            np.divide(first, unbiased, out=step)
            step /= scale
            if np.any(decay):
                step += np.multiply(layer, decay, out=scale)
            step *= np.float32(rate)
            layer -= step


def descents(
    X: NDArray[np.floating], y: Labels, share: NDArray[np.floating], *, decays: Sequence[float], epochs: int, seed: int
) -> Iterator[tuple[Perceptron, ...]]:
    """The perceptrons of some weight decays after each epoch: the same bits as one after the other, in less time.

    All share their arrays, which the next epoch overwrites: see `kept`.

    Args:
        X: (n, D), standardised.
        y: (n,), classes 0 to K - 1.
        share: (n,), the weight of each row; the loss is the sum of weighted cross-entropies.
        decays: weight decays, as in AdamW, one a perceptron.
        epochs: number of steps; each sees all rows.
        seed: of the initial weights, which are those of each.
    """
    random = np.random.default_rng(seed)
    values, shares = X.astype(np.float32), share.astype(np.float32)[:, None]
    inputs, classes = values.shape[1], int(y.max()) + 1
    sizes = ((inputs, HIDDEN, np.sqrt(2 / inputs)), (HIDDEN, classes, np.sqrt(1 / HIDDEN)))
    weights, slopes = (_Stack.of(len(decays), sizes) for _ in range(2))
    for layer, (before, after, scale) in zip(weights.layers, sizes, strict=True):
        layer[:, :-1] = random.normal(0, scale, (before, after))
    (first, second), (first_slope, second_slope) = weights.layers, slopes.layers
    true = np.arange(len(decays))[:, None], np.arange(len(y)), y
    adam = Adam([weights.flat])
    decay = np.array(decays, np.float32)[:, None]
    for _ in range(epochs):
        hidden = values @ first[:, :-1]
        hidden += first[:, -1:]
        np.maximum(hidden, 0, out=hidden)
        error = hidden @ second[:, :-1]
        error += second[:, -1:]
        error -= error.max(-1, keepdims=True)
        np.exp(error, out=error)
        error *= shares / error.sum(-1, keepdims=True)
        error[true] -= shares[:, 0]
        np.matmul(hidden.swapaxes(1, 2), error, out=second_slope[:, :-1])
        error.sum(1, out=second_slope[:, -1])
        error = error @ second[:, :-1].swapaxes(1, 2)
        error *= hidden > 0
        np.matmul(values.T, error, out=first_slope[:, :-1])
        error.sum(1, out=first_slope[:, -1])
        adam.step([slopes.flat], RATE, decay)
        yield tuple(Perceptron(layers) for layers in zip(first, second, strict=True))


class _Stack(NamedTuple):
    """The layers of several perceptrons in one array, so that Adam moves all at once.

    Attributes:
        flat: (perceptrons, weights and biases).
        layers: views of it, a layer (perceptrons, inputs + 1, outputs).
    """

    flat: Floats
    layers: tuple[Floats, ...]

    @classmethod
    def of(cls, count: int, sizes: Sequence[tuple[int, int, float]]) -> "_Stack":
        """Zeros for layers of (inputs, outputs, ...)."""
        ends = np.cumsum([(before + 1) * after for before, after, _ in sizes])
        flat = np.zeros((count, int(ends[-1])), np.float32)
        parts = np.split(flat, ends[:-1], axis=1)
        shapes = [(count, before + 1, after) for before, after, _ in sizes]
        return cls(flat, tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


def kept(probe: Perceptron) -> Perceptron:
    """A copy of the perceptron that the next epoch does not overwrite."""
    return Perceptron(tuple(layer.copy() for layer in probe.layers))


def gradients(layers: Sequence[Floats], X: Floats, y: Labels, share: Floats) -> list[Floats]:
    """Gradients of the sum of weighted cross-entropies with respect to each layer; arguments as in `descents`."""
    values = _forward(layers, X)
    error = values[-1]
    error -= error.max(1, keepdims=True)
    np.exp(error, out=error)
    error *= share[:, None] / error.sum(1, keepdims=True)
    error[np.arange(len(y)), y] -= share
    slopes = [np.empty_like(layer) for layer in layers]
    for number in range(len(layers) - 1, -1, -1):
        np.matmul(values[number].T, error, out=slopes[number][:-1])
        slopes[number][-1] = error.sum(0)
        if number:
            error = np.asarray((error @ layers[number][:-1].T) * (values[number] > 0), np.float32)
    return slopes


def _forward(layers: Sequence[Floats], X: Floats) -> list[Floats]:
    """The input of each layer, then the logits."""
    values = [X]
    for number, layer in enumerate(layers, 1):
        out = values[-1] @ layer[:-1] + layer[-1]
        values.append(out if number == len(layers) else np.maximum(out, 0))
    return values
