"""If a worker ends, only the item that caused it is lost; and workers end with the process that they work for."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from math import inf
from pathlib import Path

import pytest

from mien.common import watch
from mien.common.watch import Limits
from mien.common.workers import Lost, results, spread


def _gone(process: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


def _within(seconds: float, condition) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return met


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_processed_or_lost(workers: int) -> None:
    kill = signal.SIGKILL

    def double(items):
        if any(item in (3, 10) for item in items):
            os.kill(os.getpid(), kill)
        return [2 * item for item in items]

    chunks = [list(range(first, first + 3)) for first in range(0, 15, 3)]
    done, lost = [], []
    for chunk, result in spread(double, chunks, workers=workers):
        if isinstance(result, Lost):
            lost.append(result.item)
            assert (list(chunk), result.how) == ([result.item], "SIGKILL")
        else:
            done += result
            assert result == [2 * item for item in chunk]
    assert sorted(lost) == [3, 10]
    assert sorted(done) == [2 * item for item in range(15) if item not in (3, 10)]


def test_an_error_of_the_function_is_raised() -> None:
    def wrong(items):
        raise ZeroDivisionError(items[0])

    with pytest.raises(ZeroDivisionError):
        list(spread(wrong, [[1]], workers=1))


@pytest.fixture
def decode():
    """A decoder: 1 takes long and goes on, 2 hangs, 3 hangs and holds the interpreter's lock, 4 eats memory."""

    def decoded(item):  # a function of its own, as workers cannot import this module
        before = watch.begin()
        if item == 1:
            for _ in range(40):
                time.sleep(0.05)
                watch.go_on()
        elif item == 2:
            time.sleep(30)
        elif item == 3:
            ctypes.PyDLL(None).sleep(30)
        elif item == 4:
            eaten = bytearray(2**29)
            eaten[:: 2**12] = b"x" * len(eaten[:: 2**12])
            time.sleep(30)
        watch.end(before)
        return item

    return decoded


@pytest.mark.parametrize("workers", [1, 2])
def test_who_passes_a_limit_is_lost_and_no_other(decode, workers: int) -> None:
    def read(items):
        return decode(items[0])

    limits = Limits(1.5, 2**28, "is slow", "is large")
    chunks = [[item] for item in (0, 2, 1, 4, 3, 5)]
    found = {chunk[0]: result for chunk, result in spread(read, chunks, workers=workers, limits=limits)}
    assert {item: found.pop(item) for item in (0, 1, 5)} == {0: 0, 1: 1, 5: 5}
    assert {item: lost.problem for item, lost in found.items()} == {
        2: "is slow",
        3: "is slow",
        4: "is large",
    }


def test_time_that_no_decoder_takes_is_not_limited() -> None:
    def slow(items):
        watch.end(watch.begin())
        time.sleep(0.6)
        return items

    assert [result for _, result in spread(slow, [[1]], workers=1, limits=Limits(0.2, inf))] == [[1]]


def test_a_chunk_with_an_item_that_hangs_keeps_the_others(decode) -> None:
    def read(items):
        return [decode(item) for item in items]

    chunks = [[0, 2, 5], [6]]
    found = {tuple(chunk): result for chunk, result in spread(read, chunks, workers=1, limits=Limits(0.3, inf))}
    assert found.pop((2,)).problem == "is decoded no further"
    assert found == {(0,): [0], (5,): [5], (6,): [6]}


PARENT = """
import os, sys, time
from pathlib import Path
from mien.common.workers import spread

def work(items):
    Path(sys.argv[1], str(os.getpid())).touch()
    Path(sys.argv[1], str(tracker())).touch()
    time.sleep(30)

def tracker():
    return Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()[0]

list(spread(work, [[1], [2]], workers=int(sys.argv[2])))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_end_with_their_parent(tmp_path: Path, workers: int) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    place = tmp_path / "processes"
    place.mkdir()
    parent = subprocess.Popen([sys.executable, script, place, str(workers)])
    try:
        assert _within(20, lambda: len(list(place.iterdir())) > workers)  # and joblib's tracker of resources
    finally:
        parent.kill()
        parent.wait()
    started = [int(one.name) for one in place.iterdir()]
    assert _within(5, lambda: all(map(_gone, started)))


def test_a_worker_that_leaves_between_two_jobs_is_replaced_silently() -> None:
    """As loky lets it go once its memory has grown, or after a while without work; an error would end its thread."""
    psutil = pytest.importorskip("psutil", reason="loky looks at memory by it")
    from joblib.externals.loky import process_executor

    assert process_executor._USE_PSUTIL, "the control"

    def grown(number: int) -> int:
        process_executor._MAX_MEMORY_LEAK_SIZE, process_executor._MEMORY_LEAK_CHECK_DELAY = -1, 0.0
        return psutil.Process().pid

    warnings.simplefilter("error")
    found = list(results([partial(grown, number) for number in range(6)], 1))
    assert len(found) == 6
    assert len(set(found)) > 1, "no worker left"
