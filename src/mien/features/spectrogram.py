"""Spectrograms, (T, bins) float32: short-time amplitude or log power, evenly spaced from 0 Hz to half the rate.

Bin b holds the mean power of `fft_size / 2 / bins` neighbouring spectral lines from `b * rate / 2 / bins` Hz up; the
line at half the rate itself is left out, as in all papers that give 512 bins for 1024 points. A sine of amplitude
a on a line of its own has amplitude a there. No normalisation over time or frequency, no pre-emphasis.
"""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.features import _frames
from mien.features._config import FrameConfig

SOURCE = "Albanie et al. 2018, section 5 (512 x T amplitudes); Rana et al. 2019, section IV (128 x 256, by settings)"
VERSION = 1
FLOOR = -100.0  # decibels


class Config(FrameConfig):
    """Settings of spectrograms; the defaults are those of Albanie et al. 2018.

    For Rana et al. 2019: `sample_rate: 22050`, `bins: 128`, `scale: log_power`, which spans 0 to 11 kHz.

    Attributes:
        window: seconds. Albanie et al. and Rana et al.: 25 ms.
        shift: seconds. Albanie et al. and Rana et al.: 10 ms.
        taper: window function. Albanie et al. and Rana et al.: Hamming.
        fft_size: points of the transform, the window zero-padded. Albanie et al.: 512 bins, so 1024.
        bins: values a frame, a divisor of fft_size / 2. Albanie et al.: 512; Rana et al.: 128.
        scale: "amplitude" (Albanie et al.) or "log_power", 10 log10 in decibels, floored at -100 (Rana et al.: open).
    """

    window: float = Field(default=0.025, gt=0, le=1)
    taper: Literal["hamming", "hann", "povey"] = "hamming"
    fft_size: int = Field(default=1024, ge=2)
    bins: int = Field(default=512, ge=1)
    scale: Literal["amplitude", "log_power"] = "amplitude"

    @model_validator(mode="after")
    def _lines_divide(self) -> Self:
        if self.fft_size < self.window_size:
            raise ValueError(f"fft_size = {self.fft_size} must hold the window's {self.window_size} samples")
        if self.fft_size % 2 or (self.fft_size // 2) % self.bins:
            raise ValueError(f"bins = {self.bins} must divide half of fft_size = {self.fft_size}")
        return self


def dimension(config: Config) -> int:
    """Values a frame."""
    return config.bins


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.shift_size / config.sample_rate


def extract(waveforms: Sequence[NDArray[np.float32]], config: Config) -> list[NDArray[np.float32]]:
    """The (T, bins) float32 spectrogram of each waveform, (N,) float32 at full scale and `config.sample_rate`."""
    return [_spectrogram(waveform, config) for waveform in waveforms]


def _spectrogram(waveform: NDArray[np.float32], config: Config) -> NDArray[np.float32]:
    window = _frames.taper(config.taper, config.window_size)
    taper = (2 * window / window.sum()).astype(np.float32)
    power = np.empty((_frames.count(len(waveform), config), config.bins), np.float32)
    filled = _frames.zeros(len(power), config.fft_size)
    for part, samples in _frames.blocks(waveform, config):
        np.multiply(samples, taper, out=filled[: len(samples), : config.window_size])
        lines = _frames.power(filled[: len(samples)])[:, :-1]
        np.mean(lines.reshape(len(lines), config.bins, -1), axis=2, out=power[part])
    if config.scale == "amplitude":
        return np.sqrt(power, out=power)
    np.log10(np.maximum(power, np.float32(10 ** (FLOOR / 10)), out=power), out=power)
    return np.maximum(np.multiply(power, 10, out=power), np.float32(FLOOR), out=power)  # a logarithm is rounded too
