"""Sound and pictures of any media file in one pass, in the order of media time, in bounded memory.

The file is demuxed once. The sound is that of `media.audio` bit by bit; the pictures are decoded one by one
(`media.pictures`) and converted only when their pixels are read. Where a file stores its sound far from its pictures,
packets wait compressed.
"""

import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mien.media.audio import SAMPLE_RATE, AudioBlock, block_size
from mien.media.containers import ROUNDING, TOLERANCE, Part, open_media
from mien.media.packets import Packets
from mien.media.pictures import GAP, Film, Picture, film_stream
from mien.media.resampling import part_of, regrouped
from mien.media.soundtrack import Track, Waveform, sound_stream

if TYPE_CHECKING:
    import av

PATIENCE = 2**24  # bytes of one stream that may wait before the other one is searched for in the rest of the file
_AHEAD = 1.0  # s of sound, beyond a block, with which the resampler is sure to complete it


def stream_media(
    file: Path | str,
    *,
    start: float | None = None,
    end: float | None = None,
    rate: int = SAMPLE_RATE,
    block: float = 1.0,
    channels: bool = False,
) -> Iterator[AudioBlock | Picture]:
    """Decode a file's sound and pictures of any length, or the part from `start` to `end`, in one pass.

    Args:
        file: any media file; it may hold sound alone or pictures alone.
        start: first second, in media time; None or nan for the beginning.
        end: last second (exclusive); None or nan for the end of the file. It may lie up to .1 s beyond that end.
        rate: samples per second of the sound.
        block: seconds a piece of sound; the last one may be shorter.
        channels: whether each channel of several is given beside their mean.

    Yields:
        Pieces of sound and pictures by the media time at which they begin, sound first where both begin together. The
        sound, joined, is that of `read_audio(..., silent="allow")`; a part's ends where the sound does. Of a part, the
        first picture is the one that is on show at `start`, and `start` is its time.

    Raises:
        MediaError: as `read_audio` and for damage in the pictures, once it is reached; the file ends before
            the part does; a file that stores its sound and its pictures too far apart to be read in one pass.
        ValueError: a block shorter than one sample.
    """
    size = block_size(block, rate)
    with open_media(file) as media:
        part = media.part(start, end, rate)
        sound, pictures = sound_stream(media), film_stream(media)
        if sound is None and pictures is None:
            raise media.error("holds neither sound nor moving pictures that can be decoded")
        packets = Packets(media, [stream for stream in (sound, pictures) if stream is not None], start=part.start)
        track = None if sound is None else _Sound(packets, sound, part, rate, size, channels)
        show = None if pictures is None else _Show(packets, pictures, part)
        yield from _merged(packets, track, show)
        reached = max(0.0 if track is None else track.end, 0.0 if show is None else show.film.end)
        if reached <= part.start or (part.end < math.inf and reached < part.end - TOLERANCE):
            raise media.ends_early(part, reached if reached > part.start else None)


def _on_show(picture: Picture | None, at: float) -> Picture | None:
    return None if picture is None or at - picture.time > GAP + ROUNDING else picture


class _Sound:
    """The pieces of sound of an open file: `next` is where the next one begins, `end` where the last one ended.

    Both are media seconds; `end` is 0 until there is a piece.
    """

    def __init__(
        self, packets: Packets, stream: "av.AudioStream", part: Part, rate: int, size: int, channels: bool
    ) -> None:
        self._first, self._last = part.samples(rate)
        self.next = self._first / rate
        self.end = 0.0
        self.open = True
        self.stream = stream
        self._packets = packets
        self._rate, self._size, self._channels, self._count = rate, size, channels, 0
        self._pieces = regrouped(self._samples(), size)

    def _samples(self) -> Iterator[Waveform]:
        track = Track(self._packets, self.stream, channels=self._channels)
        yield from part_of(track, self._rate, self._first, self._last)

    def ready(self) -> bool:
        """Whether the next piece can be completed without reading on."""
        ahead = self.next + self._size / self._rate + _AHEAD
        return self._packets.finished(self.stream) or self._packets.reach(self.stream) >= ahead

    def take(self) -> AudioBlock | None:
        """The next piece; None at the end."""
        rows = next(self._pieces, None)
        if rows is None:
            self.open = False
            self._packets.leave(self.stream)
            return None
        block = AudioBlock.of(self.next, rows)
        self._count += rows.shape[1]
        self.next = self.end = (self._first + self._count) / self._rate
        return block


class _Show:
    """The pictures of an open file, or of a part of it; `head` is the next one, once it is known."""

    def __init__(self, packets: Packets, stream: "av.VideoStream", part: Part) -> None:
        self.film = Film(packets, stream)
        self.head: Picture | None = None
        self._packets = packets
        self._first, self._last = part
        self._open = True
        self._known: deque[Picture] = deque()
        self._before: Picture | None = None

    def find(self) -> bool:
        """Look for the next picture without reading on; False where the file must be read on to know it."""
        while self.head is None and (self._known or self._open):
            if self._known:
                self.head = self._known.popleft()
            elif self._packets.waiting(self.film.stream) or self._packets.finished(self.film.stream):
                self._decode()
            else:
                return False
        return True

    def _decode(self) -> None:
        pictures = self.film.advance()
        for picture in pictures or ():
            if picture.time < self._first - ROUNDING:
                self._before = picture
            else:
                self._begin(picture.time)
                self._known.append(picture if picture.time >= self._first else picture.later(self._first))
        if pictures is None or (self._known and self._known[-1].time >= self._last):
            self._begin(math.inf)
            self._known = deque(picture for picture in self._known if picture.time < self._last)
            self._open = False
            self._packets.leave(self.film.stream)

    def _begin(self, time: float) -> None:
        """Put the picture that is on show where the part begins before the first one that begins inside."""
        before, self._before = self._before, None
        if before is not None and time > self._first + ROUNDING and _on_show(before, self._first) is not None:
            self._known.append(before.later(self._first))


def _merged(packets: Packets, sound: _Sound | None, show: _Show | None) -> Iterator[AudioBlock | Picture]:
    while True:
        known = show is None or show.find()
        head = None if show is None else show.head
        if show is not None and not known:
            if sound is not None and packets.waiting(sound.stream) > PATIENCE:
                packets.search(show.film.stream)
            packets.read()
        elif sound is not None and sound.open and (head is None or sound.next <= head.time):
            if head is None or sound.ready():
                piece = sound.take()
                if piece is not None:
                    yield piece
            else:
                if show is not None and packets.waiting(show.film.stream) > PATIENCE:
                    packets.search(sound.stream)
                packets.read()
        elif show is not None and head is not None:
            show.head = None
            yield head
        else:
            return
