"""Each reader on a tiny corpus in its real layout: the columns of a clip, and how damage is listed."""

import pandas as pd
import pytest

from mien.corpora.readers import read
from mien.errors import CorpusError


def row_of(corpus, clip):
    """The row of a clip as a plain mapping, without missing values."""
    row = corpus.table.set_index("clip").loc[clip]
    return row.dropna().to_dict()


def problems(corpus):
    return list(corpus.problems.itertuples(index=False, name=None))


def test_emodb_reads_the_file_name(corpus):
    parsed = read("emodb", corpus("emodb"))
    assert row_of(parsed, "03a01Fa") == {
        "file": "wav/03a01Fa.wav",
        "speaker": "03",
        "gender": "male",
        "emotion": "happiness",
        "sentence": "a01",
        "take": "a",
    }
    assert parsed.table["gender"].tolist() == ["male", "male", "female", "female"]
    assert parsed.table["emotion"].tolist() == ["happiness", "neutral", "anger", "disgust"]
    assert (parsed.expected, parsed.shortfall) == (535, 531)


def test_emodb_lists_unknown_names_and_speakers(corpus):
    root = corpus("emodb")
    for name in ("07a01Fa.wav", "03a01Xa.wav", "hello.wav"):
        (root / name).touch()
    parsed = read("emodb", root)
    assert len(parsed.table) == 4
    strange = "not a name of EmoDB such as 03a01Fa, left out"
    assert problems(parsed) == [
        ("03a01Xa.wav", strange),
        ("07a01Fa.wav", "speaker 07 is none of EmoDB's 03, 08, 09, 10, 11, 12, 13, 14, 15, 16, left out"),
        ("hello.wav", strange),
    ]


@pytest.mark.parametrize("place", ["erkennung.txt", "wav/erkennung.txt"])
def test_emodb_reads_the_rates_of_the_listeners(corpus, place):
    root = corpus("emodb")
    assert "recognised" not in read("emodb", root).table
    rows = (
        "Nr.\tSatz\terkannt\tnatuerlich",
        "1\xa0\xa0\t03a01Fa.wav\t90,00\xa0\xa0\t66,67\xa0",
        "2\t08b10Wb.wav\t100\t80.5",
        "3\t16a07Ea.wav\tneunzig\t120",
        "4\t11a01Fa.wav\t35,00\t5,00",
        "",
        "5\t03a01Nc.wav",
    )
    (root / place).write_bytes("\r\n".join(rows).encode("latin-1"))
    parsed = read("emodb", root)
    assert parsed.table["recognised"].tolist()[::2] == [0.9, 1.0]
    assert parsed.table["natural"].tolist()[::2] == [pytest.approx(0.6667, abs=1e-12), 0.805]
    assert parsed.table[["recognised", "natural"]].isna().to_numpy()[1::2].all()
    assert problems(parsed) == [
        (place, "row 4: the rates of 16a07Ea are not percentages, ignored"),
        (place, "row 7: not a recording and two rates, ignored"),
    ]


@pytest.mark.parametrize("name", ["emodb", "ravdess", "librispeech"])
def test_one_file_a_stem_and_the_lossless_one(name, corpus):
    root = corpus(name)
    before = read(name, root)
    doubled = before.table["file"][0]
    (root / doubled).with_suffix(".mp3").touch()
    after = read(name, root)
    assert after.table["file"].tolist() == before.table["file"].tolist()
    assert [file for file, _ in problems(after)] == [doubled.rsplit(".", 1)[0] + ".mp3"]
    assert doubled in problems(after)[0][1]


def test_ravdess_reads_the_file_name(corpus):
    parsed = read("ravdess", corpus("ravdess"))
    assert row_of(parsed, "03-01-05-02-01-01-01") == {
        "file": "Actor_01/03-01-05-02-01-01-01.wav",
        "speaker": "01",
        "gender": "male",
        "emotion": "anger",
        "sentence": "Kids are talking by the door",
        "statement": "01",
        "repetition": "01",
        "intensity": "strong",
        "modality": "audio",
        "channel": "speech",
    }
    assert row_of(parsed, "03-01-04-01-01-01-02")["gender"] == "female"
    assert (parsed.expected, parsed.shortfall) == (1440, 1437)


