"""Probes: small classifiers that are trained on frozen embeddings, to measure what can be predicted from them.

A probe is a fitter `PROBES[name](X, y, seed, inner) -> Fitted`. X is (n, D), any floating dtype; y is (n,) of integers,
at least two classes. All have the same budget: each tries `BUDGET` settings, chooses one by UAR on validation clips (of
ties the strongest regularisation), which are an inner part of the training clips or others, and is fitted again on all
training clips.
Standardisation also uses the training clips only. All probes weigh the classes equally, as UAR does. Everything runs on
one thread, so the same seed gives the same bits.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from mien.audit.probes.division import inner_part
from mien.audit.probes.logistic import Logistic, fits
from mien.audit.probes.perceptron import descents, kept
from mien.common.measures import uar_of

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Places = NDArray[np.intp]
Setting = Any  # a number or a tuple of numbers; each probe says what it means

BUDGET = 6  # settings that each probe tries
SHRINKAGE = (1.0, 0.7, 0.4, 0.2, 0.05, 0.01)  # of the covariance within classes; 1: Euclidean distances
PENALTY = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # inverse strengths, as scikit-learn's C
DECAYS, EPOCHS = (10.0, 1.0), (25, 50, 100)  # of the perceptron; weaker decays have no effect in 100 epochs
NEIGHBOURS, METRICS = (15, 5, 1), ("euclidean", "cosine")
BLOCK = 4_000_000  # distances at a time: bounds memory


class Model(Protocol):
    """A classifier fitted with one setting: predicts classes 0 to K - 1 of standardised rows."""

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        ...


Fit = Callable[[Array, Labels, Sequence[Setting], int], Iterator[Model]]  # one model per setting, in order


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
        return (np.asarray(X, np.float64) - self.mean) / self.scale


@dataclass(frozen=True)
class Fitted:
    """A probe that has been fitted.

    Attributes:
        setting: the chosen setting.
        validation: its UAR on the clips that chose it.
        kinds: (K,), the labels that it can predict.
    """

    setting: Setting
    validation: float
    kinds: Labels
    standard: Standard
    model: Model
    fit: Fit
    seed: int

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The label of each row of X, (m, D) -> (m,)."""
        with one_thread():
            return np.asarray(self.kinds[self.model.predict(self.standard.apply(X))], np.int64)

    def again(self, X: NDArray[np.floating], y: Labels) -> "Fitted":
        """The probe with the same setting, fitted on other clips or labels."""
        with one_thread():
            kinds, codes = np.unique(y, return_inverse=True)
            standard = Standard.of(X)
            model = next(self.fit(standard.apply(X), codes.astype(np.int64), [self.setting], self.seed))
            return replace(self, kinds=kinds, standard=standard, model=model)


