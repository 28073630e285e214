"""Logistic regression against scikit-learn's."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mien.audit.probes.logistic import STEPS, TOLERANCE, fits
from mien.audit.probes.probes import PENALTY


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_models_are_those_of_scikit_learn(classes):
    random = np.random.default_rng(classes)
    y = np.concatenate([np.arange(classes), random.integers(0, classes, 150) ** 2 // classes])  # of unequal sizes
    X = random.normal(size=(len(y), 12)) + random.normal(size=(classes, 12))[y]
    others = random.normal(size=(500, 12))
    found = list(fits(X, y, PENALTY))
    for penalty, ours in zip(PENALTY, found, strict=True):
        theirs = LogisticRegression(C=penalty, tol=TOLERANCE, max_iter=STEPS, class_weight="balanced")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may stop early, as ours does
            theirs.fit(X, y)
        assert np.allclose(ours.weights.T, theirs.coef_, rtol=0, atol=1e-9)
        assert np.allclose(ours.biases, theirs.intercept_, rtol=0, atol=1e-9)
        assert np.array_equal(ours.predict(others), theirs.predict(others))


def test_a_descent_that_stops_early_gives_the_model_that_it_has():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(40, 90)), np.arange(40) % 3
    (ours,) = fits(X, y, [1e6])
    assert np.isfinite(ours.weights).all()
    assert np.array_equal(ours.predict(X), y)
