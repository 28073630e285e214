"""CREMA-D: names, sound and film of one performance, the votes and their ties, and the real tables at hand."""

import math
import shutil
import wave

import numpy as np
import pandas as pd
import pytest

from layouts import CREMA_D_COUNTS, CREMA_D_MAJORITIES
from mien.commands.prepare import prepare
from mien.corpora.readers import read
from mien.corpora.readers.crema_d import EMOTIONS, parse_name
from mien.errors import ConfigError, CorpusError

COUNTS, MAJORITIES = "processedResults/tabulatedVotes.csv", "processedResults/summaryTable.csv"
SIX = ("disgust", "anger", "fear", "neutral", "happiness", "sadness")  # in the order in which the paper counts them


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def emotions(parsed):
    return dict(zip(parsed.table["clip"], parsed.table["emotion"].fillna(""), strict=True))


def test_name_people_and_votes_describe_a_clip(corpus):
    parsed = read("crema_d", corpus("crema_d"))
    assert problems(parsed) == []
    assert (parsed.scheme, parsed.expected) == ("crema_d", 7442)
    row = parsed.table.set_index("clip").loc["1001_IEO_DIS_HI"]
    assert row[["file", "speaker", "gender", "emotion", "sentence", "text", "intended", "level"]].tolist() == [
        "VideoFlash/1001_IEO_DIS_HI.flv",
        "1001",
        "male",
        "disgust",
        "IEO",
        "It's eleven o'clock",
        "disgust",
        "high",
    ]
    assert row[["age", "race", "ethnicity"]].tolist() == ["51", "Caucasian", "Not Hispanic"]
    assert row[["voice_majority", "face_majority", "both_majority"]].tolist() == [
        "disgust+neutral",
        "anger+disgust",
        "anger+fear",
    ]
    assert row[["votes_voice_anger", "votes_voice_disgust", "votes_both_fear"]].tolist() == [2, 4, 5]
    assert row[["voice_anger", "voice_disgust", "both_fear"]].tolist() == [0.2, 0.4, 0.5]
    assert parsed.table.set_index("clip")["level"].isna()["1001_IEO_NEU_XX"]


def test_the_shares_of_a_presentation_sum_to_one(corpus):
    table = read("crema_d", corpus("crema_d")).table
    for presentation in ("voice", "face", "both"):
        shares = table[[f"{presentation}_{emotion}" for emotion in EMOTIONS.values()]]
        assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
        assert (shares.dtypes == "float64").all()


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("1091_WSI_SAD_LO", ("1091", "WSI", "sadness")),
        ("1001-IEO-NEU-XX", ("1001", "IEO", "neutral")),
        ("1040_ITH_SAD_X", ("1040", "ITH", "sadness")),
        *[(stem, None) for stem in ("1000_IEO_NEU_XX", "1092_IEO_NEU_XX", "1001_AAA_NEU_XX", "1001_IEO_SUR_XX")],
        *[(stem, None) for stem in ("1001_IEO_NEU", "1001_IEO_NEU_XX_2", "1001_ieo_neu_xx", "1001_IEO_NEU_ZZ")],
    ],
)
def test_a_name_is_actor_sentence_emotion_and_level(stem, parts):
    assert parse_name(stem) == (parts and dict(zip(("speaker", "sentence", "emotion"), parts, strict=True)))


def test_sound_and_film_of_a_performance_are_one_clip(corpus):
    root = corpus("crema_d")
    files = {media: read("crema_d", root, {"media": media}).table["file"].tolist() for media in ("sound", "video")}
    assert files["sound"] == ["VideoFlash/1001_IEO_DIS_HI.flv", "AudioWAV/1001_IEO_NEU_XX.wav"]
    assert files["video"] == ["VideoFlash/1001_IEO_DIS_HI.flv", "VideoFlash/1001_IEO_NEU_XX.flv"]
    (root / "AudioWAV/1001_IEO_NEU_XX.wav").unlink()
    assert read("crema_d", root).table["file"][1] == "AudioMP3/1001_IEO_NEU_XX.mp3"


