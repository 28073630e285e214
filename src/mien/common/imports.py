"""Importing modules without looking for garbage meanwhile.

Modules are kept, so what collections find in them is nearly nothing, and walking over ever more objects takes a fifth
of the time that torch, pandas and scikit-learn need.
"""

import gc
from importlib import import_module
from types import ModuleType


def imported(name: str) -> ModuleType:
    """Import a module and what it needs; garbage is collected again afterwards, where it was before."""
    collected = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        if collected:
            gc.enable()
