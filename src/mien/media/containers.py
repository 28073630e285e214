"""Opening of media files: the only place where it is done, so that hostile and damaged files do no harm.

What holds for a `Media` from `open_media`: it is a regular file (or a link to one) in one of `FORMATS`; it cannot lead
to another file or to the network (a text file that holds an `ffconcat` list or an HLS playlist under the name of a
video would, otherwise, read its neighbours); its streams, channels, sample rate and pixels are within its `Limits`,
which are checked before anything is decoded. PyAV raises many kinds of errors on damaged files: decoding stands in
`Media.guard`, which turns them into `MediaError` with file and cause.
"""

import math
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import av

from mien.common import watch
from mien.errors import MediaError
from mien.media import headers, limits
from mien.media.boxes import ExcessError, promised_samples
from mien.media.limits import Limits
from mien.media.stamps import Stamps, packet_end

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

# Demuxers that read one file and nothing else. `concat`, `hls`, `dash`, `image2`, `lavfi` and all devices are absent.
FORMATS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dv", "eac3", "flac", "flv", "m4v", "matroska",
    "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "nistsphere", "ogg", "w64", "wav", "wv",
)  # fmt: skip

# Formats whose header gives the length of the sound, independently of how much of the file is there.
_PROMISE_BY_STREAM = {"wav", "flac", "mov", "mp3", "aiff"}
PROMISE_BY_CONTAINER = {"matroska", "flv"}
# Formats whose duration comes from such a header, holds for all of the file, and counts from its beginning.
_TRUE_DURATION = _PROMISE_BY_STREAM - {"mp3"} | {"w64", "caf"}
# What PyAV raises on damaged files.
_DAMAGE = (av.FFmpegError, AttributeError, IndexError, UnicodeDecodeError, ValueError, MemoryError, OverflowError)
TOLERANCE = 0.1  # s that a track may be shorter than its header or a corpus table says (an encoder's padding)
# PyAV 18 raises on metadata that is no UTF-8 unless it is told not to; 19 replaces it, and knows no such word.
_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_OPUS_RATE = 48_000  # Hz (RFC 7845, section 4)
# Opening a file, libav decodes a picture of each stream: larger ones than `PROBED` pixels only of `LARGE` streams.
PROBED, LARGE = 4096 * 2304, 4
ROUNDING = 1e-3  # s by which containers round time stamps


class MediaInfo(NamedTuple):
    """What a file holds: its length in media seconds, and whether there is sound and moving pictures."""

    seconds: float
    audio: bool
    video: bool


class Part(NamedTuple):
    """A part of a file from `start` to `end` (exclusive), in media seconds; an `end` of inf is the file's."""

    start: float
    end: float

    def samples(self, rate: int) -> tuple[int, int | None]:
        """The first sample at a rate in Hz, and the one after the last; None for the end of the file."""
        return round(self.start * rate), None if math.isinf(self.end) else round(self.end * rate)

    def __str__(self) -> str:
        if math.isinf(self.end):
            return f"from {self.start:.2f} s to its end"
        return f"from {self.start:.2f} to {self.end:.2f} s"


class Media:
    """An open media file, and the sentences of its errors.

    Attributes:
        file: as it was given.
        container: the open file.
        limits: on what is read.
        format: the short name of its format, one of `FORMATS`.
        origin: the time stamp, in seconds, that is media time 0: the start of the earliest stream.
    """

    def __init__(self, file: Path, container: "InputContainer", limits: Limits) -> None:
        self.file = file
        self.container = container
        self.limits = limits
        self.format = str(container.format.name).split(",")[0]
        self.origin = _origin(file, container)

    @property
    def moves(self) -> bool:
        """Whether it holds moving pictures; a cover is none."""
        return not all(_is_cover(stream) for stream in self.container.streams.video)

    def error(self, cause: str) -> MediaError:
        """The error of this file: what is wrong with it, one clause."""
        return MediaError(self.file, cause)

    def beyond(self, limit: str, has: str) -> MediaError:
        """The error of a file that is beyond one of its limits: what it has, one clause."""
        return limits.beyond(self.file, self.limits, limit, has)

    def check_length(self, seconds: float) -> None:
        """Raise MediaError where the file goes on beyond the limit of media seconds."""
        if seconds > self.limits.seconds:
            raise self.beyond("seconds", f"goes on to {seconds:,.0f} seconds")

    def guard(self, doing: str) -> AbstractContextManager[None]:
        """Turn what a damaged file makes PyAV raise in a `with` block into `MediaError`; `doing` begins the cause."""
        return _guarded(self.file, doing)

    def part(self, start: float | None, end: float | None, rate: int) -> Part:
        """The part from `start` to `end`, of which None and nan are the beginning and the end of the file.

        Raises:
            MediaError: it begins before the file, or holds no sample at `rate` Hz.
        """
        begin = 0.0 if start is None or math.isnan(start) else start
        part = Part(begin, math.inf if end is None or math.isnan(end) else end)
        if part.start < part.end:
            first, last = part.samples(rate)
            if first >= 0 and (last is None or first < last):
                return part
        raise self.error(f"has no part from {start} to {end} seconds; the start must be 0 or more, the end later")

    def ends_early(self, part: Part, time: float | None = None) -> MediaError:
        """The error for a file that ends before a part of it does; None where it is not known when."""
        if time is None:
            return self.error(f"ends before {part.start:.2f} s, where the part begins")
        return self.error(f"ends at {time:.2f} s, before the part {part} does")


