"""Predictions of models whose skill is known, shared by the tests of what reads predictions."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest

from mien.audit import scores

CLASSES = ("anger", "happiness", "sadness")


def predict_some(
    accuracy: dict[str, float],
    *,
    speakers: int = 8,
    clips: int = 30,
    seeds: int = 2,
    splits=("validation", "test"),
    seed=0,
) -> pd.DataFrame:
    """Predictions that are right with a model's probability, else any class; every speaker is in each split."""
    random = np.random.default_rng(seed)
    rows = []
    for (model, share), split, speaker, run in product(accuracy.items(), splits, range(speakers), range(seeds)):
        for clip in range(clips):
            truth = CLASSES[(clip * 7 + speaker) % 5 % 3]  # unbalanced: classes are not equally frequent
            guess = truth if random.random() < share else CLASSES[random.integers(3)]
            rows.append((f"s{speaker}c{clip}", f"s{speaker}", model, speaker, run, split, truth, guess))
    return pd.DataFrame(rows, columns=list(scores.NEEDED))


def only_row(table: pd.DataFrame, **where: object) -> pd.Series:
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture(scope="session")
def predicted() -> Callable[..., pd.DataFrame]:
    """See `predict_some`."""
    return predict_some


@pytest.fixture(scope="session")
def row() -> Callable[..., "pd.Series[object]"]:
    """See `only_row`."""
    return only_row
