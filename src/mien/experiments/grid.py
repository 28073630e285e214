"""Grids: the lists of an experiment file as single changes to it, each of which makes a variant of a model.

A grid is plain values, as in a file: group -> dotted key -> a list of plain values, or a mapping label -> value; a
value that is a mapping is merged into the setting, and null in it takes an entry away. Null as a value of its own is
for settings that may be null, such as `training.patience`; a mapping is not taken away as a whole. The keys of one
group are crossed, groups stand side by side. A key below `models.X` makes variants of X. Any other key makes a variant
of every model, or of those that the group names by `models: [X, ...]`, or of those that its keys below `models` name.
"""

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from mien.common.settings import Named
from mien.errors import ConfigError, nearest, unknown
from mien.experiments.provenance import assign, merged

Grid = dict[str, dict[str, Any]]

MAY_VARY = ("models", "encoder", "data", "training", "optimiser")
FIXED = {
    "data.prepared": "all variants are scored on the same clips",
    "data.scheme": "all variants have the same classes",
    "data.unlabelled": "all variants share one split",
    "data.targets": "all variants predict the same",
    "target": "all variants predict the same",
    "protocol": "all variants are scored on the same speakers",
    "seeds": "every variant is trained with every seed",
    "recipe": "a model is of one recipe",
}


class Point(NamedTuple):
    """One point of a group for one model.

    Attributes:
        group: name of the group.
        model: the model that it is a variant of.
        label: its name in the group, of the values that it takes; fit for a folder's name.
        changes: dotted key -> value.
    """

    group: str
    model: str
    label: str
    changes: dict[str, Any]

    @property
    def name(self) -> str:
        """The variant's name."""
        return f"{self.model}-{self.group}-{self.label}"


def points(grid: Grid, models: Collection[str]) -> Iterator[Point]:
    """All points of a grid, in the order of groups, models and values.

    Args:
        grid: see the module.
        models: the names of the experiment's models.

    Raises:
        ConfigError: a key may not be varied or is none, a model is unknown, or two points have one name.
    """
    names: dict[str, str] = dict.fromkeys(models, "")
    for group, settings in grid.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", group):
            raise ConfigError(f"grid: group '{group}': a group's name has letters, digits, '_' and '-' only")
        keys = {key: values_of(f"grid.{group}: '{key}'", own) for key, own in settings.items() if key != "models"}
        if not keys:
            raise ConfigError(f"grid.{group}: no setting is varied; name one, or leave the group out")
        owners = {key: owner(f"grid.{group}: '{key}'", key, models) for key in keys}
        for model in _models(group, settings, owners, models):
            own = {key: values for key, values in keys.items() if owners[key] in (None, model)}
            for labels in product(*own.values()):
                values = {key: own[key][label] for key, label in zip(own, labels, strict=True)}
                point = Point(group, model, "-".join(labels), values)
                if point.name in names:
                    first = f"is in group '{names[point.name]}' too" if names[point.name] else "is another model's"
                    raise ConfigError(f"grid.{group}: the name '{point.name}' {first}; choose another label")
                names[point.name] = group
                yield point


def changed(raw: Named, changes: Mapping[str, Any], where: str) -> Named:
    """Settings, as plain values, with changes by their dotted keys; a mapping is merged into the setting.

    Raises:
        ConfigError: beginning with `where`: a key leads below a single value, or a mapping would be taken away as a
            whole.
    """
    raw = copy.deepcopy(raw)
    for key, value in changes.items():
        place, there = place_of(key, raw.get("models", ())), raw
        for part in place:
            there = there.get(part) if isinstance(there, dict) else None  # type: ignore[assignment]
        if value is None and isinstance(there, dict):
            raise ConfigError(
                f"{where}: '{key}' is a mapping and null would take all of it away; name what goes, as in "
                f"'none: {{{next(iter(there), 'NAME')}: null}}'"
            )
        both = isinstance(value, Mapping) and isinstance(there, dict)
        assign(raw, place, merged(there, value, key) if both else copy.deepcopy(value), f"{where}: '{key}'")
    return raw


def place_of(key: str, models: Collection[str]) -> list[str]:
    """The parts of a dotted key; the name of a model is one part, though that of a variant may hold dots."""
    for name in sorted(models, key=len, reverse=True):
        if key.startswith(f"models.{name}."):
            return ["models", name, *key.removeprefix(f"models.{name}.").split(".")]
    return key.split(".")


def values_of(where: str, given: Any) -> Named:
    """The values of a key by their labels; a ConfigError begins with `where`."""
    if isinstance(given, list):
        if any(isinstance(value, list | dict) for value in given):
            raise ConfigError(f"{where}: a value of a list is plain; write a mapping from labels to such values")
        pairs = [(_label(value), value) for value in given]
    elif isinstance(given, dict):
        pairs = [(_label(label), value) for label, value in given.items()]
    else:
        raise ConfigError(f"{where}: {given!r} is neither a list of values nor a mapping from labels to values")
    labels = [label for label, _ in pairs]
    if not labels:
        raise ConfigError(f"{where}: no value is given")
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise ConfigError(f"{where}: two values have the label '{twice}'; write a mapping from labels to values")
    if "" in labels:
        raise ConfigError(f"{where}: a label is empty; it is part of a folder's name")
    return dict(pairs)


def _label(value: Any) -> str:
    """A value or label as a part of a folder's name."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)


def owner(where: str, key: str, models: Collection[str]) -> str | None:
    """The model that a key is a setting of; None for a setting of all models.

    Raises:
        ConfigError: beginning with `where`: the key may not be varied, or its model is unknown.
    """
    parts = place_of(key, models)
    if why := next((why for name, why in FIXED.items() if f"{key}.".startswith(f"{name}.")), None):
        raise ConfigError(f"{where} may not be varied: {why}")
    if parts[0] not in MAY_VARY:
        hint = nearest(parts[0], MAY_VARY)
        raise ConfigError(f"{where} is no setting that may be varied.{hint} Known: {', '.join(MAY_VARY)}")
    if len(parts) == 1 and key != "encoder":
        raise ConfigError(f"{where}: name one of its settings, as in '{key}.NAME'")
    if parts[0] != "models":
        return None
    if parts[1] not in models:
        raise ConfigError(f"{where}: {unknown('model', parts[1], models)}")
    return parts[1]


def _models(group: str, settings: Named, owners: Mapping[str, str | None], models: Collection[str]) -> list[str]:
    """The models that a group makes variants of."""
    named = [owner for owner in dict.fromkeys(owners.values()) if owner is not None]
    if "models" not in settings:
        return named or list(models)
    if named:
        raise ConfigError(f"grid.{group}: its keys name models already; leave 'models' out")
    chosen = settings["models"]
    if not isinstance(chosen, list) or not chosen:
        raise ConfigError(f"grid.{group}: 'models' is a list of names, such as [{next(iter(models))}]")
    if strange := [name for name in chosen if name not in models]:
        raise ConfigError(f"grid.{group}: {unknown('model', str(strange[0]), models)}")
    return list(dict.fromkeys(chosen))
