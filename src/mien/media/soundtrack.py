"""The sound track of an open file: mono samples at the track's own rate, laid out in media time.

Sample n of a track lies n / rate seconds after the earliest stream of the file begins. Where the track begins late or
its time stamps leave a hole there are zeros; where they overlap, what came first stands. Time stamps that disagree with
the count of samples by no more than `SLACK` are taken as inexact.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.containers import format_name, media_errors, origin, promised
from mien.media.packets import Decoding, Packets

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

Waveform = NDArray[np.float32]

SLACK = 0.04  # s: more than the rounding of any container's time stamps
TOLERANCE = 0.1  # s that a track may be shorter than its header or a corpus table says (an encoder's padding)
MAX_GAP = 3600.0  # s without sound before or within a track


def sound_stream(file: Path, container: "InputContainer") -> "av.AudioStream":
    """The default sound track.

    Raises:
        MediaError: there is none that can be decoded.
    """
    stream = cast("av.AudioStream | None", container.streams.best("audio"))
    if stream is None:
        raise MediaError(file, "holds a sound track that cannot be decoded; it is damaged at its head or no sound")
    return stream


class Track:
    """The default sound track of an open file, read once from a time on.

    Attributes:
        rate: samples per second, as decoded.
        end: media seconds at which what has been decoded so far ends.
    """

    def __init__(
        self, file: Path, container: "InputContainer", *, start: float = 0.0, packets: Packets | None = None
    ) -> None:
        """Begin at the latest second before `start` at which sample-exact decoding can begin.

        Args:
            file: for messages.
            container: the open file.
            start: media seconds.
            packets: of this track and other streams, read together; a part beyond the track's end is then no error.

        Raises:
            MediaError: the file is damaged or truncated before its first sample, or holds no sound.
        """
        stream = sound_stream(file, container)
        self.end = 0.0
        self._file = file
        self._container = container
        self._stream = stream
        self._origin = origin(container)
        self._promise = promised(file, container, stream)
        self._packets = Packets(file, container, [stream], start=start) if packets is None else packets
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        if self._first is not None:
            self.rate = int(self._first.sample_rate)
            return
        if self._packets.jumped and packets is not None:
            self.rate = int(stream.sample_rate)
            return
        if self._packets.jumped:
            raise MediaError(file, f"ends before {start:.2f} s, where the part begins")
        self._check_promise()
        raise MediaError(file, "has a sound track without samples")

    def samples(self, first: int, until: int | None) -> Iterator[Waveform]:
        """Samples from `first` on in pieces of any length; decoding stops when `until` (None: the end) is reached.

        Raises:
            MediaError: damage, truncation, a change of rate, not-a-number or infinity, a hole beyond `MAX_GAP`.
        """
        written, expected = first, None
        frame = self._first
        while frame is not None and (until is None or written < until):
            if frame.sample_rate != self.rate:
                cause = f"changes its sample rate from {self.rate} to {frame.sample_rate} Hz; convert it to one rate"
                raise MediaError(self._file, cause)
            if frame.pts is None and format_name(self._container) == "flac":
                raise MediaError(self._file, f"is damaged at {self.end:.2f} s: a checksum does not fit")
            at = self._place(frame, expected)
            values = self._mono(frame)
            expected = at + len(values)
            self.end = expected / self.rate
            if at - written > MAX_GAP * self.rate:
                raise MediaError(self._file, f"has no sound from {written / self.rate:.1f} to {at / self.rate:.1f} s")
            while written < at:
                hole = min(at - written, self.rate)
                yield np.zeros(hole, np.float32)
                written += hole
            if expected > written:
                yield values[written - at :]
                written = expected
            frame = next(self._frames, None)
        if frame is None:
            self._check_promise()

    def _decoded(self) -> Iterator["av.AudioFrame"]:
        decoding = Decoding(self._file, self._packets, self._stream)
        while (packet := self._packets.take(self._stream)) is not None:
            yield from decoding.frames(packet)
        if decoding.broken:
            self._check_promise()
        decoding.close()

    def _check_promise(self) -> None:
        if self._promise is None or not (self._promise.of_stream or self._packets.ended):
            return  # or the stream that lasts longer will tell
        end = self.end if self._promise.of_stream else max(self.end, self._packets.end)
        if end < self._promise.seconds - TOLERANCE:
            cause = f"truncated: holds {end:.2f} of the {self._promise.seconds:.2f} seconds that its header promises"
            raise MediaError(self._file, cause)

    def _place(self, frame: "av.AudioFrame", expected: int | None) -> int:
        """The index of a frame's first sample."""
        if frame.pts is None or frame.time_base is None:
            return expected or 0
        at = round((float(frame.pts * frame.time_base) - self._origin) * self.rate)
        return expected if expected is not None and abs(at - expected) <= SLACK * self.rate else at

    def _mono(self, frame: "av.AudioFrame") -> Waveform:
        """(N,) float32: the mean of a frame's channels, integers divided by their full scale."""
        with media_errors(self._file, "holds samples of an unknown kind"):
            values = frame.to_ndarray()
        if not frame.format.is_planar:
            values = values.reshape(frame.samples, -1).T
        kind = values.dtype
        with np.errstate(over="ignore"):
            scaled: Waveform = values.astype(np.float32)
        if kind == np.uint8:
            scaled -= 128
        if kind.kind in "iu":
            scaled /= 2 ** (8 * kind.itemsize - 1)
        if not np.isfinite(scaled).all():
            raise MediaError(self._file, "holds non-finite samples (not-a-number or infinity)")
        mono: Waveform = scaled[0].copy()
        for channel in scaled[1:]:  # `mean` is slow over interleaved channels
            mono += channel
        mono /= len(scaled)
        return mono
