"""The probes of a number equal those of scikit-learn, and are linear in the numbers that they are fitted on."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler, normalize

from mien.audit.probes.smoothers import PROBES, smoothers


def data(n, D, m=9, seed=0):
    random = np.random.default_rng(seed)
    return 3 + 2 * random.normal(size=(n, D)), 3 + 2 * random.normal(size=(m, D)), random.normal(5, 2, size=(n, 3))


@pytest.mark.parametrize(("n", "D"), [(30, 4), (12, 20)])
def test_ridge_is_that_of_scikit_learn(n, D):
    X, queries, y = data(n, D)
    scaler = StandardScaler().fit(X)
    for penalty, smoother in zip(PROBES["linear"][1], smoothers("linear", X, queries), strict=True):
        model = Ridge(alpha=penalty * n).fit(scaler.transform(X), y)
        np.testing.assert_allclose(smoother(y), model.predict(scaler.transform(queries)), rtol=1e-8)


def test_neighbours_are_those_of_scikit_learn():
    X, queries, y = data(30, 4)
    scaler = StandardScaler().fit(X)
    inside, outside = scaler.transform(X), scaler.transform(queries)
    for (votes, metric), smoother in zip(PROBES["neighbours"][1], smoothers("neighbours", X, queries), strict=True):
        given = (inside, outside) if metric == "euclidean" else (normalize(inside), normalize(outside))
        expected = KNeighborsRegressor(votes).fit(given[0], y).predict(given[1])
        np.testing.assert_allclose(smoother(y), expected, rtol=1e-12)


@pytest.mark.parametrize("name", PROBES)
def test_a_smoother_is_linear_in_the_numbers(name):
    X, queries, y = data(30, 4)
    for smoother in smoothers(name, X, queries):
        np.testing.assert_allclose(smoother(2 * y[:, :1] - y[:, 1:2]), 2 * smoother(y[:, :1]) - smoother(y[:, 1:2]))
        np.testing.assert_allclose(smoother(np.full((30, 1), 7.0)), 7.0)


@pytest.mark.parametrize("name", PROBES)
def test_an_embedding_without_any_variance_predicts_a_constant(name):
    y = np.arange(8.0)[:, None]
    for smoother in smoothers(name, np.ones((8, 3)), np.ones((4, 3))):
        predicted = smoother(y)
        assert np.isfinite(predicted).all()
        assert np.ptp(predicted) == 0
