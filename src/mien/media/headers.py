"""What the bytes of a file say that libav does not: what it is instead of media, whether a second file follows it.

Each function opens the file by itself and reads little of it: headers, and of formats in chunks their sizes.
"""

import hashlib
import mmap
import re
import shlex
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mien.media.boxes import boxes

_POINTERS = {
    b"version https://git-lfs.github.com/spec/": "is a Git LFS pointer, not the recording; fetch it: git lfs pull",
    b"/annex/objects/": "is a git-annex pointer, not the recording; fetch it: git annex get",
    b"\x00\x05\x16\x07": "is what macOS stores beside a recording (AppleDouble), not the recording; delete it",
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"\x1f\x8b": "is compressed by gzip; unpack it",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive; unpack it",
    b"Rar!\x1a\x07": "is a rar archive; unpack it",
}
_PICTURES = {  # what the first bytes of a file match, of formats that hold one picture, and how ffmpeg repeats it
    "JPEG": (rb"\xff\xd8\xff", "-loop 1"),
    "PNG": (rb"\x89PNG\r\n\x1a\n", "-loop 1"),
    "GIF": (rb"GIF8[79]a", "-stream_loop -1"),
    "WebP": (rb"RIFF....WEBP", "-loop 1"),
    "BMP": (rb"BM....\0\0\0\0..\0\0[\x0c\x28\x34\x38\x6c\x7c]\0\0\0", "-loop 1"),
    "TIFF": (rb"II\*\0|MM\0\*", "-loop 1"),
    "HEIF": (rb"....ftyp(hei[cxms]|mif1|avif)", None),  # of the several pictures in it, ffmpeg may take a part of one
}
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


def instead_of_media(file: Path) -> str | None:
    """What a file is that stands in the place of a recording, and the way out, one clause; None for all else."""
    with file.open("rb") as opened:
        head = opened.read(64)
    for mark, cause in _POINTERS.items():
        if head.startswith(mark):
            return cause
    for name, (mark, repeated) in _PICTURES.items():
        if re.match(mark, head, re.DOTALL):
            return _instead_of_film(file, name, repeated)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "is a web page, not a recording: the server that it came from may want a login; fetch it again"
    return None


def _instead_of_film(file: Path, name: str, repeated: str | None) -> str:
    """What a picture is, and how it becomes a film in which its faces are found."""
    way = "" if repeated else "save it as JPEG, and "
    given = file if repeated else file.with_suffix(".jpg")
    own, film = (shlex.quote(str(place)) for place in (given, f"{given}.mp4"))
    command = f"ffmpeg {repeated or '-loop 1'} -i {own} -t 2 -vf scale=1280:-2 -pix_fmt yuv420p {film}"
    return f"is a picture ({name}), and mien reads sound and films; {way}make a film of it: {command}"


def is_wav(file: Path) -> bool:
    """Whether a file begins as wav does; a file that cannot be read does not."""
    head = _head(file)
    return head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE"


def is_sound_alone(file: Path) -> bool:
    """Whether a file begins as a format does that holds no moving pictures: wav or flac."""
    return is_wav(file) or _head(file)[:4] == b"fLaC"


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(12)
    except OSError:
        return b""


def absent(file: Path) -> str | None:
    """Why a file is missing that has a name: the way out, one clause; None where nothing is known."""
    if file.is_symlink() and "annex/objects" in file.readlink().as_posix():
        return "is a git-annex link whose content is not here; fetch it: git annex get"
    return None


def second_file(file: Path, name: str) -> int | None:
    """The byte at which a second file of the same format begins behind the first, where libav would pass it over.

    Args:
        file: of the format `name`.
        name: one of `containers.FORMATS`.
    """
    if name not in _SECOND:
        return None
    with file.open("rb") as opened:
        return _SECOND[name](opened, file.stat().st_size)


def is_fragmented(file: Path) -> bool:
    """Whether an mp4 file holds its media in fragments, each with a time stamp of its own."""
    with file.open("rb") as opened:
        return any(box.kind == b"moof" for box in boxes(opened, 0, file.stat().st_size))


