"""The boxes of an mp4 file, and how many samples its index promises (ISO/IEC 14496-12, and QuickTime before it)."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

# Boxes in which libav looks for the index of a track, and how deep it goes.
_NESTED = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"edts", b"udta", b"dinf", b"wave"}
_DEEP = 10
_READ = {b"stsz", b"trun", b"stts", b"hdlr"}
_UNPACKED = 2**26  # bytes of a compressed index that are looked at


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
        length, kind = struct.unpack(">I4s", opened.read(8))
        content = place + 8
        if length == 1:
            length, content = int.from_bytes(opened.read(8), "big"), place + 16
        if length < 8:  # 0: to the end of the file
            yield Box(kind, place, content, end)
            return
        yield Box(kind, place, content, min(place + length, end))
        place += length


def promised_samples(file: Path) -> int:
    """How many samples the index of an mp4 file promises of which libav makes an entry for each; 0 for other files."""
    tracks: list[dict[bytes, list[bytes]]] = [{}]
    with file.open("rb") as opened:
        _collect(opened, 0, file.stat().st_size, tracks[0], tracks, 0)
    return sum(map(_samples, tracks))


def _collect(
    opened: BinaryIO,
    begin: int,
    end: int,
    own: dict[bytes, list[bytes]],
    tracks: list[dict[bytes, list[bytes]]],
    depth: int,
) -> None:
    """Add the first bytes of the boxes of each track by their kind; those outside of any track to `own`."""
    for box in boxes(opened, begin, end):
        if depth < _DEEP and box.kind == b"cmov":
            opened.seek(box.content + 24)  # behind `dcom`, and the length in `cmvd`
            with suppress(zlib.error):
                index = zlib.decompressobj().decompress(opened.read(box.end - opened.tell()), _UNPACKED)
                _collect(io.BytesIO(index), 0, len(index), own, tracks, depth + 1)
        elif depth < _DEEP and box.kind in _NESTED:
            if box.kind == b"trak":
                tracks.append({})
            _collect(opened, box.content, box.end, tracks[-1] if box.kind == b"trak" else own, tracks, depth + 1)
        elif box.kind in _READ:
            opened.seek(box.content)
            own.setdefault(box.kind, []).append(opened.read(16).ljust(16, b"\0"))


def _samples(track: dict[bytes, list[bytes]]) -> int:
    """The samples of a track beside those of which each has its size in the file."""
    fragments = sum(int.from_bytes(head[4:8], "big") for head in track.get(b"trun", ()))
    steps = [struct.unpack(">III", head[4:]) for head in track.get(b"stts", ())]
    kinds = {head[8:12] for head in track.get(b"hdlr", ())}  # QuickTime also has one of where the data are
    if (
        b"soun" in kinds and b"vide" not in kinds and len(steps) == 1 and steps[0][::2] == (1, 1)
    ):  # libav reads it in chunks
        return fragments
    sizes: list[tuple[int, int]] = [struct.unpack(">II", head[4:12]) for head in track.get(b"stsz", ())]
    return fragments + sum(count for size, count in sizes if size)