def test_odd_names_and_second_files_are_listed(corpus):
    root = corpus("crema_d")
    for name in ("hello.wav", "1001_XYZ_NEU_XX.wav", "1001_IEO_JOY_XX.wav", "1001-IEO-NEU-XX.wav"):
        (root / name).touch()
    parsed = read("crema_d", root)
    assert len(parsed.table) == 2
    assert problems(parsed) == [
        ("1001_IEO_JOY_XX.wav", "emotion 'JOY' is none of ANG, DIS, FEA, HAP, NEU, SAD, left out"),
        (
            "1001_XYZ_NEU_XX.wav",
            "sentence 'XYZ' is none of DFA, IEO, IOM, ITH, ITS, IWL, IWW, MTI, TAI, TIE, TSI, WSI, left out",
        ),
        (
            "AudioWAV/1001_IEO_NEU_XX.wav",
            "a second file of the clip 1001_IEO_NEU_XX beside 1001-IEO-NEU-XX.wav, left out",
        ),
        ("hello.wav", "not a name of CREMA-D such as 1001_DFA_ANG_XX, left out"),
    ]


@pytest.mark.parametrize(
    ("options", "tied", "note"),
    [
        (
            {"labels": "voice"},
            "",
            "1 of them with the intended emotion among the tied; ties=missing: 1 clip without an",
        ),
        ({"labels": "voice", "ties": "intended"}, "disgust", "ties=intended: 0 clips without"),
        ({"labels": "face", "ties": "intended"}, "disgust", "ties=intended: 0 clips without"),
        (
            {"labels": "both", "ties": "intended"},
            "",
            "0 of them with the intended emotion among the tied; ties=intended",
        ),
        ({"labels": "both", "ties": "first"}, "anger", "ties=first: 0 clips without"),
        ({"labels": "face", "ties": "first"}, "disgust", "ties=first: 0 clips without"),
    ],
)
def test_a_tie_is_settled_as_the_option_says(corpus, options, tied, note):
    parsed = read("crema_d", corpus("crema_d"), options)
    assert emotions(parsed) == {"1001_IEO_DIS_HI": tied, "1001_IEO_NEU_XX": "neutral"}
    assert note in parsed.notes[-1]
    assert problems(parsed) == []


def test_each_table_alone_gives_the_same_emotions(corpus):
    root = corpus("crema_d")
    whole = read("crema_d", root, {"labels": "both", "ties": "first"})
    for table in (COUNTS, MAJORITIES):
        text = (root / table).read_text()
        (root / table).unlink()
        alone = read("crema_d", root, {"labels": "both", "ties": "first"})
        assert emotions(alone) == emotions(whole)
        assert ("votes_both_anger" in alone.table) == (table == MAJORITIES)
        (root / table).write_text(text)


def test_votes_that_cannot_be_used_are_listed(corpus):
    root = corpus("crema_d")
    counts = CREMA_D_COUNTS + (
        '"100003",0,0,0,0,9,0,"1001_TAI_SAD_XX"\n"100004",0,0,0,0,9,0,"1088_TAI_SAD_XX"\n'
        '"100005",0,0,0,0,9,0,"hello"\n"700006",0,0,0,0,9,0,"1001_IEO_NEU_XX"\n'
        '"100007",0,-1,0,0,9,0,"1001_IEO_NEU_XX"\n"100008",0,0,0,0,9,0,"1001_IEO_NEU_XX"\n'
        '"300009",0,0,0,0,0,0,"1001_IEO_NEU_XX"\n'
    )
    (root / COUNTS).write_text(counts)
    (root / MAJORITIES).write_text(CREMA_D_MAJORITIES.replace('"D:N"', '"D:Q"').replace('"N","92.22"', '"H","92.22"'))
    parsed = read("crema_d", root)
    assert problems(parsed) == [
        (
            MAJORITIES,
            "row 2: FaceVote of 1001_IEO_NEU_XX is happiness, and the counts of tabulatedVotes.csv give neutral, "
            "ignored",
        ),
        (MAJORITIES, "row 3: VoiceVote 'Q' is none of A, D, F, H, N, S, ignored"),
        (COUNTS, "row 10: 'hello' is not a name of CREMA-D such as 1001_DFA_ANG_XX, ignored"),
        (COUNTS, "row 11: '700006' does not begin with 1 (voice), 2 (face) or 3 (both), ignored"),
        (COUNTS, "row 12: '-1' of D is no count of votes, ignored"),
        (COUNTS, "row 13: 1001_IEO_NEU_XX has a row of votes on voice already, ignored"),
        (COUNTS, "row 14: 1001_IEO_NEU_XX has no vote, ignored"),
        (COUNTS, "row 8: there is no recording of 1001_TAI_SAD_XX, ignored"),
    ], "the row of actor 1088, of whom there is nothing, is no problem"
    assert parsed.table["face_majority"].tolist() == ["anger+disgust", "neutral"]


