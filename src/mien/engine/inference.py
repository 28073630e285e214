"""Logits and embeddings of clips, without gradient; shares no code with the training step."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.batches import Loader
from mien.models.recipes._recipe import Branch, Inference, Recipe

Name = TypeVar("Name", str, Branch)


@torch.no_grad()
def infer(recipe: Recipe, loader: Loader, *, embed: bool = True, branches: bool = False) -> Inference:
    """Run a recipe over all clips of a loader, in evaluation mode; the mode is put back afterwards.

    Args:
        recipe: trained or not.
        loader: of the clips.
        embed: whether embeddings are kept too.
        branches: whether the logits of classifiers on embeddings are kept too.
    """
    parameter = next(recipe.parameters())
    training = recipe.training
    recipe.eval()
    clips: list[str] = []
    outputs, embeddings, read = _Parts[str](), _Parts[str](), _Parts[Branch]()
    for batch in loader.epoch(0):
        batch = batch.to(parameter.device, parameter.dtype)
        clips += batch.clips
        answer = recipe.answer(batch)
        outputs.add(answer.outputs)
        embeddings.add(answer.embeddings if embed else {})
        read.add(answer.branches if branches else {})
    recipe.train(training)
    return Inference(tuple(clips), outputs.whole(), embeddings.whole(), read.whole())


class _Parts(dict[Name, list[torch.Tensor]]):
    """Values by name, batch by batch."""

    def add(self, values: Mapping[Name, torch.Tensor]) -> None:
        for name, part in values.items():
            self.setdefault(name, []).append(part.float().cpu())

    def whole(self) -> dict[Name, NDArray[np.float32]]:
        return {name: torch.cat(parts).numpy() for name, parts in self.items()}
