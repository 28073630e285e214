"""One cell of an experiment: one model, one fold, one seed, from features to weights, predictions and embeddings."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mien import features
from mien.common import processes
from mien.data import normalisation
from mien.data.batch import Batch, Modality
from mien.data.batches import Examples, Frames, Held, Loader, Stream
from mien.data.dataset import Dataset, TrainingPart
from mien.data.mix import Pool
from mien.data.normalisation import Normalisation
from mien.data.protocols import PARTS, SEEN, Fold
from mien.data.targets import Target
from mien.engine import checkpoint
from mien.engine.fit import Record, fit
from mien.engine.inference import infer
from mien.engine.minimise import Optimisation
from mien.errors import ConfigError, RunError, unknown
from mien.experiments.experiment import Experiment
from mien.models import encoders, recipes
from mien.models.recipes._recipe import Given, Inference, Recipe
from mien.runs.run import ANEW, CANDIDATES, TARGETS, Cell, Run
from mien.runs.tables import TASKS, prediction_table, task_table
from mien.runs.validation import mean_rightness, scores

# modality -> prefix of the tensors of its normalisation
STATISTICS: dict[Modality, str] = {"audio": "normalisation", "video": "video-normalisation"}
TRAINED = "train with copies"
# part of a fold -> the frames of its examples: cells of one fold differ in models alone, and are trained in a row
HELD = {part: Held(2**28 if part in (TRAINED, PARTS[1]) else 2**26) for part in (TRAINED, *PARTS, SEEN)}


@dataclass(frozen=True)
class Model:
    """A trained cell, ready to infer.

    Attributes:
        experiment: the settings it was trained under.
        recipe: the networks, with the weights of the best epoch.
        normalise: modality -> the normalisation fitted on the training clips.
        targets: factor -> how its labels are encoded.
    """

    experiment: Experiment
    recipe: Recipe
    normalise: dict[Modality, Normalisation]
    targets: dict[str, Target]

    @property
    def main(self) -> Target:
        """The main target."""
        return self.targets[self.experiment.target]

    @property
    def inputs(self) -> dict[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of those that the networks take."""
        taken = self.recipe.modalities
        return {name: one for name, one in self.experiment.features.items() if taken is None or name in taken}

    def infer(self, examples: Examples, *, embed: bool = True, branches: bool = False) -> Inference:
        """The outputs for examples and, where wanted, their embeddings and the outputs of classifiers on these."""
        return infer(self.recipe, self.loader(examples), embed=embed, branches=branches)

    def loader(self, examples: Examples, held: Held | None = None) -> Loader:
        """Batches of examples as the model expects them, without anything random; `held` as of `Loader`."""
        return _loader(self.experiment, self.normalise, examples, held)

    def stream(self, modality: Modality) -> Stream | None:
        """Hop and normalisation of a modality for a loader; None where the data do not have it."""
        return _stream(self.experiment, self.normalise, modality)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Weights and statistics by name, as `restore` reads them."""
        tensors = {f"recipe.{name}": value for name, value in self.recipe.state_dict().items()}
        for modality, normalise in self.normalise.items():
            for key, (mean, std) in normalise.statistics.items():
                tensors |= {f"{STATISTICS[modality]}.mean.{key}": mean, f"{STATISTICS[modality]}.std.{key}": std}
        return tensors

    def save(self, cell: Cell) -> None:
        """Write the weights with the targets."""
        plain = {factor: target.plain() for factor, target in self.targets.items()}
        checkpoint.save_weights(cell.weights, self.tensors, {TARGETS: json.dumps(plain)})

    @staticmethod
    def load(experiment: Experiment, cell: Cell, device: torch.device) -> "Model":
        """Read a finished cell; raises RunError when its weights are damaged, or do not fit the experiment."""
        tensors, metadata = checkpoint.load_weights(cell.checked(cell.weights))
        if TARGETS not in metadata:
            raise RunError(f"{cell.weights}: was made by an older mien; {ANEW}")
        targets = {factor: Target.of_plain(raw) for factor, raw in json.loads(metadata[TARGETS]).items()}
        try:
            return Model.restore(experiment, cell.model, targets, tensors, device)
        except RuntimeError as error:
            raise RunError(f"{cell.weights}: the weights do not fit the model in experiment.yaml") from error

    @staticmethod
    def restore(
        experiment: Experiment,
        model: str,
        targets: dict[str, Target],
        tensors: Mapping[str, Tensor],
        device: torch.device,
    ) -> "Model":
        """Build a model of an experiment with the given `tensors`; raises RuntimeError where they do not fit."""
        recipe = build(experiment, model, targets, seed=0, class_weight={})
        weights = {name.removeprefix("recipe."): value for name, value in tensors.items() if name[:7] == "recipe."}
        recipe.load_state_dict(weights)
        normalise: dict[Modality, Normalisation] = {}
        for modality in experiment.features:
            mean, std = f"{STATISTICS[modality]}.mean.", f"{STATISTICS[modality]}.std."
            keys = [name.removeprefix(mean) for name in tensors if name.startswith(mean)]
            statistics = {key: (tensors[mean + key], tensors[std + key]) for key in keys}
            normalise[modality] = Normalisation(_normalised(experiment, modality), statistics)
        return Model(experiment, recipe.to(device).eval(), normalise, targets)


def _loader(
    experiment: Experiment, normalise: Mapping[Modality, Normalisation], examples: Examples, held: Held | None = None
) -> Loader:
    """See `Model.loader`."""
    audio, video = (_stream(experiment, normalise, modality) for modality in ("audio", "video"))
    size = 64 if experiment.data.light else min(64, experiment.training.batch)
    return Loader(examples, batch_size=size, length=experiment.data.length, audio=audio, video=video, held=held)


def _stream(experiment: Experiment, normalise: Mapping[Modality, Normalisation], modality: Modality) -> Stream | None:
    """See `Model.stream`."""
    hops = experiment.hops
    return Stream(hops[modality], normalise[modality]) if modality in hops else None


def build(
    experiment: Experiment,
    model: str,
    targets: dict[str, Target],
    *,
    seed: int,
    class_weight: dict[str, Tensor],
    prior: Mapping[str, Tensor] = MappingProxyType({}),
    new: bool = False,
    batches: Callable[[], Iterable[Batch]] | None = None,
) -> Recipe:
    """Build a model of an experiment with initial weights sampled by the seed; the global random state is untouched.

    Args:
        experiment: the settings.
        model: a name in them.
        targets: factor -> how its labels are encoded.
        seed: of the initial weights.
        class_weight: factor -> weight of each class in its loss.
        prior: factor -> its outputs by the training labels alone, see `Given`.
        new: whether it is to be trained: encoders then begin with the weights of the files that their settings name,
            and ConfigError is raised where such a file does not fit.
        batches: gives batches of all training clips, on which encoders are fitted that begin so; None fits none.
    """
    shapes = {modality: features.shape(*feature) for modality, feature in experiment.features.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunks = encoders.build(experiment.encoders, shapes)
        if new:
            encoders.begin(trunks, experiment.encoders)
        if batches is not None:
            encoders.fit(trunks, batches)
        teacher = None if experiment.data.teaching is None else features.shape(*experiment.data.teaching)
        config = experiment.model(model)
        frozen = asked(config.frozen, experiment.data.teaching, targets[experiment.target].classes) if new else {}
        given = Given(trunks, shapes, targets, class_weight, prior, teacher, frozen)
        recipe: Recipe = recipes.recipe(experiment.recipe).build(config, given)
    return recipe


def asked(
    frozen: Mapping[str, str], teaching: tuple[str, Any] | None, classes: Sequence[str]
) -> Mapping[str, nn.Module]:
    """The trained models that a recipe asks in training, see `RecipeConfig.frozen`."""
    if not frozen:
        return {}
    from mien.runs import teacher  # it opens cells itself

    return {name: teacher.module(place, teaching, classes) for name, place in frozen.items()}


def train_cell(
    run: Run,
    dataset: Dataset,
    fold: Fold,
    cell: Cell,
    *,
    device: torch.device,
    threads: int = 1,
    watch: Callable[[Record], None] = lambda record: None,
) -> None:
    """Train a cell, or resume it, and write its folder; a finished cell is left as it is."""
    if cell.finished:
        cell.state.unlink(missing_ok=True)  # a kill may have come between the weights and this
        return
    processes.use_threads(threads)
    model = fitted(run.experiment_of(cell.model), dataset, fold, cell, device=device, watch=watch)
    if processes.rank() == 0:
        write(run, cell, model, predict(model, dataset, fold, run.experiment.hold_test))
    processes.wait()


def fitted(
    experiment: Experiment,
    dataset: Dataset,
    fold: Fold,
    cell: Cell,
    *,
    device: torch.device,
    watch: Callable[[Record], None] = lambda record: None,
) -> Model:
    """Train a cell under an experiment's settings, or go on with it from its folder; test clips are not touched."""
    prepared = _prepare(experiment, dataset, fold, cell)
    recipe = _build(prepared, cell, device)
    model = Model(experiment, recipe, prepared.normalise, prepared.targets)
    _fit(model, prepared, cell, watch)
    return model


