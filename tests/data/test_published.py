"""Protocols that others published: their true folds, on names; what is not at hand; and which of them leak."""

import json
import re
from pathlib import PurePosixPath

import pandas as pd
import pytest

from mien.audit.splits.certificate import table
from mien.audit.splits.findings import examine
from mien.common.settings import parse
from mien.corpora import readers
from mien.data import published
from mien.data.protocols import PARTS, Protocol, folds
from mien.errors import ConfigError

ACTORS = [f"{number:02d}" for number in range(1, 25)]
FIVE = ["02 05 14 15 16", "03 06 07 13 18", "10 11 12 19 20", "08 17 21 23 24", "01 04 09 22"]
SPEAKER = {"emobox_emodb": r"(\d\d)", "emobox_crema_d": r"(\d{4})_", "emobox_enterface": r"s(\d+)_"}


def ravdess(actors=ACTORS):
    """Two emotions of each actor, by the names of RAVDESS."""
    names = [f"03-01-{emotion}-01-01-01-{actor}" for actor in actors for emotion in ("04", "05")]
    return pd.DataFrame({"clip": names, "speaker": [name[-2:] for name in names], "label": [n[6:8] for n in names]})


def listed(name):
    """All clips that a protocol of clips lists, with the speakers that are in their names."""
    own = published.get(name)
    clips = sorted(own.listed or frozenset().union(*own.folds))
    return pd.DataFrame({"clip": clips, "speaker": [re.match(SPEAKER[name], clip)[1] for clip in clips]})


def who(clips):
    return " ".join(sorted({clip[-2:] for clip in clips}))


def refused(clips, **own):
    """The sentence that a protocol is refused with."""
    with pytest.raises(ConfigError) as error:
        folds(clips, Protocol(**own))
    return str(error.value)


def found(clips, made):
    """The leaks that the split audit finds: name -> its rows."""
    indexed = clips.assign(label="anger").set_index("clip", drop=False)
    return {one.finding: one.rows for one in examine(table(indexed, made), None)[0] if one.severity == "leak"}


@pytest.mark.parametrize("name", published.names())
def test_a_protocol_says_whose_it_is_and_tests_nothing_twice(name):
    own = published.get(name)
    assert own.reader in readers.names()
    assert all((own.title, own.source, own.used, own.validation))
    assert sum(map(len, own.folds)) == len(frozenset().union(*own.folds))
    assert all(own.folds)
    assert own.listed is None or frozenset().union(*own.folds) <= own.listed


def test_ravdess_in_five_folds_tests_the_published_actors():
    made = folds(ravdess(), Protocol(name="ravdess_five_folds"))
    assert [who(fold.test) for fold in made] == FIVE
    assert [who(fold.validation) for fold in made] == [*FIVE[1:], FIVE[0]]
    for fold in made:
        parts = [set(who(getattr(fold, part)).split()) for part in PARTS]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 24
    assert found(ravdess(), made) == {}


def test_ravdess_in_the_six_folds_of_emobox_shares_no_actor():
    made = folds(ravdess(), Protocol(name="emobox_ravdess"))
    assert [who(fold.test) for fold in made][:2] == ["01 11 20 21", "04 10 12 14"]
    assert sorted(" ".join(who(fold.test) for fold in made).split()) == ACTORS
    assert found(ravdess(), made) == {}


def test_crema_d_in_the_five_folds_of_hicmae_shares_no_actor():
    people = [str(actor) for actor in range(1001, 1092)]
    clips = pd.DataFrame({"clip": [f"{who}_DFA_ANG_XX" for who in people], "speaker": people})
    made = folds(clips, Protocol(name="hicmae_crema_d"))
    assert [len(fold.test) for fold in made] == [18, 18, 18, 18, 19]
    assert [clip for fold in made for clip in fold.test] == list(clips["clip"])
    assert found(clips, made) == {}


@pytest.mark.parametrize(
    ("name", "count", "tested", "speakers"),
    [("emobox_emodb", 535, [107] * 5, 10), ("emobox_enterface", 1263, [312], 43)],
)
def test_the_splits_of_clips_share_every_speaker(name, count, tested, speakers):
    clips = listed(name)
    made = folds(clips, Protocol(name=name))
    assert [len(fold.test) for fold in made] == tested
    assert all(len(fold.train + fold.validation + fold.test) == count == len(clips) for fold in made)
    rows = found(clips, made)["shared-speaker"]
    between = [row for row in rows if {"train", "test"} <= set(row["splits"]) and row["fold"] == "0"]
    assert len(between) == speakers


