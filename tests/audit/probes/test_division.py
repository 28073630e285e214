"""Who and what is kept apart is apart, every class has clips on both sides, and what cannot be divided is refused."""

import numpy as np
import pytest

from mien.audit.probes.division import Division, divide, given, inner_part, joined
from mien.errors import AuditError

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 30)
SENTENCES = np.tile([f"t{number}" for number in range(10)], 24)
RECORDINGS = np.char.add(np.char.add(SPEAKERS, "-"), np.tile(np.repeat(["a", "b", "c", "d", "e", "f"], 5), 8))
EMOTIONS = np.random.default_rng(0).choice(["anger", "fear", "joy", "neutral"], 240, p=[0.4, 0.1, 0.2, 0.3])
GENDER = np.where(np.isin(SPEAKERS, ["s0", "s1", "s2", "s5"]), "female", "male")


def apart(found: Division, values: np.ndarray) -> bool:
    return not any(set(values[train]) & set(values[test]) for train, test in found.parts)


def sound(found: Division, labels: np.ndarray) -> None:
    tested = np.concatenate([test for _, test in found.parts])
    assert len(np.unique(tested)) == len(tested)
    for train, test in found.parts:
        assert not set(train) & set(test)
        kinds, counts = np.unique(labels[train], return_counts=True)
        assert set(labels[test]) <= set(kinds[counts > 1])


def test_speakers_are_on_both_sides_in_other_recordings_and_sentences() -> None:
    for known, told in (
        ({}, "disjoint clips"),
        ({"sentences": SENTENCES}, "disjoint clips and sentences"),
        ({"recordings": RECORDINGS}, "disjoint clips and recordings"),
    ):
        found = divide(SPEAKERS, **known)  # type: ignore[arg-type]
        assert (found.told, len(found.parts)) == (told, 3)
        sound(found, SPEAKERS)
        assert sorted(np.concatenate([test for _, test in found.parts])) == list(range(240))
        assert all(apart(found, values) for values in known.values())
        assert all(set(SPEAKERS[test]) == set(SPEAKERS) for _, test in found.parts)


def test_recordings_and_sentences_together_where_that_is_possible_and_recordings_alone_where_not() -> None:
    read = np.char.add("text of recording ", np.tile(np.repeat(list("abcdef"), 5), 8))  # each recording has its text
    found = divide(SPEAKERS, recordings=RECORDINGS, sentences=read)
    assert found.told == "disjoint clips, recordings and sentences"
    assert apart(found, RECORDINGS)
    assert apart(found, read)
    said = np.arange(240) % 7  # joins all recordings to one
    mixed = divide(SPEAKERS, recordings=RECORDINGS, sentences=said)
    assert mixed.told == "disjoint clips and recordings; sentences on both sides"
    assert apart(mixed, RECORDINGS)
    assert not apart(mixed, said)
    own = divide(SPEAKERS, sentences=SPEAKERS)  # nobody says what another says, and each says one sentence
    assert own.told == "disjoint clips; sentences on both sides"


def test_who_has_one_recording_is_left_out_and_told() -> None:
    one = np.where(SPEAKERS == "s3", "the only one", RECORDINGS)
    found = divide(SPEAKERS, recordings=one)
    assert found.told == "disjoint clips and recordings; 1 class of too few left out"
    assert not any("s3" in SPEAKERS[rows] for part in found.parts for rows in part)
    rare = divide(SPEAKERS[:62])
    assert rare.told == "disjoint clips; 1 class of too few left out"
    assert sorted(np.concatenate([test for _, test in rare.parts])) == list(range(60))
    with pytest.raises(AuditError, match="fewer than two of 8 classes have 3 clips of two recordings"):
        divide(SPEAKERS, recordings=SPEAKERS)


def test_other_factors_are_read_across_speakers() -> None:
    for factor, labels in (("emotion", EMOTIONS), ("gender", GENDER)):
        found = divide(labels, factor=factor, speakers=SPEAKERS)
        assert found.told == "disjoint speakers"
        assert 2 <= len(found.parts) <= 5
        assert apart(found, SPEAKERS)
        sound(found, labels)
        assert sorted(np.concatenate([test for _, test in found.parts])) == list(range(240))
    heard = divide(EMOTIONS, factor="emotion", speakers=SPEAKERS, apart="clips")
    assert heard.told == "disjoint clips; speakers on both sides"
    assert not apart(heard, SPEAKERS)
    assert divide(EMOTIONS, factor="emotion").told == "disjoint clips; speakers not known"
    together = divide(EMOTIONS, factor="emotion", speakers=SPEAKERS, recordings=np.repeat(list("wxyz"), 60))
    assert together.told == "disjoint speakers and recordings"
    assert apart(together, np.repeat(list("wxyz"), 60))


