"""Sounds that tests make."""

import numpy as np
from numpy.typing import NDArray


def speechlike(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Harmonics of a gliding pitch under an envelope, with noise: exact in 16 bits."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(3 * time)) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 15)) * (1 + np.sin(9 * time))
    sound = 0.05 * voice + 0.01 * rng.standard_normal(samples)
    return (np.rint(sound * 2**15) / 2**15).astype(np.float32)
