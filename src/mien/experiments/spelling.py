"""Names of one's own, of models, copies and the like, that are nearly those of the experiment that is changed.

Such a name may be new or misspelt: `MEnAM` beside `MEnAN` would be one more model, and `MEnAN` would stay as it was.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mien.errors import ConfigError, nearest

# the mappings whose keys are names that an experiment chooses
PLACES = re.compile(
    r"models|models\.[^.]+\.embeddings|models\.[^.]+\.embeddings\.[^.]+\.(tasks|remove)|data\.copies|data\.targets"
    r"|axes|claims|grid|reference"
)
NEAR = 0.75  # share of letters in common


def doubts(base: Mapping[str, Any], over: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """(Dotted key, question) for each new name in `over` that is nearly one in `base`."""
    free = PLACES.fullmatch(place)
    for name, value in over.items():
        key = f"{place}.{name}" if place else str(name)
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping):
            yield from doubts(base[name], value, key)
        elif free and name not in base and (near := _near(str(name), [old for old in base if old not in over])):
            yield key, f"{key} is new; did you mean '{near}'?"


def refuse_nothing(base: Mapping[str, Any], over: Mapping[str, Any], where: str, place: str = "") -> None:
    """Raise ConfigError, beginning with `where`, for a null that takes a name away that is not there."""
    free = PLACES.fullmatch(place)
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping):
            refuse_nothing(base[name], value, where, f"{place}.{name}" if place else str(name))
        elif free and value is None and name not in base:
            raise ConfigError(
                f"{where}: {place}: null takes '{name}' away, which is not there.{nearest(str(name), base)} Known: "
                f"{', '.join(base) or 'none'}."
            )


def _near(name: str, known: list[str]) -> str:
    """The known name that another is nearly; none where it only goes on, or has another number."""
    plain = re.sub(r"\d+", "0", name)
    there = [old for old in known if not name.startswith(old) and re.sub(r"\d+", "0", old) != plain]
    return next(iter(get_close_matches(name, there, n=1, cutoff=NEAR)), "")
