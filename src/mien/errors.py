"""The family of errors that mien raises on purpose.

Each message is one sentence that names the file, row or key, and the way out. The command line prints it without a
traceback and ends with `exit_code`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MienError(Exception):
    """Mien refuses to go on: wrong usage, wrong configuration, or a required input that is missing or damaged."""

    exit_code = 2


class MediaError(MienError):
    """A media file that cannot be read as sound or pictures.

    Attributes:
        file: the path as the caller gave it.
        cause: what is wrong with the file, one clause without its name.
    """

    def __init__(self, file: Path | str, cause: str) -> None:
        super().__init__(f"{file}: {cause}")
        self.file = Path(file)
        self.cause = cause

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str]]:
        return (type(self), (str(self.file), self.cause))


class BusyError(MienError):
    """Another command writes to the same folder."""


class ClusterError(MienError):
    """A cluster that cannot be used as it is, or that has gone."""


class MediaWarning(UserWarning):
    """What should be known of the answers on a media file: what of it is silent, too short, or not looked at."""


class SoundError(MediaError):
    """A file, or a part of it, of which sound is missing and nothing is damaged; its pictures may be whole.

    Attributes:
        samples: (N,) float32, what there is of the sound from the part's start on; None where there is none.
    """

    def __init__(self, file: Path | str, cause: str, samples: "NDArray[np.float32] | None" = None) -> None:
        super().__init__(file, cause)
        self.samples = samples

    def __reduce__(  # type: ignore[override]
        self,
    ) -> "tuple[type[SoundError], tuple[str, str, NDArray[np.float32] | None]]":
        return (type(self), (str(self.file), self.cause, self.samples))


class CorpusError(MienError):
    """A folder that is not the expected corpus, or a table that breaks its schema."""


class ConfigError(MienError):
    """A setting, name or override that is unknown or not valid."""


class DependencyError(ConfigError, ImportError):
    """A package that an extra brings is not installed; the message has the line for pip."""


class RunError(MienError):
    """A run folder that is missing, unfinished, or belongs to another experiment."""


class LeakError(MienError):
    """A split in which test speakers are also in training."""

    exit_code = 3


class AuditError(MienError):
    """Embeddings, labels or a split of clips on which nothing can be measured as they are given."""


class TrainingError(MienError):
    """A training run that cannot go on, for example because a gradient is not finite."""


def listed(names: Iterable[str]) -> str:
    """Names joined for a sentence: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The error message for an unknown name: the name, the nearest known name, and all known names."""
    names = sorted(known)
    return f"unknown {kind} '{name}'.{nearest(name, names)} Known: {', '.join(names) or 'none'}."


def nearest(name: str, known: Iterable[str]) -> str:
    """The question " Did you mean 'NAME'?" with the nearest known name, for an error message; "" if none is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""
