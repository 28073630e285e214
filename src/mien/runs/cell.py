"""One cell of an experiment: one model, one fold, one seed, from features to weights, predictions and embeddings."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mien import features
from mien.common import processes
from mien.data import normalisation
from mien.data.batch import Modality
from mien.data.batches import Examples, Loader, Stream
from mien.data.dataset import Dataset
from mien.data.normalisation import Normalisation
from mien.data.protocols import PARTS, Fold
from mien.engine import checkpoint
from mien.engine.fit import Record, fit
from mien.engine.inference import Inference, infer
from mien.engine.minimise import Optimisation
from mien.errors import RunError
from mien.experiments.experiment import Experiment
from mien.models import encoders, recipes
from mien.models.recipes._recipe import Recipe
from mien.runs.run import Cell, Run
from mien.runs.tables import TASKS, prediction_table, task_table
from mien.runs.validation import LEAK, leak, mean_right, scores

STATISTICS: dict[Modality, str] = {
    "audio": "normalisation",
    "video": "video-normalisation",
}  # modality -> prefix of its tensors


@dataclass(frozen=True)
class Model:
    """A trained cell, ready to infer.

    Attributes:
        experiment: the settings it was trained under.
        recipe: with the weights of the best epoch.
        normalise: modality -> the normalisation by its training clips.
        factors: factor -> its classes in order.
    """

    experiment: Experiment
    recipe: Recipe
    normalise: dict[Modality, Normalisation]
    factors: dict[str, tuple[str, ...]]

    def infer(self, examples: Examples, *, embed: bool = True, spied: bool = False) -> Inference:
        """Logits and, where wanted, embeddings and what spies say of examples, in their order."""
        return infer(self.recipe, self.loader(examples), embed=embed, spied=spied)

    def loader(self, examples: Examples) -> Loader:
        """Batches of examples as the model expects them, without anything random."""
        audio, video = self.stream("audio"), self.stream("video")
        size = 64 if self.experiment.data.light else min(64, self.experiment.training.batch)
        return Loader(examples, batch_size=size, length=self.experiment.data.length, audio=audio, video=video)

    def stream(self, modality: Modality) -> Stream | None:
        """What a loader must know of a modality; None where the data have none."""
        hops = self.experiment.hops
        return Stream(hops[modality], self.normalise[modality]) if modality in hops else None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Weights and statistics by name, all that `restore` needs."""
        tensors = {f"recipe.{name}": value for name, value in self.recipe.state_dict().items()}
        for what, normalise in self.normalise.items():
            for key, (mean, std) in normalise.statistics.items():
                tensors |= {f"{STATISTICS[what]}.mean.{key}": mean, f"{STATISTICS[what]}.std.{key}": std}
        return tensors

    def save(self, cell: Cell) -> None:
        """Write the weights, with what is needed to load them; a cell that has them is finished."""
        checkpoint.save_weights(cell.weights, self.tensors, {"factors": json.dumps(self.factors)})

    @staticmethod
    def load(experiment: Experiment, cell: Cell, device: torch.device) -> "Model":
        """Read a finished cell; raises RunError when its weights do not fit the experiment."""
        tensors, metadata = checkpoint.load_weights(cell.weights)
        factors = {factor: tuple(classes) for factor, classes in json.loads(metadata["factors"]).items()}
        try:
            return Model.restore(experiment, cell.model, factors, tensors, device)
        except RuntimeError as error:
            raise RunError(f"{cell.weights}: the weights are of another model than experiment.yaml says") from error

    @staticmethod
    def restore(
        experiment: Experiment,
        model: str,
        factors: dict[str, tuple[str, ...]],
        tensors: Mapping[str, Tensor],
        device: torch.device,
    ) -> "Model":
        """Build a model of an experiment with the given `tensors`; raises RuntimeError where they do not fit."""
        recipe = build(experiment, model, factors, seed=0, class_weight={})
        weights = {name.removeprefix("recipe."): value for name, value in tensors.items() if name[:7] == "recipe."}
        recipe.load_state_dict(weights)
        normalise: dict[Modality, Normalisation] = {}
        for what in experiment.features:
            mean, std = f"{STATISTICS[what]}.mean.", f"{STATISTICS[what]}.std."
            keys = [name.removeprefix(mean) for name in tensors if name.startswith(mean)]
            statistics = {key: (tensors[mean + key], tensors[std + key]) for key in keys}
            normalise[what] = Normalisation(_normalised(experiment, what), statistics)
        return Model(experiment, recipe.to(device).eval(), normalise, factors)


