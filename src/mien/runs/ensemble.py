"""A trained model that predicts from media: all folds and seeds of one model, whose probabilities are averaged.

It is opened from a run, without calibration, or from an exported folder, calibrated: there one temperature divides the
logits of every member before its softmax (see `mien.audit.statistics.calibration`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import features
from mien.data.batches import Examples
from mien.errors import RunError, unknown
from mien.features import images
from mien.features._parts import extract_parts
from mien.media.audio import SAMPLE_RATE
from mien.media.faces import Crops, Faces, Seen
from mien.models.recipes._recipe import Inference
from mien.runs import exported, limits
from mien.runs.cell import Model
from mien.runs.run import Cell, Run


@dataclass(frozen=True)
class _Windows:
    """Frames of windows and which of them are usable, by the window's number."""

    values: tuple[Tensor, ...]
    usable: tuple[Tensor, ...]

    @staticmethod
    def of(
        name: str, config: Any, given: "Sequence[NDArray[np.float32] | Crops | Seen | None]", empty: Tensor
    ) -> "_Windows":
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
class Ensemble:
    """The cells of one model.

    Attributes:
        name: name of the model in its run.
        target: the factor that is predicted.
        classes: its classes in order; empty for a number.
        scheme: name of the classes.
        models: one per cell.
        temperature: divides the logits of each member.
        unsure: the answer is unsure where the likeliest class is less probable than this; 0 for never.
        marks: sentences on leaks that its run accepted.
        shortest: seconds of the shortest sound that it was trained on; None where that is not known.
        by_coverage: the threshold for speech as it was trained on, where plain speech raised `unsure`; None elsewhere.
        limits: sentences on what it was trained on, and on how it answers other speech.
        elsewhere: the corpora, besides its own, on which it was measured when it was exported.
    """

    name: str
    target: str
    classes: tuple[str, ...]
    scheme: str
    models: tuple[Model, ...]
    temperature: float = 1.0
    unsure: float = 0.0
    marks: tuple[str, ...] = ()
    shortest: float | None = None
    by_coverage: float | None = None
    limits: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @staticmethod
    def open(path: Path | str, device: torch.device) -> "Ensemble":
        """Open an exported model, RUN (its model with the best validation score), RUN/models/MODEL, or a cell's folder.

        Raises:
            RunError: no finished model is there, or the model needs the statistics of known speakers.
            ConfigError: the extra of one of its features is not installed.
        """
        path = Path(path)
        if exported.is_exported(path):
            model, members = exported.read(path, device)
            _check_extras(members)
            by_coverage = None if model.by_coverage is None else model.by_coverage.threshold
            return Ensemble(
                model.name,
                model.target,
                model.classes,
                model.scheme,
                members,
                temperature=model.temperature,
                unsure=model.unsure.threshold,
                marks=model.marks,
                shortest=model.shortest,
                by_coverage=by_coverage,
                limits=limits.of_exported(model),
                elsewhere=tuple(one.corpus for one in model.elsewhere),
            )
        run, name, cells = find(path)
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
            limits=limits.of_run(run),
        )

    @property
    def parts(self) -> "tuple[Ensemble, ...]":
        """The models that answer: itself; see `runs.late_fusion`."""
        return (self,)

    def part(self, modality: str) -> "Ensemble":
        """What answers a window of a modality: itself; see `runs.late_fusion`."""
        return self

    def with_threshold(self, unsure: float) -> "Ensemble":
        """The same, unsure below a probability."""
        return replace(self, unsure=unsure)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its inputs: "audio", "video" or both."""
        return tuple(self.models[0].inputs)

    @property
    def from_files(self) -> str:
        """The feature without which it does not answer and that is read from files of vectors; "" for none."""
        own = self.models[0].inputs
        name, _ = own["audio"] if "audio" in own else own["video"]
        return name if features.source_of(name) == "files" else ""

    @property
    def rate(self) -> int:
        """Sample rate of its waveforms, in Hz."""
        audio = self.models[0].experiment.features.get("audio")
        return audio[1].sample_rate if audio else SAMPLE_RATE

    @property
    def longest(self) -> float | None:
        """The longest window, in seconds, that it uses in full; None where there is no limit."""
        lengths = [model.experiment.data.length for model in self.models]
        limits = [length.seconds for length in lengths if length.long == "middle" and length.seconds is not None]
        return min(limits, default=None)

    @property
    def faces(self) -> Faces | None:
        """How its face crops are made; None where it takes no faces."""
        video = self.models[0].inputs.get("video")
        if video and isinstance(video[1], images.Config):
            return images.in_films(video[1])
        return video[1] if video and isinstance(video[1], Faces) else None

    @property
    def of_images(self) -> bool:
        """Whether its faces were single images out of a table, and none of a film."""
        return isinstance(self.models[0].inputs.get("video", ("", None))[1], images.Config)

    def probabilities(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """The mean probability of each class, n x K, of n waveforms (mono, float32, `rate` Hz)."""
        return self.infer(self.voices(waveforms))

    def voices(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The frames of n waveforms, each T x D."""
        name, config = self.models[0].experiment.features["audio"]
        return features.extract(name, waveforms, config)

    def frames(self, sound: NDArray[np.float32], places: Sequence[slice]) -> list[NDArray[np.float32]]:
        """The frames of n parts of one waveform, each T x D; shared samples are processed once where possible.

        Args:
            sound: (N,) mono, float32, `rate` Hz.
            places: start and stop of each part, in samples.
        """
        name, config = self.models[0].experiment.features["audio"]
        return extract_parts(name, sound, places, config)

    def infer(
        self, voices: Sequence[NDArray[np.float32] | None], faces: Sequence[Crops | Seen | None] | None = None
    ) -> NDArray[np.float64]:
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

    def _inferred(
        self, voices: Sequence[NDArray[np.float32] | None], faces: Sequence[Crops | Seen | None] | None
    ) -> list[Inference]:
        """What each member gives for n windows, see `infer`."""
        count = len(voices)
        sources: dict[str, tuple[_Windows, ...]] = {}
        for modality, (name, config) in self.models[0].experiment.features.items():
            given: Sequence[NDArray[np.float32] | Crops | Seen | None] = (
                voices if modality == "audio" else faces or [None] * count
            )
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
        return [model.infer(examples, embed=False) for model in self.models]


