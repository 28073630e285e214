"""Time stamps that run on through a file: where recordings were joined in it, each begins where the one before ends.

Files joined byte by byte (MPEG-TS, MPEG-PS, Matroska) and chained Ogg (RFC 3533, section 4) hold stamps that begin anew
in their middle. A stamp that lies more than `BACK` before the end of what its stream holds so far begins a new part; in
`STREAMED` formats, so does one that lies more than `AHEAD` beyond the end of all streams. What a part's streams have in
common is kept: all of its stamps are moved by the same seconds. A stream that jumps while another one goes on is no
join, and keeps its stamps.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mien.common import watch

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

STREAMED = {"mpegts", "mpeg"}  # libav adds 26.5 hours to stamps that jump far back in them, as if they had wrapped
RESTARTED = STREAMED | {"ogg"}  # formats whose files are made to be joined
BACK = (0.5, 0.1)  # s; the second is that of `RESTARTED`
AHEAD = 10.0  # s; the same as ffmpeg's `dts_delta_threshold`
_HELD = 5.0  # s of a new part that wait for its other streams
_GOES_ON = 1.0  # s by which another stream goes on in the part before; fewer are left over from it
_SKEW = 2.5  # s by which streams are stored apart at most; a part without sound may be longer


def packet_end(packet: "av.Packet[Any]") -> float:
    """The time stamp, in seconds, at which a packet ends; minus infinity where it has none."""
    if packet.pts is None:
        return -math.inf
    return _seconds(packet, packet.pts + (packet.duration or 0))


def _seconds(packet: "av.Packet[Any]", stamp: int) -> float:
    base = packet.time_base
    return math.nan if base is None else stamp * base.numerator / base.denominator  # a Fraction's product is slow


@dataclass
class _Part:
    """A recording in the file: seconds to add to its stamps, and from where to where these reach."""

    shift: float
    begin: float = math.inf
    end: float = -math.inf


@dataclass
class _Course:
    """A stream: the number of its part, and the stamp at which its last packet begins and its next one is due."""

    part: int
    last: float = math.nan
    due: float = -math.inf


@dataclass
class Stamps:
    """Moves the stamps of a file's packets so that they run on.

    Attributes:
        format: the short name of the file's format.
        timed: indices of the streams whose stamps show where a part begins; the others follow.
    """

    format: str
    timed: frozenset[int]
    _parts: list[_Part] = field(default_factory=lambda: [_Part(0.0)])
    _courses: dict[int, _Course] = field(default_factory=dict)
    _held: "list[av.Packet[Any]]" = field(default_factory=list)
    _left: float = math.inf  # where the part before ended when the last one began

    @staticmethod
    def of(container: "InputContainer") -> "Stamps":
        """Those of a file: the same whichever streams are read, so that its joins lie at the same place."""
        name, streams = str(container.format.name).split(",")[0], container.streams
        if name in RESTARTED:
            both = [best for best in (streams.best("audio"), streams.best("video")) if best is not None]
        else:
            both = [*streams.audio, *streams.video]
        return Stamps(name, frozenset(stream.index for stream in both))

    def run_on(self, packets: "Iterable[av.Packet[Any]]") -> "Iterator[av.Packet[Any]]":
        """The packets of a file, demuxed from one place on, in the order of each stream."""
        for packet in packets:
            watch.go_on()
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is None and not packet.size:  # the empty ones at the end, which flush decoders
                yield from self._release()
                yield packet
                continue
            course = self._courses.setdefault(packet.stream.index, _Course(len(self._parts) - 1))
            if stamp is not None:
                begin = _seconds(packet, stamp)
                if packet.stream.index not in self.timed:
                    course.part = len(self._parts) - 1
                elif self._leaves(course, begin):
                    yield from self._release()
                    self._left = self._parts[-1].end
                    self._parts.append(_Part(math.nan))
                    course.part, course.due, course.last = len(self._parts) - 1, -math.inf, math.nan
                self._note(course, packet, begin)
            if course.part == len(self._parts) - 1 and math.isnan(self._parts[-1].shift):
                self._held.append(packet)
            else:
                yield self._moved(packet, self._parts[course.part].shift)
            if self._held and self._is_known():
                yield from self._release()
        yield from self._release()

    def _leaves(self, course: _Course, begin: float) -> bool:
        """Whether a packet begins a new part; a stream that has gone over to the last part is counted there."""
        own, last = self._parts[course.part], self._parts[-1]
        restarted = begin < course.due - BACK[self.format in RESTARTED]
        restarted |= self.format in STREAMED and begin > own.end + AHEAD and own.end > -math.inf
        if own is last:
            return restarted
        outside = max(last.begin - begin, begin - last.end, 0.0)
        if restarted or outside < abs(begin - course.due) - BACK[True]:
            if outside <= 1.0 and last.end - begin <= _SKEW:
                course.part, course.due = len(self._parts) - 1, -math.inf
                return False
            return restarted
        return False

    def _note(self, course: _Course, packet: "av.Packet[Any]", begin: float) -> None:
        step = _seconds(packet, packet.duration or 0) or (
            begin - course.last if course.last < begin <= course.last + 1.0 else 0.0
        )
        part = self._parts[course.part]
        shown = begin if packet.pts is None else _seconds(packet, packet.pts)
        part.begin = min(part.begin, shown)
        part.end = max(part.end, shown + step - _skipped(packet))
        course.last, course.due = begin, max(course.due, begin + step)

    def _is_known(self) -> bool:
        """Whether all has been seen that decides where the last part lies."""
        last = len(self._parts) - 1
        everywhere = all(self._courses[index].part == last for index in self.timed & self._courses.keys())
        return everywhere or self._goes_on() or self._parts[last].end - self._parts[last].begin > _HELD

    def _goes_on(self) -> bool:
        return self._parts[-2].end > self._left + _GOES_ON

    def _release(self) -> "Iterator[av.Packet[Any]]":
        """Lay the last part behind the one before, and give the packets that waited for it."""
        if not self._held:
            return
        before, last = self._parts[-2:]
        if self._goes_on():
            self._parts.pop()
            for course in self._courses.values():
                course.part = min(course.part, len(self._parts) - 1)
            last.shift = before.shift
        else:
            last.shift = before.end + before.shift - last.begin
        held, self._held = self._held, []
        for packet in held:
            yield self._moved(packet, last.shift)

    @staticmethod
    def _moved(packet: "av.Packet[Any]", shift: float) -> "av.Packet[Any]":
        if shift and packet.time_base is not None:
            ticks = round(shift / packet.time_base)
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks
        return packet


def _skipped(packet: "av.Packet[Any]") -> float:
    """Seconds that a decoder drops at the beginning of a packet of sound."""
    if not packet.has_sidedata("skip_samples"):
        return 0.0
    rate = getattr(packet.stream.codec_context, "sample_rate", 0) or math.inf
    return int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little") / rate
