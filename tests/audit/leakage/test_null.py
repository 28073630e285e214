"""The strongest probe finds a planted factor, linear or not, and nothing in noise."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.leakage import leakage
from mien.audit.leakage.verification import verification
from mien.audit.options import LeakageOptions
from mien.audit.probes.task import ProbingTask

SPEAKERS, CLIPS = 10, 8
WHO = np.repeat(np.arange(SPEAKERS), CLIPS)
NAMES = np.char.add("s", WHO.astype(str))
EMOTION = (np.arange(SPEAKERS * CLIPS) % 4).astype(str)


def voices(seed: int, D: int = 6) -> np.ndarray:
    """Clips of a speaker are alike; no other factor is encoded."""
    random = np.random.default_rng(seed)
    return random.normal(size=(SPEAKERS, D))[WHO] + random.normal(size=(len(WHO), D))


def read(X: np.ndarray, labels: np.ndarray, seed: int = 0, **known: Any) -> pd.DataFrame:
    found = leakage(X, ProbingTask(labels, **known, options=LeakageOptions(seed=seed)))
    return found[found["measure"] == "uar"].set_index("probe")


def test_a_linear_factor_is_found_by_the_probes_and_by_dependence() -> None:
    X = voices(0)
    X[:, :4] += 3 * np.eye(4)[EMOTION.astype(int)]
    found = read(X, EMOTION, factor="emotion", speakers=NAMES).loc["strongest"]
    assert found["low"] > found["chance"] == 0.25
    assert found["p"] < 0.05
    assert found["shuffled"] == pytest.approx(0.25, abs=0.2)
    assert (dependence(X, EMOTION, clusters=NAMES, factor="emotion", permutations=99)["p"] == 0.01).all()


def test_a_factor_that_is_not_linear_is_found_by_the_strongest() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(4 * len(WHO), 3))
    X[:, :2] += 1.5 * np.sign(X[:, :2])
    labels, speakers = np.where(X[:, 0] * X[:, 1] > 0, "one", "two"), np.tile(NAMES, 4)
    found = read(X, labels, factor="emotion", speakers=speakers)
    for name in ("mlp", "strongest"):
        assert found.loc[name, "low"] > 0.8
        assert found.loc[name, "p"] < 0.05
    for name in ("nearest_mean", "linear"):
        assert found.loc[name, "score"] < 0.65


def test_nothing_is_found_in_noise() -> None:
    rows, verified = [], []
    for seed in range(4):
        X = voices(seed)
        noise = np.random.default_rng([seed, 1]).normal(size=X.shape)
        rows.append(read(X, EMOTION, factor="emotion", speakers=NAMES, seed=seed).loc["strongest"])
        rows.append(read(noise, NAMES, seed=seed).loc["strongest"])
        verified.append(verification(noise, NAMES, seed=seed, permutations=99)["p"][0])
    table = pd.DataFrame(rows)
    assert ((table["low"] <= table["chance"]) & (table["chance"] <= table["high"])).sum() >= 7
    assert (table["p"] <= 0.05).sum() <= 1
    assert (table["score"] - table["chance"]).mean() == pytest.approx(0, abs=0.05)
    assert (np.array(verified) <= 0.05).sum() <= 1
