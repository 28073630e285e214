"""An exported model computed by onnxruntime: `model.onnx`, whose weights lie beside it. No torch is imported.

The graph takes, for each modality, `MODALITY` (B x T x D float32, or pixels B x T x C x S x S uint8) and
`MODALITY_valid` (B x T bool), with any B and T. It gives `probabilities` (B x K), the mean over the members, whose
logits the temperature divides; `logits` (B x K), their mean as the members give them; and `embeddings` (B x D), those
of all members side by side. Frames are as the feature gives them, since the statistics of normalisation are in the
graph. What fills up a short clip is nan there, and counts as the mean. Only `normalisation: clip` is done before.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.common.settings import parse
from mien.data.length import Length, Place
from mien.errors import RunError
from mien.media.faces import Crops, Seen
from mien.media.modality import Modality
from mien.runs import exported
from mien.runs.description import Description
from mien.runs.one_model import Face, OneModel, Voice, described

LEAST_DEVIATION = 1e-5  # as in `data.normalisation`
IN_MEMORY = "add_external_initializers_from_files_in_memory"  # which older versions of onnxruntime lack
AT_ONCE = 64  # windows in a batch, as `Model.loader` has it


class Inputs(NamedTuple):
    """One modality of a batch.

    Attributes:
        values: B x T x D float32, or pixels B x T x C x S x S uint8.
        valid: B x T bool.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Framing:
    """How the frames of windows become batches, as the data of a model's experiment say.

    Attributes:
        features: modality -> the name and the settings of its feature.
        least: modality -> the fewest frames in a batch, of those that the networks take.
        length: how long clips are made.
        normalise: whether each clip is normalised by its own frames.
        at_once: windows in a batch.
    """

    features: Mapping[Modality, tuple[str, Any]]
    least: Mapping[Modality, int]
    length: Length
    normalise: bool
    at_once: int

    @staticmethod
    def of(data: Mapping[str, Any], least: Mapping[Modality, int], batch: int) -> "Framing":
        """From the settings `data` of an experiment and its `training.batch`."""
        given: dict[Modality, tuple[str, Any]] = {}
        modalities: tuple[Modality, ...] = ("audio", "video")
        for modality in modalities:
            if (settings := data.get(modality)) is not None:
                name = settings["name"]
                given[modality] = (name, features.parse(name, {k: v for k, v in settings.items() if k != "name"}))
        long = "whole" if data["length"]["long"] == "random" else data["length"]["long"]
        length: Length = parse(Length, {**data["length"], "long": long}, "data.length")
        light = all(len(features.shape(*one)) == 1 for one in given.values())
        return Framing(given, least, length, data["normalisation"] == "clip", AT_ONCE if light else min(AT_ONCE, batch))

    def batches(self, voices: Sequence[Voice], faces: Sequence[Face] | None) -> Iterator[dict[Modality, Inputs]]:
        """The batches of windows, in order; see `OneModel.infer`."""
        for first in range(0, len(voices), self.at_once):
            part = slice(first, first + self.at_once)
            given: dict[Modality, Sequence[Voice | Face]] = {"audio": voices[part]}
            given["video"] = [None] * len(given["audio"]) if faces is None else faces[part]
            yield self._batch(given)

    def _batch(self, given: Mapping[Modality, Sequence[Voice | Face]]) -> dict[Modality, Inputs]:
        frames = {modality: [self._frames(modality, one) for one in given[modality]] for modality in self.features}
        count = len(given["audio"])
        places = [
            self._place({modality: each[row].values for modality, each in frames.items()}) for row in range(count)
        ]
        return {modality: self._padded(modality, frames[modality], places) for modality in self.least}

    def _frames(self, modality: Modality, given: Voice | Face) -> Inputs:
        """The frames of one window, T x ..., and which are usable."""
        name, config = self.features[modality]
        if isinstance(given, Crops | Seen):
            return Inputs(features.of_crops(name, given.pixels, given.reasons, config), given.reasons == 0)
        if given is None:
            shape = features.shape(name, config)
            given = np.zeros((0, *shape), np.uint8 if len(shape) > 1 else np.float32)
        return Inputs(given, np.ones(len(given), np.bool_))

    def _place(self, frames: Mapping[Modality, NDArray[Any]]) -> Place:
        """The part that is taken of a window: decided by its sound, else by its pictures."""
        for modality, values in frames.items():
            hop = self._hop(modality)
            if not isinf(hop) and len(values):
                return self.length.place(len(values), hop, 0.0)
        return Place(0.0, 0.0, 0.0)

    def _hop(self, modality: Modality) -> float:
        name, config = self.features[modality]
        return float(features.feature(name).hop(config))

    def _padded(self, modality: Modality, frames: Sequence[Inputs], places: Sequence[Place]) -> Inputs:
        hop, shape = self._hop(modality), features.shape(*self.features[modality])
        filler = 0.0 if self.normalise else np.nan
        parts = [
            self.length.apply(self._normalised(values), valid, hop, place, filler=filler)
            for (values, valid), place in zip(frames, places, strict=True)
        ]
        longest = max(self.least[modality], *(len(values) for values, _ in parts))
        values = np.zeros((len(parts), longest, *shape), np.uint8 if len(shape) > 1 else np.float32)
        valid = np.zeros((len(parts), longest), np.bool_)
        for row, (own, usable) in enumerate(parts):
            values[row, : len(own)], valid[row, : len(own)] = own, usable
        return Inputs(values, valid)

    def _normalised(self, values: NDArray[Any]) -> NDArray[Any]:
        """A clip's frames by their own mean and deviation, where that is how the model was trained."""
        if not self.normalise or values.dtype == np.uint8 or not len(values):
            return values
        wide = values.astype(np.float64)
        deviation = wide.std(axis=0)
        scale = np.where(deviation > LEAST_DEVIATION, deviation, 1.0).astype(np.float32)
        return np.asarray((values - wide.mean(axis=0).astype(np.float32)) / scale)


