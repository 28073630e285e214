"""The rule of FER+: outliers dropped, the majority's choice, what is removed, and the shares to train on."""

import numpy as np
import pandas as pd
import pytest

from mien.corpora.votes import EMOTIONS, VOTES, choices, distribution, majority, steps, without_outliers


def votes(*rows: dict[str, int]):
    return np.array([[row.get(name, 0) for name in VOTES] for row in rows], dtype=np.int64)


# One row a case: the votes, the choice of the majority.
CASES = [
    ({"happiness": 10}, "happiness"),
    ({"neutral": 4, "sadness": 4, "anger": 1, "unknown": 1}, None),  # a tie
    ({"neutral": 5, "sadness": 3, "anger": 2}, None),  # half is not more than half
    ({"neutral": 5, "sadness": 3, "anger": 1, "unknown": 1}, "neutral"),  # 5 of the 8 that are no outliers
    ({"neutral": 3, "anger": 1, "fear": 1, "disgust": 1, "contempt": 1, "surprise": 1, "unknown": 2}, "neutral"),
    ({"fear": 3, "unknown": 7}, "unknown"),
    ({"NF": 9, "surprise": 1}, "NF"),
    (dict.fromkeys(VOTES, 1), None),  # nothing is left
]
TABLE = votes(*(row for row, _ in CASES))


def test_a_choice_needs_more_than_half_of_the_votes_that_are_left():
    assert [None if pd.isna(name) else name for name in choices(TABLE)] == [choice for _, choice in CASES]


def test_one_persons_choice_is_an_outlier_and_two_are_none():
    row = votes({"neutral": 1, "anger": 2, "unknown": 1, "NF": 6})
    assert dict(zip(VOTES, without_outliers(row)[0], strict=True)) == {**dict.fromkeys(VOTES, 0), "anger": 2, "NF": 6}
    assert row[0].sum() == 10  # the table that was given stays as it is


def test_unknown_and_not_a_face_have_no_label():
    labels = majority(TABLE)
    assert labels.isna().tolist() == [choice not in EMOTIONS for _, choice in CASES]
    assert set(labels.dropna()) == {"happiness", "neutral"}


def test_shares_are_of_the_emotions_that_are_left():
    shares = distribution(TABLE)
    assert shares.shape == (len(CASES), 8)
    assert np.isnan(shares).any(axis=1).tolist() == majority(TABLE).isna().tolist()
    assert dict(zip(EMOTIONS, shares[3], strict=True)) == {
        **dict.fromkeys(EMOTIONS, 0),
        "neutral": 5 / 8,
        "sadness": 3 / 8,
    }
    assert shares[4].tolist() == [1, *[0] * 7]  # neither the outliers nor the two votes for unknown count
    known = shares[~np.isnan(shares).any(axis=1)]
    assert np.allclose(known.sum(axis=1), 1)
    assert [EMOTIONS[place] for place in known.argmax(axis=1)] == majority(TABLE).dropna().tolist()


def test_every_image_is_counted_in_one_step():
    counts = steps(TABLE)
    assert counts == {
        "images": 8,
        "votes": 80,
        "votes dropped as outliers": 20,
        "images removed: no majority": 3,
        "images removed: unknown": 1,
        "images removed: not a face": 1,
        "images with a label": 3,
    }
    assert sum(count for name, count in counts.items() if name.startswith("images ")) == counts["images"]
    assert steps(TABLE[:0])["images with a label"] == 0


@pytest.mark.recordings
def test_the_votes_beside_the_images_give_the_counts_of_the_literature(recordings):
    folder = recordings / "ferplus"
    for name, count in (("FER2013Train", 25_045), ("FER2013Valid", 3_191)):
        table = pd.read_csv(folder / name / "label.csv", header=None)
        assert steps(table.iloc[:, 2:].to_numpy(np.int64))["images with a label"] == count
    table = pd.read_csv(folder / "fer2013new.csv")
    own = {usage: steps(rows[list(VOTES)].to_numpy(np.int64)) for usage, rows in table.groupby("Usage")}
    assert {usage: counts["images with a label"] for usage, counts in own.items()} == {
        "Training": 25_057,
        "PublicTest": 3_199,
    }
