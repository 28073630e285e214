"""One model that answers windows of media files, whatever computes it: torch (`ensemble`) or onnxruntime (`graph`).

This module needs neither.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.features import images
from mien.features._parts import extract_parts
from mien.media.audio import SAMPLE_RATE
from mien.media.faces import Crops, Faces, Seen
from mien.media.modality import Modality
from mien.runs import limits
from mien.runs.description import Description

Voice = NDArray[np.float32] | None
Face = Crops | Seen | None


@dataclass(frozen=True)
class OneModel(ABC):
    """The cells of one model, whose answers are averaged.

    Attributes:
        name: name of the model in its run.
        target: the factor that is predicted.
        classes: its classes in order; empty for a number.
        scheme: name of the classes.
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
    _: KW_ONLY
    temperature: float = 1.0
    unsure: float = 0.0
    marks: tuple[str, ...] = ()
    shortest: float | None = None
    by_coverage: float | None = None
    limits: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    @abstractmethod
    def features(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of all that its data have."""

    @property
    @abstractmethod
    def inputs(self) -> Mapping[Modality, tuple[str, Any]]:
        """Modality -> the name and the settings of its feature, of those that its networks take."""

    @property
    @abstractmethod
    def longest(self) -> float | None:
        """The longest window, in seconds, that it uses in full; None where there is no limit."""

    @abstractmethod
    def infer(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float64]:
        """The mean probability of each class, n x K, of n windows with voice, face or both; for a number n x 1.

        Args:
            voices: frames of the audio feature, each T x D; None for a window without voice.
            faces: face crops; None for a window without a face, or for no faces at all.
        """

    @abstractmethod
    def embed(self, voices: Sequence[Voice], faces: Sequence[Face] | None = None) -> NDArray[np.float32]:
        """The embeddings of all members side by side, n x D, of n windows; see `infer`."""

    @property
    def parts(self) -> tuple["OneModel", ...]:
        """The models that answer: itself; see `runs.late_fusion`."""
        return (self,)

    def part(self, modality: str) -> "OneModel":
        """What answers a window of a modality: itself; see `runs.late_fusion`."""
        return self

    def with_threshold(self, unsure: float) -> Self:
        """The same, unsure below a probability."""
        return replace(self, unsure=unsure)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its inputs: "audio", "video" or both."""
        return tuple(self.inputs)

    @property
    def from_files(self) -> str:
        """The feature without which it does not answer and that is read from files of vectors; "" for none."""
        own = self.inputs
        name, _ = own["audio"] if "audio" in own else own["video"]
        return name if features.source_of(name) == "files" else ""

    @property
    def rate(self) -> int:
        """Sample rate of its waveforms, in Hz."""
        audio = self.features.get("audio")
        return audio[1].sample_rate if audio else SAMPLE_RATE

    @property
    def faces(self) -> Faces | None:
        """How its face crops are made; None where it takes no faces."""
        video = self.inputs.get("video")
        if video and isinstance(video[1], images.Config):
            return images.in_films(video[1])
        return video[1] if video and isinstance(video[1], Faces) else None

    @property
    def of_images(self) -> bool:
        """Whether its faces were single images out of a table, and none of a film."""
        return isinstance(self.inputs.get("video", ("", None))[1], images.Config)

    def probabilities(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """The mean probability of each class, n x K, of n waveforms (mono, float32, `rate` Hz)."""
        return self.infer(self.voices(waveforms))

    def voices(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The frames of n waveforms, each T x D."""
        name, config = self.features["audio"]
        return features.extract(name, waveforms, config)

    def frames(self, sound: NDArray[np.float32], places: Sequence[slice]) -> list[NDArray[np.float32]]:
        """The frames of n parts of one waveform, each T x D; shared samples are processed once where possible.

        Args:
            sound: (N,) mono, float32, `rate` Hz.
            places: start and stop of each part, in samples.
        """
        name, config = self.features["audio"]
        return extract_parts(name, sound, places, config)


def described(model: Description) -> dict[str, Any]:
    """What the description of an exported model gives of `OneModel`, by name."""
    return {
        "name": model.name,
        "target": model.target,
        "classes": model.classes,
        "scheme": model.scheme,
        "temperature": model.temperature,
        "unsure": model.unsure.threshold,
        "marks": model.marks,
        "shortest": model.shortest,
        "by_coverage": None if model.by_coverage is None else model.by_coverage.threshold,
        "limits": limits.of_exported(model),
        "elsewhere": tuple(one.corpus for one in model.elsewhere),
    }
