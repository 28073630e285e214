"""A trained model that predicts from media: all folds and seeds of one model, whose probabilities are averaged.

It is opened from a run, without calibration, or from an exported folder, calibrated: there one temperature divides the
logits of every member before its softmax (see `mien.audit.statistics.calibration`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import features
from mien.data.batches import Examples
from mien.media.faces import Crops, Seen
from mien.media.modality import Modality
from mien.models.recipes._recipe import Inference
from mien.runs import exported, exporting
from mien.runs.cell import Model
from mien.runs.one_model import Face, OneModel, Voice, described
from mien.runs.selection import find, limits_of, refuse_other_inputs, shortest_sound


@dataclass(frozen=True)
class _Windows:
    """Frames of windows and which of them are usable, by the window's number."""

    values: tuple[Tensor, ...]
    usable: tuple[Tensor, ...]

    @staticmethod
    def of(name: str, config: Any, given: Sequence[Voice | Face], empty: Tensor) -> "_Windows":
        values, usable = [], []
        for one in given:
            frames = features.of_crops(name, one.pixels, one.reasons, config) if isinstance(one, Crops | Seen) else one
            values.append(empty if frames is None else torch.from_numpy(frames))
            reasons = one.reasons if isinstance(one, Crops | Seen) else np.zeros(len(values[-1]))
            usable.append(torch.from_numpy(reasons == 0))
        return _Windows(tuple(values), tuple(usable))

    def length(self, clip: str) -> int:
        return len(self.values[int(clip)])

    def frames(self, clip: str) -> Tensor:
        return self.values[int(clip)]

    def valid(self, clip: str) -> Tensor:
        return self.usable[int(clip)]


@dataclass(frozen=True)
class Ensemble(OneModel):
    """The cells of one model, computed by torch.

    Attributes:
        models: one per cell.
    """

    models: tuple[Model, ...]

    @staticmethod
    def open(path: Path | str, device: torch.device, *, partial: bool = False) -> "Ensemble":
        """Open an exported model, RUN (its model with the best validation score), RUN/models/MODEL, or a cell's folder.

        Args:
            path: of the model.
            device: to compute on.
            partial: whether cells of a run may be missing; those that are named in `limits`.

        Raises:
            RunError: no finished model is there, a cell is missing, or the model needs the statistics of known
                speakers.
            ConfigError: the extra of one of its features is not installed.
        """
        path = Path(path)
        if exported.is_exported(path):
            description, members = exporting.read(path, device)
            _check_extras(members)
            return Ensemble(models=members, **described(description))
        run, name, cells, missing = find(path, partial=partial)
        refuse_other_inputs(run, cells)
        members = tuple(Model.load(run.experiment_at(cell), cell, device) for cell in cells)
        _check_extras(members)
        return Ensemble(
            name,
            run.target,
            run.classes,
            run.experiment.scheme_name,
            members,
            marks=tuple(run.marks),
            shortest=shortest_sound(run, cells),
            limits=limits_of(run, missing),
        )

    @property
    def features(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of all that its data have."""
        return self.models[0].experiment.features

    @property
    def inputs(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of those that its networks take."""
        return self.models[0].inputs

    @property
    def longest(self) -> float | None:
        """The longest window, in seconds, that it uses in full; None where there is no limit."""
        lengths = [model.experiment.data.length for model in self.models]
        limits = [length.seconds for length in lengths if length.long == "middle" and length.seconds is not None]
        return min(limits, default=None)

    def infer(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float64]:
        """The mean probability of each class, n x K, of n windows with voice, face or both; for a number n x 1.

        Args:
            voices: frames of the audio feature, each T x D; None for a window without voice.
            faces: face crops; None for a window without a face, or for no faces at all.
        """
        inferred = self._inferred(voices, faces)
        if not self.classes:
            pairs = zip(self.models, inferred, strict=True)
            return np.asarray(np.mean([model.main.values(one.outputs[self.target]) for model, one in pairs], axis=0))
        return np.asarray(np.mean([one.probabilities(self.target, self.temperature) for one in inferred], axis=0))

    def logits(self, faces: Sequence[Crops | Seen]) -> NDArray[np.float32]:
        """The logits of each class, n x K, of n windows with a face: the mean over the members, as they give them.

        They are not divided by the temperature, which calibrates answers. Softmax of one member's is its distribution.

        Args:
            faces: face crops; the model takes nothing else and has classes.
        """
        inferred = self._inferred([None] * len(faces), faces)
        return np.asarray(np.mean([one.outputs[self.target] for one in inferred], axis=0), dtype=np.float32)

    def embed(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float32]:
        """The embeddings of all members side by side, n x D, of n windows; see `OneModel.infer`."""
        inferred = self._inferred(voices, faces, embed=True)
        return np.concatenate([values for one in inferred for values in one.embeddings.values()], axis=1)

    def _inferred(
        self, voices: Sequence[Voice], faces: Sequence[Face] | None, *, embed: bool = False
    ) -> list[Inference]:
        """What each member gives for n windows, see `infer`."""
        count = len(voices)
        sources: dict[str, tuple[_Windows, ...]] = {}
        for modality, (name, config) in self.models[0].experiment.features.items():
            given: Sequence[Voice | Face] = voices if modality == "audio" else faces or [None] * count
            shape = features.shape(name, config)
            empty = torch.zeros(0, *shape, dtype=torch.uint8 if len(shape) > 1 else torch.float32)
            sources[modality] = (_Windows.of(name, config, given, empty),) * count
        examples = Examples(
            tuple(map(str, range(count))),
            ("",) * count,
            sources.get("audio", ()),
            {},
            sources.get("video", ()),
        )
        return [model.infer(examples, embed=embed) for model in self.models]


def _check_extras(members: Sequence[Model]) -> None:
    """Raise ConfigError where a feature needs an extra that is not installed."""
    for name, config in members[0].experiment.features.values():
        features.ready(name, config)
