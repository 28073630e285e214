"""HSIC and CKA equal their definitions, find a planted factor and nothing in noise, and permute within clusters."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from mien.audit.leakage import dependence as module
from mien.audit.leakage.dependence import dependence
from mien.errors import AuditError


def some(n: int = 24, kinds: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 5)) + 2, random.integers(0, kinds, n).astype(str)


def standard(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(0)) / X.std(0)


def unbiased(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. 2012, Eq. 4: sums over two, three and four clips that all differ."""
    n = len(K)
    two = sum(K[i, j] * L[i, j] for i, j in permutations(range(n), 2)) / (n * (n - 1))
    three = sum(K[i, j] * L[i, q] for i, j, q in permutations(range(n), 3)) / (n * (n - 1) * (n - 2))
    four = sum(K[i, j] * L[q, r] for i, j, q, r in permutations(range(n), 4)) / (n * (n - 1) * (n - 2) * (n - 3))
    return two + four - 2 * three


def test_hsic_is_the_sum_over_pairs_triples_and_quadruples() -> None:
    X, y = some(12)
    distance = squareform(pdist(standard(X)))
    K = np.exp(-(distance**2) / (2 * np.median(distance[np.triu_indices(12, 1)]) ** 2))
    L = (y[:, None] == y).astype(float)
    found = dependence(X, y).set_index("measure").loc["hsic"]
    assert found["score"] == pytest.approx(unbiased(K, L), abs=1e-10)


def test_cka_is_the_normalised_trace_of_centred_kernels() -> None:
    X, y = some()
    Z = standard(X)
    onehot = (y[:, None] == np.unique(y)).astype(float)
    H = np.eye(len(y)) - 1 / len(y)
    K, L = H @ Z @ Z.T @ H, H @ onehot @ onehot.T @ H
    expected = np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))
    found = dependence(X, y).set_index("measure").loc["cka"]
    assert found["score"] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kinds", [3, 12])
def test_permutations_score_what_labels_permuted_by_hand_score(kinds: int) -> None:
    """Matrix products for few classes, sums over pairs for many: both give the same value."""
    X, y = some(60, kinds)
    found = dependence(X, y, permutations=4)
    random = np.random.default_rng([0, 8])
    by_hand = pd.concat([dependence(X, random.permutation(y), permutations=1) for _ in range(4)])
    for measure, rows in by_hand.groupby("measure"):
        row = found[found["measure"] == measure].iloc[0]
        assert row["shuffled"] == pytest.approx(rows["score"].iloc[0], abs=1e-10)
        assert row["chance"] == pytest.approx(rows["score"].mean(), abs=1e-10)


def test_both_detect_a_shift_of_means_and_only_hsic_one_of_spread() -> None:
    X, y = some(200, 2)
    ways = {"mean": X + (y == "1")[:, None], "spread": X * np.where(y == "1", 3, 1)[:, None]}
    ways["spread"] -= np.array([ways["spread"][y == kind].mean(0) for kind in "01"])[y.astype(int)]
    p = {way: dependence(values, y).set_index("measure")["p"] for way, values in ways.items()}
    assert (p["mean"] == 1 / 501).all()
    assert p["spread"]["hsic"] == 1 / 501
    assert p["spread"]["cka"] > 0.5
    nothing = np.array([dependence(*some(60, 3, seed), seed=seed, permutations=39)["p"] for seed in range(60)])
    assert (nothing <= 0.05).mean() < 0.12
    assert 0.35 < nothing.mean() < 0.65


def test_one_wide_column_does_not_hide_the_others() -> None:
    X, y = some(100, 2)
    X[:, 0] += 2 * (y == "1")
    X[:, 1] *= 1e4
    assert (dependence(X, y, permutations=99)["p"] == 0.01).all()


