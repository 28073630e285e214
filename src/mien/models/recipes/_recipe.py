"""What a recipe is to the engine: `step`, and what it says: `predict`, `embed` and `spied`. Nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from mien.data.batch import Batch


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


@dataclass(frozen=True)
class Answer:
    """All that a recipe says about a batch.

    Attributes:
        logits: factor -> B x K, of `predict`.
        embeddings: name -> B x D, of `embed`.
        spied: name of a branch -> B x K, of `spied`.
    """

    logits: dict[str, Tensor]
    embeddings: dict[str, Tensor]
    spied: dict[str, Tensor] = field(default_factory=dict)


class Recipe(nn.Module, ABC):
    """A paper's algorithm: modules, how one step trains them, what they predict and what they embed."""

    @abstractmethod
    def step(self, batch: Batch, minimise: Minimise) -> Mapping[str, Tensor]:
        """Train on one batch; return the losses' shares, detached, by name, for the history."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return factor -> logits B x K."""

    @abstractmethod
    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return name -> embedding B x D."""

    def spied(self, batch: Batch) -> dict[str, Tensor]:
        """Return name -> logits B x K: what branches read from an embedding that should not tell it.

        A name is EMBEDDING-FACTOR, or EMBEDDING#N-FACTOR of the second branch and further ones of a kind.
        """
        return {}

    def answer(self, batch: Batch) -> Answer:
        """Return all three; a recipe whose answers share their forward pass makes it once."""
        return Answer(self.predict(batch), self.embed(batch), self.spied(batch))
