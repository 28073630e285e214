"""Commands, one file each: they call the other packages; `cli` parses the arguments, calls a command and prints.

A command is a function with its file's name that returns an `Outcome`. Nothing heavy is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        """What there is, and how much: data are often longer than a screen."""
        parts = [f"{name}: {len(value)}" if _is_list(value) else name for name, value in self.data.items()]
        return f"Outcome({', '.join([*parts, f'problems: {len(self.problems)}'])})"

    @property
    def frame(self) -> "pd.DataFrame":
        """The first list of records in `data` as a table, a row a record: of `predict` and `leakage` the `rows`.

        Raises:
            ValueError: the command has no such list.
        """
        import pandas as pd

        for records in self.data.values():
            if _is_list(records) and records and all(isinstance(one, dict) for one in records):
                return pd.DataFrame(records)
        raise ValueError(f"{self!r}: holds no table; its data are a mapping: outcome.data")


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)  # `list` is a command of this package
