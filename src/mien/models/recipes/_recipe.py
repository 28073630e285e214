"""The interface of recipes: the settings that describe one model, and what it does with a batch.

A recipe module defines:

- `SOURCE`: the paper;
- `Config`: the settings of one model, a `RecipeConfig`;
- `TAKES`: the kinds of encoders that it takes (`RETURNS` of an encoder's module: "vector", "sequence", "map"), empty
  where it builds its networks from the shapes of frames;
- `build(config, given)`: makes a `Recipe`;
- `TAUGHT`: whether it may learn from a teacher, `data.teacher`; a recipe without it may not;
- `TINY`: name -> settings of small models, on which the contract tests run.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.data.targets import Target


class RecipeConfig(Settings, ABC):
    """The settings of one model, and the factors that follow from them."""

    @property
    @abstractmethod
    def carried(self) -> Mapping[str, frozenset[str]]:
        """Name of each embedding -> the tasks that it is trained for; other factors in it are leakage."""

    @property
    def tasks(self) -> frozenset[str]:
        """The factors that the model is trained to predict."""
        return frozenset(factor for tasks in self.carried.values() for factor in tasks)

    @property
    def targets(self) -> frozenset[str]:
        """The factors that `Recipe.predict` gives: the tasks, and the factors of auxiliary classifiers."""
        return self.tasks

    @property
    def factors(self) -> frozenset[str]:
        """Every factor whose labels a step uses."""
        return self.targets

    def takes(self, given: Iterable[str]) -> tuple[str, ...]:
        """The modalities that the model takes, of those that the data have."""
        return tuple(given)

    def without(self, factors: frozenset[str]) -> str:
        """The setting that leaves these factors out of the model, `key=value`; empty where it is more than one."""
        return ""

    @property
    def classed(self) -> Mapping[str, str]:
        """Factor that has to have classes -> what needs them, such as an adversary."""
        return {}

    @property
    def removed(self) -> frozenset[str]:
        """The factors that are removed from an embedding."""
        return frozenset()

    @property
    def label_free(self) -> bool:
        """Whether a loss that is no removal needs no label, such as a reconstruction: unlabelled clips count in it."""
        return False

    @property
    def supervised(self) -> bool:
        """Whether labels of one factor alone move the encoder.

        A clip without that label then adds nothing, but to the statistics of batch normalisation in some recipes.
        """
        return len(self.tasks) == 1 and not self.removed and not self.label_free

    @property
    def scores(self) -> frozenset[str]:
        """The names of the validation scores that the recipe adds (`Recipe.scores`); `training.best` may be one."""
        return frozenset()

    @property
    def frozen(self) -> Mapping[str, str]:
        """Name -> folder or name of a trained model that is asked in training and does not move (`layers.frozen`)."""
        return {}

    def predictor(self, target: str) -> "RecipeConfig":
        """The settings of the part that predicts one target, which `mien export` keeps.

        The target is the only factor of that part, and its weights have the names that they have in the whole model. A
        model of several factors overrides this.
        """
        return self


@dataclass(frozen=True)
class Given:
    """The encoders, shapes and targets that a recipe is built from.

    Attributes:
        encoders: modality -> its encoder, not joined; none where the recipe builds its own networks.
        shapes: modality -> shape of one frame, (D,) or (C, S, S).
        targets: factor -> its kind and classes, of every factor of the model.
        class_weight: factor -> weight of each class (K) in its task's loss; others are unweighted.
        prior: factor -> the outputs (K) that its training labels alone make likeliest (`Target.prior`), of a training
            that begins; models are restored with theirs.
        teacher: the shape of one frame of what a teacher says, (K,) or pixels (C, S, S) of a teacher that is asked in
            each step; None where the data have none.
        frozen: name -> the model of `RecipeConfig.frozen`, images N x C x S x S from -1 to 1 in, N x K logits out; none
            where the recipe is restored, and not trained.
    """

    encoders: Mapping[Modality, nn.Module]
    shapes: Mapping[Modality, tuple[int, ...]]
    targets: Mapping[str, Target]
    class_weight: Mapping[str, Tensor] = field(default_factory=dict)
    prior: Mapping[str, Tensor] = field(default_factory=dict)
    teacher: tuple[int, ...] | None = None
    frozen: Mapping[str, nn.Module] = field(default_factory=dict)


class Minimise(Protocol):
    """The one function that the engine hands to a recipe.

    Attributes:
        progress: 0 at the first step of training, 1 after the last; drives schedules.
    """

    progress: float

    def __call__(self, loss: Tensor, *modules: nn.Module, phase: str = "", rate: float = 1.0) -> None:
        """Move the parameters of `modules` one step down the gradient of `loss`, and nothing else.

        Args:
            loss: this process's share, a scalar; its graph is consumed.
            modules: modules of the recipe; all others stay as they are.
            phase: calls of one phase share the optimiser's state of a module; each phase has its own.
            rate: times the learning rates of the modules.
        """

    def forget(self, *modules: nn.Module) -> None:
        """Drop the optimiser's state of the parameters of `modules`, in every phase.

        For modules that a recipe resets within a step.
        """


class Branch(NamedTuple):
    """A classifier on an embedding whose own training does not move the embedding: an adversary or an auxiliary one.

    Attributes:
        embedding: its input.
        factor: what it predicts.
        number: counts several for one factor, from 1.
    """

    embedding: str
    factor: str
    number: int = 1

    def __str__(self) -> str:
        """EMBEDDING-FACTOR, or EMBEDDING#N-FACTOR from the second on; no embedding has '#' in its name."""
        return (
            f"{self.embedding}-{self.factor}" if self.number == 1 else f"{self.embedding}#{self.number}-{self.factor}"
        )