class Fitter(Protocol):
    """A probe that has not been fitted."""

    def __call__(
        self,
        X: NDArray[np.floating],
        y: Labels,
        seed: int,
        inner: tuple[Places, Places] | None = None,
        final: tuple[NDArray[np.floating], Labels] | None = None,
    ) -> Fitted:
        """Fit it.

        Args:
            X: (n, D).
            y: (n,).
            seed: of the fit.
            inner: the rows that fit and the rows to choose a setting on; None samples a quarter of each class for the
                latter.
            final: (m, D) and (m,), the clips of the last fit and their labels; None: X and y. They differ from those of
                the choice where other clips than the training clips choose, or where an eraser was fitted on all
                training rows: it may be applied to `final`, but not to X.
        """
        ...


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
        X: (n, D), the training clips.
        y: (n,), their classes.
        votes: how many neighbours vote.
        metric: "euclidean" or "cosine".
    """

    X: Array
    y: Labels
    votes: int
    metric: str

    def predict(self, X: NDArray[np.floating]) -> Labels:
        """The class of each row of X, (m, D) -> (m,)."""
        weight = np.eye(int(self.y.max()) + 1)[self.y] / np.bincount(self.y)
        votes = min(self.votes, len(self.X))
        rows = max(1, BLOCK // len(self.X))
        lengths = (self.X**2).sum(1)
        predicted = []
        for start in range(0, len(X), rows):
            queries = np.asarray(X[start : start + rows], np.float64)
            queries = directions(queries) if self.metric == "cosine" else queries
            near = np.argpartition(lengths - 2 * queries @ self.X.T, votes - 1, axis=1)[:, :votes]
            predicted.append(weight[near].sum(1).argmax(1))
        return np.concatenate(predicted) if predicted else np.empty(0, np.int64)


def nearest_mean(X: Array, y: Labels, settings: Sequence[Setting], seed: int) -> Iterator[NearestMean]:
    """A setting is how far the covariance within classes is shrunk to a multiple of the identity, in [0, 1].

    At 1 it is the Euclidean nearest mean; at 0 linear discriminant analysis with equal priors.
    """
    means = np.stack([X[y == kind].mean(0) for kind in range(int(y.max()) + 1)])
    # all means lie in the span of the rows; the part of a clip outside of it is equally far from each mean
    span = np.linalg.svd(X, full_matrices=False)[2].T if X.shape[1] > len(X) else np.eye(X.shape[1])
    within = (X - means[y]) @ span
    spread, axes = np.linalg.eigh(within.T @ within / len(X))
    for shrinkage in settings:
        shrunk = (1 - shrinkage) * np.maximum(spread, 0) + shrinkage * max(float(spread.sum()) / X.shape[1], 1e-12)
        whiten = span @ (axes / np.sqrt(np.maximum(shrunk, 1e-12)))
        yield NearestMean(whiten, means @ whiten)


def linear(X: Array, y: Labels, settings: Sequence[Setting], seed: int) -> Iterator[Logistic]:
    """A setting is the inverse strength of the penalty."""
    return fits(X, y, settings)


def mlp(X: Array, y: Labels, settings: Sequence[Setting], seed: int) -> Iterator[Model]:
    """A setting is the decay and the number of epochs; settings with the same decay are stops of one training run."""
    share = (1 / np.bincount(y) / (int(y.max()) + 1))[y]
    decays, longest = tuple(dict.fromkeys(decay for decay, _ in settings)), max(epochs for _, epochs in settings)
    found: dict[Setting, Model] = {}
    for epoch, probes in enumerate(descents(X, y, share, decays=decays, epochs=longest, seed=seed), 1):
        found |= {
            (decay, epoch): kept(one) for decay, one in zip(decays, probes, strict=True) if (decay, epoch) in settings
        }
    yield from (found[setting] for setting in settings)


def neighbours(X: Array, y: Labels, settings: Sequence[Setting], seed: int) -> Iterator[Neighbours]:
    """A setting is the number of neighbours and the metric."""
    for votes, metric in settings:
        yield Neighbours(directions(X) if metric == "cosine" else X, y, votes, metric)


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


def _search(
    fit: Fit,
    settings: Sequence[Setting],
    X: NDArray[np.floating],
    y: Labels,
    seed: int,
    inner: tuple[Places, Places] | None = None,
    final: tuple[NDArray[np.floating], Labels] | None = None,
) -> Fitted:
    """Try all settings, the strongest regularisation first, and fit again with the best.

    The best has the highest UAR, not the lowest loss: the loss rises with overconfidence long before the UAR stops
    rising, so a probe chosen by it would understate the leakage.
    """
    codes = np.unique(y, return_inverse=True)[1].astype(np.int64)
    train, chosen = inner_part(codes, seed) if inner is None else inner
    with one_thread():
        standard = Standard.of(X[train])
        inside, outside = standard.apply(X[train]), standard.apply(X[chosen])
        known, own = np.unique(codes[train], return_inverse=True)
        models = fit(inside, own.astype(np.int64), settings, seed)
        scores = [uar_of(codes[chosen], known[model.predict(outside)]) if len(chosen) else 0.0 for model in models]
        best = int(np.argmax(scores))
        last, labels = (X, y) if final is None else final
        kinds, codes = np.unique(labels, return_inverse=True)
        standard = Standard.of(last)
        model = next(fit(standard.apply(last), codes.astype(np.int64), [settings[best]], seed))
    return Fitted(settings[best], scores[best], kinds, standard, model, fit, seed)


PROBES: dict[str, Fitter] = {
    "nearest_mean": partial(_search, nearest_mean, SHRINKAGE),
    "linear": partial(_search, linear, PENALTY),
    "mlp": partial(_search, mlp, [(decay, epochs) for decay in DECAYS for epochs in EPOCHS]),
    "neighbours": partial(_search, neighbours, [(votes, metric) for votes in NEIGHBOURS for metric in METRICS]),
}


def directions(X: Array) -> Array:
    """Rows of length 1, (n, D) -> (n, D); a row of zeros stays."""
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths > 0, lengths, 1.0)
