"""The papers' algorithms. The name of a file here is the name in an experiment.

A recipe module has a `SOURCE`, a `Config` (the settings of one model), `build(config, encoder, classes, class_weight)`
and `predictor(config)`: the settings of the part that predicts emotions, whose weights have the names of the whole
model's. Adding one: a file, and a line in `RECIPES`.
"""

from importlib import import_module
from types import ModuleType

from mien.errors import ConfigError, unknown

RECIPES = ("disentangle",)


def recipe(name: str) -> ModuleType:
    """The module of a recipe; raises ConfigError with the nearest name."""
    if name not in RECIPES:
        raise ConfigError(unknown("recipe", name, RECIPES))
    return import_module(f"mien.recipes.{name}")
