"""nEMO: the columns from name and table, clips left out if they disagree, and the real part at hand."""

import pytest

from mien.corpora.readers import read
from mien.corpora.readers.nemo import TABLE
from mien.errors import CorpusError

HEAD = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"


def listed(root, *rows, head=HEAD):
    """The folder, with these rows as its table."""
    (root / TABLE).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return root


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def test_name_and_table_describe_a_clip(corpus):
    parsed = read("nemo", corpus("nemo"))
    assert parsed.table.drop(columns=["start", "end"]).to_dict("records") == [
        {
            "clip": "EB0_surprised_1",
            "file": "samples/EB0_surprised_1.wav",
            "speaker": "EB0",
            "gender": "female",
            "emotion": "surprise",
            "sentence": "1",
            "age": "27",
            "text": "Lubię czytać przed snem.",
        },
        {
            "clip": "KS0_anger_14",
            "file": "samples/KS0_anger_14.flac",
            "speaker": "KS0",
            "gender": "male",
            "emotion": "anger",
            "sentence": "14",
            "age": "23",
            "text": "Ten miesiąc minął bardzo szybko.",
        },
    ]
    assert (parsed.scheme, parsed.expected, parsed.shortfall) == ("nemo", 4481, 4479)


def test_it_is_read_flat_from_above_and_from_within(corpus, tmp_path):
    root = corpus("nemo")
    clips = read("nemo", root).table["clip"].tolist()
    above, within = read("nemo", tmp_path), read("nemo", root / "samples")
    assert above.table["file"].tolist() == ["nemo/samples/EB0_surprised_1.wav", "nemo/samples/KS0_anger_14.flac"]
    assert within.table["file"].tolist() == ["EB0_surprised_1.wav", "KS0_anger_14.flac"]
    for file in (root / "samples").iterdir():
        file.rename(root / file.name)
    flat = read("nemo", root)
    assert flat.table["file"].tolist() == ["EB0_surprised_1.wav", "KS0_anger_14.flac"]
    assert clips == above.table["clip"].tolist() == within.table["clip"].tolist() == flat.table["clip"].tolist()
    assert above.problems.empty
    assert within.problems.empty


def test_one_file_a_stem_and_the_lossless_one(corpus):
    root = corpus("nemo")
    (root / "samples/KS0_anger_14.mp3").touch()
    parsed = read("nemo", root)
    assert parsed.table["file"].tolist() == ["samples/EB0_surprised_1.wav", "samples/KS0_anger_14.flac"]
    assert problems(parsed) == [
        (
            "samples/KS0_anger_14.mp3",
            "a second file of the clip KS0_anger_14 beside samples/KS0_anger_14.flac, left out",
        )
    ]


def test_clips_whose_name_and_table_disagree_are_left_out(corpus):
    root = listed(
        corpus("nemo"),
        "KS0_anger_14.wav\tanger\tTen miesiąc.\tten miesiąc\t        WR0\tmale\t23",
        "EB0_surprised_1.wav\tfear\tLubię czytać.\tlubię czytać\t        EB0\tfemale\t27",
        "MK0_fear_2.wav\tfear\tChodźmy w tango.\tchodźmy w tango\t        MK0\tfemale\t23",
    )
    (root / "samples/MK0_fear_2.mp3").touch()
    parsed = read("nemo", root)
    assert parsed.table["clip"].tolist() == ["MK0_fear_2"]
    assert problems(parsed) == [
        ("samples/EB0_surprised_1.wav", "data.tsv gives the emotion 'fear', the file name gives 'surprised', left out"),
        ("samples/KS0_anger_14.flac", "data.tsv gives the speaker 'WR0', the file name gives 'KS0', left out"),
    ]


def test_recordings_that_the_table_or_nemo_does_not_know_are_listed(corpus):
    root = corpus("nemo")
    for name in ("IC0_fear_2.wav", "KS0_joy_14.wav", "hello.wav"):
        (root / "samples" / name).touch()
    parsed = read("nemo", root)
    assert len(parsed.table) == 2
    assert problems(parsed) == [
        ("samples/IC0_fear_2.wav", "data.tsv has no row for it, left out"),
        (
            "samples/KS0_joy_14.wav",
            "emotion 'joy' is none of anger, fear, happiness, neutral, sadness, surprised, left out",
        ),
        ("samples/hello.wav", "not a name of nEMO such as KS0_anger_14, left out"),
    ]


