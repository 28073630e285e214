"""A folder is written whole or not at all, and an older one stays until the new one is complete."""

from pathlib import Path

import pytest

from mien.common.files import atomic_folder


@pytest.mark.parametrize("older", [False, True])
def test_a_folder_replaces_an_older_one_at_the_end(tmp_path, older):
    place = tmp_path / "deep" / "folder"
    if older:
        place.mkdir(parents=True)
        (place / "old").write_text("old")
    with atomic_folder(place) as folder:
        (folder / "new").write_text("new")
        assert place.exists() == older
    assert [path.name for path in place.iterdir()] == ["new"]
    assert [path.name for path in place.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("fails", ["while it is written", "while it is put in its place"])
def test_an_interruption_leaves_the_older_folder_unchanged(tmp_path, monkeypatch, older, fails):
    place = tmp_path / "folder"
    if older:
        place.mkdir()
        (place / "old").write_text("old")
    rename = Path.rename

    def interrupted(self, target):
        if self.name.endswith(".tmp"):
            raise KeyboardInterrupt
        return rename(self, target)

    def write():
        with atomic_folder(place) as folder:
            (folder / "new").write_text("new")
            if fails == "while it is written":
                raise KeyboardInterrupt
            monkeypatch.setattr(Path, "rename", interrupted)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == (
        ["folder", "folder/old"] if older else []
    )
