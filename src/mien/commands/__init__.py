"""Commands, one file each: they call the other packages; `cli` parses the arguments, calls a command and prints.

A command is a function with its file's name that returns an `Outcome`. Nothing heavy is imported here.
"""

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.common.extras import need_train
from mien.common.imports import imported

if TYPE_CHECKING:
    import pandas as pd

BASE = {"list", "predict"}  # commands that the base install can run; all others need the extra `train`
SHORT = 48  # characters of a value that the repr of an outcome shows


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
        """Numbers and short texts as they are, lists by their length: data are often longer than a screen."""
        parts = [f"{name}: {_short(value)}" for name, value in self.data.items()]
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


def command(name: str, function: str | None = None) -> "Callable[..., Outcome]":
    """The function of a command, whose module is imported now.

    Args:
        name: the module of the command in this package.
        function: the function, where it is not called as the module.

    Raises:
        DependencyError: the command needs the extra `train`, which is not installed. Nothing was imported or written.
    """
    if name not in BASE:
        need_train(name)
    found: Callable[..., Outcome] = getattr(imported(f"{__name__}.{name}"), function or name)
    return found


def _short(value: object) -> str:
    """A value in a few letters: a long text by its end, a list by its length, a mapping by numbers or keys."""
    if isinstance(value, str):
        return value if len(value) <= SHORT else f"...{value[-SHORT:]}"
    if isinstance(value, Mapping):
        numbers = all(isinstance(one, int | float) for one in value.values())
        pairs = ", ".join(f"{key}: {_short(one)}" if numbers else str(key) for key, one in value.items())
        return f"{{{pairs}}}" if len(pairs) <= SHORT else f"{{{len(value)} entries}}"
    if isinstance(value, Sized):
        return str(len(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)  # `list` is a command of this package
