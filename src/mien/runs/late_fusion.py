"""Two models that answer together, one of the voice and one of the face: `OneModel`s whose probabilities are joined.

Where a window has both, a class has the product of its two probabilities, brought to a sum of 1: the order of classes
is that of the mean of log-probabilities, and voice and face count as independent. To a class that it does not know a
model gives what a guess among its own would, so that an answer without information changes nothing. A probability below
`LEAST` counts as that much, so that no model can rule out a class by itself. Where a window has one of the two, that
model answers alone, with its own classes and its own threshold.

The rule is `assumed`: no corpus of films was at hand to measure these models together. On RAVDESS, with another model
of faces, the product is as sure as it is right, and the mean far less (docs/results/face-small.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.media.faces import Crops, Faces, Seen
from mien.runs.one_model import OneModel

LEAST = 0.01  # of a probability: a small network that is sure of nothing can still put a class near 0


@dataclass(frozen=True)
class LateFusion:
    """A model of voices and a model of faces.

    Attributes:
        voice: calibrated, of sound alone; its target is the face's.
        face: calibrated, of faces alone.
    """

    voice: OneModel
    face: OneModel

    def __post_init__(self) -> None:
        """Raise ValueError for models of two targets, or without a class that both know."""
        if self.voice.target != self.face.target or not {*self.voice.classes} & {*self.face.classes}:
            raise ValueError(f"{self.voice.name} and {self.face.name} have no class of one target in common")

    @property
    def parts(self) -> tuple[OneModel, ...]:
        """The models, each of which answers alone where the other's modality is missing."""
        return (self.voice, self.face)

    def part(self, modality: str) -> "OneModel | LateFusion":
        """What answers a window of a modality, as in `timeline.Prediction`."""
        return {"audio": self.voice, "video": self.face}.get(modality, self)

    def with_threshold(self, unsure: float) -> "LateFusion":
        """The same, unsure below a probability in every window."""
        return LateFusion(self.voice.with_threshold(unsure), self.face.with_threshold(unsure))

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.voice.name}+{self.face.name}"

    @property
    def target(self) -> str:
        """The factor that both predict."""
        return self.voice.target

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that either knows, sorted."""
        return tuple(sorted({*self.voice.classes, *self.face.classes}))

    @property
    def scheme(self) -> str:
        """The names of both schemes."""
        return f"{self.voice.scheme}+{self.face.scheme}"

    @property
    def unsure(self) -> float:
        """The geometric mean of both thresholds; that of one where the other is never unsure.

        Two answers for one class, each at its threshold of .5 or more, are surer together than this, if both models
        know the same classes and no probability is below `LEAST`.
        """
        thresholds = [one.unsure for one in self.parts if one.unsure > 0]
        return math.prod(thresholds) ** (1 / len(thresholds)) if thresholds else 0.0

    @property
    def shortest(self) -> float | None:
        """Seconds of the shortest sound that the model of voices was trained on."""
        return self.voice.shortest

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its inputs."""
        return ("audio", "video")

    @property
    def rate(self) -> int:
        """Sample rate of its waveforms, in Hz."""
        return self.voice.rate

    @property
    def longest(self) -> float | None:
        """The longest window, in seconds, that both use in full; None where there is no limit."""
        return min((one.longest for one in self.parts if one.longest is not None), default=None)

    @property
    def faces(self) -> Faces | None:
        """How its face crops are made."""
        return self.face.faces

    def frames(self, sound: NDArray[np.float32], places: Sequence[slice]) -> list[NDArray[np.float32]]:
        """See `OneModel.frames`."""
        return self.voice.frames(sound, places)

    def infer(
        self, voices: Sequence[NDArray[np.float32] | None], faces: Sequence[Crops | Seen | None] | None = None
    ) -> NDArray[np.float64]:
        """The probability of each class, n x K; 0 for classes that the models of a window do not know.

        Args:
            voices: see `OneModel.infer`.
            faces: likewise.
        """
        seen: Sequence[Crops | Seen | None] = faces or [None] * len(voices)
        heard = _each(self.voice, [voice is not None for voice in voices], list(voices), [None] * len(voices))
        shown = _each(self.face, [face is not None for face in seen], [None] * len(seen), list(seen))
        return fused(heard, shown, self.voice.classes, self.face.classes, self.classes)


def fused(
    voice: NDArray[np.float64],
    face: NDArray[np.float64],
    voice_classes: Sequence[str],
    face_classes: Sequence[str],
    classes: Sequence[str],
) -> NDArray[np.float64]:
    """The joined probabilities of windows, as the head of this module says.

    Args:
        voice: n x V, rows sum to 1, or are nan where there is no voice.
        face: n x F, likewise.
        voice_classes: V names.
        face_classes: F names.
        classes: K names, of all.

    Returns:
        n x K; rows sum to 1. Where there is one of the two, that one, with 0 for what it does not know; nan where there
        is neither.
    """
    heard, seen = (~np.isnan(part).any(axis=1, keepdims=True) for part in (voice, face))
    one, other = _spread(voice, voice_classes, classes), _spread(face, face_classes, classes)
    logs = np.log(np.maximum(_guessed(one, voice_classes, classes), LEAST))
    logs += np.log(np.maximum(_guessed(other, face_classes, classes), LEAST))
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    both = raised / raised.sum(axis=1, keepdims=True)
    return np.where(heard & seen, both, np.where(heard, one, other))


def _guessed(probabilities: NDArray[np.float64], known: Sequence[str], classes: Sequence[str]) -> NDArray[np.float64]:
    """The same, n x K, with a guess among the known classes for each that is not known."""
    return np.where([name in known for name in classes], probabilities, 1 / len(known))


def _each(
    ensemble: OneModel,
    which: Sequence[bool],
    voices: Sequence[NDArray[np.float32] | None],
    faces: Sequence[Crops | Seen | None],
) -> NDArray[np.float64]:
    """What a model answers the windows that it can, n x its classes; nan in the others. An input is answered once."""
    result = np.full((len(which), len(ensemble.classes)), np.nan)
    given = {row: id(voices[row]) if faces[row] is None else id(faces[row]) for row, has in enumerate(which) if has}
    first = {key: row for row, key in reversed(given.items())}
    if first:
        rows = list(first.values())
        found = ensemble.infer([voices[row] for row in rows], [faces[row] for row in rows])
        known = dict(zip(first, found, strict=True))
        for row, key in given.items():
            result[row] = known[key]
    return result


def _spread(probabilities: NDArray[np.float64], known: Sequence[str], classes: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities in the columns of all classes: 0 of those that are not known; nan rows stay nan."""
    wide = np.zeros((len(probabilities), len(classes)))
    wide[:, [list(classes).index(name) for name in known]] = probabilities
    wide[np.isnan(probabilities).any(axis=1)] = np.nan
    return wide
