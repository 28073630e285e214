"""The text of `predict`: one line per stretch of windows of a person with one emotion, or one line a file."""

import pytest

from mien.reports.timeline_text import one_line_a_file, stretches


def row(start, person, emotion, probability=None, modality="audio+video", shares=(0.12, -0.031)):
    common = {"start": start, "end": start + 4.0, "person": person, "modality": modality, "emotion": emotion}
    shares = shares if modality == "audio+video" else (None, None)
    known = {} if probability is None else {emotion: probability}
    return common | known | dict(zip(("audio_share", "video_share"), shares, strict=True))


def test_the_text_has_a_line_per_person_in_the_order_of_time():
    rows = [
        one | {"file": "a.mp4"}
        for one in [
            row(0.0, "", "silence", modality=""),
            row(1.0, "1", "happiness", 0.6),
            row(1.0, "2", "neutral", 0.5, "video"),
            row(2.0, "1", "happiness", 0.8, shares=(0.2, -0.031)),
            row(2.0, "12", "unsure"),
            row(3.0, "voice", "anger", 0.7, "audio"),
            row(4.0, "1", "happiness", 0.9, shares=(0.001, -0.001)),
        ]
    ]
    lines = [
        "a.mp4",
        "       0.0 -      2.5 s             silence          no face",
        "       2.5 -      4.5 s  person 1   happiness   70%  voice +16%, face -3%",
        "       2.5 -      3.5 s  person 2   neutral     50%  face",
        "       3.5 -      4.5 s  person 12  unsure           voice +12%, face -3%",
        "       4.5 -      5.5 s  a voice    anger       70%  voice",
        "       5.5 -      8.0 s  person 1   happiness   90%  voice +0%, face +0%",
        "voice +16%: without the sound, happiness would be 16 points less probable (line",
        "  at 2.5 s)",
    ]
    assert stretches(rows).splitlines() == lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("answer", "shares", "sentence"),
    [
        ("sadness", (0.02, 0.09), "face +9%: without the face, sadness would be 9 points less probable"),
        ("sadness", (-0.01, 0.0), "voice -1%: without the sound, sadness would be 1 point more probable"),
        ("sadness", (0.0, 0.001), "voice +0%: without the sound, sadness would be as probable"),
        ("unsure", (0.1, 0.2), "face +20%: without the face, the likeliest class would be 20 points less probable"),
    ],
)
def test_what_a_share_means_is_said_by_a_line_that_is_shown(answer, shares, sentence):
    rows = [row(3.0, "1", answer, 0.6, shares=shares) | {"file": "a.mp4"}]
    assert " ".join(line.strip() for line in stretches(rows).splitlines()[2:]) == f"{sentence} (line at 3.0 s)"


def test_shares_of_a_number_are_no_percentages():
    rows = [{"file": "a.mp4", "start": 0.0, "end": 4.0, "person": "1", "modality": "audio+video", "valence": 0.25}]
    rows[0] |= {"audio_share": 0.31, "video_share": -0.04}
    assert stretches(rows, "valence").splitlines() == [
        "a.mp4",
        "       0.0 -      4.0 s  valence 0.25           voice +0.31, face -0.04",
        "voice +0.31: without the sound, valence would be 0.31 lower (line at 0.0 s)",
    ]


def test_a_file_has_one_line_that_ends_with_its_name():
    row = {"file": "a.wav", "seconds": 75.25, "modality": "audio", "emotion": "anger", "anger": 0.612, "calm": 0.388}
    row |= {"anger_share": 0.5, "calm_share": 0.0, "unsure_share": 0.4, "silence_share": 0.1}
    other = row | {"file": "long name.wav", "seconds": 3.0, "emotion": "unsure"}
    assert one_line_a_file([row, other]).splitlines() == [
        "seconds  emotion  mean  unsure  silence  file",
        "   75.2  anger     61%     40%      10%  a.wav",
        "    3.0  unsure            40%      10%  long name.wav",
    ]
    number = {"file": "a.wav", "seconds": 3.0, "modality": "audio", "valence": -0.5, "silence_share": 0.25}
    assert one_line_a_file([number], "valence").splitlines() == [
        "seconds  valence  silence  file",
        "    3.0  -0.5         25%  a.wav",
    ]
