"""TESS: all labels are in the name; folder and name must agree; the file of another spelling is a clip like others."""

import pytest

from layouts import touch
from mien.corpora.readers import read
from mien.corpora.readers.tess import clip_of, parse_name
from mien.errors import CorpusError


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def test_the_name_describes_a_clip(corpus):
    parsed = read("tess", corpus("tess"))
    assert parsed.table.drop(columns=["start", "end"]).to_dict("records")[:2] == [
        {
            "clip": "OAF_back_fear",
            "file": "OAF_Fear/OAF_back_fear.wav",
            "speaker": "OAF",
            "gender": "female",
            "emotion": "fear",
            "sentence": "back",
            "text": "Say the word back",
            "age": "64",
        },
        {
            "clip": "OAF_back_ps",
            "file": "OAF_Pleasant_surprise/OAF_back_ps.wav",
            "speaker": "OAF",
            "gender": "female",
            "emotion": "surprise",
            "sentence": "back",
            "text": "Say the word back",
            "age": "64",
        },
    ]
    assert parsed.table.set_index("clip")["age"].to_dict() == {
        "OAF_back_fear": "64",
        "OAF_back_ps": "64",
        "OAF_bite_neutral": "64",
        "YAF_back_ps": "26",
        "YAF_youth_sad": "26",
    }
    assert (parsed.scheme, parsed.expected, parsed.shortfall) == ("tess", 2800, 2795)
    assert problems(parsed) == []


def test_the_file_of_another_spelling_is_of_the_older_speaker(corpus):
    root = corpus("tess")
    row = read("tess", root).table.set_index("clip").loc["OAF_bite_neutral"]
    assert (row["file"], row["speaker"], row["sentence"]) == ("OAF_neutral/OA_bite_neutral.wav", "OAF", "bite")
    touch(root, "OAF_neutral/OAF_bite_neutral.wav")  # renamed in some copies: the clip is there once
    parsed = read("tess", root)
    assert parsed.table["clip"].tolist().count("OAF_bite_neutral") == 1
    assert problems(parsed) == [
        (
            "OAF_neutral/OA_bite_neutral.wav",
            "a second file of the clip OAF_bite_neutral beside OAF_neutral/OAF_bite_neutral.wav, left out",
        )
    ]


@pytest.mark.parametrize(
    ("code", "emotion"),
    [
        ("angry", "anger"),
        ("disgust", "disgust"),
        ("fear", "fear"),
        ("happy", "happiness"),
        ("neutral", "neutral"),
        ("ps", "surprise"),
        ("sad", "sadness"),
    ],
)
def test_every_emotion_is_read(code, emotion):
    assert parse_name(f"YAF_youth_{code}") == {"speaker": "YAF", "sentence": "youth", "emotion": emotion}
    assert clip_of(f"YAF_youth_{code}") == f"YAF_youth_{code}"


def test_folder_and_name_must_agree(corpus):
    root = corpus("tess")
    touch(root, "OAF_Fear/YAF_bar_fear.wav", "yaf_sad/YAF_bar_fear.flac", "OAF_Pleasant_surprise/OAF_bar_happy.wav")
    parsed = read("tess", root)
    assert len(parsed.table) == 5
    assert problems(parsed) == [
        ("OAF_Fear/YAF_bar_fear.wav", "the folder is of speaker OAF, the file name of YAF, left out"),
        (
            "OAF_Pleasant_surprise/OAF_bar_happy.wav",
            "the folder is of the emotion 'ps', the file name of 'happy', left out",
        ),
        ("yaf_sad/YAF_bar_fear.flac", "the folder is of the emotion 'sad', the file name of 'fear', left out"),
    ]


def test_other_folders_say_nothing_and_other_names_are_listed(corpus):
    root = corpus("tess")
    touch(root, "OAF_wav/OAF_bar_sad.mp3", "x/YAF_bar_sad.wav", "OAF_bar_joy.wav", "OAF_bar.wav", "TAF_bar_sad.wav")
    parsed = read("tess", root)
    assert {"OAF_bar_sad", "YAF_bar_sad"} < set(parsed.table["clip"])
    assert problems(parsed) == [
        ("OAF_bar.wav", "not a name of TESS such as OAF_back_fear, left out"),
        ("OAF_bar_joy.wav", "emotion 'joy' is none of angry, disgust, fear, happy, neutral, ps, sad, left out"),
        ("TAF_bar_sad.wav", "not a name of TESS such as OAF_back_fear, left out"),
    ]


def test_a_folder_of_other_recordings_is_refused(tmp_path):
    touch(tmp_path, "hello.wav")
    with pytest.raises(CorpusError) as error:
        read("tess", tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: not TESS; no recording named like OAF_Fear/OAF_back_fear.wav below it (hello.wav: not a name of "
        "TESS such as OAF_back_fear, left out)"
    )
