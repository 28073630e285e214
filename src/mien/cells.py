"""One cell of an experiment: one model, one fold, one seed, from features to weights, predictions and embeddings."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import audmetric
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import log_loss
from torch import Tensor

from mien import encoders, features, recipes
from mien.config import Experiment
from mien.dataset import Dataset
from mien.engine import checkpoint, processes
from mien.engine.fit import Record, fit
from mien.engine.inference import Inference, infer
from mien.engine.minimise import Optimisation
from mien.errors import RunError
from mien.features import normalisation
from mien.features.batches import Examples, Loader
from mien.features.normalisation import Normalisation
from mien.protocols import PARTS, Fold
from mien.recipes.base import Recipe
from mien.run import Cell, Run


@dataclass(frozen=True)
class Model:
    """A trained cell, ready to infer.

    Attributes:
        experiment: the settings it was trained under.
        recipe: with the weights of the best epoch.
        normalise: the normalisation of its training clips.
        factors: factor -> its classes in order.
    """

    experiment: Experiment
    recipe: Recipe
    normalise: Normalisation
    factors: dict[str, tuple[str, ...]]

    def infer(self, examples: Examples, *, embed: bool = True) -> Inference:
        """Logits and, where wanted, embeddings of examples, in their order."""
        return infer(self.recipe, self.loader(examples), embed=embed)

    def loader(self, examples: Examples) -> Loader:
        """Batches of examples as the model expects them, without anything random."""
        name, feature = self.experiment.feature
        return Loader(
            examples,
            batch_size=64,
            length=self.experiment.data.length,
            hop=features.feature(name).hop(feature),
            normalise=self.normalise,
        )

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Weights and statistics by name, all that `restore` needs."""
        tensors = {f"recipe.{name}": value for name, value in self.recipe.state_dict().items()}
        for key, (mean, std) in self.normalise.statistics.items():
            tensors |= {f"normalisation.mean.{key}": mean, f"normalisation.std.{key}": std}
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
        keys = [name.removeprefix("normalisation.mean.") for name in tensors if name.startswith("normalisation.mean.")]
        statistics = {k: (tensors[f"normalisation.mean.{k}"], tensors[f"normalisation.std.{k}"]) for k in keys}
        normalise = Normalisation(experiment.data.normalisation, statistics)
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
    name, config = experiment.encoder_config
    feature, settings = experiment.feature
    dimension = features.feature(feature).dimension(settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = encoders.encoder(name).Encoder(config, audio_dimension=dimension)
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
    sources = zip(examples.clips, examples.speakers, examples.audio, strict=True)
    kind = experiment.data.normalisation
    if kind == "speaker":
        everyone = dataset.clips.loc[[*fold.train, *fold.validation]] if experiment.hold_test else dataset.clips
        sources = zip(everyone["clip"], everyone["speaker"], [dataset.audio] * len(everyone), strict=True)
    normalise = normalisation.fit(kind, sources)
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
        hop=dataset.hop,
        normalise=normalise,
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
        lambda: scores(model.infer(held_out, embed=False), held_out.labels["emotion"]),
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


def scores(inference: Inference, labels: Tensor) -> Record:
    """Validation scores: UAR over the classes present, accuracy, cross-entropy in nats."""
    truth, probabilities = labels.numpy(), inference.probabilities("emotion")
    predicted = probabilities.argmax(axis=1)
    classes = list(range(probabilities.shape[1]))
    recalls = audmetric.recall_per_class(truth, predicted, labels=classes, zero_division=np.nan)
    return {
        "uar": float(np.nanmean(list(recalls.values()))),
        "accuracy": float(audmetric.accuracy(truth, predicted)),
        "loss": float(log_loss(truth, probabilities, labels=classes)),
    }


def prediction_table(
    inference: Inference, table: pd.DataFrame, classes: Sequence[str], cell: Cell, split: str, scheme: str
) -> pd.DataFrame:
    """Rows of `predictions.csv` for some clips: the truth, what is predicted, a probability for each class."""
    probabilities = inference.probabilities("emotion")
    head = pd.DataFrame(
        {
            "clip": list(inference.clips),
            "speaker": table["speaker"].tolist(),
            "model": cell.model,
            "fold": cell.fold,
            "seed": cell.seed,
            "split": split,
            "emotion": table["label"].tolist(),
            "predicted": [classes[number] for number in probabilities.argmax(axis=1)],
        }
    )
    columns = pd.DataFrame(probabilities.round(6), columns=list(classes))
    return pd.concat([head, columns], axis=1).assign(scheme=scheme)


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
    path = cell.folder.relative_to(run.folder) / "predictions.csv"
    run.write_table(str(path), pd.concat(tables, ignore_index=True))
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
