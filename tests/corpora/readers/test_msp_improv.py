"""MSP-IMPROV in its true layout: names, the text of evaluations, and how damage is listed."""

import pytest

from mien.corpora.readers import miscounts, read
from mien.corpora.readers.msp_improv import parse_name
from mien.corpora.schemes import apply, scheme
from mien.errors import ConfigError, CorpusError

FIRST = "MSP-IMPROV-S01A-F01-P-FM01"

# Busso et al. 2017, Table 4: turns of anger, sadness, happiness, neutral, other and without agreement, by scenario.
TURNS = {
    "T": (115, 106, 136, 283, 1, 11),
    "R": (169, 80, 88, 241, 3, 39),
    "S": (470, 633, 1048, 1789, 70, 371),
    "P": (38, 66, 1372, 1164, 11, 134),
}


def row_of(parsed, clip):
    return parsed.table.set_index("clip").loc[clip].dropna().to_dict()


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def write(root, *lines):
    (root / "Evalution.txt").write_text("\n\n".join(lines) + "\n")


def summary(name, code="N", ratings="A:3.0; V:3.0; D:3.0 ; N:3.0;"):
    return f"UTD-IMPROV-{name}.avi; {code}; {ratings}"


def test_a_turn_has_what_its_name_and_its_summary_say(corpus):
    parsed = read("msp_improv", corpus("msp_improv"))
    assert row_of(parsed, FIRST) == {
        "file": f"Audio/session1/S01A/P/{FIRST}.wav",
        "speaker": "F01",
        "gender": "female",
        "emotion": "happiness",
        "session": "1",
        "scenario": "natural",
        "target_emotion": "anger",
        "target_sentence": "01",
        "turn": "FM01",
        "consensus": "happiness",
        "activation": 2.833333,
        "valence": 3.166667,
        "dominance": 3.0,
        "naturalness": 3.833333,
        "ratings": "2",
    }
    assert (parsed.expected, parsed.shortfall, parsed.scheme) == (8438, 8434, "iemocap")


def test_the_sentence_is_that_of_the_turns_which_say_it(corpus):
    table = read("msp_improv", corpus("msp_improv")).table.set_index("scenario")
    assert table["target_sentence"].to_dict() == {"natural": "01", "target": "01", "read": "20", "improvised": "20"}
    assert table["sentence"].dropna().to_dict() == {"target": "01", "read": "20"}


def test_other_and_no_agreement_are_no_emotion_and_are_counted(corpus):
    parsed = read("msp_improv", corpus("msp_improv"))
    assert parsed.table["consensus"].tolist() == ["happiness", "anger", "none", "other"]
    assert parsed.table["emotion"].isna().tolist() == [False, False, True, True]
    assert parsed.notes == (
        "2 turns have no emotion: 1 without agreement, 1 of another emotion; the column 'consensus' keeps which",
    )


def test_means_that_nobody_gave_are_missing_and_no_problem(corpus):
    parsed = read("msp_improv", corpus("msp_improv"))
    assert parsed.table["dominance"].isna().tolist() == [False, False, True, False]
    assert parsed.table["naturalness"].isna().tolist() == [False, True, False, False]
    assert parsed.problems.empty


@pytest.mark.parametrize(
    "stem",
    [
        "MSP-IMPROV-S21A-F01-P-FM01",
        "MSP-IMPROV-S00A-F01-P-FM01",
        "MSP-IMPROV-S01X-F01-P-FM01",
        "MSP-IMPROV-S01A-F07-P-FM01",
        "MSP-IMPROV-S01A-F01-Q-FM01",
        "MSP-IMPROV-S01A-F01-P",
        "hello",
    ],
)
def test_a_name_outside_of_the_corpus_is_none(stem):
    assert parse_name(stem) is None