@dataclass(frozen=True)
class _Prepared:
    """The data and settings that a cell is trained with.

    Attributes:
        experiment: the settings it is trained under.
        targets: factor -> how its labels are encoded, fitted on the training clips.
        train: the training examples, with their augmented copies.
        validation: the validation examples.
        seen: those of training speakers that do not train; None where none are kept back.
        normalise: modality -> the normalisation fitted on the training clips.
        balance: weight of each class of the main target, K; None where it is a number.
        pools: of the training examples, where batches are mixed.
        groups: the number of each one's recording, where an epoch has one clip of each.
    """

    experiment: Experiment
    targets: dict[str, Target]
    train: Examples
    validation: Examples
    seen: Examples | None
    normalise: dict[Modality, Normalisation]
    balance: Tensor | None
    pools: tuple[Pool, ...]
    groups: Tensor | None


def _prepare(experiment: Experiment, dataset: Dataset, fold: Fold, cell: Cell) -> _Prepared:
    part = dataset.training(fold, cell.seed)
    targets = _targets(dataset, part, experiment, cell.model)
    train = dataset.examples(part.clips, targets, copies=True, withheld=part.withheld)
    validation = dataset.examples(fold.validation, targets)
    seen = dataset.examples(fold.seen, targets) if fold.seen else None
    normalise = {modality: _fitted(dataset, fold, experiment, train, modality) for modality in experiment.features}
    main = targets[experiment.target]
    balance = None if main.kind == "numbers" else balanced(hard(train.labels[main.factor]), main.size)
    pools = dataset.pools(train.clips, part.withheld, experiment.training.batch)
    _refuse_silent_teacher(experiment, train, fold)
    whole = experiment.training.one_of == "recording"
    groups = dataset.recordings(train.clips) if whole else None
    return _Prepared(experiment, targets, train, validation, seen, normalise, balance, pools, groups)


