"""From feature sequences to padded batches, the same numbers for a clip on any number of processes.

A batch is padded to the longest clip of the *global* batch, knows its rows in it, and takes every random number of a
step from a generator keyed by (seed, step, name), so that neither the number of processes nor a resumed run changes
the values of a clip.
"""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from functools import cached_property
from operator import is_
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from mien.data.batch import Batch, Sequence, uniform
from mien.data.distortion import NUMBERS, Distortion, transforms
from mien.data.length import Length, Place
from mien.data.masking import Masking, masked
from mien.data.mix import Pool, steps_of
from mien.data.soft import Learn, learning


class Frames(Protocol):
    """Where the feature sequences of clips come from; a `FeatureStore` is one."""

    def length(self, clip: str) -> int:
        """Return the number of frames of a clip."""

    def frames(self, clip: str) -> Tensor:
        """Return the frames of a clip, T x D float32, or pixels T x C x S x S uint8."""

    def valid(self, clip: str) -> Tensor:
        """Return which frames of a clip are usable, T bool."""


@dataclass(frozen=True)
class Examples:
    """What batches are made of: parallel sequences, one entry an example (a clip, or a changed copy of one).

    Attributes:
        clips: names.
        speakers: for normalisation by speaker.
        audio: the source of the frames of each; empty where there is no sound.
        labels: factor -> labels as in `Batch`.
        video: likewise; empty where there are no pictures.
        teacher: likewise; empty without a teacher.
    """

    clips: tuple[str, ...]
    speakers: tuple[str, ...]
    audio: tuple[Frames, ...]
    labels: Mapping[str, Tensor]
    video: tuple[Frames, ...] = ()
    teacher: tuple[Frames, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)


class Normaliser(Protocol):
    """Maps frames T x D of a speaker to normalised frames."""

    def __call__(self, frames: Tensor, speaker: str) -> Tensor:
        """Return the normalised frames."""


