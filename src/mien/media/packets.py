"""One pass through an open file, shared by the streams that are read: packets in the file's order, handed out a stream.

A stream that is asked for its next packet makes the file be read on; what belongs to the others waits for them, still
compressed. Damage is told by the same rules for sound and pictures: what cannot be demuxed or decoded is damage, and
truncation where it is the last packet of the stream.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Discard

from mien.errors import MediaError
from mien.media.containers import (
    DAMAGE,
    PROMISE_BY_CONTAINER,
    explain,
    format_name,
    media_errors,
    open_media,
    origin,
    packet_end,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

MAX_WAITING = 2**28  # bytes of packets of one stream that wait until another stream's next one is found
_OVERHEAD = 1024  # bytes of a packet beside its content
_FRAMED = {"flac", "mov"}
_EXACT_SEEK = {"wav", "w64", "aiff", "caf"} | _FRAMED
_SAME = 1e-6  # s
_LEAD = 1.0  # s decoded before the part asked for: a codec's memory after a jump


class Packets:
    """The packets of some streams of an open file, read once.

    Attributes:
        end: media seconds at which the last of the packets read so far ends, of whatever stream.
        ended: whether the file has been read to its end.
        origin: the time stamp, in seconds, that is media time 0.
        jumped: whether reading began in the middle of the file.
    """

    def __init__(
        self, file: Path, container: "InputContainer", streams: "Sequence[Stream]", *, start: float = 0.0
    ) -> None:
        """Begin at the latest second before `start` at which exact decoding of all the streams can begin.

        Raises:
            MediaError: the file cannot be searched.
        """
        self.end = 0.0
        self.ended = False
        self._file = file
        self.origin = origin(container)
        self._queues: dict[int, deque[av.Packet[Any]]] = {stream.index: deque() for stream in streams}
        self._waiting = dict.fromkeys(self._queues, 0)
        self._reach = dict.fromkeys(self._queues, 0.0)
        self._over: set[int] = set()
        self._searched: set[int] = set()
        if format_name(container) not in PROMISE_BY_CONTAINER:  # there, the end of every stream counts
            for stream in container.streams:
                if stream.index not in self._queues:
                    stream.discard = Discard.all
        self.jumped = self._jump(container, streams, start - _LEAD)
        self._demuxed = container.demux()

    def take(self, stream: "Stream") -> "av.Packet[Any] | None":
        """The next packet of a stream; None after the last one. The last ones of all are empty and flush a decoder.

        Raises:
            MediaError: damage, or more than `MAX_WAITING` bytes of another stream lie before the packet.
        """
        queue = self._queues[stream.index]
        while not queue:
            if stream.index in self._over or not self.read():
                return None
        packet = queue.popleft()
        self._waiting[stream.index] -= packet.size + _OVERHEAD
        return packet

    def read(self) -> bool:
        """Read one packet of the file and let it wait for its stream; False at the file's end.

        Raises:
            MediaError: as `take`.
        """
        try:
            packet = next(self._demuxed, None)
        except DAMAGE as error:
            raise MediaError(self._file, f"is damaged at {self.end:.2f} s: {explain(error)}") from error
        if packet is None:
            self.ended = True
            return False
        ends = packet_end(packet) - self.origin
        self.end = max(self.end, ends)
        index = packet.stream.index
        if index in self._queues and index not in self._over:
            self._queues[index].append(packet)
            self._reach[index] = max(self._reach[index], ends)
            self._waiting[index] += packet.size + _OVERHEAD
            if self._waiting[index] > MAX_WAITING:
                cause = f"stores its sound and its pictures more than {MAX_WAITING >> 20} MB apart; write it anew"
                raise MediaError(self._file, cause)
        return True

    def finished(self, stream: "Stream") -> bool:
        """Whether no packet of a stream is left in the file."""
        return self.ended or stream.index in self._over

    def leave(self, stream: "Stream") -> None:
        """Let go of a stream: what waits for it and what is still to come."""
        self._over.add(stream.index)
        self._queues[stream.index].clear()
        self._waiting[stream.index] = 0

    def search(self, stream: "Stream") -> None:
        """Look once, in the rest of the file, for a packet of a stream that lets another one wait.

        If there is none, the stream is over from now on. The file is opened a second time and is walked through, but
        only as far as the next packet.

        Raises:
            MediaError: the file has changed or is damaged.
        """
        if stream.index in self._searched:
            return
        self._searched.add(stream.index)
        with open_media(self._file) as container, media_errors(self._file, f"is damaged after {self.end:.2f} s"):
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            for packet in container.demux(container.streams[stream.index]):
                if packet_end(packet) - self.origin > self._reach[stream.index] + _SAME:
                    return
        flush: av.Packet[Any] = av.Packet()
        flush.stream = stream
        self._queues[stream.index].append(flush)
        self._waiting[stream.index] += _OVERHEAD
        self._over.add(stream.index)

    def waiting(self, stream: "Stream") -> int:
        """Bytes that the packets of a stream hold which have been read and not been taken; 0 where there is none."""
        return self._waiting[stream.index]

    def reach(self, stream: "Stream") -> float:
        """Media seconds at which the last packet of a stream ends that has been read; 0 where there is none."""
        return self._reach[stream.index]

    def _jump(self, container: "InputContainer", streams: "Sequence[Stream]", start: float) -> bool:
        """Go to a time where the format lands on the exact sample; elsewhere decode from the beginning."""
        name = format_name(container)
        if start <= 0 or not all(_lands_exactly(stream, name) for stream in streams):
            return False
        leading = max(streams, key=lambda stream: stream.type == "video")  # it begins again at key frames alone
        assert leading.time_base is not None
        with media_errors(self._file, "cannot be searched"):
            container.seek(int((start + self.origin) / leading.time_base), stream=leading)
        return True


class Decoding:
    """Frames of one stream, packet by packet."""

    def __init__(self, file: Path, packets: Packets, stream: "Stream") -> None:
        self.broken = False
        self._file = file
        self._packets = packets
        self._stream = stream
        self._end = 0.0
        self._cause: Exception | None = None

    def frames(self, packet: "av.Packet[Any]") -> list[Any]:
        """What a packet gives; none for one that cannot be decoded, which is judged when the next one comes.

        Raises:
            MediaError: the packet before was damaged.
        """
        if self._cause is not None and packet.size:
            raise self.damaged(self._cause) from self._cause
        frames: list[Any] = []
        try:
            frames = self._stream.decode(packet)  # type: ignore[attr-defined, unused-ignore]
        except DAMAGE as error:
            self._cause, self.broken = error, True
        else:
            self._end = max(self._end, packet_end(packet) - self._packets.origin)
        return frames

    def damaged(self, cause: Exception | str) -> MediaError:
        """The error for damage at the place that has been reached."""
        return MediaError(
            self._file, f"is damaged at {self._end:.2f} s: {cause if isinstance(cause, str) else explain(cause)}"
        )

    def close(self) -> None:
        """Judge the last packet.

        Raises:
            MediaError: it could not be decoded.
        """
        if self._cause is not None:
            cause = f"truncated: breaks off within its last packet, at {self._end:.2f} s"
            raise MediaError(self._file, cause) from self._cause


def _lands_exactly(stream: "Stream", name: str) -> bool:
    base = stream.time_base
    if base is None or name not in _EXACT_SEEK:
        return False
    if stream.type == "video":
        return name == "mov"  # its index knows every key frame
    context = cast("av.AudioStream", stream).codec_context
    framed = name in _FRAMED or context.name.startswith("pcm_")
    return bool(framed and base * context.sample_rate == 1)