def _refuse_silent_teacher(experiment: Experiment, train: Examples, fold: Fold) -> None:
    """Raise ConfigError where a teacher says nothing of any training clip, so that nothing would be learned."""
    if not train.teacher:
        return
    if not any(bool(source.valid(clip).any()) for clip, source in zip(train.clips, train.teacher, strict=True)):
        name = experiment.data.teacher["name"] if experiment.data.teacher else ""
        raise ConfigError(
            f"data.teacher: {name} says nothing of any of the {len(train)} training clips of fold {fold.number}, as "
            "none has a frame that can be used; give films in which faces are seen, or another teacher"
        )


def _build(prepared: _Prepared, cell: Cell, device: torch.device) -> Recipe:
    training, weights = prepared.experiment.training, {}
    if training.class_weight == "balanced" and prepared.balance is not None:
        weights = {prepared.experiment.target: prepared.balance.float()}
    targets, labels = prepared.targets, prepared.train.labels
    recipe = build(
        prepared.experiment,
        cell.model,
        targets,
        seed=cell.seed,
        class_weight=weights,
        prior={factor: target.prior(labels[factor]) for factor, target in targets.items()},
        new=True,
        batches=lambda: _loader(prepared.experiment, prepared.normalise, prepared.train).epoch(0),
    ).to(device)
    for value in encoders.fitted(recipe).values():  # processes on unlike machines may round otherwise
        processes.agree(value)
    return recipe


