"""How commands print: results on standard output, everything else on standard error, one sentence per error."""

import errno
import json as json_text
import math
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from mien.cli import interruption
from mien.cli.options import Flag
from mien.commands import Outcome
from mien.common import escapes
from mien.common.shortage import ended_worker, of_memory

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

SHOWN = 10  # problems printed on standard error
PIPED = 200  # characters a line where there is no terminal


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """How every command prints its result.

    Attributes:
        json: print the result as one JSON object; progress stays on standard error.
        debug: show the traceback of an error.
    """

    json: Flag = False
    debug: Flag = False


def show(outcome: Outcome, output: Output) -> None:
    """Print an outcome: its problems on standard error, the rest on standard output."""
    if os.environ.get("RANK", "0") != "0":
        return  # under torchrun only the first process prints
    for problem in outcome.problems[:SHOWN]:
        print(f"mien: problem: {escapes.line(problem)}", file=sys.stderr)
    if len(outcome.problems) > SHOWN:
        print(f"mien: ... and {len(outcome.problems) - SHOWN} more problems", file=sys.stderr)
    if output.json:
        _print_json({"problems": outcome.problems, **outcome.data})
    elif isinstance(outcome.text, str):
        print(escapes.shown(outcome.text), flush=True)
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else PIPED).print(_Shown(outcome.text), crop=False)


def _print_json(value: Mapping[str, Any]) -> None:
    print(escapes.json_shown(json_text.dumps(_plain(value), ensure_ascii=False)), flush=True)


class _Shown:
    """What rich renders, with control characters of names escaped, and those of its styles left."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        from rich.segment import Segment

        for text, style, control in console.render(self._of, options):
            yield Segment(text if control else escapes.shown(text), style, control)


def help_console() -> "Console":
    """The console that help is printed on: the example, a command to be copied, stays on one line at any width."""
    from rich.console import Console

    class HelpConsole(Console):
        def print(self, *objects: Any, **settings: Any) -> None:
            example = any(str(getattr(one, "primary_renderable", "")).startswith("Example: ") for one in objects)
            super().print(*objects, **settings, soft_wrap=example)

    return HelpConsole()


def refuse(sentence: str, code: int, output: Output) -> int:
    """Print an error and return the exit code; called while the error is handled."""
    interruption.enter(interruption.ENDING)
    if output.debug:
        traceback.print_exc()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not _first_to_say():
        return code
    if output.json:
        _print_json({"error": sentence, "exit": code})
    with suppress(OSError):  # of a terminal that is gone
        print(f"mien: {escapes.line(sentence)}", file=sys.stderr)
    return code


def _first_to_say() -> bool:
    try:
        from mien.common.processes import first_to_say  # it imports torch, which a process of `torchrun` has
    except ImportError:
        return True
    return first_to_say()


def shortage_sentence(error: BaseException) -> str | None:
    """A sentence on an error that says that memory is short or a worker process was ended; None for any other one."""
    again = "then run the same command again"
    if of_memory(error):
        return f"out of memory; give fewer --workers or a smaller batch, or close other programs, {again}"
    if (how := ended_worker(error)) is None:
        return None
    known = f" by {how}" if how else ""
    memory = ", perhaps for lack of memory" if how in ("SIGKILL", "") else ""
    return f"a worker process was ended{known}{memory}; give fewer --workers, {again}"


def system_sentence(error: OSError) -> str:
    """A sentence on an error of the operating system, with the way out where one is known."""
    ways = {
        errno.EIO: "check the disk, then run the same command again to resume",
        errno.EFBIG: "raise the limit (ulimit -f) or choose another place, then run the same command again to resume",
        errno.EMFILE: "raise the limit (ulimit -n), then run the same command again to resume",
        errno.ENOSPC: "free some space, then run the same command again to resume",
        errno.EDQUOT: "free some space, then run the same command again to resume",
        errno.EACCES: "change its permissions or choose another place",
        errno.EPERM: "change its permissions or choose another place",
        errno.EROFS: "choose another place",
        errno.ENOTDIR: "choose another place",
        errno.EEXIST: "choose another place",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.ENOENT: "check the path",
    }
    where = f"{error.filename}: " if error.filename else ""
    way = f"; {ways[error.errno]}" if error.errno in ways else ""
    return f"{where}{(error.strerror or str(error)).lower()}{way}"


def defect_sentence(error: Exception) -> str:
    """A sentence on an unexpected error."""
    message = " ".join(str(error).split())
    described = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"this is a defect of mien, please report it: {described} (--debug shows where)"


def _plain(value: Any) -> Any:
    """The value in types of JSON: paths become text, nan and infinity null, numbers of numpy plain numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
