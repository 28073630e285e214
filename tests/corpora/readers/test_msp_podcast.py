"""MSP-Podcast in its true layout: the columns of the labels, the parts, unknown speakers, and how damage is listed."""

import pytest

from mien.corpora.readers import read
from mien.corpora.schemes import apply, scheme
from mien.errors import ConfigError, CorpusError

HEAD = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
LABELS = "Labels/labels_consensus.csv"


def row_of(parsed, clip):
    return parsed.table.set_index("clip").loc[clip].dropna().to_dict()


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def podcast(root, *rows, head=HEAD):
    """A release with these rows, and a recording of each."""
    for folder in ("Labels", "Audios"):
        (root / folder).mkdir(exist_ok=True)
    (root / LABELS).write_text("\n".join([head, *rows]) + "\n")
    for row in rows:
        if name := row.split(",")[0]:
            (root / "Audios" / name).touch()
    return root


def test_a_turn_has_what_its_row_says(corpus):
    parsed = read("msp_podcast", corpus("msp_podcast"))
    assert row_of(parsed, "MSP-PODCAST_0001_0008") == {
        "file": "Audios/MSP-PODCAST_0001_0008.wav",
        "speaker": "127",
        "gender": "male",
        "emotion": "neutral",
        "recording": "0001",
        "consensus": "neutral",
        "activation": 2.2,
        "valence": 4.0,
        "dominance": 2.6,
        "partition": "Test1",
        "split": "test",
    }
    assert (parsed.expected, parsed.shortfall, parsed.scheme) == (149_307, 149_302, "msp_podcast")
    assert parsed.notes == (
        "2 turns have no emotion: 1 without agreement, 1 of another emotion; the column 'consensus' keeps which",
    )


def test_eight_emotions_are_classes_and_other_and_none_are_missing(tmp_path):
    rows = [f"MSP-PODCAST_0001_{n:04}.wav,{letter},4,4,4,7,Male,Train" for n, letter in enumerate("ASHUFDCNOX")]
    table = read("msp_podcast", podcast(tmp_path, *rows)).table
    known = ["anger", "sadness", "happiness", "surprise", "fear", "disgust", "contempt", "neutral"]
    assert table["consensus"].tolist() == [*known, "other", "none"]
    labels, lost = apply(scheme("msp_podcast"), table["emotion"])
    assert labels.fillna("").tolist() == [*known, "", ""]
    assert (sorted(known), lost) == (list(scheme("msp_podcast").classes), {})


@pytest.mark.parametrize("test", ["Test1", "Test2", "Test3"])
def test_the_option_says_which_part_is_tested(tmp_path, test):
    parts = ["Train", "Development", "Validation", "Test1", "Test2", "Test3"]
    rows = [f"MSP-PODCAST_000{n}_0001.wav,N,4,4,4,{n},Male,{part}" for n, part in enumerate(parts)]
    table = read("msp_podcast", podcast(tmp_path, *rows), {"test": test}).table
    split = dict(zip(table["partition"], table["split"].fillna(""), strict=True))
    others = dict.fromkeys(("Test1", "Test2", "Test3"), "") | {test: "test"}
    assert split == {"Train": "train", "Development": "validation", "Validation": "validation", **others}


def test_a_part_that_is_no_test_part_is_refused(corpus):
    with pytest.raises(ConfigError) as error:
        read("msp_podcast", corpus("msp_podcast"), {"test": "Test4"})
    assert str(error.value).startswith("option test: unknown part 'Test4'")


def test_turns_of_unknown_speakers_have_none_and_are_counted(tmp_path):
    rows = [
        f"MSP-PODCAST_0001_{n:04}.wav,H,4,4,4,{speaker},{gender},Train"
        for n, (speaker, gender) in enumerate(
            [("9", "Male"), ("Unknown", "Unknown"), ("Unknowned", "Unknowned"), ("", "Female")]
        )
    ]
    parsed = read("msp_podcast", podcast(tmp_path, *rows))
    assert parsed.table["speaker"].fillna("").tolist() == ["9", "", "", ""]
    assert parsed.table["gender"].fillna("").tolist() == ["male", "", "", "female"]
    assert parsed.table["emotion"].tolist() == ["happiness"] * 4
    assert problems(parsed) == []
    assert parsed.notes == (
        "3 turns are of unknown speakers, who may be speakers of another part, and are never scored",
    )


