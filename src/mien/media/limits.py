"""Limits on one media file, so that a hostile one cannot use much memory or go on for ever.

They are those of a `with held(...)` block, and `Limits()` outside of one; worker processes have those of whoever gives
them work through `carried`. The defaults are beyond any honest recording, and length alone is none of them: a file of
several days is read in the memory of a short one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, model_validator

from mien.common import watch
from mien.common.memory import machine
from mien.common.settings import Settings, parse
from mien.errors import ConfigError, MediaError

R = TypeVar("R")
Count = Annotated[int, Field(ge=1, le=2**53)]
Taken = Annotated[int, Field(ge=1, le=2**31 - 1)]  # by libav, as an `int` of C
Length = Annotated[float, Field(gt=0)]
WEEK = 7 * 86_400
Wait = Annotated[float, Field(gt=0, le=WEEK)]  # clocks of the system count to some centuries
SHARE = 0.8
HOW = "predict, prepare and label take --limit {}=N"  # how a sentence on a limit ends


class Limits(Settings):
    """The most that is read of one file.

    Attributes:
        streams: in the file.
        channels: of a sound track.
        sample_rate: of a sound track, in Hz.
        least_sample_rate: of a sound track, in Hz: a lower one grows much when it is resampled.
        samples: of each channel that one packet may decode to: more than the longest frames of lossless codings.
        pixels: of a picture: one of 8K, rounded up to whole macroblocks.
        frames: pictures in the file: a week of 120 in a second.
        frame_rate: pictures in any second.
        seconds: of media time: a week.
        gap: seconds without sound, or without a picture, before or within a track.
        waiting: bytes of packets of one stream that wait until the next one of another stream is found.
        boxes: of an mp4 file that are looked at for its index: four days in fragments of a second.
        stall: seconds in which the decoder has to give something, in a worker process: disks over a network stall.
        memory: GiB of the worker process that reads the file; None for `SHARE` of the machine's memory, beyond which
            the system would end processes.
    """

    streams: Count = 64
    channels: Count = 64
    sample_rate: Count = 768_000
    least_sample_rate: Count = 1_000
    samples: Taken = 2**21
    pixels: Taken = 8192 * 4352
    frames: Count = WEEK * 120
    frame_rate: Count = 480
    seconds: Length = float(WEEK)
    gap: Length = 3600.0
    waiting: Count = 2**28
    boxes: Count = 2**22
    stall: Wait = 300.0
    memory: Length | None = None

    @model_validator(mode="after")
    def _check(self) -> "Limits":
        if self.least_sample_rate > self.sample_rate:
            raise ValueError(f"least_sample_rate {self.least_sample_rate} is above sample_rate {self.sample_rate}")
        return self


_held: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 - it is frozen


def limits_of(given: Mapping[str, float]) -> Limits:
    """The default limits with some replaced; raises ConfigError for an unknown name, or a value that is no limit."""
    if wrong := [
        name for name, value in given.items() if isinstance(value, bool) or not isinstance(value, int | float)
    ]:
        raise ConfigError(f"--limit: {wrong[0]}: a number is needed (found {given[wrong[0]]!r})")
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in given.items()
    }
    found: Limits = parse(Limits, whole, "--limit")
    return found


def current() -> Limits:
    """The limits that hold here."""
    return _held.get()


def beyond(file: Path, limits: Limits, limit: str, has: str) -> MediaError:
    """The error of a file that is beyond one of its limits: what it has, one clause."""
    value = getattr(limits, limit)
    return MediaError(file, f"{has}; the limit is {limit} = {value:,.10g} ({HOW.format(limit)})")


def given() -> dict[str, float]:
    """Those of the limits that hold here which are not the usual ones."""
    return current().model_dump(exclude_defaults=True)


def of_process() -> watch.Limits:
    """Those of the limits that hold here beyond which a worker process is ended."""
    limits = current()
    memory = SHARE * machine() / 2**30 if limits.memory is None else limits.memory
    slow = f"is decoded no further in {limits.stall:g} s; the limit is stall = {limits.stall:g}"
    large = f"needs more memory; the limit is memory = {memory:.3g} GiB"
    return watch.Limits(
        limits.stall,
        memory * 2**30,
        f"{slow} ({HOW.format('stall')})",
        f"{large} ({HOW.format('memory')})",
    )


@contextmanager
def held(limits: Limits) -> Iterator[None]:
    """Let limits hold in a `with` block, for all files that are opened in it."""
    token = _held.set(limits)
    try:
        yield
    finally:
        _held.reset(token)


def carried(function: Callable[..., R]) -> Callable[..., R]:
    """A function that has the limits that hold here, also in another process."""
    return partial(_under, current(), function)


def _under(limits: Limits, function: Callable[..., R], *arguments: Any, **settings: Any) -> R:
    with held(limits):
        return function(*arguments, **settings)
