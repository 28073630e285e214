"""Perturbed copies of a sound, of which features are taken: faster or slower, or with noise.

Pure functions of the waveform and the settings: the noise's generator is seeded by the waveform's own bytes, so that a
clip gets the same noise on every machine and in every order, and two clips get different noise.
"""

from fractions import Fraction
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mien.features._config import FeatureConfig

LARGEST = 1000  # denominator of a speed ratio by resampling: .8 is 4/5, 1.1 is 11/10
STRETCH = 0.025  # seconds from one piece to the next in the stretched sound; a piece lasts twice as long
SEARCH = 0.010  # seconds that a piece may move to fit what it joins: half a period at 50 Hz


def perturbed(waveform: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """The waveform, (N,) float32, at the speed (N / speed samples) and with the noise of `config`."""
    if config.speed != 1:
        change = resampled if config.speed_by == "resampling" else stretched
        waveform = change(waveform, config.speed, config.sample_rate)
    return waveform if config.noise_db is None else noisy(waveform, config.noise_db)


def resampled(waveform: NDArray[np.float32], speed: float, rate: int) -> NDArray[np.float32]:
    """The waveform played `speed` times as fast, pitch and formants with it, (ceil(N / speed),) float32.

    The ratio is the nearest fraction of a denominator up to 1000; the filter is scipy's (Kaiser, beta 5).
    """
    from scipy.signal import resample_poly  # takes most of a second to import, and most sounds keep their speed

    ratio = Fraction(speed).limit_denominator(LARGEST)
    if not len(waveform):
        return waveform
    return resample_poly(waveform.astype(np.float64), ratio.denominator, ratio.numerator).astype(np.float32)


def stretched(waveform: NDArray[np.float32], speed: float, rate: int) -> NDArray[np.float32]:
    """The waveform at `speed` times the rate with its pitch kept, (round(N / speed),) float32.

    Waveform-similarity overlap-add (Verhelst and Roelands 1993): Hann-weighted pieces overlap by half; each is taken
    near its due place, where it resembles most what would have followed the piece before it.
    """
    step, search = round(STRETCH * rate), round(SEARCH * rate)
    length = round(len(waveform) / speed)
    due = np.rint(np.arange(-(-length // step) + 1) * (step * speed)).astype(np.int64)  # places as in `padded`
    after = max(0, int(due[-1]) + 3 * step + search - len(waveform))
    padded = np.pad(waveform.astype(np.float64), (search + step, after))
    window = 0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * step) + 0.5) / step)
    sound = np.zeros((len(due) + 1) * step)
    place = search
    for piece, earliest in enumerate(due):
        if piece:
            follows = padded[place + step : place + 2 * step]
            place = earliest + _most_alike(padded[earliest : earliest + 2 * search + step], follows)
        sound[piece * step : (piece + 2) * step] += window * padded[place : place + 2 * step]
    return sound[step : step + length].astype(np.float32)


def noisy(waveform: NDArray[np.float32], decibels: float) -> NDArray[np.float32]:
    """The waveform, (N,) float32, with white Gaussian noise of exactly that signal-to-noise ratio; silence stays so."""
    seed = int.from_bytes(sha256(np.ascontiguousarray(waveform, "<f4").tobytes()).digest())
    noise = np.random.default_rng(seed).standard_normal(len(waveform))
    sound = waveform.astype(np.float64)
    if not sound.any():
        return waveform
    level = np.linalg.norm(sound) / np.linalg.norm(noise) * 10 ** (-decibels / 20)
    return (sound + level * noise).astype(np.float32)


def _most_alike(region: NDArray[np.float64], piece: NDArray[np.float64]) -> int:
    """Where in the region the piece fits best, by cosine; the middle where nothing sounds."""
    products = np.correlate(region, piece, mode="valid")
    sums = np.concatenate([[0.0], np.cumsum(region**2)])
    energies = sums[len(piece) :] - sums[: -len(piece)]
    audible = energies > 1e-9 * sums[-1]
    if not audible.any() or not piece.any():
        return len(products) // 2
    return int(np.argmax(np.where(audible, products / np.sqrt(np.where(audible, energies, 1)), -np.inf)))
