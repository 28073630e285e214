"""Experiment files: YAML to typed settings, and every misspelt key refused with the nearest name.

Numbers are read as in YAML 1.2 (`1e-3` is a number, `no` is a word), a key told twice is an error. `extends: NAME`
takes another experiment's settings first; `key=value` overrides come last. A setting that either changes is ours,
whatever the experiment below says of it, unless its provenance is told with it.
"""

import copy
import re
from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator

from mien import encoders, features, recipes
from mien.engine.fit import Training
from mien.engine.minimise import Optimiser
from mien.errors import ConfigError, unknown
from mien.features.batches import Masking
from mien.features.config import FeatureConfig
from mien.features.length import Length
from mien.features.normalisation import Kind
from mien.protocols import Protocol
from mien.provenance import SCIENCE, Named, leaves, named, prefixes, traced
from mien.settings import Loader, Settings, parse


class Data(Settings):
    """What is learned from.

    Attributes:
        prepared: the PREPARED folder; a relative path is taken from the working directory and made absolute.
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

    @field_validator("prepared")
    @classmethod
    def _absolute(cls, prepared: str | None) -> str | None:
        return None if prepared is None else str(Path(prepared).absolute())


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
        provenance: setting (a dotted prefix) -> paper, assumed (the paper is silent), or ours (a departure); the
            longest prefix holds.
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
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = Field((0,), min_length=1)
    provenance: dict[str, Literal["paper", "assumed", "ours"]] = Field({})
    reference: dict[str, dict[str, float]] = Field({})

    @field_validator("models")
    @classmethod
    def _plain_names(cls, models: dict[str, Named]) -> dict[str, Named]:
        for name in models:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(f"model '{name}': a model's name is a folder's: letters, digits, '_' and '-' only")
        return models

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named twice; name each once")
        return seeds

    @property
    def feature(self) -> tuple[str, FeatureConfig]:
        """The audio feature's name and settings."""
        return _feature(self.data.audio, "data.audio")

    @property
    def feature_copies(self) -> dict[str, FeatureConfig]:
        """Name -> settings of each changed copy of the audio feature; raises ConfigError where its frames differ."""
        whole = _frames(*self.feature)
        copies: dict[str, FeatureConfig] = {}
        for name, changes in self.data.copies.items():
            feature, copies[name] = _feature({**self.data.audio, **changes}, f"data.copies.{name}")
            for what, value in _frames(feature, copies[name]).items():
                if value != whole[what]:
                    raise ConfigError(
                        f"data.copies.{name}: its {what} is {value} and that of data.audio {whole[what]}; a copy may "
                        "change the sound (speed, noise_db), not the frames"
                    )
        return copies

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


def _frames(name: str, config: FeatureConfig) -> Named:
    """What all examples of a batch share."""
    module = features.feature(name)
    return {"feature": name, "dimension": module.dimension(config), "hop": module.hop(config)}


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
    base, loose = _read(experiment)
    raw = {**copy.deepcopy(base), "provenance": {}}
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"'{override}' is not an override: write key=value, such as training.epochs=5")
        try:
            value = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(
                f"override '{override}': the value is not YAML ({' '.join(str(error).split())})"
            ) from error
        _assign(raw, key.split(".", 1 if key.startswith("provenance.") else -1), value, override)
    raw, more = traced(base, raw)
    return resolve(raw, str(experiment), loose | more)


def resolve(raw: Named, where: str, loose: Set[str] = frozenset()) -> Experiment:
    """Check the settings of an experiment, those of its encoder, features and models too.

    Args:
        raw: plain values.
        where: what they are called in errors.
        loose: entries of the provenance that are left out where they are no setting (any more).
    """
    raw = {**raw, "encoder": named(raw.get("encoder"))} if "encoder" in raw else raw
    if isinstance(raw.get("data"), dict) and "audio" in raw["data"]:
        raw = {**raw, "data": {**raw["data"], "audio": named(raw["data"]["audio"])}}
    experiment: Experiment = parse(Experiment, raw, where)
    try:
        experiment.encoder_config  # noqa: B018 - checked when it is read
        experiment.feature, experiment.feature_copies  # noqa: B018
        known = _keys(experiment)
        told = {key: source for key, source in experiment.provenance.items() if key in known or key not in loose}
        if strange := [key for key in told if key not in known]:
            near = get_close_matches(strange[0], sorted(known), n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"provenance: '{strange[0]}' is no setting.{hint}")
        if models := [name for name in experiment.reference if name not in experiment.models]:
            raise ConfigError(f"reference: {unknown('model', models[0], experiment.models)}")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return experiment.model_copy(update={"provenance": told})


def _keys(experiment: Experiment) -> set[str]:
    """The dotted keys of all settings that have a provenance, defaults too, and their prefixes."""
    whole = experiment.model_dump(mode="json", include=set(SCIENCE))
    whole["encoder"] |= experiment.encoder_config[1].model_dump(mode="json")
    whole["models"] = {name: experiment.model(name).model_dump(mode="json") for name in experiment.models}
    whole["data"]["audio"] |= experiment.feature[1].model_dump(mode="json")
    whole["data"]["copies"] = {name: one.model_dump(mode="json") for name, one in experiment.feature_copies.items()}
    return prefixes(key for key, _ in leaves(whole))


def _read(experiment: str | Path, above: tuple[str, ...] = ()) -> tuple[Named, set[str]]:
    """The plain values of an experiment and what it extends, and the entries of its provenance that may be no more."""
    path = Path(experiment)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise ConfigError(f"{path}: no such experiment file; known names: {', '.join(names())}")
        text = path.read_bytes()
    elif str(experiment) in names():
        text = resources.files("mien.experiments").joinpath(f"{experiment}.yaml").read_bytes()
    else:
        raise ConfigError(unknown("experiment", str(experiment), names()) + " A file of yours ends in .yaml.")
    try:
        raw = yaml.load(text.decode(), Loader)  # noqa: S506 - Loader is a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{experiment}: not YAML in UTF-8: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{experiment}: an experiment is a mapping of settings, not {type(raw).__name__}")
    base = raw.pop("extends", None)
    if base is None:
        return raw, set()
    if base in above:
        raise ConfigError(f"{experiment}: extends itself by way of {' -> '.join(above)}")
    local = path.parent / str(base)
    below, loose = _read(local if local.suffix in {".yaml", ".yml"} else str(base), (*above, str(base)))
    merged, more = traced(below, {**_merge(below, raw), "provenance": raw.get("provenance", {})})
    return merged, loose | more


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
        raw[part] = named(raw[part]) if part in {"encoder", "audio"} and part in raw else raw.get(part, {})
        raw = raw[part]
        if not isinstance(raw, dict):
            raise ConfigError(f"override '{override}': '{part}' is one value and has no keys below it")
    if value is None and isinstance(raw.get(place[-1]), dict):
        del raw[place[-1]]
    else:
        raw[place[-1]] = value
