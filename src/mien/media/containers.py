"""The one place where media files are opened, with everything that keeps a hostile or damaged one harmless.

What holds for a container from `open_media`: it is a regular file (or a link to one) in one of `FORMATS`; it cannot
lead to another file or to the network (a text file that holds an `ffconcat` list or an HLS playlist under the name of
a video would, otherwise, read its neighbours); its streams, channels, sample rate and pixels are within bounds that
were checked before anything is decoded. PyAV raises much besides its own errors on damaged files (`DAMAGE`); who
decodes does so under `media_errors`, so that it comes out as `MediaError` with file and cause.
"""

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av

from mien.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

# Demuxers that read one file and nothing else. `concat`, `hls`, `dash`, `image2`, `lavfi` and all devices are absent.
FORMATS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dv", "eac3", "flac", "flv", "m4v", "matroska",
    "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "nistsphere", "ogg", "w64", "wav", "wv",
)  # fmt: skip
MAX_STREAMS = 64
MAX_CHANNELS = 64
RATES = (1_000, 768_000)  # Hz
MAX_PIXELS = 8192 * 4352  # one 8K picture, rounded up to whole macroblocks

# Formats whose header tells how long the sound is, independently of how much of the file is there.
_PROMISE_BY_STREAM = {"wav", "flac", "mov", "mp3", "aiff"}
PROMISE_BY_CONTAINER = {"matroska", "flv"}
# Formats whose container duration comes from such a header or from the last time stamp, not from an average bit rate.
_TRUE_DURATION = _PROMISE_BY_STREAM - {"mp3"} | PROMISE_BY_CONTAINER | {"w64", "ogg", "mpeg", "mpegts", "avi", "caf"}
# What PyAV raises on damaged files.
DAMAGE = (av.FFmpegError, AttributeError, IndexError, UnicodeDecodeError, ValueError, MemoryError, OverflowError)


class MediaInfo(NamedTuple):
    """What a file holds: its length in media seconds, and whether there is sound and moving pictures."""

    seconds: float
    audio: bool
    video: bool


def explain(error: Exception) -> str:
    """What an exception of PyAV says, without numbers of its own."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


@contextmanager
def media_errors(file: Path, doing: str) -> Iterator[None]:
    """Turn whatever a damaged file makes PyAV raise into `MediaError`; `doing` begins the cause."""
    try:
        yield
    except DAMAGE as error:
        raise MediaError(file, f"{doing}: {explain(error)}") from error


@contextmanager
def open_media(file: Path | str) -> Iterator["InputContainer"]:
    """Open a media file for reading and close it at the end of the `with` block.

    Args:
        file: a regular file; its content decides the format, not its name.

    Raises:
        MediaError: missing, no regular file (refused without waiting for a pipe), empty, of no known format, a
            playlist, damaged so that no stream is found, or beyond the bounds of this module.
    """
    file = Path(file)
    try:
        status = file.stat()
    except OSError as error:
        raise MediaError(file, f"cannot be read ({error.strerror}); check the path") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise MediaError(file, f"is {kind}, not a media file")
    if status.st_size == 0:
        raise MediaError(file, "is empty (0 bytes)")
    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file",
        "max_pixels": str(MAX_PIXELS),
        # libav asks whether PCM is a disguised DTS stream, by default for so long that opening a wav takes 16 ms.
        "max_probe_packets": "4",
    }
    with media_errors(file, "is no media file of a known format, or is damaged at its head"):
        # An absolute path, because libav reads `data:...` or `http:...` at the beginning of a name as a protocol.
        container = av.open(str(file.absolute()), options=options, metadata_errors="replace")
    with container:
        _check_bounds(file, container)
        yield container


def _check_bounds(file: Path, container: "InputContainer") -> None:
    streams = container.streams
    if len(streams) > MAX_STREAMS:
        raise MediaError(file, f"has {len(streams)} streams; at most {MAX_STREAMS} are read")
    if not streams.audio and not streams.video:
        raise MediaError(file, "holds neither sound nor pictures")
    sizes = [video.width * video.height for video in streams.video if video.codec_context is not None]
    if max(sizes, default=0) > MAX_PIXELS or not (any(sizes) or streams.audio):  # libav sets a forbidden size to 0
        raise MediaError(file, f"holds pictures that cannot be read or have more than {MAX_PIXELS:,} pixels")
    for audio in streams.audio:
        if audio.codec_context is None:
            raise MediaError(file, "holds sound in a coding that is not known; convert it to wav or flac")
        if audio.channels > MAX_CHANNELS:
            raise MediaError(file, f"has {audio.channels} channels; at most {MAX_CHANNELS} are read")
        if audio.sample_rate and not RATES[0] <= audio.sample_rate <= RATES[1]:
            raise MediaError(file, f"has a sample rate of {audio.sample_rate} Hz; known are {RATES[0]} to {RATES[1]}")


def format_name(container: "InputContainer") -> str:
    """The short name of the container's format, one of `FORMATS`."""
    return str(container.format.name).split(",")[0]


