"""Each finding is found if it is planted, and only then; shared speakers equal those of brute force."""

import itertools

import numpy as np
import pandas as pd
import pytest

from mien.audit.splits.checks import Twins
from mien.audit.splits.findings import NAMES, NOTES, examine, grouped
from mien.data.protocols import LEAKS


def split(*rows, columns=("fold", "split", "clip", "speaker", "emotion", "sentence")):
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype("str")


CLEAN = [
    ("0", "train", "a", "p", "joy", "s1"),
    ("0", "train", "b", "q", "anger", "s2"),
    ("0", "validation", "c", "r", "joy", "s3"),
    ("0", "test", "d", "t", "joy", "s4"),
    ("0", "test", "e", "t", "anger", "s5"),
]


def found(rows, twins=(), **more):
    findings, lacking, _ = examine(rows, list(twins), **more)
    return {(one.finding, one.severity): one for one in findings}, lacking


def test_a_clean_split_has_no_finding():
    findings, lacking = found(split(*CLEAN))
    assert findings == {}
    assert set(lacking) == {"shared-recording", "overlapping-audio", "speaker-conflict"}


PLANTED = {
    "shared-speaker": (("0", "test", "f", "p", "joy", "s6"), "1 of 2 speakers of test is in train: p (fold 0)"),
    "same-sentence": (
        ("0", "test", "f", "p", "joy", "s1"),
        "1 sentence of one speaker in train and test: p s1 (fold 0)",
    ),
    "identical-audio": (
        ("0", "test", "a", "p", "joy", "s6"),
        "1 pair of identical clips in train and test: a (fold 0)",
    ),
    "validation-overlap": (("0", "test", "c", "r", "joy", "s3"), "1 clip in validation and test: c (fold 0)"),
    "label-conflict": (
        ("0", "test", "a", "p", "fear", "s6"),
        "1 clip or pair of clips with two labels: a (fear / joy)",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_finding_is_found(name):
    row, text = PLANTED[name]
    findings, _ = found(split(*CLEAN, row))
    assert findings[name, "leak"].text == text


def test_speakers_and_sentences_are_those_of_brute_force():
    generator = np.random.default_rng(0)
    count = 300
    rows = split(
        *zip(
            generator.integers(0, 3, count).astype(str),
            generator.choice(["train", "validation", "test"], count, p=[0.8, 0.1, 0.1]),
            [f"clip{number}" for number in range(count)],
            generator.integers(0, 60, count).astype(str),
            generator.choice(["joy", "fear"], count),
            generator.integers(0, 4, count).astype(str),
            strict=True,
        )
    )
    people, sentences = set(), set()
    for one, other in itertools.combinations(rows.to_dict("records"), 2):
        if one["fold"] == other["fold"] and one["split"] != other["split"] and one["speaker"] == other["speaker"]:
            parts = frozenset((one["split"], other["split"]))
            people.add((one["fold"], parts, one["speaker"]))
            if one["sentence"] == other["sentence"]:
                sentences.add((one["fold"], parts, one["speaker"], one["sentence"]))
    findings, _ = found(rows)
    shared = {
        (row["fold"], frozenset(row["splits"]), row["speaker"]) for row in findings["shared-speaker", "leak"].rows
    }
    assert shared == people
    same = {
        (row["fold"], frozenset(row["splits"]), row["speaker"], row["sentence"])
        for row in findings["same-sentence", "leak"].rows
    }
    assert same == sentences


def test_twins_leak_across_parts_only():
    near = Twins("a", "d", "near", 0.9)
    findings, _ = found(split(*CLEAN), [near, Twins("d", "e", "bytes", 1.0)])
    assert findings["near-duplicate", "leak"].rows == (
        {"fold": "0", "splits": ["train", "test"], "clips": ["a", "d"], "how": "near", "similarity": 0.9},
    )
    assert findings["identical-audio", "note"].text == "1 pair of identical clips: d = e"
    assert findings["label-conflict", "note"].rows[0]["emotions"] == ["joy", "anger"]
    assert len(findings) == 3


def test_twins_of_two_labels_in_two_parts_are_a_leak():
    findings, _ = found(split(*CLEAN), [Twins("b", "d", "samples", 1.0)])
    assert set(findings) == {("identical-audio", "leak"), ("label-conflict", "leak")}


RECORDED = ("fold", "split", "clip", "speaker", "recording", "session")


@pytest.mark.parametrize("column", ["recording", "session"])
def test_a_dialogue_may_validate_and_test_but_not_train(column):
    rows = [
        ("0", "train", "a", "p", "x1", "1"),
        ("0", "validation", "b", "q", "x2", "2"),
        ("0", "test", "c", "r", "x2" if column == "recording" else "x3", "2" if column == "session" else "3"),
    ]
    findings, _ = found(split(*rows, columns=RECORDED))
    assert set(findings) == {("shared-recording", "note")}
    rows[0] = ("0", "train", "a", "p", rows[2][4], rows[2][5])
    findings, _ = found(split(*rows, columns=RECORDED))
    assert ("shared-recording", "leak") in findings
    same = [
        ("0", "validation", "a", "p", "x1", "1"),
        ("0", "test", "b", "p", "x1", "1"),
        ("0", "train", "c", "q", "x2", "2"),
    ]
    assert ("shared-recording", "leak") in found(split(*same, columns=RECORDED))[0]


def test_an_unknown_speaker_may_be_anybody():
    rows = [("0", "validation", "a", "p", "x", "1"), ("0", "test", "b", None, "x", "1")]
    assert set(found(split(*rows, columns=RECORDED))[0]) == {("shared-recording", "leak")}
    rows = [*CLEAN, ("0", "train", "f", None, "joy", "s4"), ("0", "train", "g", None, "joy", "s9")]
    rows += [("0", "test", "h", None, "joy", "s9")]
    assert found(split(*rows))[0] == {}, "neither a shared speaker nor different ones"


NAMED = ("fold", "split", "clip", "speaker", "listed", "named", "folder")


def test_a_conflict_with_a_speaker_of_another_part_is_a_leak():
    rows = [(str(0), part, f"{part}{n}", who, who, code, code) for part, who, code in _people() for n in range(3)]
    assert found(split(*rows, columns=NAMED))[0] == {}
    astray = (
        "0",
        "train",
        "odd",
        "one",
        "one",
        "02",
        "01",
    )  # speaker 01 by table and folder, 02 by name; 02 is in test
    findings, _ = found(split(*rows, astray, columns=NAMED))
    assert findings["speaker-conflict", "leak"].rows[0]["clips"] == ["odd"]
    beside = ("0", "test", "odd", "two", "two", "03", "02")  # 03 is in test too
    findings, _ = found(split(*rows, beside, columns=NAMED))
    assert set(findings) == {("speaker-conflict", "note")}


def test_speaker_conflicts_are_not_examined_with_one_source():
    alone = [("0", "train", "a", "01", None, "01", None), ("0", "test", "b", "02", None, "02", None)]
    apart = [("0", "train", "a", "one", "one", None, None), ("0", "test", "b", "02", None, "02", None)]
    for rows in (alone, apart):
        assert found(split(*rows, columns=NAMED))[1]["speaker-conflict"] == "speakers are known from one source only"
    twice = ("0", "test", "c", "02", None, "02", "02")
    assert "speaker-conflict" not in found(split(*alone, twice, columns=NAMED))[1]


def test_name_and_folder_are_compared_if_the_table_has_no_speakers():
    rows = [("0", part, f"{part}{n}", code, None, code, code) for part, _, code in _people() for n in range(3)]
    astray = ("0", "train", "odd", "01", None, "01", "02")  # a name of 01 in the folder of 02; 02 is in test
    findings, _ = found(split(*rows, astray, columns=NAMED))
    (row,) = findings["speaker-conflict", "leak"].rows
    assert (row["clips"], row["named"], row["folder"]) == (["odd"], "01", "02")


def test_a_column_with_missing_values_is_examined_in_part():
    *_, partly = examine(split(*CLEAN), None)
    assert partly == {}
    *_, partly = examine(split(*CLEAN, ("0", "test", "f", None, "joy", "s6")), None)
    assert partly["shared-speaker"] == "5 of 6 clips whose speakers are known"
    assert set(partly) == {"shared-speaker", "same-sentence", "shared-sentence"}


def _people():
    return [("train", "one", "01"), ("test", "two", "02"), ("test", "three", "03"), ("validation", "four", "04")]


def test_missing_classes_and_shared_sentences_are_notes():
    rows = [*CLEAN[:4], ("0", "test", "e", "t", "joy", "s1")]
    findings, _ = found(split(*rows))
    assert findings["missing-class", "note"].text == "no clip of anger in a test part (fold 0)"
    assert findings["shared-sentence", "note"].text == "1 sentence of different speakers in train and test: s1 (fold 0)"
    assert set(findings) == {("missing-class", "note"), ("shared-sentence", "note")}
    assert ("missing-class", "note") not in found(split(*rows), classes=["joy"])[0]


def test_speakers_of_two_corpora_are_different():
    columns = ("fold", "split", "clip", "speaker", "corpus")
    rows = [("0", "train", "a", "01", "x"), ("0", "test", "b", "01", "y"), ("0", "test", "c", "y/02", "y")]
    assert found(split(*rows, columns=columns))[0] == {}
    findings, _ = found(split(*rows, ("0", "train", "d", "02", "y"), columns=columns))
    assert findings["shared-speaker", "leak"].rows[0]["speaker"] == "y/02"
    rows = [("f", part, f"{part}{corpus}", "p", corpus) for part in ("train", "test") for corpus in "xyz"]
    findings, _ = found(split(*rows, ("f", "test", "more", "q", "z"), columns=columns))
    assert findings["shared-speaker", "leak"].text == (
        "x: 1 of 1 speaker of test is in train: p (fold f); y: 1 of 1 speaker of test is in train: p (fold f); "
        "z: 1 of 2 speakers of test is in train: p (fold f)"
    )


def test_missing_values_are_not_examined_and_not_equal():
    rows = [("0", "train", "a", None, None, None), ("0", "test", "b", None, None, None)]
    findings, lacking = found(split(*rows))
    assert findings == {}
    assert set(lacking) == {*LEAKS, *NOTES} - {"identical-audio", "near-duplicate", "test-statistics"}


def test_every_finding_has_a_sentence_of_bounded_length():
    assert set(NAMES) == {*LEAKS, *NOTES}
    for name in NAMES:
        rows = [
            {
                "fold": str(n),
                "splits": ["train", "test"],
                "severity": "leak",
                "of": 300,
                "speaker": f"s{n}",
                "sentence": "x",
            }
            | {"clips": [f"a{n}", f"b{n}"], "recording": f"r{n}", "model": f"m{n}", "emotion": f"e{n}"}
            for n in range(300)
        ]
        (finding,) = grouped(name, rows)
        assert len(finding.rows) == 300
        assert len(finding.text) < 250


PARTS_OF_FILES = ("fold", "split", "clip", "speaker", "emotion", "file", "start", "end")


def test_parts_of_a_file_that_share_sound_are_found():
    rows = split(
        ("0", "train", "a", "p", "joy", "f.wav", "0", "3"),
        ("0", "test", "b", "q", "joy", "f.wav", "1", "4"),
        ("0", "test", "c", "q", "joy", "f.wav", "2.5", "5"),
        ("0", "validation", "d", "r", "joy", "f.wav", "4.5", "6"),
        ("0", "train", "e", "p", "joy", "g.wav", None, None),
        ("0", "test", "h", "q", "joy", "g.wav", "2", None),
        columns=PARTS_OF_FILES,
    )
    findings, lacking = found(rows)
    assert "overlapping-audio" not in lacking
    leak, note = findings["overlapping-audio", "leak"], findings["overlapping-audio", "note"]
    assert [(row["clips"], row.get("seconds")) for row in leak.rows] == [
        (["a", "b"], 2.0),
        (["a", "c"], 0.5),
        (["e", "h"], None),
    ]
    assert (
        leak.text == "3 pairs of clips that share sound in train and test, 2.0 s in all: a = b, a = c, e = h (fold 0)"
    )
    assert [(row["clips"], row["splits"], row["seconds"]) for row in note.rows] == [
        (["d", "c"], ["validation", "test"], 0.5)
    ]
    assert {row["recording"] for row in findings["shared-recording", "leak"].rows} == {"f.wav", "g.wav"}


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_equal_those_of_brute_force(seed):
    random = np.random.default_rng(seed)
    clips = [
        (
            *("0", str(random.choice(["train", "validation", "test"])), f"c{number}", "p", "joy"),
            *(str(random.choice(["f.wav", "g.wav"])), *map(str, np.cumsum(random.integers(1, 9, 2)))),
        )
        for number in range(40)
    ]
    findings, _ = found(split(*clips, columns=PARTS_OF_FILES))
    pairs = {tuple(sorted(row["clips"])) for row in findings["overlapping-audio", "leak"].rows}
    assert pairs == {
        tuple(sorted((one[2], other[2])))
        for one, other in itertools.combinations(clips, 2)
        if one[1] != other[1] and one[5] == other[5]
        if min(int(one[7]), int(other[7])) > max(int(one[6]), int(other[6]))
    }


def test_files_of_one_clip_each_and_parts_that_touch_are_clean():
    rows = split(
        ("0", "train", "a", "p", "joy", "a.wav", None, None),
        ("0", "test", "b", "q", "joy", "b.wav", None, None),
        ("0", "train", "c", "p", "joy", "c.wav", "0", "1"),
        ("0", "train", "d", "p", "joy", "c.wav", "0.5", "2"),
        columns=PARTS_OF_FILES,
    )
    assert found(rows)[0] == {}
