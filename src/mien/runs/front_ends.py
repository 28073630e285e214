"""Packaged models whose embedding is a feature of other models; they are frozen. `mien.features` calls them by name."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.batch import Batch, Sequence
from mien.errors import RunError
from mien.models.recipes._recipe import Recipe
from mien.runs import exported, exporting

AT_ONCE = 64  # crops


def face_small() -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """What makes vectors of grey crops, (N, 1, 48, 48) uint8 to (N, 128) float32, on the CPU.

    Raises:
        RunError: this build of mien comes without the model.
    """
    folder = exported.faces()
    if folder is None:
        raise RunError("this build of mien comes without the model 'face-small', which makes the feature face_small")
    _, (model, *_) = exporting.read(folder, torch.device("cpu"))
    recipe = model.recipe.eval()

    def embedded(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        firsts = range(0, len(crops), AT_ONCE)
        return np.concatenate([_embedded(recipe, crops[first : first + AT_ONCE]) for first in firsts])

    return embedded


@torch.no_grad()
def _embedded(recipe: Recipe, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The embedding of each crop, as a clip of one frame."""
    count = len(crops)
    faces = Sequence(torch.from_numpy(crops)[:, None], torch.ones(count, 1, dtype=torch.bool))
    names = tuple(map(str, range(count)))
    batch = Batch(names, Sequence.absent(count), faces, {}, torch.arange(count), count, 0, 0)
    (vectors,) = recipe.embed(batch.to(torch.device("cpu"))).values()
    return vectors.numpy()