def origin(container: "InputContainer") -> float:
    """The time stamp, in seconds, that is media time 0: the start of the earliest stream."""
    return (container.start_time or 0) / av.time_base


def probe(file: Path | str) -> MediaInfo:
    """Tell a file's length and kind without decoding it.

    The length is what the header promises where the format's header does so; else all packets are walked. A cover
    picture is no video.

    Raises:
        MediaError: as `open_media`.
    """
    file = Path(file)
    with open_media(file) as container:
        cover = av.stream.Disposition.attached_pic
        video = any(not stream.disposition & cover for stream in container.streams.video)
        seconds = 0.0
        if container.duration and format_name(container) in _TRUE_DURATION:
            seconds = container.duration / av.time_base
        else:
            with media_errors(file, "is damaged"):
                for packet in container.demux():
                    seconds = max(seconds, packet_end(packet) - origin(container))
        return MediaInfo(seconds, bool(container.streams.audio), video)


def packet_end(packet: "av.Packet[Stream]") -> float:
    """The time stamp, in seconds, at which a packet ends; minus infinity where it has none."""
    if packet.pts is None or packet.time_base is None:
        return -math.inf
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


class Promise(NamedTuple):
    """How long the header says that the file is, in media seconds, and whether that speaks of one stream alone."""

    seconds: float
    of_stream: bool


def promised(file: Path, container: "InputContainer", stream: "Stream") -> Promise | None:
    """What the header promises; None where the format makes no promise, or where its writer did not know."""
    name, start = format_name(container), origin(container)
    if name in PROMISE_BY_CONTAINER and container.duration:
        return Promise(container.duration / av.time_base, of_stream=False)
    if not stream.duration or stream.time_base is None or name not in _PROMISE_BY_STREAM:
        return None
    seconds = float(stream.duration * stream.time_base)
    if name == "wav":
        share = _share_present(file)
        return Promise(seconds / share, of_stream=True) if share else None
    if name == "mp3" and not _has_frame_count(file):
        return None  # libav then guesses from the bit rate
    if name == "mov":  # a track may begin late
        seconds += float((stream.start_time or 0) * stream.time_base) - start
    return Promise(seconds, of_stream=True)


def _share_present(file: Path) -> float | None:
    """Which share of the samples that a RIFF header promises is there; libav shortens the promise without a word.

    None if the header promises nothing: its size field is 0, or near 2^31 or 2^32, as writers to a pipe leave it.
    """
    with file.open("rb") as wav:
        if wav.read(12)[:4] != b"RIFF":
            return None
        while len(head := wav.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                if size == 0 or any(top - 2**16 <= size < top for top in (2**31, 2**32)):
                    return None
                return min(1.0, (file.stat().st_size - wav.tell()) / size) or None
            wav.seek(size + size % 2, 1)
    return None


def _has_frame_count(file: Path) -> bool:
    """Whether an mp3 file has the Xing, Info or VBRI header, which counts its frames."""
    with file.open("rb") as mp3:
        head = mp3.read(10)
        if head[:3] == b"ID3":  # its size: four times seven bits
            mp3.seek(10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)))
        else:
            mp3.seek(0)
        start = mp3.read(4096)
    return any(mark in start for mark in (b"Xing", b"Info", b"VBRI"))
