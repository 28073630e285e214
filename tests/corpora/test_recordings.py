"""The readers on the real corpora at hand: the counts in their publications."""

import pytest

from mien.corpora.readers import read

pytestmark = pytest.mark.recordings


def test_emodb_is_complete(recordings):
    found = read("emodb", recordings / "emodb")
    people = found.table.drop_duplicates("speaker")
    assert (len(found.table), len(people), found.shortfall) == (535, 10, 0)
    assert found.problems.empty
    assert people["gender"].value_counts().to_dict() == {"female": 5, "male": 5}
    assert found.table["emotion"].value_counts().to_dict() == {
        "anger": 127,
        "boredom": 81,
        "neutral": 79,
        "happiness": 71,
        "fear": 69,
        "sadness": 62,
        "disgust": 46,
    }
    clips = found.table.groupby(["speaker", "emotion"]).size()
    assert ("08", "disgust") not in clips
    assert (clips["03", "disgust"], clips["10", "disgust"], clips["09", "fear"]) == (1, 1, 1)


def test_ravdess_lacks_six_actors(recordings):
    found = read("ravdess", recordings / "ravdess")
    table = found.table
    assert (len(table), table["speaker"].nunique(), found.expected, found.shortfall) == (1080, 18, 1440, 360)
    assert found.problems.empty
    assert table.groupby("speaker").size().eq(60).all()
    assert table["emotion"].value_counts().to_dict() == {
        "neutral": 72,
        **dict.fromkeys(("calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 144),
    }
    assert set(table["intensity"][table["emotion"] == "neutral"]) == {"normal"}


def test_librispeech_has_16_women_and_12_men(recordings):
    found = read("librispeech", recordings / "librispeech")
    people = found.table.drop_duplicates("speaker")
    assert (len(found.table), len(people)) == (336, 28)
    assert people["gender"].value_counts().to_dict() == {"female": 16, "male": 12}
    assert found.table["emotion"].isna().all()
    assert found.problems.empty


def test_the_misplaced_file_of_a_public_ravdess_is_left_out(recordings):
    found = read("ravdess", recordings / "ravdess-original")
    assert len(found.table) == 6
    assert found.problems.to_numpy().tolist() == [
        ["Actor_05/03-01-05-01-01-01-02.wav", "the folder is of actor 05, the file name of actor 02, left out"]
    ]
