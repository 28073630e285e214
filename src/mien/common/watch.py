"""What a worker process watches while it works: that its parent lives, that decoders go on, and how much memory it has.

A thread looks at all three ten times a second and ends the process where it has to: code in C knows no exceptions. A
decoder that also holds the interpreter's lock stops this thread, and then the C thread of `faulthandler` ends the
process. Why it ended is left in a file, for the parent.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from mien.common import memory
from mien.common.shortage import of_memory

EVERY = 0.1  # seconds between two looks
SLOW, LARGE, LACK, STUCK = "slow", "large", "lack", "Timeout"  # left in the file of a job; the last by `faulthandler`
SURE = (SLOW, LARGE, LACK)  # what would not be otherwise if it was tried again


class Limits(NamedTuple):
    """What work may cost its process, which is ended beyond it.

    Attributes:
        seconds: for which a decoder may give nothing.
        memory: bytes.
        slow: what is wrong then, one clause.
        large: what is wrong then, one clause.
    """

    seconds: float
    memory: float
    slow: str = "is decoded no further"
    large: str = "needs too much memory"

    def passed(self, mark: str) -> str:
        """What is wrong where a process left `mark`, one clause."""
        return {LARGE: self.large, LACK: "needs more memory than there is"}.get(mark, self.slow)


class _Job(NamedTuple):
    limits: Limits
    left: IO[str]


_started = False
_lock = threading.Lock()
_job: _Job | None = None
_looks = 0  # a clock that stands still while the process is stopped, as by Ctrl-Z
_decoding: int | None = None  # how many looks there were when the decoder that is at work gave something


def start(parent: int) -> None:
    """Watch this worker process from now on; it hears no Ctrl-C, which its parent answers.

    Args:
        parent: the process that started it.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    global _started
    _started = True
    threading.Thread(target=_watch, args=(parent,), name="watch", daemon=True).start()


@contextmanager
def limited(limits: Limits, left: Path) -> Iterator[None]:
    """Limit the work in the `with` block, where this process is watched, which one of a cluster is not.

    Args:
        limits: beyond which the process ends.
        left: a file that is there meanwhile, in which it then leaves why.
    """
    global _job, _decoding
    if not _started:
        yield
        return
    with left.open("w", encoding="utf-8") as file:
        with _lock:
            _job, _decoding = _Job(limits, file), None
            _look(_job)  # the lock of the interpreter may be held from now on
        try:
            yield
        except Exception as error:
            if of_memory(error):
                _leave(_job, LACK)
            raise
        finally:
            with _lock:
                _job = None
                faulthandler.cancel_dump_traceback_later()
    left.unlink()


def begin() -> int | None:
    """Note that a decoder is called; returns what `end` takes."""
    global _decoding
    before, _decoding = _decoding, _looks
    return before


def go_on() -> None:
    """Note that the decoder that is at work has given something."""
    global _decoding
    if _decoding is not None:
        _decoding = _looks


def end(before: int | None) -> None:
    """Note that it has returned."""
    global _decoding
    _decoding = None if before is None else _looks


def _watch(parent: int) -> None:
    global _looks
    while os.getppid() == parent:
        with _lock:
            if _job is not None:
                _look(_job)
        time.sleep(EVERY)
        _looks += 1
    os._exit(1)


def _look(job: _Job) -> None:
    began = _decoding
    slow = began is not None and (_looks - began) * EVERY > job.limits.seconds
    if slow or memory.resident() > job.limits.memory:
        _leave(job, SLOW if slow else LARGE)
    faulthandler.dump_traceback_later(job.limits.seconds + 2 * EVERY, exit=True, file=job.left)


def _leave(job: _Job, mark: str) -> None:
    job.left.write(mark)
    job.left.flush()
    os._exit(1)


def mark_in(left: Path) -> str | None:
    """What a process left in its file when it was ended, one of `SURE` or `STUCK`; None where that is nothing."""
    try:
        text = left.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((mark for mark in (*SURE, STUCK) if text.startswith(mark)), None)
