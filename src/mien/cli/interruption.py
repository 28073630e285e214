"""Ctrl-C, and the ends that a scheduler (SIGTERM) or a closed terminal (SIGHUP) asks for: one sentence, and clean-up.

They are heard from the first line on, and nothing heavy is imported for it. Before a command is at work there is
nothing to clean up, and the process ends where it is. At work they are a `KeyboardInterrupt`. Python hears nothing
while a library computes; after `PATIENCE`, or on a second signal, a thread ends the process: what is half-written then
has a name that no code reads, and workers end with their parent. The exit code is 128 and the signal's number.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
PATIENCE = 5.0  # seconds that a library may go on computing
SAME = 0.5  # seconds in which further signals are taken for the same one: starters pass on what a terminal sends too
STARTING, WORKING, ENDING, DONE = "starting", "working", "ending", "done"

_at = STARTING
_heard: int | None = None  # the signal that Python has answered


def listen() -> None:
    """Answer the signals from now on, but for those that this process was started to ignore, as by `nohup`."""
    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, _answer)
    if os.name != "posix":
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_insist, args=(reader,), name="interruption", daemon=True).start()


def enter(state: str) -> None:
    """What the command is at from now on.

    Args:
        state: `WORKING`; `ENDING`, when what it did or why it failed is being said, which stands; or `DONE`, when only
            the interpreter has to end. The last two are let happen.
    """
    global _at
    _at = state
    for one in SIGNALS if state == DONE else ():
        signal.signal(one, signal.SIG_IGN)  # not a function, which Python would take away before its end


def code() -> int | None:
    """The exit code where a signal was heard, which a library may have taken for an error of its own; else None."""
    return None if _heard is None else 128 + _heard


def sentence(arguments: Sequence[str]) -> str:
    """How to go on after an interruption of a command line."""
    resumes = "" if arguments[:1] == ["predict"] else " to resume"  # it keeps nothing of an unfinished call
    return f"interrupted; run the same command again{resumes}"


def _answer(number: int, frame: "FrameType | None") -> None:
    global _heard
    if _heard is not None or _at in (ENDING, DONE):
        return
    _heard = number
    if _at == WORKING:
        raise KeyboardInterrupt
    _end(number)


def say() -> int:
    """Say how to go on after the signal that was heard; returns the exit code."""
    code = 130 if _heard is None else 128 + _heard
    _print(code)
    return code


def _end(number: int, *, silent: bool = False) -> None:
    """End this process where it is."""
    if not silent:
        _print(128 + number)
    os._exit(128 + number)


def _print(code: int) -> None:
    said = sentence(sys.argv[1:])
    lines = [(2, f"mien: {said}\n")]
    if "--json" in sys.argv:
        lines.insert(0, (1, f'{{"error": "{said}", "exit": {code}}}\n'))
    for place, line in [] if os.environ.get("RANK", "0") != "0" else lines:
        with suppress(OSError):  # the terminal is gone
            os.write(place, line.encode())


def _insist(reader: int) -> None:
    """End the process where Python does not answer, or at a second signal."""
    number = os.read(reader, 1)[0]
    time.sleep(SAME)
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 1)
    if not select.select([reader], [], [], PATIENCE - SAME)[0]:
        if _heard is None:
            _end(number)
        os.read(reader, 1)
    _end(number, silent=_heard is not None)
