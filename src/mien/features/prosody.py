"""Prosody, (T, 3) float32: f0 in hertz, normalised cross-correlation (NCCF) in [-1, 1], natural log of energy.

f0 and NCCF are Ghahremani et al. 2014 (Kaldi's pitch extractor): the sound at 4 kHz is correlated with itself at even
lags, interpolated to lags even in log, and one path through all frames is chosen that is well correlated and moves
little. So f0 is continuous: unvoiced frames have a value too, interpolated by the path, and the NCCF shows how far to
trust it (about 1 in voiced frames, low in noise, 0 in digital silence). The NCCF given is the plain one; the path is
chosen with a "ballast" that makes frames count by their energy. The energy is that of the frame without its mean, at
full scale 1, and at least float32's epsilon. Frames are those of `mien.features._frames`, so log-mel fits beside them.

f0 is searched between `min_f0` and `max_f0` times the speed of the copy, where resampling has brought the voice. Lags
are measured beyond both ends of that range as far as the interpolation reaches. Kaldi measures half as far, which puts
an f0 just below `max_f0` up to 2 % too high.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from math import ceil, floor, gcd, log1p
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.features import _frames, _viterbi
from mien.features._config import FrameConfig

SOURCE = "Ghahremani et al. 2014 (f0, NCCF) and energy, as in Li et al. 2020, section 5; its logarithm is assumed"
VERSION = 2
FLOOR = float(np.finfo(np.float32).eps)
DIMENSION = 3
BLOCK = 64  # frames that are correlated at once: they fit into the processor's cache
STATES = 100  # that are interpolated at once, from the measured lags near them
TOGETHER = 4_000  # frames, padding included, in which paths are searched at once: about 50 MB


class Config(FrameConfig):
    """Settings of prosody; those of Ghahremani et al. 2014 have Kaldi's defaults, which Li et al. 2020 do not change.

    Attributes:
        window: correlated stretch in seconds. Li et al. 2020, section 5: 40 ms (Kaldi: 25).
        min_f0: lowest f0 of the voice in hertz.
        max_f0: highest f0 of the voice in hertz. Kaldi has 400, which high-pitched anger passes.
        soft_min_f0: in hertz; the correlation at an f0 counts 1 - soft_min_f0 / f0 times, so a low f0 costs more.
        penalty_factor: cost of a squared change of log f0 from a frame to the next.
        delta_pitch: step between neighbouring f0, as a ratio less 1.
        ballast: how much quiet frames count less for the path.
        lowpass: cutoff in hertz of the filter before correlation.
        lowpass_width: half width of that filter in zero crossings.
        resample_rate: samples a second in the correlation.
        upsample_width: half width of the interpolation between lags in zero crossings.
    """

    min_f0: float = Field(default=50.0, ge=10)
    max_f0: float = Field(default=600.0, le=2_000)
    soft_min_f0: float = Field(default=10.0, ge=0)
    penalty_factor: float = Field(default=0.1, gt=0)
    delta_pitch: float = Field(default=0.005, ge=0.001, le=0.1)
    ballast: float = Field(default=7000.0, ge=0)
    lowpass: float = Field(default=1_000.0, gt=0)
    lowpass_width: int = Field(default=1, ge=1)
    resample_rate: int = Field(default=4_000, ge=500)
    upsample_width: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _lags_exist(self) -> Self:
        if not self.min_f0 < self.max_f0:
            raise ValueError(f"min_f0 = {self.min_f0} Hz must lie below max_f0 = {self.max_f0} Hz")
        if not 2 * self.lowpass <= self.resample_rate <= self.sample_rate:
            raise ValueError(
                f"resample_rate = {self.resample_rate} Hz must be at least twice lowpass = {self.lowpass} Hz "
                f"and at most sample_rate = {self.sample_rate} Hz"
            )
        if 2 * self.max_f0 * self.raised > self.resample_rate:
            copy = "" if self.raised == 1 else f", {self.raised * self.max_f0} Hz at speed = {self.speed},"
            raise ValueError(
                f"max_f0 = {self.max_f0} Hz{copy} must be at most half of resample_rate = {self.resample_rate}"
            )
        return self

    @property
    def raised(self) -> float:
        """How many times the voice's f0 the f0 of the copy is."""
        return self.speed if self.speed_by == "resampling" else 1.0

    @property
    def margin(self) -> float:
        """How far beyond both ends of the range lags are measured, in seconds: as far as the interpolation reaches."""
        return self.upsample_width / self.resample_rate


