"""Every probe finds a planted factor and nothing in noise, and is deterministic; oracles are scikit-learn and torch."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from torch.nn import functional

from mien.audit.probes import probes
from mien.audit.probes.perceptron import Adam, gradients
from mien.audit.probes.probes import BUDGET, PROBES, Standard


def clusters(n: int = 300, kinds: int = 4, D: int = 12, apart: float = 3.0, seed: int = 0):
    random = np.random.default_rng(seed)
    y = random.integers(0, kinds, n)
    return random.normal(size=(n, D)) + apart * random.normal(size=(kinds, D))[y], y


def exclusive_or(n: int = 600, D: int = 6, seed: int = 0):
    """The label is the product of two signs, which no linear classifier can predict."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, D))
    X[:, :2] += np.sign(X[:, :2])
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def accuracy(probe: str, X, y, seed: int = 0) -> float:
    half = len(y) // 2
    return float((PROBES[probe](X[:half], y[:half], seed).predict(X[half:]) == y[half:]).mean())


@pytest.mark.parametrize("probe", PROBES)
def test_clusters_are_classified_and_noise_is_at_chance(probe: str) -> None:
    X, y = clusters()
    assert accuracy(probe, X, y) > 0.95
    assert accuracy(probe, np.random.default_rng(1).normal(size=X.shape), y) == pytest.approx(0.25, abs=0.12)


def test_the_perceptron_is_as_good_as_the_linear_probe_on_weak_leaks() -> None:
    """Few clips, many dimensions and overlapping classes, as in an embedding that leaks little."""
    found = []
    for seed in range(3):
        X, y = clusters(n=700, kinds=8, D=96, apart=0.16, seed=seed)
        found.append([accuracy(probe, X, y, seed) for probe in ("linear", "mlp")])
    linear, mlp = np.mean(found, 0)
    assert 0.25 < linear < 0.6
    assert mlp >= linear - 0.04


@pytest.mark.parametrize("probe", PROBES)
def test_is_deterministic_and_invariant_to_units(probe: str) -> None:
    X, y = clusters(apart=0.4)
    first, again = (PROBES[probe](X, y, 3).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    assert (PROBES[probe](X * units + 5 * units, y, 3).predict(X * units + 5 * units) == first).mean() > 0.97


@pytest.mark.parametrize("probe", PROBES)
def test_predictions_are_labels_as_given(probe: str) -> None:
    X, y = clusters(kinds=3)
    labels = np.array([7, -2, 40])[y]
    assert set(PROBES[probe](X, labels, 0).predict(X)) == {7, -2, 40}


@pytest.mark.parametrize("probe", PROBES)
def test_a_constant_embedding_gives_one_class(probe: str) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    rounding = (np.full((200, 5), 3.0) + 1e-8 * y[:, None]).astype(np.float64)
    assert len(set(PROBES[probe](rounding, y, 0).predict(rounding))) == 1


def test_exclusive_or_is_not_linear() -> None:
    X, y = exclusive_or()
    assert accuracy("mlp", X, y) > 0.9
    assert accuracy("neighbours", X, y) > 0.75
    assert accuracy("linear", X, y) < 0.6
    assert accuracy("nearest_mean", X, y) < 0.6


def test_a_class_with_one_clip_is_fitted() -> None:
    X, y = clusters(n=40, kinds=2)
    y[0] = 2
    for fit in PROBES.values():
        assert fit(X, y, 0).predict(X).shape == (40,)


def test_standardisation_has_mean_0_and_deviation_1() -> None:
    random = np.random.default_rng(0)
    X = random.normal(5, 3, (50, 4))
    standard = Standard.of(X)
    np.testing.assert_allclose(standard.apply(X).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.apply(X).std(0), 1)
    np.testing.assert_allclose(standard.apply(X[:1] + X.std(0)) - standard.apply(X[:1]), 1)


@pytest.mark.parametrize("probe", PROBES)
def test_all_probes_try_as_many_settings_and_keep_the_chosen_one(probe: str) -> None:
    _, settings = PROBES[probe].args  # type: ignore[attr-defined]
    assert len(set(settings)) == BUDGET
    X, y = clusters(n=120)
    fitted = PROBES[probe](X, y, 0)
    assert fitted.setting in settings
    assert 0.9 < fitted.validation <= 1
    again = fitted.again(X, y)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    mixed = fitted.again(X, np.random.default_rng(0).permutation(y))
    assert mixed.setting == fitted.setting
    assert (fitted.predict(X) == y).mean() > 0.95


def test_a_given_inner_part_chooses_the_setting() -> None:
    """Only the first half encodes the label, so validation on the second half is at chance."""
    random = np.random.default_rng(0)
    y = np.tile([0, 1], 100)
    X = random.normal(size=(200, 2))
    X[:100, 0] += 6 * y[:100]
    inner = (np.arange(100), np.arange(100, 200))
    assert PROBES["linear"](X, y, 0, inner).validation < 0.7
    assert PROBES["linear"](X, y, 0, (np.arange(50), np.arange(50, 100))).validation > 0.95
    turned = PROBES["linear"](X, y, 0, inner, (X[:, ::-1], y))  # other features for the last fit
    again = PROBES["linear"](X, y, 0, inner).again(X[:, ::-1], y)
    assert turned.validation == PROBES["linear"](X, y, 0, inner).validation
    np.testing.assert_array_equal(turned.predict(X), again.predict(X))


@pytest.mark.parametrize(("n", "D"), [(240, 8), (80, 120)])
def test_the_nearest_mean_equals_scikit_learn(n: int, D: int) -> None:
    X, y = clusters(n=n, kinds=4, D=D, apart=0.5)
    y = np.arange(n) % 4  # equal classes, since the oracle weighs classes by size
    X = Standard.of(X + 0.3 * np.eye(D)[y] @ np.random.default_rng(0).normal(size=(D, D))).apply(X)
    other = np.random.default_rng(1).normal(size=(50, D))
    plain, shrunk = probes.nearest_mean(X, y, [1.0, 0.3], 0)
    np.testing.assert_array_equal(plain.predict(other), NearestCentroid().fit(X, y).predict(other))
    oracle = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Shrunk(0.3)).fit(X, y)
    np.testing.assert_array_equal(shrunk.predict(other), oracle.predict(other))


