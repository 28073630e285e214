"""eNTERFACE'05: names, the slips of the release, what disagrees, and a published list of its files."""

import json

import pytest

from layouts import touch
from mien.corpora.readers import miscounts, read
from mien.corpora.readers.enterface import parse_name
from mien.errors import ConfigError, CorpusError


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def refused(root, options=None):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("enterface", root, options or {})
    return str(error.value)


def test_folders_and_name_describe_a_clip(corpus):
    parsed = read("enterface", corpus("enterface"))
    assert parsed.table.drop(columns=["start", "end", "gender"]).fillna("").to_numpy().tolist() == [
        ["s11_an_1", "subject 11/anger/sentence 1/s12_an_1.avi", "11", "anger", "an_1"],
        ["s12_an_1", "subject 12/anger/sentence 1/s12_an_1.avi", "12", "anger", "an_1"],
        ["s1_su_5", "subject 1/surprise/sentence 5/s1_su_5.avi", "1", "surprise", "su_5"],
        ["s3_ha_1", "subject 3/happiness/sentence 1/s_3_ha_1.avi", "3", "happiness", "ha_1"],
        ["s6_fe", "subject 6/fear/s6_fe.avi", "6", "fear", ""],
    ]
    assert parsed.table["gender"].isna().all()
    assert (parsed.scheme, parsed.expected) == ("enterface", 1293)
    assert parsed.notes == (
        "subjects in these clips: 5 of 44; not there: 2, 4, 5, 7, 8, ...",
        "1 files in the folder of subject 11 are named as of subject 12, as in the release; the folder counts, and "
        "their clips are called s11_...",
        "films of all sentences of an emotion, a minute or more in the release, are one clip each: s6_fe",
    )


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("s44_di_2", ("44", "disgust", "di_2")),
        ("S5_SA_3", ("5", "sadness", "sa_3")),
        ("s05_sa_3", ("5", "sadness", "sa_3")),
        ("s_3_fe_5", ("3", "fear", "fe_5")),
        ("s16_su_3avi", ("16", "surprise", "su_3")),
        ("s6_ha", ("6", "happiness", None)),
        *[(stem, None) for stem in ("s1_ne_1", "s1_an_6", "s1_an_0", "s1an1", "an_1", "s1_an_1_2", "s123_an_1", "an1")],
    ],
)
def test_a_name_is_subject_emotion_and_sentence(stem, parts):
    expected = None if parts is None else dict(zip(("speaker", "emotion", "sentence"), parts, strict=True))
    assert parse_name(stem) == (expected and {key: value for key, value in expected.items() if value})


def test_clips_whose_folders_and_name_disagree_are_left_out(tmp_path):
    touch(
        tmp_path,
        "subject 1/anger/sentence 1/s1_an_1.avi",
        "subject 1/anger/sentence 2/s2_an_2.avi",
        "subject 12/anger/sentence 1/s11_an_1.avi",
        "subject 1/fear/sentence 1/s1_sa_1.avi",
        "subject 45/fear/sentence 1/s45_fe_1.avi",
        "subject 2/subject 4/s4_fe_1.avi",
        "subject 2/anger/sentence 1/s2_an_2.avi",
        "subject 2/anger/party.avi",
    )
    parsed = read("enterface", tmp_path)
    assert parsed.table[["clip", "sentence"]].fillna("").to_numpy().tolist() == [["s1_an_1", "an_1"], ["s2_an_2", ""]]
    assert problems(parsed) == [
        ("subject 1/anger/sentence 2/s2_an_2.avi", "the folder is of subject 1, the file name of subject 2, left out"),
        ("subject 1/fear/sentence 1/s1_sa_1.avi", "the folder is of fear, the file name of sadness, left out"),
        (
            "subject 12/anger/sentence 1/s11_an_1.avi",
            "the folder is of subject 12, the file name of subject 11, left out",
        ),
        ("subject 2/anger/party.avi", "not a name of eNTERFACE'05 such as s1_an_1, left out"),
        ("subject 2/subject 4/s4_fe_1.avi", "its folders are of subject 4 and of subject 2, left out"),
        ("subject 45/fear/sentence 1/s45_fe_1.avi", "subject 45 is none of 1 to 44, left out"),
    ]
    assert parsed.notes[1] == "folder and file name give different sentences, so these clips have none: s2_an_2"


