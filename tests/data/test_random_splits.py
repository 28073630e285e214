"""Random splits: every fold samples the speakers anew, by seed and number alone, and no speaker is in two parts."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.splits.certificate import describe
from mien.common.settings import parse
from mien.data.protocols import PARTS, Protocol, folds
from mien.data.turns import Coverage, Shares, coverage
from mien.errors import ConfigError

PAPER = (91, {"train": 64, "validation": 13, "test": 14})  # speakers of CREMA-D, 70 / 15 / 15


def corpus(speakers, clips=2, name=""):
    rows = [(f"{name}{who:03d}-{n}", f"{name}{who:03d}") for who in range(speakers) for n in range(clips)]
    table = pd.DataFrame(rows, columns=["clip", "speaker"])
    return table.assign(corpus=name) if name else table


def protocol(**own):
    return parse(Protocol, {"name": "random_splits", **own}, "protocol")


def people(fold):
    return {part: frozenset(clip.rsplit("-", 1)[0] for clip in getattr(fold, part)) for part in PARTS}


SHARES = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)).map(
    lambda parts: {name: part / sum(parts) for name, part in zip(PARTS, parts, strict=True)}
)


@given(st.integers(6, 40), SHARES, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_each_split_divides_all_speakers_by_the_shares(speakers, shares, seed):
    table = corpus(speakers)
    made = folds(table, protocol(splits=6, shares=shares, seed=seed))
    assert [fold.number for fold in made] == list(range(6))
    for fold in made:
        parts = people(fold)
        assert sorted(clip for part in fold[1:] for clip in part) == sorted(table["clip"])
        assert sum(map(len, parts.values())) == len(frozenset().union(*parts.values())) == speakers
        for part, own in parts.items():
            assert len(own) >= 1
            assert min(share * speakers for share in shares.values()) < 1 or abs(len(own) - shares[part] * speakers) < 1
    assert len({tuple(people(fold).items()) for fold in made}) == 6, "no split is an earlier one once more"
    shuffled = table.sample(frac=1, random_state=seed)
    assert [people(fold) for fold in folds(shuffled, protocol(splits=6, shares=shares, seed=seed))] == [
        people(fold) for fold in made
    ]


def test_the_paper_of_random_splits_has_these_sizes():
    speakers, sizes = PAPER
    made = folds(corpus(speakers), protocol())
    assert len(made) == 20
    assert all({part: len(own) for part, own in people(fold).items()} == sizes for fold in made)
    tested = [who for fold in made for who in people(fold)["test"]]
    assert 70 < len(set(tested)) <= speakers, "nearly all are tested in some split"
    assert max(tested.count(who) for who in set(tested)) > 3, "and some in many"


def test_every_speaker_is_tested_as_often_as_any_other_on_average():
    """Of 400 splits of 12 speakers each tests two, so a speaker is in 67 tests; the standard deviation is 7.5."""
    tested = [who for fold in folds(corpus(12), protocol(splits=400)) for who in people(fold)["test"]]
    counts = pd.Series(tested).value_counts()
    assert (len(counts), counts.sum()) == (12, 800)
    assert counts.between(67 - 30, 67 + 30).all()


def test_few_splits_are_the_first_of_many_and_a_seed_makes_others():
    few, many, other = (
        [people(fold) for fold in folds(corpus(9), protocol(**own))]
        for own in ({"splits": 4}, {"splits": 30}, {"splits": 4, "seed": 1})
    )
    assert many[:4] == few
    assert other != few
    chosen = folds(corpus(9), protocol(splits=30, folds=[7, 2]))
    assert [fold.number for fold in chosen] == [7, 2]
    assert [people(fold) for fold in chosen] == [many[7], many[2]]


def test_all_divisions_of_few_speakers_are_found_and_no_more():
    """Three speakers have six divisions into three parts."""
    made = {tuple(people(fold).values()) for fold in folds(corpus(3), protocol(splits=6))}
    assert len(made) == 6
    with pytest.raises(ConfigError) as error:
        folds(corpus(3), protocol(splits=7))
    assert str(error.value) == (
        "protocol.splits: 3 speakers can be divided so in 6 ways, and 7 splits are asked for; give fewer splits, or "
        "other shares"
    )


def test_each_corpus_is_divided_by_itself():
    table = pd.concat([corpus(20, name="a/"), corpus(7, name="b/")], ignore_index=True)
    made = folds(table, protocol(splits=5), apart=True)
    for fold in made:
        sizes = {part: [sum(who[0] == name for who in own) for name in "ab"] for part, own in people(fold).items()}
        assert sizes == {"train": [14, 5], "validation": [3, 1], "test": [3, 1]}
    alone = folds(corpus(20, name="a/"), protocol(splits=5), apart=True)
    assert [people(fold)["test"] for fold in alone] == [
        frozenset(who for who in people(fold)["test"] if who[0] == "a") for fold in made
    ]


@pytest.mark.parametrize(
    ("table", "apart", "sentence"),
    [
        (
            corpus(2),
            False,
            "protocol random_splits: 2 speakers with usable clips are too few for training, validation and test",
        ),
        (
            pd.concat([corpus(9, name="a/"), corpus(2, name="b/")]),
            True,
            "protocol random_splits: the 2 speakers of 'b/' with usable clips are too few for training, validation and "
            "test",
        ),
        (
            corpus(9).assign(speaker=None),
            False,
            "protocol random_splits: it divides by speaker, and the corpus names none for 18 of its clips; if a column "
            "of your own table names them, call it 'speaker' and prepare it again, or give protocol={name: given}, "
            "which takes the corpus's own split",
        ),
    ],
)
def test_too_few_speakers_or_none_are_refused(table, apart, sentence):
    with pytest.raises(ConfigError) as error:
        folds(table, protocol(), apart=apart)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (
            {"groups": 4},
            "'groups' is a setting of the protocol group_k_fold and not of random_splits; leave it out, or write "
            "groups: 5 where an extended experiment has it",
        ),
        (
            {"fewer": True},
            "'fewer' is a setting of the protocol group_k_fold and not of random_splits; leave it out, or write fewer: "
            "false where an extended experiment has it",
        ),
        (
            {"speakers": "seen"},
            "'speakers' is a setting of the protocol group_k_fold and not of random_splits; leave it out",
        ),
        (
            {"validation": 0.15},
            "'validation' is a setting of the protocol seen_speakers and not of random_splits; leave it out",
        ),
        (
            {"name": "leave_one_speaker_out", "splits": 3},
            "'splits' is a setting of the protocol random_splits and not of leave_one_speaker_out; leave it out",
        ),
        (
            {"name": "seen_speakers", "shares": {"test": 0.15}},
            "'shares' is a setting of the protocol random_splits and not of seen_speakers; leave it out",
        ),
        (
            {"shares": {"train": 0.8}},
            "shares: train, validation and test are 0.8, 0.15 and 0.15, which add up to 1.1; give three shares that "
            'add up to 1 (found {"train": 0.8})',
        ),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(own, sentence):
    with pytest.raises(ConfigError) as error:
        protocol(**own)
    assert str(error.value) == f"protocol: {sentence}"


def test_defaults_stand_in_its_settings_and_are_read_again():
    plain = protocol()
    assert (plain.splits, plain.shares, plain.seed) == (20, Shares(), 0)
    assert parse(Protocol, plain.model_dump(mode="json"), "protocol") == plain
    other = Protocol(name="group_k_fold")
    assert (other.splits, other.shares, other.seed) == (None, None, None)


def test_the_description_of_splits_names_the_parts_of_each():
    table = corpus(6).set_index("clip", drop=False)
    made = folds(table, protocol(splits=3))
    described = describe(table, made)
    assert [one["fold"] for one in described] == [0, 1, 2]
    assert [{part: frozenset(one[part]["speakers"]) for part in PARTS} for one in described] == list(map(people, made))


def test_the_coverage_of_splits_counts_speakers_in_one_and_in_several():
    parts = [("abcd", "e", "f"), ("acdf", "b", "e"), ("abce", "d", "f")]
    folds = [
        {name: {"speakers": list(own)} for name, own in zip(("train", "validation", "test"), part, strict=True)}
        for part in parts
    ]
    assert coverage(folds, "test") == Coverage(speakers=6, once=2, several=1, folds=3)
    assert coverage(folds, "validation") == Coverage(speakers=6, once=3, several=0, folds=3)