@contextmanager
def open_media(file: Path | str) -> Iterator[Media]:
    """Open a media file for reading and close it at the end of the `with` block.

    Args:
        file: a regular file; its content decides the format, not its name.

    Raises:
        MediaError: missing, no regular file (refused without waiting for a pipe), empty, of no known format, a
            playlist, damaged so that no stream is found, or beyond the limits that hold (`media.limits`).
    """
    file = Path(file)
    try:
        status = file.stat()
    except OSError as error:
        cause = headers.absent(file) or f"cannot be read ({error.strerror}); check the path"
        raise MediaError(file, cause) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise MediaError(file, f"is {kind}, not a media file")
    if status.st_size == 0:
        raise MediaError(file, "is empty (0 bytes)")
    if (instead := headers.instead_of_media(file)) is not None:
        raise MediaError(file, instead)
    with _opened(file) as container:
        with _guarded(file, "is damaged at its head"):
            media = Media(file, container, limits.current())
        _check_limits(media)
        with media.guard("is damaged"):
            place = headers.second_file(file, media.format)
        if place is not None:
            raise media.error(
                f"holds a second recording from byte {place:,} on, which would be lost; split the file there"
            )
        yield media


@contextmanager
def _opened(file: Path) -> "Iterator[InputContainer]":
    """The open file. Only of few streams are pictures larger than `PROBED` decoded to know the file.

    Raises:
        MediaError: of no known format, damaged, or of many streams of large pictures.
    """
    known = "is no media file of a known format, or is damaged at its head"
    most = limits.current().pixels
    with _guarded(file, known):
        container = _open(file, min(PROBED, most))
    with container:
        large = [video for video in container.streams.video if not 0 < _pixels(video) <= PROBED]
        if not large or most <= PROBED:
            yield container
            return
    if len(large) > LARGE:
        some = f"has {len(large)} streams of large pictures, or of ones that cannot be read"
        raise MediaError(file, f"{some}; keep one of them: ffmpeg -i {file.name} -map 0:v:0 -map 0:a? FILE.mkv")
    with _guarded(file, known):
        container = _open(file, most)
    with container:
        yield container


def _pixels(video: "av.VideoStream") -> int:
    return 0 if video.codec_context is None else video.width * video.height


def _open(file: Path, pixels: int) -> "InputContainer":
    """The file, opened by libav; of mp4 after its index was looked at, of which libav may make much.

    Libav refuses a format that is not in its list before it reads the file's head, so it says by itself what is mp4.
    """
    try:
        return _opened_as(file, pixels, [name for name in FORMATS if name != "mov"])
    except av.ArgumentError:
        _check_index(file)
        return _opened_as(file, pixels, FORMATS)


def _check_index(file: Path) -> None:
    """Raise MediaError where the index of an mp4 file promises what no recording holds, or takes too long to read."""
    size = file.stat().st_size
    try:
        samples = promised_samples(file, limits.current().boxes)
    except ExcessError as found:
        if found.limit is None:
            raise MediaError(file, str(found)) from found
        raise limits.beyond(file, limits.current(), found.limit, str(found)) from found
    if samples > size:  # libav would keep an entry for each
        raise MediaError(file, f"promises {samples:,} samples in {size:,} bytes, as no recording does")


def _opened_as(file: Path, pixels: int, formats: Sequence[str]) -> "InputContainer":
    options = {
        "format_whitelist": ",".join(formats),
        "protocol_whitelist": "file",
        "max_pixels": str(pixels),
        "max_samples": str(limits.current().samples),
        # libav tests whether PCM is a disguised DTS stream; with its default, opening a wav takes 16 ms.
        "max_probe_packets": "4",
    }
    if headers.is_wav(file):  # as many bytes are tested, and there is a fourth of the packets
        options |= {"max_probe_packets": "1", "max_size": str(4 * 2048)}
    # An absolute path, because libav reads `data:...` or `http:...` at the beginning of a name as a protocol.
    return cast("InputContainer", av.open(str(file.absolute()), options=options, **_METADATA))


