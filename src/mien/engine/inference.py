"""What a recipe says about clips: logits and embeddings, without gradient; shares no code with the training step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.batches import Loader
from mien.models.recipes._recipe import Recipe


@dataclass(frozen=True)
class Inference:
    """What a recipe says about N clips.

    Attributes:
        clips: N names, in the loader's order.
        logits: factor -> N x K float32.
        embeddings: name -> N x D float32; empty where they were not asked for.
        spied: name of a branch -> N x K float32, logits of what is read from an embedding that should not tell it;
            empty where it was not asked for.
    """

    clips: tuple[str, ...]
    logits: dict[str, NDArray[np.float32]]
    embeddings: dict[str, NDArray[np.float32]]
    spied: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def probabilities(self, factor: str, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits of a factor, divided by a temperature, N x K."""
        logits = self.logits[factor].astype(np.float64) / temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


@torch.no_grad()
def infer(recipe: Recipe, loader: Loader, *, embed: bool = True, spied: bool = False) -> Inference:
    """Run a recipe over all clips of a loader, in evaluation mode; the mode is put back afterwards.

    Args:
        recipe: trained or not.
        loader: of the clips.
        embed: whether embeddings are kept too.
        spied: whether what spies and readers say is kept too.
    """
    parameter = next(recipe.parameters())
    training = recipe.training
    recipe.eval()
    clips: list[str] = []
    logits, embeddings, overheard = _Parts(), _Parts(), _Parts()
    for batch in loader.epoch(0):
        batch = batch.to(parameter.device, parameter.dtype)
        clips += batch.clips
        answer = recipe.answer(batch)
        logits.add(answer.logits)
        embeddings.add(answer.embeddings if embed else {})
        overheard.add(answer.spied if spied else {})
    recipe.train(training)
    return Inference(tuple(clips), logits.whole(), embeddings.whole(), overheard.whole())


class _Parts(dict[str, list[torch.Tensor]]):
    """Values by name, batch by batch."""

    def add(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, part in values.items():
            self.setdefault(name, []).append(part.float().cpu())

    def whole(self) -> dict[str, NDArray[np.float32]]:
        return {name: torch.cat(parts).numpy() for name, parts in self.items()}