def test_ravdess_leaves_out_a_clip_in_the_folder_of_another_actor(corpus):
    root = corpus("ravdess")
    (root / "Actor_02" / "03-01-06-01-01-01-01.wav").touch()
    (root / "03-01-06-01-01-01-24.wav").touch()
    parsed = read("ravdess", root)
    assert set(parsed.table["speaker"]) == {"01", "02", "24"}
    assert problems(parsed) == [
        ("Actor_02/03-01-06-01-01-01-01.wav", "the folder is of actor 02, the file name of actor 01, left out")
    ]


@pytest.mark.parametrize("code", ["00", "25", "99"])
def test_ravdess_knows_24_actors(code, corpus):
    root = corpus("ravdess")
    (root / f"03-01-05-02-01-01-{code}.wav").touch()
    assert [file for file, _ in problems(read("ravdess", root))] == [f"03-01-05-02-01-01-{code}.wav"]


def test_ravdess_in_sound_and_in_video_is_two_clips(corpus):
    root = corpus("ravdess")
    (root / "Actor_01" / "01-01-05-02-01-01-01.mp4").touch()
    (root / "Actor_01" / "03-02-05-02-01-01-01.wav").touch()
    parsed = read("ravdess", root)
    assert problems(parsed) == []
    assert {"01-01-05-02-01-01-01", "03-01-05-02-01-01-01"} <= set(parsed.table["clip"])
    assert parsed.expected == 1440 + 1440 + 1012


def test_librispeech_reads_sex_chapter_and_words(corpus):
    parsed = read("librispeech", corpus("librispeech"))
    assert row_of(parsed, "84-121123-0000") == {
        "file": "dev-clean/84/121123/84-121123-0000.flac",
        "speaker": "84",
        "gender": "female",
        "recording": "84-121123",
        "subset": "dev-clean",
        "text": "GO DO YOU HEAR",
    }
    assert row_of(parsed, "174-50561-0003")["gender"] == "male"
    assert parsed.table["emotion"].isna().all()
    assert (parsed.scheme, parsed.expected) == ("none", 2703)


def test_librispeech_is_found_from_above_and_from_within(corpus, tmp_path):
    root = corpus("librispeech")
    (tmp_path / "all").mkdir()
    root.rename(tmp_path / "all" / "LibriSpeech")
    above = read("librispeech", tmp_path / "all")
    within = read("librispeech", tmp_path / "all" / "LibriSpeech" / "dev-clean")
    for parsed in (above, within):
        assert parsed.table["gender"].tolist() == ["male", "female"]
        assert parsed.expected == 2703
    assert above.table["file"][1] == "LibriSpeech/dev-clean/84/121123/84-121123-0000.flac"
    assert within.table["file"][1] == "84/121123/84-121123-0000.flac"


