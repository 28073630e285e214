"""Scores without exact copies: which clips have one, by part and fold, and scores by hand of those that have none."""

import pandas as pd
import pytest

from mien.audit.recognition.copies import copied, without_copies

CLASSES = ("anger", "calm")


def fold(number, train, validation, test):
    parts = {"train": train, "validation": validation, "test": test}
    return {"fold": number} | {part: {"speakers": [], "clips": list(clips)} for part, clips in parts.items()}


def row(number, *clips):
    return {"fold": str(number), "splits": ["train", "test"], "severity": "leak", "clips": list(clips), "how": "pixels"}


def certificate(*rows, finding="identical-audio", severity="leak"):
    return {"findings": [{"finding": finding, "severity": severity, "rows": list(rows), "text": "x"}]}


def predictions(truth, predicted, *, split="test", number=1):
    """Clips a, b, c, ... by letter."""
    clips = [chr(ord("a") + place) for place in range(len(truth))]
    names = {"A": "anger", "C": "calm", "-": None}
    rows = {"clip": clips, "speaker": None, "model": "m", "fold": number, "seed": 0, "split": split}
    return pd.DataFrame(
        {**rows, "truth": [names[one] for one in truth], "predicted": [names[one] for one in predicted]}
    )


def test_either_clip_of_a_pair_may_be_the_one_that_is_tested():
    splits = [fold(1, "xy", "z", "abc")]
    found = copied(certificate(row(1, "a", "x"), row(1, "y", "b"), row(1, "c", "z")), splits, "test")
    assert found == {(1, "a"): {"train"}, (1, "b"): {"train"}, (1, "c"): {"validation"}}


def test_a_clip_listed_twice_is_its_own_copy():
    assert copied(certificate(row(1, "a", "a")), [fold(1, "ax", "", "ab")], "test") == {(1, "a"): {"train"}}


def test_pairs_within_test_or_between_training_and_validation_are_none():
    splits = [fold(1, "xy", "z", "abc")]
    assert copied(certificate(row(1, "a", "b"), row(1, "x", "z")), splits, "test") == {}
    assert copied(certificate(row(1, "x", "z")), splits, "validation") == {(1, "z"): {"train"}}


def test_a_copy_counts_in_its_own_fold():
    splits = [fold(1, "x", "", "a"), fold(2, "a", "", "x")]
    assert copied(certificate(row(1, "a", "x")), splits, "test") == {(1, "a"): {"train"}}
    both = certificate(row(1, "a", "x"), row(2, "a", "x"))
    assert copied(both, splits, "test") == {(1, "a"): {"train"}, (2, "x"): {"train"}}


@pytest.mark.parametrize(
    "found",
    [
        certificate(row(1, "a", "x"), severity="note"),
        certificate(row(1, "a", "x"), finding="near-duplicate"),
        {"findings": []},
        {"findings": ["a sentence"]},
    ],
)
def test_other_findings_are_not_of_copies(found):
    splits = [fold(1, "x", "", "ab")]
    assert copied(found, splits, "test") == {}
    assert without_copies(predictions("AC", "AA"), CLASSES, found, splits) is None


def test_the_scores_are_those_of_the_other_clips():
    """Of a to f, a and d have copies: of b, c, e and f three are right, and the recalls are 1/2 and 1."""
    splits = [fold(1, "xy", "", "abcdef")]
    rows = predictions("AAACCC", "AACCCC")
    found = without_copies(rows, CLASSES, certificate(row(1, "a", "x"), row(1, "d", "y")), splits)
    assert (found["split"], found["clips"], found["of"], found["copies_in"]) == ("test", 2, 6, ["train"])
    scores = found["models"]["m"]
    assert (scores["clips"], scores["wa"], scores["uar"]) == (4, 0.75, 0.75)
    assert scores["uar_chance"] == 0.5


def test_of_two_folds_only_the_one_with_the_copy_loses_a_clip():
    rows = pd.concat([predictions("AC", "AC"), predictions("AC", "CC", number=2)])
    splits = [fold(1, "x", "", "ab"), fold(2, "y", "", "ab")]
    found = without_copies(rows, CLASSES, certificate(row(1, "a", "x")), splits)
    assert (found["clips"], found["of"]) == (1, 2)
    assert found["models"]["m"]["wa"] == pytest.approx(1 / 2), "two clips, of which one is right in both folds"


def test_a_copy_without_a_known_truth_changes_nothing():
    splits = [fold(1, "x", "", "ab")]
    assert without_copies(predictions("-C", "AC"), CLASSES, certificate(row(1, "a", "x")), splits) is None


def test_where_every_clip_has_a_copy_no_score_is_left():
    splits = [fold(1, "x", "v", "ab")]
    found = without_copies(predictions("AC", "AC"), CLASSES, certificate(row(1, "a", "x"), row(1, "b", "v")), splits)
    assert (found["clips"], found["of"], found["copies_in"], found["models"]) == (2, 2, ["train", "validation"], {})


def test_a_number_has_its_own_measures():
    rows = predictions("AAAA", "AAAA").assign(truth=[1.0, 2.0, 3.0, 9.0], predicted=[1.0, 2.5, 2.5, 0.0])
    found = without_copies(rows, (), certificate(row(1, "d", "x")), [fold(1, "x", "", "abcd")])
    assert found["models"]["m"]["rmse"] == pytest.approx((0.5 / 3) ** 0.5)


def test_without_test_clips_copies_of_validation_count():
    rows = predictions("AC", "AC", split="validation")
    found = without_copies(rows, CLASSES, certificate(row(1, "a", "x")), [fold(1, "x", "ab", "q")])
    assert (found["split"], found["clips"], found["of"]) == ("validation", 1, 2)
