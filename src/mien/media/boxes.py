"""The boxes of an mp4 file, and how many samples its index promises (ISO/IEC 14496-12, and QuickTime before it)."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

# Boxes in which libav looks for the index of a track, and how deep it goes.
_NESTED = {
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"edts", b"udta", b"dinf", b"wave",
    b"sinf", b"schi", b"tref", b"ilst", b"hoov",
}  # fmt: skip
_DEEP = 10
_READ = {b"stsz", b"trun", b"stts", b"hdlr"}
_PACKED = 24  # bytes of a compressed index before what is compressed: `dcom`, and the length in `cmvd`
_UNPACKED = 2**26  # bytes of compressed indexes that are looked at
_PIECE = 2**16


class ExcessError(Exception):
    """A file's index is one that no recording has.

    Attributes:
        limit: the name of the limit that it is beyond (`media.limits.Limits`); None where it has none.
    """

    def __init__(self, cause: str, limit: str | None = None) -> None:
        super().__init__(cause)
        self.limit = limit


class Box(NamedTuple):
    """A box of a file: its kind, and the bytes at which it, and what it holds, begin and end."""

    kind: bytes
    place: int
    content: int
    end: int


def boxes(opened: BinaryIO, begin: int, end: int) -> Iterator[Box]:
    """The boxes that follow each other in a part of a file; the last one may be cut."""
    place = begin
    while place + 8 <= end:
        opened.seek(place)
        head = opened.read(16)
        if len(head) < 8:  # the file is being cut
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        content = place + 8
        if length == 1:
            length, content = int.from_bytes(head[8:], "big"), place + 16
        if length < 8:  # 0: to the end of the file
            yield Box(kind, place, content, end)
            return
        yield Box(kind, place, content, min(place + length, end))
        place += length


def promised_samples(file: Path, most: int) -> int:
    """How many samples the index of an mp4 file promises of which libav makes an entry for each.

    Args:
        file: that libav takes for mp4 or QuickTime.
        most: boxes that are looked at.

    Raises:
        ExcessError: it has more boxes, or a compressed index that no recording has.
    """
    with file.open("rb") as opened:
        index = _Index(most)
        index.collect(opened, 0, file.stat().st_size, index.outside, 0)
    return index.samples + index.outside.samples


class _Track:
    """What the boxes of a track promise, beside those samples of which each has its size in the file."""

    def __init__(self) -> None:
        self.fragments = self.sized = self.runs = 0
        self.even = self.sound = self.pictures = False

    def add(self, kind: bytes, head: bytes) -> None:
        """Take the first 16 bytes of what a box holds."""
        if kind == b"trun":
            self.fragments += int.from_bytes(head[4:8], "big")
        elif kind == b"stts":
            self.runs += 1
            self.even = struct.unpack_from(">I4xI", head, 4) == (1, 1)
        elif kind == b"stsz":
            size, count = struct.unpack_from(">II", head, 4)
            self.sized += count if size else 0
        else:  # `hdlr`: QuickTime also has one of where the data are
            self.sound |= head[8:12] == b"soun"
            self.pictures |= head[8:12] == b"vide"

    @property
    def samples(self) -> int:
        """How many they are; libav reads sound in chunks where all samples are one step long."""
        chunked = self.sound and not self.pictures and self.runs == 1 and self.even
        return self.fragments if chunked else self.fragments + self.sized


class _Index:
    """The samples of the tracks that were read to their end, and of what is outside of any; what may still be read."""

    def __init__(self, boxes: int) -> None:
        self.most, self.boxes, self.bytes = boxes, boxes, _UNPACKED
        self.samples, self.outside = 0, _Track()

    def collect(
        self, opened: BinaryIO, begin: int, end: int, own: _Track, depth: int, *, unpacked: bool = False
    ) -> None:
        """Add what the boxes of a part of a file promise to the track in which they stand."""
        for box in boxes(opened, begin, end):
            self.boxes -= 1
            if self.boxes < 0:
                raise ExcessError(f"has an index of more than {self.most:,} boxes", "boxes")
            if box.kind in _READ:
                opened.seek(box.content)
                own.add(box.kind, opened.read(16).ljust(16, b"\0"))
            elif depth >= _DEEP or box.end - box.content < 8:
                continue
            elif box.kind == b"stsd":
                for head in _sizes_within(opened, box):
                    own.add(b"stsz", head)
            elif box.kind == b"cmov":
                if unpacked:
                    raise ExcessError("has a compressed index in a compressed index, as no recording does")
                content = self._unpack(opened, box)
                self.collect(io.BytesIO(content), 0, len(content), own, depth + 1, unpacked=True)
            elif (inside := _inside(opened, box)) is not None:
                track = _Track() if box.kind == b"trak" else own
                self.collect(opened, inside, box.end, track, depth + 1, unpacked=unpacked)
                if track is not own:
                    self.samples += track.samples

    def _unpack(self, opened: BinaryIO, box: Box) -> bytes:
        """What a compressed index holds, as far as it is whole; packed and unpacked bytes are counted for all."""
        found, place, unpacking = bytearray(), box.content + _PACKED, zlib.decompressobj()
        while place < box.end and not unpacking.eof:
            opened.seek(place)
            piece = opened.read(min(_PIECE, box.end - place))
            if not piece:
                break
            place += len(piece)
            self.bytes -= len(piece)
            try:
                unpacked = unpacking.decompress(piece, max(1, self.bytes))
            except zlib.error:
                break
            found += unpacked
            self.bytes -= len(unpacked)
            if self.bytes <= 0 or unpacking.unconsumed_tail:
                raise ExcessError(f"has compressed indexes of more than {_UNPACKED:,} bytes, as no recording does")
        return bytes(found)


def _sizes_within(opened: BinaryIO, box: Box) -> Iterator[bytes]:
    """What stands behind each `stsz` in a description of samples: libav reads boxes behind fields of many lengths."""
    place = box.content
    while place + 16 <= box.end:
        opened.seek(place)
        piece = opened.read(min(_PIECE, box.end - place))
        if len(piece) < 16:
            return
        at = piece.find(b"stsz")
        while 0 <= at <= len(piece) - 16:
            yield piece[at + 4 : at + 16]
            at = piece.find(b"stsz", at + 4)
        place += len(piece) - 15


def _inside(opened: BinaryIO, box: Box) -> int | None:
    """Where the boxes begin that a box holds and libav reads; None where there are none."""
    if box.kind in _NESTED:
        return box.content
    if box.kind not in (b"free", b"meta"):
        return None
    opened.seek(box.content)
    first = opened.read(8)[4:]
    if box.kind == b"meta":
        return box.content + (0 if first == b"hdlr" else 4)  # as in QuickTime, or behind a version
    return box.content if first in (b"mvhd", b"cmov") else None  # libav takes it for an index where there is no other
