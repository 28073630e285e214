"""Clusters of points by k-means: the midpoints of those that are known, and the nearest midpoint of any other.

Rana et al. 2019, section V: clips fall into clusters of the valence-activation plane, each into that whose midpoint is
nearest to its ratings. Distances are Euclidean, in the units of the columns.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Midpoints = tuple[tuple[float, ...], ...]


def different(points: NDArray[np.float64]) -> int:
    """How many of the points, n x D, differ; no more clusters than these can be found."""
    return len(np.unique(points, axis=0))


def midpoints(points: NDArray[np.float64], count: int) -> Midpoints:
    """The midpoints of clusters, by the first column, of equal ones by the next.

    Args:
        points: n x D, known, at least `count` of them different; their order changes nothing.
        count: how many clusters.
    """
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=10, random_state=0).fit(points[_order(points)]).cluster_centers_
    return tuple(map(tuple, found[_order(found)].tolist()))


def nearest(points: NDArray[np.float64], to: Sequence[Sequence[float]]) -> NDArray[np.intp]:
    """The number of the nearest midpoint of each point, n; of equally near ones the first.

    Args:
        points: n x D, known.
        to: K midpoints.
    """
    apart = np.square(points[:, None] - np.asarray(to, np.float64)).sum(axis=-1)
    return np.asarray(apart.argmin(axis=1))


def _order(points: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.lexsort(points.T[::-1])
