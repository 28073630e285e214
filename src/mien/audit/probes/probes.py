"""Probes: small classifiers that are trained on frozen embeddings, to measure what can be predicted from them.

A probe is a fit and its settings, `PROBES[name]`; `read` chooses, fits and predicts. X is (n, D), any floating dtype; y
is (n,) of integers, at least two classes. All have the same budget: each tries `BUDGET` settings, chooses one by UAR on
validation clips (of ties the strongest regularisation), which are an inner part of the training clips or others, and is
fitted again on all training clips, beside a control with shuffled labels.
Standardisation also uses the training clips only. All probes weigh the classes equally, as UAR does. Everything runs on
one thread, so the same seed gives the same bits.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from mien.audit.probes.division import inner_part
from mien.audit.probes.logistic import Logistic, fits
from mien.audit.probes.nearest import METRICS, Nearest
from mien.audit.probes.perceptron import Net, Perceptron, descents, kept
from mien.common.measures import uar_of

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Places = NDArray[np.intp]
Setting = Any  # a number or a tuple of numbers; each probe says what it means

BUDGET = 6  # settings that each probe tries
SHRINKAGE = (1.0, 0.7, 0.4, 0.2, 0.05, 0.01)  # of the covariance within classes; 1: Euclidean distances
PENALTY = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # inverse strengths, as scikit-learn's C
DECAYS, EPOCHS = (10.0, 1.0), (25, 50, 100)  # of the perceptron; weaker decays have no effect in 100 epochs
NEIGHBOURS = (15, 5, 1)


class Model(Protocol):
    """A classifier fitted with one setting: predicts classes 0 to K - 1 of standardised rows."""

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        ...


# rows, labellings of them, settings, seed -> for each setting, in order, a model of each labelling
Fit = Callable[[Array, Sequence[Labels], Sequence[Setting], int], Iterator[Sequence[Model]]]


@dataclass(frozen=True)
class Standard:
    """Standardisation: mean 0 and deviation 1 on the rows it was fitted on; constant features become 0."""

    mean: Array
    scale: Array

    @classmethod
    def of(cls, X: NDArray[np.floating]) -> "Standard":
        """Mean and deviation of the rows of X."""
        values = np.asarray(X, np.float64)
        mean, deviation = values.mean(0), values.std(0)
        rounding = 1e-6 * np.abs(mean)  # a feature that varies only by float32 rounding counts as constant
        return cls(mean, np.where(deviation > rounding, deviation, np.inf))

    def apply(self, X: NDArray[np.floating]) -> Array:
        """The rows of X, standardised, (m, D) -> (m, D)."""
        values = np.asarray(X, np.float64) - self.mean
        values /= self.scale
        return values


class Reading(NamedTuple):
    """What a probe reads.

    Attributes:
        setting: the chosen setting.
        validation: its UAR on the clips that chose it.
        predicted: (q,), the label of each query.
        shuffled: (q,), the same of the probe with this setting that is fitted on shuffled labels.
    """

    setting: Setting
    validation: float
    predicted: Labels
    shuffled: Labels


@dataclass(frozen=True)
class NearestMean:
    """The nearest class mean, by the Mahalanobis distance of the covariance within classes.

    Attributes:
        whiten: (D, r), r the lesser of D and n; distances after it are Euclidean.
        means: (K, r), of the classes, whitened.
    """

    whiten: Array
    means: Array

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        near = (X @ self.whiten) @ self.means.T - 0.5 * (self.means**2).sum(1)
        return np.asarray(near.argmax(1), np.int64)


@dataclass(frozen=True)
class Neighbours:
    """A vote of the nearest training clips, in which all classes have the same total weight.

    Attributes:
        clips: the training clips.
        y: (n,), their classes.
        votes: how many neighbours vote.
        metric: "euclidean" or "cosine".
    """

    clips: Nearest
    y: Labels
    votes: int
    metric: str

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        near = self.clips.of(np.asarray(X, np.float64))[self.metric][:, : self.votes]
        weight = 1 / np.bincount(self.y)
        kinds = len(weight)
        # the sums of 0, 1, 2, ... votes for a class, added one by one, so that equal votes are equal to the last bit
        sums = np.vstack([np.zeros(kinds), np.cumsum(np.tile(weight, (near.shape[1], 1)), axis=0)])
        places = self.y[near] + kinds * np.arange(len(near))[:, None]
        votes = np.bincount(places.ravel(), minlength=len(near) * kinds).reshape(len(near), kinds)
        return np.asarray(sums[votes, np.arange(kinds)].argmax(1), np.int64)


def nearest_mean(
    X: Array, labels: Sequence[Labels], settings: Sequence[Setting], seed: int
) -> Iterator[list[NearestMean]]:
    """A setting is how far the covariance within classes is shrunk to a multiple of the identity, in [0, 1].

    At 1 it is the Euclidean nearest mean; at 0 linear discriminant analysis with equal priors.
    """
    # all means lie in the span of the rows; the part of a clip outside of it is equally far from each mean
    span = np.linalg.svd(X, full_matrices=False)[2].T if X.shape[1] > len(X) else None
    spreads = []
    for y in labels:
        together, ends = X[np.argsort(y, kind="stable")], np.cumsum(np.bincount(y))
        means = np.stack([part.mean(0) for part in np.split(together, ends[:-1])])
        within = X - means[y]
        within = within if span is None else within @ span
        spreads.append((means, *np.linalg.eigh(within.T @ within / len(X))))
    for shrinkage in settings:
        models = []
        for means, spread, axes in spreads:
            shrunk = (1 - shrinkage) * np.maximum(spread, 0) + shrinkage * max(float(spread.sum()) / X.shape[1], 1e-12)
            whiten = np.ascontiguousarray(axes / np.sqrt(np.maximum(shrunk, 1e-12)))
            whiten = whiten if span is None else span @ whiten
            models.append(NearestMean(whiten, means @ whiten))
        yield models


def linear(X: Array, labels: Sequence[Labels], settings: Sequence[Setting], seed: int) -> Iterator[list[Logistic]]:
    """A setting is the inverse strength of the penalty."""
    for models in zip(*(fits(X, y, settings) for y in labels), strict=True):
        yield list(models)


def mlp(X: Array, labels: Sequence[Labels], settings: Sequence[Setting], seed: int) -> Iterator[list[Perceptron]]:
    """A setting is the decay and the number of epochs; settings with the same decay are stops of one training run."""
    shares = [(1 / np.bincount(y) / (int(y.max()) + 1))[y] for y in labels]
    decays = list(dict.fromkeys(decay for decay, _ in settings))
    nets = [Net(y, share, decay) for decay in decays for y, share in zip(labels, shares, strict=True)]
    stops, found = {epochs for _, epochs in settings}, {}
    for epoch, trained in enumerate(descents(X, nets, epochs=max(stops), seed=seed), 1):
        if epoch in stops:
            found[epoch] = [kept(probe) for probe in trained]
    for decay, epoch in settings:
        begin = decays.index(decay) * len(labels)
        yield found[epoch][begin : begin + len(labels)]


def neighbours(
    X: Array, labels: Sequence[Labels], settings: Sequence[Setting], seed: int
) -> Iterator[list[Neighbours]]:
    """A setting is the number of neighbours and the metric."""
    counts, metrics = (list(dict.fromkeys(values)) for values in zip(*settings, strict=True))
    clips = Nearest(X, counts, metrics)
    for votes, metric in settings:
        yield [Neighbours(clips, y, votes, metric) for y in labels]


def one_thread() -> AbstractContextManager[Any]:
    """The libraries of numerics on one thread, so that the same seed gives the same bits."""
    limit: AbstractContextManager[Any] = _pools(len(sys.modules)).limit(limits=1)
    return limit


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """The thread pools of the loaded libraries, sought again only where more modules are loaded: finding them takes
    longer than fitting a small probe.
    """
    return ThreadpoolController()


PROBES: dict[str, tuple[Fit, Sequence[Setting]]] = {
    "nearest_mean": (nearest_mean, SHRINKAGE),
    "linear": (linear, PENALTY),
    "mlp": (mlp, [(decay, epochs) for decay in DECAYS for epochs in EPOCHS]),
    "neighbours": (neighbours, [(votes, metric) for votes in NEIGHBOURS for metric in METRICS]),
}


def read(
    names: Iterable[str],
    X: NDArray[np.floating],
    y: Labels,
    queries: NDArray[np.floating],
    *,
    mixed: Labels,
    seed: int,
    inner: tuple[Places, Places] | None = None,
    final: tuple[NDArray[np.floating], Labels] | None = None,
) -> dict[str, Reading]:
    """Choose a setting of each probe, fit it with that and predict.

    Of all settings, tried with the strongest regularisation first, the best has the highest UAR, not the lowest loss:
    the loss rises with overconfidence long before the UAR stops rising, so a probe chosen by it would understate the
    leakage.

    Args:
        names: names in `PROBES`.
        X: (n, D).
        y: (n,).
        queries: (q, D), to predict; as `final`, not as X, where these differ.
        mixed: labels of the last fit in another order, for the control.
        seed: of the fits.
        inner: the rows that fit and the rows to choose a setting on; None samples a quarter of each class for the
            latter.
        final: (m, D) and (m,), the clips of the last fit and their labels; None: X and y. They differ from those of
            the choice where other clips than the training clips choose, or where an eraser was fitted on all
            training rows: it may be applied to `final`, but not to X.
    """
    codes = np.unique(y, return_inverse=True)[1].astype(np.int64)
    train, chosen = inner_part(codes, seed) if inner is None else inner
    last, labels = (X, y) if final is None else final
    found = {}
    with one_thread():
        standard = Standard.of(X[train])
        inside, outside = standard.apply(X[train]), standard.apply(X[chosen])
        known, own = np.unique(codes[train], return_inverse=True)
        standard = Standard.of(last)
        rows, asked = standard.apply(last), standard.apply(queries)
        kinds, answers = np.unique(labels, return_inverse=True)
        both = [answers.astype(np.int64), np.searchsorted(kinds, mixed).astype(np.int64)]
        for name in names:
            fit, settings = PROBES[name]
            tried = fit(inside, [own.astype(np.int64)], settings, seed)
            scores = [uar_of(codes[chosen], known[one.predict(outside)]) if len(chosen) else 0.0 for (one,) in tried]
            best = int(np.argmax(scores))
            predicted, shuffled = (kinds[one.predict(asked)] for one in next(fit(rows, both, [settings[best]], seed)))
            found[name] = Reading(settings[best], scores[best], predicted, shuffled)
    return found
