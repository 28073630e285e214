"""One process writes to a folder; a second one is told who does, and one that was killed holds nothing."""

import contextlib
import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from mien.cli.output import system_sentence
from mien.common import files, locks
from mien.common.locks import writing
from mien.errors import BusyError, ConfigError

HOLDS = """
import sys, time
from mien.common.locks import writing
with writing(sys.argv[1], "mien train", whole=sys.argv[2] == "whole"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path, how: str = "") -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", HOLDS, folder, how], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("how", ["", "whole"])
def test_a_second_process_is_told_who_holds_a_folder(tmp_path, how):
    with (
        holder(tmp_path / "run", how) as process,
        pytest.raises(BusyError, match=re.escape(f"'mien train' (process {process} on {socket.gethostname()})")),
        writing(tmp_path / "run", "mien audit", whole=bool(how)),
    ):
        pass
    with writing(tmp_path / "run", "mien audit", whole=bool(how)):  # what a killed one held is free
        pass
    assert not [path.name for path in tmp_path.rglob("*") if path.name.endswith(files.LOCK)]


@pytest.mark.parametrize("text", ["", "1\n{machine}\nmien train\n", "{pid}\n{machine}\nmien train\n", "7\nother\n"])
def test_a_file_that_nobody_holds_is_no_lock(tmp_path, text):
    """A full disk leaves it empty; the number of a process that is gone may be another one's by now."""
    place = tmp_path / files.LOCK
    assert not files.is_held(place)
    place.write_text(text.format(machine=socket.gethostname(), pid=os.getpid()))
    assert not files.is_held(place)
    with writing(tmp_path, "mien train"):
        assert files.is_held(place)
    assert not files.is_held(place)


def test_a_lock_of_another_process_is_held_until_that_ends(tmp_path):
    with holder(tmp_path / "run"):
        assert files.is_held(tmp_path / "run" / files.LOCK)
    assert (tmp_path / "run" / files.LOCK).exists()
    assert not files.is_held(tmp_path / "run" / files.LOCK)


def test_who_asks_whether_a_lock_is_held_refuses_nobody(tmp_path):
    place = tmp_path / files.LOCK
    place.touch()
    descriptor = os.open(place, os.O_RDONLY)
    assert filelock.lock_descriptor(descriptor, blocking=False)
    timer = threading.Timer(locks.ASKED / 3, os.close, [descriptor])
    timer.start()
    with writing(tmp_path, "mien train"):
        assert not timer.is_alive()


@pytest.mark.parametrize(
    ("text", "age", "held"),
    [
        ("", 0, True),
        ("", 60, False),
        ("{pid}\n{machine}\n", 60, True),
        (f"{2**22 + 1}\n{{machine}}\n", 0, False),
        ("7\nother\n", 60, True),
    ],
)
def test_without_locks_of_the_system_the_file_says_who_holds_it(tmp_path, monkeypatch, text, age, held):
    def without(descriptor, *, blocking):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock, "lock_descriptor", without)
    place = tmp_path / files.LOCK
    assert not files.is_held(place)
    place.write_text(text.format(machine=socket.gethostname(), pid=os.getpid()))
    os.utime(place, (time.time() - age, time.time() - age))
    assert files.is_held(place) == held


@pytest.mark.parametrize("fails", [1, 2])
@pytest.mark.parametrize("how", ["", "whole"])
def test_a_full_disk_leaves_no_lock_and_is_told_with_its_file(tmp_path, monkeypatch, fails, how):
    calls = []

    def write(descriptor, content):
        calls.append(content)
        if len(calls) == fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return wrote(descriptor, content[:3])

    wrote = os.write
    monkeypatch.setattr(os, "write", write)
    with (
        pytest.raises(OSError, match="No space left") as caught,
        writing(tmp_path / "run", "mien train", whole=bool(how)),
    ):
        pass
    monkeypatch.undo()
    assert caught.value.filename == str(tmp_path / (".run.lock" if how else "run/.lock"))
    assert system_sentence(caught.value).startswith(
        f"{caught.value.filename}: no space left on device; free some space"
    )
    assert list(tmp_path.iterdir()) == []


