"""Probes for very many clips: the same four as in `probes`, each with one setting, in bounded memory and time.

The embedding (N, D) may be mapped from a file: rows are read in chunks, in the order of the file, and standardised in
float32, so that the embedding is never copied. Networks train for `EPOCHS` epochs in minibatches; neighbours are
searched among `REFERENCES` rows; the control with shuffled labels is fitted on at most `CONTROL` rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mien.audit.probes.nearest import lowest
from mien.audit.probes.perceptron import Adam, Perceptron, gradients
from mien.common.measures import uar_of

REFERENCES, CONTROL = 20_000, 100_000  # rows
EPOCHS, LEAST_STEPS, BATCH, RATE, HIDDEN, NEIGHBOURS = 3, 200, 1_024, 0.005, 256, 5
CHUNK = 32_768  # rows in memory together
CACHED = 128  # rows in the cache of the processor together

Rows = NDArray[np.intp]
Labels = NDArray[np.int64]
Single = NDArray[np.float32]


class Result(NamedTuple):
    """The predictions of one probe.

    Attributes:
        validation: its UAR on the validation rows.
        predicted: its class of each test row, (m,).
        shuffled: that of the same probe fitted on shuffled labels, (m,).
    """

    validation: float
    predicted: Labels
    shuffled: Labels


@dataclass(frozen=True)
class Matrix:
    """Standardised rows of an embedding that may be mapped from a file.

    Attributes:
        values: (n, D), as given; mapped or in memory.
        mean: of the training rows, (D,).
        scale: their standard deviation, (D,); infinite where it is zero.
    """

    values: NDArray[Any]
    mean: Single
    scale: Single

    @classmethod
    def of(cls, values: NDArray[Any], train: Rows) -> "Matrix":
        """Mean and deviation of the training rows, in float64, chunk by chunk."""
        origin = np.asarray(values[train[:CHUNK]], np.float64).mean(
            0
        )  # subtracted first, so that squares lose no precision
        total, squares = np.zeros_like(origin), np.zeros_like(origin)
        for begin in range(0, len(train), CHUNK):
            moved = values[train[begin : begin + CHUNK]] - origin
            total += moved.sum(0)
            squares += np.einsum("nd,nd->d", moved, moved)
        mean = total / len(train)
        deviation = np.sqrt(np.maximum(squares / len(train) - mean**2, 0))
        rounding = 1e-6 * np.abs(origin + mean)
        scale = np.where(deviation > rounding, deviation, np.inf)
        return cls(np.asarray(values), (origin + mean).astype(np.float32), scale.astype(np.float32))

    def rows(self, places: Rows) -> Single:
        """Some rows, standardised; read in the order of the file, returned in the order of `places`."""
        rows = np.empty((len(places), self.values.shape[1]), np.float32)
        rising = bool((np.diff(places) >= 0).all())
        order = None if rising else np.argsort(places, kind="stable")
        for begin in range(0, len(places), CACHED):  # so few that they stay in the cache until they are standardised
            part = slice(begin, begin + CACHED)
            target = rows[part] if order is None else np.empty_like(rows[part])
            target[:] = self.values[places[part] if order is None else places[order[part]]]
            target -= self.mean
            target /= self.scale
            if order is not None:
                rows[order[part]] = target
        return rows

    def chunks(self, places: Rows) -> Iterator[tuple[slice, Single]]:
        """All of some rows, a chunk at a time, with their slice of `places`."""
        for begin in range(0, len(places), CHUNK):
            part = slice(begin, begin + CHUNK)
            yield part, self.rows(places[part])


def read(
    values: NDArray[Any], y: Labels, *, train: Rows, validation: Rows, test: Rows, seed: int = 0
) -> dict[str, Result]:
    """Fit the four probes and predict the test rows.

    Args:
        values: (N, D), finite.
        y: (N,), classes 0 to K - 1; those of rows in none of the three parts are not used.
        train: rows that fit the probes.
        validation: rows to choose the strongest probe on.
        test: rows to predict.
        seed: of all random numbers.
    """
    matrix, kinds = Matrix.of(values, train), int(y.max()) + 1
    random = np.random.default_rng([seed, 12])
    few = np.sort(random.permutation(train)[:CONTROL])
    wrong = random.permutation(y[few])
    queries = np.concatenate([validation, test])
    predictions: dict[str, tuple[Labels, Labels]] = {
        "nearest_mean": (
            _applied(matrix, queries, _nearest_mean(matrix, train, y[train], kinds)),
            _applied(matrix, queries, _nearest_mean(matrix, few, wrong, kinds)),
        )
    }
    for name, hidden in (("linear", 0), ("mlp", HIDDEN)):
        fitted = _network(matrix, train, y[train], kinds, hidden, seed)
        control = _network(matrix, few, wrong, kinds, hidden, seed)
        predictions[name] = (_applied(matrix, queries, fitted), _applied(matrix, queries, control))
    near = np.sort(random.permutation(train)[:REFERENCES])
    predictions["neighbours"] = _neighbours(matrix, queries, near, y[near], random.permutation(y[near]), kinds)
    count = len(validation)
    truth = y[validation]
    return {
        name: Result(uar_of(truth, predicted[:count]), predicted[count:], shuffled[count:])
        for name, (predicted, shuffled) in predictions.items()
    }


Applied = Callable[[Single], Labels]


def _applied(matrix: Matrix, places: Rows, predict: Applied) -> Labels:
    predicted = np.empty(len(places), np.int64)
    for part, block in matrix.chunks(places):
        predicted[part] = predict(block)
    return predicted


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
    """Softmax regression, or a perceptron with one hidden layer: Adam with a rate that falls to zero, no penalty."""
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


def _neighbours(
    matrix: Matrix, queries: Rows, near: Rows, y: Labels, wrong: Labels, kinds: int
) -> tuple[Labels, Labels]:
    """The majority class of the nearest references (of ties the lowest), for true labels `y` and shuffled ones."""
    references = matrix.rows(near)
    far = np.einsum("nd,nd->n", references, references)
    predicted = np.empty((2, len(queries)), np.int64)
    k = min(NEIGHBOURS, len(near))
    for begin in range(0, len(queries), 2_048):
        part = slice(begin, begin + 2_048)
        distances = matrix.rows(queries[part]) @ references.T
        distances *= -2
        distances += far
        nearest, values = lowest(distances, min(k + 1, len(near)))
        if len(near) > k:  # of equal distances numpy chooses
            tied = np.flatnonzero(values[:, k] == values[:, k - 1])
            nearest = nearest[:, :k]
            nearest[tied] = np.argpartition(distances[tied], k - 1, axis=1)[:, :k]
        for row, labels in enumerate((y, wrong)):
            classes = labels[nearest]
            votes = (classes[:, :, None] == classes[:, None, :]).sum(2)
            predicted[row, part] = np.where(votes == votes.max(1, keepdims=True), classes, kinds).min(1)
    return predicted[0], predicted[1]
