"""Media files below folders are found by their endings; each is taken once."""

from pathlib import Path

import pytest

from mien.corpora.media_files import listed
from mien.errors import ConfigError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_a_folder_gives_its_media_sorted_and_says_what_it_passes_over(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.opus", "b/1.MP4", "a.wav", ".a.wav", ".hidden/c.wav", "x.txt", "y.TXT", "z.csv", "LICENSE")
    files, notes = listed([tmp_path])
    assert files == [tmp_path / name for name in ("a.wav", "b/1.MP4", "b/2.opus")]
    assert notes == [f"{tmp_path}: passed over, no media by their endings: .txt (2), no ending (1), .csv (1)"]
    assert listed([tmp_path / "b"]) == ([tmp_path / "b" / "1.MP4", tmp_path / "b" / "2.opus"], [])
    assert len(listed([tmp_path], output=tmp_path / "z.csv")[1][0].split("(")) == 3


def test_files_that_are_given_are_taken_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path, "song.xyz")
    given = [tmp_path / "song.xyz", tmp_path / "missing.wav", tmp_path / "song.xyz"]
    assert listed(given) == (given[:2], [f"{tmp_path}/song.xyz: given 2 times, read once"])


def test_two_links_to_one_recording_are_two_files(tmp_path: Path) -> None:
    touch(tmp_path, "store/0.wav")
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "store" / "0.wav")
    assert listed([tmp_path / "in"]) == ([tmp_path / "in" / "a.wav", tmp_path / "in" / "b.wav"], [])


def test_many_endings_are_not_all_named(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.e{number}" for number in range(7)))
    with pytest.raises(
        ConfigError, match=r"\(its files end in \.e0 \(1\), .*\.e4 \(1\), \.\.\.\); give sound or video"
    ):
        listed([tmp_path])