def test_clips_that_a_whole_list_does_not_test_train_or_validate():
    tested = listed("emobox_crema_d")
    others = [f"{speaker}_ZZZ_{emotion}_XX" for speaker in range(1001, 1092) for emotion in ("ANG", "SAD", "FEA")]
    more = pd.DataFrame({"clip": others, "speaker": [name[:4] for name in others]})
    clips = pd.concat([tested, more], ignore_index=True)
    (fold,) = folds(clips, Protocol(name="emobox_crema_d"))
    assert set(fold.test) == set(tested["clip"])
    assert len(fold.test) == 1856
    assert tested["speaker"].nunique() == 91
    assert set(fold.train) | set(fold.validation) == set(others)
    rows = found(clips, [fold])["shared-speaker"]
    assert sum(set(row["splits"]) == {"train", "test"} for row in rows) == 91


def test_of_one_fold_a_share_validates_that_a_seed_chooses():
    clips = listed("emobox_enterface")
    known = {
        key: folds(clips, Protocol(name="emobox_enterface", **own))[0]
        for key, own in {"a": {}, "half": {"validation": 0.5}, "seed": {"seed": 1}}.items()
    }
    sizes = {key: len(fold.validation) for key, fold in known.items()}
    assert sizes["a"] == pytest.approx(0.2 * 951, abs=25)
    assert sizes["half"] == pytest.approx(0.5 * 951, abs=25)
    assert known["seed"].validation != known["a"].validation
    assert known["seed"].test == known["half"].test == known["a"].test


def test_the_speakers_at_hand_are_divided_and_those_that_lack_are_named():
    own = published.get("ravdess_five_folds")
    made = folds(ravdess(ACTORS[:18]), Protocol(name="ravdess_five_folds"))
    assert [who(fold.test) for fold in made] == [FIVE[0], FIVE[1], "10 11 12", "08 17", "01 04 09"]
    first, validation, lacking = published.notes(own, set(ACTORS[:18]))
    assert first == (
        "note: the protocol ravdess_five_folds is that of Luna-Jiménez et al. 2022, Applied Sciences 12(1), 327 "
        "(github.com/cristinalunaj/MMEmotionRecognition); used by the authors (86.7 % accuracy with voice and face) "
        "and the programs that grew out of theirs"
    )
    assert validation == (
        "note: the publication names no validation part; here, the next fold of the protocol validates and does not "
        "train, which is ours"
    )
    assert lacking == (
        "note: 6 of its 24 speakers are not in the corpus at hand, or without a label (19, 20, 21, 22, 23, 24): the "
        "scores are not those of the whole protocol"
    )
    assert len(published.notes(own, set(ACTORS))) == 2, "the control: nothing lacks"


def test_clips_out_of_no_list_are_counted_and_not_used():
    clips = listed("emobox_emodb")
    clips = pd.concat([clips, pd.DataFrame({"clip": ["03z99Wa"], "speaker": ["03"]})], ignore_index=True)
    made = folds(clips, Protocol(name="emobox_emodb"))
    assert not any("03z99Wa" in getattr(fold, part) for fold in made for part in PARTS)
    assert published.notes(published.get("emobox_emodb"), set(clips["clip"]))[2:] == [
        "note: 1 clip is not in its lists, such as 03z99Wa, and not used"
    ]


def test_an_empty_fold_is_refused_unless_it_is_not_trained():
    some = ravdess([actor for actor in ACTORS if actor not in FIVE[3].split()])
    assert refused(some, name="ravdess_five_folds") == (
        "protocol ravdess_five_folds: the corpus has no usable clip of what fold 3 tests (08, 17, 21, 23, 24); prepare "
        "the whole corpus, or train the other folds alone: protocol.folds=[0, 1, 2, 4]"
    )
    made = folds(some, Protocol(name="ravdess_five_folds", folds=(2, 4)))
    assert [(fold.number, who(fold.validation), who(fold.test)) for fold in made] == [
        (2, FIVE[4], FIVE[2]),
        (4, FIVE[0], FIVE[4]),
    ]


def test_what_a_protocol_cannot_divide_is_one_sentence():
    assert refused(ravdess([*ACTORS, "25"]), name="ravdess_five_folds").startswith(
        "protocol ravdess_five_folds: the speaker '25' is in none of its folds, which divide 01, 02, 03, "
    )
    assert refused(ravdess(["02", "03"]), name="ravdess_five_folds") == (
        "protocol ravdess_five_folds: the corpus has clips of 2 of its 5 folds, and training, validation and test need "
        "three; prepare the whole corpus"
    )
    tested = pd.DataFrame({"clip": ["s10_an_2"], "speaker": ["10"]})
    assert refused(tested, name="emobox_enterface") == (
        "protocol emobox_enterface: the clips that it uses and that are there leave none for train; prepare the whole "
        "corpus"
    )


