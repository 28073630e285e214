"""Protocols: each speaker is tested once and in one part, pairs swap their roles; or all speakers are seen."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.splits.certificate import refuse
from mien.audit.splits.findings import examine
from mien.common.settings import digest, parse
from mien.data.protocols import PARTS, Fold, Protocol, folds, refuse_shared_speakers
from mien.errors import ConfigError, LeakError

EMODB = {"03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male", "13": "female",
         "14": "female", "15": "male", "16": "female"}  # fmt: skip


def corpus(people, clips=3, **columns):
    rows = [
        {"clip": f"{speaker}-{n}", "speaker": speaker, "gender": gender}
        for speaker, gender in people.items()
        for n in range(clips)
    ]
    return pd.DataFrame(rows).assign(**columns)


def refused(table, **own):
    """The sentence that a protocol is refused with."""
    with pytest.raises(ConfigError) as error:
        folds(table, Protocol(**own))
    return str(error.value)


def who(clips):
    return {clip.rsplit("-", 1)[0] for clip in clips}


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=4), st.sampled_from(["female", "male", None]), min_size=3, max_size=12
    )
)
@settings(max_examples=100, deadline=None)
def test_each_speaker_is_tested_once_and_in_one_part(people):
    table = corpus(people)
    for protocol in (Protocol(name="leave_one_speaker_out"), Protocol(name="group_k_fold", groups=3)):
        made = folds(table, protocol)
        tested = [clip for fold in made for clip in fold.test]
        assert sorted(tested) == sorted(table["clip"])
        for fold in made:
            parts = [who(fold.train), who(fold.validation), who(fold.test)]
            assert all(parts)
            assert sum(map(len, parts)) == len(set().union(*parts)) == len(people)
            assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(table["clip"])


def test_without_sessions_a_woman_is_paired_with_a_man():
    made = folds(corpus(EMODB), Protocol(name="leave_one_speaker_out"))
    pairs = {"".join(who(fold.test)): "".join(who(fold.validation)) for fold in made}
    assert len(made) == 10
    assert all(EMODB[tested] != EMODB[validates] and pairs[validates] == tested for tested, validates in pairs.items())


def test_the_two_speakers_of_a_session_swap_their_roles():
    people = {f"Ses{n:02d}{letter}": gender for n in range(1, 6) for letter, gender in (("F", "female"), ("M", "male"))}
    table = corpus(people)
    table["session"] = table["speaker"].str[:5]
    made = folds(table, Protocol(name="leave_one_speaker_out"))
    assert len(made) == 10
    for fold in made:
        (tested,), (validates,) = who(fold.test), who(fold.validation)
        assert tested != validates
        assert tested[:5] == validates[:5]
        assert len(who(fold.train)) == 8


def test_groups_of_neighbours_are_tested_and_the_next_one_validates():
    people = {f"{number:02d}": "male" if number % 2 else "female" for number in range(1, 19)}
    made = folds(corpus(people), Protocol(name="group_k_fold", groups=6))
    assert [sorted(who(fold.test)) for fold in made][:2] == [["01", "02", "03"], ["04", "05", "06"]]
    assert who(made[0].validation) == who(made[1].test)
    assert who(made[5].validation) == who(made[0].test)


@pytest.mark.parametrize(("people", "groups"), [(3, 3), (4, 4), (10, 10), (25, 10)])
def test_fewer_speakers_make_fewer_groups_where_that_is_asked_for(people, groups):
    table = corpus(dict.fromkeys(f"{number:02d}" for number in range(people)))
    made = folds(table, Protocol(name="group_k_fold", groups=10, fewer=True))
    assert len(made) == groups
    assert sorted(name for fold in made for name in who(fold.test)) == sorted(set(table["speaker"]))


def test_too_few_speakers_for_the_groups_are_refused():
    two = corpus(dict.fromkeys("ab"))
    for fewer, groups in ((True, 3), (False, 10)):
        with pytest.raises(ConfigError) as error:
            folds(two, Protocol(name="group_k_fold", groups=10, fewer=fewer))
        assert str(error.value) == (f"protocol.groups: {groups} groups need at least as many speakers; there are 2")


def test_a_given_split_is_taken_as_it_is():
    table = corpus({"a": None, "b": None, "c": None}, clips=2)
    table["split"] = ["train", "train", "validation", "validation", "test", "test"]
    (fold,) = folds(table, Protocol(name="given"))
    assert fold == Fold(0, ("a-0", "a-1"), ("b-0", "b-1"), ("c-0", "c-1"))
    table.loc[1, "split"] = "test"
    assert folds(table, Protocol(name="given"))[0].test == ("a-1", "c-0", "c-1"), "the split audit refuses it"


@pytest.mark.parametrize(
    ("word", "near"),
    [("dev", "validation"), ("val", "validation"), ("valid", "validation"), ("eval", "test"), ("Train", "train")],
)
def test_a_given_split_refuses_other_words_and_skips_empty_cells(word, near):
    table = corpus({"a": None, "b": None, "c": None, "d": None})
    table["split"] = table["speaker"].map({"a": "train", "b": "validation", "c": "test", "d": None})
    (fold,) = folds(table, Protocol(name="given"))
    assert who([*fold.train, *fold.validation, *fold.test]) == {"a", "b", "c"}
    table["split"] = table["split"].fillna(word)
    assert refused(table, name="given") == (
        f"protocol given: the column 'split' holds '{word}'. Did you mean '{near}'? Known: train, validation, test, "
        "and an empty cell for a clip that is not used."
    )


def test_validation_that_equals_test_is_refused():
    with pytest.raises(LeakError) as error:
        refuse_shared_speakers(
            corpus({"a": None, "b": None}).set_index("clip", drop=False), Fold(0, ("a-0",), ("b-0",), ("b-0",))
        )
    assert str(error.value) == (
        "fold 0: 1 speakers are in both validation and test (b); a score on seen speakers does not hold for unseen "
        "ones: divide the corpus by speaker"
    )


@pytest.mark.parametrize(
    ("people", "own", "sentence"),
    [
        (
            {"a": None, "b": None},
            {"name": "leave_one_speaker_out"},
            "protocol leave_one_speaker_out: 2 speakers with usable clips are too few for training, validation and "
            "test",
        ),
        (
            {"a": None, "b": None},
            {"name": "group_k_fold", "groups": 3},
            "protocol.groups: 3 groups need at least as many speakers; there are 2",
        ),
        (
            {"a": None},
            {"name": "given"},
            "protocol given: the corpus has no column 'split' with train, validation and test",
        ),
        (
            EMODB,
            {"name": "leave_one_speaker_out", "folds": (0, 10)},
            "protocol.folds: there is no fold 10; the folds are 0 to 9",
        ),
    ],
)
def test_a_protocol_that_does_not_fit_the_corpus_is_refused(people, own, sentence):
    assert refused(corpus(people), **own) == sentence


def test_chosen_folds_keep_their_numbers():
    made = folds(corpus(EMODB), Protocol(name="leave_one_speaker_out", folds=(7, 2)))
    assert [fold.number for fold in made] == [7, 2]


def two_corpora(**people):
    """Corpus -> number of speakers, women and men in turn."""
    tables = [
        corpus({f"{name}/{n:02d}": "male" if n % 2 else "female" for n in range(count)}).assign(corpus=name)
        for name, count in people.items()
    ]
    return pd.concat(tables, ignore_index=True)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(3, 6))
@settings(max_examples=60, deadline=None)
def test_every_group_holds_an_even_share_of_every_corpus(a, b, c, groups):
    table = two_corpora(a=a, b=b, c=c)
    protocol = Protocol(name="group_k_fold", groups=groups)
    if a + b + c < groups:
        with pytest.raises(ConfigError):
            folds(table, protocol, apart=True)
        return
    made = folds(table, protocol, apart=True)
    assert sorted(clip for fold in made for clip in fold.test) == sorted(table["clip"])
    for name, count in (("a", a), ("b", b), ("c", c), ("", a + b + c)):
        sizes = [sum(speaker.startswith(name) for speaker in who(fold.test)) for fold in made]
        assert count // groups <= min(sizes) <= max(sizes) <= -(-count // groups)


def test_groups_of_one_corpus_are_what_they_are_alone():
    table = two_corpora(a=11)
    protocol = Protocol(name="group_k_fold", groups=4)
    assert folds(table, protocol, apart=True) == folds(table, protocol)


def test_speakers_are_paired_within_their_corpus_and_its_sessions():
    sessions = corpus({f"b/Ses{n}{sex}": {"F": "female", "M": "male"}[sex] for n in (1, 2) for sex in "FM"})
    sessions = sessions.assign(corpus="b", session=sessions["speaker"].str[5])
    table = pd.concat([two_corpora(a=5), sessions, two_corpora(c=1)], ignore_index=True)
    made = folds(table, Protocol(name="leave_one_speaker_out"), apart=True)
    pairs = {"".join(who(fold.test)): "".join(who(fold.validation)) for fold in made}
    assert len(pairs) == 10
    assert all(tested[:2] == validates[:2] for tested, validates in pairs.items() if tested[0] != "c")
    assert all(pairs[f"b/Ses{n}F"] == f"b/Ses{n}M" and pairs[f"b/Ses{n}M"] == f"b/Ses{n}F" for n in (1, 2))
    assert pairs["c/00"] == "b/Ses2F", "the only speaker of a corpus is validated by another one's"
    lonely = folds(two_corpora(a=1, b=1, c=1), Protocol(name="leave_one_speaker_out"), apart=True)
    assert [who(fold.validation) | who(fold.test) | who(fold.train) for fold in lonely] == [
        {"a/00", "b/00", "c/00"}
    ] * 3


CELLS = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["anger", "fear", "sadness"])),
    st.integers(1, 9),
    min_size=1,
    max_size=5,
)


def celled(cells):
    """(speaker, class) -> number of clips."""
    rows = [(f"{who}-{what}-{n}", who, what) for (who, what), count in cells.items() for n in range(count)]
    return pd.DataFrame(rows, columns=["clip", "speaker", "label"])


@given(CELLS, st.sampled_from([0.01, 0.25, 0.9]), st.sampled_from([0.01, 0.2, 0.9]), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_of_every_speaker_and_class_clips_train_then_test_then_validate(cells, test, validation, seed):
    cells = {**cells, ("a", "anger"): 3}
    table = celled(cells)
    protocol = Protocol(name="seen_speakers", test_share=test, validation=validation, seed=seed)
    (fold,) = folds(table, protocol)
    assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(table["clip"])
    for cell, count in cells.items():
        name = "-".join(cell) + "-"
        sizes = [sum(clip.startswith(name) for clip in part) for part in (fold.train, fold.test, fold.validation)]
        assert [size > 0 for size in sizes] == [count > 0, count > 1, count > 2]
        assert sizes[1] <= max(1, test * count + 0.5)
        assert sizes[2] <= max(1, validation * (count - sizes[1]) + 0.5)
    shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    assert [set(part) for part in folds(shuffled, protocol)[0][1:4]] == [set(part) for part in fold[1:4]]


@given(CELLS, st.integers(3, 5), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_clips_of_seen_speakers_are_dealt_to_groups_in_turn(cells, groups, seed):
    table = celled({**dict.fromkeys([("a", "anger"), ("b", "anger"), ("c", "fear")], groups), **cells})
    table = table[table.groupby("speaker")["clip"].transform("size") >= groups]
    protocol = Protocol(name="group_k_fold", speakers="seen", groups=groups, seed=seed)
    made = folds(table, protocol)
    tested = [set(fold.test) for fold in made]
    assert sorted(clip for fold in made for clip in fold.test) == sorted(table["clip"])
    assert [set(fold.validation) for fold in made] == [*tested[1:], tested[0]]
    for fold in made:
        assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(table["clip"])
        assert {clip[0] for clip in fold.test} == {clip[0] for clip in fold.train} == set(table["speaker"])
    for kind in ("speaker", ["speaker", "label"]):
        sizes = pd.concat([table[table["clip"].isin(test)].groupby(kind).size() for test in tested], axis=1).fillna(0)
        assert (sizes.max(axis=1) - sizes.min(axis=1)).max() <= 1
    shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    assert [set(fold.test) for fold in folds(shuffled, protocol)] == tested


def test_the_seed_deals_the_groups_and_is_theirs_alone():
    table = celled({(who, what): 8 for who in "ab" for what in ("anger", "fear")})
    made = [
        folds(table, Protocol(name="group_k_fold", groups=4, speakers="seen", **own))
        for own in ({}, {"seed": 0}, {"seed": 1})
    ]
    assert made[0] == made[1] != made[2]
    assert all(list(fold.train) == sorted(fold.train, key=table["clip"].tolist().index) for fold in made[2])
    unseen, seen = Protocol(name="group_k_fold"), Protocol(name="group_k_fold", speakers="seen")
    assert (unseen.seen, unseen.seed) == (False, None)
    assert (seen.seen, seen.seed, seen.validation) == (True, 0, None)
    assert parse(Protocol, seen.model_dump(mode="json"), "protocol") == seen


def test_groups_of_seen_speakers_are_even_in_classes_too():
    kinds = {"anger": 4, "neutral": 3, "sadness": 2}  # of every speaker: two groups of three have a clip of sadness
    table = celled({(who, what): count for who in "abcdef" for what, count in kinds.items()})
    for fold in folds(table, Protocol(name="group_k_fold", groups=3, speakers="seen")):
        sizes = table[table["clip"].isin(fold.test)].groupby("label").size()
        assert dict(sizes) == {"anger": 8, "neutral": 6, "sadness": 4}


def test_both_readings_of_a_small_corpus_have_as_many_folds():
    table = celled({(who, what): 6 for who in "abcd" for what in ("anger", "fear")})
    for own in ({"speakers": "seen"}, {"speakers": "unseen"}):
        assert len(folds(table, Protocol(name="group_k_fold", groups=10, fewer=True, **own))) == 4
    whole = folds(table, Protocol(name="group_k_fold", groups=10, speakers="seen"))
    assert len(whole) == 10
    some = folds(table, Protocol(name="group_k_fold", groups=10, speakers="seen", folds=(7, 2)))
    assert some == [whole[7], whole[2]]


@pytest.mark.parametrize(
    ("cells", "own", "sentence"),
    [
        (
            {("a", "anger"): 2, ("b", "fear"): 2},
            {},
            "protocol.groups: 5 groups need at least as many clips; there are 4; give fewer groups",
        ),
        (
            {("a", "anger"): 9, ("b", "fear"): 2, ("c", "fear"): 1},
            {},
            "protocol group_k_fold with speakers: seen: 2 speakers would be tested and have no clip to train on (b, "
            "c); each needs three clips: leave them out, or give speakers: unseen",
        ),
        (
            {("a", "anger"): 9},
            {"name": "leave_one_speaker_out"},
            "protocol: 'speakers' is a setting of the protocol group_k_fold and not of leave_one_speaker_out; leave it "
            "out",
        ),
        (
            {("a", "anger"): 9},
            {"validation": 0.3},
            "protocol: 'validation' is a setting of the protocol seen_speakers and not of group_k_fold; leave it out",
        ),
        (
            {("a", "anger"): 9},
            {"speakers": "sene"},
            "protocol: speakers: input should be 'unseen' or 'seen' (found \"sene\")",
        ),
    ],
)
def test_groups_of_seen_speakers_that_cannot_be_are_refused(cells, own, sentence):
    with pytest.raises(ConfigError) as error:
        folds(celled(cells), parse(Protocol, {"name": "group_k_fold", "speakers": "seen", **own}, "protocol"))
    assert str(error.value) == sentence


def test_another_seed_splits_otherwise_and_keeps_the_corpus_order():
    table = celled({(who, what): 8 for who in "ab" for what in ("anger", "fear")})
    first, second = (folds(table, Protocol(name="seen_speakers", seed=seed))[0] for seed in (0, 1))
    assert set(first.test) != set(second.test)
    assert [len(part) for part in first[1:4]] == [len(part) for part in second[1:4]] == [20, 4, 8]
    assert all(list(part) == sorted(part, key=table["clip"].tolist().index) for part in first[1:4])
    (other,) = folds(table.rename(columns={"label": "emotion"}), Protocol(name="seen_speakers"))
    assert other == first


def ravdess(actors=3):
    """Clip names, speakers, repetitions and classes as of RAVDESS's speech: neutral has one intensity, others two."""
    rows = [
        (f"03-01-{e:02d}-{i:02d}-{s:02d}-{r:02d}-{a:02d}", f"{a:02d}", f"{r:02d}", f"{e:02d}")
        for a in range(1, actors + 1) for e in range(1, 9) for i in (1, 2) for s in (1, 2) for r in (1, 2)
        if (e, i) != (1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["clip", "speaker", "repetition", "label"])


def test_by_repetition_the_second_is_tested():
    table = ravdess()
    (fold,) = folds(table, Protocol(name="seen_speakers", by="repetition", test=("02",)))
    repetition = table.set_index("clip")["repetition"]
    assert set(repetition[list(fold.test)]) == {"02"}
    assert set(repetition[[*fold.train, *fold.validation]]) == {"01"}
    assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(table["clip"])
    for part in (fold.train, fold.validation, fold.test):
        held = table[table["clip"].isin(part)]
        assert held.groupby("speaker")["label"].nunique().eq(8).all(), "everybody, with every class"
    assert [len(part) for part in fold[1:4]] == [3 * (1 + 7 * 3), 3 * 8, 3 * 30]


def test_a_clip_without_a_value_in_the_column_is_not_used():
    table = ravdess(1)
    table.loc[[0, 1], "repetition"] = None
    (fold,) = folds(table, Protocol(name="seen_speakers", by="repetition", test=("02",)))
    assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(table["clip"][2:])


def test_every_tested_speaker_is_in_training():
    table = ravdess()
    table.loc[table["speaker"] == "03", "repetition"] = "02"
    with pytest.raises(ConfigError) as error:
        folds(table, Protocol(name="seen_speakers", by="repetition", test=("02",)))
    assert str(error.value) == (
        "protocol seen_speakers: 1 speakers would be tested and have no clip to train on (03); leave them out, or test "
        "other values of 'repetition' than 02"
    )


DEALT = ["cae07664", "29f15e03", "3c970871"]  # digests of the folds that runs were trained on


def windows(files=4, each=5, hop=0.5):
    """Two speakers and two classes, `files` files of each, of which the windows overlap by half."""
    rows = [
        (f"{who}/{what}{file}.wav:{n}", f"{who}/{what}{file}.wav", n * hop, n * hop + 2 * hop, who, what)
        for who in "ab" for what in ("anger", "fear") for file in range(files) for n in range(each)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["clip", "file", "start", "end", "speaker", "emotion"])


def leaks(table, fold):
    placed = [("0", part, clip) for part in PARTS for clip in getattr(fold, part)]
    rows = pd.DataFrame(placed, columns=["fold", "split", "clip"]).merge(table, on="clip")
    return {one.finding for one in examine(rows, None)[0] if one.severity == "leak"}


def test_windows_of_one_file_are_dealt_as_one():
    table = windows()
    (fold,) = folds(table, Protocol(name="seen_speakers"))
    assert [len(part) for part in fold[1:4]] == [2 * 2 * 2 * 5, 2 * 2 * 5, 2 * 2 * 5]
    assert leaks(table, fold) == {"shared-speaker"}
    several = windows(files=8).assign(emotion=lambda t: t["clip"].str[-1])  # each file has every class
    (fold,) = folds(several, Protocol(name="seen_speakers"))
    assert all(fold[1:4])
    assert leaks(several, fold) == {"shared-speaker"}


def test_groups_of_seen_speakers_keep_recordings_whole_as_far_as_they_reach():
    protocol = Protocol(name="group_k_fold", speakers="seen", groups=4)
    for fold in folds(windows(), protocol):
        assert leaks(windows(), fold) == {"shared-speaker"}
    few = windows(files=1)  # two files of each speaker
    assert [leaks(few, fold) for fold in folds(few, protocol)] == [
        {"shared-speaker", "shared-recording", "overlapping-audio"}
    ] * 4


def test_given_recordings_are_dealt_as_one_and_so_is_shared_sound():
    apart = windows(each=4, hop=1.0)
    apart["end"] -= 1  # windows that touch
    halves = apart.assign(recording=apart["file"] + apart["clip"].str[-1].map({"0": "x", "1": "x", "2": "y", "3": "y"}))
    (fold,) = folds(halves, Protocol(name="seen_speakers"))
    assert leaks(halves, fold) == {"shared-speaker"}
    assert {clip[:-2] for clip in fold.train} & {clip[:-2] for clip in fold.test}, "halves of one file"
    overlapping = halves.assign(end=halves["end"] + 0.5)
    (fold,) = folds(overlapping, Protocol(name="seen_speakers"))
    assert leaks(overlapping, fold) == {"shared-speaker"}


def test_one_file_of_each_speaker_is_dealt_by_clip_and_the_audit_names_the_ways():
    table = windows().assign(file=lambda t: t["speaker"] + ".wav")
    (fold,) = folds(table, Protocol(name="seen_speakers"))
    assert all(fold[1:4])
    assert leaks(table, fold) == {"shared-speaker", "shared-recording", "overlapping-audio"}


def test_clips_of_their_own_files_are_dealt_as_ever():
    plain = ravdess()
    for table in (plain, plain.assign(file=plain["clip"] + ".wav"), plain.assign(recording=plain["clip"])):
        made = [
            folds(table, Protocol(name="seen_speakers", **own))[0]
            for own in ({}, {"seed": 3, "test_share": 0.4}, {"by": "repetition", "test": ("02",)})
        ]
        assert [digest(list(fold[:4]))[:8] for fold in made] == DEALT


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (
            {"by": "repetitoin", "test": ["02"]},
            "protocol.by: unknown column of the corpus 'repetitoin'. Did you mean 'repetition'? Known: clip, label, "
            "repetition, speaker.",
        ),
        (
            {"by": "repetition", "test": ["2"]},
            "protocol.test: unknown value of repetition '2'. Did you mean '02'? Known: 01, 02.",
        ),
        (
            {"by": "repetition", "test": ["01", "02"]},
            "protocol seen_speakers: 3 speakers would be tested and have no clip to train on (01, 02, 03); leave them "
            "out, or test other values of 'repetition' than 01, 02",
        ),
        (
            {"by": "repetition"},
            "protocol: 'by' and 'test' belong together: a column, and which of its values are tested",
        ),
        ({"test": ["02"]}, "protocol: 'by' and 'test' belong together: a column, and which of its values are tested"),
        (
            {"by": "repetition", "test": ["02"], "test_share": 0.5},
            "protocol: 'test_share' and 'by' both choose the clips to test; leave one of the two out",
        ),
        ({"test_share": 0.0}, "protocol: test_share: input should be greater than 0 (found 0.0)"),
        ({"by": "repetition", "test": [2]}, "protocol: test.0: input should be a valid string (found 2)"),
        (
            {"name": "given", "seed": 1},
            "protocol: 'seed' is a setting of the protocols seen_speakers and random_splits and not of given; leave it "
            "out",
        ),
    ],
)
def test_seen_speakers_that_cannot_be_divided_are_refused(own, sentence):
    with pytest.raises(ConfigError) as error:
        folds(ravdess(), parse(Protocol, {"name": "seen_speakers", **own}, "protocol"))
    assert str(error.value) == sentence


