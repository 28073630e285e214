"""Sound that is in a file and not in what is read of it, the mean of the channels of its default sound track."""

from pathlib import Path

from mien.errors import MediaError
from mien.media.activity import detector, frame_size
from mien.media.containers import open_media
from mien.media.packets import Packets
from mien.media.resampling import part_of, regrouped
from mien.media.soundtrack import Track, sound_stream

_RATE = 16_000  # Hz
_HEARD = 0.2  # s of activity of a track that is worth a word


def heard_instead(file: Path) -> str | None:
    """What to say of a file whose default sound track is silent throughout, where it has sound; one clause, or None.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_media(file) as media:
        default = sound_stream(media)
        several = default is not None and default.channels > 1
        places = {stream.index: place for place, stream in enumerate(media.container.streams.audio)}
        index = None if default is None else default.index
    if index is None or not (several or len(places) > 1):
        return None
    count, own = len(places), places.pop(index)
    if _is_heard(file, own):
        return None
    if several and _is_heard(file, own, apart=True):
        return (
            f"its channels cancel each other: keep one of them, as 'ffmpeg -i {file.name} -af pan=mono|c0=c0 FILE.wav'"
        )
    for place in places.values():
        if _is_heard(file, place):
            which = f"track {place + 1} of its {count} sound tracks is not"
            return f"{which}: keep that one, as 'ffmpeg -i {file.name} -map 0:a:{place} FILE.wav'"
    return None


def _is_heard(file: Path, place: int, *, apart: bool = False) -> bool:
    """Whether a sound track, counted from 0, has activity; not one that cannot be decoded.

    Where channels are looked at `apart`, it counts also where they cancel each other.
    """
    size, active = frame_size(_RATE), 0
    detect = detector("energy", _RATE)
    try:
        with open_media(file) as media:
            stream = media.container.streams.audio[place]
            track = Track(Packets(media, [stream]), stream, channels=True)
            for rows in regrouped(part_of(track, _RATE, 0, None), size):
                if rows.shape[1] == size:
                    channels = rows[1:] if len(rows) > 1 else rows
                    active += int(detect(channels if apart else channels[None]).any())
                if active * size >= _HEARD * _RATE:
                    return True
    except MediaError:
        return False
    return False