def _check_extras(members: Sequence[Model]) -> None:
    """Raise ConfigError where a feature needs an extra that is not installed."""
    for name, config in members[0].experiment.features.values():
        features.ready(name, config)


def find(path: Path) -> tuple[Run, str, list[Cell]]:
    """The run, the model and its finished cells at RUN (the model with the best validation score) or a place in it.

    Raises:
        RunError: no finished model is there, or the model needs the statistics of known speakers.
    """
    root = next((folder for folder in (path, *path.resolve().parents) if (folder / "experiment.yaml").is_file()), path)
    run = Run.open(root)
    below = path.resolve().relative_to(run.folder.resolve()).parts
    if below and (below[0] != "models" or len(below) not in {2, 3}):
        raise RunError(
            f"{path}: not a model of the run {run.folder}; give RUN, RUN/models/MODEL or the folder of a cell, "
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
        raise RunError(f"{path}: no finished model is there; run the same 'mien train' again to resume")
    if any(run.experiment_at(cell).data.normalisation == "speaker" for cell in cells):
        raise RunError(
            f"{path}: a model trained with 'normalisation: speaker' needs statistics of the speaker, which a media "
            "file does not give; train it with another normalisation"
        )
    return run, model, cells


def refuse_other_inputs(run: Run, cells: Sequence[Cell]) -> None:
    """Raise RunError where cells of one model take other features than the first, as these were chosen for each."""
    first = run.experiment_at(cells[0]).features
    for cell in cells[1:]:
        if run.experiment_at(cell).features != first:
            raise RunError(
                f"{cell.folder}: other features were chosen for it than for {cells[0].folder.name}, so the two cannot "
                "answer together; give the folder of one cell"
            )


def shortest_sound(run: Run, cells: Sequence[Cell]) -> float | None:
    """Seconds of the shortest sound that some cells were trained on; None where the run does not tell it."""
    clips = {clip for cell in cells for clip in run.trained_on(cell)}
    table = run.clips
    if "seconds" not in table:
        return None
    seconds = pd.to_numeric(table.loc[table.index.isin(clips), "seconds"], errors="coerce")
    shortest = float(seconds[seconds > 0].min())
    lengths = [run.experiment_at(cell).data.length for cell in cells]
    cropped = [length.seconds for length in lengths if length.seconds is not None and length.long != "whole"]
    shortest = min([shortest, *cropped])
    return None if math.isnan(shortest) else round(shortest, 3)


def planned(run: Run, model: str) -> list[Cell]:
    """The cells of a model, finished or not, in the order of folds and seeds."""
    return [run.cell(model, fold["fold"], seed) for fold in run.splits for seed in run.experiment.seeds]


def best_model(run: Run) -> str:
    """The model with the best UAR (of numbers, concordance) on validation speakers, all its folds and seeds pooled.

    Of equals it is the first. Models that were not trained for the main target are taken only where there is no other.
    """
    models, measure = run.metrics["models"], "uar" if run.classes else "ccc"
    trained = [name for name in models if run.target in run.experiment_of(name).model(name).tasks]
    return str(max(trained or models, key=lambda name: models[name]["validation"][measure]))
