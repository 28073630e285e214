"""The nearest training clips of each query, by several metrics from one product of matrices.

Distances are computed in float32. Where one rounds so far that it could change which clips are the nearest, those of
that query are computed again in float64: the answer is that of float64.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Places = NDArray[np.intp]

METRICS = ("euclidean", "cosine")
BLOCK = 4_000_000  # distances at a time: bounds memory
FEW = 1_000  # clips up to which all is float64
ROUNDING = 2.0**-24  # of a number in float32, relative
GROUP = 16  # clips of which only the nearest is compared at first


class Nearest:
    """Training clips to search.

    Args:
        X: (n, D), standardised.
        counts: how many neighbours are wanted, one or several numbers.
        metrics: of `METRICS`.
    """

    def __init__(self, X: Array, counts: Collection[int], metrics: Collection[str]) -> None:
        self.X, self.metrics = X, tuple(metrics)
        self.counts = sorted({min(count, len(X)) for count in counts})
        squares = np.einsum("nd,nd->n", X, X)
        lengths = np.sqrt(squares)
        self.farthest = float(lengths.max(initial=0.0))
        self.inverse = np.divide(1.0, lengths, out=np.ones_like(lengths), where=lengths > 0)
        self.own = {"euclidean": squares, "cosine": np.where(lengths > 0, 1.0, 0.0)}  # a metric's |x|^2
        self.narrow = X.astype(np.float32) if len(X) > FEW else None
        self._last: tuple[Array, dict[str, Places]] | None = None

    def of(self, queries: Array) -> dict[str, Places]:
        """Metric -> the rows of the greatest of the `counts` of nearest clips of each query, (m, D) -> (m, count).

        Those of the smaller counts come first. The answer to the last queries is kept.
        """
        if self._last is None or self._last[0] is not queries:
            rows = max(1, BLOCK // len(self.X))
            parts = [self._block(queries[start : start + rows]) for start in range(0, len(queries), rows)]
            empty = np.empty((0, self.counts[-1]), np.intp)
            found = {name: np.concatenate([empty, *(part[name] for part in parts)]) for name in self.metrics}
            self._last = (queries, found)
        return self._last[1]

    def _block(self, queries: Array) -> dict[str, Places]:
        lengths = np.sqrt(np.einsum("nd,nd->n", queries, queries))
        if self.narrow is None:
            return self._exactly(queries, lengths)
        most, width, found = self.counts[-1], self.X.shape[1], {}
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large for float32 is computed again
            products = queries.astype(np.float32) @ self.narrow.T
            for number, name in enumerate(self.metrics):
                last = number == len(self.metrics) - 1
                distances = self._distances(name, products if last else products.copy(), lengths)
                error = ROUNDING * (2 * width + 16) * np.ones(len(queries))
                if name == "euclidean":
                    error = error * lengths * self.farthest + ROUNDING * 2 * self.farthest**2
                near, values = lowest(distances, min(most + 1, len(self.X)))
                gaps = [values[:, count] - values[:, count - 1] for count in self.counts if count < len(self.X)]
                sure = np.all([gap > 2 * error for gap in gaps], axis=0) if gaps else np.ones(len(queries), bool)
                near = near[:, :most]
                if not sure.all():
                    near[~sure] = self._exactly(queries[~sure], lengths[~sure], [name])[name]
                found[name] = near
        return found

    def _exactly(self, queries: Array, lengths: Array, metrics: Collection[str] | None = None) -> dict[str, Places]:
        products, names = queries @ self.X.T, self.metrics if metrics is None else metrics
        most = self.counts[-1]
        return {name: lowest(self._distances(name, products.copy(), lengths), most)[0] for name in names}

    def _distances(self, name: str, products: NDArray[np.floating], lengths: Array) -> NDArray[np.floating]:
        """Squared distances less what is the same for all clips of a query, from the products, which are overwritten"""
        kind = products.dtype
        if name == "cosine":
            products *= self.inverse.astype(kind)
            products *= np.divide(-2.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(kind)[:, None]
        else:
            products *= kind.type(-2)
        products += self.own[name].astype(kind)
        return products


def lowest(distances: NDArray[np.floating], count: int) -> tuple[Places, NDArray[np.floating]]:
    """The places of the lowest values of each row, in rising order, and these values: (m, n) -> (m, count) twice."""
    rows, columns = distances.shape
    groups = columns // GROUP
    places = None
    if groups > 2 * count:  # the lowest values are in the groups with the lowest least values
        whole = GROUP * groups
        least = distances[:, :whole].reshape(rows, GROUP, groups).min(axis=1)
        chosen = np.argpartition(least, count - 1, axis=1)[:, :count]
        members = (chosen[:, None, :] + groups * np.arange(GROUP)[:, None]).reshape(rows, -1)
        rest = np.broadcast_to(np.arange(whole, columns), (rows, columns - whole))
        places = np.concatenate([members, rest], axis=1)
        distances = np.take_along_axis(distances, places, 1)
    if count < distances.shape[1]:
        first = np.argpartition(distances, count - 1, axis=1)[:, :count]
    else:
        first = np.broadcast_to(np.arange(distances.shape[1]), distances.shape)
    values = np.take_along_axis(distances, first, 1)
    order = np.argsort(values, axis=1, kind="stable")
    first, values = np.take_along_axis(first, order, 1), np.take_along_axis(values, order, 1)
    return (first if places is None else np.take_along_axis(places, first, 1)), values
