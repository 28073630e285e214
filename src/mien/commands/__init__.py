"""Commands: one file each, the story told in calls to the other folders; `cli` parses, calls them and prints.

A command is a function of its file's name that returns an `Outcome`. Nothing heavy is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a command has done.

    Attributes:
        data: for programs, the values of JSON: `--json` prints it.
        text: for people: text, or anything that rich renders.
        problems: sentences on inputs that were left out or are doubted; any makes the command line end with 1.
        exit_code: what the command line ends with instead; None leaves it to `problems`.
    """

    data: dict[str, Any]
    text: Any
    problems: Sequence[str] = ()
    exit_code: int | None = None