def test_the_kind_of_file_is_the_one_that_is_asked_for(corpus):
    root = corpus("msp_improv")
    (root / f"Audio/session1/S01A/P/{FIRST}.flac").touch()
    film, flac = f"Video/session1/S01A/P/UTD{FIRST[3:]}.avi", f"Audio/session1/S01A/P/{FIRST}.flac"
    assert row_of(read("msp_improv", root, {"media": "video"}), FIRST)["file"] == film
    parsed = read("msp_improv", root)
    assert parsed.table["file"].str[-4:].tolist() == [".wav", ".wav", ".wav", ".avi"]
    assert problems(parsed) == [(flac, f"a second file of the clip {FIRST} beside {flac[:-5]}.wav, left out")]
    with pytest.raises(ConfigError) as error:
        read("msp_improv", root, {"media": "film"})
    assert str(error.value) == "option media: 'film' is neither 'sound' nor 'video'"


def test_both_spellings_of_the_text_are_read_and_one_of_two(corpus):
    root = corpus("msp_improv")
    table = read("msp_improv", root).table
    (root / "Labels").mkdir()
    (root / "Evalution.txt").rename(root / "Labels/Evaluation.txt")
    assert read("msp_improv", root).table.equals(table)
    write(root, summary("S01A-F01-P-FM01", "S"))
    parsed = read("msp_improv", root)
    assert parsed.table["emotion"].tolist() == ["sadness"]
    second = ("Labels/Evaluation.txt", "a second file of evaluations beside Evalution.txt, ignored")
    assert second in problems(parsed)


def test_damaged_lines_are_listed(corpus):
    root = corpus("msp_improv")
    write(
        root,
        "% session 1",
        summary("S01A-F01-P-FM01", "H", "A:7.0; V:high; D:3.0 ; N:0.5;") + "\nx-p1; Happy; Happy; A:3; V:3; D:3; N:3;",
        summary("S01A-F01-P-FM01"),
        summary("S01A-M01-T-FM02", "Z"),
        summary("S20S-F06-R-FF01", "N", "A:3.0; V:3.0;"),
        summary("S20Z-F06-R-FF01"),
        summary("S20S-M06-S-MF03"),
    )
    parsed = read("msp_improv", root)
    assert parsed.table["clip"].tolist() == [FIRST, "MSP-IMPROV-S20S-M06-S-MF03"]
    assert row_of(parsed, FIRST)["dominance"] == 3.0
    assert row_of(parsed, FIRST)["ratings"] == "1"
    assert parsed.table.loc[0, ["activation", "valence", "naturalness"]].isna().all()
    unrated = "is not a number from 1 to 5, taken as missing"
    assert set(problems(parsed)) == {
        ("Evalution.txt", f"line 3: {FIRST}: activation '7.0' {unrated}"),
        ("Evalution.txt", f"line 3: {FIRST}: valence 'high' {unrated}"),
        ("Evalution.txt", f"line 3: {FIRST}: naturalness '0.5' {unrated}"),
        ("Evalution.txt", f"line 6: {FIRST} is listed already, ignored"),
        (
            "Evalution.txt",
            "line 8: MSP-IMPROV-S01A-M01-T-FM02: emotion 'Z' is none of A, H, N, S, O, X, left out",
        ),
        ("Evalution.txt", "line 10: MSP-IMPROV-S20S-F06-R-FF01: no D: in its line, left out"),
        (
            "Evalution.txt",
            "line 12: turn 'UTD-IMPROV-S20Z-F06-R-FF01' is not a name such as UTD-IMPROV-S01A-F01-P-FM01, left out",
        ),
        ("Audio/session1/S01A/T/MSP-IMPROV-S01A-M01-T-FM02.wav", "Evalution.txt does not list it, left out"),
        ("Audio/session6/S20S/R/MSP-IMPROV-S20S-F06-R-FF01.wav", "Evalution.txt does not list it, left out"),
    }


