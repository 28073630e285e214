"""Experiment files: YAML to typed settings, and every misspelt key refused with the nearest name.

Numbers are read as in YAML 1.2 (`1e-3` is a number, `no` is a word), a key told twice is an error. `extends: NAME`
takes another experiment's settings first; `key=value` overrides come last.
"""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator

from mien import encoders, features, recipes
from mien.engine.fit import Training
from mien.engine.minimise import Optimiser
from mien.errors import ConfigError, unknown
from mien.features.batches import Length, Masking
from mien.features.config import FeatureConfig
from mien.features.normalisation import Kind
from mien.protocols import Protocol
from mien.settings import Settings, parse

Named = dict[str, Any]


class Data(Settings):
    """What is learned from.

    Attributes:
        prepared: the PREPARED folder.
        scheme: the emotion classes, a name in `corpora.schemes`.
        audio: a feature by name, with its settings.
        copies: name -> settings of the feature that differ; each is one more training example of every clip.
        length: how long clips are made.
        normalisation: none, by the training frames, or by each speaker's frames (uses statistics of test data).
        masking: of training batches.
        unlabelled: clips without an emotion of the scheme are left out, or train what needs no emotion.
    """

    prepared: str | None = None
    scheme: str
    audio: Named
    copies: dict[str, Named] = Field({})
    length: Length = Length()
    normalisation: Kind = "none"
    masking: Masking = Masking()
    unlabelled: Literal["leave out", "train"] = "leave out"


class Experiment(Settings):
    """One experiment, resolved.

    Attributes:
        title: what it is, one line.
        paper: key of the paper.
        command: the line that runs it.
        cost: what it takes, on which machine.
        expected: the score to expect, with its protocol.
        recipe: a name in `recipes`.
        encoder: a name in `encoders`, with its settings.
        models: name -> settings of the recipe.
        data: see `Data`.
        protocol: see `protocols.Protocol`.
        training: see `engine.fit.Training`.
        optimiser: see `engine.minimise.Optimiser`.
        seeds: each trains every model on every fold.
        provenance: setting (a dotted prefix) -> paper, assumed (the paper is silent), or ours (a departure).
        reference: the paper's figures: model -> measure -> value.
    """

    title: str
    paper: str
    command: str
    cost: str
    expected: str
    recipe: str
    encoder: Named
    models: dict[str, Named] = Field(min_length=1)
    data: Data
    protocol: Protocol
    training: Training
    optimiser: Optimiser = Optimiser()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    provenance: dict[str, Literal["paper", "assumed", "ours"]] = Field({})
    reference: dict[str, dict[str, float]] = Field({})

    @field_validator("models")
    @classmethod
    def _plain_names(cls, models: dict[str, Named]) -> dict[str, Named]:
        for name in models:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(f"model '{name}': a model's name is a folder's: letters, digits, '_' and '-' only")
        return models

    @property
    def feature(self) -> tuple[str, FeatureConfig]:
        """The audio feature's name and settings."""
        return _feature(self.data.audio, "data.audio")

    @property
    def feature_copies(self) -> dict[str, FeatureConfig]:
        """Name -> settings of each changed copy of the audio feature."""
        return {
            name: _feature({**self.data.audio, **changes}, f"data.copies.{name}")[1]
            for name, changes in self.data.copies.items()
        }

    def model(self, name: str) -> Any:
        """The recipe's `Config` of one model."""
        return parse(recipes.recipe(self.recipe).Config, self.models[name], f"models.{name}")

    @property
    def encoder_config(self) -> tuple[str, Any]:
        """The encoder's name and its `Config`."""
        settings = dict(self.encoder)
        name = settings.pop("name", None)
        if not isinstance(name, str):
            raise ConfigError(f"encoder: 'name' is missing; known: {', '.join(encoders.ENCODERS)}")
        return name, parse(encoders.encoder(name).Config, settings, "encoder")


def _feature(settings: Named, where: str) -> tuple[str, FeatureConfig]:
    settings = dict(settings)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"{where}: 'name' is missing; known features: {', '.join(features.FEATURES)}")
    return name, parse(features.feature(name).Config, settings, where)


def names() -> list[str]:
    """The experiments that come with mien."""
    return sorted(file.name[:-5] for file in resources.files("mien.experiments").iterdir() if file.name[-5:] == ".yaml")


def load(experiment: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment by name or file, apply overrides `key=value`, and check all of it.

    Raises:
        ConfigError: naming the file and the key, with the nearest known one.
    """
    raw = _read(experiment)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"'{override}' is not an override: write key=value, such as training.epochs=5")
        try:
            value = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(f"override '{override}': the value is not YAML ({error})") from error
        _assign(raw, key.split("."), value, override)
    return resolve(raw, str(experiment))


def resolve(raw: Named, where: str) -> Experiment:
    """Check the settings of an experiment, those of its encoder, features and models too."""
    raw = {**raw, "encoder": _named(raw.get("encoder"))} if "encoder" in raw else raw
    if isinstance(raw.get("data"), dict) and "audio" in raw["data"]:
        raw = {**raw, "data": {**raw["data"], "audio": _named(raw["data"]["audio"])}}
    experiment: Experiment = parse(Experiment, raw, where)
    try:
        experiment.encoder_config  # noqa: B018 - checked when it is read
        experiment.feature, experiment.feature_copies  # noqa: B018
        for name in experiment.models:
            experiment.model(name)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return experiment


def _named(value: Any) -> Any:
    """`NAME` is short for `{name: NAME}`."""
    return {"name": value} if isinstance(value, str) else value


def _read(experiment: str | Path, above: tuple[str, ...] = ()) -> Named:
    path = Path(experiment)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise ConfigError(f"{path}: no such experiment file; known names: {', '.join(names())}")
        text = path.read_text(encoding="utf-8")
    elif str(experiment) in names():
        text = resources.files("mien.experiments").joinpath(f"{experiment}.yaml").read_text(encoding="utf-8")
    else:
        raise ConfigError(unknown("experiment", str(experiment), names()) + " A file of yours ends in .yaml.")
    try:
        raw = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{experiment}: not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{experiment}: an experiment is a mapping of settings, not {type(raw).__name__}")
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if base in above:
        raise ConfigError(f"{experiment}: extends itself by way of {' -> '.join(above)}")
    local = path.parent / str(base)
    return _merge(_read(local if local.suffix in {".yaml", ".yml"} else str(base), (*above, str(base))), raw)


def _merge(base: Named, over: Mapping[str, Any]) -> Named:
    """`over` laid on `base`, mappings key by key; null takes a key of the base away."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and key in merged and isinstance(merged[key], dict):
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _assign(raw: Named, place: Sequence[str], value: Any, override: str) -> None:
    for part in place[:-1]:
        raw[part] = _named(raw[part]) if part in {"encoder", "audio"} and part in raw else raw.get(part, {})
        raw = raw[part]
        if not isinstance(raw, dict):
            raise ConfigError(f"override '{override}': '{part}' is one value and has no keys below it")
    if value is None and isinstance(raw.get(place[-1]), dict):
        del raw[place[-1]]
    else:
        raw[place[-1]] = value


class Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2's core schema, and no key told twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a table of the base class, replaced whole
        first: [
            (tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] not in {"bool", "float", "timestamp"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is told twice."""
        keys = [key.value for key, _ in node.value]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"the key '{twice[0]}' is told twice", node.start_mark)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.inf|\.nan)$"),
    list("-+0123456789."),
)
