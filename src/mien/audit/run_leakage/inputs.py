"""What the encoders of a run were given, as one vector a clip: how much of a person stood in the inputs themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.common.settings import digest
from mien.data.dataset import Dataset
from mien.data.store import open_store
from mien.errors import MienError
from mien.runs.run import Run

INPUTS, FUNCTIONALS = "inputs", "functionals"
NO_INPUTS = "no ceiling 'inputs': all that the run sees are pixels"


@dataclass(frozen=True)
class Inputs:
    """Vectors by clip.

    Attributes:
        vectors: name (inputs, functionals) -> clip -> (P,).
        told: sentences on what is not at hand.
    """

    vectors: dict[str, dict[str, NDArray[np.float64]]]
    told: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same names and vectors."""
        sums = {name: {clip: float(one.sum()) for clip, one in clips.items()} for name, clips in self.vectors.items()}
        return digest(sums)

    def of(self, clips: Sequence[str]) -> dict[str, Any]:
        """Name -> (n, P), of these clips; names that lack one are left out."""
        return {
            name: np.stack([known[clip] for clip in clips])
            for name, known in self.vectors.items()
            if all(clip in known for clip in clips)
        }


def inputs_of(run: Run) -> Inputs:
    """The input features of the run's clips: mean and deviation over time, and the functionals where they are prepared.

    PREPARED may have gone, or have lost the features: then this is told and there is no ceiling.
    """
    try:
        dataset = Dataset.open(run.experiment.data, run.target)
    except (MienError, OSError) as error:
        return Inputs({}, (f"no ceiling from the inputs: {error}",))
    clips = run.clips["clip"].tolist()
    seen = run.experiment.features
    plain = {what: store for what, store in dataset.stores.items() if len(features.shape(*seen[what])) == 1}
    told = []
    if len(plain) < len(seen):
        told = ["the ceiling 'inputs' is without the pixels of the faces" if plain else NO_INPUTS]
    groups = {INPUTS: plain} if plain else {}
    if "audio" in seen and seen["audio"][0] != FUNCTIONALS:
        groups[FUNCTIONALS] = {
            "audio": open_store(dataset.prepared, FUNCTIONALS, features.parse(FUNCTIONALS, {})),
        }
    vectors: dict[str, dict[str, NDArray[np.float64]]] = {}
    for group, stores in groups.items():
        lacking = {clip for store in stores.values() for clip in store.missing(clips)}
        if lacking:
            feature = FUNCTIONALS if group == FUNCTIONALS else " and ".join(seen[what][0] for what in stores)
            told.append(
                f"no ceiling '{group}': {dataset.prepared.place} has no {feature} of {len(lacking)} of its "
                f"{len(clips)} clips"
            )
            continue
        vectors[group] = {
            clip: np.concatenate([_statistics(store.frames(clip).numpy()) for store in stores.values()])
            for clip in clips
        }
    return Inputs(vectors, tuple(told))


def _statistics(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and deviation over time, (T, D) -> (2 D,); the one vector itself where a clip has one, zeros of none."""
    values = np.asarray(frames, np.float64)
    if len(values) == 0:
        return np.zeros(2 * values.shape[1])
    return values[0] if len(values) == 1 else np.concatenate([values.mean(0), values.std(0)])