def dimension(config: Config) -> int:
    """Values a frame."""
    return DIMENSION


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.shift_size / config.sample_rate


def extract(waveforms: Sequence[NDArray[np.float32]], config: Config) -> list[NDArray[np.float32]]:
    """The (T, 3) float32 prosody of each waveform, (N,) float32 at full scale and `config.sample_rate`.

    The paths of many waveforms are searched at once; one by one takes half as long again.
    """
    order = sorted(range(len(waveforms)), key=lambda clip: -len(waveforms[clip]))
    frames: dict[int, NDArray[np.float32]] = {}
    while order:
        together = max(1, TOGETHER // max(1, _frames.count(len(waveforms[order[0]]), config)))
        part, order = order[:together], order[together:]
        frames.update(zip(part, _prosody([waveforms[clip] for clip in part], config), strict=True))
    return [frames[clip] for clip in range(len(waveforms))]


def _prosody(waveforms: Sequence[NDArray[np.float32]], config: Config) -> list[NDArray[np.float32]]:
    grid = _grid(config)
    correlations = [_correlate(waveform, config, grid) for waveform in waveforms]
    costs = [_costs(ballasted, config, grid) for ballasted, _ in correlations]
    paths = _viterbi.smoothest(costs, config.penalty_factor * log1p(config.delta_pitch) ** 2)
    prosody = []
    for waveform, (_, plain), path in zip(waveforms, correlations, paths, strict=True):
        nccf = np.einsum("tl,tl->t", plain, grid.interpolate.T[path]).clip(-1, 1)
        columns = 1 / grid.lags[path], nccf, _log_energy(waveform, config)
        prosody.append(np.stack(columns, axis=1).astype(np.float32))
    return prosody


class _Grid(NamedTuple):
    """What depends on the settings alone; lags in seconds, lengths in samples at the resampled rate."""

    lags: NDArray[np.float64]  # (states,), rising in equal steps of log
    first: int  # the shortest lag that is measured, in samples
    last: int  # the longest
    interpolate: NDArray[np.float64]  # (measured lags, states)
    near: list[tuple[slice, slice]]  # states, and the measured lags that they are interpolated from
    lowpass: NDArray[np.float64]  # taps at sample_rate * up
    up: int
    down: int
    window: int
    size: int  # points of the transforms


@lru_cache(maxsize=8)
def _grid(config: Config) -> _Grid:
    rate, lowest, highest = config.resample_rate, config.min_f0 * config.raised, config.max_f0 * config.raised
    states = floor(np.log(config.max_f0 / config.min_f0) / log1p(config.delta_pitch)) + 1
    lags = (1 + config.delta_pitch) ** np.arange(states) / highest
    first, last = max(1, ceil(rate * (1 / highest - config.margin))), floor(rate * (1 / lowest + config.margin))
    apart = lags - np.arange(first, last + 1)[:, None] / rate
    interpolate = _windowed_sinc(apart, rate / 2, config.upsample_width) / rate
    near = []
    for start in range(0, states, STATES):
        part = slice(start, start + STATES)
        reached = np.flatnonzero(interpolate[:, part].any(1))
        near.append((part, slice(reached[0], reached[-1] + 1)))
    common = gcd(rate, config.sample_rate)
    up, down = rate // common, config.sample_rate // common
    fine = config.sample_rate * up
    half = floor(fine * config.lowpass_width / (2 * config.lowpass))
    lowpass = _windowed_sinc(np.arange(-half, half + 1) / fine, config.lowpass, config.lowpass_width) / fine
    window = round(config.window * rate)
    return _Grid(lags, first, last, interpolate, near, lowpass, up, down, window, _fast_size(window + last))


def _fast_size(least: int) -> int:
    """The smallest number from `least` up without a prime factor above 5, which is quick to transform."""
    return next(size for size in count(least) if 60 ** size.bit_length() % size == 0)


def _windowed_sinc(seconds: NDArray[np.float64], cutoff: float, zeros: int) -> NDArray[np.float64]:
    """A low-pass filter's impulse response under a Hann window that ends at that many zero crossings."""
    width = zeros / (2 * cutoff)
    window = np.where(np.abs(seconds) < width, 0.5 + 0.5 * np.cos(np.pi * seconds / width), 0)
    return 2 * cutoff * np.sinc(2 * cutoff * seconds) * window


def _costs(ballasted: NDArray[np.float64], config: Config, grid: _Grid) -> NDArray[np.float64]:
    """What each state costs in each frame (T, states)."""
    costs = np.empty((len(ballasted), len(grid.lags)))
    for states, measured in grid.near:
        np.matmul(ballasted[:, measured], grid.interpolate[measured, states], out=costs[:, states])
    costs *= config.soft_min_f0 * config.raised * grid.lags - 1
    return costs


def _correlate(
    waveform: NDArray[np.float32], config: Config, grid: _Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The NCCF of each frame at the measured lags (T, lags), with and without ballast."""
    lags, length = grid.last - grid.first + 1, grid.window + grid.last
    ballasted = np.zeros((_frames.count(len(waveform), config), lags))
    plain = np.zeros_like(ballasted)
    if not len(plain):
        return ballasted, plain
    sound = _resample(waveform, grid)
    ballast = config.ballast * (sound.var() * grid.window) ** 2
    centres = np.arange(len(plain)) * config.shift_size + config.shift_size // 2
    starts = np.rint(centres * (config.resample_rate / config.sample_rate)).astype(np.int64) - length // 2
    before, after = max(0, -starts[0]), max(0, starts[-1] + length - len(sound))
    views = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (before, after)), length)
    for begin in range(0, len(plain), BLOCK):
        part = slice(begin, begin + BLOCK)
        pieces = views[starts[part] + before]
        means = pieces[:, : grid.window].mean(1, keepdims=True)
        pieces -= means
        spectrum = np.fft.rfft(pieces[:, : grid.window], grid.size)
        np.conjugate(spectrum, out=spectrum)
        spectrum *= np.fft.rfft(pieces, grid.size)
        products = np.fft.irfft(spectrum, grid.size)[:, grid.first : grid.last + 1]
        sums = np.cumsum(np.square(pieces), axis=1)
        energy = sums[:, grid.window - 1, None]
        energies = sums[:, grid.window + grid.first - 1 :] - sums[:, grid.first - 1 : grid.last]
        # what is left by rounding counts as silence
        audible = 1e-12 * (sums[:, -1:] + length * means**2)
        norms = np.where((energies > audible) & (energy > audible), energy * energies, 0)
        ballasted[part] = _ratio(products, norms + ballast)
        plain[part] = _ratio(products, norms)
    return ballasted, plain


def _resample(waveform: NDArray[np.float32], grid: _Grid) -> NDArray[np.float64]:
    """The sound (N,) at the resampled rate, (ceil(N * up / down),), below the cutoff; silence beyond both ends."""
    if grid.up == grid.down:
        return waveform.astype(np.float64)
    half, samples = len(grid.lowpass) // 2, -(-len(waveform) * grid.up // grid.down)
    reach = 2 * half // grid.up + 1  # samples under the filter; there are up - 1 zeros between two
    before = half // grid.up
    padded = np.pad(waveform.astype(np.float64), (before, reach + 2 * grid.down))
    sound = np.zeros(samples)
    for phase in range(min(grid.up, samples)):  # every up-th place lies alike between two samples
        first = -((half - phase * grid.down) // grid.up)
        taps = grid.up * grid.lowpass[first * grid.up - phase * grid.down + half :: grid.up]
        part = sound[phase :: grid.up]
        for skip in range(0, len(taps), grid.down):
            piece = padded[first + before + skip :][: len(part) * grid.down].reshape(len(part), grid.down)
            part += piece[:, : len(taps) - skip] @ taps[skip : skip + grid.down]
    return sound


def _ratio(products: NDArray[np.float64], norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """`products / sqrt(norms)` within [-1, 1], 0 where nothing sounds."""
    ratio = np.zeros_like(products)
    np.divide(products, np.sqrt(norms), out=ratio, where=norms > 0)
    return ratio.clip(-1, 1, out=ratio)


def _log_energy(waveform: NDArray[np.float32], config: Config) -> NDArray[np.float64]:
    energy = np.zeros(_frames.count(len(waveform), config))
    for part, samples in _frames.blocks(waveform, config):
        energy[part] = np.square(samples - samples.mean(1, keepdims=True)).sum(1)
    return np.log(np.maximum(energy, FLOOR))