@pytest.mark.parametrize("corpora", [["emodb"], ["ravdess", "emodb"], ["table"]])
def test_a_corpus_of_another_reader_is_one_sentence(corpora):
    own = published.get("ravdess_five_folds")
    published.refuse_other(own, ["ravdess"])
    with pytest.raises(ConfigError) as error:
        published.refuse_other(own, corpora)
    assert str(error.value) == (
        "protocol ravdess_five_folds: it divides the corpus of the reader ravdess, and data.prepared is of "
        f"{' and '.join(corpora)}; prepare that corpus, or give another protocol"
    )


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (
            {"name": "ravdess_five_fold"},
            "name: unknown protocol 'ravdess_five_fold'. Did you mean 'ravdess_five_folds'?",
        ),
        (
            {"name": "ravdess_five_folds", "validation": 0.3},
            "'validation' is a setting of the protocol seen_speakers and not of ravdess_five_folds; leave it out",
        ),
        (
            {"name": "emobox_emodb", "seen_share": 0.1},
            "'seen_share' is of protocols of unseen speakers, and this is emobox_emodb; leave it out",
        ),
    ],
)
def test_settings_of_other_protocols_and_unknown_names_are_refused(own, why):
    with pytest.raises(ConfigError) as error:
        parse(Protocol, own, "protocol")
    assert str(error.value).startswith(f"protocol: {why}")


def test_defaults_stand_in_the_settings_of_the_protocols_that_have_them():
    one, five = (Protocol(name=name) for name in ("emobox_enterface", "ravdess_five_folds"))
    assert (one.validation, one.seed) == (0.2, 0)
    assert (five.validation, five.seed) == (None, None)
    assert parse(Protocol, one.model_dump(mode="json"), "again") == one


def _called(path):
    """The name of the clip; eNTERFACE'05 writes some subjects otherwise, see its reader."""
    stem = re.sub(r"^s_3_", "s3_", path.stem).removesuffix("avi")
    return stem.replace("s12_", "s11_") if "subject 11" in path.parts else stem


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "corpus", "numbers"),
    [
        ("emobox_emodb", "emodb", range(5)),
        ("emobox_crema_d", "cremad", range(1)),
        ("emobox_enterface", "enterface", range(1)),
        ("emobox_ravdess", "ravdess", range(2)),
    ],
)
def test_the_folds_are_those_of_the_lists_of_emobox(name, corpus, numbers, recordings):
    own = published.get(name)
    for number in numbers:
        parts = {}
        for part in ("train", "test"):
            file = recordings / "splits" / "emobox" / corpus / f"fold_{number + 1}"
            lines = (file / f"{corpus}_{part}_fold_{number + 1}.jsonl").read_text().splitlines()
            parts[part] = {PurePosixPath(json.loads(line)["wav"]) for line in lines}
        named = {part: {_called(path) for path in paths} for part, paths in parts.items()}
        if own.of == "speaker":
            assert {stem[-2:] for stem in named["test"]} == own.folds[number]
            assert not {stem[-2:] for stem in named["train"]} & own.folds[number]
            continue
        assert named["test"] == own.folds[number]
        assert not named["train"] & own.folds[number]
        assert own.listed is None or named["train"] | named["test"] == own.listed


@pytest.mark.recordings
def test_the_five_folds_of_ravdess_are_those_of_the_authors_own_logits(recordings):
    rows = pd.read_csv(recordings / "ravdess" / "action_unit_bilstm_logits.csv", dtype=str)
    actors = rows["clip"].str[-2:].groupby(rows["fold"]).unique()
    own = published.get("ravdess_five_folds")
    there = set(rows["clip"].str[-2:])
    assert [set(one) for one in actors] == [set(fold & there) for fold in own.folds]
    assert len(there) == 18


@pytest.mark.recordings
def test_the_first_fold_of_hicmae_is_that_of_its_lists(recordings):
    own = published.get("hicmae_crema_d")
    lists = {
        part: recordings / "splits" / "hicmae" / "cremad" / "split01" / f"{part}.csv" for part in ("train", "test")
    }
    people = {
        part: {line.rpartition("/")[2][:4] for line in file.read_text().splitlines()} for part, file in lists.items()
    }
    assert people["test"] == own.folds[0]
    assert people["train"] == own.listed - own.folds[0]
