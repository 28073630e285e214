"""One pass through an open file, shared by the streams that are read: packets in the file's order, given by stream.

To give the next packet of a stream, the file is read on; packets of the other streams wait, still compressed. The rules
for damage are the same for sound and pictures: a packet that cannot be demuxed or decoded is damage, and truncation
where it is the last packet of the stream.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Discard

from mien.errors import MediaError
from mien.media import headers
from mien.media.containers import (
    PROMISE_BY_CONTAINER,
    TOLERANCE,
    Media,
    damaged_at,
    open_media,
    promised,
)
from mien.media.stamps import RESTARTED, Stamps, packet_end

if TYPE_CHECKING:
    from av.stream import Stream

_OVERHEAD = 1024  # bytes of a packet beside its content
_FRAMED = {"flac", "mov"}
_EXACT_SEEK = {"wav", "w64", "aiff", "caf"} | _FRAMED
_SAME = 1e-6  # s
_LEAD = 1.0  # s decoded before a part, since frames after a jump depend on those before
_OTHER = 1.0  # s of a stream that begins where the one that is read is over


class Packets:
    """The packets of some streams of an open file, read once.

    Attributes:
        media: the file.
        end: media seconds at which the last of the packets read so far ends, of whatever stream.
        ended: whether the file has been read to its end.
        jumped: whether reading began in the middle of the file.
    """

    def __init__(self, media: Media, streams: "Sequence[Stream]", *, start: float = 0.0) -> None:
        """Begin at the latest second before `start` at which exact decoding of all the streams can begin.

        Raises:
            MediaError: the file cannot be searched.
        """
        self.media = media
        self.end = 0.0
        self.ended = False
        self._queues: dict[int, deque[av.Packet[Any]]] = {stream.index: deque() for stream in streams}
        self._waiting = dict.fromkeys(self._queues, 0)
        self._reach = dict.fromkeys(self._queues, 0.0)
        self._over: set[int] = set()
        self._searched: set[int] = set()
        self.jumped = self._jump(streams, start - _LEAD)
        self._demuxed = self._demux(media)
        self._types = {stream.index: stream.type for stream in media.container.streams}
        self._others: dict[int, float] = {}  # streams that have begun since the last packet that is read -> stamp
        self._known = set(self._queues)

    def take(self, stream: "Stream") -> "av.Packet[Any] | None":
        """The next packet of a stream; None after the last one. The last ones of all are empty and flush a decoder.

        Raises:
            MediaError: damage, or more than `Limits.waiting` bytes of another stream lie before the packet.
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
        with self.media.guard(damaged_at(self.end)):
            packet = next(self._demuxed, None)
        if packet is None:
            self.ended = True
            return False
        index = packet.stream.index
        if packet.size and self.media.format in RESTARTED:
            self._check_tracks(packet)
        ends = packet_end(packet) - self.media.origin
        self.end = max(self.end, ends)
        self.media.check_length(self.end)
        if index in self._queues and index not in self._over:
            self._queues[index].append(packet)
            self._reach[index] = max(self._reach[index], ends)
            self._waiting[index] += packet.size + _OVERHEAD
            if self._waiting[index] > self.media.limits.waiting:
                raise self.media.beyond("waiting", "stores its sound and its pictures far apart; write it anew")
        return True

    def finished(self, stream: "Stream") -> bool:
        """Whether no packet of a stream is left in the file."""
        return self.ended or stream.index in self._over

    def leave(self, stream: "Stream") -> None:
        """Give up a stream: its waiting packets and those to come."""
        self._over.add(stream.index)
        self._queues[stream.index].clear()
        self._waiting[stream.index] = 0

    def search(self, stream: "Stream") -> None:
        """Look once, in the rest of the file, for a packet of a stream that another one waits for.

        If there is none, the stream is over from now on. The file is opened a second time and is walked through, but
        only as far as the next packet.

        Raises:
            MediaError: the file has changed or is damaged.
        """
        if stream.index in self._searched:
            return
        self._searched.add(stream.index)
        with open_media(self.media.file) as again, again.guard(f"is damaged after {self.end:.2f} s"):
            for packet in self._demux(again):
                late = packet_end(packet) - self.media.origin > self._reach[stream.index] + _SAME
                if packet.stream.index == stream.index and late:
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

    def _demux(self, media: Media) -> "Iterator[av.Packet[Any]]":
        """The packets of an open file: of the streams that are read, and of those that it is timed or checked by."""
        container, kept = media.container, set(self._queues)
        stamps = Stamps.of(container)
        if media.format in RESTARTED:
            kept |= stamps.timed | {stream.index for stream in container.streams.audio or container.streams.video}
        if media.format not in PROMISE_BY_CONTAINER:  # there, the end of every stream counts
            for stream in container.streams:
                if stream.index not in kept:
                    stream.discard = Discard.all
        return stamps.run_on(container.demux())

    def _check_tracks(self, packet: "av.Packet[Any]") -> None:
        """Refuse a recording that is joined to one with other tracks, which libav takes for new streams or mixes up."""
        stream = packet.stream
        others = False
        if stream.index in self._queues:
            self._known |= self._others.keys()
            self._others.clear()
        elif stream.type in {self._types[index] for index in self._queues} and stream.index not in self._known:
            ends = packet_end(packet)
            others = self.end > 0 and ends > self._others.setdefault(stream.index, ends) + _OTHER
        if others or stream.type != self._types.get(stream.index, stream.type):
            raise self.media.error(
                f"goes on with other tracks at {self.end:.2f} s, as joined files do; take them apart"
            )

    def _jump(self, streams: "Sequence[Stream]", start: float) -> bool:
        """Go to a time where the format lands on the exact sample; elsewhere decode from the beginning."""
        if start <= 0 or not lands_exactly(self.media, streams):
            return False
        leading = max(streams, key=lambda stream: stream.type == "video")  # it begins again at key frames alone
        assert leading.time_base is not None
        with self.media.guard("cannot be searched"):
            self.media.container.seek(int((start + self.media.origin) / leading.time_base), stream=leading)
        return True


