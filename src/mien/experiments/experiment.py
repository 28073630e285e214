"""Experiment files: YAML to typed settings, and every misspelt key refused with the nearest name.

Numbers are read as in YAML 1.2 (`1e-3` is a number, `no` is a word), a key given twice is an error. `extends: NAME`
takes another experiment's settings first; `key=value` overrides come last. A setting that either changes has
the provenance `ours`, whatever it has in the experiment that is extended, unless another one is given with it.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import Field, field_validator, model_validator

from mien import features
from mien.common.settings import Loader, Named, Settings, named, parse
from mien.corpora import readers
from mien.corpora.schemes import SCHEMES
from mien.data.batch import Modality
from mien.data.protocols import LEAKS, Protocol
from mien.data.settings import OWN, Data
from mien.data.targets import TargetSettings, measures_of
from mien.engine.fit import Training
from mien.engine.minimise import Optimiser
from mien.errors import ConfigError, nearest, unknown
from mien.experiments import library
from mien.experiments.choose import Choices, Tried, of_model, refuse_varied, tried
from mien.experiments.claims import Axes, Claim, check
from mien.experiments.grid import Grid, Point, points
from mien.experiments.grid import changed as at_point
from mien.experiments.library import EXTENDS, SUFFIXES, read
from mien.experiments.library import names as names
from mien.experiments.provenance import SCIENCE, assign, leaves, prefixes, traced
from mien.experiments.spelling import doubts, refuse_nothing
from mien.models import encoders, recipes
from mien.models.encoders import MODALITIES
from mien.models.encoders._pretrained import Pretrained
from mien.models.recipes._recipe import RecipeConfig

# mappings whose keys hold dots -> how many dots of an override part keys there
FREE = {"provenance": 1, "grid": 2, "choose": 1}


class Experiment(Settings):
    """One experiment, resolved.

    Attributes:
        title: what it is, one line.
        paper: key of the paper.
        command: the line that runs it.
        cost: what it takes, on which machine.
        expected: the score to expect, with its protocol.
        corpus: the reader of the corpus that it is made for, with the options that it needs: {name: READER, OPTION:
            VALUE}; None where it is made for any.
        target: the main target: the factor that is scored. It is a column of the corpus's table, which is read as
            `data.targets` says.
        recipe: a name in `recipes`.
        encoder: a name in `encoders`, with its settings; where there is sound and video, one for each: {audio: ...,
            video: ...}. None where the recipe builds its own networks.
        models: name -> settings of the recipe.
        data: see `data.Data`.
        protocol: see `protocols.Protocol`.
        training: see `engine.fit.Training`.
        optimiser: see `engine.minimise.Optimiser`.
        seeds: each trains every model on every fold.
        provenance: setting (a dotted prefix) -> paper, assumed (the paper is silent), or ours (a departure); the
            longest prefix holds.
        reference: the paper's figures: model -> corpus -> measure -> value, or model -> measure -> value.
        axes: the axes that models lie on, see `mien.experiments.claims`.
        claims: the claims of the paper, which a run answers; see there.
        grid: what is varied: group -> dotted key -> values, see `mien.experiments.grid`.
        choose: what is chosen on the validation clips of each fold: dotted key -> {on: validation, of: values}, see
            `mien.experiments.choose`.
        auc_classes: the classes that are in the mean area under the ROC curve: their names, or the least number of
            clips that a class needs; None takes all (`audit.recognition.auc`).
        hold_test: whether test clips are left alone: not read, predicted or embedded. For choosing settings.
        seen_speakers: whether a given split, or a protocol of seen speakers, may test speakers that are in training;
            the results are marked so.
        accept: further findings of the split audit (`protocols.LEAKS`) that do not stop the training, but mark it.
    """

    title: str
    paper: str
    command: str
    cost: str
    expected: str
    corpus: dict[str, str] | None = None
    target: str = "emotion"
    recipe: str
    encoder: Named | None = None
    models: dict[str, Named] = Field(min_length=1)
    data: Data
    protocol: Protocol
    training: Training
    optimiser: Optimiser = Optimiser()
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = Field((0,), min_length=1)
    provenance: dict[str, Literal["paper", "assumed", "ours"]] = Field({})
    reference: dict[str, dict[str, float | dict[str, float]]] = Field({})
    axes: Axes = Field({})
    claims: dict[str, Claim] = Field({})
    grid: Grid = Field({})
    choose: Choices = Field({})
    auc_classes: tuple[str, ...] | Annotated[int, Field(ge=1)] | None = None
    hold_test: bool = False
    seen_speakers: bool = False
    accept: tuple[str, ...] = ()

    @field_validator("models")
    @classmethod
    def _plain_names(cls, models: dict[str, Named]) -> dict[str, Named]:
        for name in models:
            if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):  # a variant's name may hold a dot
                raise ValueError(f"model '{name}': a model's name is a folder's: letters, digits, '_' and '-' only")
        return models

    @field_validator("corpus")
    @classmethod
    def _of_a_reader(cls, corpus: dict[str, str] | None) -> dict[str, str] | None:
        if corpus is None:
            return None
        if "name" not in corpus:
            raise ValueError("'name' is missing, the reader of the corpus")
        if (name := corpus["name"]) not in readers.names():
            raise ValueError(unknown("reader", name, readers.names()))
        known = readers.options(name)
        if strange := [option for option in corpus if option != "name" and option not in known]:
            raise ValueError(unknown(f"option of reader '{name}'", strange[0], known))
        return corpus

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named twice; name each once")
        return seeds

    @field_validator("accept", mode="before")
    @classmethod
    def _several(cls, accept: object) -> object:
        return (accept,) if isinstance(accept, str) else tuple(accept) if isinstance(accept, list) else accept

    @field_validator("accept")
    @classmethod
    def _known(cls, accept: tuple[str, ...]) -> tuple[str, ...]:
        if strange := [name for name in accept if name not in LEAKS]:
            raise ValueError(unknown("finding", strange[0], LEAKS))
        return accept

    @model_validator(mode="after")
    def _seen_is_accepted(self) -> "Experiment":
        if self.protocol.seen and not self.seen_speakers:
            raise ValueError(
                f"the protocol {self.protocol.title} tests speakers that are in training: give seen_speakers=true, and "
                "every table is marked so"
            )
        if self.protocol.name == "seen_speakers" and self.data.unlabelled == "train":
            raise ValueError(
                "data.unlabelled: train adds clips of speakers who are neither validated nor tested, and the "
                "protocol seen_speakers has none; leave it out"
            )
        return self

    @property
    def accepted(self) -> frozenset[str]:
        """The findings that do not stop the training."""
        return frozenset(self.accept) | ({"shared-speaker"} if self.seen_speakers else set())

    @property
    def features(self) -> dict[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature; see `data.Data`."""
        return self.data.features

    @property
    def hops(self) -> dict[Modality, float]:
        """Modality -> seconds between its frames; see `data.Data`."""
        return self.data.hops

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Experiment":
        """A copy without the cached properties, which pydantic's own would keep."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("configs", "sweep", "candidates"):
            copied.__dict__.pop(name, None)
        return copied

    @cached_property
    def configs(self) -> dict[str, RecipeConfig]:
        """Model -> its settings as the recipe reads them."""
        kind = recipes.recipe(self.recipe).Config
        return {name: parse(kind, settings, f"models.{name}") for name, settings in self.models.items()}

    def model(self, name: str) -> RecipeConfig:
        """The settings of one model, as the recipe reads them."""
        return self.configs[name]

    def inputs(self, model: str) -> dict[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of those that a model takes."""
        taken = self.model(model).takes(self.features)
        return {modality: feature for modality, feature in self.features.items() if modality in taken}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the main target, in order; none where it is a number.

        Raises:
            ConfigError: they are those of the corpus, which has not been opened.
        """
        how = self.data.targets.get(self.target, TargetSettings())
        if how.derived:
            return how.derived
        if how.kind == "numbers":
            return ()
        if how.kind == "soft":
            return how.classes or how.columns or ()
        if (scheme := self.data.classes) is None and how.classes is None:
            raise ConfigError("data.scheme is not set; the classes are those of the corpus that is trained on")
        return how.classes or (scheme.classes if scheme else ())

    @property
    def encoders(self) -> dict[Modality, tuple[str, Any]]:
        """Modality -> the name and the `Config` of its encoder; raises ConfigError where they do not fit the data."""
        given, takes = self.features, recipes.recipe(self.recipe).TAKES
        if self.encoder is None:
            if takes:
                raise ConfigError(f"'encoder' is missing: the recipe {self.recipe} needs one; known: {_listed()}")
            return {}
        if not takes:
            raise ConfigError(f"encoder: the recipe {self.recipe} builds its own networks; leave it out")
        each = self.encoder if set(self.encoder) & set(MODALITIES) else dict.fromkeys(given, self.encoder)
        if strange := [modality for modality in each if modality not in given]:
            raise ConfigError(f"encoder.{strange[0]}: the data have no {strange[0]}; give data.{strange[0]}, a feature")
        if lacking := [modality for modality in given if modality not in each]:
            raise ConfigError(f"encoder: none for {lacking[0]}; write encoder: {{audio: NAME, video: NAME}}")
        if len(given) > 1 and each is not self.encoder:
            raise ConfigError("encoder: the data have audio and video; write encoder: {audio: NAME, video: NAME}")
        configs: dict[Modality, tuple[str, Any]] = {}
        for modality in given:
            where = f"encoder.{modality}" if each is self.encoder else "encoder"
            settings = dict(named(each[modality])) if isinstance(each[modality], str | dict) else {}
            name = settings.pop("name", None)
            if not isinstance(name, str):
                raise ConfigError(f"{where}: 'name' is missing; known: {_listed()}")
            if (returns := encoders.encoder(name).RETURNS) not in takes:
                raise ConfigError(
                    f"{where}: {name} returns a {returns}, and the recipe {self.recipe} takes a {' or '.join(takes)}"
                )
            configs[modality] = name, parse(encoders.encoder(name).Config, settings, where)
            encoders.check(name, modality, features.shape(*given[modality]))
        return configs

    @property
    def began(self) -> dict[Modality, tuple[str, str]]:
        """Modality -> name and SHA-256 of the file of weights that its encoder began with, of those that did."""
        found = {modality: config for modality, (_, config) in self.encoders.items() if isinstance(config, Pretrained)}
        return {
            modality: (Path(config.weights).name, str(config.sha256))
            for modality, config in found.items()
            if config.weights is not None
        }

    @property
    def kind(self) -> str:
        """The kind of the main target, as its settings have it."""
        return self.data.targets.get(self.target, TargetSettings()).kind

    @property
    def by_fold(self) -> bool:
        """Whether the class of a clip depends on the training clips of a fold."""
        return self.data.targets.get(self.target, TargetSettings()).by_fold

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the corpus's table that the main target is read from."""
        return self.data.targets.get(self.target, TargetSettings()).columns or (self.target,)

    @property
    def numbers(self) -> dict[str, str]:
        """Factor -> its column, of targets that are one number."""
        found = {factor: how.columns or (factor,) for factor, how in self.data.targets.items() if how.kind == "numbers"}
        return {factor: columns[0] for factor, columns in found.items() if len(columns) == 1}

    @property
    def scheme_name(self) -> str:
        """The name of the classes in tables: a scheme's name, "own", or the kind of the target.

        A distribution over exactly the classes of the scheme of the experiment's own corpus has that scheme's name.
        """
        how = self.data.targets.get(self.target, TargetSettings())
        if how.kind == "soft" and self.target == "emotion" and self.reader is not None:
            own = SCHEMES[readers.reader(self.reader).SCHEME]
            return own.name if set(own.classes) == set(how.classes or how.columns or ()) else how.kind
        return self.data.scheme if isinstance(self.data.scheme, str) else OWN if how.kind == "classes" else how.kind

    @cached_property
    def sweep(self) -> tuple["Variant", ...]:
        """Every point of the grid, in its order; raises ConfigError where the settings there are wrong."""
        return tuple(_variant(self, point) for point in points(self.grid, self.models))

    @property
    def trained(self) -> dict[str, "Experiment"]:
        """Every model that is trained -> its experiment: this one for its own models, then those of the variants."""
        own: dict[str, Experiment] = dict.fromkeys(self.models, self)
        return own | {point.name: point.experiment for point in self.sweep if point.name != point.base}

    @cached_property
    def candidates(self) -> dict[str, tuple["Candidate", ...]]:
        """Model that is trained -> its candidates, of the models that something is chosen for."""
        refuse_varied(self.choose, self.grid)
        found = {
            model: tuple(_candidate(own, model, one) for one in _tried(own, model))
            for model, own in self.trained.items()
        }
        return {model: candidates for model, candidates in found.items() if candidates}

    @property
    def attempts(self) -> dict[str, tuple[str, "Experiment"]]:
        """All that is trained on a fold: MODEL, or MODEL/LABEL of a candidate -> the model and its experiment."""
        return {
            name: (model, experiment)
            for model, own in self.trained.items()
            for name, experiment in (
                [(f"{model}/{one.label}", one.experiment) for one in self.candidates.get(model, ())] or [(model, own)]
            )
        }

    @property
    def reader(self) -> str | None:
        """The reader of the corpus that it is made for; None where it is made for any."""
        return self.corpus["name"] if self.corpus else None

    @property
    def reader_options(self) -> dict[str, str]:
        """The options of that reader."""
        return {option: value for option, value in (self.corpus or {}).items() if option != "name"}

    @property
    def data_of(self) -> dict[str, Data]:
        """Every model that is trained, and every attempt -> its settings of data."""
        models = {model: own.data for model, own in self.trained.items()}
        return models | {name: own.data for name, (_, own) in self.attempts.items()}


