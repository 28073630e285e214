"""Listeners are scored like a model; a clip is right by the share of listeners who named its emotion."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.recognition import listeners
from mien.audit.statistics import scores

CLASSES = ("anger", "neutral", "sadness")


def clips(recognised: object) -> pd.DataFrame:
    random = np.random.default_rng(0)
    speakers = np.repeat([f"s{number}" for number in range(8)], 12)
    label = random.choice(CLASSES[:2], 96)
    return pd.DataFrame({"clip": range(96), "speaker": speakers, "label": label, "recognised": recognised})


def test_uar_is_the_mean_over_classes_of_the_mean_over_clips() -> None:
    table = clips(np.random.default_rng(1).uniform(0.5, 1, 96))
    table.loc[0, "recognised"] = np.nan
    table.loc[1, "label"] = "anger+neutral"
    found = listeners.listeners(table, CLASSES)
    assert found is not None
    by_class = table.drop([0, 1]).groupby("label")["recognised"].mean()
    assert found.recalls == {name: pytest.approx(by_class[name], abs=1e-12) for name in CLASSES[:2]}
    assert found.uar == pytest.approx(by_class.mean(), abs=1e-12)
    assert found.low < found.uar < found.high
    assert found.clips == table.drop([0, 1]).groupby("label").size().to_dict()
    assert found.least == table.drop([0, 1])["recognised"].min()


def test_one_listener_is_scored_like_a_model() -> None:
    """Shares of 0 and 1 are right and wrong predictions: the same UAR and the same interval."""
    right = np.random.default_rng(2).random(96) < 0.7
    table = clips(right.astype(float))
    other = {"anger": "neutral", "neutral": "sadness"}
    answers = [label if hit else other[label] for label, hit in zip(table["label"], right, strict=True)]
    rows = table.assign(predicted=answers, truth=table["label"], model="m", fold=0, seed=0, split="test")
    model = scores.summary(rows, CLASSES).iloc[0]
    found = listeners.listeners(table, CLASSES)
    assert found is not None
    assert (found.uar, found.low, found.high) == pytest.approx(
        (model["uar"], model["uar_low"], model["uar_high"]), abs=1e-12
    )


def test_without_ratings_there_are_no_scores() -> None:
    assert listeners.listeners(clips(np.nan), CLASSES) is None
    assert listeners.listeners(clips(1.0).drop(columns="recognised"), CLASSES) is None
    assert listeners.rated_clips(clips(1.0).drop(columns="recognised")).empty