def linked(tmp_path: Path) -> tuple[Path, Path]:
    """A folder and a link to it, in two places."""
    for name in ("real", "links"):
        (tmp_path / name).mkdir()
    (tmp_path / "real" / "run").mkdir()
    (tmp_path / "links" / "way").symlink_to(tmp_path / "real" / "run", target_is_directory=True)
    return tmp_path / "real" / "run", tmp_path / "links" / "way"


@pytest.mark.parametrize("how", ["", "whole"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_link_and_its_folder_have_one_lock(tmp_path, how, turned):
    first, second = linked(tmp_path)[:: -1 if turned else 1]
    with (
        holder(first, how),
        pytest.raises(BusyError, match=re.escape(f"{second}: 'mien train' (process ")),
        writing(second, "mien audit", whole=bool(how)),
    ):
        pass
    with writing(first, "mien demo", whole=bool(how)), writing(second, "mien train", whole=bool(how)):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["links", "real", "run", "way"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_link_to_a_folder_that_is_not_there_is_followed(tmp_path, whole):
    real, link = linked(tmp_path)
    real.rmdir()
    with writing(link, "mien export", whole=whole):
        assert real.is_dir() != whole
        with files.atomic_folder(link) if whole else contextlib.nullcontext(real) as folder:
            (folder / "weights").touch()
    assert link.is_symlink()
    assert [path.name for path in real.iterdir()] == ["weights"]


@pytest.mark.parametrize("command", [True, False])
def test_what_a_kill_left_beside_the_folder_of_a_link_is_put_back(tmp_path, command):
    real, link = linked(tmp_path)
    old = real.with_name(f".run.{files._machine()}-{2**22 + 1}.old")
    real.rename(old)
    (old / "weights").write_text("old")
    if command:
        with writing(link, "mien export", whole=True):
            assert (real / "weights").read_text() == "old"
    else:
        with files.atomic_folder(link) as folder:
            assert (real / "weights").read_text() == "old"
            (folder / "weights").write_text("new")
        assert (real / "weights").read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["links", "real", "run", "way", "weights"]


def test_a_command_may_call_another_one_on_its_folder(tmp_path):
    with writing(tmp_path / "run", "mien demo"):
        with writing(tmp_path / "run", "mien train"):
            assert files.contents(tmp_path / "run") == []
        assert (tmp_path / "run" / files.LOCK).exists()
    assert not (tmp_path / "run").exists()


def test_an_empty_folder_that_was_made_is_taken_back(tmp_path):
    with pytest.raises(ConfigError, match="refused"), writing(tmp_path / "deep" / "run", "mien train"):
        raise ConfigError("refused")
    assert list(tmp_path.iterdir()) == []
    with writing(tmp_path / "deep" / "run", "mien train"):
        (tmp_path / "deep" / "run" / "file").touch()
    assert [path.name for path in (tmp_path / "deep" / "run").iterdir()] == ["file"]


def test_what_a_killed_process_left_is_removed_and_no_other(tmp_path):
    with holder(tmp_path / "other") as process:
        names = [f".a.csv.{files._machine()}-{process}.tmp", ".b.csv.0a0b0c0d-1.tmp", ".mine.tmp", "kept.tmp"]
        (tmp_path / "below").mkdir()
        for name in names:
            (tmp_path / "below" / name).write_text("")
        with writing(tmp_path, "mien train"):
            assert {path.name for path in (tmp_path / "below").iterdir()} == {*names}
    with writing(tmp_path, "mien train"):
        assert {path.name for path in (tmp_path / "below").iterdir()} == {*names[1:]}
    old = time.time() - 2 * files.DAY  # of another machine, nobody knows whether it runs
    os.utime(tmp_path / "below" / names[1], (old, old))
    with writing(tmp_path, "mien train"):
        assert {path.name for path in (tmp_path / "below").iterdir()} == {*names[2:]}


def test_a_folder_that_was_lost_between_two_names_is_put_back(tmp_path):
    gone = f"{files._machine()}-{2**22 + 1}"  # beyond the greatest process number of Linux
    (tmp_path / f".model.{gone}.old").mkdir()
    (tmp_path / f".model.{gone}.old" / "weights").write_text("old")
    (tmp_path / f".model.{gone}.tmp").mkdir()
    (tmp_path / f".other.{gone}.tmp").mkdir()
    with writing(tmp_path / "model", "mien export", whole=True):
        assert (tmp_path / "model" / "weights").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".other.{gone}.tmp", "model"]
