"""What a recipe says about clips: logits and embeddings, without gradient; shares no code with the training step."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mien.features.batches import Loader
from mien.recipes.base import Recipe


@dataclass(frozen=True)
class Inference:
    """What a recipe says about N clips.

    Attributes:
        clips: N names, in the loader's order.
        logits: factor -> N x K float32.
        embeddings: name -> N x D float32.
    """

    clips: tuple[str, ...]
    logits: dict[str, NDArray[np.float32]]
    embeddings: dict[str, NDArray[np.float32]]

    def probabilities(self, factor: str, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits of a factor, divided by a temperature, N x K."""
        logits = self.logits[factor].astype(np.float64) / temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


@torch.no_grad()
def infer(recipe: Recipe, loader: Loader, *, embed: bool = True) -> Inference:
    """Run a recipe over all clips of a loader, in evaluation mode; the mode is put back afterwards.

    Args:
        recipe: trained or not.
        loader: of the clips.
        embed: whether embeddings are wanted too; they cost as much again as the logits.
    """
    parameter = next(recipe.parameters())
    training = recipe.training
    recipe.eval()
    clips: list[str] = []
    logits: dict[str, list[torch.Tensor]] = {}
    embeddings: dict[str, list[torch.Tensor]] = {}
    for batch in loader.epoch(0):
        batch = batch.to(parameter.device, parameter.dtype)
        clips += batch.clips
        for factor, values in recipe.predict(batch).items():
            logits.setdefault(factor, []).append(values.float().cpu())
        for name, values in recipe.embed(batch).items() if embed else ():
            embeddings.setdefault(name, []).append(values.float().cpu())
    recipe.train(training)
    return Inference(
        tuple(clips),
        {factor: torch.cat(values).numpy() for factor, values in logits.items()},
        {name: torch.cat(values).numpy() for name, values in embeddings.items()},
    )
