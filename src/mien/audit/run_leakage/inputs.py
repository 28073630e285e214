"""The input features of a run as one vector per clip. A probe on them gives the ceiling of the leakage."""

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
from mien.runs.corpus import open_corpus
from mien.runs.run import Run

INPUTS, FUNCTIONALS = "inputs", "functionals"
NO_INPUTS = "no ceiling 'inputs': the run has no inputs but pixels"


@dataclass(frozen=True)
class Inputs:
    """Vectors by clip.

    Attributes:
        vectors: name (inputs, functionals) -> clip -> (P,).
        notes: sentences on ceilings that are missing, and why.
    """

    vectors: dict[str, dict[str, NDArray[np.float64]]]
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A hash of the names and vectors."""
        sums = {name: {clip: float(one.sum()) for clip, one in clips.items()} for name, clips in self.vectors.items()}
        return digest(sums)

    def of(self, clips: Sequence[str]) -> dict[str, Any]:
        """Name -> (n, P), the vectors of these clips. Names without a vector for every clip are left out."""
        return {
            name: np.stack([known[clip] for clip in clips])
            for name, known in self.vectors.items()
            if all(clip in known for clip in clips)
        }


def inputs_of(run: Run) -> Inputs:
    """The inputs of the clips with embeddings: mean and standard deviation over time, and the functionals if prepared.

    If the prepared folder or its features are missing, or it holds another corpus, there is no ceiling, and
    `Inputs.notes` says so.
    """
    try:
        open_corpus(run)
        dataset = Dataset.open(run.experiment.data, run.target, cache=run.cache)
    except (MienError, OSError) as error:
        return Inputs({}, (f"no ceiling from the inputs: {error}",))
    embedded = {clip for cell in run.cells for clip in run.embeddings(cell)[0]["clip"]}
    clips = [clip for clip in run.clips["clip"] if clip in embedded]
    seen = run.experiment.features
    plain = {what: store for what, store in dataset.stores.items() if len(features.shape(*seen[what])) == 1}
    notes = []
    if len(plain) < len(seen):
        notes = ["the ceiling 'inputs' leaves out the pixels of the faces" if plain else NO_INPUTS]
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
            notes.append(
                f"no ceiling '{group}': {dataset.prepared.place} lacks {feature} for {len(lacking)} of the "
                f"{len(clips)} clips of the run that have embeddings"
            )
            continue
        vectors[group] = {
            clip: np.concatenate([_statistics(store.frames(clip).numpy()) for store in stores.values()])
            for clip in clips
        }
    return Inputs(vectors, tuple(notes))


def _statistics(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and standard deviation over time, (T, D) -> (2 D,). One frame is returned as it is, (D,); none is zeros."""
    values = np.asarray(frames, np.float64)
    if len(values) == 0:
        return np.zeros(2 * values.shape[1])
    return values[0] if len(values) == 1 else np.concatenate([values.mean(0), values.std(0)])
