"""A copy beside its release: bytes, seconds, what is missing, and what cannot be compared, each with its clause."""

import hashlib

import pandas as pd
import pytest

from mien.corpora import releases
from mien.corpora.releases import Release
from mien.data import release

CLIPS = ("a", "b", "c", "d")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def known(seconds: float | None = 2.0, *, endings: tuple[str, ...] = ("wav",), also: tuple[str, ...] = ()) -> Release:
    """Four clips, whose files have the content of their names."""
    hashes = {clip: {ending: sha256(f"{clip}.{ending}")[: releases.DIGITS] for ending in endings} for clip in CLIPS}
    return Release(hashes, {} if seconds is None else dict.fromkeys(CLIPS, seconds), also)


@pytest.fixture
def compare(monkeypatch):
    """Compare clips (name, ending, content, seconds[, start]) with a release."""

    def compared(of, *clips, whole=None):
        monkeypatch.setattr(releases, "of", lambda reader: of)
        rows = [
            {
                "clip": clip,
                "file": f"x/{clip}.{ending}",
                "start": start[0] if start else float("nan"),
                "end": float("nan"),
                "seconds": seconds,
                "sha256": sha256(content),
            }
            for clip, ending, content, seconds, *start in clips
        ]
        return release.compare("some", pd.DataFrame(rows), whole or {})

    return compared


def test_the_release_itself(compare):
    found = compare(known(), *((clip, "wav", f"{clip}.wav", 2.0) for clip in CLIPS))
    assert found.text == "same bytes as the release: all 4"
    assert found.card == {
        "clips": 4,
        "same_bytes": 4,
        "bytes_of_another_clip": 0,
        "other_bytes": 0,
        "other_format": 0,
        "unknown": 0,
        "missing": 0,
        "shorter": 0,
        "longer": 0,
        "lengths_compared": 4,
        "such_as": {},
        "text": found.text,
    }


def test_a_part_of_the_release(compare):
    found = compare(known(), ("a", "wav", "a.wav", 2.0), ("c", "wav", "c.wav", 2.0), ("d", "wav", "d.wav", 2.0))
    assert found.text == "same bytes as the release: 3 of 4; 1 of its 4 clips is missing"
    assert found.card["such_as"] == {"missing": ["b"]}


def test_other_bytes_of_the_same_format_are_just_that(compare):
    found = compare(known(), ("a", "wav", "a.wav", 2.0), ("b", "wav", "?", 2.0), ("c", "wav", "??", 2.0))
    assert found.text == (
        "same bytes as the release: 1 of 4; 2 clips have other bytes than in the release (another header is enough): "
        "b, c; all clips are as long as in the release; 1 of its 4 clips is missing"
    )
    found = compare(known(None), *((clip, "wav", "?", 2.0) for clip in CLIPS))
    assert found.text == (
        "4 clips have other bytes than in the release (another header is enough); lengths of the release are not known"
    )


def test_another_format_cannot_be_compared_by_bytes(compare):
    found = compare(known(), *((clip, "flac", clip, 2.0) for clip in CLIPS))
    assert found.text == (
        "another format than the release (flac, not wav): bytes cannot be compared; all clips are as long as in the "
        "release"
    )
    found = compare(known(None), ("a", "wav", "a.wav", 1.0), ("b", "flac", "b", 1.0), ("c", "mp3", "c", 1.0))
    assert found.text == (
        "same bytes as the release: 1 of 4; another format than the release of 2 clips (flac and mp3, not wav): bytes "
        "cannot be compared; lengths of the release are not known; 1 of its 4 clips is missing"
    )


def test_a_cut_copy(compare):
    found = compare(
        known(), ("a", "flac", "a", 1.5), ("b", "flac", "b", 2.0), ("c", "flac", "c", 1.0), ("d", "flac", "d", 2.0)
    )
    assert found.text == (
        "2 of 4 clips are shorter than in the release: this copy is cut; figures on it are not comparable; another "
        "format than the release (flac, not wav): bytes cannot be compared"
    )
    assert found.card["such_as"] == {"other_format": ["a", "b", "c", "d"], "shorter": ["a", "c"]}
    assert release.cut({"name": "some", "release": found.card}) == [
        "warning: some: 2 of 4 clips are shorter than in the release: this copy is cut; figures on it are not "
        "comparable"
    ]
    found = compare(known(), ("a", "wav", "a", 1.5))
    assert found.text.startswith("1 of 1 clip is shorter than in the release: this copy is cut;")


