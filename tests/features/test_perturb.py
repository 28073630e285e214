"""Speed and noise against closed forms: length, pitch and level of what comes out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.features import extract, parse
from mien.features._config import FeatureConfig
from mien.features._perturb import noisy, perturbed, resampled, stretched

RATE = 16_000
SPEEDS = [0.5, 0.8, 0.9, 1.1, 1.2, 2.0]


def sine(hertz: float, seconds: float = 1.5) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def peak(waveform: NDArray[np.float32]) -> float:
    """The frequency of the highest spectral line, in hertz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 1 << 18))
    return float(spectrum.argmax() * RATE / (1 << 18))


@pytest.mark.parametrize("speed", SPEEDS)
def test_resampling_moves_length_and_pitch_together(speed: float) -> None:
    waveform = sine(300)
    copy = perturbed(waveform, FeatureConfig(speed=speed))
    assert len(copy) == pytest.approx(len(waveform) / speed, abs=1)
    assert peak(copy) == pytest.approx(300 * speed, rel=2e-3)
    assert np.sqrt(2) * copy[2_000:-2_000].std() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("hertz", [90, 300, 1_700])
def test_tempo_moves_length_alone(speed: float, hertz: float) -> None:
    waveform = sine(hertz)
    copy = perturbed(waveform, FeatureConfig(speed=speed, speed_by="tempo"))
    assert len(copy) == round(len(waveform) / speed)
    assert peak(copy) == pytest.approx(hertz, rel=5e-3)
    assert np.sqrt(2) * copy[2_000:-2_000].std() == pytest.approx(0.5, rel=0.02)  # pieces join in phase


@pytest.mark.parametrize("by", ["resampling", "tempo"])
def test_what_happens_when_stays_in_its_place(by: str) -> None:
    """A burst from 1.0 to 1.2 s of a three-second clip is at around 1.1 s / speed."""
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[RATE : RATE + 3_200] = np.random.default_rng(0).uniform(-0.5, 0.5, 3_200)
    for speed in (0.8, 1.2):
        power = perturbed(waveform, FeatureConfig.model_validate({"speed": speed, "speed_by": by})) ** 2
        middle = (np.arange(len(power)) * power).sum() / power.sum() / RATE
        assert middle == pytest.approx(1.1 / speed, abs=0.02)


def test_speed_of_f0_as_the_feature_sees_it() -> None:
    f0 = {
        by: extract("prosody", [sine(200)], parse("prosody", {"speed": 1.2, "speed_by": by}))[0][10:-10, 0]
        for by in ("resampling", "tempo")
    }
    np.testing.assert_allclose(f0["resampling"], 240, rtol=0.01)
    np.testing.assert_allclose(f0["tempo"], 200, rtol=0.01)


def test_stretching_by_one_gives_the_sound_back() -> None:
    waveform = np.random.default_rng(1).uniform(-1, 1, 20_000).astype(np.float32)
    np.testing.assert_allclose(stretched(waveform, 1.0, RATE), waveform, atol=1e-6)


def test_default_settings_change_nothing() -> None:
    waveform = sine(100)
    assert perturbed(waveform, FeatureConfig()) is waveform


def test_a_speed_close_to_one_is_not_lost() -> None:
    assert len(resampled(sine(100), 0.999, RATE)) == 24_025  # 24,000 / .999 = 24,024.02, rounded up


@pytest.mark.parametrize("decibels", [-10.0, 0.0, 15.0, 40.0])
def test_noise_has_exactly_its_level(decibels: float) -> None:
    waveform = sine(300)
    added = noisy(waveform, decibels).astype(np.float64) - waveform
    ratio = 10 * np.log10((waveform.astype(np.float64) ** 2).sum() / (added**2).sum())
    assert ratio == pytest.approx(decibels, abs=1e-3)


def test_noise_is_white_and_belongs_to_the_clip() -> None:
    first, second = sine(300), sine(301)
    np.testing.assert_array_equal(noisy(first, 10), noisy(first.copy(), 10))
    noises = [noisy(sound, 10) - sound for sound in (first, second)]
    assert abs(np.corrcoef(*noises)[0, 1]) < 0.05
    halves = np.abs(np.fft.rfft(noises[0]))[1:] ** 2
    assert halves[:6_000].mean() == pytest.approx(halves[6_000:].mean(), rel=0.1)


@pytest.mark.parametrize("by", ["resampling", "tempo"])
@pytest.mark.parametrize("samples", [0, 1, 2, 100, 700])
def test_short_and_silent_sounds(by: str, samples: int) -> None:
    config = FeatureConfig.model_validate({"speed": 0.9, "speed_by": by, "noise_db": 5.0})
    loud, silent = perturbed(np.ones(samples, np.float32), config), perturbed(np.zeros(samples, np.float32), config)
    assert loud.dtype == silent.dtype == np.float32
    assert abs(len(loud) - samples / 0.9) <= 1
    assert np.isfinite(loud).all()
    assert not silent.any()