def test_rows_of_the_table_that_name_no_clip_are_listed(corpus):
    root = corpus("nemo")
    text = (root / TABLE).read_text(encoding="utf-8")
    more = "KS0_anger_14.wav\tfear\n\n\tanger\t\t\tKS0\nsome.wav\tanger\t\t\tKS0\n"  # with a blank line
    (root / TABLE).write_text(text + more, "utf-8")
    parsed = read("nemo", root)
    assert parsed.table["emotion"].tolist() == ["surprise", "anger"]
    assert problems(parsed) == [
        ("data.tsv", "row 5: KS0_anger_14 has a row already, ignored"),
        ("data.tsv", "row 7: '' is not a name such as KS0_anger_14.wav, ignored"),
        ("data.tsv", "row 8: 'some.wav' is not a name such as KS0_anger_14.wav, ignored"),
    ]


def test_gender_age_and_text_may_be_absent(corpus):
    root = listed(corpus("nemo"), "KS0_anger_14\tanger\tKS0", head="file_id\temotion\tspeaker_id")
    (root / "samples/EB0_surprised_1.wav").unlink()
    parsed = read("nemo", root)
    assert parsed.problems.empty
    assert "age" not in parsed.table
    assert "text" not in parsed.table
    assert parsed.table[["clip", "speaker", "emotion", "sentence"]].to_numpy().tolist() == [
        ["KS0_anger_14", "KS0", "anger", "14"]
    ]
    assert parsed.table["gender"].isna().all()


def test_a_folder_without_the_table_is_refused(corpus):
    root = corpus("nemo")
    (root / TABLE).unlink()
    with pytest.raises(CorpusError) as error:
        read("nemo", root)
    assert str(error.value) == f"{root}: not nEMO; no data.tsv in it, below it, or one level above"


def test_a_table_without_speakers_is_refused(corpus):
    root = listed(corpus("nemo"), "KS0_anger_14.wav\tanger", head="file_id\temotion")
    with pytest.raises(CorpusError) as error:
        read("nemo", root)
    assert str(error.value) == (
        f"{root / TABLE}: no column 'speaker_id'; it has: file_id, emotion; take the table of the release, with tabs"
    )


def test_a_damaged_table_is_refused(corpus):
    root = corpus("nemo")
    (root / TABLE).write_bytes(f"{HEAD}\n".encode() + b"\xff\xfe\tanger\n")
    with pytest.raises(CorpusError) as error:
        read("nemo", root)
    assert str(error.value).startswith(f"{root / TABLE}: not a table with tabs and a header line in UTF-8 (")


def test_a_folder_without_a_recording_that_is_listed_is_refused(corpus):
    root = corpus("nemo")
    for file in (root / "samples").iterdir():
        file.unlink()
    example = f"{root}: no recording below it that nEMO's data.tsv lists, such as KS0_anger_14.wav"
    with pytest.raises(CorpusError) as error:
        read("nemo", root)
    assert str(error.value) == example
    (root / "hello.wav").touch()
    with pytest.raises(CorpusError) as error:
        read("nemo", root)
    assert str(error.value) == f"{example} (hello.wav: not a name of nEMO such as KS0_anger_14, left out)"


@pytest.mark.recordings
def test_the_part_at_hand_has_nine_speakers_and_no_problem(recordings):
    parsed = read("nemo", recordings / "nemo")
    table = parsed.table
    assert (len(table), parsed.expected, parsed.shortfall) == (1026, 4481, 3455)
    assert parsed.problems.empty
    assert table["speaker"].value_counts().to_dict() == {
        **dict.fromkeys(("EB0", "IC0", "KD0", "KS0", "SM0", "TP0", "WR0"), 120),
        "MK0": 100,
        "MP0": 86,
    }
    people = table.drop_duplicates("speaker").set_index("speaker")
    assert people["gender"].value_counts().to_dict() == {"male": 5, "female": 4}
    assert people["age"].sort_index().tolist() == ["27", "28", "28", "23", "23", "24", "24", "26", "23"]
    assert table["emotion"].value_counts().to_dict() == {
        "neutral": 180,
        "happiness": 175,
        "sadness": 175,
        "anger": 173,
        "fear": 171,
        "surprise": 152,
    }
    assert table["sentence"].nunique() == table["text"].nunique() == 20