def test_a_clip_without_a_vote_has_no_emotion_and_is_listed(corpus):
    root = corpus("crema_d")
    for table, text in ((COUNTS, CREMA_D_COUNTS), (MAJORITIES, CREMA_D_MAJORITIES)):
        (root / table).write_text("".join(line for line in text.splitlines(True) if "NEU" not in line))
    parsed = read("crema_d", root, {"labels": "both", "ties": "first"})
    assert emotions(parsed) == {"1001_IEO_DIS_HI": "anger", "1001_IEO_NEU_XX": ""}
    assert math.isnan(parsed.table["both_neutral"][1])
    sentence = f"{COUNTS} and {MAJORITIES} has no vote for it, so it has no emotion"
    assert problems(parsed) == [("AudioWAV/1001_IEO_NEU_XX.wav", sentence)]
    assert problems(read("crema_d", root)) == []


def test_actors_without_a_row_and_without_the_table(corpus):
    root = corpus("crema_d")
    people = root / "VideoDemographics.csv"
    people.write_text('"ActorID","Age","Sex","Race","Ethnicity"\n1002,21,"Female","Asian","Not Hispanic"\n')
    parsed = read("crema_d", root)
    sentence = "no row of actor 1001, whose gender, age, race and ethnicity are not known"
    assert problems(parsed) == [("VideoDemographics.csv", sentence)]
    assert parsed.table[["gender", "age", "race"]].isna().all(axis=None)
    people.unlink()
    parsed = read("crema_d", root)
    assert parsed.problems.empty
    assert parsed.notes[0] == (
        "no VideoDemographics.csv in the folder or below it: gender, age, race and ethnicity are not known"
    )
    assert parsed.table["gender"].isna().all()


def test_options_that_are_not_understood_or_do_nothing_are_refused(corpus):
    root = corpus("crema_d")
    for options, sentence in (
        (
            {"labels": "faces"},
            "option labels: unknown value 'faces'. Did you mean 'face'? Known: both, face, intended, voice.",
        ),
        (
            {"ties": "first"},
            "option ties: intended emotions have no ties; leave it out, or give labels=both, voice or face",
        ),
        ({"media": "film"}, "option media: unknown value 'film'. Known: sound, video."),
    ):
        with pytest.raises(ConfigError) as error:
            read("crema_d", root, options)
        assert str(error.value) == sentence
    (root / COUNTS).unlink()
    (root / MAJORITIES).unlink()
    with pytest.raises(CorpusError) as error:
        read("crema_d", root, {"labels": "both"})
    assert str(error.value) == (
        f"{root}: labels=both needs the votes, and no tabulatedVotes.csv or summaryTable.csv in it or below it has any "
        "of its clips; take them from the release (processedResults), or give labels=intended"
    )