def _fit(model: Model, prepared: _Prepared, cell: Cell, watch: Callable[[Record], None]) -> None:
    experiment, training, weights = prepared.experiment, prepared.experiment.training, None
    if training.sampling == "balanced" and prepared.balance is not None:
        known = hard(prepared.train.labels[experiment.target])
        weights = torch.where(known < 0, 1.0, prepared.balance[known.clamp(min=0)])
    loader = Loader(
        prepared.train,
        batch_size=training.batch,
        length=experiment.data.length,
        audio=model.stream("audio"),
        video=model.stream("video"),
        teacher=_teacher(experiment),
        seed=cell.seed,
        training=True,
        masking=experiment.data.masking,
        distortion=experiment.data.distortion,
        soft={factor: how.learn for factor, how in experiment.data.targets.items() if factor in prepared.targets},
        weights=weights,
        groups=prepared.groups,
        steps=training.steps,
        pools=prepared.pools,
        held=HELD[TRAINED],
        rank=processes.rank(),
        processes=processes.count(),
    )
    loaders = {"": model.loader(prepared.validation, HELD["validation"])}
    if prepared.seen is not None:
        loaders[f"{SEEN} "] = model.loader(prepared.seen, HELD[SEEN])
    fit(
        model.recipe,
        loader,
        lambda: _watched(model, cell.model, loaders),
        training=training,
        optimiser=experiment.optimiser,
        folder=cell.folder,
        name=cell.name,
        of=cell.of,
        watch=watch,
    )


def _teacher(experiment: Experiment) -> Stream | None:
    """What a teacher says, as it is; None without one."""
    if experiment.data.teaching is None:
        return None
    name, config = experiment.data.teaching
    return Stream(features.feature(name).hop(config), Normalisation("none", {}), target=True)