def test_librispeech_lists_unknown_and_misplaced_speakers(corpus):
    root = corpus("librispeech")
    for path in ("dev-clean/9/1/9-1-0000.flac", "dev-clean/84/121123/174-121123-0001.flac"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    parsed = read("librispeech", root)
    assert "gender" not in row_of(parsed, "9-1-0000")
    assert problems(parsed) == [
        ("SPEAKERS.TXT", "speaker 9 is not listed, so the gender is missing"),
        (
            "dev-clean/84/121123/174-121123-0001.flac",
            "the folders are 84/121123, the file name gives 174/121123, left out",
        ),
    ]


def test_iemocap_reads_turns_ratings_and_raters(corpus):
    parsed = read("iemocap", corpus("iemocap"))
    assert row_of(parsed, "Ses01F_impro01_F000") == {
        "file": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
        "speaker": "Ses01F",
        "gender": "female",
        "emotion": "neutral",
        "session": "1",
        "recording": "Ses01F_impro01",
        "style": "improvised",
        "agreement": "majority",
        "valence": 2.5,
        "activation": 2.5,
        "dominance": 2.5,
        "raters": "E2:neutral;E3:neutral;E4:frustration+neutral;F1:anger+neutral",
        "dialog_start": 6.2901,
        "dialog_end": 8.2357,
    }
    scripted = row_of(parsed, "Ses02M_script01_1b_M000")
    assert (scripted["style"], scripted["speaker"], scripted["gender"]) == ("scripted", "Ses02M", "male")


def test_iemocap_takes_the_speaker_from_the_turn_not_from_the_dialog(corpus):
    parsed = read("iemocap", corpus("iemocap"))
    assert row_of(parsed, "Ses01F_impro01_M001")["speaker"] == "Ses01M"


def test_iemocap_keeps_turns_without_a_majority_and_merges_nothing(corpus):
    parsed = read("iemocap", corpus("iemocap"))
    undecided = row_of(parsed, "Ses01F_impro01_M001")
    assert undecided["agreement"] == "none"
    assert "emotion" not in undecided
    assert row_of(parsed, "Ses01F_impro01_F002")["emotion"] == "excitement"


def test_iemocap_lists_turns_without_sound_unknown_turns_and_bad_lines(corpus):
    root = corpus("iemocap")
    wav = root / "Session1/sentences/wav/Ses01F_impro01"
    (wav / "Ses01F_impro01_F000.wav").unlink()
    (wav / "Ses01F_impro01_F009.wav").touch()
    text = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    text.write_text(
        text.read_text()
        + "[1.0 - 2.0]\tSes01F_impro01_F010\tneu\t[2.5]\nC-E2:\tNeutral;\t()\n"
        + "[1.0 - 2.0]\tSes01F_impro01_F011\tzzz\t[2.5, 2.5, 2.5]\n"
    )
    (text.parent / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07")
    parsed = read("iemocap", root)
    assert parsed.table["clip"].tolist() == ["Ses01F_impro01_M001", "Ses01F_impro01_F002", "Ses02M_script01_1b_M000"]
    assert "neutral" not in row_of(parsed, "Ses01F_impro01_F002")["raters"]
    listing, sounds = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", "Session1/sentences/wav/Ses01F_impro01"
    assert problems(parsed) == [
        (listing, "Ses01F_impro01_F000 has no sentences/wav/.../Ses01F_impro01_F000.wav, left out"),
        (listing, "line 20: not [START - END] TURN EMOTION [V, A, D], left out"),
        (
            listing,
            "line 22: Ses01F_impro01_F011: emotion 'zzz' is none of ang, hap, exc, sad, neu, fru, fea, sur, dis, oth, "
            "xxx, left out",
        ),
        (f"{sounds}/Ses01F_impro01_F009.wav", "no evaluation file lists this turn, left out"),
    ]


def test_iemocap_may_lie_one_level_below(corpus, tmp_path):
    root = corpus("iemocap")
    inner = read("iemocap", root).table
    outer = read("iemocap", tmp_path).table
    assert outer["clip"].tolist() == inner["clip"].tolist()
    assert outer["file"].tolist() == [f"iemocap/{file}" for file in inner["file"]]


def test_cmu_mosei_averages_raters_and_finds_the_sound(corpus):
    parsed = read("cmu_mosei", corpus("cmu_mosei"))
    assert row_of(parsed, "-3g5yACwYnA_2") == {
        "file": "Raw/Videos/Segmented/Combined/-3g5yACwYnA_2.mp4",
        "speaker": "-3g5yACwYnA",
        "emotion": "happiness+sadness",
        "recording": "-3g5yACwYnA",
        "segment": "2",
        "ratings": "3",
        "anger": 0.0,
        "disgust": 0.0,
        "fear": 0.0,
        "happiness": 1.0,
        "sadness": pytest.approx(1 / 3),
        "surprise": 0.0,
        "text": "Key is part of ___ the people",
    }
    whole = row_of(parsed, "-3g5yACwYnA_3")
    assert (whole["file"], whole["start"], whole["end"]) == ("Raw/Audio/Full/WAV_16000/-3g5yACwYnA.wav", 22.1, 25.0)
    assert whole["emotion"] == "neutral"


def test_cmu_mosei_leaves_the_emotion_missing_if_a_rating_is_missing(corpus):
    unsure = row_of(read("cmu_mosei", corpus("cmu_mosei")), "a_1_0")
    assert "emotion" not in unsure
    assert "fear" not in unsure
    assert unsure["happiness"] == 0.0


def test_cmu_mosei_lists_segments_without_sound_and_impossible_ratings(corpus):
    root = corpus("cmu_mosei")
    ratings = root / "Raw/Labels/extra.csv"
    ratings.write_text(ratings.read_text() + "h2,gone,0,1,0,0,0,0,0\nh2,a_1,0,7,0,0,0,0,0\nh2,a_1,0,,,,,,\n")
    parsed = read("cmu_mosei", root)
    assert len(parsed.table) == 3
    assert row_of(parsed, "a_1_0")["ratings"] == "1"
    assert problems(parsed) == [
        ("Raw/Labels/extra.csv", "row 4: not a video, a segment and ratings from 0 to 3, left out"),
        ("gone_0", "no gone_0.wav, and no gone.wav with times in gone.txt, left out"),
    ]


def test_cmu_mosei_leaves_out_a_file_that_is_not_a_table(corpus):
    root = corpus("cmu_mosei")
    (root / "Raw/Labels/ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (root / "Raw/Labels/extra.csv").write_bytes((root / "Raw/Labels/extra.csv").read_bytes().replace(b"h1", b"\xe9"))
    parsed = read("cmu_mosei", root)
    assert len(parsed.table) == 3
    assert [file for file, _ in problems(parsed)] == ["Raw/Labels/ragged.csv"]


def test_a_table_keeps_its_columns_and_names_its_clips(corpus):
    parsed = read("table", corpus("table"))
    assert parsed.table["clip"].tolist() == ["a/one", "talk:0.5-2.25", "talk:3-4"]
    assert row_of(parsed, "talk:0.5-2.25") == {
        "file": "talk.mp4",
        "start": 0.5,
        "end": 2.25,
        "speaker": "bob",
        "gender": "male",
        "emotion": "anger+sadness",
        "split": "test",
    }
    assert row_of(parsed, "a/one")["rating"] == "2.5"
    assert (parsed.expected, parsed.shortfall) == (None, 0)


def test_a_table_is_given_as_a_file_or_as_its_folder(corpus):
    root = corpus("table")
    assert read("table", root / "corpus.csv").table.equals(read("table", root).table)
    assert read("table", root / "corpus.csv").root == root


def test_paths_of_a_table_are_absolute_or_below_its_root(corpus, tmp_path):
    root = corpus("table")
    (tmp_path / "other.wav").touch()
    (root / "corpus.csv").write_text(
        f"file,speaker\n{root / 'a/one.wav'},ann\n{tmp_path / 'other.wav'},bob\n../other.wav,bob\na/../talk.mp4,bob\n"
    )
    parsed = read("table", root)
    assert parsed.table["file"].tolist() == ["a/one.wav", str(tmp_path / "other.wav"), "talk.mp4"]
    assert problems(parsed) == [
        ("../other.wav", "the path ../other.wav leaves the corpus's folder; give it as an absolute path, left out")
    ]


def test_behind_a_link_the_way_up_is_that_of_the_operating_system(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    for folder in (root / "b" / "c", root / "d", other / "e"):
        folder.mkdir(parents=True)
    for name in (root / "z.wav", root / "b" / "z.wav", other / "z.wav", root / "d" / "y.wav"):
        name.touch()
    (root / "in").symlink_to(root / "b" / "c")
    (root / "out").symlink_to(other / "e")
    (root / "lk").symlink_to(root / "d")
    paths = ["in/../z.wav", "out/../z.wav", f"{root}/out/../z.wav", f"{root}/in/../z.wav", "d/../lk/y.wav", "./z.wav"]
    (root / "corpus.csv").write_text("file,speaker\n" + "".join(f"{path},ann\n" for path in paths[:3] + paths[4:]))
    parsed = read("table", root)
    assert parsed.table["file"].tolist() == ["b/z.wav", str(other / "z.wav"), "lk/y.wav", "z.wav"]
    assert problems(parsed) == [
        ("out/../z.wav", "the path out/../z.wav leaves the corpus's folder; give it as an absolute path, left out")
    ]
    (root / "corpus.csv").write_text(f"file,speaker\n{paths[3]},ann\n")
    assert read("table", root).table["file"].tolist() == ["b/z.wav"]


def test_the_option_root_says_where_the_files_of_a_table_are(corpus, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("file,speaker\na/one.wav,ann\n")
    root = corpus("table")
    parsed = read("table", table, {"root": str(root)})
    assert (parsed.root, parsed.table["file"].tolist()) == (root, ["a/one.wav"])
    with pytest.raises(CorpusError, match=r"^--option root=nowhere: no such folder$"):
        read("table", table, {"root": "nowhere"})


def of_table(root, head, *rows, separator=","):
    for number in range(len(rows)):
        (root / f"{number}.wav").touch()
    (root / "corpus.csv").write_text(
        "\n".join([head, *(f"{number}.wav{separator}{row}" for number, row in enumerate(rows))])
    )
    return read("table", root)


def test_columns_of_other_names_are_read_and_noted(tmp_path):
    parsed = of_table(tmp_path, "FileName,SpkrID,Emotion,Split_Set,seconds", "ann,Happy,Test1,3", "bob,sad,Train,4")
    assert parsed.table[["speaker", "emotion", "split", "seconds_given"]].to_numpy().tolist() == [
        ["ann", "happiness", "test", "3"],
        ["bob", "sadness", "train", "4"],
    ]
    assert parsed.notes == (
        *(
            f"the column '{theirs}' is read as '{ours}'"
            for theirs, ours in [
                *(("FileName", "file"), ("Split_Set", "split"), ("SpkrID", "speaker"), ("Emotion", "emotion")),
            ]
        ),
        "the column 'seconds' is kept as 'seconds_given', since mien has a column of that name",
    )


def test_durations_and_decimal_commas_give_the_end_of_a_clip(tmp_path):
    (tmp_path / "a.wav").touch()
    table = tmp_path / "corpus.csv"
    table.write_text("file;speaker;start;Duration\na.wav;ann;0,5;1,25\na.wav;ann;00:00:02;2\na.wav;ann;4;long\n")
    parsed = read("table", tmp_path)
    assert parsed.table[["clip", "start", "end"]].to_numpy().tolist() == [
        ["a:0.5-1.75", 0.5, 1.75],
        ["a:2-4", 2.0, 4.0],
    ]
    assert parsed.notes[:3] == (
        "the column 'Duration' is read as 'duration'",
        "decimal commas are read as points: start, duration",
        "the end of a clip is its start + its duration",
    )
    assert problems(parsed) == [("a.wav", "a:4-long: end 'long' is not a number of seconds, left out")]
    table.write_text("file,speaker,start\na.wav,ann,0\na.wav,ann,2\n")
    with pytest.raises(CorpusError) as error:
        read("table", tmp_path)
    assert str(error.value) == (
        f"{table}: several clips of a.wav have a start and no end; give a column 'end' or 'duration', in seconds"
    )


def test_decimal_commas_in_a_table_with_semicolons_are_numbers(tmp_path):
    rows = ["ann;1,50;-0,5;1,1;1.10", "bob;2;;x;1.1"]
    parsed = of_table(tmp_path, "file;speaker;Valenz;Erregung;code;other", *rows, separator=";")
    assert parsed.table["Valenz"].tolist() == [1.5, 2.0]
    assert parsed.table["Erregung"].tolist()[0] == -0.5
    assert parsed.table["Erregung"].isna().tolist() == [False, True]
    assert parsed.table[["code", "other"]].to_numpy().tolist() == [["1,1", "1.10"], ["x", "1.1"]]
    assert "decimal commas are read as points: Valenz, Erregung" in parsed.notes
    (tmp_path / "tabs").mkdir()
    parsed = of_table(tmp_path / "tabs", "file\tspeaker\tValenz", "ann\t1,50", "bob\t2", separator="\t")
    assert parsed.table["Valenz"].tolist() == ["1,50", "2"]


def test_a_label_is_the_emotion_only_where_its_words_are(tmp_path):
    assert of_table(tmp_path, "file,speaker,label", "ann,angry", "bob,sad").table["emotion"].tolist() == [
        "anger",
        "sadness",
    ]
    parsed = of_table(tmp_path, "file,speaker,label", "ann,yes", "bob,no")
    assert parsed.table["emotion"].isna().all()
    assert parsed.notes[-1] == (
        "no column is read as the emotion; the columns are: file, speaker, label; if one holds it, call it 'emotion'"
    )


def test_two_columns_that_may_be_meant_are_refused(tmp_path):
    with pytest.raises(CorpusError) as error:
        of_table(tmp_path, "file,Speaker,SPEAKER", "ann,bob")
    assert str(error.value).endswith(
        "corpus.csv: the columns 'Speaker' and 'SPEAKER' may both be the column 'speaker'; "
        "call the one that is meant 'speaker'"
    )


def test_words_for_not_known_are_missing_and_counted(tmp_path):
    parsed = of_table(
        tmp_path, "file,start,end,speaker,emotion", "NA,NA,ann,anger", ",,Unknown,anger", ",,None,NA", ",,bob,NA"
    )
    assert parsed.table["speaker"].fillna("").tolist() == ["ann", "", "", "bob"]
    assert parsed.table[["start", "end"]].isna().all(axis=None)
    assert parsed.table["emotion"].fillna("").tolist() == ["anger", "anger", "", ""]
    assert problems(parsed) == []
    assert parsed.notes == (
        "cells with NA, None are taken as not known: 1 of 'start', 1 of 'end', 1 of 'speaker', 2 of 'emotion'",
        "the speakers of 2 of 4 clips are not known: such clips are never scored, and may train as clips without a "
        "label do",
    )


def test_a_table_of_files_alone_is_a_corpus(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    (tmp_path / "corpus.csv").write_text("file\na.wav\nb.wav\n")
    parsed = read("table", tmp_path)
    assert parsed.table["clip"].tolist() == ["a", "b"]
    assert parsed.table[["speaker", "gender", "emotion"]].isna().all(axis=None)
    assert (parsed.lacks, problems(parsed)) == (("speaker",), [])
    assert parsed.notes == (
        "no column is read as the speaker; the columns are: file; if one names the people, call it 'speaker'",
        "no column is read as the emotion; the columns are: file; if one holds it, call it 'emotion'",
    )


def test_codes_with_a_point_stay_text(tmp_path):
    parsed = of_table(tmp_path, "file,speaker,sentence", "ann,1.1", "ann,1.10", "bob,1.20")
    assert parsed.table["sentence"].tolist() == ["1.1", "1.10", "1.20"]


def test_sessions_counted_for_each_speaker_are_joined_with_the_speaker(tmp_path):
    parsed = of_table(tmp_path, "file,speaker,session", *(f"{who},{number}" for who in "abcd" for number in (1, 2)))
    assert parsed.table["session"].tolist() == [f"{who}/{number}" for who in "abcd" for number in (1, 2)]
    assert parsed.notes[-1] == (
        "the names in the column 'session' are those of several speakers, in different files, so they are taken as "
        "numbered anew for each speaker and joined with the speaker, such as 'a/1'; where one belongs to several "
        "speakers, write 'shared/1'"
    )
    pairs = of_table(tmp_path, "file,speaker,session", "a,1", "b,1", "c,2", "d,2")
    assert pairs.table["session"].tolist() == ["1", "1", "2", "2"]


def test_a_table_lists_all_bad_rows_at_once(corpus):
    root = corpus("table")
    (root / "corpus.csv").write_text(
        "clip,file,speaker,gender\none,a/one.wav,ann,f\none,a/one.wav,bob,m\nx,gone.wav,cy,\ny,talk.mp4,,\nz,,dee,\n"
    )
    parsed = read("table", root)
    assert parsed.table["clip"].tolist() == ["one", "y"]
    assert problems(parsed) == [
        ("a/one.wav", "one: the clip name one is taken already, left out"),
        ("gone.wav", "no such file, left out"),
        ("z", "no file is given, left out"),
    ]


@pytest.mark.parametrize("parts", [False, True])
def test_clips_that_are_counted_anew_in_each_file_are_named_by_file_and_part(tmp_path, parts):
    for name in ("a.wav", "b.wav", "b.mp4"):
        (tmp_path / name).touch()
    files = ["a.wav", "a.wav", "b.wav", "b.wav"] if parts else ["a.wav", "b.wav", "b.mp4"]
    rows = [(number % 2 + 1, file, number, number + 1, "ann") for number, file in enumerate(files)]
    whole = pd.DataFrame(rows, columns=["clip", "file", "start", "end", "speaker"])
    whole = whole if parts else whole.drop(columns=["start", "end"])
    whole.to_csv(tmp_path / "corpus.csv", index=False)
    parsed = read("table", tmp_path)
    assert parsed.table["clip"].tolist() == (["a:0-1", "a:1-2", "b:2-3", "b:3-4"] if parts else ["a", "b.wav", "b.mp4"])
    assert parsed.table["clip_given"].tolist() == ["1", "2", "1", "2"][: len(files)]
    assert problems(parsed) == []
    assert parsed.notes[-1] == (
        "the column 'clip' does not name each file, or part of one, once; clips are named by their files, and the "
        "column is kept as 'clip_given'"
    )


CALL_FILE = (
    "the one that names the recordings to 'file' (read as it, too: wav, path, audio, filename, file_name, filepath, "
    "file_path, wav_path, audio_path, audio_filepath, audio_file)"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "place,speaker\na,b\n",
            f"no column 'file'; it has: place, speaker; rename {CALL_FILE}",
        ),
        (
            "Datei;Sprecher;label\na;b;c\n",
            f"no column 'file'; it has: Datei, Sprecher, label; rename {CALL_FILE}",
        ),
        ("file,speaker\n", "has a header line and no clips; write one row a clip"),
        (
            "file,speaker\nno.wav,ann\n",
            "none of its 1 files is there, such as {root}/no.wav; relative paths are relative to the table's folder, "
            "or give --option root=FOLDER",
        ),
    ],
)
def test_a_table_without_a_usable_row_is_refused(text, sentence, tmp_path):
    (tmp_path / "corpus.csv").write_text(text)
    with pytest.raises(CorpusError) as error:
        read("table", tmp_path)
    assert str(error.value) == f"{tmp_path / 'corpus.csv'}: {sentence.format(root=tmp_path)}"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "emodb.zip").touch()
    with pytest.raises(CorpusError) as error:
        read("emodb", tmp_path / "emodb.zip")
    assert str(error.value) == f"{tmp_path / 'emodb.zip'}: no such folder"
