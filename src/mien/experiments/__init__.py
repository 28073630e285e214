"""What is run: an experiment file with its models, grid, provenance and reference figures.

The public names are loaded when they are used, so that reading the library's files imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.experiments.experiment import Experiment, Variant, changed, load, questions, resolve

__all__ = ["Experiment", "Variant", "changed", "load", "questions", "resolve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mien.experiments' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module("mien.experiments.experiment"), name)
    return value