def hard(labels: Tensor) -> Tensor:
    """The class of each clip, B int64, -1 where not known; of a distribution the most probable, the first of equals."""
    if labels.dim() == 1:
        return labels
    known = ~labels.isnan().any(dim=1)
    return torch.where(known, labels.nan_to_num().argmax(dim=1), -1)


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weight of each class, K float64: known labels / (classes present x labels of the class); mean 1 over labels.

    Args:
        labels: N int64, -1 where not known; these count for no class.
        classes: K.
    """
    known = labels[labels >= 0]
    counts = torch.bincount(known, minlength=classes)
    return len(known) / (int((counts > 0).sum()) * counts.clamp(min=1).double())


def check(datasets: Mapping[str, Dataset], folds: Sequence[Fold], experiment: Experiment) -> None:
    """Build every model once, before anything is written, and see what each fold and seed gives it to train on.

    Args:
        datasets: name of an attempt (`Experiment.attempts`) -> its dataset.
        folds: all that are trained.
        experiment: with all its models.

    Raises:
        ConfigError: the corpus lacks a factor, a learning rate names no module, a module cannot be trained, an encoder
            cannot begin with the file of weights that its settings name, too few clips keep their label, training clips
            are in no pool of `data.mix`, `auc_classes` names no class, or a claim is on clips that the corpus has not.
    """
    _refuse_unknown_classes(next(iter(datasets.values())), experiment)
    _refuse_unknown_tasks(next(iter(datasets.values())), folds, experiment)
    _refuse_unknown_parts(next(iter(datasets.values())), experiment)
    seen: dict[tuple[int, int], list[TrainingPart]] = {}  # models that share their data share what they train on
    for name, (model, own) in experiment.attempts.items():
        dataset, batch = datasets[name], own.training.batch
        if (key := (id(dataset), batch)) not in seen:
            try:
                seen[key] = [dataset.training(fold, seed) for fold in folds for seed in experiment.seeds]
            except ConfigError as error:
                if name in experiment.models:
                    raise
                raise ConfigError(f"{name}, of grid or choose: {error}; change it there, or leave it out") from None
            for part in seen[key]:
                dataset.pools(part.clips, part.withheld, batch)
        parts, sampled = seen[key], own.data.labelled < 1
        targets = [_targets(dataset, part, own, model) for part in (parts if sampled else parts[:1])]
        Optimisation(build(own, model, targets[0], seed=0, class_weight={}, new=True), own.optimiser)


def _refuse_unknown_classes(dataset: Dataset, experiment: Experiment) -> None:
    """Raise ConfigError for names in `auc_classes` that are no classes of the main target."""
    names = experiment.auc_classes
    if names is not None and not dataset.classes:
        raise ConfigError(f"auc_classes: the main target '{experiment.target}' is a number; leave it out")
    for name in names if isinstance(names, tuple) else ():
        if name not in dataset.classes:
            raise ConfigError(f"auc_classes: {unknown('class', name, dataset.classes)}")


def _refuse_unknown_parts(dataset: Dataset, experiment: Experiment) -> None:
    """Raise ConfigError for a column, or a value in it, that a claim names in `where` and the corpus has not."""
    clips = dataset.clips
    for name, claim in experiment.claims.items():
        for column, values in claim.part:
            if column not in clips:
                columns = map(str, clips.columns)
                raise ConfigError(f"claims.{name}.where: {unknown('column of the corpus', column, columns)}")
            known = sorted(set(clips[column].dropna().astype(str)))
            for value in values:
                if value not in known:
                    raise ConfigError(f"claims.{name}.where: {unknown(f'value of {column}', value, known[:20])}")


def _refuse_unknown_tasks(dataset: Dataset, folds: Sequence[Fold], experiment: Experiment) -> None:
    """Raise ConfigError, with the settings that leave them out, for tasks of which no training clip has a value."""
    configs = {model: experiment.model(model) for model in experiment.models}
    clips = sorted({clip for fold in folds for clip in fold.train})
    factors = {factor for config in configs.values() for factor in config.factors} - {experiment.target}
    lost = frozenset(factor for factor in factors if not dataset.knows(factor, clips))
    asked = {model: (one, own) for model, one in configs.items() if (own := lost & one.factors)}
    ways = [f"models.{model}.{way}" for model, (one, own) in asked.items() if (way := one.without(own))]
    if ways:
        names = " and ".join(f"'{factor}'" for factor in sorted(lost))
        raise ConfigError(f"tasks: no training clip has a value of {names}; to train without: {' '.join(ways)}")


def _targets(dataset: Dataset, part: TrainingPart, experiment: Experiment, model: str) -> dict[str, Target]:
    names = sorted({experiment.target, *experiment.model(model).factors})
    return {factor: dataset.target(factor, part.clips, part.withheld) for factor in names}


def validated(model: Model, name: str, loader: Loader) -> Record:
    """The scores of validation clips that may choose an epoch, see `engine.fit.Training.best`.

    Args:
        model: as it is now.
        name: of the model in its experiment.
        loader: of the clips, see `Model.loader`.
    """
    config, examples = model.experiment.model(name), loader.examples
    own = model.experiment.training.best in config.scores
    inference = infer(model.recipe, loader, embed=False, branches=own)
    measured = scores(model.main, inference, examples.labels[model.main.factor])
    measured["tasks"] = mean_rightness({task: model.targets[task] for task in config.tasks}, inference, examples.labels)
    if own:
        labels = _with_teacher(model, examples)
        measured |= model.recipe.scores(inference, labels, measured["tasks"], model.targets)
    return measured


def _with_teacher(model: Model, examples: Examples) -> Mapping[str, Tensor]:
    """Their labels, of the main target what the teacher's frames amount to for this model, where they do."""
    own, factor = examples.labels, model.main.factor
    if not examples.teacher or own[factor].dim() == 1:
        return own
    labels = own[factor].clone()
    for row, (clip, source) in enumerate(zip(examples.clips, examples.teacher, strict=True)):
        found = model.recipe.wanted(source.frames(clip), source.valid(clip)) if source.length(clip) else None
        if found is not None:
            labels[row] = found.to(labels)
    return {**own, factor: labels}


def _watched(model: Model, name: str, loaders: Mapping[str, Loader]) -> Record:
    """The scores of an epoch: those of `validated`, and after "seen " the same of seen speakers, which choose nothing.

    Args:
        model: as it is now.
        name: of the model in its experiment.
        loaders: what begins the names of scores -> the loader of the clips.
    """
    found = {prefix: validated(model, name, loader) for prefix, loader in loaders.items()}
    return {f"{prefix}{score}": value for prefix, scored in found.items() for score, value in scored.items()}


