"""Packaged models whose embedding is a feature of other models; they are frozen. `mien.features` calls them by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.common.extras import need_train
from mien.errors import RunError
from mien.runs import exported, graph

AT_ONCE = 64  # crops

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def face_small() -> Embed:
    """What makes vectors of grey crops, (N, 1, 48, 48) uint8 to (N, 128) float32, on the CPU.

    By the model's graph, where it has one; else by torch.

    Raises:
        RunError: this build of mien comes without the model, or it is damaged.
        DependencyError: it has no graph, and the extra `train` is not installed.
    """
    folder = exported.faces()
    if folder is None:
        raise RunError("this build of mien comes without the model 'face-small', which makes the feature face_small")
    embed = by_graph(folder) if graph.has_graph(folder) else by_torch(folder)

    def embedded(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        firsts = range(0, len(crops), AT_ONCE)
        return np.concatenate([embed(crops[first : first + AT_ONCE]) for first in firsts])

    return embedded


def by_graph(folder: Path) -> Embed:
    """The embedding of each crop, as a clip of one frame, by a model's graph."""
    model = graph.GraphModel.open(folder)

    def embedded(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        faces = graph.Inputs(crops[:, None], np.ones((len(crops), 1), np.bool_))
        return graph.run(model.session, ["embeddings"], {"video": faces})[0]

    return embedded


def by_torch(folder: Path) -> Embed:
    """The same by its networks in torch."""
    need_train("face_small: a model without a graph (mien export --onnx)")
    import torch

    from mien.data.batch import Batch, Sequence
    from mien.runs import exporting

    _, (model, *_) = exporting.read(folder, torch.device("cpu"))
    recipe: Any = model.recipe.eval()

    def embedded(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        count = len(crops)
        faces = Sequence(torch.from_numpy(crops)[:, None], torch.ones(count, 1, dtype=torch.bool))
        names = tuple(map(str, range(count)))
        batch = Batch(names, Sequence.absent(count), faces, {}, torch.arange(count), count, 0, 0)
        with torch.no_grad():
            (vectors,) = recipe.embed(batch.to(torch.device("cpu"))).values()
        found: NDArray[np.float32] = vectors.numpy()
        return found

    return embedded