def test_the_same_seed_divides_alike_and_labels_of_any_kind_do() -> None:
    numbers = np.unique(SPEAKERS, return_inverse=True)[1]
    first, again, other = divide(SPEAKERS, seed=1), divide(numbers, seed=1), divide(SPEAKERS, seed=2)
    for (_, test), (_, same) in zip(first.parts, again.parts, strict=True):
        np.testing.assert_array_equal(test, same)
    assert any(set(test) != set(there) for (_, test), (_, there) in zip(first.parts, other.parts, strict=True))


@pytest.mark.parametrize(
    ("labels", "asked", "sentence"),
    [
        (SPEAKERS[:30], {}, "there is one class, 's0'"),
        (SPEAKERS[[0, 1, 30, 31]], {}, "fewer than two of 2 classes have 3 clips"),
        (EMOTIONS, {"factor": "emotion", "speakers": np.repeat("s0", 240)}, "all clips are of one speaker"),
        (GENDER[120:180], {"factor": "gender", "speakers": SPEAKERS[120:180]}, "no division of 2 speakers leaves"),
        (SPEAKERS, {"sentences": SENTENCES[:7]}, "there are 7 sentences for 240 clips"),
        (SPEAKERS, {"apart": "speakers"}, "no way to divide clips; there are auto and clips"),
    ],
)
def test_what_cannot_be_divided_is_refused(labels: np.ndarray, asked: dict, sentence: str) -> None:
    with pytest.raises(AuditError, match=sentence):
        divide(labels, **asked)


def test_a_division_that_is_given_is_taken_and_checked() -> None:
    mask = np.arange(10) < 6
    found = given([(mask, ~mask)], 10, "train and test of fold 0")
    assert (found.told, found.parts[0][1].tolist()) == ("train and test of fold 0", [6, 7, 8, 9])
    for parts, sentence in (
        ([([0, 1], [1, 2])], "fits and tests row 1"),
        ([([0], [1, 2]), ([0], [2])], "tests a row twice"),
        ([([0], [])], "an empty side"),
        ([([0], [10])], "rows are 0 to 9"),
        ([(mask[:5], ~mask)], "rows are 0 to 9"),
    ):
        with pytest.raises(AuditError, match=sentence):
            given(parts, 10, "")  # type: ignore[arg-type]


def test_the_part_that_chooses_is_a_quarter_apart_and_every_class_still_fits() -> None:
    y, text = (np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (SPEAKERS, SENTENCES))
    for groups in (None, text):
        train, chosen = inner_part(y, 0, groups)
        np.testing.assert_array_equal(np.sort(np.concatenate([train, chosen])), np.arange(240))
        assert 0.15 < len(chosen) / 240 < 0.35
        assert set(y[train]) == set(range(8))
        if groups is not None:
            assert not set(text[train]) & set(text[chosen])
    alone = np.array([0, 0, 0, 0, 1, 2, 2])
    train, chosen = inner_part(alone, 0, np.zeros(7, np.int64))
    assert sorted(alone[train]) == [0, 0, 0, 1, 2]
    assert sorted(alone[chosen]) == [0, 2]


def test_joined_groups_are_the_finest_that_keep_all_whole() -> None:
    assert joined([]) is None
    first, second = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 1, 2, 3, 4])
    found = joined([first, second])
    assert found is not None
    assert found.tolist() == [0, 0, 0, 0, 1, 2]
    random = np.random.default_rng(0)
    lists = [random.integers(0, 30, 50) for _ in range(2)]
    found = joined(lists)
    assert found is not None
    brute = np.arange(50)
    for _ in range(50):  # labels spread until nothing moves
        for values in lists:
            for value in np.unique(values):
                brute[values == value] = brute[values == value].min()
    np.testing.assert_array_equal(found[:, None] == found, brute[:, None] == brute)
