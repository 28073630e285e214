"""Emotion recognition from voice and face, and proof of what its representations still give away about the person.

The public names are loaded when they are used: `import mien` imports neither torch nor pandas.
"""

import sys
from types import ModuleType

TYPE_CHECKING = False  # `typing` takes longer than all else here, and Ctrl-C is not heard before the command begins
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mien.commands.audit import leakage
    from mien.commands.audit_split import audit_split
    from mien.commands.compare import compare
    from mien.commands.evaluate import evaluate
    from mien.commands.export import export
    from mien.commands.label import label
    from mien.commands.predict import predict
    from mien.commands.prepare import prepare
    from mien.commands.report import report
    from mien.commands.train import train
    from mien.runs.loaded import load_model
    from mien.runs.run import Run

__all__ = [
    "audit_split",
    "compare",
    "evaluate",
    "export",
    "label",
    "leakage",
    "load",
    "load_model",
    "predict",
    "prepare",
    "report",
    "train",
]

_HOMES = {name: name for name in __all__ if name not in ("load", "load_model")} | {"leakage": "audit"}  # to its command

_INSTEAD = {
    "audit": "; the functions of 'mien audit' are mien.leakage, of a run or of embeddings, and mien.audit_split",
    "demo": "; 'mien demo' is the command line's alone",
    "list": "; 'mien list' is the command line's alone",
}


class _Package(ModuleType):
    """This package, in which a public name stays the function where a subpackage is called the same (`report`)."""

    def __setattr__(self, name: str, value: "Any") -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def load(run: "Path | str") -> "Run":
    """Open a RUN folder: its settings, splits, scores, predictions, embeddings (see `mien.runs.run.Run`).

    Raises:
        RunError: not a run folder, or one of an older mien.
        DependencyError: the extra `train` is not installed.
    """
    from mien.common.extras import need_train

    need_train("load")
    from mien.runs.run import Run

    return Run.open(run)


def __getattr__(name: str) -> "Any":
    if name == "load_model":
        from mien.runs.loaded import load_model

        globals()[name] = load_model
        return load_model
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute '{name}'{_INSTEAD.get(name, '')}")
    from mien.commands import command

    value = globals()[name] = command(_HOMES[name], name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
