"""A trained model ready for media: the folds and seeds of one model of a run, whose probabilities are averaged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import features
from mien.cells import Model
from mien.errors import RunError, unknown
from mien.features.batches import Examples
from mien.run import Run


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
    """

    name: str
    classes: tuple[str, ...]
    scheme: str
    models: tuple[Model, ...]

    @staticmethod
    def open(path: Path | str, device: torch.device) -> "Ensemble":
        """Open RUN (its model with the best validation score), RUN/models/MODEL, or one cell's folder below that.

        Raises:
            RunError: nothing there is trained, or the model needs statistics of speakers that a file has not.
        """
        path = Path(path)
        root = next(
            (folder for folder in (path, *path.resolve().parents) if (folder / "experiment.yaml").is_file()), path
        )
        run = Run.open(root)
        below = path.resolve().relative_to(run.folder.resolve()).parts
        model = below[1] if len(below) > 1 else best_model(run)
        if model not in run.experiment.models:
            raise RunError(f"{path}: {unknown('model', model, run.experiment.models)}")
        cells = [cell for cell in run.cells if cell.model == model and (len(below) < 3 or cell.folder.name == below[2])]
        if not cells:
            raise RunError(f"{path}: no finished model is there; run the same 'mien train' again to go on")
        if run.experiment.data.normalisation == "speaker":
            raise RunError(f"{path}: a model trained with 'normalisation: speaker' knows no speaker of a media file")
        return Ensemble(
            model,
            run.classes,
            run.experiment.data.scheme,
            tuple(Model.load(run.experiment, cell, device) for cell in cells),
        )

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
        frames = tuple(torch.from_numpy(values) for values in features.extract(name, waveforms, config))
        count = len(frames)
        examples = Examples(tuple(map(str, range(count))), ("",) * count, (_Windows(frames),) * count, {})
        each = [model.infer(examples, embed=False).probabilities("emotion") for model in self.models]
        return np.asarray(np.mean(each, axis=0))


def best_model(run: Run) -> str:
    """The model with the best UAR on validation speakers, all its folds and seeds pooled; the first of equals."""
    models = run.metrics["models"]
    return str(max(models, key=lambda name: models[name]["validation"]["uar"]))
