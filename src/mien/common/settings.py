"""The base of all settings classes: frozen, strict about types, no unknown keys. And the loader of their YAML."""

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from mien.errors import ConfigError, nearest

LONGEST = 60  # characters of a wrong value that an error shows; a longer mapping is not shown


class Settings(BaseModel):
    """A typed, immutable group of settings. An unknown key or a wrong type raises `pydantic.ValidationError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


def digest(value: object) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a JSON-able value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def parse(kind: Any, raw: Mapping[str, Any], where: str, also: Collection[str] = ()) -> Any:
    """Settings of a class from plain values, strict about types; the ConfigError suggests the nearest key.

    Args:
        kind: the class.
        raw: plain values.
        where: their name in errors.
        also: keys beside those of the class that whoever wrote the values may give.
    """
    try:
        return kind.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(kind, dict(e), where, also) for e in _first(error))) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _first(error: ValidationError) -> Iterator[ErrorDetails]:
    """The errors without those that follow from another one: of a default, of the list it is in, of a key misspelt."""
    places = [own["loc"] for own in error.errors()]
    strange = [own["loc"] for own in error.errors() if own["type"] == "extra_forbidden"]
    for own in error.errors():
        above, name = own["loc"][:-1], str(own["loc"][-1]) if own["loc"] else ""
        if own["type"] == "missing" and any(
            place[:-1] == above and nearest(str(place[-1]), [name]) for place in strange
        ):
            continue
        inside = any(place != own["loc"] and place[: len(own["loc"])] == own["loc"] for place in places)
        if own["type"] != "default_factory_not_called" and not (own["type"] == "too_short" and inside):
            yield own


def _sentence(kind: Any, error: dict[str, Any], where: str, also: Collection[str]) -> str:
    place = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(place)
    if error["type"] == "extra_forbidden":
        known = sorted(_known(kind, place[:-1]).union(() if place[:-1] else also))
        return f"{where}: unknown key '{key}'.{nearest(place[-1], known)} Known: {', '.join(known)}"
    if error["type"] == "missing":
        return f"{where}: '{key}' is missing"
    message = error["msg"].removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}"
    value, text = error["input"], json.dumps(error["input"])
    if isinstance(value, float) and not math.isfinite(value):
        text = {"Infinity": ".inf", "-Infinity": "-.inf"}.get(text, ".nan")  # as YAML has it
    if not key and isinstance(value, Mapping):  # an error of all settings together: no single value to show
        return f"{where}: {message}"
    if (isinstance(value, str) and f"'{value}'" in message) or (isinstance(value, Mapping) and len(text) > LONGEST):
        return f"{where}: {key}: {message}"
    return f"{where}: {key}: {message} (found {text[:LONGEST]})"


def _known(kind: Any, place: Sequence[str]) -> set[str]:
    """The keys that a settings class accepts at a dotted place inside it; of one that may be None, its own."""
    for part in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[part].annotation
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        if get_origin(kind) in (Union, UnionType):
            some = [one for one in get_args(kind) if one is not NoneType]
            kind = some[0] if len(some) == 1 else kind
    return set(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else set()


class Twice(yaml.constructor.ConstructorError):
    """A key that a mapping has twice, as one clause with its line."""

    def __str__(self) -> str:
        line = f" (line {self.problem_mark.line + 1})" if self.problem_mark is not None else ""
        return f"{self.problem}{line}; keep one of them"


class Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2's core schema; duplicate keys are an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a table of the base class, replaced whole
        first: [
            (tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] not in {"bool", "float", "timestamp"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is given twice."""
        seen: list[Any] = []
        for key, _ in node.value:
            if key.value in seen:
                raise Twice(None, None, f"the key '{key.value}' is given twice", key.start_mark)
            seen.append(key.value)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.inf|\.nan)$"),
    list("-+0123456789."),
)


def difference(before: Any, now: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """The first setting that differs: (dotted key, before, now)."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            if first := difference(before.get(name), now.get(name), f"{key}.{name}".removeprefix(".")):
                return first
        return None
    return None if before == now else (key, before, now)


Named = dict[str, Any]


def named(value: Any) -> Any:
    """`NAME` is short for `{name: NAME}`."""
    return {"name": value} if isinstance(value, str) else value
