"""The moving pictures of an open file: decoded pictures in media time, upright and with square pixels when converted.

Time 0 is where the earliest stream of the file begins, as for sound, and times only grow: a picture whose time stamp is
not later than that of the one before is left out, and one without a time stamp follows at the stream's average rate.
A change of resolution is followed: each picture has its own size. Interlaced pictures stay as they are stored.
"""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.containers import ROUNDING, Media, open_media
from mien.media.packets import Decoding, Packets

if TYPE_CHECKING:
    import av
    from av.sidedata.sidedata import SideData

GAP = 1.0  # s for which a picture counts as shown when no other one follows
STRETCH = (0.25, 4.0)  # width of a pixel by its height; what lies beyond is no true recording, and is not followed
# (a, b, c, d) of x' = a x + c y, y' = b x + d y, the place on the screen (ISO/IEC 14496-12, 6.2.2)
Matrix = tuple[int, int, int, int]
UPRIGHT: Matrix = (1, 0, 0, 1)
_NO_FILM = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


class Picture:
    """A decoded picture, converted when its pixels are read.

    Attributes:
        time: media seconds from which it is shown.
        seconds: for which the file shows it, at most `GAP`.
        height: pixels, upright, with square pixels.
        width: likewise.
    """

    def __init__(
        self,
        frame: "av.VideoFrame",
        time: float,
        *,
        seconds: float = 0.0,
        stretch: float = 1.0,
        matrix: Matrix = UPRIGHT,
    ) -> None:
        """Keep a frame.

        Args:
            frame: as decoded.
            time: media seconds.
            seconds: for which it is shown.
            stretch: width of a pixel by its height.
            matrix: the rotation.
        """
        self.time = time
        self.seconds = seconds
        self._frame = frame
        self._stretch = stretch
        self._columns = max(1, round(frame.width * stretch))
        self._matrix = matrix
        self.height, self.width = frame.height, self._columns
        if _lies(self._matrix):
            self.height, self.width = self.width, self.height

    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8, full range; transparent pixels have the colour that is stored under them."""
        return self._upright("rgb24")

    def grey(self) -> NDArray[np.uint8]:
        """(height, width) uint8: the luma, full range; the stored plane itself where there is one of that kind."""
        return self._upright("gray")

    def later(self, time: float) -> "Picture":
        """The same picture, counted as shown from a later time on."""
        seconds = max(0.0, self.time + self.seconds - time)
        return Picture(self._frame, time, seconds=seconds, stretch=self._stretch, matrix=self._matrix)

    def _upright(self, kind: str) -> NDArray[np.uint8]:
        frame = self._frame.reformat(width=self._columns, height=self._frame.height, format=kind, threads=1)
        values = frame.to_ndarray().astype(np.uint8, copy=False)
        a, b, c, d = self._matrix
        if _lies(self._matrix):  # x' = c y, y' = b x
            values = values.swapaxes(0, 1)
            a, d = c, b
        return np.ascontiguousarray(values[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


class Film:
    """The pictures of one stream of an open file, decoded packet by packet.

    Attributes:
        end: media seconds at which the last picture decoded so far ends.
    """

    def __init__(self, packets: Packets, stream: "av.VideoStream") -> None:
        """Nothing is decoded yet; `packets` are to hold those of the stream.

        Raises:
            MediaError: the header has more pictures, or more in a second, than the limits allow.
        """
        self.end = 0.0
        self.stream = stream
        self._media = packets.media
        self._most = packets.media.limits.frame_rate
        self._count = 0
        self._packets = packets
        self._decoding = Decoding(packets, stream)
        self._recent: deque[float] = deque(maxlen=self._most + 1)
        self._last: float | None = None
        self._reached = 0.0
        self._whole = not packets.jumped
        self._kind = ""
        self._matrix: Matrix | None = None
        self._rotation = 0
        self._step = float(1 / stream.average_rate) if stream.average_rate else 0.04
        if 1 / self._step > self._most and (stream.frames or 0) > self._most:
            raise self._too_many(1 / self._step)
        self._check_count(stream.frames or 0)
        ratio = float(stream.sample_aspect_ratio or 1)
        self._stretch = ratio if STRETCH[0] <= ratio <= STRETCH[1] else 1.0
        stream.codec_context.thread_count = 1  # for more speed, several files are read at once
        stream.codec_context.options = {"max_pixels": str(self._media.limits.pixels)}

    def advance(self) -> list[Picture] | None:
        """Decode one packet: the pictures that it completes, often none or one; None after the last one.

        Raises:
            MediaError: damage, truncation, a hole or pictures beyond the limits.
        """
        packet = self._packets.take(self.stream)
        if packet is None:
            self._close()
            return None
        self._check_rate(packet)
        self._count += 1
        self._check_count(self._count)
        return [picture for frame in self._decoding.frames(packet) if (picture := self._picture(frame)) is not None]

    def _picture(self, frame: "av.VideoFrame") -> Picture | None:
        if frame.is_corrupt:
            if self._last is None:
                return None  # a recording that was trimmed begins between key frames
            raise self._decoding.damaged("a picture is not whole")
        self._check_kind(frame)
        time = self._place(frame)
        if time < 0 or (self._last is not None and time <= self._last):
            return None
        before = 0.0 if self._last is None else self._last
        if time - before > self._media.limits.gap and (self._whole or self._last is not None):
            raise self._media.beyond("gap", f"has no picture from {before:.1f} to {time:.1f} s")
        self._last = time
        shown = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else self._step
        seconds = min(max(shown, 0.0), GAP)
        self.end = time + seconds
        return Picture(frame, time, seconds=seconds, stretch=self._stretch, matrix=self._turn(frame))

    def _turn(self, frame: "av.VideoFrame") -> Matrix:
        # Reading a frame's side data makes a cycle of references, so that its pixels outlive it for long.
        if self._matrix is None or frame.rotation != self._rotation:
            self._matrix, self._rotation = _display_matrix(frame), frame.rotation
        return self._matrix

    def _place(self, frame: "av.VideoFrame") -> float:
        stamp = frame.dts if frame.pts is None else frame.pts
        if stamp is None or frame.time_base is None:
            return 0.0 if self._last is None else self._last + self._step
        time = float(stamp * frame.time_base) - self._media.origin
        return 0.0 if -ROUNDING < time < 0 else time

    def _check_kind(self, frame: "av.VideoFrame") -> None:
        if frame.width * frame.height * max(self._stretch, 1) > self._media.limits.pixels:
            raise self._media.beyond("pixels", f"holds pictures of {frame.width} x {frame.height} pixels")
        if frame.format.name != self._kind:
            with self._media.guard(f"holds pictures of an unknown kind ({frame.format.name})"):
                frame.reformat(width=16, height=16, format="rgb24")
            self._kind = frame.format.name

    def _check_rate(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Refuse, before they are decoded, more packets within a second than any recording has."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or packet.time_base is None:
            return
        self._recent.append(float(stamp * packet.time_base))
        self._reached = max(
            self._reached, float((packet.pts or stamp) * packet.time_base) - self._media.origin + self._step
        )
        if len(self._recent) > self._most and abs(self._recent[-1] - self._recent[0]) < 1:
            raise self._too_many(self._most + 1)

    def _too_many(self, rate: float) -> MediaError:
        return self._media.beyond("frame_rate", f"has {rate:.0f} pictures in a second or more")

    def _check_count(self, count: int) -> None:
        if count > self._media.limits.frames:
            raise self._media.beyond("frames", f"has {count} pictures or more")

    def _close(self) -> None:
        self._decoding.check_promise(self._reached, holds="holds pictures for", slack=2 * self._step)
        self._decoding.close()
        if self._whole and self._last is None:
            raise self._media.error("has a video track without a picture that can be decoded")


def film_stream(media: Media) -> "av.VideoStream | None":
    """The moving pictures that a player would show: the default ones, or else the largest; never a cover picture."""
    films = [
        stream
        for stream in media.container.streams.video
        if not stream.disposition & _NO_FILM and stream.codec_context is not None and stream.width
    ]
    return max(
        films,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.width * stream.height,
            -stream.index,
        ),
        default=None,
    )


def picture_size(file: Path) -> tuple[int, int] | None:
    """Width and height, in pixels as they are stored, of a file's moving pictures; None without.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_media(file) as media:
        film = film_stream(media)
        return None if film is None else (film.width, film.height)


def _display_matrix(frame: "av.VideoFrame") -> Matrix:
    data = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))  # iteration differs between PyAV 18 and 19
    if data is None:
        return UPRIGHT
    values = np.frombuffer(bytes(data), np.int32)
    return (int(values[0]), int(values[1]), int(values[3]), int(values[4]))


def _lies(matrix: Matrix) -> bool:
    """Whether rows are shown as columns; of a slanted matrix the nearest quarter turn counts."""
    a, b, c, d = matrix
    return abs(b) + abs(c) > abs(a) + abs(d)