def _fitted(
    dataset: Dataset, fold: Fold, experiment: Experiment, examples: Examples, modality: Modality
) -> Normalisation:
    """The normalisation of a modality, fitted on the training examples or, by speaker, on all clips."""
    kind = _normalised(experiment, modality)
    if kind == "speaker":
        return _by_speaker(dataset, fold, modality, experiment.hold_test)
    return _by_training(kind, examples.clips, examples.speakers, getattr(examples, modality))


@lru_cache(maxsize=4)  # cells of one fold differ in models alone
def _by_training(
    kind: normalisation.Kind, clips: tuple[str, ...], speakers: tuple[str, ...], sources: tuple[Frames, ...]
) -> Normalisation:
    return normalisation.fit(kind, zip(clips, speakers, sources, strict=True))


@lru_cache(maxsize=4)
def _by_speaker(dataset: Dataset, fold: Fold, modality: Modality, hold_test: bool) -> Normalisation:
    clips = dataset.clips.loc[[*fold.train, *fold.validation]] if hold_test else dataset.clips
    clips = clips[clips["speaker"].notna()]
    stores = [dataset.stores[modality]] * len(clips)
    return normalisation.fit("speaker", zip(clips["clip"], clips["speaker"], stores, strict=True))


def _normalised(experiment: Experiment, modality: Modality) -> normalisation.Kind:
    """How a modality is normalised; pixels lie between -1 and 1 and are not."""
    return "none" if len(features.shape(*experiment.features[modality])) > 1 else experiment.data.normalisation


@dataclass(frozen=True)
class Predicted:
    """The predictions of a trained cell for the clips of its fold.

    Attributes:
        clips: part -> the table of its clips.
        inferred: part -> the outputs and embeddings of the model.
    """

    clips: dict[str, pd.DataFrame]
    inferred: dict[str, Inference]


def predict(model: Model, dataset: Dataset, fold: Fold, hold_test: bool) -> Predicted:
    """Run a trained model on `Dataset.embedded`, validation, seen and, without `hold_test`, test of its fold."""
    names = fold._replace(train=dataset.embedded(fold))
    wanted = [*(PARTS[:2] if hold_test else PARTS), *([SEEN] if fold.seen else [])]
    parts = {part: dataset.clips.loc[list(getattr(names, part))] for part in wanted}
    inferred = {
        part: infer(
            model.recipe,
            model.loader(dataset.examples(list(table["clip"]), model.targets), HELD[part]),
            embed=part != SEEN,
        )
        for part, table in parts.items()
    }
    return Predicted(parts, inferred)


def write(run: Run, cell: Cell, model: Model, predicted: Predicted) -> None:
    """Write a cell's folder: predictions, other tasks, embeddings, the weights, and last the manifest."""
    parts, inferred = predicted.clips, predicted.inferred
    scored = [part for part in parts if part != "train"]
    place, scheme = cell.folder.relative_to(run.folder), model.experiment.scheme_name
    tables = [prediction_table(inferred[part], parts[part], model.main, cell.place(part), scheme) for part in scored]
    run.write_table(str(place / "predictions.csv"), pd.concat(tables, ignore_index=True))
    others = [model.targets[task] for task in sorted(model.experiment.model(cell.model).tasks - {model.main.factor})]
    tasks = [task_table(inferred[part], parts[part], others, cell.place(part)) for part in scored]
    run.write_table(str(place / TASKS), pd.concat(tasks, ignore_index=True))
    embedded = {part: one for part, one in inferred.items() if part != SEEN}
    run.write_embeddings(
        cell,
        [clip for one in embedded.values() for clip in one.clips],
        [part for part, one in embedded.items() for _ in one.clips],
        {
            name: np.concatenate([one.embeddings[name] for one in embedded.values()])
            for name in inferred["train"].embeddings
        },
    )
    model.save(cell)
    known = ("predictions.csv", TASKS, cell.history.name, cell.choice.name)
    histories = [path.relative_to(cell.folder).as_posix() for path in cell.folder.glob(f"{CANDIDATES}/*/history.jsonl")]
    there = [name for name in (*known, *histories) if (cell.folder / name).is_file()]
    cell.seal(cell.weights.name, "embeddings.safetensors", *there)
    cell.state.unlink(missing_ok=True)
