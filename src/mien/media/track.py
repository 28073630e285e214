"""The sound track of an open file: mono samples at the track's own rate, laid out in media time.

Sample n of a track lies n / rate seconds after the earliest stream of the file begins. Where the track begins late or
its time stamps leave a hole there are zeros; where they overlap, what came first stands. Time stamps that disagree with
the count of samples by no more than `SLACK` are taken as inexact.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from av.stream import Discard
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.containers import DAMAGE, explain, format_name, media_errors, origin, packet_end, promised

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

Waveform = NDArray[np.float32]

SLACK = 0.04  # s: more than the rounding of any container's time stamps
TOLERANCE = 0.1  # s that a track may be shorter than its header or a corpus table says (an encoder's padding)
MAX_GAP = 3600.0  # s without sound before or within a track
_FRAMED = {"flac", "mov"}
_EXACT_SEEK = {"wav", "w64", "aiff", "caf"} | _FRAMED
_LEAD = 1.0  # s decoded before the part asked for: a codec's memory after a jump


class Track:
    """The default sound track of an open file, read once from a time on.

    Attributes:
        rate: samples per second, as decoded.
        end: media seconds at which what has been decoded so far ends.
    """

    def __init__(self, file: Path, container: "InputContainer", *, start: float = 0.0) -> None:
        """Begin at the latest second before `start` at which sample-exact decoding can begin.

        Raises:
            MediaError: the file is damaged or truncated before its first sample, or holds no sound.
        """
        stream = cast("av.AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaError(file, "holds a sound track that cannot be decoded; it is damaged at its head or no sound")
        self.end = 0.0
        self._file = file
        self._container = container
        self._stream = stream
        self._origin = origin(container)
        self._promise = promised(file, container, stream)
        self._packets_end = 0.0
        if self._promise is None or self._promise.of_sound:
            for other in container.streams:
                if other is not stream:
                    other.discard = Discard.all
        jumped = self._jump(start - _LEAD)
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        if self._first is None:
            if not jumped:
                self._check_promise()
            cause = (
                f"ends before {start:.2f} s, where the part begins" if jumped else "has a sound track without samples"
            )
            raise MediaError(file, cause)
        self.rate = int(self._first.sample_rate)

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

    def _jump(self, start: float) -> bool:
        """Go to a time where the format lands on the exact sample; elsewhere decode from the beginning."""
        base, name = self._stream.time_base, format_name(self._container)
        exact = name in _EXACT_SEEK and (name in _FRAMED or self._stream.codec_context.name.startswith("pcm_"))
        if start <= 0 or base is None or base * self._stream.sample_rate != 1 or not exact:
            return False
        with media_errors(self._file, "cannot be searched"):
            self._container.seek(int((start + self._origin) / base), stream=self._stream)
        return True

    def _decoded(self) -> Iterator["av.AudioFrame"]:
        """Frames in order. A packet that cannot be decoded is damage; as the last one of the file, truncation."""
        packets = self._container.demux()
        broken: Exception | None = None
        while True:
            try:
                packet = next(packets, None)
            except DAMAGE as error:
                raise self._damaged(error) from error
            if packet is None:
                break
            if broken is not None and packet.size and packet.stream is self._stream:
                raise self._damaged(broken) from broken
            frames: list[av.AudioFrame] = []
            if packet.stream is self._stream:
                try:
                    frames = self._stream.decode(packet)
                except DAMAGE as error:
                    broken = error
                    continue
            self._packets_end = max(self._packets_end, packet_end(packet) - self._origin)
            yield from frames
        if broken is not None:
            self._check_promise()
            raise MediaError(self._file, f"truncated: breaks off within its last packet, at {self._packets_end:.2f} s")

    def _damaged(self, error: Exception) -> MediaError:
        return MediaError(self._file, f"is damaged at {self._packets_end:.2f} s: {explain(error)}")

    def _check_promise(self) -> None:
        if self._promise is None:
            return
        end = self.end if self._promise.of_sound else max(self.end, self._packets_end)
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
