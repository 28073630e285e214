"""Every probe reads what is there, reads nothing from noise, and gives the same bits again."""

import numpy as np
import pytest

from mien.audit.probes import PROBES, Standard


def clusters(n: int = 300, kinds: int = 4, D: int = 12, apart: float = 3.0, seed: int = 0):
    random = np.random.default_rng(seed)
    y = random.integers(0, kinds, n)
    return random.normal(size=(n, D)) + apart * random.normal(size=(kinds, D))[y], y


def exclusive_or(n: int = 600, D: int = 6, seed: int = 0):
    """The label is the product of two signs: no hyperplane tells it."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, D))
    X[:, :2] += np.sign(X[:, :2])
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def accuracy(probe: str, X, y, seed: int = 0) -> float:
    half = len(y) // 2
    return float((PROBES[probe](X[:half], y[:half], seed).predict(X[half:]) == y[half:]).mean())


@pytest.mark.parametrize("probe", PROBES)
def test_reads_clusters_and_nothing_from_noise(probe: str) -> None:
    X, y = clusters()
    assert accuracy(probe, X, y) > 0.95
    assert accuracy(probe, np.random.default_rng(1).normal(size=X.shape), y) == pytest.approx(0.25, abs=0.12)


def test_a_perceptron_reads_weak_traces_as_well_as_a_linear_probe() -> None:
    """Few clips, many dimensions, people that overlap: what an embedding looks like that gives little away."""
    found = []
    for seed in range(6):
        X, y = clusters(n=800, kinds=8, D=96, apart=0.16, seed=seed)
        found.append([accuracy(probe, X, y, seed) for probe in ("linear", "mlp")])
    linear, mlp = np.mean(found, 0)
    assert 0.25 < linear < 0.6
    assert mlp >= linear - 0.02


@pytest.mark.parametrize("probe", PROBES)
def test_is_deterministic_and_blind_to_units(probe: str) -> None:
    X, y = clusters(apart=0.4)
    first, again = (PROBES[probe](X, y, 3).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    assert (PROBES[probe](X * units + 5 * units, y, 3).predict(X * units + 5 * units) == first).mean() > 0.97


@pytest.mark.parametrize("probe", PROBES)
def test_labels_are_given_back_as_they_were_told(probe: str) -> None:
    X, y = clusters(kinds=3)
    told = np.array([7, -2, 40])[y]
    assert set(PROBES[probe](X, told, 0).predict(X)) == {7, -2, 40}


@pytest.mark.parametrize("probe", PROBES)
def test_a_constant_embedding_says_nothing_and_breaks_nothing(probe: str) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    rounding = (np.full((200, 5), 3.0) + 1e-8 * y[:, None]).astype(np.float64)
    assert len(set(PROBES[probe](rounding, y, 0).predict(rounding))) == 1


def test_exclusive_or_is_read_by_the_perceptron_alone() -> None:
    X, y = exclusive_or()
    assert accuracy("mlp", X, y) > 0.9
    assert accuracy("linear", X, y) < 0.6


def test_a_kind_with_one_clip_is_fitted() -> None:
    X, y = clusters(n=40, kinds=2)
    y[0] = 2
    for fit in PROBES.values():
        assert fit(X, y, 0).predict(X).shape == (40,)


def test_standardisation_comes_from_the_fitted_part() -> None:
    random = np.random.default_rng(0)
    X = random.normal(5, 3, (50, 4))
    standard = Standard.of(X)
    np.testing.assert_allclose(standard.apply(X).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.apply(X).std(0), 1)
    np.testing.assert_allclose(standard.apply(X[:1] + X.std(0)) - standard.apply(X[:1]), 1)
