"""Commands, one file each: they call the other packages; `cli` parses the arguments, calls a command and prints.

A command is a function with its file's name that returns an `Outcome`. Nothing heavy is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Attributes:
        data: for programs: values that `--json` prints.
        text: for people: text, or anything that rich renders.
        problems: sentences on inputs that were left out or look wrong; with any, the exit code is 1.
        exit_code: an exit code that overrides this; None for 0 or 1 by `problems`.
    """

    data: dict[str, Any]
    text: Any
    problems: Sequence[str] = ()
    exit_code: int | None = None