def test_one_or_two_clips_of_each_class_leave_none_to_validate():
    with pytest.raises(ConfigError) as error:
        folds(celled({("a", "anger"): 2, ("a", "fear"): 1}), Protocol(name="seen_speakers"))
    assert str(error.value) == (
        "protocol seen_speakers: 3 clips leave none for validation; each speaker and class needs three clips, or two "
        "that are not tested where 'by' chooses the tested ones"
    )


def test_defaults_of_seen_speakers_stand_in_its_settings_alone():
    dealt = Protocol(name="seen_speakers")
    assert (dealt.test_share, dealt.validation, dealt.seed) == (0.25, 0.2, 0)
    given = Protocol(name="seen_speakers", by="repetition", test=("02",), seed=3)
    assert (given.test_share, given.validation, given.seed) == (None, 0.2, 3)
    plain = Protocol(name="group_k_fold")
    assert (plain.test_share, plain.validation, plain.seed) == (None, None, None)
    for protocol in (dealt, given, plain):
        assert parse(Protocol, protocol.model_dump(mode="json"), "protocol") == protocol


def twins(table):
    """RAVDESS's clips with the columns that the two repetitions of a sentence have in common."""
    return table.assign(intensity=table["clip"].str[9:11], sentence=table["clip"].str[12:14])