def _origin(file: Path, container: "InputContainer") -> float:
    """The time stamp, in seconds, at which the earliest stream begins.

    Of Opus in Matroska, libav counts the samples that a decoder drops first at the rate in the header, and not at
    Opus's own 48,000 Hz: of sound from 16 kHz, the stream would begin 13 ms late.
    """
    streams = [stream for stream in (*container.streams.audio, *container.streams.video) if not _is_cover(stream)]
    opus = [one for one in streams if one.codec_context is not None and "opus" in one.codec_context.name]
    if not opus or not container.format.name.startswith("matroska"):
        return (container.start_time or 0) / av.time_base
    begins = {one.index: (one.start_time or 0) * (one.time_base or Fraction(0)) for one in streams}
    first: dict[int, int] = {}
    with _open(file, min(PROBED, limits.current().pixels)) as again:
        for packet in again.demux([again.streams[one.index] for one in opus]):
            if packet.pts is not None:
                first.setdefault(packet.stream.index, packet.pts)
            if len(first) == len(opus):
                break
    for one in opus:
        if one.index in first and one.time_base:
            dropped = Fraction(one.codec_context.delay, _OPUS_RATE) / one.time_base
            begins[one.index] = (first[one.index] + math.floor(dropped + Fraction(1, 2))) * one.time_base  # as libav
    return float(min(begins.values()))


def _is_cover(stream: "Stream") -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


@contextmanager
def _guarded(file: Path, doing: str) -> Iterator[None]:
    before = watch.begin()
    try:
        yield
    except _DAMAGE as error:
        cause = getattr(error, "strerror", None) or error or type(error).__name__
        raise MediaError(file, f"{doing}: {cause}") from error
    finally:
        watch.end(before)


def _check_limits(media: Media) -> None:
    streams, most = media.container.streams, media.limits
    if len(streams) > most.streams:
        raise media.beyond("streams", f"has {len(streams)} streams")
    if not streams.audio and not streams.video:
        raise media.error("holds neither sound nor pictures")
    sizes = [_pixels(video) for video in streams.video]
    if max(sizes, default=0) > most.pixels or not (any(sizes) or streams.audio):  # libav sets a forbidden size to 0
        raise media.beyond("pixels", "holds pictures that cannot be read or are larger")
    for audio in streams.audio:
        if audio.codec_context is None:
            raise media.error("holds sound in a coding that is not known; convert it to wav or flac")
        if audio.channels > most.channels:
            raise media.beyond("channels", f"has {audio.channels} channels")
        if audio.sample_rate > most.sample_rate:
            raise media.beyond("sample_rate", f"has a sample rate of {audio.sample_rate} Hz")
        if 0 < audio.sample_rate < most.least_sample_rate:
            raise media.beyond("least_sample_rate", f"has a sample rate of {audio.sample_rate} Hz")


def damaged_at(time: float) -> str:
    """How the cause of damage at a media second begins."""
    return f"is damaged at {time:.2f} s"


def probe(file: Path | str) -> MediaInfo:
    """Read a file's length and kind from its header, without decoding it.

    The length is what the header promises where the format's header does so; else all packets are walked. A cover
    picture is no video.

    Raises:
        MediaError: as `open_media`.
    """
    with open_media(file) as media:
        container = media.container
        seconds = 0.0
        if container.duration and media.format in _TRUE_DURATION and not headers.is_fragmented(media.file):
            seconds = container.duration / av.time_base
        else:
            with media.guard("is damaged"):
                stamps = Stamps.of(container)
                for packet in stamps.run_on(container.demux([container.streams[index] for index in stamps.timed])):
                    seconds = max(seconds, packet_end(packet) - media.origin)
        media.check_length(seconds)
        return MediaInfo(seconds, bool(container.streams.audio), media.moves)


class Promise(NamedTuple):
    """How long the header says that the file is, in media seconds, and whether this holds for one stream alone."""

    seconds: float
    of_stream: bool


def promised(media: Media, stream: "Stream") -> Promise | None:
    """What the header promises; None where the format makes no promise, or where its writer left it open."""
    name, whole = media.format, media.container.duration
    if name in PROMISE_BY_CONTAINER and whole:
        return Promise(_from_first(whole / av.time_base, media.origin), of_stream=False)
    if not stream.duration or stream.time_base is None or name not in _PROMISE_BY_STREAM:
        return None
    seconds = float(stream.duration * stream.time_base)
    if name == "wav":
        share = headers.share_present(media.file)
        return Promise(seconds / share, of_stream=True) if share else None
    if name == "mp3" and not headers.has_frame_count(media.file):
        return None  # libav then guesses from the bit rate
    if name == "mov":  # a track may begin late
        begin = float((stream.start_time or 0) * stream.time_base)
        if headers.is_fragmented(media.file):
            seconds = _from_first(seconds, begin)
        seconds += begin - media.origin
    return Promise(seconds, of_stream=True)


def _from_first(seconds: float, begin: float) -> float:
    """A length that some writers count from the stamp 0 and some from the first stamp, `begin`: the less of both."""
    return seconds - begin if 0 < begin < seconds else seconds
