"""One process writes to a folder; a second one is told who does, and one that was killed holds nothing."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.common import files
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