def test_damaged_tables_are_refused(corpus):
    root = corpus("crema_d")
    (root / COUNTS).write_text(CREMA_D_COUNTS.replace("fileName", "name"))
    with pytest.raises(CorpusError) as error:
        read("crema_d", root)
    assert str(error.value).startswith(f"{root / COUNTS}: no column 'fileName'; it has: ")
    (root / COUNTS).unlink()
    (root / "VideoDemographics.csv").write_text("ActorID,Age\n1001,51\n")
    with pytest.raises(CorpusError) as error:
        read("crema_d", root)
    assert str(error.value).startswith(f"{root / 'VideoDemographics.csv'}: no column 'Sex'; it has: ActorID, Age; ")


def test_sound_that_is_identical_under_two_emotions_is_listed(tmp_path):
    """Three pairs of the release are: here one of them, and a third clip with other sound."""
    root, generator = tmp_path / "corpus", np.random.default_rng(0)
    root.mkdir()
    sound = {"1017_IWW_ANG_XX": (one := generator.normal(0, 3000, 16_000)), "1017_IWW_FEA_XX": one}
    sound["1017_IWW_HAP_XX"] = one[::-1]
    for clip, samples in sound.items():
        with wave.open(str(root / f"{clip}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(samples.astype("<i2").tobytes())
    prepare("crema_d", root, out=tmp_path / "prepared", features=())
    listed = pd.read_csv(tmp_path / "prepared" / "problems.csv")
    assert dict(listed.itertuples(index=False)) == {
        "1017_IWW_ANG_XX.wav": "byte by byte the same as 1017_IWW_FEA_XX.wav, under another emotion (anger, there "
        "fear), kept",
        "1017_IWW_FEA_XX.wav": "byte by byte the same as 1017_IWW_ANG_XX.wav, under another emotion (fear, there "
        "anger), kept",
    }


@pytest.fixture(scope="module")
def release(recordings, tmp_path_factory):
    """The real tables, and an empty file for each of their clips."""
    tables = recordings / "crema_d"
    if not tables.is_dir():
        pytest.skip("needs the tables of CREMA-D: crema_d/ in the folder of real recordings")
    root = tmp_path_factory.mktemp("crema_d")
    for name in ("tabulatedVotes.csv", "summaryTable.csv", "VideoDemographics.csv"):
        shutil.copy(tables / name, root)
    (root / "AudioWAV").mkdir()
    for clip in pd.read_csv(tables / "SentenceFilenames.csv")["Filename"]:
        (root / "AudioWAV" / f"{clip}.wav").touch()
    return root


@pytest.mark.recordings
def test_the_real_tables_give_the_published_numbers(release):
    parsed = read("crema_d", release)
    assert parsed.problems.empty
    assert parsed.shortfall == 0
    assert parsed.table["emotion"].value_counts().to_dict() == {
        **dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271),
        "neutral": 1087,
    }
    people = parsed.table.drop_duplicates("speaker")
    assert people["gender"].value_counts().to_dict() == {"male": 48, "female": 43}
    assert pd.to_numeric(people["age"]).agg(["min", "max"]).tolist() == [20, 74]
    assert parsed.table["level"].value_counts().to_dict() == {"low": 455, "medium": 455, "high": 455}
    assert parsed.table["sentence"].nunique() == parsed.table["text"].nunique() == 12
    votes = parsed.table[[name for name in parsed.table if name.startswith("votes_")]]
    assert votes.sum().sum() == pd.read_csv(release / "tabulatedVotes.csv")["numResponses"].sum()


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("ties", "counts"),
    [
        ("missing", (1139, 1019, 1084, 1972, 1219, 589)),
        ("first", (1231, 1092, 1195, 2016, 1233, 675)),
    ],
)
def test_the_real_votes_on_both_have_420_ties(release, ties, counts):
    parsed = read("crema_d", release, {"labels": "both", "ties": ties})
    found = parsed.table["emotion"].value_counts()
    assert tuple(found[list(SIX)]) == counts
    assert parsed.table["emotion"].isna().sum() == (420 if ties == "missing" else 0)