TWINS = ("speaker", "label", "intensity", "sentence")


@given(
    st.lists(st.tuples(*[st.sampled_from(["x", "y", None])] * 2, st.sampled_from("ab")), min_size=12, max_size=40),
    st.sampled_from([("one",), ("one", "two"), ("speaker", "two")]),
    st.sampled_from([{"name": "seen_speakers"}, {"name": "group_k_fold", "speakers": "seen", "groups": 3}]),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_clips_with_equal_values_are_in_one_part(rows, columns, own, seed):
    table = pd.DataFrame(rows, columns=["one", "two", "speaker"]).assign(label="calm")
    table["clip"] = [f"c{number}" for number in range(len(table))]
    try:
        made = folds(table, Protocol(**own, together=columns, seed=seed))
    except ConfigError:
        return  # too few groups for three parts
    for fold in made:
        part = {clip: name for name in PARTS for clip in getattr(fold, name)}
        assert sorted(part) == sorted(table["clip"])
        placed = table.assign(part=table["clip"].map(part))
        assert placed.groupby([*columns])["part"].agg(set).map(len).eq(1).all()


def test_twins_are_in_one_part_and_everybody_is_in_all_of_them():
    table = twins(ravdess())
    (fold,) = folds(table, Protocol(name="seen_speakers", together=TWINS))
    part = {clip: name for name in PARTS for clip in getattr(fold, name)}
    placed = table.assign(part=table["clip"].map(part))
    assert placed.groupby([*TWINS])["part"].agg(set).map(len).eq(1).all()
    assert placed.groupby("part")["speaker"].nunique().eq(3).all()
    assert [len(own) for own in fold[1:4]] == [3 * (7 * 4 + 2), 3 * 7 * 2, 3 * 8 * 2]
    (dealt,) = folds(table, Protocol(name="seen_speakers"))
    apart = {clip: name for name in PARTS for clip in getattr(dealt, name)}
    assert table.assign(part=table["clip"].map(apart)).groupby([*TWINS])["part"].agg(set).map(len).gt(1).any()


def test_recordings_and_equal_values_are_kept_together_through_each_other():
    table = pd.DataFrame(
        [
            (f"{who}{n}", who, "calm", f"{who}-r{n // 2}", f"{who}-{(n + 1) // 2 if n < 4 else n}")
            for who in "ab"
            for n in range(12)
        ],
        columns=["clip", "speaker", "label", "recording", "take"],
    )
    for fold in folds(table, Protocol(name="group_k_fold", speakers="seen", groups=3, together=("take",))):
        part = {clip: name for name in PARTS for clip in getattr(fold, name)}
        for who in "ab":  # 0 and 1 are of a recording, 1 and 2 of a take, 2 and 3 of a recording
            assert len({part[f"{who}{n}"] for n in range(4)}) == 1


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (
            {"by": "repetition", "test": ["02"]},
            "protocol.together: 'repetition' tests some of the clips that speaker, label, intensity, sentence keep "
            "together, and not others (03-01-01-01-01-01-01, 03-01-01-01-01-02-01); leave one of the two settings out",
        ),
        (
            {"together": ["sentense"]},
            "protocol.together: unknown column of the corpus 'sentense'. Did you mean 'sentence'? Known: clip, "
            "intensity, label, repetition, sentence, speaker.",
        ),
        (
            {"name": "leave_one_speaker_out"},
            "protocol: 'together' is of protocols of seen speakers and of seen_share, and this is "
            "leave_one_speaker_out; leave it out",
        ),
    ],
)
def test_clips_that_cannot_be_kept_together_are_refused(own, sentence):
    with pytest.raises(ConfigError) as error:
        folds(twins(ravdess()), parse(Protocol, {"name": "seen_speakers", "together": [*TWINS], **own}, "protocol"))
    assert str(error.value) == sentence