class Shrunk:
    """A covariance estimator for scikit-learn's discriminant, which fits it for each class and averages."""

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = shrinkage

    def fit(self, X: np.ndarray) -> "Shrunk":
        found = np.cov(X, rowvar=False, bias=True)
        middle = np.trace(found) / len(found) * np.eye(len(found))
        self.covariance_ = (1 - self.shrinkage) * found + self.shrinkage * middle
        return self


@pytest.mark.parametrize(("votes", "metric"), [(1, "euclidean"), (5, "euclidean"), (5, "cosine")])
def test_the_neighbours_equal_scikit_learn(votes: int, metric: str) -> None:
    X, y = clusters(n=201, kinds=3, apart=0.5)
    y = np.arange(201) % 3
    oracle = KNeighborsClassifier(votes, metric=metric).fit(X[:150], y[:150])
    model = next(probes.neighbours(X[:150], y[:150], [(votes, metric)], 0))
    np.testing.assert_array_equal(model.predict(X[150:]), oracle.predict(X[150:]))


def test_the_gradients_of_the_perceptron_equal_torch() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(20, 5)).astype(np.float32), random.integers(0, 3, 20)
    arrays = [random.normal(size=size).astype(np.float32) for size in ((5, 64), (64,), (64, 3), (3,))]
    weight = random.random(20).astype(np.float32)
    found = gradients([np.vstack(arrays[:2]), np.vstack(arrays[2:])], X, y, weight)
    first, bias, second, last = (torch.tensor(part, requires_grad=True) for part in arrays)
    logits = torch.relu(torch.tensor(X) @ first + bias) @ second + last
    (torch.tensor(weight) * functional.cross_entropy(logits, torch.tensor(y), reduction="none")).sum().backward()
    expected = [first.grad, bias.grad[None], second.grad, last.grad[None]]
    for ours, theirs in zip(found, (expected[:2], expected[2:]), strict=True):
        np.testing.assert_allclose(ours, np.vstack(theirs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_adam_steps_as_torch_does(decay: float) -> None:
    random = np.random.default_rng(0)
    layer = random.normal(size=(6, 3)).astype(np.float32)
    theirs = torch.tensor(layer)
    ours, oracle = Adam([layer]), torch.optim.AdamW([theirs], lr=0.01, weight_decay=decay)
    for _ in range(10):
        slope = random.normal(size=layer.shape).astype(np.float32)
        theirs.grad = torch.tensor(slope)
        ours.step([slope], 0.01, decay)
        oracle.step()
    np.testing.assert_allclose(layer, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("probe", ["linear", "mlp", "neighbours"])
def test_a_rare_class_is_not_forgotten(probe: str) -> None:
    """UAR weighs classes equally; a probe that predicts only the frequent class would understate leakage."""
    random = np.random.default_rng(0)
    y = (random.random(900) < 0.08).astype(np.int64)
    X = random.normal(size=(900, 6)) + 1.5 * y[:, None] * np.eye(6)[0]
    found = PROBES[probe](X[:400], y[:400], 0).predict(X[400:])
    assert (found[y[400:] == 1] == 1).mean() > 0.5
