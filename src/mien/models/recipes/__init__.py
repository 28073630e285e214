"""The papers' algorithms. The name of a file here is the name in an experiment.

What a recipe module has to define is described in `_recipe`. Adding a recipe is adding a file.
"""

from types import ModuleType

from mien.common import registry


def names() -> tuple[str, ...]:
    """The names of all recipes, sorted."""
    return registry.names(__name__)


def recipe(name: str) -> ModuleType:
    """The module of a recipe; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "recipe")
