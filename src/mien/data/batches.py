"""From feature sequences to padded batches, the same numbers for a clip on any number of processes.

A batch is padded to the longest clip of the *global* batch, knows its rows in it, and takes every random number of a
step from a generator keyed by (seed, step, name), so that neither the number of processes nor a resumed run changes
the values of a clip.
"""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
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

TOGETHER = 64  # batches whose clips and labels are picked in one go, which is faster than each between two steps


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

    def span(self, length: Length, count: int, place: Place) -> slice | None:
        """Which of `count` frames are at a place; None where they are repeated or filled up."""
        return place.within(count, self.hop) if self.target else length.span(count, self.hop, place)


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
        self._complete: dict[int, bool] = {}
        self._table: tuple[Tensor, Tensor, Tensor] | None = None  # vectors, which are valid, and 1 where there is one
        self._full = False  # whether every example has one that is valid
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
            self._complete[index] = bool(valid.all())
            self._free -= size
        return frames, valid

    def complete(self, index: int) -> bool:
        """Whether all frames of an example are known to be valid."""
        return self._complete.get(index, False)

    @property
    def tabled(self) -> bool:
        """Whether the examples are vectors that are held as a table."""
        return self._table is not None

    def vectors(self, chosen: Tensor, rows: Tensor) -> Sequence:
        """The vectors of some rows of the chosen examples, B x 1 x D, of a table."""
        assert self._table is not None
        values, valid, lengths = self._table
        own = chosen if len(rows) == len(chosen) else chosen.index_select(0, rows)
        if self._full:
            return Sequence(values.index_select(0, own), _all_valid(len(own), 1), lengths=_same_length(len(own), 1))
        if not lengths.index_select(0, chosen).any():
            return _absent(len(own))
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
                self._complete.clear()
        lengths = torch.tensor([self.length(index) for index in every])
        self._table, self._full = (values, valid, lengths), bool(lengths.all() and valid.all())


