"""After LEACE a linear probe is at chance on the fitted rows; the oracle is the authors' package concept-erasure."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mien.audit.probes.leace import Eraser
from mien.audit.probes.probes import PROBES, read
from mien.errors import AuditError


def planted(n: int = 400, kinds: int = 5, D: int = 12, rank: int | None = None, seed: int = 0):
    random = np.random.default_rng(seed)
    y = random.integers(0, kinds, n)
    X = random.normal(size=(n, D)) @ random.normal(size=(D, D)) + 2 * random.normal(size=(kinds, D))[y] + 3
    return (X if rank is None else X @ random.normal(size=(D, rank)) @ random.normal(size=(rank, D))), y


def oracle(X: np.ndarray, y: np.ndarray):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, at import
        from concept_erasure import LeaceFitter
    Z = torch.tensor(np.eye(int(y.max()) + 1)[y])
    fitter = LeaceFitter.fit(
        torch.tensor(X), Z, method="leace", affine=True, shrinkage=False, constrain_cov_trace=False, svd_tol=1e-9
    )
    return fitter.eraser


@pytest.mark.parametrize(("kinds", "seed"), [(2, 0), (5, 1), (8, 2)])
def test_equals_the_eraser_of_concept_erasure(kinds: int, seed: int) -> None:
    X, y = planted(kinds=kinds, seed=seed)
    ours, theirs = Eraser.fit(X, y), oracle(X, y)
    other = np.random.default_rng(9).normal(size=(30, 12))
    for rows in (X, other):
        np.testing.assert_allclose(ours.apply(rows), theirs(torch.tensor(rows)).numpy(), rtol=0, atol=1e-10)
    projection = np.eye(12) - ours.left @ ours.right.T
    np.testing.assert_allclose(projection, theirs.P.numpy(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-10)
    assert ours.left.shape == (12, kinds - 1)


@pytest.mark.parametrize("rank", [None, 6])
def test_a_linear_probe_is_at_chance_on_the_fitted_rows(rank: int | None) -> None:
    X, y = planted(rank=rank)
    erased = Eraser.fit(X, y).apply(X)
    means = np.stack([erased[y == kind].mean(0) for kind in range(5)])
    np.testing.assert_allclose(means, np.tile(X.mean(0), (5, 1)), atol=1e-9)
    shares = np.bincount(y) / len(y)
    entropy = -(shares * np.log(shares)).sum()
    for values, blind in ((X, False), (erased, True)):
        axes, sizes, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
        scaled = 20 * axes[:, sizes > 1e-9 * sizes[0]]  # the same to a linear probe, and quick to fit
        probe = LogisticRegression(C=np.inf, max_iter=2000, tol=1e-7).fit(scaled, y)
        loss = log_loss(y, probe.predict_proba(scaled))
        assert loss == pytest.approx(entropy, abs=1e-6) if blind else loss < 0.98 * entropy
        assert (set(probe.predict(scaled)) == {shares.argmax()}) == blind


def test_a_perceptron_may_still_predict_what_is_not_linear() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 4))
    X[:, :2] += np.sign(X[:, :2])
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    erased = Eraser.fit(X[:400], y[:400]).apply(X)
    found = read(PROBES, erased[:400], y[:400], erased[400:], mixed=y[:400], seed=0)
    right = {name: (reading.predicted == y[400:]).mean() for name, reading in found.items()}
    assert right["mlp"] > 0.9
    assert right["linear"] < 0.6


def test_erasing_twice_changes_nothing_and_another_factor_stays() -> None:
    X, y = planted()
    other = np.random.default_rng(1).integers(0, 3, len(y))
    X = X + 12 * np.eye(12)[other]
    eraser = Eraser.fit(X, y)
    erased = eraser.apply(X)
    np.testing.assert_allclose(Eraser.fit(erased, y).apply(erased), erased, atol=1e-10)
    np.testing.assert_array_equal(Eraser.fit(X, np.zeros(len(y))).apply(X), X)
    np.testing.assert_allclose(erased.mean(0), X.mean(0))
    assert np.linalg.matrix_rank(eraser.left @ eraser.right.T) == 4  # classes less one
    kept = read(["linear"], erased[:300], other[:300], erased[300:], mixed=other[:300], seed=0)["linear"]
    assert (kept.predicted == other[300:]).mean() > 0.9


def test_more_dimensions_than_rows() -> None:
    X, y = planted(n=30, kinds=3, D=80)
    erased = Eraser.fit(X, y).apply(X)
    means = np.stack([erased[y == kind].mean(0) for kind in range(3)])
    np.testing.assert_allclose(means, np.tile(X.mean(0), (3, 1)), atol=1e-9)
    assert np.isfinite(erased).all()


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        AuditError, match=r"^erasure: 4 embeddings and 3 labels; give at least two rows, with one label each$"
    ):
        Eraser.fit(np.zeros((4, 2)), ["a", "b", "a"])
