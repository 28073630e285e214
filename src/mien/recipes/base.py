"""What a recipe is to the engine: `step`, `predict` and `embed`, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from mien.features.batches import Batch


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