@dataclass(frozen=True)
class GraphModel(OneModel):
    """The cells of one exported model, computed by onnxruntime.

    Attributes:
        framing: how windows become batches.
        session: of onnxruntime; several threads may use it at once.
    """

    framing: Framing
    session: Any = field(compare=False)

    @staticmethod
    def open(folder: Path, threads: int = 1) -> "GraphModel":
        """Open an exported model that has a graph (`has_graph`).

        Args:
            folder: of the model.
            threads: of onnxruntime within one call.

        Raises:
            RunError: a file is missing, damaged, or was changed after the export.
            ConfigError: the extra of one of its features is not installed.
        """
        description, path = exported.describe(folder), folder / exported.GRAPH
        assert description.graph is not None
        exported.refuse_changed(folder / exported.WEIGHTS, "weights", description.sha256)
        exported.refuse_changed(path, "graph", description.graph.sha256)
        session = opened(path, threads)
        own = {
            "description": exported.identity(exported.raw(folder)),
            "least": signed(description.graph.least),
        }
        written = session.get_modelmeta().custom_metadata_map
        if any(written.get(key) != word for key, word in own.items()):
            raise RunError(
                f"{folder / exported.DESCRIPTION}: was changed after it was exported, or belongs to another "
                f"{exported.GRAPH}; export or install the model again"
            )
        framing = framing_of(description, description.graph.least)
        for name, config in framing.features.values():
            features.ready(name, config)
        return GraphModel(framing=framing, session=session, **described(description))

    @property
    def features(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of all that its data have."""
        return self.framing.features

    @property
    def inputs(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of those that its networks take."""
        return {modality: one for modality, one in self.features.items() if modality in self.framing.least}

    @property
    def longest(self) -> float | None:
        """The longest window, in seconds, that it uses in full; None where there is no limit."""
        return self.framing.length.seconds if self.framing.length.long == "middle" else None

    @cached_property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return int(next(one for one in self.session.get_outputs() if one.name == "embeddings").shape[1])

    def infer(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float64]:
        """The mean probability of each class, n x K; see `OneModel.infer`."""
        return self._output("probabilities", len(self.classes), voices, faces).astype(np.float64)

    def logits(self, faces: Sequence[Crops | Seen]) -> NDArray[np.float32]:
        """The mean logits of each class, n x K, of n windows with a face; see `runs.ensemble.Ensemble.logits`."""
        return self._output("logits", len(self.classes), [None] * len(faces), faces)

    def embed(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float32]:
        """The embeddings of all members side by side, n x `dimension`, of n windows."""
        return self._output("embeddings", self.dimension, voices, faces)

    def _output(
        self, name: str, size: int, voices: Sequence[Voice], faces: Sequence[Face] | None
    ) -> NDArray[np.float32]:
        parts = [run(self.session, [name], batch)[0] for batch in self.framing.batches(voices, faces)]
        return np.concatenate([np.zeros((0, size), np.float32), *parts])


def has_graph(folder: Path) -> bool:
    """Whether a folder is an exported model that needs no torch."""
    return exported.is_exported(folder) and exported.describe(folder).graph is not None


def signed(least: Mapping[Modality, int]) -> str:
    """The fewest frames of a graph as it holds them itself."""
    return json.dumps(dict(least), sort_keys=True)


def framing_of(description: Description, least: Mapping[Modality, int]) -> Framing:
    """How windows become batches of an exported model."""
    experiment = description.experiment
    return Framing.of(experiment["data"], least, experiment["training"]["batch"])


def opened(path: Path, threads: int = 1) -> Any:
    """A session of onnxruntime on the CPU; raises RunError where the file is no model.

    Its results do not depend on the machine's number of cores, and it keeps no thread busy while it waits.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batch
    options.log_severity_level = 4  # its errors are raised as well
    weights = path.with_name(exported.WEIGHTS)
    apart = weights.is_file() and weights.resolve().parent != path.resolve().parent  # a link of DVC or git-annex
    try:
        if apart and hasattr(options, IN_MEMORY):
            content = weights.read_bytes()
            getattr(options, IN_MEMORY)([weights.name], [content], [len(content)])
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class
        if apart and not hasattr(options, IN_MEMORY):
            raise RunError(
                f"{weights}: is a link out of the folder of {path.name}, which this onnxruntime does not read; copy "
                "the folder with links followed (cp -rL), or pip install --upgrade onnxruntime"
            ) from error
        raise RunError(f"{path}: damaged, or made for another onnxruntime ({type(error).__name__})") from error


def run(session: Any, outputs: Sequence[str], batch: Mapping[Modality, Inputs]) -> list[NDArray[np.float32]]:
    """The outputs of a graph for a batch."""
    given: dict[str, NDArray[Any]] = {}
    for name, one in batch.items():
        given |= {name: one.values, f"{name}_valid": one.valid}
    found: list[NDArray[np.float32]] = session.run(list(outputs), given)
    return found