@pytest.mark.parametrize("inside", ["subject 11", "subject 11/anger", "subject 11/anger/sentence 1"])
def test_a_subject_s_own_folder_may_be_the_root(inside, corpus):
    parsed = read("enterface", corpus("enterface") / inside)
    assert parsed.table["clip"].tolist() == ["s11_an_1"]
    assert problems(parsed) == []


def test_folders_above_the_root_say_nothing_where_those_below_do(tmp_path):
    root = tmp_path / "subject 2" / "fear"
    touch(root, "Subject_01/Anger/s1_an_1.wav")
    parsed = read("enterface", root)
    assert parsed.table[["clip", "speaker", "emotion"]].to_numpy().tolist() == [["s1_an_1", "1", "anger"]]


def test_a_flat_folder_is_read_by_names_alone(tmp_path):
    touch(tmp_path, "s1_an_1.mp4", "s2_an_1.mp4")
    assert read("enterface", tmp_path).table["speaker"].tolist() == ["1", "2"]


def test_film_and_sound_of_a_clip_are_one(tmp_path):
    touch(tmp_path, "a/s1_an_1.avi", "a/s1_an_1.wav", "b/s1_an_1.avi", "b/s2_an_1.wav")
    parsed = read("enterface", tmp_path)
    assert parsed.table["file"].tolist() == ["a/s1_an_1.avi", "b/s2_an_1.wav"]
    assert problems(parsed) == [("b/s1_an_1.avi", "a second file of the clip s1_an_1 beside a/s1_an_1.avi, left out")]
    sounds = read("enterface", tmp_path, {"media": "sound"})
    assert sounds.table["file"].tolist() == ["a/s1_an_1.wav", "b/s2_an_1.wav"]
    assert refused(tmp_path, {"media": "face"}) == "option media: unknown value 'face'. Known: sound, video."


def test_another_corpus_is_refused(corpus):
    root = corpus("ravdess")
    assert refused(root) == (
        f"{root}: not eNTERFACE'05; no recording such as subject 1/anger/sentence 1/s1_an_1.avi below it "
        "(Actor_01/03-01-01-01-02-02-01.wav: not a name of eNTERFACE'05 such as s1_an_1, left out)"
    )


@pytest.fixture(scope="module")
def listed(recordings, tmp_path_factory):
    """The release by EmoBox's list: 43 folders, since a name of subject 12 stands in the folder of subject 11 first."""
    root = tmp_path_factory.mktemp("enterface")
    for part in sorted((recordings / "splits" / "emobox" / "enterface").rglob("*.jsonl")):
        for line in part.read_text().splitlines():
            touch(root, json.loads(line)["wav"].removeprefix("downloads/enterface/"))
    return root


@pytest.mark.recordings
def test_a_published_list_of_the_release_is_read_whole(listed):
    parsed = read("enterface", listed)
    table = parsed.table
    assert problems(parsed) == []
    assert (len(table), table["speaker"].nunique(), parsed.shortfall) == (1263, 43, 30)
    assert table["emotion"].value_counts().to_dict() == {
        **dict.fromkeys(("anger", "disgust", "fear", "sadness", "surprise"), 211),
        "happiness": 208,
    }
    assert parsed.notes[0] == "subjects in these clips: 43 of 44; not there: 12"
    assert "these clips have none: s2_an_1, s2_an_2" in parsed.notes[2]
    assert table["sentence"].isna().sum() == 8
    for folder in sorted((listed / "subject 11").rglob("*.avi")):
        touch(listed, str(folder.relative_to(listed)).replace("subject 11", "subject 12"))
    whole = read("enterface", listed)
    assert (len(whole.table), whole.table["speaker"].nunique(), whole.shortfall) == (1293, 44, 0)
    assert miscounts("enterface", whole.table) == []
    assert len(miscounts("enterface", table)) == 7, "the control: a subject less"
