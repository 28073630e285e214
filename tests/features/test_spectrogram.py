"""Spectrograms against closed forms: a sine's amplitude and place, and energy that is shared out, not lost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.features import extract, parse


def spectrogram(waveform: NDArray[np.float32], **settings: object) -> NDArray[np.float32]:
    return extract("spectrogram", [waveform], parse("spectrogram", settings))[0]


def sine(hertz: float, amplitude: float, rate: int = 16_000) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype(np.float32)


def test_a_sine_has_its_amplitude_on_its_line() -> None:
    values = spectrogram(sine(64 * 16_000 / 1_024, 0.25))[5:-5]
    assert set(values.argmax(1)) == {64}
    np.testing.assert_allclose(values[:, 64], 0.25, rtol=1e-3)
    assert values[:, 200:].max() < 0.25 * 10 ** (-50 / 20)  # a Hamming window's far side lobes


def test_log_power_is_decibels() -> None:
    values = spectrogram(sine(1_000, 0.1), scale="log_power")[5:-5]
    np.testing.assert_allclose(values[:, 64], -20, atol=0.01)
    assert spectrogram(np.zeros(1_600, np.float32), scale="log_power").max() == -100


def test_a_bin_is_the_mean_power_of_its_lines() -> None:
    waveform = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    fine, coarse = spectrogram(waveform), spectrogram(waveform, bins=128)
    np.testing.assert_allclose(coarse**2, (fine**2).reshape(-1, 128, 4).mean(2), rtol=1e-4)


def test_it_is_numpys_transform() -> None:
    waveform = (0.1 * np.random.default_rng(1).standard_normal(3_200)).astype(np.float32)
    frame = waveform[10 * 160 + 80 - 200 :][:400] * np.hamming(400)
    expected = np.abs(np.fft.rfft(frame, 1_024))[:512] * 2 / np.hamming(400).sum()
    np.testing.assert_allclose(spectrogram(waveform)[10], expected, atol=1e-6)


def test_the_papers_sizes() -> None:
    four_seconds = np.zeros(64_000, np.float32)
    assert spectrogram(four_seconds).shape == (400, 512)  # Albanie et al. 2018
    rana = spectrogram(sine(5_512.5, 0.5, 22_050), sample_rate=22_050, bins=128, scale="log_power")
    assert rana.shape[1] == 128
    assert set(rana[5:-5].argmax(1)) <= {63, 64}  # half of 11 kHz is half of the picture


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bins": 100}, "bins = 100 must divide half of fft_size = 1024"),
        ({"fft_size": 256}, "fft_size = 256 must hold the window's 400 samples"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("spectrogram", settings)
    assert str(error.value) == f"feature spectrogram: {sentence}"
