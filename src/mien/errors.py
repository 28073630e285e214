"""The family of errors that mien raises on purpose.

Each message is one sentence that names the file, row or key, and the way out. The command line prints it without a
traceback and ends with `exit_code`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class MienError(Exception):
    """Something was refused: usage, configuration, or an input without which nothing can be done."""

    exit_code = 2


class MediaError(MienError):
    """A media file that cannot be read as sound or pictures.

    Attributes:
        file: the file as it was given.
        cause: what is wrong with it, one clause without the file name.
    """

    def __init__(self, file: Path | str, cause: str) -> None:
        super().__init__(f"{file}: {cause}")
        self.file = Path(file)
        self.cause = cause

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str]]:
        return (type(self), (str(self.file), self.cause))


class CorpusError(MienError):
    """A folder that is not the corpus it should be, or a table that breaks its schema."""


class ConfigError(MienError):
    """A setting, a name or an override that is not understood."""


class RunError(MienError):
    """A run folder that is missing, unfinished, or belongs to another experiment."""


class LeakError(MienError):
    """A split that gives test speakers to training."""


class AuditError(MienError):
    """Embeddings, labels or a division of clips that nothing can be measured on as they are told."""


class TrainingError(MienError):
    """A training that cannot go on, such as a gradient that is not finite."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nothing answers to: what it was, the nearest known one, and all known ones."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}'.{hint} Known: {', '.join(names) or 'none'}."
