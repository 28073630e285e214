"""Probes for very many clips: the same four as in `probes`, each with one setting, in stated bounds.

The embedding (N, D) may be mapped from a file: rows are read some at a time, in the order of the file, and standardised
in float32, so that the embedding is never copied. Networks make `EPOCHS` passes in minibatches; neighbours are sought
among `REFERENCES` rows; the control with shuffled labels is fitted on at most `CONTROL` rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mien.audit.probes.perceptron import Adam, Perceptron, gradients
from mien.common.measures import uar_of

REFERENCES, CONTROL = 20_000, 100_000  # rows
EPOCHS, LEAST_STEPS, BATCH, RATE, HIDDEN, NEIGHBOURS = 3, 200, 1_024, 0.005, 256, 5
CHUNK = 32_768  # rows in memory together

Rows = NDArray[np.intp]
Labels = NDArray[np.int64]
Single = NDArray[np.float32]


class Read(NamedTuple):
    """What one probe says of the tested rows.

    Attributes:
        validation: its UAR on the validation rows.
        predicted: its label of each tested row, (m,).
        shuffled: that of the same probe, fitted on shuffled labels.
    """

    validation: float
    predicted: Labels
    shuffled: Labels


@dataclass(frozen=True)
class Matrix:
    """Standardised rows of an embedding that may lie in a file.

    Attributes:
        values: (n, D), as it was given; mapped or in memory.
        mean: of the training rows, (D,).
        scale: their deviation, (D,); infinite where it is zero.
    """

    values: NDArray[Any]
    mean: Single
    scale: Single

    @classmethod
    def of(cls, values: NDArray[Any], train: Rows) -> "Matrix":
        """Measure mean and deviation of the training rows, in float64, some at a time."""
        origin = np.asarray(values[train[:CHUNK]], np.float64).mean(0)  # keeps squares near what they vary about
        total, squares = np.zeros_like(origin), np.zeros_like(origin)
        for begin in range(0, len(train), CHUNK):
            moved = values[train[begin : begin + CHUNK]] - origin
            total += moved.sum(0)
            squares += np.einsum("nd,nd->d", moved, moved)
        mean = total / len(train)
        deviation = np.sqrt(np.maximum(squares / len(train) - mean**2, 0))
        rounding = 1e-6 * np.abs(origin + mean)
        scale = np.where(deviation > rounding, deviation, np.inf)
        return cls(values, (origin + mean).astype(np.float32), scale.astype(np.float32))

    def rows(self, places: Rows) -> Single:
        """Some rows, standardised; read in the order of the file, given in the order asked."""
        order = np.argsort(places, kind="stable")
        found = np.empty((len(places), self.values.shape[1]), np.float32)
        found[order] = self.values[places[order]]
        found -= self.mean
        found /= self.scale
        return found

    def chunks(self, places: Rows) -> Iterator[tuple[slice, Single]]:
        """All of some rows, a chunk at a time, with their slice of `places`."""
        for begin in range(0, len(places), CHUNK):
            part = slice(begin, begin + CHUNK)
            yield part, self.rows(places[part])


def read(
    values: NDArray[Any], y: Labels, *, train: Rows, validation: Rows, test: Rows, seed: int = 0
) -> dict[str, Read]:
    """What each of the four probes says of the tested rows.

    Args:
        values: (N, D), finite.
        y: (N,), classes 0 to K - 1; those of rows that are not asked for mean nothing.
        train: rows that fit the probes.
        validation: rows that choose the strongest.
        test: rows that are tested.
        seed: of all draws.
    """
    matrix, kinds = Matrix.of(values, train), int(y.max()) + 1
    random = np.random.default_rng([seed, 12])
    few = np.sort(random.permutation(train)[:CONTROL])
    wrong = random.permutation(y[few])
    asked = np.concatenate([validation, test])
    found: dict[str, tuple[Labels, Labels]] = {
        "nearest_mean": (
            _applied(matrix, asked, _nearest_mean(matrix, train, y[train], kinds)),
            _applied(matrix, asked, _nearest_mean(matrix, few, wrong, kinds)),
        )
    }
    for name, hidden in (("linear", 0), ("mlp", HIDDEN)):
        learnt = _network(matrix, train, y[train], kinds, hidden, seed)
        fooled = _network(matrix, few, wrong, kinds, hidden, seed)
        found[name] = (_applied(matrix, asked, learnt), _applied(matrix, asked, fooled))
    near = np.sort(random.permutation(train)[:REFERENCES])
    found["neighbours"] = _neighbours(matrix, asked, near, y[near], random.permutation(y[near]), kinds)
    count = len(validation)
    truth = y[validation]
    return {
        name: Read(uar_of(truth, told[:count]), told[count:], control[count:])
        for name, (told, control) in found.items()
    }


Applied = Callable[[Single], Labels]


def _applied(matrix: Matrix, places: Rows, predict: Applied) -> Labels:
    found = np.empty(len(places), np.int64)
    for part, block in matrix.chunks(places):
        found[part] = predict(block)
    return found


def _nearest_mean(matrix: Matrix, rows: Rows, y: Labels, kinds: int) -> Applied:
    sums = np.zeros((kinds, matrix.values.shape[1]), np.float64)
    for part, block in matrix.chunks(rows):
        own = y[part]
        sums += csr_array((np.ones(len(own), np.float32), (own, np.arange(len(own)))), (kinds, len(own))) @ block
    counts = np.bincount(y, minlength=kinds)
    means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    far = np.where(counts > 0, np.einsum("kd,kd->k", means, means), np.inf).astype(np.float32)
    return lambda block: np.asarray((block @ (2 * means.T) - far).argmax(1), np.int64)


def _network(matrix: Matrix, rows: Rows, y: Labels, kinds: int, hidden: int, seed: int) -> Applied:
    """Softmax regression, or one hidden layer of rectified units: Adam, its rate falling to zero, no penalty."""
    random = np.random.default_rng([seed, 13, hidden])
    sizes = [matrix.values.shape[1], *([hidden] if hidden else []), kinds]
    scales = [np.sqrt(2 / sizes[0]), np.sqrt(1 / hidden)] if hidden else [0.0]
    layers = tuple(
        np.asarray(scale * random.standard_normal((inputs + 1, outputs)), np.float32)
        for scale, inputs, outputs in zip(scales, sizes, sizes[1:], strict=False)
    )
    for layer in layers:
        layer[-1] = 0  # the biases
    adam = Adam(layers)
    batch = int(np.clip(len(rows) // LEAST_STEPS, 32, BATCH))
    steps = EPOCHS * -(-len(rows) // batch)
    for _ in range(EPOCHS):
        mixed = random.permutation(len(rows))
        for begin in range(0, len(mixed), batch * (CHUNK // batch)):
            some = mixed[begin : begin + batch * (CHUNK // batch)]
            block = matrix.rows(rows[some])
            for at in range(0, len(some), batch):
                part, own = block[at : at + batch], y[some[at : at + batch]]
                share = np.full(len(own), 1 / len(own), np.float32)
                adam.step(gradients(layers, part, own, share), RATE * (1 - adam.steps / steps))
    return Perceptron(layers).predict


def _neighbours(matrix: Matrix, asked: Rows, near: Rows, y: Labels, wrong: Labels, kinds: int) -> tuple[Labels, Labels]:
    """The class of most of the nearest references (of equals the lowest), by their labels `y` and by wrong ones."""
    references = matrix.rows(near)
    far = np.einsum("nd,nd->n", references, references)
    found = np.empty((2, len(asked)), np.int64)
    k = min(NEIGHBOURS, len(near))
    for begin in range(0, len(asked), 2_048):
        part = slice(begin, begin + 2_048)
        distances = far - 2 * (matrix.rows(asked[part]) @ references.T)
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        for row, labels in enumerate((y, wrong)):
            told = labels[nearest]
            votes = (told[:, :, None] == told[:, None, :]).sum(2)
            found[row, part] = np.where(votes == votes.max(1, keepdims=True), told, kinds).min(1)
    return found[0], found[1]
