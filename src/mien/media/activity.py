"""Voice activity: one yes or no for each frame of 32 ms of sound, by the loudest of its channels.

`energy` needs nothing: a frame is active when the level of a channel, freed of its offset and of the drift of that, is
above -55 dB of full scale, and the mean of the channels, which a model hears, has not lost it because they cancel.
`silero` is a trained voice activity detector (Silero Team, silero-vad 6, MIT; the extra `vad`), and separates voice
from other sound.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, unknown

THRESHOLD = 10 ** (-55 / 20)  # speech in quiet recordings of EmoDB, RAVDESS and LibriSpeech stays well above it

CANCELLED = 2.0  # a voice in one of C channels is C times weaker in their mean; what is this much weaker has cancelled

Kind = Literal["energy", "silero"]
Detector = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


def frame_size(rate: int) -> int:
    """Samples in a frame."""
    return round(0.032 * rate)


def detector(kind: str, rate: int = 16_000) -> Detector:
    """A function from frames of one recording, in the order of time, to flags (n,).

    Frames are (n, `frame_size(rate)`) float32, or (n, C, `frame_size(rate)`) of C channels.

    Raises:
        ConfigError: an unknown kind, its extra is not installed, or it does not work at this rate.
    """
    if kind == "energy":
        return _by_energy
    if kind != "silero":
        raise ConfigError(unknown("voice activity", kind, ("energy", "silero")))
    if rate != 16_000:
        raise ConfigError(f"voice activity 'silero' needs 16,000 Hz, and the model has {rate} Hz: use 'energy'")
    model = _silero()
    import torch

    model.reset_states()  # its memory is of another recording

    def by_silero(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        if frames.ndim == 3:
            frames = np.take_along_axis(frames, _levels(frames).argmax(axis=1)[:, None, None], axis=1)[:, 0]
        with torch.no_grad():
            return np.array([model(torch.from_numpy(frame), 16_000).item() > 0.5 for frame in frames], dtype=bool)

    return by_silero


@cache
def _silero() -> Any:
    try:
        import silero_vad
    except ImportError:
        raise ConfigError("voice activity 'silero' needs an extra: pip install 'mien[vad]'") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package loads its weights by torch.jit
        return silero_vad.load_silero_vad()


def _by_energy(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    if frames.ndim == 2:
        return np.asarray(_levels(frames) > THRESHOLD, dtype=np.bool_)
    loud = np.asarray(_levels(frames).max(axis=1) > THRESHOLD, dtype=np.bool_)
    if frames.shape[1] == 1:
        return loud
    kept = _levels(frames.mean(axis=1, dtype=np.float64)) > THRESHOLD / (CANCELLED * frames.shape[1])
    return np.asarray(loud & kept, dtype=np.bool_)


def _levels(frames: NDArray[Any]) -> NDArray[np.float64]:
    """The deviation of each frame from a straight line: its level without an offset, constant or drifting."""
    values = np.asarray(frames, np.float64)
    time = np.linspace(-1.0, 1.0, values.shape[-1])
    count = values.shape[-1]
    power = np.einsum("...n,...n->...", values, values) / count - np.square(values.mean(axis=-1))
    drift = np.square(values @ time / count) / np.square(time).mean()
    return np.asarray(np.sqrt(np.maximum(power - drift, 0.0)))