class Decoding:
    """Frames of one stream, packet by packet, and whether they last as long as the header promises.

    Attributes:
        broken: whether a packet could not be decoded.
    """

    def __init__(self, packets: Packets, stream: "Stream") -> None:
        self.broken = False
        self._packets = packets
        self._stream = stream
        self._promise = promised(packets.media, stream)
        if self._promise is not None:
            packets.media.check_length(self._promise.seconds)
        self._end = 0.0
        self._error: MediaError | None = None

    def frames(self, packet: "av.Packet[Any]") -> list[Any]:
        """The frames of a packet; none for one that cannot be decoded, for which the next packet raises the error.

        Raises:
            MediaError: the packet before was damaged.
        """
        if self._error is not None and packet.size:
            raise self._error
        frames: list[Any] = []
        try:
            with self._packets.media.guard(damaged_at(self._end)):
                frames = self._stream.decode(packet)  # type: ignore[attr-defined, unused-ignore]
        except MediaError as error:
            self._error, self.broken = error, True
        else:
            self._end = max(self._end, packet_end(packet) - self._packets.media.origin)
        return frames

    def damaged(self, cause: str) -> MediaError:
        """The error for damage at the place that has been reached."""
        return self._packets.media.error(f"{damaged_at(self._end)}: {cause}")

    def check_promise(self, end: float, *, holds: str = "holds", slack: float = 0.0) -> None:
        """Check that a stream which ends at a media second is as long as its header promises.

        Args:
            end: media second.
            holds: how the sentence begins.
            slack: seconds by which it may be shorter, beside `TOLERANCE`.

        Raises:
            MediaError: it is truncated.
        """
        promise = self._promise
        if promise is None or not (promise.of_stream or self._packets.ended):
            return  # or the longest stream is checked
        end = end if promise.of_stream else max(end, self._packets.end)
        if end < promise.seconds - TOLERANCE - slack:
            raise self._packets.media.error(
                f"truncated: {holds} {end:.2f} of the {promise.seconds:.2f} seconds that its header promises"
            )

    def close(self) -> None:
        """Check the last packet.

        Raises:
            MediaError: it could not be decoded.
        """
        if self._error is not None:
            cause = f"truncated: breaks off within its last packet, at {self._end:.2f} s"
            raise self._packets.media.error(cause) from self._error


def lands_exactly(media: Media, streams: "Sequence[Stream]") -> bool:
    """Whether decoding can begin at any time of an open file and give the samples and pictures of the whole."""
    if media.format == "mov" and not headers.has_one_index(media.file):
        return False
    return all(_is_searched(stream, media.format) for stream in streams)


def _is_searched(stream: "Stream", name: str) -> bool:
    base = stream.time_base
    if base is None or name not in _EXACT_SEEK:
        return False
    if stream.type == "video":
        return name == "mov"  # its index knows every key frame
    context = cast("av.AudioStream", stream).codec_context
    framed = name in _FRAMED or context.name.startswith("pcm_")
    return bool(framed and base * context.sample_rate == 1)
