"""A padded batch: the sequences of its modalities, labels, its place in the global batch, its random numbers."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mien.data.distortion import distorted
from mien.media.modality import Modality as Modality


@dataclass(frozen=True)
class Sequence:
    """One modality of a batch. An absent modality has nothing valid.

    Attributes:
        values: B x T x D float; or pixels, B x T x C x S x S, uint8 until `to` makes them -1 to 1.
        valid: B x T bool.
        transform: B x 2 x 3, of pixels that `to` is going to distort (`data.distortion`); None where nothing is.
        lengths: B int64, the frames of each clip, valid or not, so that frames which are missing at its end are told
            from padding; None where that is not known.
    """

    values: Tensor
    valid: Tensor
    transform: Tensor | None = None
    lengths: Tensor | None = None

    @staticmethod
    def absent(clips: int) -> "Sequence":
        """A modality that no clip has."""
        return Sequence(torch.zeros(clips, 0, 0), torch.zeros(clips, 0, dtype=torch.bool))

    def part(self, rows: Tensor) -> "Sequence":
        """Some clips of the sequence, by row."""
        transform, lengths = (None if one is None else one[rows] for one in (self.transform, self.lengths))
        return Sequence(self.values[rows], self.valid[rows], transform, lengths)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Sequence":
        """The same on a device, values as `dtype`; pixels become numbers from -1 to 1 (Peri et al. 2021, 3.1).

        Where there is a `transform`, they are distorted by it.
        """
        if self._is(device, dtype):
            return self
        values = self.values.to(device).to(dtype)
        if self.values.dtype == torch.uint8:
            values = values / 127.5 - 1
        if self.transform is not None:
            values = distorted(values, self.transform.to(device))
        return Sequence(
            values, self.valid.to(device), lengths=None if self.lengths is None else self.lengths.to(device)
        )

    def _is(self, device: torch.device, dtype: torch.dtype) -> bool:
        values = self.values
        return values.device == device and values.dtype == dtype and self.transform is None


@dataclass(frozen=True)
class Batch:
    """A padded batch: what one process holds of a step's global batch.

    Attributes:
        clips: B names.
        audio: sound, B x T x D.
        video: faces, B x T x D or pixels B x T x C x S x S; its frames have a rate of their own.
        labels: factor -> B int64, -1 where not known; or B x K float, nan where not known.
        rows: B int64, the place of each clip in the global batch.
        size: clips in the global batch.
        seed: seed of the run.
        step: number of the step, counted over all epochs.
        teacher: what another model says of the same seconds, B x T x K at a rate of its own, see `data.Data.teacher`;
            None where there is none.
    """

    clips: tuple[str, ...]
    audio: Sequence
    video: Sequence
    labels: Mapping[str, Tensor]
    rows: Tensor
    size: int
    seed: int
    step: int
    teacher: Sequence | None = None

    def part(self, rows: Tensor) -> "Batch":
        """What a process that holds `rows` (int64, on any device) of this batch would get."""
        rows = rows.cpu()  # as `self.rows` always is; it indexes tensors of every device
        return replace(
            self,
            clips=tuple(self.clips[row] for row in rows.tolist()),
            audio=self.audio.part(rows),
            video=self.video.part(rows),
            labels={factor: values[rows] for factor, values in self.labels.items()},
            rows=self.rows[rows],
            teacher=None if self.teacher is None else self.teacher.part(rows),
        )

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "Batch":
        """The same batch on a device, its sequences as `dtype`."""
        audio, video = self.audio.to(device, dtype), self.video.to(device, dtype)
        teacher = None if self.teacher is None else self.teacher.to(device, dtype)
        if audio is self.audio and video is self.video and teacher is self.teacher and self.rows.device == device:
            return self  # on the CPU, where the labels are, too
        labels = {factor: values.to(device) for factor, values in self.labels.items()}
        return replace(self, audio=audio, video=video, labels=labels, teacher=teacher)

    def kept(self, name: str, rate: float, *shape: int) -> Tensor:
        """Which values dropout keeps, B x shape bool on the CPU: all but a share `rate`, a multiple of 2^-16.

        They are the same for a clip's row whatever the number of processes, and those of the first frames (the first
        axis of `shape`) do not depend on how many follow, so that padding changes nothing.
        """
        leading, *rest = shape
        bits = sixteen_bits(self.seed, self.step, name, leading, self.size, *rest)
        return (bits[:, self.rows] >= round(rate * 2**16) - 2**15).movedim(1, 0)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Random numbers in [0, 1), B x shape, the same for a clip's row whatever the number of processes."""
        return uniform(self.seed, self.step, name, self.size, *shape)[self.rows]


def uniform(seed: int, step: int, name: str, size: int, *shape: int) -> Tensor:
    """Random numbers in [0, 1), size x shape float64 on the CPU, that depend on (seed, step, name) alone."""
    return torch.rand((size, *shape), generator=_generator(seed, step, name), dtype=torch.float64)


def sixteen_bits(seed: int, step: int, name: str, *shape: int) -> Tensor:
    """Random int16, all values equally likely, on the CPU, that depend on (seed, step, name) alone.

    One number of 64 bits gives four of them, which makes them five times faster than `uniform`.
    """
    count = math.prod(shape)
    whole = torch.empty(-(-count // 4), dtype=torch.int64)
    whole.random_(-(2**63), None, generator=_generator(seed, step, name))
    return whole.view(torch.int16)[:count].view(shape)


def _generator(seed: int, step: int, name: str) -> torch.Generator:
    key = hashlib.sha256(f"{seed}/{step}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "big") >> 1)