def test_a_copy_that_is_not_cut_and_a_card_of_before_have_no_warning(compare):
    whole = compare(known(), *((clip, "flac", clip, 2.0) for clip in CLIPS))
    assert release.cut({"name": "some", "release": whole.card}) == []
    assert release.cut({"name": "some"}) == []


@pytest.mark.parametrize(
    ("ending", "seconds", "kind"),
    [
        ("wav", 2.0 - 0.0021, ""),  # a resampling that is not flushed
        ("wav", 2.0 - 0.0051, "shorter"),  # the smallest cut that was met
        ("flac", 2.0051, "longer"),
        ("flac", 2.0039, ""),
        ("m4a", 2.245, ""),  # AAC at 8 kHz
        ("mp3", 1.91, ""),
        ("mp3", 1.89, "shorter"),
        ("ogg", 2.31, "longer"),
    ],
)
def test_what_encoding_does_is_no_cut(compare, ending, seconds, kind):
    found = compare(known(), ("a", ending, "a", seconds))
    assert {"shorter": bool(found.shorter), "longer": bool(found.longer)} == {
        "shorter": kind == "shorter",
        "longer": kind == "longer",
    }
    assert ("longer than in the release" in found.text) == (kind == "longer")


def test_the_lengths_of_films_are_not_compared(compare):
    of = known(endings=("flv", "wav"))
    found = compare(of, ("a", "flv", "a.flv", 2.4), ("b", "mp4", "b", 1.0))
    assert (found.lengths, found.same, found.other_format) == (0, ("a",), ("b",))
    assert found.text == (
        "same bytes as the release: 1 of 4; another format than the release of 1 clip (mp4, not flv or wav): bytes "
        "cannot be compared; 2 of its 4 clips are missing"
    )


def test_the_seconds_are_those_of_the_file_and_not_of_a_part(compare):
    part = ("a", "flac", "a", 0.7, 0.4)
    cut = compare(known(), part, whole={"a": 2.0})
    assert (cut.lengths, cut.shorter) == (1, ())
    assert compare(known(), part, whole={"a": 1.5}).shorter == ("a",)
    assert compare(known(), part).lengths == 0  # nothing is known of its file


def test_a_clip_with_the_bytes_of_another_is_named_and_a_pair_of_the_release_is_not(compare):
    found = compare(known(None), ("a", "wav", "b.wav", 2.0), ("b", "wav", "b.wav", 2.0), ("x", "wav", "c.wav", 2.0))
    assert found.others == {"a": "b", "x": "c"}
    assert found.text.startswith("2 clips have the bytes of another clip of the release: a those of b, x those of c; ")
    table = pd.DataFrame({"clip": ["a", "b"], "file": ["a.wav", "b.wav"]})
    assert list(found.notes(table)) == [("a.wav", "has the bytes of b in the release of the corpus, kept")]
    same = known(None)
    same.hashes["a"]["wav"] = same.hashes["b"]["wav"]
    found = compare(same, ("a", "wav", "b.wav", 2.0), ("b", "wav", "b.wav", 2.0))
    assert (found.same, found.others) == (("a", "b"), {})


def test_files_of_which_nothing_is_known_are_counted_apart(compare):
    found = compare(known(also=("mp3",)), ("a", "mp3", "a", 1.0), ("song", "wav", "song", 1.0))
    assert (found.unknown, found.lengths) == (("a", "song"), 0)
    assert found.text == "2 clips are of files whose bytes and lengths in the release are not known"
    assert found.card["missing"] == 3


def test_a_corpus_of_which_no_release_is_known_is_not_compared(compare):
    assert compare(None, ("a", "wav", "a.wav", 1.0)) is None
