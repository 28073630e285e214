"""Functionals, one vector a clip, (1, D) float32: how spectrum, pitch and loudness are spread over its active frames.

Frames hold cepstra (a cosine transform of log-mel energies), f0 in semitones above 100 Hz, NCCF, log energy, and the
spectrum's shape in broad bands (log-mel energies less their mean over the frame). They are smoothed over three frames;
deltas are regressions over five. A frame is *active* when its energy is less than `active_db` below the loudest, and
*voiced* when its NCCF is above `voiced` too. Over active frames (values, deltas, deltas of deltas) and voiced ones
(values, deltas), ten statistics a dimension: mean, standard deviation, skewness, excess kurtosis, slope (the
regression over the stretch, whose length is 2), and the 5th, 25th, 50th, 75th and 95th percentile. Eight numbers on
rhythm follow. A statistic over no frame is 0. With `level: false` the vector is the same at any recording level, but
for what the level did to the samples (rounding, clipping). `names` has the name of each value.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.features import logmel, prosody

SOURCE = "ours, after the brute-force functionals of Eyben et al. 2010 (openSMILE) and the eGeMAPS of Eyben et al. 2016"
VERSION = 2
STATISTICS = ("mean", "deviation", "skewness", "kurtosis", "slope", "5 %", "25 %", "50 %", "75 %", "95 %")
PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RHYTHM = (
    "share of active frames",
    "share of voiced frames among active ones",
    "voiced stretches an active frame",
    "mean length of voiced stretches",
    "deviation of the length of voiced stretches",
    "peaks of energy an active frame",
    "mean spectral flux",
    "deviation of spectral flux",
)
SMOOTH = [1 / 3, 1 / 3, 1 / 3]
REGRESSION = [-0.2, -0.1, 0.0, 0.1, 0.2]
DECIBELS = 10 / np.log(10)  # in one natural unit of log energy
FAINTEST = 1e-30  # a sound whose loudest sample is below this is silence: its scale would leave float32
STEADY = 1e-3  # a smaller standard deviation counts as this one in skewness and kurtosis

Array = NDArray[np.float32]


class Config(logmel.Config, prosody.Config):
    """The settings of `logmel` and of `prosody`, with other defaults, and those of the functionals.

    f0 is searched as Kaldi does it, in every copy within the same range: trained models rest on these numbers.

    Attributes:
        mels: number of bands.
        window: length of the window of both in seconds.
        max_f0: highest f0 in hertz; high-pitched anger passes 400.
        cepstra: how many, from the zeroth.
        bands: broad bands, of `mels / bands` mel bands each.
        active_db: how far below the loudest frame an active one may be, in decibels.
        voiced: least NCCF of a voiced frame.
        level: whether the level of the recording is kept; without it the loudest sample is brought to full scale (so
            that log-mel energies meet their floor at the same place), and the zeroth cepstrum and the energy are taken
            relative to their mean over active frames.
    """

    mels: int = Field(default=64, ge=1, le=512)
    window: float = Field(default=0.025, gt=0, le=1)
    max_f0: float = Field(default=600.0, le=2_000)
    cepstra: int = Field(default=24, ge=1)
    bands: int = Field(default=16, ge=1)
    active_db: float = Field(default=40.0, gt=0)
    voiced: float = Field(default=0.6, ge=-1, le=1)
    level: bool = True

    @model_validator(mode="after")
    def _enough_mels(self) -> Self:
        if max(self.cepstra, self.bands) > self.mels:
            raise ValueError(f"cepstra = {self.cepstra} and bands = {self.bands} may be mels = {self.mels} at most")
        return self

    @property
    def raised(self) -> float:
        """1: the range of f0 is the same in every copy."""
        return 1.0

    @property
    def margin(self) -> float:
        """How far beyond both ends of the range lags are measured, in seconds: Kaldi's, half of the interpolation."""
        return self.upsample_width / (2 * self.resample_rate)


def dimension(config: Config) -> int:
    """Values of the vector."""
    base, narrow = _dimensions(config)
    return len(STATISTICS) * (3 * base + 2 * narrow) + len(RHYTHM)


def hop(config: Config) -> float:
    """Infinite: a clip has one vector."""
    return inf


def names(config: Config) -> list[str]:
    """What each value of the vector is, in order."""
    narrow = [*(f"cepstrum {number}" for number in range(config.cepstra)), "f0", "nccf", "energy"]
    base = [*narrow, *(f"band {number}" for number in range(config.bands))]
    groups = {"": base, "delta ": base, "delta delta ": narrow, "voiced ": base, "voiced delta ": narrow}
    names = [
        f"{group}{name}, {statistic}"
        for group, dimensions in groups.items()
        for statistic in STATISTICS
        for name in dimensions
    ]
    return [*names, *RHYTHM]


def extract(waveforms: Sequence[Array], config: Config) -> list[Array]:
    """The (1, D) float32 functionals of each waveform, (N,) float32 at full scale; (0, D) of one without a frame."""
    return [summary(values, config) for values in frames(waveforms, config)]


def frames(waveforms: Sequence[Array], config: Config) -> list[Array]:
    """What is summarised, (T, mels + 3) float32: log-mel energies, f0, NCCF, log energy."""
    waveforms = [levelled(waveform, config) for waveform in waveforms]
    pairs = zip(logmel.extract(waveforms, config), prosody.extract(waveforms, config), strict=True)
    return [np.concatenate(pair, axis=1) for pair in pairs]