def test_recordings_and_turns_that_lack_each_other_are_listed(corpus):
    root = corpus("msp_improv")
    (root / "Audio/session6/S20S/R/MSP-IMPROV-S20S-F06-R-FF01.wav").unlink()
    for path in ("MSP-IMPROV-S02H-M02-S-FM09", "MSP-IMPROV-S02H-M03-S-FM01", "noise"):
        (root / f"Audio/session2/{path}.wav").parent.mkdir(exist_ok=True)
        (root / f"Audio/session2/{path}.wav").touch()
    assert problems(read("msp_improv", root)) == [
        ("Audio/session2/MSP-IMPROV-S02H-M02-S-FM09.wav", "Evalution.txt does not list it, left out"),
        (
            "Audio/session2/MSP-IMPROV-S02H-M03-S-FM01.wav",
            "the folder is of session 2, the file name of session 3, left out",
        ),
        ("Audio/session2/noise.wav", f"not a name of MSP-IMPROV such as {FIRST}, left out"),
        (
            "Evalution.txt",
            "MSP-IMPROV-S20S-F06-R-FF01 has no recording MSP-IMPROV-S20S-F06-R-FF01.wav, left out",
        ),
    ]


def test_activation_that_falls_with_excitement_is_noted(corpus):
    root = corpus("msp_improv")
    high, low = "A:4.5; V:2.0; D:3.0 ; N:3.0;", "A:1.5; V:2.0; D:3.0 ; N:3.0;"
    write(root, summary("S01A-F01-P-FM01", "A", high), summary("S01A-M01-T-FM02", "S", low))
    assert read("msp_improv", root).notes == ()
    write(root, summary("S01A-F01-P-FM01", "A", low), summary("S01A-M01-T-FM02", "S", high))
    parsed = read("msp_improv", root)
    assert parsed.table["activation"].tolist() == [1.5, 4.5]
    assert parsed.notes == (
        "activation is lower for anger (mean 1.50) than for sadness (4.50): it seems to fall from 1, active, to 5, "
        "calm, unlike in iemocap and msp_podcast; 6 - activation has their direction",
    )


def test_a_folder_without_evaluations_or_recordings_is_refused(corpus):
    root = corpus("msp_improv")
    write(root, summary("S03A-F03-P-FM01"))
    with pytest.raises(CorpusError) as error:
        read("msp_improv", root)
    assert str(error.value) == (
        f"{root}: none of the 1 turns of Evalution.txt has a recording below it, such as "
        f"Audio/session1/S01A/P/{FIRST}.wav"
    )
    (root / "Evalution.txt").unlink()
    with pytest.raises(CorpusError) as error:
        read("msp_improv", root)
    assert str(error.value) == (
        f"{root}: not MSP-IMPROV; no Evalution.txt (so the release spells it) in it or below it"
    )


def test_the_complete_corpus_has_the_published_counts(tmp_path):
    lines = []
    for scenario, counts in TURNS.items():
        codes = [code for code, count in zip("ASHNOX", counts, strict=True) for _ in range(count)]
        for number, code in enumerate(codes):
            session, sentence = number % 6 + 1, number // 6 % 20 + 1
            name = f"S{sentence:02}A-F0{session}-{scenario}-FM{number // 120:03}"
            lines.append(summary(name, code))
            place = tmp_path / f"Audio/session{session}/S{sentence:02}A/{scenario}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"MSP-IMPROV-{name}.wav").touch()
    write(tmp_path, *lines)
    parsed = read("msp_improv", tmp_path)
    labels, lost = apply(scheme("iemocap"), parsed.table["emotion"])
    assert labels.value_counts().to_dict() == {"anger": 792, "happiness": 2644, "neutral": 3477, "sadness": 885}
    assert (int(labels.notna().sum()), lost) == (7798, {})
    assert parsed.table["consensus"].value_counts()[["other", "none"]].tolist() == [85, 555]
    assert (parsed.shortfall, len(parsed.table)) == (0, 8438)
    assert miscounts("msp_improv", parsed.table) == []
