"""Log-mel filterbank energies, (T, mels) float32: natural logarithms of power at full scale 1.

Kaldi's definition: each frame loses its mean, is pre-emphasised within itself, tapered, and zero-padded to a power of
two; the power spectrum goes through triangles that are even in mel = 1127 ln(1 + f / 700); what is below
float32's epsilon is raised to it, so silence is ln(1.19e-7) = -15.94. No normalisation a clip or a speaker.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.errors import ConfigError
from mien.features import _frames
from mien.features._config import FrameConfig

SOURCE = "Kaldi's fbank; 40 bands, 40 ms windows each 10 ms as in Li et al. 2020, section 5"
VERSION = 1
ONE_THREAD = 2**17  # products of one multiplication, few enough for one thread: bits depend on the number of threads
FLOOR = np.finfo(np.float32).eps


class Config(FrameConfig):
    """Settings of log-mel energies.

    Attributes:
        mels: number of bands. Li et al. 2020, section 5: 40.
        low: lower edge of the lowest band in hertz (Kaldi's default; the papers do not say).
        high: upper edge of the highest band in hertz; None is half the sampling rate (Kaldi's default).
        preemphasis: coefficient of the first difference (Kaldi's default; the papers do not say).
        taper: window function (Kaldi's default; the papers do not say).
    """

    mels: int = Field(default=40, ge=1, le=512)
    low: float = Field(default=20.0, ge=0)
    high: float | None = Field(default=None, gt=0)
    preemphasis: float = Field(default=0.97, ge=0, le=1)
    taper: Literal["hamming", "hann", "povey"] = "povey"

    @model_validator(mode="after")
    def _bands_exist(self) -> Self:
        nyquist = self.sample_rate / 2
        high = nyquist if self.high is None else self.high
        if not self.low < high <= nyquist:
            raise ValueError(f"bands from low = {self.low} to high = {high} Hz must rise and end at {nyquist} or below")
        return self


def dimension(config: Config) -> int:
    """Values a frame."""
    return config.mels


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.shift_size / config.sample_rate


def extract(waveforms: Sequence[NDArray[np.float32]], config: Config) -> list[NDArray[np.float32]]:
    """The (T, mels) float32 energies of each waveform, (N,) float32 at full scale and `config.sample_rate`."""
    return [_energies(waveform, config) for waveform in waveforms]


def _energies(waveform: NDArray[np.float32], config: Config) -> NDArray[np.float32]:
    here, before, bank = _operators(config)
    energies = np.empty((_frames.count(len(waveform), config), config.mels), np.float32)
    filled = _frames.zeros(len(energies), 2 * (len(bank) - 1))
    rows = max(1, ONE_THREAD // bank.size)
    for part, samples in _frames.blocks(waveform, config):
        centred = samples - samples.mean(1, keepdims=True)
        tapered = filled[: len(samples), : config.window_size]
        np.multiply(centred, here, out=tapered)
        tapered[:, 1:] += centred[:, :-1] * before
        power = _frames.power(filled[: len(samples)])
        for first in range(0, len(power), rows):
            np.matmul(power[first : first + rows], bank, out=energies[part][first : first + rows])
    return np.log(np.maximum(energies, FLOOR, out=energies), out=energies)


@lru_cache(maxsize=8)
def _operators(config: Config) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What multiplies a sample (window,), the one before it (window - 1,), and the power spectrum (bins, mels)."""
    window = _frames.taper(config.taper, config.window_size)
    here = window.copy()
    here[0] *= 1 - config.preemphasis  # the first sample of a frame stands in for the one before it
    size = 1 << (config.window_size - 1).bit_length()
    high = config.sample_rate / 2 if config.high is None else config.high
    lowest, highest = _mel(np.array([config.low, high]))
    edges = np.linspace(lowest, highest, config.mels + 2)
    bins = _mel(np.arange(size // 2 + 1) * config.sample_rate / size)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank = np.maximum(np.minimum(rising, falling), 0)
    if not bank.any(0).all():
        raise ConfigError(
            f"mels = {config.mels}: band {int(np.argmin(bank.any(0)))} lies between two bins of a {size}-point "
            "spectrum; take fewer bands or a longer window"
        )
    before = -config.preemphasis * window[1:]
    return here.astype(np.float32), before.astype(np.float32), bank.astype(np.float32)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hertz / 700.0)
