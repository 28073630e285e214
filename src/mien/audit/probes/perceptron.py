"""A perceptron with any number of hidden layers in NumPy: its gradients, Adam, and full-batch descents.

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
        self.spare = [(np.empty_like(layer), np.empty_like(layer)) for layer in layers]  # to make no arrays at a step
        self.steps = 0

    def step(self, slopes: Sequence[Floats], rate: float, decays: Sequence[float | Floats] = ()) -> None:
        """One step down the gradients; each step also takes `rate * decay` of a layer's weights and biases away.

        Args:
            slopes: the gradient of each layer.
            rate: the length of a step.
            decays: one a layer, or of each of its columns; none: 0.
        """
        self.steps += 1
        unbiased, unbiased_square = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for number, (layer, slope) in enumerate(zip(self.layers, slopes, strict=True)):
            (first, second), (step, scale) = self.moments[number], self.spare[number]
            np.subtract(slope, first, out=step)
            step *= np.float32(0.1)
            first += step
            np.multiply(slope, slope, out=scale)
            scale -= second
            scale *= np.float32(0.001)
            second += scale
            np.divide(second, unbiased_square, out=scale)
            np.sqrt(scale, out=scale)
            scale += 1e-8
            np.divide(first, unbiased, out=step)
            step /= scale
            if len(decays):
                step += np.multiply(decays[number], layer, out=scale)
            step *= np.float32(rate)
            layer -= step


class Net(NamedTuple):
    """A perceptron to train.

    Attributes:
        y: (n,), classes 0 to K - 1.
        share: (n,), the weight of each row; the loss is the sum of weighted cross-entropies.
        decay: weight decay, as in AdamW.
    """

    y: Labels
    share: NDArray[np.floating]
    decay: float


def descents(X: NDArray[np.floating], nets: Sequence[Net], *, epochs: int, seed: int) -> Iterator[list[Perceptron]]:
    """The perceptrons of the same rows after each epoch: each is that which it would be alone.

    One product of matrices serves the first layers of all. Later epochs overwrite none of the arrays' values that the
    caller has `kept`; all others they do.

    Args:
        X: (n, D), standardised.
        nets: what is trained; all begin with the same random numbers.
        epochs: number of steps; each sees all rows.
        seed: of the initial weights.
    """
    values = X.astype(np.float32, copy=False)
    inputs, first, seconds = values.shape[1], np.zeros((values.shape[1] + 1, HIDDEN * len(nets)), np.float32), []
    columns = [slice(HIDDEN * number, HIDDEN * (number + 1)) for number in range(len(nets))]
    for net, own in zip(nets, columns, strict=True):
        random, classes = np.random.default_rng(seed), int(net.y.max()) + 1
        first[:-1, own] = random.normal(0, np.sqrt(2 / inputs), (inputs, HIDDEN))
        seconds.append(np.zeros((HIDDEN + 1, classes), np.float32))
        seconds[-1][:-1] = random.normal(0, np.sqrt(1 / HIDDEN), (HIDDEN, classes))
    decay = np.repeat(np.array([net.decay for net in nets], np.float32), HIDDEN)
    decays: list[float | Floats] = [decay, *(net.decay for net in nets)]
    shares = [net.share.astype(np.float32) for net in nets]
    adam, slope = Adam([first, *seconds]), np.empty_like(first)
    hidden, error = (np.empty((len(values), first.shape[1]), np.float32) for _ in range(2))
    for _ in range(epochs):
        np.matmul(values, first[:-1], out=hidden)
        hidden += first[-1]
        np.maximum(hidden, 0, out=hidden)
        slopes = [slope]
        for net, own, second, share in zip(nets, columns, seconds, shares, strict=True):
            logits = hidden[:, own] @ second[:-1]
            logits += second[-1]
            _errors(logits, net.y, share)
            slopes.append(np.empty_like(second))
            np.matmul(hidden[:, own].T, logits, out=slopes[-1][:-1])
            slopes[-1][-1] = logits.sum(0)
            np.multiply(logits @ second[:-1].T, hidden[:, own] > 0, out=error[:, own])
        np.matmul(values.T, error, out=slope[:-1])
        slope[-1] = error.sum(0)
        adam.step(slopes, RATE, decays)
        yield [Perceptron((first[:, own], second)) for own, second in zip(columns, seconds, strict=True)]


def kept(probe: Perceptron) -> Perceptron:
    """A copy of the perceptron that the next epoch does not overwrite."""
    return Perceptron(tuple(layer.copy() for layer in probe.layers))


def gradients(layers: Sequence[Floats], X: Floats, y: Labels, share: Floats) -> list[Floats]:
    """Gradients of the sum of weighted cross-entropies with respect to each layer; arguments as in `Net`."""
    values = _forward(layers, X)
    error = values[-1]
    _errors(error, y, share)
    slopes = [np.empty_like(layer) for layer in layers]
    for number in range(len(layers) - 1, -1, -1):
        np.matmul(values[number].T, error, out=slopes[number][:-1])
        slopes[number][-1] = error.sum(0)
        if number:
            error = error @ layers[number][:-1].T
            error *= values[number] > 0
    return slopes


def _errors(logits: Floats, y: Labels, share: Floats) -> None:
    """Turn logits into the gradient of the loss with respect to them."""
    logits -= logits.max(1, keepdims=True)
    np.exp(logits, out=logits)
    logits *= share[:, None] / logits.sum(1, keepdims=True)
    logits[np.arange(len(y)), y] -= share


def _forward(layers: Sequence[Floats], X: Floats) -> list[Floats]:
    """The input of each layer, then the logits."""
    values = [X]
    for number, layer in enumerate(layers, 1):
        out = values[-1] @ layer[:-1]
        out += layer[-1]
        values.append(out if number == len(layers) else np.maximum(out, 0, out=out))
    return values
