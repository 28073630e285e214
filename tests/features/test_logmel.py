"""Log-mel energies against kaldi-native-fbank and against what a sine, silence and a gain must give."""

from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.features import extract, logmel, parse
from mien.media.audio import read_audio


def kaldi(waveform: NDArray[np.float32], taper: str = "povey", mels: int = 40) -> NDArray[np.float32]:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.frame_length_ms, options.frame_opts.frame_shift_ms = 40, 10
    options.frame_opts.dither, options.frame_opts.snip_edges = 0, False
    options.frame_opts.window_type, options.mel_opts.num_bins = {"hann": "hanning"}.get(taper, taper), mels
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(16_000, waveform.tolist())
    bank.input_finished()
    return np.array([bank.get_frame(frame) for frame in range(bank.num_frames_ready)])


def ours(waveform: NDArray[np.float32], **settings: object) -> NDArray[np.float32]:
    return extract("logmel", [waveform], parse("logmel", settings))[0]


def sine(hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(16_000 * seconds)) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("samples", [80, 300, 639, 641, 5_000, 50_000])
def test_noise_equals_kaldi(samples: int) -> None:
    waveform = (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)
    theirs = kaldi(waveform)
    assert ours(waveform).shape == theirs.shape
    np.testing.assert_allclose(ours(waveform), theirs, atol=3e-4)


@pytest.mark.parametrize("taper", ["hamming", "hann", "povey"])
def test_settings_mean_what_they_mean_in_kaldi(taper: str) -> None:
    waveform = sine(440) + sine(2_500, amplitude=0.01) + np.float32(0.1)
    waveform += (0.001 * np.random.default_rng(0).standard_normal(len(waveform))).astype(np.float32)
    np.testing.assert_allclose(ours(waveform, taper=taper, mels=64), kaldi(waveform, taper, 64), atol=2e-3)
    assert abs(ours(waveform, taper=taper) - kaldi(waveform, "rectangular")).max() > 0.1  # the comparison can fail


@pytest.mark.recordings
def test_speech_equals_kaldi(emodb: list[Path]) -> None:
    for file in emodb[::200]:
        waveform = read_audio(file)
        difference, loud = np.abs(ours(waveform) - kaldi(waveform)), kaldi(waveform) > -10
        assert loud.mean() > 0.5
        assert difference[loud].max() < 5e-4
        assert difference.max() < 5e-3  # both are float32: what a loud band's rounding leaves in a silent one


@pytest.mark.parametrize("hertz", [200, 1_000, 3_000, 7_000])
def test_a_sine_is_loudest_in_its_own_band(hertz: float) -> None:
    mel = 1127 * np.log1p(np.array([20, hertz, 8_000]) / 700)
    nearest = round(41 * (mel[1] - mel[0]) / (mel[2] - mel[0])) - 1
    assert set(ours(sine(hertz))[5:-5].argmax(1)) == {nearest}


def test_a_gain_is_an_offset_and_an_offset_is_nothing() -> None:
    waveform = (0.05 * np.random.default_rng(1).standard_normal(8_000)).astype(np.float32)
    np.testing.assert_allclose(ours(4 * waveform) - ours(waveform), np.log(16), atol=1e-4)
    np.testing.assert_allclose(ours(waveform + np.float32(0.25)), ours(waveform), atol=1e-2)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(ours(np.zeros(1_600, np.float32)), np.log(np.finfo(np.float32).eps), rtol=1e-6)


def test_frames_follow_the_sound_in_time() -> None:
    waveform = (0.1 * np.random.default_rng(2).standard_normal(16_000)).astype(np.float32)
    later = np.concatenate([np.zeros(1_600, np.float32), waveform])
    np.testing.assert_allclose(ours(later)[12:-2], ours(waveform)[2:-2], atol=1e-4)


def test_a_click_is_loudest_in_the_frame_that_is_centred_on_it() -> None:
    waveform = np.zeros(16_000, np.float32)
    waveform[50 * 160 + 80] = 1
    assert set(ours(waveform).argmax(0)) == {50}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"high": 9_000.0}, "bands from low = 20.0 to high = 9000.0 Hz must rise and end at 8000.0 or below"),
        (
            {"window": 0.005},
            "a window of 0.005 s moved by 0.01 s skips samples at 16000 Hz; "
            "let shift be at least one sample and at most window",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("logmel", settings)
    assert str(error.value) == f"feature logmel: {sentence}"


def test_bands_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ConfigError):
        parse("logmel", {"low": 5_000.0, "high": 4_000.0})


def test_a_band_without_a_spectral_line_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        logmel.extract([sine(100)], logmel.Config(mels=400))
    assert str(error.value) == (
        "mels = 400: band 0 lies between two bins of a 1024-point spectrum; take fewer bands or a longer window"
    )
