"""The text of `predict`: one line per stretch of windows of a person with one emotion."""

import pandas as pd

from mien.commands.predict import summary


def row(start, person, emotion, probability=None, modality="audio+video", shares=(0.12, -0.031)):
    common = {"start": start, "end": start + 4.0, "person": person, "modality": modality, "emotion": emotion}
    shares = shares if modality == "audio+video" else (None, None)
    known = {} if probability is None else {emotion: probability}
    return common | known | dict(zip(("audio_share", "video_share"), shares, strict=True))


def test_the_text_has_a_line_per_person_in_the_order_of_time():
    table = pd.DataFrame(
        [
            row(0.0, "", "silence", modality=""),
            row(1.0, "1", "happiness", 0.6),
            row(1.0, "2", "neutral", 0.5, "video"),
            row(2.0, "1", "happiness", 0.8, shares=(0.2, -0.031)),
            row(2.0, "12", "unsure"),
            row(3.0, "voice", "anger", 0.7, "audio"),
            row(4.0, "1", "happiness", 0.9, shares=(0.001, -0.001)),
        ]
    ).assign(file="a.mp4")
    lines = [
        "a.mp4",
        "       0.0 -      4.0 s             silence          no face",
        "       1.0 -      6.0 s  person 1   happiness   70%  voice +16%, face -3%",
        "       1.0 -      5.0 s  person 2   neutral     50%  face",
        "       2.0 -      6.0 s  person 12  unsure           voice +12%, face -3%",
        "       3.0 -      7.0 s  a voice    anger       70%  voice",
        "       4.0 -      8.0 s  person 1   happiness   90%  voice +0%, face +0%",
        "voice or face +N%: without it, the emotion would be less probable by N points",
    ]
    assert summary(table).splitlines() == lines
    assert max(map(len, lines)) <= 80
