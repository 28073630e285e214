"""Scores by fold equal those of audmetric; where pooling and averaging over folds differ."""

from collections.abc import Callable

import audmetric
import numpy as np
import pandas as pd
import pytest

from mien.audit.recognition import folds
from mien.audit.statistics import scores

CLASSES = ("anger", "happiness", "sadness")
Predict = Callable[..., pd.DataFrame]
Row = Callable[..., "pd.Series[object]"]
ORACLES = {"uar": audmetric.unweighted_average_recall, "wa": audmetric.accuracy}


def test_scores_of_every_training_run_and_their_means_equal_audmetric(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.6, "b": 0.4}, seeds=3)
    table = folds.by_fold(rows, CLASSES)
    assert tuple(table.columns) == folds.COLUMNS
    assert len(table) == 2 * 8 * 3 * 2 * 2
    for (model, fold, seed, split), part in rows.groupby(["model", "fold", "seed", "split"]):
        for measure, oracle in ORACLES.items():
            found = row(table, model=model, fold=fold, seed=seed, split=split, measure=measure)
            assert found["score"] == pytest.approx(oracle(part["truth"], part["predicted"]))
            assert (found["speakers"], found["clips"]) == (1, 30)
    means = folds.fold_means(table)
    assert list(means["model"].unique()) == ["a", "b"]
    for found in means.to_dict("records"):
        part = table[(table["model"] == found["model"]) & (table["measure"] == found["measure"])]
        sides = {split: one.groupby("fold")["score"].mean().mean() for split, one in part.groupby("split")}
        assert (found["validation"], found["test"]) == pytest.approx((sides["validation"], sides["test"]))
        assert found["delta"] == pytest.approx(sides["test"] - sides["validation"])
        assert found["folds"] == 8


def test_folds_have_equal_weight_whatever_their_clips_and_seeds(predicted: Predict, row: Row) -> None:
    good = predicted({"a": 1.0}, speakers=1, clips=30, seeds=1, splits=("test",))
    poor = predicted({"a": 0.0}, speakers=1, clips=300, seeds=4, splits=("test",))
    poor = poor.assign(fold=1, speaker="other", clip=poor["clip"] + "other", predicted="anger", truth="sadness")
    both = pd.concat([good, poor])
    mean = row(folds.fold_means(folds.by_fold(both, CLASSES)), measure="wa")
    assert mean["test"] == pytest.approx(0.5)
    pooled = row(scores.summary(both, CLASSES), model="a")["wa"]
    assert pooled == pytest.approx(30 / 330)
    assert np.isnan(mean["validation"])
    assert np.isnan(mean["delta"])


def test_both_definitions_agree_if_folds_are_alike(predicted: Predict, row: Row) -> None:
    one = predicted({"a": 0.6}, speakers=1, seeds=1)
    same = pd.concat([one.assign(fold=fold, speaker=f"s{fold}", clip=one["clip"] + str(fold)) for fold in range(5)])
    means = folds.fold_means(folds.by_fold(same, CLASSES))
    pooled = row(scores.summary(same, CLASSES), split="test")
    for measure in ORACLES:
        assert row(means, measure=measure)["test"] == pytest.approx(pooled[measure])


def test_clips_of_unknown_emotion_are_not_scored(predicted: Predict) -> None:
    rows = predicted({"a": 0.6}, seeds=1)
    unknown = rows.assign(truth=rows["truth"].where(rows["fold"] != 2))
    assert set(folds.by_fold(unknown, CLASSES)["fold"]) == set(range(8)) - {2}
    assert folds.by_fold(rows[:0], CLASSES).empty
