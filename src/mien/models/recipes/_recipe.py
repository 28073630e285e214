"""What a recipe is to the rest of mien: what one model of it says it is, and what it does with a batch.

A recipe module has a `SOURCE`; a `Config`, the settings of one model, a `RecipeConfig`; `TAKES`, the kinds of encoders
that it takes (`RETURNS` of an encoder's module: "vector", "sequence", "map"), none where it builds its networks from
the shapes of frames; `build(config, given)`, which makes a `Recipe`; and `TINY`, name -> settings of small models, by
which the contract tests hold it to what `Recipe` promises.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.data.targets import Target


class RecipeConfig(Settings, ABC):
    """The settings of one model, and what they say it is."""

    @property
    @abstractmethod
    def carried(self) -> Mapping[str, frozenset[str]]:
        """Name of each embedding -> the tasks that it is trained to carry; all else read from it is a leak."""

    @property
    def tasks(self) -> frozenset[str]:
        """The factors that the model is trained to predict."""
        return frozenset(factor for tasks in self.carried.values() for factor in tasks)

    @property
    def targets(self) -> frozenset[str]:
        """The factors that `Recipe.predict` gives: the tasks, and what is only read."""
        return self.tasks

    @property
    def factors(self) -> frozenset[str]:
        """Every factor whose labels a step uses."""
        return self.targets

    @property
    def classed(self) -> Mapping[str, str]:
        """Factor that has to have classes -> what for, such as an adversary."""
        return {}

    @property
    def scores(self) -> frozenset[str]:
        """The names of the validation scores that the recipe adds (`Recipe.scores`); `training.best` may be one."""
        return frozenset()

    def predictor(self, target: str) -> "RecipeConfig":
        """The settings of the part that predicts one target; its weights have the names that they have in the whole."""
        return self


@dataclass(frozen=True)
class Given:
    """What a recipe is built from.

    Attributes:
        encoders: modality -> its encoder, each by itself; none where the recipe builds its own networks.
        shapes: modality -> shape of one frame, (D,) or (C, S, S).
        targets: factor -> its kind and classes, of every factor of the model.
        class_weight: factor -> weight of each class (K) in its task's loss; others are unweighted.
    """

    encoders: Mapping[Modality, nn.Module]
    shapes: Mapping[Modality, tuple[int, ...]]
    targets: Mapping[str, Target]
    class_weight: Mapping[str, Tensor] = field(default_factory=dict)


class Minimise(Protocol):
    """The one function that the engine hands to a recipe.

    Attributes:
        progress: 0 at the first step of training, 1 after the last; drives schedules.
    """

    progress: float

    def __call__(self, loss: Tensor, *modules: nn.Module, phase: str = "") -> None:
        """Move the parameters of `modules` one step down the gradient of `loss`, and nothing else.

        Args:
            loss: this process's share, a scalar; its graph is consumed.
            modules: modules of the recipe; what is not named does not move.
            phase: calls with one phase share the optimiser's state of a module; another phase has its own.
        """

    def forget(self, *modules: nn.Module) -> None:
        """Drop what the optimiser remembers of the parameters of `modules`, in every phase.

        For modules that begin anew within a step: what a recipe gives other values without a loss, it names here.
        """


class Branch(NamedTuple):
    """A classifier on an embedding that does not move it there: an adversary, or an auxiliary classifier.

    Attributes:
        embedding: what it reads.
        factor: what it says of it.
        number: of several for one factor, from 1.
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
    """All that a recipe says about a batch.

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
    """What a recipe says about N clips.

    Attributes:
        clips: N names, in the loader's order.
        outputs: target -> N x K float32: logits of classes, or numbers.
        embeddings: name -> N x D float32; empty where they were not asked for.
        branches: classifier on an embedding -> N x K float32 logits; empty where they were not asked for.
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
    """A paper's algorithm: modules, how one step trains them, what they predict and what they embed."""

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
        """Factor -> the names of the modules that learn from its labels alone: nothing moves them without."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return target -> B x K: logits of its classes, or numbers as its labels have them."""

    @abstractmethod
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return name -> embedding B x D."""

    def branches(self, batch: Batch) -> dict[Branch, Tensor]:
        """Return classifier -> logits B x K: what is read from embeddings without moving them."""
        return {}

    def answer(self, batch: Batch) -> Answer:
        """Return all three; a recipe whose answers share their forward pass makes it once."""
        return Answer(self.predict(batch), self.embed(batch), self.branches(batch))

    def scores(
        self, inference: Inference, labels: Mapping[str, Tensor], tasks: float, targets: Mapping[str, Target]
    ) -> dict[str, float]:
        """Return the recipe's own validation scores by name (`RecipeConfig.scores`); more is better.

        Args:
            inference: what it says of the validation clips, branches too.
            labels: factor -> their labels.
            tasks: the mean of the scores of its tasks (`data.targets.rightness`), nan where nothing is known.
            targets: factor -> how labels were read.
        """
        return {}