def test_twins_of_clips_that_are_kept_back_do_not_train():
    table = twins(ravdess(6))
    for together in ((), TWINS):
        made = folds(table, Protocol(name="group_k_fold", groups=3, seen_share=0.1, together=together))
        key = table.set_index("clip")[[*TWINS]].agg("-".join, axis=1)
        shared = [set(key[list(fold.seen)]) & set(key[list(fold.train)]) for fold in made]
        assert all(fold.seen for fold in made)
        assert any(shared) is not bool(together)


def test_by_sentence_the_twins_of_training_clips_do_not_validate():
    table = twins(ravdess())
    (fold,) = folds(table, Protocol(name="seen_speakers", by="sentence", test=("02",), together=TWINS))
    assert {clip[12:14] for clip in fold.test} == {"02"}
    names = [{clip[:14] + clip[-3:] for clip in part} for part in (fold.train, fold.validation)]
    assert not names[0] & names[1]


@pytest.mark.parametrize("accepted", [(), ("shared-speaker", "same-sentence")])
def test_the_split_audit_refuses_seen_speakers_that_are_not_accepted(accepted):
    table = ravdess().rename(columns={"label": "emotion"}).assign(sentence=lambda t: t["clip"].str[12:14])
    (fold,) = folds(table, Protocol(name="seen_speakers", by="repetition", test=("02",)))
    placed = [("0", part, clip) for part in PARTS for clip in getattr(fold, part)]
    rows = pd.DataFrame(placed, columns=["fold", "split", "clip"]).merge(table, on="clip")
    found, _, _ = examine(rows, None)
    if accepted:
        refuse(found, accepted)
        return
    with pytest.raises(LeakError) as error:
        refuse(found, accepted)
    assert str(error.value).endswith(
        "; divide or clean the corpus otherwise, or give seen_speakers=true and accept=[same-sentence], and every "
        "table is marked so"
    )


