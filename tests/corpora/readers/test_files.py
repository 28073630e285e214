"""The files below a folder: links are entered, each folder once on a way down; one file of each clip."""

from pathlib import Path

import pytest

from layouts import touch
from mien.corpora.readers import _files


@pytest.fixture
def root(tmp_path):
    """A root with a link to itself, one to a folder above, one beside it that leads back, and a broken one."""
    root = tmp_path / "y" / "root"
    touch(root, "a/1.wav", "a/b/2.WAV", "3.tar.gz", ".hidden.wav", "__MACOSX/4.wav")
    touch(tmp_path, "y/beside/5.wav", "y/beside/q/6.mp4")
    for link, to in {
        root / "self": root,
        root / "up": tmp_path / "y",
        root / "beside": tmp_path / "y" / "beside",
        tmp_path / "y" / "beside" / "q" / "back": tmp_path / "y" / "beside",
        tmp_path / "y" / "beside" / "q" / "a": root / "a",
        root / "gone": tmp_path / "nowhere",
    }.items():
        link.symlink_to(to)
    return root


def test_links_are_entered_and_none_without_end(root, tmp_path, monkeypatch):
    expected = ["a/1.wav", "a/b/2.WAV", "beside/5.wav", "beside/q/6.mp4", "beside/q/a/1.wav", "beside/q/a/b/2.WAV"]
    assert _files.media(root) == expected
    assert _files.files(root) == sorted([*expected, "3.tar.gz", "gone"])
    assert _files.files(root, ".gz") == ["3.tar.gz"]
    (tmp_path / "link").symlink_to(root)
    assert _files.media(tmp_path / "link") == expected
    monkeypatch.chdir(tmp_path / "y")
    assert _files.media(Path("root")) == expected
    monkeypatch.chdir(root)
    assert _files.media(Path()) == expected


def test_of_sound_and_film_the_wanted_kind_is_taken_and_a_copy_is_listed():
    named = [("c/1.mp3", "1"), ("a/1.wav", "1"), ("b/1.wav", "1"), ("v/1.avi", "1"), ("v/2.avi", "2"), ("3.m4a", "3")]
    kept, problems = _files.one_each(named, "sound")
    assert kept == {"1": "a/1.wav", "2": "v/2.avi", "3": "3.m4a"}
    assert problems == [("b/1.wav", "a second file of the clip 1 beside a/1.wav, left out")]
    assert _files.one_each(named, "video")[0] == kept | {"1": "v/1.avi"}
