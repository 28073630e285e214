"""The readers on the real corpora at hand: the counts in their publications."""

import pytest

from mien.corpora.readers import read

pytestmark = pytest.mark.recordings


def test_emodb_is_complete(recordings):
    corpus = read("emodb", recordings / "emodb")
    people = corpus.table.drop_duplicates("speaker")
    assert (len(corpus.table), len(people), corpus.shortfall) == (535, 10, 0)
    assert corpus.problems.empty
    assert people["gender"].value_counts().to_dict() == {"female": 5, "male": 5}
    assert corpus.table["emotion"].value_counts().to_dict() == {
        "anger": 127,
        "boredom": 81,
        "neutral": 79,
        "happiness": 71,
        "fear": 69,
        "sadness": 62,
        "disgust": 46,
    }
    clips = corpus.table.groupby(["speaker", "emotion"]).size()
    assert ("08", "disgust") not in clips
    assert (clips["03", "disgust"], clips["10", "disgust"], clips["09", "fear"]) == (1, 1, 1)


def test_ravdess_lacks_six_actors(recordings):
    corpus = read("ravdess", recordings / "ravdess")
    table = corpus.table
    assert (len(table), table["speaker"].nunique(), corpus.expected, corpus.shortfall) == (1080, 18, 1440, 360)
    assert corpus.problems.empty
    assert table.groupby("speaker").size().eq(60).all()
    assert table["emotion"].value_counts().to_dict() == {
        "neutral": 72,
        **dict.fromkeys(("calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 144),
    }
    assert set(table["intensity"][table["emotion"] == "neutral"]) == {"normal"}


def test_librispeech_has_16_women_and_12_men(recordings):
    corpus = read("librispeech", recordings / "librispeech")
    people = corpus.table.drop_duplicates("speaker")
    assert (len(corpus.table), len(people)) == (336, 28)
    assert people["gender"].value_counts().to_dict() == {"female": 16, "male": 12}
    assert corpus.table["emotion"].isna().all()
    assert corpus.problems.empty


def test_the_misplaced_file_of_a_public_ravdess_is_left_out(recordings):
    corpus = read("ravdess", recordings / "ravdess-original")
    assert len(corpus.table) == 6
    assert corpus.problems.to_numpy().tolist() == [
        ["Actor_05/03-01-05-01-01-01-02.wav", "the folder is of actor 05, the file name of actor 02, left out"]
    ]
