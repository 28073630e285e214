"""A trained model ready for media: the folds and seeds of one model, whose probabilities are averaged.

It comes from a run, as it is, or from an exported folder, calibrated: there one temperature divides the logits of every
member before its softmax (see `mien.audit.calibration`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import exported, features
from mien.cells import Model
from mien.errors import RunError, unknown
from mien.features.batches import Examples
from mien.features.parts import extract_parts
from mien.run import Cell, Run


@dataclass(frozen=True)
class _Windows:
    """Feature frames of windows, by their number."""

    values: tuple[Tensor, ...]

    def length(self, clip: str) -> int:
        return len(self.values[int(clip)])

    def frames(self, clip: str) -> Tensor:
        return self.values[int(clip)]


@dataclass(frozen=True)
class Ensemble:
    """The cells of one model.

    Attributes:
        name: of the model in its run.
        classes: the emotion classes in order.
        scheme: their name.
        models: one a cell.
        temperature: divides the logits of each.
        unsure: the least probability at which the most likely class is said; 0 where it always is.
        marks: sentences on leaks that its run accepted.
    """

    name: str
    classes: tuple[str, ...]
    scheme: str
    models: tuple[Model, ...]
    temperature: float = 1.0
    unsure: float = 0.0
    marks: tuple[str, ...] = ()

    @staticmethod
    def open(path: Path | str, device: torch.device) -> "Ensemble":
        """Open an exported model, RUN (its model with the best validation score), RUN/models/MODEL, or a cell's folder.

        Raises:
            RunError: nothing there is trained, or the model needs statistics of speakers that a file has not.
        """
        path = Path(path)
        if exported.is_exported(path):
            told, members = exported.read(path, device)
            rule = (told.temperature, told.unsure.threshold)
            return Ensemble(told.name, told.classes, told.scheme, members, *rule, told.marks)
        run, model, cells = find(path)
        members = tuple(Model.load(run.experiment_of(model), cell, device) for cell in cells)
        return Ensemble(model, run.classes, run.experiment.data.scheme, members, marks=tuple(run.marks))

    @property
    def rate(self) -> int:
        """Samples a second of the waveforms that it hears."""
        return self.models[0].experiment.feature[1].sample_rate

    @property
    def longest(self) -> float | None:
        """Seconds of a window of which it hears all; None where there is no limit."""
        length = self.models[0].experiment.data.length
        return length.seconds if length.long == "middle" else None

    def probabilities(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """The mean probability of each class, n x K, of n waveforms (mono, float32, `rate` Hz)."""
        name, config = self.models[0].experiment.feature
        return self.judge(features.extract(name, waveforms, config))

    def over(self, sound: NDArray[np.float32], places: Sequence[slice]) -> NDArray[np.float64]:
        """The same of n parts of one waveform; the features of what they share are computed once, where they can be.

        Args:
            sound: (N,) mono, float32, `rate` Hz.
            places: start and stop of each part, in samples.
        """
        name, config = self.models[0].experiment.feature
        return self.judge(extract_parts(name, sound, places, config))

    def judge(self, values: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """The same of n sequences of the feature's frames, each T x D."""
        frames = tuple(map(torch.from_numpy, values))
        count = len(frames)
        examples = Examples(tuple(map(str, range(count))), ("",) * count, (_Windows(frames),) * count, {})
        each = [model.infer(examples, embed=False).probabilities("emotion", self.temperature) for model in self.models]
        return np.asarray(np.mean(each, axis=0))


def find(path: Path) -> tuple[Run, str, list[Cell]]:
    """The run, the model and its finished cells at RUN (the model with the best validation score) or a place in it.

    Raises:
        RunError: nothing there is trained, or the model needs statistics of speakers that a file has not.
    """
    root = next((folder for folder in (path, *path.resolve().parents) if (folder / "experiment.yaml").is_file()), path)
    run = Run.open(root)
    below = path.resolve().relative_to(run.folder.resolve()).parts
    if below and (below[0] != "models" or len(below) not in {2, 3}):
        raise RunError(
            f"{path}: no place of a model in the run {run.folder}; give RUN, RUN/models/MODEL or the folder of a cell, "
            "such as RUN/models/MODEL/fold-0-seed-0"
        )
    model = below[1] if below else best_model(run)
    if model not in run.experiment.trained:
        raise RunError(f"{path}: {unknown('model', model, run.experiment.trained)}")
    names = [cell.folder.name for cell in planned(run, model)]
    if strange := [name for name in below[2:] if name not in names]:
        raise RunError(f"{path}: {unknown('cell', strange[0], names)}")
    cells = [cell for cell in planned(run, model) if cell.finished and cell.folder.name in (below[2:] or names)]
    if not cells:
        raise RunError(f"{path}: no finished model is there; run the same 'mien train' again to go on")
    if run.experiment_of(model).data.normalisation == "speaker":
        raise RunError(f"{path}: a model trained with 'normalisation: speaker' knows no speaker of a media file")
    return run, model, cells


def planned(run: Run, model: str) -> list[Cell]:
    """The cells of a model, finished or not, in the order of folds and seeds."""
    return [run.cell(model, fold["fold"], seed) for fold in run.splits for seed in run.experiment.seeds]


def best_model(run: Run) -> str:
    """The model with the best UAR on validation speakers, all its folds and seeds pooled; the first of equals."""
    models = run.metrics["models"]
    return str(max(models, key=lambda name: models[name]["validation"]["uar"]))