def has_one_index(file: Path) -> bool:
    """Whether an mp4 file holds one index, and so one line of time stamps that can be searched."""
    with file.open("rb") as opened:
        return sum(box.kind == b"moov" for box in boxes(opened, 0, file.stat().st_size)) == 1


def share_present(file: Path) -> float | None:
    """The share of the samples promised by a RIFF header that is there; libav shortens the promise silently.

    None if the header promises nothing: its size field is 0, or near 2^31 or 2^32, as writers to a pipe leave it.
    """
    with file.open("rb") as wav:
        if wav.read(12)[:4] != b"RIFF":
            return None
        while len(head := wav.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                if _is_open(size):
                    return None
                return min(1.0, (file.stat().st_size - wav.tell()) / size) or None
            wav.seek(size + size % 2, 1)
    return None


def has_frame_count(file: Path) -> bool:
    """Whether an mp3 file has the Xing, Info or VBRI header, which counts its frames."""
    with file.open("rb") as mp3:
        head = mp3.read(10)
        if head[:3] == b"ID3":  # its size: four times seven bits
            mp3.seek(10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)))
        else:
            mp3.seek(0)
        start = mp3.read(4096)
    return any(mark in start for mark in (b"Xing", b"Info", b"VBRI"))


def _is_open(size: int) -> bool:
    return size == 0 or any(top - 2**16 <= size < top for top in (2**31, 2**32))


def _behind_riff(opened: BinaryIO, size: int) -> int | None:
    head = opened.read(12)
    length = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
    if head[:4] not in {b"RIFF", b"FORM"} or _is_open(length):
        return None
    for place in (8 + length, 9 + length):  # the pad byte of an odd length is there or not
        opened.seek(place)
        if (other := opened.read(12))[:4] == head[:4] and other[8:] == head[8:]:
            return place
    return None


def _behind_w64(opened: BinaryIO, size: int) -> int | None:
    place = int.from_bytes(opened.read(24)[16:], "little")
    place = min(place + -place % 8, size)
    opened.seek(place)
    return place if opened.read(16) == _W64 else None


def _behind_caf(opened: BinaryIO, size: int) -> int | None:
    place = 8
    while place + 12 <= size:
        opened.seek(place)
        kind, length = struct.unpack(">4sq", opened.read(12))
        if kind == b"caff":
            return place
        if length < 0:
            return None
        place += 12 + length
    return None


def _behind_mov(opened: BinaryIO, size: int) -> int | None:
    """A file's index stands in one box; a second one is another file's, unless it repeats the first for fragments."""
    first: tuple[int, bytes] | None = None
    begin = 0
    for box in boxes(opened, 0, size):
        if box.kind == b"ftyp":
            begin = box.place
        elif box.kind == b"moov":
            found = (box.end - box.place, _digest(opened, box.place, box.end))
            if first is not None and found != first:
                return begin or box.place
            first = found
    return None


def _digest(opened: BinaryIO, begin: int, end: int) -> bytes:
    """A hash of a part of a file, of which little is held in memory."""
    opened.seek(begin)
    found = hashlib.sha256()
    while begin < end and (piece := opened.read(min(2**20, end - begin))):
        found.update(piece)
        begin += len(piece)
    return found.digest()


def _behind_flv(opened: BinaryIO, size: int) -> int | None:
    place = 13
    while place + 11 <= size:
        opened.seek(place)
        head = opened.read(11)
        if head[:3] == b"FLV":
            return place
        if head[0] & 0x1F not in {8, 9, 18}:
            return None
        place += 11 + int.from_bytes(head[1:4], "big") + 4
    return None


def _behind_amr(opened: BinaryIO, size: int) -> int | None:
    with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(b"#!AMR", 5)
    return place if place >= 0 else None


_SECOND: dict[str, Callable[[BinaryIO, int], int | None]] = {
    "wav": _behind_riff,
    "aiff": _behind_riff,
    "w64": _behind_w64,
    "caf": _behind_caf,
    "mov": _behind_mov,
    "flv": _behind_flv,
    "amr": _behind_amr,
}
