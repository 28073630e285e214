"""Probes of a number: ridge regression, and the mean of the nearest training clips.

Both are linear in the numbers that they are fitted on (linear smoothers), so that one fit serves any number of
permutations of these. Rows are standardised as for the probes of classes; all settings of a probe cost one fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mien.audit.probes.nearest import METRICS, Nearest
from mien.audit.probes.probes import NEIGHBOURS, Array, Setting, Standard

PENALTY = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001)  # times the number of training clips, the strongest first

Smoother = Callable[[Array], Array]  # numbers of the training clips, (n, P) -> those predicted, (m, P)
Fit = Callable[[Array, Array, Sequence[Setting]], Iterator[Smoother]]  # one smoother a setting, in order


def ridge(X: Array, queries: Array, settings: Sequence[Setting]) -> Iterator[Smoother]:
    """A setting is the penalty of the squared coefficients."""
    left, sizes, axes = np.linalg.svd(X, full_matrices=False)
    places = queries @ axes.T

    def smoother(penalty: float) -> Smoother:
        shrunk = np.divide(sizes, sizes**2 + penalty * len(X), out=np.zeros_like(sizes), where=sizes > 0)

        def predict(y: Array) -> Array:
            mean = y.mean(0)
            return np.asarray(places @ (shrunk[:, None] * (left.T @ (y - mean))) + mean)

        return predict

    for penalty in settings:
        yield smoother(penalty)


def neighbours(X: Array, queries: Array, settings: Sequence[Setting]) -> Iterator[Smoother]:
    """A setting is the number of neighbours and the metric."""
    counts, metrics = (list(dict.fromkeys(values)) for values in zip(*settings, strict=True))
    found = Nearest(X, counts, metrics).of(queries)
    for votes, metric in settings:
        near = found[metric][:, :votes]

        def predict(y: Array, near: NDArray[np.intp] = near) -> Array:
            return np.asarray(sum(y[column] for column in near.T) / near.shape[1])

        yield predict


PROBES: Mapping[str, tuple[Fit, Sequence[Setting]]] = MappingProxyType(
    {
        "linear": (ridge, PENALTY),
        "neighbours": (neighbours, [(votes, metric) for votes in NEIGHBOURS for metric in METRICS]),
    }
)


def smoothers(name: str, X: NDArray[np.floating], queries: NDArray[np.floating]) -> Iterator[Smoother]:
    """A probe in `PROBES` fitted on rows, one smoother a setting.

    Args:
        name: of the probe.
        X: (n, D), rows whose numbers will be known.
        queries: (m, D), rows to predict.
    """
    fit, settings = PROBES[name]
    standard = Standard.of(X)
    return fit(standard.apply(X), standard.apply(queries), settings)
