"""RML: the folders of subjects and languages, names, and what disagrees."""

import pytest

from layouts import touch
from mien.corpora.readers import miscounts, read
from mien.errors import ConfigError, CorpusError

CODES = {"an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "sa": "sadness", "su": "surprise"}


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def refused(root, options=None):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("rml", root, options or {})
    return str(error.value)


def test_folders_and_name_describe_a_clip(corpus):
    parsed = read("rml", corpus("rml"))
    assert parsed.table.drop(columns=["start", "end", "gender"]).fillna("").to_numpy().tolist() == [
        ["s1/an1", "rml-1/s1/an1.avi", "1", "anger", "1", ""],
        ["s4/Mandarin/su10", "rml-1/s4/Mandarin/su10.avi", "4", "surprise", "1", "Mandarin"],
        ["s4/english/su10", "rml-1/s4/english/su10.avi", "4", "surprise", "1", "English"],
        ["s8/ha2", "rml-2/s8/ha2.avi", "8", "happiness", "2", ""],
    ]
    assert parsed.table["gender"].isna().all()
    assert (parsed.scheme, parsed.expected) == ("rml", 720)
    assert parsed.notes == (
        "subjects in these clips: 3 of 8; not there: 2, 3, 5, 6, 7",
        "the language of 2 of 4 clips is not known: no folder is called like one",
    )


@pytest.mark.parametrize("folder", ["s3", "S03", "Subject 3", "subject_3", "SUBJECT-03", "s3 (2)", "x/s3/y"])
@pytest.mark.parametrize("stem", ["fe1", "FE_01", "fe (1)", "fe-1", "fe1b", "s3_fe1"])
def test_subjects_and_names_in_many_spellings(folder, stem, tmp_path):
    touch(tmp_path, f"{folder}/{stem}.avi")
    table = read("rml", tmp_path).table
    assert table[["speaker", "emotion"]].to_numpy().tolist() == [["3", "fear"]]


@pytest.mark.parametrize("stem", ["sample1", "fe", "fear", "xfe1", "feast", "ne1", "1fe", "s3 1"])
def test_other_names_are_listed(stem, tmp_path):
    touch(tmp_path, "s3/fe1.avi", f"s3/{stem}.avi")
    parsed = read("rml", tmp_path)
    assert parsed.table["clip"].tolist() == ["s3/fe1"]
    assert problems(parsed) == [(f"s3/{stem}.avi", "not a name of RML such as an1, left out")]


def test_clips_whose_folders_and_name_disagree_are_left_out(tmp_path):
    touch(
        tmp_path,
        "s1/an1.avi",
        "s1/s2_an2.avi",
        "s1/s2/an3.avi",
        "s9/an1.avi",
        "s1/happy/sa1.avi",
        "an7.avi",
        "s2_an7.avi",
    )
    parsed = read("rml", tmp_path)
    assert parsed.table[["clip", "speaker"]].to_numpy().tolist() == [["s1/an1", "1"], ["s2/s2_an7", "2"]]
    assert problems(parsed) == [
        ("an7.avi", "neither a folder such as s1 nor the file name gives the subject, left out"),
        ("s1/happy/sa1.avi", "the folder is of happiness, the file name of sadness, left out"),
        ("s1/s2/an3.avi", "its folders are of subject 2 and of subject 1, left out"),
        ("s1/s2_an2.avi", "the folder is of subject 1, the file name of subject 2, left out"),
        ("s9/an1.avi", "subject 9 is none of 1 to 8, left out"),
    ]


@pytest.mark.parametrize(
    ("folder", "language"),
    [("urdu", "Urdu"), ("Italian speech", "Italian"), ("Chinese Mandarin", None), ("2", None), ("Persiana", None)],
)
def test_a_language_is_a_folder_called_like_one(folder, language, tmp_path):
    touch(tmp_path, f"s1/{folder}/an1.avi", "s2/Persian/an1.avi")
    languages = read("rml", tmp_path).table["language"]
    assert languages.fillna("none").tolist() == [language or "none", "Persian"]


def test_without_a_language_or_a_part_there_is_no_such_column(tmp_path):
    touch(tmp_path, "s1/an1.avi", "s2/an1.avi")
    assert {"part", "language"}.isdisjoint(read("rml", tmp_path).table.columns)


def test_the_root_may_be_a_subject_s_folder_and_a_mount_called_s3_is_none(corpus, tmp_path):
    own = read("rml", corpus("rml") / "rml-1" / "s4")
    assert own.table["clip"].tolist() == ["s4/Mandarin/su10", "s4/english/su10"]
    root = tmp_path / "s3" / "data"
    touch(root, "s1/an1.avi")
    assert read("rml", root).table["speaker"].tolist() == ["1"]


def test_film_and_sound_of_a_clip_are_one(tmp_path):
    touch(tmp_path, "rml-1/s1/an1.avi", "rml-1/s1/an1.wav", "copy/s1/an1.avi")
    parsed = read("rml", tmp_path)
    assert parsed.table["file"].tolist() == ["copy/s1/an1.avi"]
    assert problems(parsed) == [
        ("rml-1/s1/an1.avi", "a second file of the clip s1/an1 beside copy/s1/an1.avi, left out")
    ]
    assert read("rml", tmp_path, {"media": "sound"}).table["file"].tolist() == ["rml-1/s1/an1.wav"]
    assert refused(tmp_path, {"media": "face"}) == "option media: unknown value 'face'. Known: sound, video."


def test_another_corpus_is_refused(corpus):
    root = corpus("emodb")
    assert refused(root) == (
        f"{root}: not RML; no recording such as rml-1/s1/an1.avi below it "
        "(wav/03a01Fa.wav: not a name of RML such as an1, left out)"
    )


def test_a_complete_corpus_has_the_published_counts(tmp_path):
    touch(tmp_path, *(f"s{s}/{code}{n}.avi" for s in range(1, 9) for code in CODES for n in range(1, 16)))
    parsed = read("rml", tmp_path)
    assert (len(parsed.table), parsed.shortfall) == (720, 0)
    assert miscounts("rml", parsed.table) == []
    assert parsed.notes[0] == "subjects in these clips: 8 of 8"
    assert miscounts("rml", parsed.table[1:]) == [
        "note: rml: 719 clips of all classes under the scheme 'rml', the complete corpus has 720",
        "note: rml: 119 clips of anger under the scheme 'rml', the complete corpus has 120",
    ]
