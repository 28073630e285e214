"""A folder is written whole or not at all, and an older one stays until the new one is complete."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.common.files import atomic_folder, writable


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


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    assert writable(tmp_path / "deep" / "folder")
    assert list((tmp_path / "deep" / "folder").iterdir()) == []


@pytest.mark.parametrize(("code", "refused"), [(errno.EACCES, True), (errno.EROFS, True), (errno.ENOSPC, False)])
def test_a_refusal_to_write_is_told_from_other_errors(tmp_path, monkeypatch, code, refused):
    def mkdir(path: Path, **_: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    if refused:
        assert not writable(tmp_path)
    else:
        with pytest.raises(OSError, match=os.strerror(code)):
            writable(tmp_path)


def test_mode_bits_decide_for_those_whom_they_bind(tmp_path):
    """Root is not bound by them, so it lays its right to pass over them down, where it can."""
    drop = "-dac_override,-dac_read_search"
    bound = [] if os.geteuid() else ["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}"]
    if bound and shutil.which("setpriv") is None:
        pytest.skip("needs another user than root, or setpriv")
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o555)
    script = "import pathlib, sys; from mien.common.files import writable; print(writable(pathlib.Path(sys.argv[1])))"
    for folder, expected in ((shared, "False"), (shared / "below", "False"), (tmp_path / "own", "True")):
        command = [*bound, sys.executable, "-c", script, str(folder)]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == expected
