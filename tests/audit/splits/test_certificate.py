"""The notes of a certificate: one sentence for each class that a part of some fold lacks."""

import pandas as pd
import pytest

from mien.audit.splits.certificate import notes, table
from mien.audit.splits.findings import examine
from mien.data.protocols import Fold

SPEAKERS = "abcdef"


def sentences(lacking, folds=6, classes=("anger", "disgust")):
    """The notes of leave-one-speaker-out, where `lacking` maps a class to the speakers without a clip of it."""
    clips = pd.DataFrame(
        [(f"{who}-{label}", who, label) for who in SPEAKERS for label in classes if who not in lacking.get(label, "")],
        columns=["clip", "speaker", "label"],
    ).set_index("clip", drop=False)

    def of(*who):
        return tuple(clips["clip"][clips["speaker"].isin(who)])

    made = [
        Fold(number, of(*set(SPEAKERS) - {tested, SPEAKERS[number - 1]}), of(SPEAKERS[number - 1]), of(tested))
        for number, tested in enumerate(SPEAKERS)
    ]
    return notes(clips, made[:folds], ("anger", "disgust"))


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        ({}, []),
        ({"disgust": "abcdef"}, ["warning: disgust: no clip in any fold"]),
        ({"disgust": "b"}, ["note: disgust: no validation clip in fold 2; no test clip in fold 1"]),
        (
            {"disgust": "bdf", "anger": "a"},
            [
                "note: anger: no validation clip in fold 1; no test clip in fold 0",
                "note: disgust: no validation clip in folds 0, 2 and 4; no test clip in folds 1, 3 and 5",
            ],
        ),
        (
            {"disgust": "abcde"},
            [
                "warning: disgust: no training clip in folds 0 and 5; no validation clip in folds 1, 2, 3, 4 and 5; "
                "no test clip in folds 0, 1, 2, 3 and 4"
            ],
        ),
    ],
)
def test_one_sentence_tells_where_a_class_has_no_clip(lacking, sentence):
    assert sentences(lacking) == sentence


@pytest.mark.parametrize(("files", "noted"), [("one", True), ("two", False), ("each", False)])
def test_speakers_of_one_recording_each_are_noted(files, noted):
    names = {
        "one": lambda who, clip: who,
        "two": lambda who, clip: f"{who}{clip % 2}",
        "each": lambda who, clip: f"{who}{clip}",
    }
    clips = pd.DataFrame(
        [(f"{who}{clip}", names[files](who, clip), who, "anger") for who in "abc" for clip in range(4)],
        columns=["clip", "file", "speaker", "label"],
    ).set_index("clip", drop=False)
    fold = Fold(0, tuple(clips["clip"][:4]), tuple(clips["clip"][4:8]), tuple(clips["clip"][8:]))
    sentence = (
        "note: no speaker has a second recording, so how much an embedding reveals of the speaker across recordings is "
        "not measured; name the recordings in a column 'recording' if a file holds several"
    )
    assert notes(clips, [fold], ("anger",)) == [sentence] * noted


def test_one_fold_alone_and_all_of_several_are_told_apart():
    assert sentences({"disgust": "af"}, folds=1) == ["note: disgust: no validation clip; no test clip"]
    assert sentences({"disgust": "abf"}, folds=2) == [
        "note: disgust: no validation clip in any fold; no test clip in any fold"
    ]


def found(clips):
    table_of = pd.DataFrame(clips, columns=["clip", "file", "start", "end", "sha256", "speaker"]).assign(label="joy")
    rows = table(table_of.set_index("clip", drop=False), [Fold(0, ("a",), ("v",), ("t",))])
    return {one.finding: one for one in examine(rows, None)[0] if one.severity == "leak"}


def test_parts_of_copies_of_a_file_share_sound_and_recording():
    own = [("v", "v.wav", 0, 2, "other", "q")]
    leaks = found([*own, ("a", "x.wav", 0, 2, "same", "p"), ("t", "copy/x.wav", 1.5, 3, "same", "r")])
    assert {name: one.text for name, one in leaks.items()} == {
        "shared-recording": "1 recording or session in train and test: copy/x.wav (fold 0)",
        "overlapping-audio": "1 pair of clips that share sound in train and test, 0.5 s in all: a = t (fold 0)",
    }
    apart = found([*own, ("a", "x.wav", 0, 2, "same", "p"), ("t", "copy/x.wav", 2, 3, "same", "r")])
    assert apart.keys() == {"shared-recording"}
    whole = found([*own, ("a", "x.wav", None, None, "same", "p"), ("t", "copy/x.wav", None, None, "same", "r")])
    assert whole == {}  # found by its sound, as identical-audio
