"""Prosody against closed forms (sines, pulses, noise), Kaldi's energy, and Praat's f0 on recorded speech."""

import subprocess
import sys
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import parselmouth
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly
from sklearn.metrics import roc_auc_score

from mien.errors import ConfigError
from mien.features import extract, functionals, parse
from mien.features import prosody as module
from mien.media.audio import read_audio

RATE = 16_000


def prosody(*waveforms: NDArray[np.float32], **settings: object) -> list[NDArray[np.float32]]:
    return extract("prosody", waveforms, parse("prosody", settings))


def sine(hertz: float, amplitude: float = 0.5, seconds: float = 1.0) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def pulses(hertz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """A pulse train through one formant at 500 Hz: a crude vowel."""
    train = np.zeros(round(RATE * seconds))
    train[(np.arange(int(hertz * seconds)) * RATE / hertz).astype(int)] = 0.5
    radius, angle = 0.98, 2 * np.pi * 500 / RATE
    return lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], train).astype(np.float32)


def noise(seed: int, seconds: float = 1.0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(RATE * seconds))).astype(np.float32)


def vowel(hertz: float, seed: int, seconds: float = 0.3) -> NDArray[np.float32]:
    """A steady vowel: a glottal pulse train of exact periods through two or three formants that have rung up."""
    rng = np.random.default_rng(seed)
    formants = np.cumsum([rng.uniform(300, 850), rng.uniform(500, 1_200), rng.uniform(700, 1_200)])
    time = np.arange(round(RATE * (seconds + 0.1))) / RATE + rng.uniform()
    harmonics = np.arange(1, int(RATE / 2 / hertz))
    sound = lfilter([1], [1, -0.97], np.cos(2 * np.pi * hertz * harmonics[:, None] * time).sum(0))
    for formant in formants[: rng.integers(2, 4)]:
        radius = np.exp(-np.pi * rng.uniform(50, 150) / RATE)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], sound)
    sound = sound[round(RATE * 0.1) :]
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def definition(
    waveform: NDArray[np.float32], min_f0: float, delta: float, window: int, beyond: float
) -> NDArray[np.float64]:
    """f0 and NCCF (T, 2) by the definition of Ghahremani et al. 2014, lag by lag and state by state; slow.

    The window and how far lags are measured beyond the range are in samples at 4 kHz; the range ends at 400 Hz.
    """
    rate, penalty = 4_000, 0.1 * np.log1p(delta) ** 2
    taps = np.array([np.sinc(t / 8) * (1 + np.cos(np.pi * t / 8)) / 16 for t in range(-7, 8)])
    sound = np.convolve(waveform.astype(np.float64), taps, "same")[::4]
    lags = [1 / 400]
    while lags[-1] * (1 + delta) <= 1 / min_f0:
        lags.append(lags[-1] * (1 + delta))
    measured = range(int(np.ceil(rate / 400 - beyond)), int(rate / min_f0 + beyond) + 1)
    length = window + measured[-1]
    padded = np.concatenate([np.zeros(length), sound, np.zeros(length)])
    ballast = 7_000 * (window * sound.var()) ** 2
    total, back, chosen = np.zeros(len(lags)), [], []
    for frame in range(len(waveform) // 160):
        piece = padded[length + frame * 40 + 20 - length // 2 :][:length]
        piece = piece - piece[:window].mean()
        plain, held = np.zeros(len(lags)), np.zeros(len(lags))
        for lag in measured:
            here, there = piece[:window], piece[lag : lag + window]
            apart = np.array(lags) - lag / rate
            near = np.abs(apart) < 5 / rate
            weight = np.where(near, np.sinc(rate * apart) * (0.5 + 0.5 * np.cos(np.pi * apart * rate / 5)), 0)
            norm = (here @ here) * (there @ there)
            plain += weight * (here @ there) / np.sqrt(norm)
            held += weight * (here @ there) / np.sqrt(norm + ballast)
        moves = [[total[j] + penalty * (i - j) ** 2 for j in range(len(lags))] for i in range(len(lags))]
        back.append(np.argmin(moves, axis=1))
        total = np.min(moves, axis=1) + 1 - held * (1 - 10 * np.array(lags))
        chosen.append(plain)
    path = [int(total.argmin())]
    for best in back[:0:-1]:
        path.insert(0, int(best[path[0]]))
    return np.array([(1 / lags[state], row[state]) for state, row in zip(path, chosen, strict=True)])


def test_it_is_the_papers_definition() -> None:
    speech = np.concatenate([pulses(130, 0.1), noise(5, 0.05) / 10, pulses(250, 0.1)])
    waveform = speech + (1e-4 * np.random.default_rng(6).standard_normal(len(speech))).astype(np.float32)
    theirs = definition(waveform, 100.0, 0.02, window=160, beyond=5)
    (frames,) = prosody(waveform, min_f0=100.0, max_f0=400.0, delta_pitch=0.02)
    np.testing.assert_allclose(frames[:, :2], theirs, rtol=1e-4, atol=1e-6)
    assert theirs[:, 0].max() > 1.5 * theirs[:, 0].min()


def test_functionals_search_as_kaldi_does() -> None:
    waveform = vowel(385, 0, 0.15)
    config = parse("functionals", {"min_f0": 100.0, "max_f0": 400.0, "delta_pitch": 0.02})
    (frames,) = functionals.frames([waveform], config)
    kaldi, ours = (definition(waveform, 100.0, 0.02, window=100, beyond=samples) for samples in (2.5, 5))
    np.testing.assert_allclose(frames[:, 64:66], kaldi, rtol=1e-4, atol=1e-6)
    assert np.abs(ours - kaldi)[:, 1].max() > 5e-3


@pytest.mark.parametrize("speed", [0.8, 0.9, 1.0, 1.1, 1.2])
def test_vowels_of_every_voice_have_their_f0_in_every_copy(speed: float) -> None:
    due = [hertz for hertz in np.geomspace(55, 600, 25) for _ in range(6)]
    vowels = [vowel(hertz, number % 6) for number, hertz in enumerate(due)]
    for hertz, frames in zip(due, prosody(*vowels, speed=speed), strict=True):
        inner = frames[4:-4]  # what is correlated lies within the vowel
        np.testing.assert_allclose(inner[:, 0], hertz * speed, rtol=0.01)


def test_the_range_moves_with_the_voice() -> None:
    tones = [sine(550), sine(700)]
    fast, high = (frames[8:-8, 0] for frames in prosody(*tones, speed=1.2))
    np.testing.assert_allclose(fast, 660, rtol=5e-3)
    assert high.max() <= 720
    kept, same = (frames[8:-8, 0] for frames in prosody(*tones, speed=1.2, speed_by="tempo"))
    np.testing.assert_allclose(kept, 550, rtol=5e-3)
    assert same.max() <= 600
    (slow,) = prosody(vowel(50.5, 0), speed=0.8)
    np.testing.assert_allclose(slow[4:-4, 0], 40.4, rtol=0.01)


def test_the_range_of_functionals_stays() -> None:
    for speed in (1.0, 1.2):
        (frames,) = functionals.frames([sine(700)], parse("functionals", {"speed": speed}))
        assert frames[:, 64].max() <= 600


@pytest.mark.parametrize("hertz", [100, 150.3, 220, 300, 350])
@pytest.mark.parametrize("make", [sine, pulses])
def test_a_periodic_sound_has_its_f0(make: object, hertz: float) -> None:
    (frames,) = prosody(make(hertz))  # type: ignore[operator]
    inner = frames[8:-8]
    np.testing.assert_allclose(inner[:, 0], hertz, rtol=5e-3)
    assert inner[:, 1].min() > 0.95


def test_a_glide_is_followed() -> None:
    hertz = np.geomspace(120, 240, RATE)
    (frames,) = prosody((0.5 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)).astype(np.float32))
    due = hertz[np.arange(100) * 160 + 80]
    np.testing.assert_allclose(frames[8:-8, 0], due[8:-8], rtol=0.02)


def test_noise_correlates_little_and_silence_not_at_all() -> None:
    hiss, nothing = prosody(noise(0, 2.0), np.zeros(RATE, np.float32))
    assert hiss[:, 1].mean() < 0.3
    assert not nothing[:, 1].any()
    assert np.isfinite(nothing).all()


def test_f0_goes_on_through_a_gap() -> None:
    gap = np.zeros(RATE // 4, np.float32)
    (frames,) = prosody(np.concatenate([sine(200, seconds=0.5), gap, sine(200, seconds=0.5)]))
    np.testing.assert_allclose(frames[5:-5, 0], 200, rtol=0.01)
    assert frames[60, 1] == 0
    assert frames[60, 2] < -15


def test_digital_silence_after_a_loud_sound_is_silence() -> None:
    (frames,) = prosody(np.concatenate([np.clip(3 * noise(1), -1, 1), np.zeros(RATE, np.float32)]))
    assert not frames[110:, 1].any()


def test_a_constant_is_silence() -> None:
    (frames,) = prosody(np.full(RATE, 0.3, np.float32))
    assert not frames[5:-5, 1].any()
    np.testing.assert_allclose(frames[5:-5, 2], np.log(np.finfo(np.float32).eps), rtol=1e-6)


def test_energy_is_that_of_the_frame() -> None:
    (tone,), (offset,) = prosody(sine(200, 0.5)), prosody(sine(200, 0.5) + np.float32(0.3))
    np.testing.assert_allclose(tone[3:-3, 2], np.log(640 * 0.5**2 / 2), atol=1e-4)  # eight periods a window
    np.testing.assert_allclose(offset[3:-3, 2], tone[3:-3, 2], atol=1e-4)


def test_energy_equals_kaldi() -> None:
    waveform = noise(2) * np.linspace(0, 1, RATE, dtype=np.float32) ** 2
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.frame_length_ms, options.frame_opts.snip_edges = 40, False
    options.frame_opts.dither, options.use_energy = 0, True
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, waveform.tolist())
    bank.input_finished()
    theirs = [bank.get_frame(frame)[0] for frame in range(bank.num_frames_ready)]
    np.testing.assert_allclose(
        prosody(waveform)[0][:, 2], np.maximum(theirs, np.log(np.finfo(np.float32).eps)), atol=1e-3
    )


def test_a_gain_moves_energy_alone() -> None:
    (loud,), (soft,) = prosody(pulses(180)), prosody(pulses(180) / 8)
    np.testing.assert_array_equal(loud[:, 0], soft[:, 0])
    np.testing.assert_allclose(loud[:, 1], soft[:, 1], atol=1e-6)
    np.testing.assert_allclose(loud[5:-5, 2] - soft[5:-5, 2], np.log(64), atol=1e-3)


def test_f0_stays_within_its_bounds() -> None:
    wide, narrow = prosody(sine(500), max_f0=600.0), prosody(sine(500), min_f0=100.0, max_f0=300.0)
    np.testing.assert_allclose(wide[0][8:-8, 0], 500, rtol=0.01)
    assert narrow[0][:, 0].min() >= 100
    assert narrow[0][:, 0].max() <= 300


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_other_rates_give_the_same(rate: int) -> None:
    waveform = (0.5 * np.sin(2 * np.pi * 220 * np.arange(rate) / rate)).astype(np.float32)
    (frames,) = prosody(waveform, sample_rate=rate)
    np.testing.assert_allclose(frames[8:-8, 0], 220, rtol=5e-3)
    assert len(frames) in (100, 101)


@pytest.mark.parametrize("rate", [4_000, 5_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_resampling_equals_scipy(rate: int) -> None:
    grid = module._grid(parse("prosody", {"sample_rate": rate}))
    for samples in (1, 7, 500, 2 * rate + 17):
        waveform = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
        theirs = resample_poly(waveform.astype(np.float64), grid.up, grid.down, window=grid.lowpass)  # type: ignore[call-overload]
        np.testing.assert_allclose(module._resample(waveform, grid), theirs, atol=1e-12)


def test_it_needs_no_more_than_numpy() -> None:
    code = (
        "import sys, numpy as np; from mien.features import extract, parse; "
        "extract('prosody', [np.ones(16_000, np.float32)], parse('prosody', {})); "
        "print([name for name in ('torch', 'sklearn', 'pandas') if name in sys.modules], "
        "sorted(name for name in sys.modules if name.startswith('scipy.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_a_long_clip_and_many_clips_are_searched_in_parts() -> None:
    waveforms = [pulses(hertz, seconds) for hertz, seconds in ((120, 45.0), (150, 20.0), (200, 20.0), (250, 0.5))]
    for waveform, frames in zip(waveforms, prosody(*waveforms), strict=True):
        np.testing.assert_array_equal(prosody(waveform)[0], frames)


def praat(waveform: NDArray[np.float32], frames: int, method: str = "ac") -> NDArray[np.float64]:
    """Praat's f0 up to 600 Hz at the centres of our frames (T,), nan where it finds no voice."""
    sound = parselmouth.Sound(waveform.astype(np.float64), RATE)
    search = {"ac": sound.to_pitch_ac, "cc": sound.to_pitch_cc}[method]
    pitch = search(time_step=0.01, pitch_floor=50, pitch_ceiling=600)
    return np.array([pitch.get_value_at_time((frame + 0.5) * 0.01) for frame in range(frames)])


@pytest.mark.recordings
def test_praat_agrees_on_voiced_speech(emodb: list[Path]) -> None:
    ratios, voiced, unvoiced = [], [], []
    for file in emodb[::36]:
        waveform = read_audio(file)
        (frames,) = prosody(waveform)
        theirs = praat(waveform, len(frames))
        sure = np.isfinite(theirs)
        ratios.append(frames[sure, 0] / theirs[sure])
        voiced.append(frames[sure, 1])
        unvoiced.append(frames[~sure, 1])
    error = np.abs(np.concatenate(ratios) - 1)
    assert len(error) > 1_500
    assert np.median(error) < 0.015
    assert np.mean(error > 0.2) < 0.05
    assert np.median(np.concatenate(voiced)) > 0.85
    known = np.concatenate([np.ones(len(error)), np.zeros(sum(map(len, unvoiced)))])
    assert roc_auc_score(known, np.concatenate([*voiced, *unvoiced])) > 0.9  # the NCCF separates voiced from unvoiced


@pytest.mark.recordings
def test_praat_agrees_on_high_voices(recordings: Path) -> None:
    ratios: dict[float, list[NDArray[np.float64]]] = {1.0: [], 1.2: []}
    for file in sorted((recordings / "ravdess").glob("Actor_*/*.flac"))[::25]:
        waveform = read_audio(file)
        ac, cc = (praat(waveform, len(waveform) // 160, method) for method in ("ac", "cc"))
        for speed, parts in ratios.items():
            (frames,) = prosody(waveform, speed=speed)
            place = ((np.arange(len(frames)) + 0.5) * speed).astype(int).clip(max=len(ac) - 1)  # in the original
            sure = (np.abs(ac / cc - 1) < 0.05)[place] & (ac[place] > 400)
            parts.append(frames[sure, 0] / speed / ac[place][sure])
    for parts in ratios.values():
        error = np.abs(np.concatenate(parts) - 1)
        assert len(error) > 200
        assert np.mean(error > 0.2) < 0.15


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"min_f0": 300.0, "max_f0": 200.0}, "min_f0 = 300.0 Hz must lie below max_f0 = 200.0 Hz"),
        (
            {"resample_rate": 32_000},
            "resample_rate = 32000 Hz must be at least twice lowpass = 1000.0 Hz and at most sample_rate = 16000 Hz",
        ),
        ({"speed": 4.0}, "max_f0 = 600.0 Hz, 2400.0 Hz at speed = 4.0, must be at most half of resample_rate = 4000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("prosody", settings)
    assert str(error.value) == f"feature prosody: {sentence}"


@pytest.mark.parametrize("settings", [{"lowpass": 3_000.0}, {"penalty_factor": 0.0}, {"max_f0": 2_000.1}])
def test_settings_out_of_their_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse("prosody", settings)
