"""Which unlabelled clips have embeddings: few of many, of many speakers, whatever their order."""

from collections import Counter

import pytest

from mien.data import embedded
from mien.data.embedded import some


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(embedded, "MOST", 30)
    monkeypatch.setattr(embedded, "EACH", 4)


def made(**counts):
    """Clips of speakers; those of `_` are of unknown ones."""
    clips = [(who, f"{who}-{number}") for who, most in counts.items() for number in range(most)]
    return [clip for _, clip in clips], [None if who == "_" else who for who, _ in clips]


def test_few_clips_are_all_taken():
    clips, speakers = made(ann=10, bob=10, _=10)
    assert some(clips, speakers) == clips
    assert some([], []) == []


def test_many_clips_are_a_bounded_number_in_their_order():
    clips, speakers = made(**{f"s{number}": 9 for number in range(50)})
    found = some(clips, speakers)
    assert len(found) == 30
    assert found == [clip for clip in clips if clip in set(found)]
    sizes = Counter(clip.partition("-")[0] for clip in found)
    assert sorted(sizes.values()) == [2, *[4] * 7], "as many of each speaker, but of the last"


def test_of_few_speakers_there_are_more_clips_of_each():
    clips, speakers = made(ann=100, bob=100, cy=3)
    sizes = Counter(clip.partition("-")[0] for clip in some(clips, speakers))
    assert sizes["cy"] == 3
    assert sizes["ann"] + sizes["bob"] == 27
    assert abs(sizes["ann"] - sizes["bob"]) <= 4


def test_clips_of_unknown_speakers_come_last_and_are_no_one_speaker():
    clips, speakers = made(_=100, ann=12, bob=5)
    found = some(clips, speakers)
    assert sum(clip.startswith("_") for clip in found) == 30 - 17
    assert set(clips[100:]) <= set(found)
    alone, nobody = made(_=100)
    assert len(some(alone, nobody)) == 30


def test_the_order_of_the_clips_does_not_matter():
    clips, speakers = made(ann=40, bob=40, _=40)
    assert set(some(clips[::-1], speakers[::-1])) == set(some(clips, speakers))