class _Dealt(NamedTuple):
    """A global batch: its examples, and the rows, clips and labels that one process has of it."""

    chosen: Tensor
    rows: Tensor
    clips: tuple[str, ...]
    labels: dict[str, Tensor]


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
        chosen = map(self._streamed, range(first, first + len(self))) if streamed else iter(self._passed(epoch))
        step = first
        while some := list(islice(chosen, TOGETHER)):
            for one in self._dealt(some):
                yield self._batch(one, step)
                step += 1

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

    def batch(self, chosen: Tensor | Many[int], *, step: int) -> Batch:
        """This process's part of the global batch of the chosen examples, given by their numbers."""
        (dealt,) = self._dealt([torch.as_tensor(chosen, dtype=torch.int64)])
        return self._batch(dealt, step)

    def _dealt(self, chosen: Many[Tensor]) -> list["_Dealt"]:
        """This process's clips and labels in some global batches."""
        rows = [_rows(len(one), self.rank, self.processes) for one in chosen]
        own = chosen if self.processes == 1 else [one[here] for one, here in zip(chosen, rows, strict=True)]
        sizes, every = list(map(len, own)), torch.cat(tuple(own))
        names = iter([self.examples.clips[index] for index in every.tolist()])
        clips = [tuple(islice(names, size)) for size in sizes]
        factors = self.examples.labels
        columns = [torch.split(values.index_select(0, every), sizes) for values in factors.values()]
        labels = [dict(zip(factors, column, strict=True)) for column in zip(*columns, strict=True)]
        return list(map(_Dealt, chosen, rows, clips, labels if factors else [{} for _ in own]))

    def _batch(self, dealt: "_Dealt", step: int) -> Batch:
        chosen, rows, clips, labels = dealt
        audio, video, teacher = self._sequences(chosen, rows, step)
        batch = Batch(
            clips=clips,
            audio=_absent(len(clips)) if audio is None else audio,
            video=_absent(len(clips)) if video is None else video,
            labels=labels,
            rows=rows,
            size=len(chosen),
            seed=self.seed,
            step=step,
            teacher=teacher,
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

    def _sequences(self, chosen: Tensor, rows: Tensor, step: int) -> list[Sequence | None]:
        """Sound, pictures and what a teacher says of some rows of the chosen examples."""
        numbers, here, places = chosen.tolist(), rows.tolist(), None
        found: list[Sequence | None] = []
        for frames in self._frames:
            if frames is None:
                found.append(None)
            elif frames.tabled:
                found.append(frames.vectors(chosen, rows))
            else:
                places = self._places(numbers, step) if places is None else places
                found.append(self._sequence(frames, numbers, places, here))
        return found

    def _places(self, chosen: Many[int], step: int) -> list[Place]:
        """The parts that are taken of the chosen examples."""
        if self.length.long != "random":
            return [self._place(index, 0.0) for index in chosen]
        positions = uniform(self.seed, step, "position", len(chosen)).tolist()
        return [self._place(index, position) for index, position in zip(chosen, positions, strict=True)]

    def _place(self, index: int, position: float) -> Place:
        """The part that is taken of an example: decided by its sound, else by its pictures, of those with frames."""
        for frames in self._timed:
            if length := frames.length(index):
                return self.length.place(length, frames.stream.hop, position)
        return Place(0.0, 0.0, 0.0)

    @cached_property
    def _timed(self) -> tuple[_Frames, ...]:
        """The frames that decide which part is taken of an example."""
        return tuple(one for one in self._frames[:2] if one is not None and not math.isinf(one.stream.hop))

    def _sequence(self, frames: _Frames, chosen: Many[int], places: Many[Place], rows: Many[int]) -> Sequence:
        """One modality of this process's rows, padded to the longest of the global batch."""
        parts = [self._part(frames, chosen[row], places[row]) for row in rows]
        counts = [part.shape[0] for part, _ in parts]
        every = counts
        if len(rows) < len(chosen):
            pairs = zip(chosen, places, strict=True)
            every = [frames.stream.taken(self.length, frames.length(index), place) for index, place in pairs]
        longest = max(every, default=0)
        if longest == 0:
            return _absent(len(rows))
        if parts and min(counts) == longest:
            values, usable = torch.stack([part for part, _ in parts]), [own for _, own in parts]
            valid = _all_valid(len(parts), longest)
            if any(own is not None for own in usable):
                valid = torch.stack([valid[0] if own is None else own for own in usable])
            return Sequence(values, valid, lengths=_same_length(len(parts), longest))
        example, _ = frames.whole(chosen[every.index(longest)])
        values = torch.zeros(len(parts), longest, *example.shape[1:], dtype=example.dtype)
        valid = torch.zeros(len(parts), longest, dtype=torch.bool)
        for row, (part, own) in enumerate(parts):
            if len(part):
                values[row, : len(part)], valid[row, : len(part)] = part, True if own is None else own
        return Sequence(values, valid, lengths=torch.tensor(counts, dtype=torch.int64))

    def _part(self, frames: _Frames, index: int, place: Place) -> tuple[Tensor, Tensor | None]:
        """The frames of an example at a place, T x ..., and which are valid, T bool; None where all are."""
        stream, (whole, usable) = frames.stream, frames.whole(index)
        count, complete = frames.length(index), frames.complete(index)
        if (span := stream.span(self.length, count, place)) is not None:
            taken = whole if span.stop - span.start == count else whole[span]
            return taken, None if complete else usable[span]
        part, kept = self.length.apply(whole.numpy(), usable.numpy(), stream.hop, place)
        return torch.from_numpy(part), None if complete and kept.all() else torch.from_numpy(kept)


def _first_of_each(numbers: Tensor) -> Tensor:
    """The places at which each number stands for the first time, N int64 -> M."""
    return torch.from_numpy(np.sort(np.unique(numbers.numpy(), return_index=True)[1]))


@lru_cache(maxsize=64)  # batches share what is only read
def _rows(size: int, rank: int, processes: int) -> Tensor:
    """The rows of a global batch that a process has, B int64."""
    return torch.arange(size).tensor_split(processes)[rank]


@lru_cache(maxsize=64)
def _absent(clips: int) -> Sequence:
    return Sequence.absent(clips)


@lru_cache(maxsize=64)
def _all_valid(clips: int, frames: int) -> Tensor:
    return torch.ones(clips, frames, dtype=torch.bool)


@lru_cache(maxsize=64)
def _same_length(clips: int, frames: int) -> Tensor:
    return torch.full((clips,), frames, dtype=torch.int64)
