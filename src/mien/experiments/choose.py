"""Choices: settings that are chosen within a run, for every fold and seed anew, by the score on validation clips.

Plain values, as in a file: dotted key -> `{on: validation, of: VALUES}`, where the values are those of a grid (see
`mien.experiments.grid`): a list of plain values, or a mapping label -> value. A key below `models.X` is chosen for X,
any other key for every model by itself; the keys of a model are crossed. Each point is a candidate. Of these the one
with the best `training.best` on the validation clips becomes the cell, the first of equals, and it alone predicts test
clips.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any, Literal, NamedTuple

from pydantic import field_validator, model_validator

from mien.common.settings import Settings
from mien.errors import ConfigError
from mien.experiments.grid import Grid, owner, values_of

FIXED = {"training.best": "candidates are compared by it"}


class Choice(Settings):
    """How one setting is chosen.

    Attributes:
        on: the part of a fold whose score chooses.
        of: what is tried: a list of values, or label -> value.
    """

    on: Literal["validation"]
    of: Any

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            raise ValueError("a choice is {on: validation, of: VALUES}")
        return raw

    @field_validator("on", mode="before")
    @classmethod
    def _not_on_test(cls, on: object) -> object:
        if on == "test":
            raise ValueError(
                "a choice on 'test' would fit the setting to the clips that are to show how well it does; give "
                "validation"
            )
        return on


Choices = dict[str, Choice]


class Tried(NamedTuple):
    """One candidate of a model.

    Attributes:
        label: of the values that it takes; fit for a folder's name.
        changes: dotted key -> value.
    """

    label: str
    changes: dict[str, Any]


def tried(choices: Mapping[str, Choice], model: str, models: Collection[str], best: str) -> Iterator[Tried]:
    """The candidates of a model, in the order of keys and values; none where nothing is chosen for it.

    Args:
        choices: see the module.
        model: its name.
        models: the names of all models.
        best: its `training.best`.

    Raises:
        ConfigError: a key may not be varied or is none, its model is unknown, candidates cannot be compared, or two
            have one label.
    """
    keys: dict[str, dict[str, Any]] = {}
    for key, choice in choices.items():
        where = f"choose: '{key}'"
        if why := FIXED.get(key):
            raise ConfigError(f"{where} may not be chosen: {why}")
        values = values_of(where, choice.of)
        if owner(where, key, models) in (None, model):
            keys[key] = values
    if not keys:
        return
    if best == "last":
        raise ConfigError(
            f"choose: '{next(iter(keys))}' is chosen by a validation score, and training.best: last has none; name a "
            "score there, such as uar"
        )
    known: set[str] = set()
    for labels in product(*keys.values()):
        label = "-".join(labels)
        if label in known or not label.strip("."):
            why = "two candidates have it" if label in known else "it has to name a folder"
            raise ConfigError(f"choose: the label '{label}': {why}; write a mapping from other labels to the values")
        known.add(label)
        yield Tried(label, {key: keys[key][part] for key, part in zip(keys, labels, strict=True)})


def refuse_varied(choices: Collection[str], grid: Grid) -> None:
    """Raise ConfigError for a setting that a group of the grid varies, and that is chosen as well."""
    for group, settings in grid.items():
        for key in settings:
            for chosen in choices:
                if f"{chosen}.".startswith(f"{key}.") or f"{key}.".startswith(f"{chosen}."):
                    raise ConfigError(
                        f"choose: '{chosen}' is varied by grid.{group} as well, where every value is kept; leave one "
                        "of the two out"
                    )


def of_model(choices: Mapping[str, Choice], model: str, name: str, models: Collection[str]) -> dict[str, Any]:
    """The choices of a model, as plain values, for a variant of it.

    Args:
        choices: see the module.
        model: the model.
        name: of the variant.
        models: the names of all models.
    """
    own = {key: one for key, one in choices.items() if owner(f"choose: '{key}'", key, models) in (None, model)}
    old, new = f"models.{model}.", f"models.{name}."
    return {key.replace(old, new, 1) if key.startswith(old) else key: one for key, one in own.items()}
