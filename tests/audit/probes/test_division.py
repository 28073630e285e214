"""Speakers, recordings and sentences are kept apart, every class is on both sides, and bad input is refused."""

import numpy as np
import pytest

from mien.audit.options import LeakageOptions
from mien.audit.probes.division import divide, given, inner_part, joined
from mien.audit.probes.task import Division, ProbingTask
from mien.errors import AuditError

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 30)
SENTENCES = np.tile([f"t{number}" for number in range(10)], 24)
RECORDINGS = np.char.add(np.char.add(SPEAKERS, "-"), np.tile(np.repeat(["a", "b", "c", "d", "e", "f"], 5), 8))
EMOTIONS = np.random.default_rng(0).choice(["anger", "fear", "joy", "neutral"], 240, p=[0.4, 0.1, 0.2, 0.3])
GENDER = np.where(np.isin(SPEAKERS, ["s0", "s1", "s2", "s5"]), "female", "male")


def divided(labels: np.ndarray, seed: int = 0, seen: bool = False, **known: object) -> Division:
    options = LeakageOptions(seed=seed, seen_speakers=seen)
    return divide(ProbingTask(labels, **known, options=options))  # type: ignore[arg-type]


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
    for known, description in (
        ({}, "disjoint clips"),
        ({"sentences": SENTENCES}, "disjoint clips and sentences"),
        ({"recordings": RECORDINGS}, "disjoint clips and recordings"),
    ):
        found = divided(SPEAKERS, **known)
        assert (found.description, len(found.parts)) == (description, 3)
        sound(found, SPEAKERS)
        assert sorted(np.concatenate([test for _, test in found.parts])) == list(range(240))
        assert all(apart(found, values) for values in known.values())
        assert all(set(SPEAKERS[test]) == set(SPEAKERS) for _, test in found.parts)


def test_recordings_are_kept_apart_and_sentences_where_possible() -> None:
    read = np.char.add("text of recording ", np.tile(np.repeat(list("abcdef"), 5), 8))  # each recording has its text
    found = divided(SPEAKERS, recordings=RECORDINGS, sentences=read)
    assert found.description == "disjoint clips, recordings and sentences"
    assert apart(found, RECORDINGS)
    assert apart(found, read)
    sentences = np.arange(240) % 7  # joins all recordings to one
    mixed = divided(SPEAKERS, recordings=RECORDINGS, sentences=sentences)
    assert mixed.description == "disjoint clips and recordings; sentences on both sides"
    assert apart(mixed, RECORDINGS)
    assert not apart(mixed, sentences)
    own = divided(SPEAKERS, sentences=SPEAKERS)  # each speaker has one sentence of their own
    assert own.description == "disjoint clips; sentences on both sides"


def test_speakers_with_one_recording_are_left_out_and_counted() -> None:
    recordings = np.where(SPEAKERS == "s3", "the only one", RECORDINGS)
    found = divided(SPEAKERS, recordings=recordings)
    assert found.description == "disjoint clips and recordings; 1 class with too few clips or recordings left out"
    assert not any("s3" in SPEAKERS[rows] for part in found.parts for rows in part)
    rare = divided(SPEAKERS[:62])
    assert rare.description == "disjoint clips; 1 class with too few clips left out"
    assert sorted(np.concatenate([test for _, test in rare.parts])) == list(range(60))
    with pytest.raises(AuditError) as error:
        divided(SPEAKERS, recordings=SPEAKERS)
    assert str(error.value) == (
        "speaker: fewer than two of 8 classes have 3 clips of two recordings; a probe needs clips to fit and to test: "
        "give more of each class, or a column 'recording' where clips of one file are of several"
    )


def test_other_factors_keep_speakers_apart() -> None:
    for factor, labels in (("emotion", EMOTIONS), ("gender", GENDER)):
        found = divided(labels, factor=factor, speakers=SPEAKERS)
        assert found.description == "disjoint speakers"
        assert 2 <= len(found.parts) <= 5
        assert apart(found, SPEAKERS)
        sound(found, labels)
        assert sorted(np.concatenate([test for _, test in found.parts])) == list(range(240))
    seen = divided(EMOTIONS, factor="emotion", speakers=SPEAKERS, seen=True)
    assert seen.description == "disjoint clips; speakers on both sides"
    assert not apart(seen, SPEAKERS)
    assert divided(EMOTIONS, factor="emotion").description == "disjoint clips; speakers not known"
    together = divided(EMOTIONS, factor="emotion", speakers=SPEAKERS, recordings=np.repeat(list("wxyz"), 60))
    assert together.description == "disjoint speakers and recordings"
    assert apart(together, np.repeat(list("wxyz"), 60))


def test_the_division_depends_on_the_seed_not_on_the_type_of_labels() -> None:
    numbers = np.unique(SPEAKERS, return_inverse=True)[1]
    first, again, other = divided(SPEAKERS, seed=1), divided(numbers, seed=1), divided(SPEAKERS, seed=2)
    for (_, test), (_, same) in zip(first.parts, again.parts, strict=True):
        np.testing.assert_array_equal(test, same)
    assert any(set(test) != set(there) for (_, test), (_, there) in zip(first.parts, other.parts, strict=True))


@pytest.mark.parametrize(
    ("labels", "asked", "sentence"),
    [
        (SPEAKERS[:30], {}, "^speaker: there is one class, 's0'; a probe needs two: give clips of another class$"),
        (SPEAKERS[[0, 1, 30, 31]], {}, "fewer than two of 2 classes have 3 clips"),
        (EMOTIONS, {"factor": "emotion", "speakers": np.repeat("s0", 240)}, "all clips are of one speaker"),
        (GENDER[120:180], {"factor": "gender", "speakers": SPEAKERS[120:180]}, "no division of 2 speakers leaves"),
        (SPEAKERS, {"sentences": SENTENCES[:7]}, "^there are 7 sentences for 240 clips; give one for each clip$"),
    ],
)
def test_what_cannot_be_divided_is_refused(labels: np.ndarray, asked: dict, sentence: str) -> None:
    with pytest.raises(AuditError, match=sentence):
        divided(labels, **asked)


def test_a_given_division_is_used_and_checked() -> None:
    mask = np.arange(10) < 6
    found = given([(mask, ~mask)], 10, "train and test of fold 0")
    assert (found.description, found.parts[0][1].tolist()) == ("train and test of fold 0", [6, 7, 8, 9])
    for parts, sentence in (
        ([([0, 1], [1, 2])], "^part 1 of the given division fits and tests row 1; put it on one side$"),
        ([([0], [1, 2]), ([0], [2])], "^the given division tests a row twice; test each row once$"),
        ([([0], [])], "^part 1 of the given division has an empty side; give rows to fit and rows to test$"),
        ([([0], [10])], "^the given division names a row that does not exist; rows are 0 to 9$"),
        ([(mask[:5], ~mask)], "^the given division names a row that does not exist; rows are 0 to 9$"),
    ):
        with pytest.raises(AuditError, match=sentence):
            given(parts, 10, "")  # type: ignore[arg-type]
    assert given([([0, 1], [2])], 10, "", choosing=[3, 4]).choosing.tolist() == [3, 4]
    sentence = "^row 2 of the given division chooses and is fitted or tested; put it on one side$"
    with pytest.raises(AuditError, match=sentence):
        given([([0, 1], [2])], 10, "", choosing=[2, 3])


def test_the_inner_part_is_a_quarter_and_keeps_every_class() -> None:
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