class Stream(NamedTuple):
    """The settings of a modality, or of a teacher, that a loader needs.

    Attributes:
        hop: seconds between frames; infinite where a clip has one vector.
        normalise: applied to whole clips, before a part is taken.
        target: whether it is a teacher's: of each part those frames are taken that lie in it, and nothing fills up a
            short clip.
    """

    hop: float
    normalise: Normaliser
    target: bool = False

    def taken(self, length: Length, count: int, place: Place) -> int:
        """How many frames are taken of a clip with `count` of them, at a place."""
        if self.target:
            within = place.within(count, self.hop)
            return int(within.stop - within.start)
        return length.frames(count, self.hop, place)

    def part(self, length: Length, frames: Tensor, usable: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """The frames T x ... at a place, and which of them are valid."""
        if self.target:
            within = place.within(len(frames), self.hop)
            return frames[within], usable[within]
        part, kept = length.apply(frames.numpy(), usable.numpy(), self.hop, place)
        return torch.from_numpy(part), torch.from_numpy(kept)


class Held:
    """The frames that loaders have read of one set of examples, so that later epochs and loaders need no files.

    Args:
        size: bytes of frames that are held, a modality; what does not fit is read each time.
    """

    def __init__(self, size: int = 2**28) -> None:
        self.size = size
        self._read: dict[str, _Frames] = {}

    def of(self, name: str, stream: Stream, examples: Examples, sources: Many[Frames]) -> "_Frames":
        """The frames of a modality or a teacher; those of other examples, or normalised otherwise, are dropped."""
        found = self._read.pop(name, None)
        if found is None or not found.are(stream, examples, sources):
            found = _Frames(stream, examples, sources, self.size)
        self._read[name] = found
        return found

    def clear(self) -> None:
        """Let go of all frames."""
        self._read.clear()


class _Frames:
    """The normalised frames of one modality's examples, of which as many are held as fit into some bytes.

    Pixels are not held: they are mapped into memory as they lie in their shards. Where each example is one vector, all
    are held as one table, or none.
    """

    def __init__(self, stream: Stream, examples: Examples, sources: Many[Frames], size: int) -> None:
        self.stream, self.examples, self.sources = stream, examples, sources
        self._free = size
        self._lengths: dict[int, int] = {}
        self._wholes: dict[int, tuple[Tensor, Tensor]] = {}
        self._table: tuple[Tensor, Tensor, Tensor] | None = None  # vectors, which are valid, and 1 where there is one
        self._whole = False  # whether every example has one
        if math.isinf(stream.hop) and size:
            self._hold_vectors()

    def are(self, stream: Stream, examples: Examples, sources: Many[Frames]) -> bool:
        """Whether they are those of these examples, sources and settings."""
        own, given = self.stream, stream
        same = own.normalise is given.normalise and own.hop == given.hop and own.target == given.target
        who = (self.examples.clips, self.examples.speakers) == (examples.clips, examples.speakers)
        return same and who and len(self.sources) == len(sources) and all(map(is_, self.sources, sources))

    def length(self, index: int) -> int:
        """The number of frames of an example."""
        if index not in self._lengths:
            self._lengths[index] = self.sources[index].length(self.examples.clips[index])
        return self._lengths[index]

    def whole(self, index: int) -> tuple[Tensor, Tensor]:
        """The frames T x ... of an example, and which of them are valid, T bool."""
        if (held := self._wholes.get(index)) is not None:
            return held
        clip, source = self.examples.clips[index], self.sources[index]
        frames, valid = source.frames(clip), source.valid(clip)
        frames = self.stream.normalise(frames, self.examples.speakers[index]) if len(frames) else frames
        if frames.is_floating_point() and (size := frames.nbytes + valid.nbytes) <= self._free:
            self._wholes[index] = frames, valid
            self._free -= size
        return frames, valid

    def vectors(self, chosen: Many[int], rows: Many[int]) -> Sequence | None:
        """The vectors of some rows of the chosen examples, B x 1 x D; None where they are no table."""
        if self._table is None:
            return None
        values, valid, lengths = self._table
        if not (self._whole or any(map(self.length, chosen))):
            return None
        own = torch.tensor([chosen[row] for row in rows], dtype=torch.int64)
        values, valid, lengths = (one.index_select(0, own) for one in (values, valid, lengths))  # faster than by [own]
        return Sequence(values, valid, lengths=lengths)

    def _hold_vectors(self) -> None:
        every = range(len(self.sources))
        longest = max(every, key=self.length, default=0)
        if not self.sources or self.length(longest) != 1:
            return
        example, _ = self.whole(longest)
        if not example.is_floating_point() or len(every) * example.nbytes > self._free:
            return
        values, valid = torch.zeros(len(every), *example.shape, dtype=example.dtype), torch.zeros(len(every), 1).bool()
        for index in every:
            if self.length(index):
                values[index], valid[index] = self.whole(index)
                self._wholes.clear()
        lengths = torch.tensor([self.length(index) for index in every])
        self._table, self._whole = (values, valid, lengths), bool(lengths.all())


class Loader:
    """Makes batches from examples. Where a clip has sound and pictures, the same seconds of both are taken.

    Args:
        examples: what there is.
        batch_size: clips in a global batch.
        length: see `Length`.
        audio: of the sound; None where there is none.
        video: of the pictures; None where there are none.
        teacher: of what a model learns from; None where there is nothing but labels.
        seed: of all random numbers.
        training: whether random parts are taken, and masks laid on.
        masking: see `Masking`.
        distortion: of pixels, see `Distortion`.
        soft: factor -> how its distributions are learned in training, see `data.targets.TargetSettings.learn`; one
            that is not here, or is "distribution", is learned as it is.
        weights: one weight an example: an epoch then samples as many examples with replacement, by weight.
        groups: one number an example: in training an epoch has one example of each number, at random, see
            `engine.fit.Training.one_of`; with `weights`, as many examples as there are numbers.
        steps: of an epoch in training, with full batches from a stream of examples that goes on from epoch to epoch, or
            sampled by weight; None is one pass.
        pools: in training, what each batch holds, see `data.mix`; none takes all examples alike.
        held: where frames are held once they were read, for loaders that make several epochs; None holds none.
        rank: this process's number.
        processes: how many there are.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        batch_size: int,
        length: Length,
        audio: Stream | None = None,
        video: Stream | None = None,
        teacher: Stream | None = None,
        seed: int = 0,
        training: bool = False,
        masking: Masking | None = None,
        distortion: Distortion | None = None,
        soft: Mapping[str, Learn] | None = None,
        weights: Tensor | None = None,
        groups: Tensor | None = None,
        steps: int | None = None,
        pools: Many[Pool] = (),
        held: Held | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.examples = examples
        self.batch_size = batch_size
        self.length = length if training or length.long != "random" else length.model_copy(update={"long": "whole"})
        self.audio = audio
        self.video = video
        self.teacher = teacher
        self.seed = seed
        self.training = training
        self.masking = masking if training and masking is not None and masking.count > 0 else None
        self.distortion = distortion if training and distortion is not None and distortion.some else None
        learned = {factor: how for factor, how in (soft or {}).items() if how != "distribution"}
        self.soft = learned if training else {}
        self.weights = weights
        self.groups = groups if training else None
        self._pass = len(examples) if self.groups is None else len(set(self.groups.tolist()))
        self.steps = steps if training else None
        self.pools = tuple(pools) if training else ()
        self.held = Held(0) if held is None else held
        self.rank = rank
        self.processes = processes

    def __len__(self) -> int:
        """Steps in an epoch."""
        if self.steps is not None:
            return self.steps
        if self.pools:
            return steps_of(self.pools)
        return -(-self._pass // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch: shuffled by (seed, epoch) in training, in order otherwise.

        With `steps` or `pools` they are taken from streams, by (seed, step).
        """
        first, streamed = epoch * len(self), self.pools or self.steps is not None
        chosen = map(self._streamed, range(first, first + len(self))) if streamed else self._passed(epoch)
        for step, examples in enumerate(chosen, first):
            yield self.batch(examples.tolist(), step=step)

    def _passed(self, epoch: int) -> tuple[Tensor, ...]:
        """The examples of each batch of an epoch that is one pass."""
        order = torch.arange(len(self.examples))
        if self.training and self.weights is not None:
            order = self._sampled(self.weights, epoch, self._pass)
        elif self.training:
            order = uniform(self.seed, epoch, "order", len(order)).argsort(stable=True)
            order = order if self.groups is None else order[_first_of_each(self.groups[order])]
        return torch.split(order, self.batch_size)

    def _streamed(self, step: int) -> Tensor:
        """The examples of the batch of a step, counted over all epochs."""
        if self.weights is not None:
            return self._sampled(self.weights, step, self.batch_size)
        pools = self.pools or (Pool("", torch.arange(len(self.examples)), self.batch_size),)
        return torch.cat([pool.chosen(self.seed, step) for pool in pools])

    def _sampled(self, weights: Tensor, number: int, count: int) -> Tensor:
        """Some examples with replacement, by weight, for an epoch or a step of this number."""
        limits = weights.double().cumsum(0)
        sampled = uniform(self.seed, number, "sampling", count) * limits[-1]
        return torch.searchsorted(limits, sampled, right=True).clamp(max=len(weights) - 1)

    def batch(self, chosen: Many[int], *, step: int) -> Batch:
        """This process's part of the global batch of the chosen examples."""
        size, examples = len(chosen), self.examples
        rows = torch.arange(size).tensor_split(self.processes)[self.rank]
        position = uniform(self.seed, step, "position", size).tolist() if self.length.long == "random" else [0.0] * size
        audio, video, teacher = self._frames
        timed = [one for one in (audio, video) if one is not None and not math.isinf(one.stream.hop)]
        places = [self._place(timed, index, share) for index, share in zip(chosen, position, strict=True)]
        here = rows.tolist()
        own = torch.tensor([chosen[row] for row in here], dtype=torch.int64)
        batch = Batch(
            clips=tuple(examples.clips[index] for index in own.tolist()),
            audio=self._sequence(audio, chosen, places, here),
            video=self._sequence(video, chosen, places, here),
            labels={factor: values[own] for factor, values in examples.labels.items()},
            rows=rows,
            size=size,
            seed=self.seed,
            step=step,
            teacher=None if teacher is None else self._sequence(teacher, chosen, places, here),
        )
        return self._changed(batch)

    @cached_property
    def _frames(self) -> tuple[_Frames | None, _Frames | None, _Frames | None]:
        """Those of sound, of pictures and of the teacher; None where there is none."""
        audio, video, teacher = (
            None if stream is None else self.held.of(name, stream, self.examples, getattr(self.examples, name))
            for name, stream in (("audio", self.audio), ("video", self.video), ("teacher", self.teacher))
        )
        return audio, video, teacher

    def _changed(self, batch: Batch) -> Batch:
        """A batch with what is random in training alone: soft labels, masks, distortions."""
        if self.soft:
            learned = {factor: learning(batch, factor, how) for factor, how in self.soft.items()}
            batch = replace(batch, labels={**batch.labels, **learned})
        if self.masking is not None and self.audio is not None:
            batch = replace(batch, audio=replace(batch.audio, values=masked(batch, self.masking, self.audio.hop)))
        if self.distortion is not None and batch.video.values.dtype == torch.uint8:
            transform = transforms(batch.uniform("distortion", NUMBERS), self.distortion)
            batch = replace(batch, video=replace(batch.video, transform=transform))
        return batch

    def _place(self, timed: Many[_Frames], index: int, position: float) -> Place:
        """The part that is taken of an example: decided by its sound, else by its pictures, of those with frames."""
        for frames in timed:
            if length := frames.length(index):
                return self.length.place(length, frames.stream.hop, position)
        return Place(0.0, 0.0, 0.0)

    def _sequence(self, frames: _Frames | None, chosen: Many[int], places: Many[Place], rows: Many[int]) -> Sequence:
        """One modality of this process's rows, padded to the longest of the global batch."""
        if frames is None:
            return Sequence.absent(len(rows))
        if (vectors := frames.vectors(chosen, rows)) is not None:
            return vectors
        stream = frames.stream
        counts = [
            stream.taken(self.length, frames.length(index), place) for index, place in zip(chosen, places, strict=True)
        ]
        longest = max(counts, default=0)
        if longest == 0:
            return Sequence.absent(len(rows))
        parts = [stream.part(self.length, *frames.whole(chosen[row]), places[row]) for row in rows]
        lengths = torch.tensor([len(part) for part, _ in parts], dtype=torch.int64)
        if parts and all(len(part) == longest for part, _ in parts):
            values, valid = (torch.stack(one) for one in zip(*parts, strict=True))
            return Sequence(values, valid, lengths=lengths)
        example, _ = frames.whole(chosen[counts.index(longest)])
        values = torch.zeros(len(parts), longest, *example.shape[1:], dtype=example.dtype)
        valid = torch.zeros(len(parts), longest, dtype=torch.bool)
        for row, (part, usable) in enumerate(parts):
            if len(part):
                values[row, : len(part)], valid[row, : len(part)] = part, usable
        return Sequence(values, valid, lengths=lengths)


def _first_of_each(numbers: Tensor) -> Tensor:
    """The places at which each number stands for the first time, N int64 -> M."""
    return torch.from_numpy(np.sort(np.unique(numbers.numpy(), return_index=True)[1]))
