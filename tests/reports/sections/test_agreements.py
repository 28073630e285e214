"""The figures of predicted against true numbers: whose clips they show, and in which order."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mien.reports.sections import recognition


def rows(model, split, clip, truth, *predicted):
    place = {"model": model, "split": split, "clip": clip, "truth": truth}
    return [{**place, "seed": seed, "predicted": value} for seed, value in enumerate(predicted)]


TABLE = pd.DataFrame(
    [
        *rows("one", "test", "a", 1.0, 2.0, 3.0),
        *rows("one", "test", "b", 4.0, 4.0, 3.0),
        *rows("one", "test", "unknown", np.nan, 4.0, 3.0),
        *rows("one", "validation", "c", 4.0, 4.0, 3.0),
        *rows("two", "test", "a", 1.0, 1.0, 1.0),
    ]
)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, in order."""
    found = []

    def agreement(truth, predicted, *, series, **_):
        found.append((series, truth.tolist(), predicted.tolist()))
        return "<svg>"

    monkeypatch.setattr(recognition, "agreement", agreement)
    return found


def pictures(splits):
    experiment = SimpleNamespace(models={"one": {}, "two": {}})
    run = SimpleNamespace(predictions=TABLE, target="arousal", experiment=experiment)
    summary = pd.DataFrame(
        {"model": ["one", "two"] * len(splits), "split": np.repeat(splits, 2), "ccc": [0.1, 0.2] * 2}
    )
    return list(recognition.agreements(run, summary))


def test_a_test_clip_is_one_point_and_the_best_model_comes_first(drawn):
    found = pictures(["validation", "test"])
    assert [(picture.title, picture.caption) for picture in found] == [
        ("two", "1 test clip."),
        ("one", "2 test clips."),
    ]
    assert drawn == [(1, [1], [1]), (0, [1, 4], [2.5, 3.5])]


def test_without_test_clips_there_is_no_figure(drawn):
    assert pictures(["validation", "none"]) == []
    assert drawn == []
