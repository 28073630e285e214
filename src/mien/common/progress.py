"""Progress of long work on standard error: on a terminal a bar with rate and remaining time, elsewhere plain lines.

Standard output is kept for results.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from mien.common import escapes

EVERY = 30.0  # seconds between two plain lines


class Advance(Protocol):
    """A function to call when more units are done."""

    def __call__(self, count: int = 1) -> None:
        """Count `count` units as done."""


@contextmanager
def progress(total: int, what: str, unit: str = "clips") -> Iterator[Advance]:
    """Show the progress of the work inside the `with` block; show nothing if `total` is 0.

    Args:
        total: the number of units.
        what: the name of the work, such as "training".
        unit: the name of the units, in the plural.

    Yields:
        A function that counts units as done.
    """
    if total == 0 or os.environ.get("RANK", "0") != "0":  # under torchrun only the first process prints
        yield _ignore
    elif sys.stderr.isatty():
        with _bar(total, what, unit) as advance:
            yield advance
    else:
        lines = _Lines(total, what, unit)
        yield lines.advance
        lines.end()


def say(sentence: str) -> None:
    """Print a sentence on standard error while a command goes on."""
    print(f"mien: {escapes.line(sentence)}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds as minutes or hours: 0:07, 12:30, 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _ignore(count: int = 1) -> None:
    pass


@contextmanager
def _bar(total: int, what: str, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as TimeToGo
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else _rate(speed, unit), style="progress.data.speed")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeToGo(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(what, total=total)

        def advance(count: int = 1) -> None:
            shown.advance(task, count)

        yield advance


class _Lines:
    def __init__(self, total: int, what: str, unit: str) -> None:
        self.total, self.what, self.unit, self.done = total, what, unit, 0
        self.begun = self.printed = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.printed >= EVERY and self.done < self.total:
            self.printed = now
            speed = self.done / (now - self.begun)
            rest = duration((self.total - self.done) / speed) if speed else "?"
            self._print(f"{self.done} of {self.total} {self.unit}, {_rate(speed, self.unit)}, {rest} to go")

    def end(self) -> None:
        self._print(f"{self.done} of {self.total} {self.unit} in {duration(time.monotonic() - self.begun)}")

    def _print(self, text: str) -> None:
        print(f"{self.what}: {text}", file=sys.stderr, flush=True)


def _rate(speed: float, unit: str) -> str:
    return f"{speed:.1f} {unit} a second" if speed >= 1 or speed == 0 else f"{1 / speed:.1f} s each"
