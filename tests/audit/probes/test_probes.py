"""Every probe finds a planted factor and nothing in noise, and is deterministic; oracles are scikit-learn and torch."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from torch.nn import functional

from mien.audit.probes import nearest, probes
from mien.audit.probes.nearest import Nearest
from mien.audit.probes.perceptron import Adam, Net, descents, gradients, kept
from mien.audit.probes.probes import BUDGET, PROBES, Standard, read


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


def reading(probe: str, X, y, queries, seed: int = 0, inner=None, final=None, mixed=None):
    """What one probe reads; the control has the true labels where none are given."""
    mixed = (y if final is None else final[1]) if mixed is None else mixed
    return read([probe], X, y, queries, mixed=mixed, seed=seed, inner=inner, final=final)[probe]


def accuracy(probe: str, X, y, seed: int = 0) -> float:
    half = len(y) // 2
    return float((reading(probe, X[:half], y[:half], X[half:], seed).predicted == y[half:]).mean())


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
    first, again = (reading(probe, X, y, X, 3).predicted for _ in range(2))
    np.testing.assert_array_equal(first, again)
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    other = X * units + 5 * units
    assert (reading(probe, other, y, other, 3).predicted == first).mean() > 0.97


@pytest.mark.parametrize("probe", PROBES)
def test_predictions_are_labels_as_given(probe: str) -> None:
    X, y = clusters(kinds=3)
    labels = np.array([7, -2, 40])[y]
    assert set(reading(probe, X, labels, X).predicted) == {7, -2, 40}


@pytest.mark.parametrize("probe", PROBES)
def test_a_constant_embedding_gives_one_class(probe: str) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    rounding = (np.full((200, 5), 3.0) + 1e-8 * y[:, None]).astype(np.float64)
    assert len(set(reading(probe, rounding, y, rounding).predicted)) == 1


def test_exclusive_or_is_not_linear() -> None:
    X, y = exclusive_or()
    assert accuracy("mlp", X, y) > 0.9
    assert accuracy("neighbours", X, y) > 0.75
    assert accuracy("linear", X, y) < 0.6
    assert accuracy("nearest_mean", X, y) < 0.6


def test_a_class_with_one_clip_is_fitted() -> None:
    X, y = clusters(n=40, kinds=2)
    y[0] = 2
    assert {name: found.predicted.shape for name, found in read(PROBES, X, y, X, mixed=y, seed=0).items()} == (
        dict.fromkeys(PROBES, (40,))
    )


def test_standardisation_has_mean_0_and_deviation_1() -> None:
    random = np.random.default_rng(0)
    X = random.normal(5, 3, (50, 4))
    standard = Standard.of(X)
    np.testing.assert_allclose(standard.apply(X).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.apply(X).std(0), 1)
    np.testing.assert_allclose(standard.apply(X[:1] + X.std(0)) - standard.apply(X[:1]), 1)


@pytest.mark.parametrize("probe", PROBES)
def test_all_probes_try_as_many_settings_and_keep_the_chosen_one(probe: str) -> None:
    _, settings = PROBES[probe]
    assert len(set(settings)) == BUDGET
    X, y = clusters(n=120)
    found = reading(probe, X, y, X)
    assert found.setting in settings
    assert 0.9 < found.validation <= 1
    assert (found.predicted == y).mean() > 0.95
    np.testing.assert_array_equal(found.predicted, found.shuffled)  # where the labels are not shuffled
    mixed = np.random.default_rng(0).permutation(y)
    control = reading(probe, X, y, X, mixed=mixed)
    np.testing.assert_array_equal(control.predicted, found.predicted)
    rows = (np.arange(len(y)), np.arange(len(y)))
    fit, _ = PROBES[probe]
    (alone,) = next(fit(Standard.of(X).apply(X), [mixed], [found.setting], 0))
    np.testing.assert_array_equal(control.shuffled, alone.predict(Standard.of(X).apply(X)))
    assert reading(probe, X, y, X, inner=rows).validation == pytest.approx(1, abs=0.05)


def test_a_given_inner_part_chooses_the_setting() -> None:
    """Only the first half encodes the label, so validation on the second half is at chance."""
    random = np.random.default_rng(0)
    y = np.tile([0, 1], 100)
    X = random.normal(size=(200, 2))
    X[:100, 0] += 6 * y[:100]
    inner = (np.arange(100), np.arange(100, 200))
    plain = reading("linear", X, y, X, inner=inner)
    assert plain.validation < 0.7
    assert reading("linear", X, y, X, inner=(np.arange(50), np.arange(50, 100))).validation > 0.95
    turned = reading("linear", X, y, X, inner=inner, final=(X[:, ::-1], y))  # other features for the last fit
    assert turned.validation == plain.validation
    np.testing.assert_array_equal(turned.predicted, reading("linear", X[:, ::-1], y, X, inner=inner).predicted)


@pytest.mark.parametrize(("n", "D"), [(240, 8), (80, 120)])
def test_the_nearest_mean_equals_scikit_learn(n: int, D: int) -> None:
    X, y = clusters(n=n, kinds=4, D=D, apart=0.5)
    y = np.arange(n) % 4  # equal classes, since the oracle weighs classes by size
    X = Standard.of(X + 0.3 * np.eye(D)[y] @ np.random.default_rng(0).normal(size=(D, D))).apply(X)
    other = np.random.default_rng(1).normal(size=(50, D))
    (plain,), (shrunk,) = probes.nearest_mean(X, [y], [1.0, 0.3], 0)
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
    (model,) = next(probes.neighbours(X[:150], [y[:150]], [(votes, metric)], 0))
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


def test_perceptrons_that_are_trained_together_are_those_trained_alone() -> None:
    random = np.random.default_rng(0)
    X, share = random.normal(size=(333, 24)), np.full(333, 1 / 333)
    nets = [Net(random.integers(0, 5, 333), share, decay) for decay in (10.0, 1.0, 0.0)]
    together = [[kept(probe) for probe in trained] for trained in descents(X, nets, epochs=20, seed=3)]
    for number, net in enumerate(nets):
        for epoch, (alone,) in enumerate(descents(X, [net], epochs=20, seed=3)):
            for ours, theirs in zip(together[epoch][number].layers, alone.layers, strict=True):
                # the products of several are one product, which the BLAS of some processors rounds otherwise
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("far", [0.0, 1e30])  # a query out of the range of float32
@pytest.mark.parametrize("metric", nearest.METRICS)
def test_the_nearest_clips_are_those_of_float64(monkeypatch, metric: str, far: float) -> None:
    """Copies, nearly equal clips and a row of zeros are among them; a search in groups finds what a sort finds."""
    random = np.random.default_rng(0)
    X, queries = random.normal(size=(1_501, 8)), random.normal(size=(90, 8))
    X[700:750] = X[:50] * (1 + 1e-9 * random.normal(size=(50, 1)))
    X[3], queries[5] = 0.0, queries[5] + far
    one, two = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300) for rows in (X, queries))
    one, two = (X, queries) if metric == "euclidean" else (one, two)
    distances = ((two[:, None] - one) ** 2).sum(2) if not far else (one**2).sum(1) - 2 * two @ one.T
    for few in (0, 10_000):  # with and without float32
        monkeypatch.setattr(nearest, "FEW", few)
        found = Nearest(X, [15, 5, 1], [metric]).of(queries)[metric]
        for count in (15, 5, 1):
            ours = np.take_along_axis(distances, found[:, :count], 1)
            theirs = np.sort(distances, axis=1)[:, :count]
            np.testing.assert_allclose(np.sort(ours, axis=1), theirs, rtol=1e-9, atol=1e-9)


def test_fewer_clips_than_votes_all_vote() -> None:
    X = np.arange(6.0)[:, None]
    assert Nearest(X, [15, 1], ["euclidean"]).of(X)["euclidean"].shape == (6, 6)
    assert Nearest(X, [15, 1], ["euclidean"]).of(X[:0])["euclidean"].shape == (0, 6)


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_adam_steps_as_torch_does(decay: float) -> None:
    random = np.random.default_rng(0)
    layer = random.normal(size=(6, 3)).astype(np.float32)
    theirs = torch.tensor(layer)
    ours, oracle = Adam([layer]), torch.optim.AdamW([theirs], lr=0.01, weight_decay=decay)
    for _ in range(10):
        slope = random.normal(size=layer.shape).astype(np.float32)
        theirs.grad = torch.tensor(slope)
        ours.step([slope], 0.01, [decay])
        oracle.step()
    np.testing.assert_allclose(layer, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("probe", ["linear", "mlp", "neighbours"])
def test_a_rare_class_is_not_forgotten(probe: str) -> None:
    """UAR weighs classes equally; a probe that predicts only the frequent class would understate leakage."""
    random = np.random.default_rng(0)
    y = (random.random(900) < 0.08).astype(np.int64)
    X = random.normal(size=(900, 6)) + 1.5 * y[:, None] * np.eye(6)[0]
    found = reading(probe, X[:400], y[:400], X[400:]).predicted
    assert (found[y[400:] == 1] == 1).mean() > 0.5
