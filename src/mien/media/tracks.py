"""The sound tracks of a file that are not read: the default one is, and may be silent where another one is not."""

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
    """What to say of a file whose default sound track is silent, where another track is not: one clause, or None.

    Raises:
        MediaError: the file cannot be opened.
    """
    with open_media(file) as media:
        default = sound_stream(media)
        found = list(enumerate(media.container.streams.audio))
    others = [place for place, stream in found if default is not None and stream.index != default.index]
    heard = [place for place in others if _is_heard(file, place)]
    if not heard:
        return None
    which = f"track {heard[0] + 1} of its {len(found)} sound tracks is not"
    return f"{which}: write a file with that one alone, as 'ffmpeg -i {file.name} -map 0:a:{heard[0]} FILE.wav' does"


def _is_heard(file: Path, place: int) -> bool:
    """Whether a sound track, counted from 0, has activity; not one that cannot be decoded."""
    size, active = frame_size(_RATE), 0
    detect = detector("energy", _RATE)
    try:
        with open_media(file) as media:
            stream = media.container.streams.audio[place]
            track = Track(Packets(media, [stream]), stream, channels=True)
            for rows in regrouped(part_of(track, _RATE, 0, None), size):
                if rows.shape[1] == size:
                    active += int(detect((rows[1:] if len(rows) > 1 else rows)[None])[0])
                if active * size >= _HEARD * _RATE:
                    return True
    except MediaError:
        return False
    return False