def test_labels_constant_in_a_cluster_are_permuted_among_clusters() -> None:
    """Clips of a speaker are alike and independent of gender; permuting single clips gives too many low p."""
    random = np.random.default_rng(0)
    speaker = np.repeat(np.arange(12), 20)
    gender = np.where(speaker % 2, "female", "male")
    p = {"clusters": [], "clips": []}
    for _ in range(8):
        X = 2 * random.normal(size=(12, 8))[speaker] + random.normal(size=(240, 8))
        for among, clusters in (("clusters", speaker.astype(str)), ("clips", None)):
            found = dependence(X, gender, clusters=clusters, factor="gender", permutations=99)
            assert found["split"].str.endswith(f"among {among}").all()
            p[among] += found["p"].tolist()
    assert np.mean(np.array(p["clusters"]) <= 0.05) < 0.25
    assert np.mean(np.array(p["clips"]) <= 0.05) > 0.5


@pytest.mark.parametrize(("kinds", "entangled"), [(2, 1.0), (4, 0.5), (4, 0.9), (10, 0.5)])
def test_labels_uneven_over_clusters_give_no_low_p_and_planted_ones_do(kinds: int, entangled: float) -> None:
    """Clips of a speaker are alike, and so are their labels: all but one, or a share of them."""
    speaker = np.repeat(np.arange(20), 12)
    p: dict[str, list[float]] = {"nothing": [], "planted": []}
    for seed in range(30):
        random = np.random.default_rng([seed, kinds])
        y = np.where(
            random.random(240) < entangled, (random.permutation(20) % kinds)[speaker], random.integers(0, kinds, 240)
        )
        y[seed] = (y[seed] + 1) % kinds
        X = 1.5 * random.normal(size=(20, 6))[speaker] + random.normal(size=(240, 6))
        ways = {"nothing": X} | ({"planted": X + 3 * np.eye(10, 6)[y]} if seed < 3 and entangled < 0.9 else {})
        for way, values in ways.items():
            found = dependence(values, y.astype(str), clusters=speaker.astype(str), permutations=59, seed=seed)
            assert found["split"].str.endswith("; labels traded among clusters, in random order").all()
            p[way] += found["p"].tolist()
    assert np.mean(np.array(p["nothing"]) <= 0.05) <= 0.12
    assert (np.array(p["planted"]) <= 0.05).all()


def test_sums_between_clusters_equal_those_of_their_clips() -> None:
    X, _ = some(40)
    cluster = np.arange(40) // 4
    kernel, labels = module._gaussian(X), np.array([np.arange(10) % 3, np.arange(10) // 5])
    clips = module._within(kernel, np.arange(40), labels[:, cluster])
    np.testing.assert_allclose(module._within(kernel, cluster, labels), clips, rtol=1e-12)


def test_sums_within_classes_are_the_same_in_every_way() -> None:
    kernel, random = module._gaussian(some(40)[0]), np.random.default_rng(0)
    first = random.integers(0, 12, 40)
    labels = np.array([first, random.permutation(first), random.integers(0, 12, 40)])
    alike = [float(kernel[codes[:, None] == codes].sum()) for codes in labels]
    np.testing.assert_allclose(module._by_pairs(kernel, labels[:2]), alike[:2], rtol=1e-12)
    np.testing.assert_allclose(module._by_class(kernel, labels), alike, rtol=1e-12)
    np.testing.assert_allclose(module._within(kernel, np.arange(40), labels), alike, rtol=1e-12)


def test_many_clips_are_sampled_and_too_few_have_no_row() -> None:
    X, y = some(100)
    found = dependence(X, y, most=40, permutations=9)
    assert found["n"].tolist() == [40, 40]
    assert found["split"].str.startswith("40 clips sampled from 100").all()
    pd.testing.assert_frame_equal(found, dependence(X, y, most=40, permutations=9))
    assert dependence(X, np.full(100, "one")).empty
    assert dependence(np.zeros((8, 3)), y[:8])["score"].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_moving_and_scaling_columns_changes_nothing() -> None:
    X, y = some(50)
    here, there = (dependence(values, y, permutations=9) for values in (X, np.arange(1, 6) * (X - 3)))
    np.testing.assert_allclose(here["score"], there["score"], atol=1e-10)


def test_an_embedding_that_is_not_finite_is_refused() -> None:
    X, y = some()
    X[2, 2] = np.inf
    with pytest.raises(AuditError, match=r"^the embedding is not finite; leave out rows with nan or infinity$"):
        dependence(X, y)