def levelled(waveform: Array, config: Config) -> Array:
    """The waveform, (N,) float32, as it is; without `level` its loudest sample is at full scale. Silence stays so."""
    loudest = float(np.abs(waveform).max(initial=0))
    if config.level or loudest < FAINTEST:
        return waveform
    return (waveform / np.float32(loudest)).astype(np.float32)


def summary(values: Array, config: Config) -> Array:
    """The functionals (1, D) of frames (T, mels + 3), or (0, D) of none."""
    if not len(values):
        return np.zeros((0, dimension(config)), np.float32)
    energies, (f0, nccf, energy) = np.ascontiguousarray(values[:, : config.mels].T), values[:, config.mels :].T
    active = energy > energy.max() - config.active_db / DECIBELS
    voiced = active & (nccf > config.voiced)
    base = _weighted(_base(energies, f0, nccf, energy, active, config), SMOOTH)
    narrow = _dimensions(config)[1]
    delta = _weighted(base, REGRESSION)
    again = _weighted(delta[:narrow], REGRESSION)
    parts = [(base, active), (delta, active), (again, active), (base, voiced), (delta[:narrow], voiced)]
    vectors = [statistics(part[:, where]).ravel() for part, where in parts]
    return np.concatenate([*vectors, _rhythm(energies, energy, active, voiced)])[None].astype(np.float32)


def statistics(values: Array) -> Array:
    """The ten statistics of each of D dimensions, (D, T) -> (10, D); zeros where T is 0."""
    size, length = values.shape
    if not length:
        return np.zeros((len(STATISTICS), size), np.float32)
    mean = values.mean(1)
    centred = values - mean[:, None]
    squared = centred * centred
    deviation = np.sqrt(squared.mean(1))
    steady = np.maximum(deviation, STEADY)
    skewness = np.einsum("dt,dt->d", squared, centred) / length / steady**3
    kurtosis = np.einsum("dt,dt->d", squared, squared) / length / steady**4 - 3 * (deviation / steady) ** 4
    time = np.linspace(-1, 1, length, dtype=np.float32) if length > 1 else np.zeros(1, np.float32)
    slope = centred @ time / max(float(time @ time), 1.0)
    rising = np.sort(values, axis=1)
    place = np.array(PERCENTILES, np.float32) * (length - 1)
    below = place.astype(np.int64)
    above = np.minimum(below + 1, length - 1)
    percentiles = rising[:, below] + (rising[:, above] - rising[:, below]) * (place - below).astype(np.float32)
    return np.stack([mean, deviation, skewness, kurtosis, slope, *percentiles.T])


def _dimensions(config: Config) -> tuple[int, int]:
    """Values a frame, and those among them that are not bands."""
    narrow = config.cepstra + 3
    return narrow + config.bands, narrow


def _base(energies: Array, f0: Array, nccf: Array, energy: Array, active: NDArray[np.bool_], config: Config) -> Array:
    """The values of each frame, (D, T); `energies` are (mels, T)."""
    cepstra = _cosines(config) @ energies
    semitones = 12 * np.log2(np.maximum(f0, 1.0) / 100)
    if not config.level:
        cepstra[0] -= cepstra[0, active].mean()
        energy = energy - energy[active].mean()
    edges = np.linspace(0, config.mels, config.bands + 1).round().astype(np.int64)
    bands = np.stack([energies[start:stop].mean(0) for start, stop in pairwise(edges)])
    return np.concatenate([cepstra, semitones[None], nccf[None], energy[None], bands - bands.mean(0)])


def _weighted(values: Array, weights: Sequence[float]) -> Array:
    """Each frame of values (D, T) and its neighbours, by an odd number of weights; the first and last frame go on."""
    reach, summed = len(weights) // 2, np.zeros_like(values)
    padded = np.pad(values, ((0, 0), (reach, reach)), mode="edge")
    for place, weight in enumerate(weights):
        summed += np.float32(weight) * padded[:, place : place + values.shape[1]]
    return summed


@lru_cache(maxsize=8)
def _cosines(config: Config) -> Array:
    """The orthonormal cosine transform of type II, (cepstra, mels), which numpy lacks."""
    order, band = np.arange(config.cepstra)[:, None], np.arange(config.mels)
    waves = np.sqrt(2 / config.mels) * np.cos(np.pi * order * (band + 0.5) / config.mels)
    waves[0] *= np.sqrt(0.5)
    return np.asarray(waves, np.float32)


def _rhythm(energies: Array, energy: Array, active: NDArray[np.bool_], voiced: NDArray[np.bool_]) -> Array:
    """The numbers of `RHYTHM`; lengths are in frames."""
    count = max(int(active.sum()), 1)
    turns = np.flatnonzero(np.diff(voiced, prepend=False, append=False))
    stretches = turns[1::2] - turns[::2]
    peaks = (energy[1:-1] > energy[:-2]) & (energy[1:-1] >= energy[2:]) & active[1:-1]
    flux = np.abs(np.diff(energies, axis=1)).mean(0)[active[1:]]
    rhythm = [
        active.mean(),
        voiced.sum() / count,
        len(stretches) / count,
        stretches.mean() if len(stretches) else 0,
        stretches.std() if len(stretches) else 0,
        peaks.sum() / count,
        flux.mean() if len(flux) else 0,
        flux.std() if len(flux) else 0,
    ]
    return np.array(rhythm, np.float32)