def test_damaged_rows_are_listed(tmp_path):
    rows = [
        "MSP-PODCAST_0001_0001.wav,H,7.5,much,0,9,Male,Train",
        "MSP-PODCAST_0001_0002.wav,Z,4,4,4,9,Male,Train",
        "MSP-PODCAST_0001_0001.wav,S,4,4,4,9,Male,Train",
        ",S,4,4,4,9,Male,Train",
        "",
        "MSP-PODCAST_0001_0003.wav,S,4,,4,9,Male,Holdout",
    ]
    parsed = read("msp_podcast", podcast(tmp_path, *rows))
    assert parsed.table["clip"].tolist() == ["MSP-PODCAST_0001_0001", "MSP-PODCAST_0001_0003"]
    assert parsed.table[["activation", "valence", "dominance"]].isna().to_numpy().tolist() == [
        [True, True, True],
        [False, True, False],
    ]
    assert parsed.table["split"].fillna("").tolist() == ["train", ""]
    first = "row 2: MSP-PODCAST_0001_0001: "
    unrated = "is not a number from 1 to 7, taken as missing"
    assert problems(parsed) == [
        ("Audios/MSP-PODCAST_0001_0002.wav", f"{LABELS} has no row for it, left out"),
        (LABELS, f"{first}EmoAct '7.5' {unrated}"),
        (LABELS, f"{first}EmoDom '0' {unrated}"),
        (LABELS, f"{first}EmoVal 'much' {unrated}"),
        (
            LABELS,
            "row 3: MSP-PODCAST_0001_0002: EmoClass 'Z' is none of A, S, H, U, F, D, C, N, O, X, left out",
        ),
        (LABELS, "row 4: MSP-PODCAST_0001_0001 has a row already, ignored"),
        (LABELS, "row 5: no FileName is given, ignored"),
        (
            LABELS,
            "row 7: MSP-PODCAST_0001_0003: Split_Set 'Holdout' is not Train, Development or Test1 to Test3, "
            "in no split",
        ),
    ]


def test_recordings_and_rows_that_lack_each_other_are_listed(corpus):
    root = corpus("msp_podcast")
    (root / "Audios/MSP-PODCAST_0001_0008.wav").rename(root / "Audios/MSP-PODCAST_9999_0001.wav")
    assert problems(read("msp_podcast", root)) == [
        ("Audios/MSP-PODCAST_9999_0001.wav", f"{LABELS} has no row for it, left out"),
        (LABELS, "MSP-PODCAST_0001_0008 has no recording MSP-PODCAST_0001_0008.wav, left out"),
    ]


@pytest.mark.parametrize("place", ["labels_consensus.csv", "Labels/labels_concensus.csv"])
def test_labels_and_recordings_lie_where_releases_put_them(corpus, place):
    root = corpus("msp_podcast")
    table = read("msp_podcast", root).table
    (root / LABELS).rename(root / place)
    (root / "Audios").rename(root / "Audio")
    moved = read("msp_podcast", root)
    assert moved.problems.empty
    assert moved.table.drop(columns="file").equals(table.drop(columns="file"))
    assert moved.table["file"][0] == "Audio/MSP-PODCAST_0001_0008.wav"


def test_of_two_files_of_labels_the_nearest_is_read(corpus):
    root = corpus("msp_podcast")
    (root / "labels_consensus.csv").write_text((root / LABELS).read_text().replace(",U,", ",F,"))
    parsed = read("msp_podcast", root)
    assert row_of(parsed, "MSP-PODCAST_0001_0019")["emotion"] == "fear"
    assert problems(parsed) == [(LABELS, "a second file of labels beside labels_consensus.csv, ignored")]


def test_a_folder_without_labels_columns_or_recordings_is_refused(tmp_path):
    row = "MSP-PODCAST_0001_0001.wav,H,4,4,4,9,Male"
    root = podcast(tmp_path, row, head=HEAD.removesuffix(",Split_Set"))
    with pytest.raises(CorpusError) as error:
        read("msp_podcast", root)
    assert str(error.value) == (
        f"{root / LABELS}: no column 'Split_Set'; it has: FileName, EmoClass, EmoAct, EmoVal, EmoDom, SpkrID, Gender"
    )
    podcast(root, f"{row},Train")
    (root / "Audios/MSP-PODCAST_0001_0001.wav").unlink()
    with pytest.raises(CorpusError) as error:
        read("msp_podcast", root)
    assert str(error.value) == (
        f"{root}: none of the 1 turns of {LABELS} has a recording below a folder Audios, such as "
        "Audios/MSP-PODCAST_0001_0001.wav"
    )
    (root / LABELS).unlink()
    with pytest.raises(CorpusError) as error:
        read("msp_podcast", root)
    assert str(error.value) == (f"{root}: not MSP-Podcast; no labels_consensus.csv in it or below it, such as {LABELS}")
