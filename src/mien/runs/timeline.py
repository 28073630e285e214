"""What a model says of a media file over time: one judgement a person and window, by voice, face, or both.

Who is judged where several faces are seen is `speaker`:

- "active" takes the one whose mouth moves with the sound, and where that is not clear the largest face;
- "largest" takes the largest face, and the voice for its own;
- "all" takes everybody. The voice is that of one person: the active one, or where that is not clear the largest face.

A voice is that of a person called `VOICE` where there is no face that can be used, and the speaker's alone where theirs
cannot. Numbers of people restart in each file. A model that sees no faces hears one person, 1.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media.activity import Detector
from mien.media.faces import Faces, Reason, Seen
from mien.media.faces.people import People
from mien.media.windows import Window, joined, windows
from mien.runs.ensemble import Ensemble

Choice = Literal["active", "largest", "all"]

LEAST_ACTIVE = 0.2  # seconds of voice that a window needs to be judged; of a shorter one, half of it
AT_ONCE = 60  # windows of sound in memory; with the usual window and hop, the pitch of so many is searched in one go
SEEN_AT_ONCE = 8  # windows in memory where faces are seen
HELD = 2**25  # bytes of faces in memory, within one window more
JUDGED = 2**22  # pixels, all channels counted, that a model sees at once: 16 MB as floats, and a multiple inside it
VOICE = "voice"  # the person whom nobody sees


class Judgement(NamedTuple):
    """One person in one window.

    Attributes:
        start: media seconds.
        end: media seconds.
        person: a number from 1, or `VOICE`; empty where nobody is heard or seen.
        modality: audio, video, or audio+video: what was judged; empty where nobody is heard or seen.
        probabilities: (K,); None where nobody is heard or seen.
        audio_share: what the likeliest class loses in probability without the sound; None unless there is a face too.
        video_share: the same without the face.
    """

    start: float
    end: float
    person: str
    modality: str
    probabilities: NDArray[np.float64] | None
    audio_share: float | None = None
    video_share: float | None = None


def predictions(
    file: Path,
    ensemble: Ensemble,
    faces: Faces | None,
    *,
    window: float,
    hop: float,
    detect: Detector,
    speaker: Choice = "active",
) -> Iterator[Judgement]:
    """What a model says of a file, in the order of time.

    Args:
        file: any media file.
        ensemble: the model.
        faces: how faces are found; None where the model sees none: only the sound is read, and its voice is person 1.
        window: seconds that are judged at once.
        hop: seconds from one window to the next.
        detect: where somebody is heard, see `media.activity.detector`.
        speaker: who is judged where several faces are seen.

    Raises:
        ConfigError: a face detector that is not installed.
        MediaError: the file cannot be read, or has nothing of what the model takes in.
    """
    if faces is None:
        look, most, nameless = None, AT_ONCE, "1"
        nothing = "there is no sound in it, and this model hears only"
    else:
        look, most, nameless = People(faces, rate=ensemble.rate), SEEN_AT_ONCE, VOICE
        nothing = "there is neither sound nor video in it"
    hears = "audio" in ensemble.modalities
    found = windows(file, length=window, hop=hop, detect=detect, rate=ensemble.rate, look=look)
    cases = partial(_cases, speaker=speaker, hears=hears, nameless=nameless)
    some = _taken(found, cases, most)
    if not some:
        raise MediaError(file, nothing)
    while some:
        yield from _judged(some, ensemble)
        some = _taken(found, cases, most)
    if look is not None and not look.begun and not hears:
        raise MediaError(file, "there is no video in it, and this model sees only")


def is_heard(window: Window) -> bool:
    """Whether there is enough voice in a window to judge it."""
    return window.active >= min(LEAST_ACTIVE, 0.5 * (window.end - window.start))


class _Case(NamedTuple):
    """A person to be judged in a window, by voice, face, or both."""

    person: str
    voice: bool
    face: Seen | None


class _Asked(NamedTuple):
    """A window without its people, and who of them is judged."""

    window: Window
    cases: tuple[_Case, ...]


def _taken(found: Iterator[Window], cases: Callable[[Window], tuple[_Case, ...]], most: int) -> list[_Asked]:
    """The next windows: at most so many, and as many as memory holds; none at the end."""
    some: list[_Asked] = []
    held = 0
    while len(some) < most and held < HELD and (window := next(found, None)) is not None:
        some.append(_Asked(window._replace(people=()), cases(window)))
        held += sum(case.face.pixels.nbytes for case in some[-1].cases if case.face is not None)
    return some


def _cases(window: Window, *, speaker: Choice, hears: bool, nameless: str) -> tuple[_Case, ...]:
    """Who is judged in a window, in the order of their numbers; nobody where nobody is heard or seen.

    `nameless` is whose voice it is where there is no face that can be used.
    """
    voice = hears and is_heard(window)
    usable = [one for one in window.people if (one.reasons == Reason.VALID).any()]
    largest = max(usable, key=lambda one: one.area, default=None)
    faces = {str(one.person): one for one in usable}
    shown = None if largest is None else str(largest.person)
    heard = str(window.speaker) if window.speaker is not None and speaker != "largest" else shown or nameless
    if speaker == "all":
        judged = sorted({*faces, *([heard] if voice else [])}, key=lambda one: (one == VOICE, len(one), one))
    elif voice or heard in faces:
        judged = [heard]
    else:
        judged = [] if shown is None else [shown]
    return tuple(_Case(one, voice and one == heard, faces.get(one)) for one in judged)


def _judged(some: Sequence[_Asked], ensemble: Ensemble) -> Iterator[Judgement]:
    frames = _frames(some, ensemble)
    asked: list[tuple[NDArray[np.float32] | None, Seen | None]] = []
    for number, (_, cases) in enumerate(some):
        for case in cases:
            voice = frames[number] if case.voice else None
            asked.append((voice, case.face))
            if case.voice and case.face is not None:
                asked += [(None, case.face), (voice, None)]
    told = _told(asked, ensemble)
    for window, cases in some:
        for case in cases:
            place, whole = (window.start, window.end, case.person), next(told)
            if case.voice and case.face is not None:
                best = int(whole.argmax())
                shares = [float(whole[best] - next(told)[best]) for _ in ("without the sound", "without the face")]
                yield Judgement(*place, "audio+video", whole, *shares)
            else:
                yield Judgement(*place, "audio" if case.voice else "video", whole)
        if not cases:
            yield Judgement(window.start, window.end, "", "", None)


def _frames(some: Sequence[_Asked], ensemble: Ensemble) -> dict[int, NDArray[np.float32]]:
    """Number of a window in `some` -> the frames of its sound, where it is judged."""
    wanted = [number for number, (_, cases) in enumerate(some) if any(case.voice for case in cases)]
    if not wanted:
        return {}
    sound, places = joined([window for window, _ in some], ensemble.rate)
    return dict(zip(wanted, ensemble.frames(sound, [places[number] for number in wanted]), strict=True))


def _told(
    asked: Sequence[tuple[NDArray[np.float32] | None, Seen | None]], ensemble: Ensemble
) -> Iterator[NDArray[np.float64]]:
    """The probabilities (K,) of each, as many at once as memory holds."""
    largest = max((face.pixels.size for _, face in asked if face is not None), default=1)
    step = max(1, JUDGED // max(1, largest))
    for first in range(0, len(asked), step):
        part = asked[first : first + step]
        yield from ensemble.judge([voice for voice, _ in part], [face for _, face in part])
