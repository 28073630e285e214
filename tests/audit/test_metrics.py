"""`metrics.json` repeats the tables and is valid JSON without nan."""

import json
from collections.abc import Callable

import pandas as pd
import pytest
from sklearn.metrics import f1_score

from mien.audit.metrics import metrics
from mien.audit.recognition import folds
from mien.audit.statistics import scores

CLASSES = ("anger", "happiness", "sadness")
Predict = Callable[..., pd.DataFrame]
Row = Callable[..., "pd.Series[object]"]


def test_metrics_are_json_without_nan_and_repeat_the_tables(predicted: Predict, row: Row) -> None:
    rows = predicted({"a": 0.7, "b": 0.5}, speakers=1, seeds=1)
    written = json.loads(json.dumps(metrics(rows, CLASSES, units={}), allow_nan=False))
    assert written["models"]["a"]["test"]["uar_low"] is None
    table = scores.summary(rows, CLASSES)
    assert written["models"]["b"]["validation"]["wa"] == row(table, model="b", split="validation")["wa"]
    assert written["delta"]["a"]["uar"]["delta"] == row(scores.gaps(rows, CLASSES), model="a", measure="uar")["delta"]
    assert written["differences"][0]["other"] == "b"
    means = folds.fold_means(folds.by_fold(rows, CLASSES))
    assert written["folds"]["b"]["wa"]["test"] == row(means, model="b", measure="wa")["test"]
    assert not {"leakage_differences", "tasks"} & set(written)
    own = rows[(rows["model"] == "a") & (rows["split"] == "test")]
    scored = f1_score(own["truth"], own["predicted"], average="macro")
    assert written["macro_f"]["a"]["test"]["f1"] == pytest.approx(scored)
    assert written["macro_f"]["a"]["test"]["f1_low"] is None
    named = own.assign(factor="speaker", truth="s0", predicted=["s0", *["s1"] * (len(own) - 1)], probability=0.5)
    reread = json.loads(json.dumps(metrics(rows, CLASSES, tasks=named, units={}), allow_nan=False))
    assert set(reread["tasks"]) == {"speaker"}
    assert reread["tasks"]["speaker"]["a"]["test"]["accuracy"] == pytest.approx(1 / len(own))
    assert reread["tasks"]["speaker"]["a"]["test"]["chance"] == 1
    assert "tasks" not in metrics(rows, CLASSES, tasks=named.iloc[:0], units={})


def test_without_test_rows_only_validation_is_scored(predicted: Predict) -> None:
    written = metrics(predicted({"a": 0.7, "b": 0.4}, splits=("validation",)), CLASSES, units={})
    assert set(written["models"]["a"]) == {"validation"}
    assert written["delta"] == {}
    assert written["folds"]["a"]["uar"]["validation"] == pytest.approx(
        written["models"]["a"]["validation"]["uar"], abs=0.1
    )
    assert written["folds"]["a"]["uar"]["test"] is None