def build(
    experiment: Experiment,
    model: str,
    factors: dict[str, tuple[str, ...]],
    *,
    seed: int,
    class_weight: dict[str, Tensor],
) -> Recipe:
    """Build a model of an experiment with initial weights drawn by the seed, away from ambient random numbers."""
    shapes = {what: features.shape(*feature) for what, feature in experiment.features.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = encoders.build(experiment.encoders, shapes)
        counts = {factor: len(classes) for factor, classes in factors.items()}
        recipe: Recipe = recipes.recipe(experiment.recipe).build(experiment.model(model), encoder, counts, class_weight)
    return recipe


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
    """Train a cell, or go on with it, and write its folder; does nothing where it is finished."""
    if cell.finished:
        (cell.folder / "state.pt").unlink(missing_ok=True)  # a kill may have come between the weights and this
        return
    processes.use_threads(threads)
    experiment = run.experiment_of(cell.model)
    factors = _factors(dataset, fold, experiment, cell.model)
    examples = dataset.examples(fold.train, factors, copies=True)
    normalise = {what: _fitted(dataset, fold, experiment, examples, what) for what in experiment.features}
    emotion = examples.labels["emotion"]
    balance = balanced(emotion, len(dataset.classes))
    drawn = torch.where(emotion < 0, 1.0, balance[emotion.clamp(min=0)])
    training = experiment.training
    weights = {"emotion": balance.float()} if training.class_weight == "balanced" else {}
    recipe = build(experiment, cell.model, factors, seed=cell.seed, class_weight=weights).to(device)
    model = Model(experiment, recipe, normalise, factors)
    loader = Loader(
        examples,
        batch_size=training.batch,
        length=experiment.data.length,
        audio=model.stream("audio"),
        video=model.stream("video"),
        seed=cell.seed,
        training=True,
        masking=experiment.data.masking,
        weights=drawn if training.sampling == "balanced" else None,
        rank=processes.rank(),
        processes=processes.count(),
    )
    held_out = dataset.examples(fold.validation, factors)
    fit(
        recipe,
        loader,
        lambda: validated(model, cell.model, held_out),
        training=training,
        optimiser=experiment.optimiser,
        folder=cell.folder,
        watch=watch,
    )
    if processes.rank() == 0:
        _write(run, dataset, fold, cell, model)
    processes.wait()


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weight of each class, K float64: known labels / (classes present x labels of the class); mean 1 over labels.

    Args:
        labels: N int64, -1 where not known, which counts for no class.
        classes: K.
    """
    known = labels[labels >= 0]
    counts = torch.bincount(known, minlength=classes)
    return len(known) / (int((counts > 0).sum()) * counts.clamp(min=1).double())


def check(dataset: Dataset, fold: Fold, experiment: Experiment) -> None:
    """Build every model once, before anything is written.

    Raises:
        ConfigError: a factor that the corpus has not, a learning rate of no module, a module that cannot be trained.
    """
    for model, own in experiment.trained.items():
        factors = _factors(dataset, fold, own, model)
        Optimisation(build(own, model, factors, seed=0, class_weight={}), own.optimiser)


def _factors(dataset: Dataset, fold: Fold, experiment: Experiment, model: str) -> dict[str, tuple[str, ...]]:
    names = sorted({"emotion", *experiment.model(model).factors})
    return {factor: dataset.factor(factor, fold.train) for factor in names}


def validated(model: Model, name: str, examples: Examples) -> Record:
    """The scores of validation clips that may choose an epoch, see `engine.fit.Training.best`."""
    spied = model.experiment.training.best == "disentanglement"
    inference = model.infer(examples, embed=False, spied=spied)
    found = scores(inference, examples.labels["emotion"])
    tasks = model.experiment.model(name).tasked
    found["tasks"] = mean_right([(factor, inference.logits[factor]) for factor in sorted(tasks)], examples.labels)
    if spied:
        found["disentanglement"] = found["tasks"] - LEAK * leak(inference.spied, examples.labels)
    return found


def _fitted(dataset: Dataset, fold: Fold, experiment: Experiment, examples: Examples, what: Modality) -> Normalisation:
    """The normalisation of a modality, by the examples of training or by everybody's clips."""
    kind = _normalised(experiment, what)
    if kind != "speaker":
        return normalisation.fit(kind, zip(examples.clips, examples.speakers, getattr(examples, what), strict=True))
    everyone = dataset.clips.loc[[*fold.train, *fold.validation]] if experiment.hold_test else dataset.clips
    stores = [dataset.stores[what]] * len(everyone)
    return normalisation.fit(kind, zip(everyone["clip"], everyone["speaker"], stores, strict=True))


def _normalised(experiment: Experiment, what: Modality) -> normalisation.Kind:
    """How a modality is normalised; pixels are from -1 to 1 and stay so."""
    return "none" if len(features.shape(*experiment.features[what])) > 1 else experiment.data.normalisation


def _write(run: Run, dataset: Dataset, fold: Fold, cell: Cell, model: Model) -> None:
    looked_at = PARTS[:2] if model.experiment.hold_test else PARTS
    parts = {part: dataset.clips.loc[list(getattr(fold, part))] for part in looked_at}
    inferred = {
        part: model.infer(dataset.examples(list(table["clip"]), model.factors)) for part, table in parts.items()
    }
    scheme = run.experiment.data.scheme
    tables = [
        prediction_table(inferred[part], parts[part], dataset.classes, cell, part, scheme) for part in looked_at[1:]
    ]
    place = cell.folder.relative_to(run.folder)
    run.write_table(str(place / "predictions.csv"), pd.concat(tables, ignore_index=True))
    tasks = sorted(model.experiment.model(cell.model).tasked - {"emotion"})
    others = [task_table(inferred[part], parts[part], model.factors, tasks, cell, part) for part in looked_at[1:]]
    run.write_table(str(place / TASKS), pd.concat(others, ignore_index=True))
    run.write_embeddings(
        cell,
        [clip for part in looked_at for clip in inferred[part].clips],
        [part for part in looked_at for _ in inferred[part].clips],
        {
            name: np.concatenate([inferred[part].embeddings[name] for part in looked_at])
            for name in inferred["train"].embeddings
        },
    )
    model.save(cell)
    (cell.folder / "state.pt").unlink(missing_ok=True)
