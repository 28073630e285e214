"""The sound track of an open file: samples at the track's own rate, mono and by channel, laid out in media time.

Sample n of a track lies n / rate seconds after the earliest stream of the file begins. Where the track begins late or
its time stamps leave a hole there are zeros; where they overlap, the first count. Time stamps that disagree with
the count of samples by no more than `SLACK` are taken as inexact. Those of joined recordings run on (`media.stamps`).
"""

from collections.abc import Iterator
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from mien.errors import SoundError
from mien.media.containers import Media, damaged_at
from mien.media.packets import Decoding, Packets

Waveform = NDArray[np.float32]  # N samples, or rows x N

MOST_ROWS = 64  # of libswresample
PACKED_FROM = 8  # channels from which planar frames are packed first: PyAV is not relied on to unpack so many planes
SLACK = 0.04  # s: more than the rounding of any container's time stamps


def sound_stream(media: Media) -> "av.AudioStream | None":
    """The default sound track; None where the file has none.

    Raises:
        MediaError: it has some, but none that can be decoded.
    """
    stream = cast("av.AudioStream | None", media.container.streams.best("audio"))
    if stream is None and media.container.streams.audio:
        raise media.error("holds a sound track that cannot be decoded; it is damaged at its head or no sound")
    return stream


class Track:
    """A sound track of an open file, read once from a time on.

    Attributes:
        media: the file.
        rate: samples per second, as decoded.
        end: media seconds at which what has been decoded so far ends.
        empty: whether the file ends before the time at which its packets begin.
        rows: 1 for the mean of all channels; of a track of several channels, more by their number if these are wanted.
    """

    def __init__(self, packets: Packets, stream: "av.AudioStream", *, channels: bool = False) -> None:
        """Decode the first samples; `packets` are to hold those of the stream.

        Args:
            packets: of the file.
            stream: the track.
            channels: whether each channel of several is wanted beside their mean.

        Raises:
            MediaError: the file is damaged or truncated before its first sample, or the track holds none.
        """
        self.media = packets.media
        self.end = 0.0
        self._packets = packets
        self._stream = stream
        self._decoding = Decoding(packets, stream)
        stream.codec_context.options = {"max_samples": str(self.media.limits.samples)}
        self._frames = self._decoded()
        self._first = next(self._frames, None)
        self.empty = self._first is None
        if self.empty and not packets.jumped:
            self._decoding.check_promise(self.end)
            raise SoundError(self.media.file, "has a sound track without samples")
        self.rate = int(stream.sample_rate if self._first is None else self._first.sample_rate)
        count = 1 if self._first is None else len(self._first.layout.channels)
        self.rows = min(1 + count, MOST_ROWS) if channels and count > 1 else 1

    def samples(self, first: int, until: int | None) -> Iterator[Waveform]:
        """Samples from `first` on in pieces of any length; decoding stops when `until` (None: the end) is reached.

        Yields:
            (`rows`, N) float32: the mean of the channels, then each of them. Where there are more than rows, the
            last row has the loudest of the rest; where there are less, rows are zero.

        Raises:
            MediaError: damage, truncation, a change of rate, not-a-number or infinity, a hole or channels beyond
                the limits.
        """
        media = self.media
        written, expected = first, None
        frame = self._first
        while frame is not None and (until is None or written < until):
            if frame.sample_rate != self.rate:
                raise media.error(
                    f"changes its sample rate from {self.rate} to {frame.sample_rate} Hz; convert it to one rate"
                )
            if frame.pts is None and media.format == "flac":
                raise media.error(f"{damaged_at(self.end)}: a checksum does not fit")
            at = self._place(frame, expected)
            values = self._mono(frame)
            expected = at + values.shape[1]
            self.end = expected / self.rate
            if at - written > media.limits.gap * self.rate:
                raise media.beyond("gap", f"has no sound from {written / self.rate:.1f} to {at / self.rate:.1f} s")
            while written < at:
                hole = min(at - written, self.rate)
                yield np.zeros((self.rows, hole), np.float32)
                written += hole
            if expected > written:
                yield values[:, written - at :]
                written = expected
            frame = next(self._frames, None)
        if frame is None:
            self._decoding.check_promise(self.end)

    def _decoded(self) -> Iterator["av.AudioFrame"]:
        while (packet := self._packets.take(self._stream)) is not None:
            yield from self._decoding.frames(packet)
        if self._decoding.broken:
            self._decoding.check_promise(self.end)
        self._decoding.close()

    def _place(self, frame: "av.AudioFrame", expected: int | None) -> int:
        """The index of a frame's first sample."""
        if frame.pts is None or frame.time_base is None:
            return expected or 0
        at = round((float(frame.pts * frame.time_base) - self.media.origin) * self.rate)
        return expected if expected is not None and abs(at - expected) <= SLACK * self.rate else at

    def _mono(self, frame: "av.AudioFrame") -> Waveform:
        """(`rows`, N) float32: the mean of a frame's channels, and these; integers divided by their full scale."""
        if (count := len(frame.layout.channels)) > self.media.limits.channels:  # the header gave less
            raise self.media.beyond("channels", f"has {count} channels at {self.end:.2f} s")
        with self.media.guard("holds samples of an unknown kind"):
            if frame.format.is_planar and len(frame.layout.channels) >= PACKED_FROM:
                (frame,) = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)
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
            raise self.media.error("holds non-finite samples (not-a-number or infinity)")
        rows = np.zeros((self.rows, scaled.shape[1]), np.float32)
        mono = rows[0]
        mono[:] = scaled[0]
        for channel in scaled[1:]:  # `mean` is slow over interleaved channels
            mono += channel
        mono /= len(scaled)
        if (room := self.rows - 1) > 0:
            rows[1 : 1 + len(scaled)] = scaled[:room]
            if len(scaled) > room:
                rest = scaled[room - 1 :]
                rows[room] = rest[np.argmax(np.square(rest).sum(axis=1))]
        return rows
