"""Predictions for a media file over time: one per person and window, from voice, face, or both.

The option `speaker` selects among several faces:

- "active" takes the person whose mouth moves with the sound, and where that is not clear the largest face;
- "largest" takes the largest face, and assigns the voice to it;
- "all" takes everybody. The voice is assigned to the active person, or where that is not clear to the largest face.

Where no face can be used, the voice belongs to a person called `VOICE`; where only the speaker's face cannot be used,
the speaker is classified by voice alone. Numbers of people restart in each file. For a model without faces there is one
person, 1.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.common import memory
from mien.errors import MediaError
from mien.media.activity import Detector
from mien.media.faces import Faces, Reason, Seen
from mien.media.faces.people import People
from mien.media.windows import Window, joined, windows
from mien.runs.predictor import Predictor

Choice = Literal["active", "largest", "all"]

LEAST_ACTIVE = 0.2  # seconds of voice in a window that is classified; in a shorter window, half of its length
AT_ONCE = 60  # windows of sound in memory; with the default window and hop, their pitch is searched in one go
FACES_AT_ONCE = 8  # windows in memory of a model with faces
GIVE_BACK = 600  # windows after which free memory is given back
HELD = 2**25  # bytes of faces in memory, exceeded by one window at most
PIXELS = 2**22  # pixels (times channels) in one batch: 16 MB as floats, and a multiple of it inside the model
VOICE = "voice"  # the person of a voice without a face


class Prediction(NamedTuple):
    """The prediction for one person in one window.

    Attributes:
        start: start in media seconds.
        end: end in media seconds.
        person: a number from 1, or `VOICE`; empty without voice and face.
        modality: audio, video, or audio+video, as used; empty without voice and face.
        probabilities: (K,); None without voice and face.
        audio_share: how much less probable the likeliest class is without the voice; None unless both were used.
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
    ensemble: Predictor,
    faces: Faces | None,
    *,
    window: float,
    hop: float,
    detect: Detector,
    speaker: Choice = "active",
    least: float = 0.0,
) -> Iterator[Prediction]:
    """The predictions of a model for a file, in the order of time.

    Args:
        file: any media file.
        ensemble: the model.
        faces: how faces are found; None for a model without faces: only the sound is read, and its voice is person 1.
        window: length of a window in seconds.
        hop: seconds from the start of one window to the next.
        detect: voice activity detector, see `media.activity.detector`.
        speaker: which of several faces to classify.
        least: seconds; in a shorter window, who has a face is classified by the face alone.

    Raises:
        ConfigError: the face detector is not installed.
        MediaError: the file cannot be read, or has none of the modalities of the model.
    """
    if faces is None:
        look, most, nameless = None, AT_ONCE, "1"
        nothing = "has no sound, and this model needs sound"
    else:
        look, most, nameless = People(faces, rate=ensemble.rate), FACES_AT_ONCE, VOICE
        nothing = "has neither sound nor video"
    voiced = "audio" in ensemble.modalities
    stream = windows(file, length=window, hop=hop, detect=detect, rate=ensemble.rate, look=look)
    cases = partial(_cases, speaker=speaker, voiced=voiced, nameless=nameless, least=least)
    empty = True
    for one in _answered(stream, cases, most, ensemble):
        empty = False
        yield one
    if empty:
        raise MediaError(file, nothing)
    if look is not None and not look.begun and not voiced:
        raise MediaError(file, "has no video, and this model needs video")


def of_sound(stream: Iterator[Window], ensemble: Predictor) -> Iterator[Prediction]:
    """The predictions of a model of voices for windows of sound; their voice is person 1.

    Args:
        stream: the windows, see `media.windows.of_blocks`.
        ensemble: the model.
    """
    return _answered(stream, _one_voice, AT_ONCE, ensemble)


def as_it_comes(stream: Iterator[Window], ensemble: Predictor, *, context: float) -> Iterator[Prediction]:
    """The same, each as soon as its window comes: pitch and level are found with the sound before it, none after it.

    Args:
        stream: the windows.
        ensemble: the model.
        context: seconds before the start of a window from which on the next one's pitch and level are found.
    """
    before: Window | None = None
    for window in stream:
        yield from _predicted([_Task(window, _one_voice(window))], ensemble, before)
        sound, _ = joined([window] if before is None else [before, window], ensemble.rate)
        start = window.start if before is None else before.start
        passed = max(0, round((window.start - context - start) * ensemble.rate))
        before = Window(start + passed / ensemble.rate, window.end, sound[passed:].copy(), 0.0)


def has_voice(window: Window) -> bool:
    """Whether there is enough voice in a window to classify it."""
    return window.active >= min(LEAST_ACTIVE, 0.5 * (window.end - window.start))


class _Case(NamedTuple):
    """A person to classify in a window, by voice, face, or both."""

    person: str
    voice: bool
    face: Seen | None


class _Task(NamedTuple):
    """A window without its people, and the cases to classify in it."""

    window: Window
    cases: tuple[_Case, ...]


