"""The conditions under which a trained model is examined: what is missing of its inputs, how much, in which pattern.

A grid is a YAML file; those that come with mien are the files here. A *condition* has a modality, a pattern and a
level; the conditions of one modality and pattern are a *series*, in the order of their levels. What each pattern does
is in `mien.media.perturbations`.
"""

from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mien.common.settings import Loader, Settings, Twice, parse
from mien.errors import ConfigError, unknown
from mien.experiments.library import SUFFIXES
from mien.media.perturbations import COLOURS, PATTERNS, Colour, Pattern

Given = Literal["audio", "video", "both"]
MODALITIES = {"audio": "audio", "video": "video", "both": "audio+video"}  # in a file -> in a table
MASKS: tuple[str, ...] = PATTERNS
SHIFT, BABBLE, COMPLETE = "shift", "babble", "complete"
NOISES = {f"{colour} noise": colour for colour in COLOURS}
OF_SOUND = (*NOISES, BABBLE, SHIFT)  # patterns that change the sound of a recording


Series = tuple[str, str]  # a modality and a pattern


class Condition(NamedTuple):
    """What is missing.

    Attributes:
        modality: "audio", "video" or "audio+video"; under `shift` the sound moves, against the pictures.
        pattern: a pattern of missing frames, "white noise", "pink noise", "babble" or "shift"; "complete" for nothing.
        level: the share that is missing, the signal-to-noise ratio in decibels, or milliseconds.
    """

    modality: str
    pattern: str
    level: float

    @property
    def unit(self) -> str:
        """The unit of the level: "share", "dB" or "ms"."""
        return "share" if self.pattern in (*MASKS, COMPLETE) else "ms" if self.pattern == SHIFT else "dB"

    @property
    def series(self) -> "Series":
        """Its modality and pattern."""
        return self.modality, self.pattern

    @property
    def same(self) -> "Condition":
        """The condition of the same inputs that stands for all: nothing missing, or all of a modality."""
        if self.unit != "dB" and self.level == 0:
            return NOTHING
        return self._replace(pattern="whole") if self.pattern in MASKS and self.level == 1 else self


NOTHING = Condition("", COMPLETE, 0.0)


def _one_of(value: object, kind: str, known: tuple[str, ...]) -> object:
    if isinstance(value, str) and value not in known:
        raise ValueError(unknown(kind, value, known))
    return value


def _ascending(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a value is given twice")
    return tuple(sorted(values)) if values and not isinstance(values[0], str) else values


_Modality = Annotated[Given, BeforeValidator(partial(_one_of, kind="modality", known=get_args(Given)))]
_Pattern = Annotated[Pattern, BeforeValidator(partial(_one_of, kind="pattern", known=PATTERNS))]
_Colour = Annotated[Colour, BeforeValidator(partial(_one_of, kind="colour", known=COLOURS))]
_Once, _Some = AfterValidator(_ascending), Field(min_length=1)
_Shares = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], _Some, _Once]
_Decibels = Annotated[tuple[Annotated[float, Field(ge=-100, le=100)], ...], _Some, _Once]


class Missing(Settings):
    """Frames that are missing: every modality with every pattern at every share."""

    modalities: Annotated[tuple[_Modality, ...], _Some, _Once]
    patterns: Annotated[tuple[_Pattern, ...], _Some, _Once]
    shares: _Shares


class FaceLost(Settings):
    """Pictures that are missing in one stretch."""

    shares: _Shares


class Noise(Settings):
    """Noise beneath the sound."""

    colours: Annotated[tuple[_Colour, ...], _Some, _Once]
    decibels: _Decibels


class Babble(Settings):
    """Voices of other speakers of the corpus beneath the sound; `voices` is how many."""

    voices: int = Field(default=5, ge=1, le=50)
    decibels: _Decibels


class Shift(Settings):
    """Sound that is later than the pictures by so many milliseconds."""

    milliseconds: Annotated[tuple[Annotated[float, Field(ge=0, le=60_000)], ...], _Some, _Once]


class Conditions(Settings):
    """A grid of conditions; what is left out is not examined. `seed` is that of all random numbers."""

    seed: int = Field(default=0, ge=0)
    missing: Missing | None = None
    face_lost: FaceLost | None = None
    noise: Noise | None = None
    babble: Babble | None = None
    shift: Shift | None = None

    @model_validator(mode="after")
    def _once(self) -> "Conditions":
        frames = self.missing
        if self.face_lost and frames and "face_lost" in frames.patterns and "video" in frames.modalities:
            raise ValueError(
                "missing.patterns holds face_lost for video, and the key face_lost gives the same series other shares; "
                "leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _some(self) -> "Conditions":
        if not list(self.all()):
            raise ValueError(f"holds no condition; give one of {_KEYS}")
        return self

    def all(self) -> Iterator[Condition]:
        """Every condition, series after series, each from the least that is missing to the most."""
        if (frames := self.missing) is not None:
            for modality in frames.modalities:
                for pattern in frames.patterns:
                    yield from (Condition(MODALITIES[modality], pattern, share) for share in frames.shares)
        if self.face_lost is not None:
            yield from (Condition("video", "face_lost", share) for share in self.face_lost.shares)
        for colour in self.noise.colours if self.noise is not None else ():
            yield from (Condition("audio", f"{colour} noise", level) for level in self._loud(self.noise))
        yield from (Condition("audio", BABBLE, level) for level in self._loud(self.babble))
        if self.shift is not None:
            yield from (Condition("audio+video", SHIFT, late) for late in self.shift.milliseconds)

    @staticmethod
    def _loud(of: Noise | Babble | None) -> tuple[float, ...]:
        return () if of is None else of.decibels[::-1]


_KEYS = ", ".join(sorted(set(Conditions.model_fields) - {"seed"}))


def names() -> list[str]:
    """The grids that come with mien."""
    return sorted(file.name[:-5] for file in resources.files(__name__).iterdir() if file.name[-5:] == ".yaml")


def load(grid: str | Path) -> tuple[str, Conditions]:
    """The name of a grid and its conditions.

    Args:
        grid: a name, or a YAML file.

    Raises:
        ConfigError: there is none, it is empty or not YAML, or a key, pattern or level in it is unknown, wrong or given
            twice.
    """
    path, known = Path(grid), names()
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file of conditions; known names: {', '.join(known)}")
        name, text = path.stem, path.read_bytes()
        if name in known:
            raise ConfigError(f"{path}: '{name}' is the name of a grid that comes with mien; rename the file")
    elif str(grid) in known:
        name, text = str(grid), resources.files(__name__).joinpath(f"{grid}.yaml").read_bytes()
    else:
        raise ConfigError(unknown("grid of conditions", str(grid), known) + " A file of yours ends in .yaml.")
    try:
        raw = yaml.load(text.decode(), Loader)  # noqa: S506 - Loader is a SafeLoader
    except Twice as error:
        raise ConfigError(f"{grid}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{grid}: not YAML in UTF-8: {' '.join(str(error).split())}") from error
    if raw is None:
        raise ConfigError(f"{grid}: is empty; give one of {_KEYS}")
    if not isinstance(raw, dict):
        raise ConfigError(f"{grid}: a grid is a mapping of conditions, not {type(raw).__name__}")
    conditions: Conditions = parse(Conditions, raw, str(grid))
    return name, conditions
