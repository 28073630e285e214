"""Seen beside unseen speakers: who is compared, the difference by hand, and what a model that knows people shows."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.recognition.seen import beside_unseen
from mien.common.measures import MEASURES

CLASSES = ("anger", "fear", "neutral")


def predictions(seen, unseen, *, clips=30, seed=0):
    """Speaker -> the share of clips that is recognised, on both sides."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, speakers in (("seen", seen), ("test", unseen)):
        for speaker, share in speakers.items():
            for number in range(clips):
                truth = CLASSES[number % 3]
                right = rng.random() < share
                said = truth if right else CLASSES[(number + 1) % 3]
                rows.append((f"{speaker}-{split}-{number}", speaker, "student", 0, 0, split, truth, said))
    return pd.DataFrame(rows, columns=["clip", "speaker", "model", "fold", "seed", "split", "truth", "predicted"])


def uar(table):
    number = {name: place for place, name in enumerate(CLASSES)}
    return MEASURES["uar"].value(table["truth"].map(number), table["predicted"].map(number))


def only(table, measure="uar"):
    (row,) = table[table["measure"] == measure].to_dict("records")
    return row


def test_the_difference_is_of_the_speakers_that_both_sides_have():
    names = [f"s{number}" for number in range(8)]
    rows = predictions(dict.fromkeys(names, 0.9), dict.fromkeys(names[:6], 0.5) | {"other": 0.0})
    row = only(beside_unseen(rows, CLASSES))
    kept = rows[rows["speaker"].isin(names[:6])]
    sides = {split: uar(kept[kept["split"] == split]) for split in ("seen", "test")}
    assert row["seen"] == pytest.approx(sides["seen"])
    assert row["unseen"] == pytest.approx(sides["test"])
    assert row["difference"] == pytest.approx(sides["seen"] - sides["test"])
    assert (row["speakers"], row["paired"]) == (6, True)
    assert row["low"] > 0.2, "a model that knows people"


def test_a_model_that_knows_nobody_gains_nothing():
    names = dict.fromkeys([f"s{number}" for number in range(12)], 0.6)
    row = only(beside_unseen(predictions(names, names), CLASSES))
    assert row["low"] < 0 < row["high"]
    assert abs(row["difference"]) < 0.1


def test_other_people_on_each_side_are_resampled_apart():
    seen = dict.fromkeys([f"a{number}" for number in range(5)], 0.9)
    unseen = dict.fromkeys([f"b{number}" for number in range(7)], 0.5)
    rows = predictions(seen, unseen)
    row = only(beside_unseen(rows, CLASSES))
    assert (row["speakers"], row["paired"]) == (5, False)
    assert row["difference"] == pytest.approx(uar(rows[rows["split"] == "seen"]) - uar(rows[rows["split"] == "test"]))
    assert row["low"] > 0


def test_without_recordings_that_are_kept_back_there_is_nothing():
    rows = predictions({}, {"a": 0.5, "b": 0.5})
    assert beside_unseen(rows, CLASSES).empty