def _answered(
    stream: Iterator[Window], cases: Callable[[Window], tuple[_Case, ...]], most: int, ensemble: Predictor
) -> Iterator[Prediction]:
    """The predictions for the windows of a stream, at most `most` of them at a time."""
    held = 0
    while tasks := _next_tasks(stream, cases, most):
        yield from _predicted(tasks, ensemble)
        held += len(tasks)
        if held >= GIVE_BACK:
            memory.give_back()
            held = 0


def _next_tasks(stream: Iterator[Window], cases: Callable[[Window], tuple[_Case, ...]], most: int) -> list[_Task]:
    """The next windows: at most `most`, and as many as memory holds; none at the end."""
    tasks: list[_Task] = []
    held = 0
    while len(tasks) < most and held < HELD and (window := next(stream, None)) is not None:
        tasks.append(_Task(window._replace(people=()), cases(window)))
        held += sum(case.face.pixels.nbytes for case in tasks[-1].cases if case.face is not None)
    return tasks


def _cases(window: Window, *, speaker: Choice, voiced: bool, nameless: str, least: float = 0.0) -> tuple[_Case, ...]:
    """The people to classify in a window, in the order of their numbers; none without voice and face.

    `nameless` is the person of the voice where no face can be used.
    """
    voice = voiced and has_voice(window)
    usable = [one for one in window.people if (one.reasons == Reason.VALID).any()]
    largest = max(usable, key=lambda one: one.area, default=None)
    faces = {str(one.person): one for one in usable}
    shown = None if largest is None else str(largest.person)
    talker = str(window.speaker) if window.speaker is not None and speaker != "largest" else shown or nameless
    if speaker == "all":
        chosen = sorted({*faces, *([talker] if voice else [])}, key=lambda one: (one == VOICE, len(one), one))
    elif voice or talker in faces:
        chosen = [talker]
    else:
        chosen = [] if shown is None else [shown]
    brief = window.end - window.start < least - 1e-6
    heard = {one: voice and one == talker and not (brief and one in faces) for one in chosen}
    return tuple(_Case(one, heard[one], faces.get(one)) for one in chosen)


def _one_voice(window: Window) -> tuple[_Case, ...]:
    """The case of a window of a model without faces."""
    return _cases(window, speaker="active", voiced=True, nameless="1")


def _predicted(tasks: Sequence[_Task], ensemble: Predictor, before: Window | None = None) -> Iterator[Prediction]:
    """The predictions for consecutive windows; `before` is a window of the sound before them, which has no answer."""
    frames = _frames(tasks, ensemble, before)
    inputs: list[tuple[NDArray[np.float32] | None, Seen | None]] = []
    for number, (_, cases) in enumerate(tasks):
        for case in cases:
            voice = frames[number] if case.voice else None
            inputs.append((voice, case.face))
            if case.voice and case.face is not None:
                inputs += [(None, case.face), (voice, None)]
    probabilities = _probabilities(inputs, ensemble)
    for window, cases in tasks:
        for case in cases:
            place, whole = (window.start, window.end, case.person), next(probabilities)
            if case.voice and case.face is not None:
                best = int(whole.argmax())
                shares = [
                    float(whole[best] - next(probabilities)[best]) for _ in ("without the sound", "without the face")
                ]
                yield Prediction(*place, "audio+video", whole, *shares)
            else:
                yield Prediction(*place, "audio" if case.voice else "video", whole)
        if not cases:
            yield Prediction(window.start, window.end, "", "", None)


def _frames(tasks: Sequence[_Task], ensemble: Predictor, before: Window | None) -> dict[int, NDArray[np.float32]]:
    """Number of a window in `tasks` -> the frames of its sound, where its voice is classified."""
    wanted = [number for number, (_, cases) in enumerate(tasks) if any(case.voice for case in cases)]
    if not wanted:
        return {}
    windows = [window for window, _ in tasks]
    if before is None:
        sound, places = joined(windows, ensemble.rate)
        return dict(zip(wanted, ensemble.frames(sound, [places[number] for number in wanted]), strict=True))
    sound, (_, *places) = joined([before, *windows], ensemble.rate)
    nothing = slice(places[0].start, places[0].start)  # a part beside it, else one part would be heard alone
    found = ensemble.frames(sound, [nothing, *(places[number] for number in wanted)])
    return dict(zip(wanted, found[1:], strict=True))


def _probabilities(
    inputs: Sequence[tuple[NDArray[np.float32] | None, Seen | None]], ensemble: Predictor
) -> Iterator[NDArray[np.float64]]:
    """The probabilities (K,) of each pair of voice and face, in batches that fit in memory."""
    largest = max((face.pixels.size for _, face in inputs if face is not None), default=1)
    step = max(1, PIXELS // max(1, largest))
    for first in range(0, len(inputs), step):
        part = inputs[first : first + step]
        yield from ensemble.infer([voice for voice, _ in part], [face for _, face in part])