@pytest.mark.parametrize("name", ["leave_one_speaker_out", "group_k_fold"])
def test_recordings_of_training_speakers_are_kept_back(name):
    table = corpus(EMODB, clips=12, recording=[f"r{n // 3}" for n in range(120)])
    plain, kept = (folds(table, Protocol(name=name, **more)) for more in ({}, {"seen_share": 0.3}))
    recording = dict(zip(table["clip"], table["recording"], strict=True))
    for before, fold in zip(plain, kept, strict=True):
        assert (fold.validation, fold.test) == (before.validation, before.test)
        assert sorted((*fold.train, *fold.seen)) == sorted(before.train)
        assert who(fold.seen) == who(fold.train) == who(before.train), "of every speaker some, and never all"
        assert not {recording[clip] for clip in fold.seen} & {recording[clip] for clip in fold.train}
        assert len(fold.seen) == 3 * len(who(fold.train)), "one of four recordings"
    assert not any(fold.seen for fold in plain)
    shuffled = folds(table.sample(frac=1, random_state=0), Protocol(name=name, seen_share=0.3))
    assert [set(fold.seen) for fold in shuffled] == [set(fold.seen) for fold in kept]


def test_a_speaker_of_one_recording_trains_whole():
    table = corpus(EMODB, clips=2, recording="all")
    assert "no training speaker of fold 0 has two recordings" in refused(
        table, name="leave_one_speaker_out", seen_share=0.5
    )


def test_a_given_split_may_have_seen_clips():
    table = corpus(EMODB, clips=4)
    table["split"] = ["train", "train", "seen", None] * 4 + ["validation"] * 12 + ["test"] * 12
    (fold,) = folds(table, Protocol(name="given"))
    assert who(fold.seen) == who(fold.train)
    assert len(fold.seen) == 4


@pytest.mark.parametrize(
    "own", [{"name": "given"}, {"name": "seen_speakers"}, {"name": "group_k_fold", "speakers": "seen"}]
)
def test_seen_clips_are_of_protocols_of_unseen_speakers(own):
    with pytest.raises(ConfigError, match="'seen_share' is of protocols of unseen speakers"):
        parse(Protocol, {**own, "seen_share": 0.1}, "protocol")
