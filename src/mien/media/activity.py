"""Where somebody speaks: one yes or no for each frame of 512 samples (32 ms) of mono sound at 16 kHz.

`energy` needs nothing: a frame is active when its level is above -55 dB of full scale. `silero` is a trained voice
activity detector (Silero Team, silero-vad 6, MIT; the extra `vad`), and tells voice from other sound.
"""

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, unknown

FRAME = 512
THRESHOLD = 10 ** (-55 / 20)  # speech in quiet recordings of EmoDB, RAVDESS and LibriSpeech stays well above it

Kind = Literal["energy", "silero"]
Detector = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


def detector(kind: str) -> Detector:
    """A function from frames (n, 512) float32, in the order of time, to n flags; it may remember what it heard.

    Raises:
        ConfigError: an unknown kind, or its extra is not installed.
    """
    if kind == "energy":
        return _by_energy
    if kind != "silero":
        raise ConfigError(unknown("voice activity", kind, ("energy", "silero")))
    try:
        import silero_vad
    except ImportError:
        raise ConfigError("voice activity 'silero' needs an extra: pip install 'mien[vad]'") from None
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package loads its weights by torch.jit
        model = silero_vad.load_silero_vad()

    def by_silero(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        with torch.no_grad():
            return np.array([model(torch.from_numpy(frame), 16_000).item() > 0.5 for frame in frames], dtype=bool)

    return by_silero


def _by_energy(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    level = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    return np.asarray(level > THRESHOLD, dtype=np.bool_)
