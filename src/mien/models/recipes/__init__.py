"""The papers' algorithms. The name of a file here is the name in an experiment.

A recipe module has a `SOURCE`, a `Config` (the settings of one model), `build(config, encoder, classes, class_weight)`
and `predictor(config)`: the settings of the part that predicts emotions, whose weights have the names of the whole
model's. Adding one is adding a file.
"""

from types import ModuleType

from mien.common import registry


def names() -> tuple[str, ...]:
    """The names of all recipes, sorted."""
    return registry.names(__name__)


def recipe(name: str) -> ModuleType:
    """The module of a recipe; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "recipe")