class Variant(NamedTuple):
    """One point of the grid.

    Attributes:
        group: of the grid.
        label: of the point in its group.
        base: the model that it is a variant of.
        name: of the variant; that of the base where the settings are the same, so that it is not trained again.
        experiment: with this model alone, without a grid.
    """

    group: str
    label: str
    base: str
    name: str
    experiment: Experiment


class Candidate(NamedTuple):
    """One candidate of a model, of which the best becomes the cell.

    Attributes:
        label: fit for a folder's name.
        changes: dotted key -> value.
        experiment: with this model alone, without a grid or a choice.
    """

    label: str
    changes: dict[str, Any]
    experiment: Experiment


def load(experiment: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment by name or file, apply overrides `key=value`, and check all of it.

    Raises:
        ConfigError: naming the file and the key, with the nearest known one.
    """
    base, loose = read(experiment)
    given, asked = _overridden(experiment, base, overrides)
    raw, more = traced(base, given)
    try:
        resolved = resolve(raw, str(experiment), loose | more)
    except ConfigError as error:
        said = str(error)
        new = [question for key, question in asked.items() if key.rpartition(".")[2] in said]
        if new := [
            question for question in new if f"Did you mean {question.rpartition('did you mean ')[2]}" not in said
        ]:
            said = f"{experiment}: {' '.join(new)} If not: {said.removeprefix(f'{experiment}: ')}"
        raise ConfigError(said) from None
    if dotted := [name for name in resolved.models if "." in name]:
        raise ConfigError(f"{experiment}: models: model '{dotted[0]}': a model's name has no dot, which separates keys")
    return resolved


def questions(experiment: str | Path, overrides: Sequence[str] = ()) -> list[str]:
    """Whether new names of models, copies and the like are misspelt, as they are nearly those of what is changed."""
    return list(_overridden(experiment, read(experiment)[0], overrides)[1].values())


def _overridden(experiment: str | Path, base: Named, overrides: Sequence[str]) -> tuple[Named, dict[str, str]]:
    """The plain values of an experiment with overrides, and questions on new names, by their dotted keys."""
    raw, asked = {**copy.deepcopy(base), "provenance": {}}, library.questions(experiment)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"'{override}' is not an override: write key=value, such as training.epochs=5")
        where = f"override '{override}'"
        try:
            value = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(f"{where}: not YAML ({' '.join(str(error).split())})") from error
        if key.partition(".")[0] == EXTENDS:
            raise ConfigError(f"{where}: 'extends' stands in an experiment file; name the other experiment itself")
        place = key.split(".", FREE.get(key.split(".")[0], -1))
        alone: Named = {}
        assign(alone, place, value, where)
        refuse_nothing(raw, alone, where)
        asked |= doubts(base, alone)
        assign(raw, place, value, where)
    return raw, asked


def changed(experiment: str | Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Dotted setting -> its value in the experiment, None where it has none, of those that overrides change.

    Empty for an experiment that is valid with the overrides only.
    """
    try:
        before, after = (load(experiment, own) for own in ([], overrides))
    except ConfigError:
        return {}
    then, now = (dict(leaves(_whole(one))) for one in (before, after))
    return {key: then.get(key) for key in {**then, **now} if then.get(key) != now.get(key)}


def resolve(raw: Named, where: str, loose: Set[str] = frozenset()) -> Experiment:
    """Check the settings of an experiment, those of its encoder, features and models too.

    Args:
        raw: plain values.
        where: their name in errors.
        loose: entries of the provenance that are left out where they name no setting.
    """
    raw = {**raw, **{key: named(raw[key]) for key in ("corpus", "encoder") if key in raw}}
    if isinstance(raw.get("data"), dict):
        short = {key: named(raw["data"][key]) for key in (*MODALITIES, "teacher") if key in raw["data"]}
        raw = {**raw, "data": {**raw["data"], **short}}
    if isinstance(raw.get("encoder"), dict):
        raw = {**raw, "encoder": {k: named(v) if k in MODALITIES else v for k, v in raw["encoder"].items()}}
    also = {EXTENDS} if Path(where).suffix in SUFFIXES else frozenset()
    experiment: Experiment = parse(Experiment, raw, where, also)
    try:
        experiment.data.check()
        experiment = _pinned(experiment)
        _check_targets(experiment)
        known = prefixes(key for key, _ in leaves(_whole(experiment)))
        kept = {key: source for key, source in experiment.provenance.items() if key in known or key not in loose}
        if strange := [key for key in kept if key not in known]:
            raise ConfigError(f"provenance: '{strange[0]}' is no setting.{nearest(strange[0], known)}")
        if models := [name for name in experiment.reference if name not in experiment.models]:
            raise ConfigError(f"reference: {unknown('model', models[0], experiment.models)}")
        carried = {name: config.carried for name, config in experiment.configs.items()}
        numbers = [name for name, how in experiment.data.targets.items() if how.kind == "numbers"]
        check(experiment.axes, experiment.claims, carried, _figures(experiment), experiment.target, numbers)
        checked = experiment.model_copy(update={"provenance": kept})
        checked.candidates  # noqa: B018 - checked when they are read, and so is the grid
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return checked


def _pinned(experiment: Experiment) -> Experiment:
    """The same with the files that encoders and features begin with written out: their absolute paths and hashes."""
    encoder = copy.deepcopy(experiment.encoder)
    for modality, (_, config) in experiment.encoders.items():
        if isinstance(config, Pretrained) and config.weights is not None and encoder is not None:
            place = encoder.get(modality, encoder)
            place |= {"weights": config.weights, "sha256": config.sha256}
    return experiment.model_copy(update={"encoder": encoder, "data": experiment.data.pinned})


def _listed() -> str:
    return ", ".join(encoders.names())


def _check_targets(experiment: Experiment) -> None:
    """Raise ConfigError where models do not predict the target, or it has no score that the settings name."""
    configs, data = experiment.configs, experiment.data
    used = {experiment.target}.union(*(config.factors for config in configs.values()))
    if idle := [name for name in data.targets if name not in used]:
        raise ConfigError(f"data.targets: no model has the factor '{idle[0]}'; those that models have: {_names(used)}")
    how = data.targets.get(experiment.target, TargetSettings())
    if data.scheme is not None and (how.kind != "classes" or how.classes is not None):
        raise ConfigError(
            f"data.scheme: data.targets.{experiment.target} gives the classes already; leave one of the two out"
        )
    if isinstance(data.scheme, str) and experiment.target != "emotion":
        raise ConfigError(
            f"data.scheme: '{data.scheme}' is of emotions, and the target is '{experiment.target}'; write its classes, "
            "{classes: [...]}, or leave it out to take those that the column has"
        )
    if data.teacher is not None and not getattr(recipes.recipe(experiment.recipe), "TAUGHT", False):
        raise ConfigError(f"data.teacher: the recipe {experiment.recipe} learns from no teacher; leave it out")
    measures = measures_of(how.kind)
    for name, config in configs.items():
        if experiment.target not in config.targets:
            raise ConfigError(
                f"models.{name}: does not predict the target '{experiment.target}', which is scored; it predicts "
                f"{_names(config.targets)}"
            )
        for factor, why in config.classed.items():
            if data.targets.get(factor, TargetSettings()).kind == "numbers":
                raise ConfigError(
                    f"models.{name}: '{factor}' is a number, and {why} needs classes; write data.targets.{factor}: "
                    "{kind: levels}"
                )
        known = {*measures, "tasks", "last", *config.scores}
        if experiment.training.best not in known:
            raise ConfigError(f"training.best: {unknown('score', experiment.training.best, known)}")
    for key in ("class_weight", "sampling"):
        if how.kind == "numbers" and getattr(experiment.training, key) == "balanced":
            raise ConfigError(f"training.{key}: '{experiment.target}' is a number and has no classes to balance")
    if experiment.training.one_of == "recording" and (data.mix or experiment.training.steps is not None):
        other = "data.mix" if data.mix else "training.steps"
        raise ConfigError(
            f"training.one_of: recording takes one clip of each in an epoch, and {other} takes clips from a stream; "
            "leave one of the two out"
        )
    if experiment.training.sampling == "balanced" and data.mix:
        raise ConfigError(
            "training.sampling: balanced samples by class, and data.mix shares out a batch; leave one of the two out"
        )


def _names(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "none"


def _variant(base: Experiment, point: Point) -> Variant:
    """The experiment of one point of a grid."""
    own = _alone(base, point.model, point.changes, f"grid.{point.group}")
    whole, name = _whole(base), point.name
    if _whole(own) == whole | {"models": {point.model: whole["models"][point.model]}}:
        return Variant(point.group, point.label, point.model, point.model, own)
    old, new = f"models.{point.model}.", f"models.{name}."
    sources = {f"{key}.".replace(old, new, 1).rstrip("."): why for key, why in own.provenance.items()}
    renamed = own.model_copy(
        update={
            "models": {name: own.models[point.model]},
            "provenance": sources,
            "choose": of_model(base.choose, point.model, name, base.models),
        }
    )
    return Variant(point.group, point.label, point.model, name, renamed)


def _candidate(base: Experiment, model: str, one: Tried) -> Candidate:
    """The experiment of one candidate of a model."""
    return Candidate(one.label, one.changes, _alone(base, model, one.changes, "choose"))


def _tried(own: Experiment, model: str) -> Iterator[Tried]:
    """The candidates of a model of an experiment, or of the one variant that an experiment is of."""
    return tried(own.choose, model, own.models, own.training.best)


def _alone(base: Experiment, model: str, changes: Named, where: str) -> Experiment:
    """The experiment with one model and with changes of it, without a grid and choices."""
    plain = base.model_dump(mode="json", exclude={"grid", "choose", "reference", "axes", "claims"})
    alone = plain | {"models": {model: plain["models"][model]}, "provenance": {}}
    raw, loose = traced(plain, at_point(alone, changes, where))
    return resolve(raw, where, loose)


def _figures(experiment: Experiment) -> set[str]:
    """The names of the paper's figures."""
    values = [own for tables in experiment.reference.values() for own in tables.items()]
    return {figure for name, own in values for figure in (own if isinstance(own, dict) else [name])}


def _whole(experiment: Experiment) -> Named:
    """All settings that have a provenance, defaults too."""
    whole = experiment.model_dump(mode="json", include=set(SCIENCE))
    for modality, (_, config) in experiment.encoders.items():
        place = whole["encoder"][modality] if modality in whole["encoder"] else whole["encoder"]
        place |= config.model_dump(mode="json")
    whole["models"] = {name: config.model_dump(mode="json") for name, config in experiment.configs.items()}
    for modality, (_, config) in experiment.features.items():
        whole["data"][modality] |= config.model_dump(mode="json")
    if experiment.data.teaching is not None:
        whole["data"]["teacher"] |= experiment.data.teaching[1].model_dump(mode="json")
    copies = experiment.data.feature_copies
    whole["data"]["copies"] = {name: config.model_dump(mode="json") for name, config in copies.items()}
    return whole
