"""Li et al.'s 43 values a frame, (T, 43) float32: 40 log-mel energies, then f0 in hertz, NCCF, log energy.

Each is as `mien.features.logmel` and `mien.features.prosody` define it, on one grid of frames; nothing is normalised.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.features import logmel, prosody

SOURCE = "Li et al. 2020, section 5: 40 log-mel, f0, NCCF, energy; 40 ms windows each 10 ms, no normalisation"
VERSION = 100 * logmel.VERSION + prosody.VERSION


class Config(logmel.Config, prosody.Config):
    """The settings of `logmel` and of `prosody`; window and shift are common to both."""


def dimension(config: Config) -> int:
    """Values a frame."""
    return logmel.dimension(config) + prosody.dimension(config)


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.shift_size / config.sample_rate


def extract(waveforms: Sequence[NDArray[np.float32]], config: Config) -> list[NDArray[np.float32]]:
    """The (T, 43) float32 values of each waveform, (N,) float32 at full scale and `config.sample_rate`."""
    pairs = zip(logmel.extract(waveforms, config), prosody.extract(waveforms, config), strict=True)
    return [np.concatenate(pair, axis=1) for pair in pairs]