@dataclass(frozen=True)
class Answer:
    """All outputs of a recipe for a batch.

    Attributes:
        outputs: factor -> B x K, of `predict`.
        embeddings: name -> B x D, of `embed`.
        branches: classifier -> B x K, of `branches`.
    """

    outputs: dict[str, Tensor]
    embeddings: dict[str, Tensor]
    branches: dict[Branch, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Inference:
    """The outputs of a recipe for N clips.

    Attributes:
        clips: N names, in the loader's order.
        outputs: target -> N x K float32: logits of classes, or numbers.
        embeddings: name -> N x D float32; empty where they are not wanted.
        branches: classifier on an embedding -> N x K float32 logits; empty where they are not wanted.
    """

    clips: tuple[str, ...]
    outputs: dict[str, NDArray[np.float32]]
    embeddings: dict[str, NDArray[np.float32]]
    branches: dict[Branch, NDArray[np.float32]] = field(default_factory=dict)

    def probabilities(self, target: str, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits of a target that has classes, divided by a temperature, N x K."""
        logits = self.outputs[target].astype(np.float64) / temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


class Recipe(nn.Module, ABC):
    """A paper's algorithm: modules, how one step trains them, their predictions and embeddings."""

    @abstractmethod
    def step(self, batch: Batch, minimise: Minimise) -> Mapping[str, Tensor]:
        """Train on one batch; return the losses' shares, detached, by name, for the history."""

    @property
    @abstractmethod
    def phases(self) -> frozenset[frozenset[str]]:
        """The names of the modules that each call of `minimise` within a step moves together."""

    @property
    @abstractmethod
    def heads(self) -> Mapping[str, frozenset[str]]:
        """Factor -> the names of the modules that learn from its labels alone; without labels they stay as they are."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return target -> B x K: logits of its classes, or numbers as its labels have them."""

    @abstractmethod
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return name -> embedding B x D."""

    @property
    def modalities(self) -> frozenset[str] | None:
        """The modalities that it takes; None where it takes all that the data have."""
        return None

    def branches(self, batch: Batch) -> dict[Branch, Tensor]:
        """Return classifier -> logits B x K, of all classifiers on embeddings (`Branch`)."""
        return {}

    def answer(self, batch: Batch) -> Answer:
        """Return all three; a recipe that computes them from one forward pass overrides it."""
        return Answer(self.predict(batch), self.embed(batch), self.branches(batch))

    def wanted(self, frames: Tensor, valid: Tensor) -> Tensor | None:
        """Return what a teacher's frames of a whole clip amount to for this model, K probabilities; None for nothing.

        Args:
            frames: T x K, of `data.teacher`.
            valid: T bool.
        """
        return None

    def scores(
        self, inference: Inference, labels: Mapping[str, Tensor], tasks: float, targets: Mapping[str, Target]
    ) -> dict[str, float]:
        """Return the recipe's own validation scores by name (`RecipeConfig.scores`); more is better.

        Args:
            inference: its outputs for the validation clips, branches too.
            labels: factor -> their labels; of what a teacher says, as `wanted` has it.
            tasks: the mean of the scores of its tasks (`data.targets.rightness`), nan where no label is known.
            targets: factor -> how labels were read.
        """
        return {}
