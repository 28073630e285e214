"""Normalisation of feature frames: none, by the training frames, by each speaker's own frames, or by each clip's own.

`speaker` uses all clips of a speaker, those of test speakers too: a run that uses it is marked as using statistics of
test data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mien.data.batches import Frames
from mien.errors import RunError

Kind = Literal["none", "train", "speaker", "clip"]
_LEAST = 1e-5  # a standard deviation below which a dimension is constant up to rounding


@dataclass(frozen=True)
class Normalisation:
    """Subtracts a mean and divides by a standard deviation, each of shape D; both empty for `none` and `clip`.

    Attributes:
        kind: none, train, speaker or clip.
        statistics: speaker -> (mean D, standard deviation D); for `train` under the empty name.
    """

    kind: Kind
    statistics: dict[str, tuple[Tensor, Tensor]]

    def __call__(self, frames: Tensor, speaker: str) -> Tensor:
        """Normalise frames T x D, of a whole clip."""
        if self.kind == "none":
            return frames
        if self.kind == "clip":
            std, mean = torch.std_mean(frames.double(), dim=0, correction=0)
            return (frames - mean.float()) / torch.where(std > _LEAST, std, 1.0).float()
        key = "" if self.kind == "train" else speaker
        if key not in self.statistics and self.kind == "train":
            raise RunError(
                "normalisation: the model has no statistics of its training frames; train or export it again"
            )
        if key not in self.statistics:
            raise RunError(
                f"normalisation: the model has no statistics of speaker '{speaker}': "
                "a model trained with 'normalisation: speaker' works on prepared corpora with known speakers only"
            )
        mean, std = self.statistics[key]
        return (frames - mean) / std


def fit(kind: Kind, frames: Iterable[tuple[str, str, Frames]]) -> Normalisation:
    """Measure the statistics over valid frames of (clip, speaker, source); a constant dimension is only centred.

    Those of `clip` are measured when a clip is read.
    """
    sums: dict[str, tuple[int, Tensor, Tensor]] = {}
    if kind in ("train", "speaker"):
        for clip, speaker, source in frames:
            values, valid = source.frames(clip), source.valid(clip)
            values = (values if bool(valid.all()) else values[valid]).double()
            if len(values) == 0:
                continue
            key = "" if kind == "train" else speaker
            count, total, squares = sums.get(key, (0, torch.zeros(1), torch.zeros(1)))
            sums[key] = (count + len(values), total + values.sum(dim=0), squares + values.square().sum(dim=0))
    if kind == "train" and not sums:
        raise RunError(
            "normalisation: the training clips have no frame of a feature; see that the corpus has sound, or that its "
            "columns hold values"
        )
    statistics = {}
    for key, (count, total, squares) in sums.items():
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        statistics[key] = (mean.float(), torch.where(std > _LEAST, std, 1.0).float())
    return Normalisation(kind, statistics)
