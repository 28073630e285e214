"""Functionals against numpy and scipy, and against sounds whose answers are known."""

import numpy as np
import pytest
from scipy import fft, ndimage, stats

from mien import experiments
from mien.errors import ConfigError
from mien.features import extract, functionals, parse
from mien.features.functionals import STATISTICS, Config, statistics

RATE = 16_000


def named(waveform: np.ndarray, **settings: object) -> dict[str, float]:
    """Name -> value of the functionals of one sound."""
    chosen = parse("functionals", settings)
    assert isinstance(chosen, Config)
    (vector,) = extract("functionals", [waveform.astype(np.float32)], chosen)
    return dict(zip(functionals.names(chosen), vector[0].tolist(), strict=True))


def tone(hertz: float, seconds: float, *, glide: float = 0.0, level: float = 0.1) -> np.ndarray:
    """A harmonic sound; its f0 glides by that many semitones."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hertz * 2 ** (glide * time / seconds / 12)) / RATE
    return level * sum(np.sin(number * phase) / number for number in range(1, 8))


def test_statistics_are_numpys_and_scipys():
    values = np.random.default_rng(0).gamma(2.0, size=(7, 120)).astype(np.float32)
    time = np.linspace(-1, 1, 120)
    expected = [
        values.mean(1),
        values.std(1),
        stats.skew(values, axis=1),
        stats.kurtosis(values, axis=1),
        [stats.linregress(time, row).slope for row in values],
        *np.percentile(values, [5, 25, 50, 75, 95], axis=1),
    ]
    np.testing.assert_allclose(statistics(values), expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_statistics_of_hardly_anything_are_finite(length):
    values = statistics(np.full((3, length), 5.0, np.float32))
    assert values.shape == (len(STATISTICS), 3)
    assert values[0].tolist() == [5.0 if length else 0.0] * 3
    assert not values[1:5].any()


def test_every_value_has_a_name_of_its_own():
    settings = Config(cepstra=5, bands=4)
    assert len(set(functionals.names(settings))) == functionals.dimension(settings)


def test_pitch_is_in_semitones_and_its_glide_is_a_slope():
    high, rising = named(tone(200, 1.0)), named(tone(150, 1.0, glide=6))
    assert high["voiced f0, 50 %"] == pytest.approx(12, abs=0.2)
    assert abs(high["voiced f0, slope"]) < 0.1
    assert rising["voiced f0, slope"] == pytest.approx(3, abs=0.3)  # 6 semitones over a stretch of length 2
    assert rising["delta f0, mean"] == pytest.approx(0.06, abs=0.02)  # a frame


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_cepstra_and_deltas_are_scipys(length):
    """Of frames that are all voiced: means of cepstra, of their deltas and of the deltas of these."""
    config = Config(mels=40, cepstra=13, voiced=0.5)
    energies = np.random.default_rng(length).normal(size=(length, 40)).astype(np.float32)
    frames = np.concatenate([energies, np.full((length, 1), 120), np.ones((length, 1)), np.zeros((length, 1))], axis=1)
    found = dict(zip(functionals.names(config), functionals.summary(frames.astype(np.float32), config)[0], strict=True))
    cepstra = fft.dct(energies.astype(np.float64), axis=1, norm="ortho")[:, :13]
    smooth = ndimage.correlate1d(cepstra, np.full(3, 1 / 3), axis=0, mode="nearest")
    slopes = ndimage.correlate1d(smooth, np.arange(-2, 3) / 10, axis=0, mode="nearest")
    again = ndimage.correlate1d(slopes, np.arange(-2, 3) / 10, axis=0, mode="nearest")
    for prefix, values in (("", smooth), ("delta ", slopes), ("delta delta ", again)):
        for order in range(13):
            for statistic, truth in (
                ("mean", values.mean(0)),
                ("deviation", values.std(0)),
                ("50 %", np.median(values, 0)),
            ):
                assert found[f"{prefix}cepstrum {order}, {statistic}"] == pytest.approx(truth[order], abs=3e-6)


def test_rhythm_counts_voiced_stretches():
    gap = 0.0005 * np.random.default_rng(0).standard_normal(RATE // 4)
    values = named(np.concatenate([tone(150, 0.4), gap, tone(150, 0.4), gap, tone(150, 0.4)]))
    active = values["share of active frames"] * 170
    assert values["voiced stretches an active frame"] * active == pytest.approx(3, abs=0.2)
    assert values["mean length of voiced stretches"] == pytest.approx(40, abs=6)


@pytest.mark.parametrize("decibels", [-40, -20, 12])
def test_without_level_a_vector_is_the_same_at_any_level(decibels):
    """Soft sound with quiet high bands: where the level is kept, the vector changes much."""
    rng = np.random.default_rng(1)
    sound = tone(180, 1.0, glide=3, level=0.02) * (1 + 0.5 * np.sin(np.arange(RATE) / 800))
    sound = (sound + 1e-5 * rng.normal(size=RATE)).astype(np.float32)
    for level, same in ((False, True), (True, False)):
        before, after = named(sound, level=level), named(10 ** (decibels / 20) * sound, level=level)
        difference = np.array([after[name] - before[name] for name in before])
        assert (np.abs(difference).max() < 0.02) == same
        assert (np.count_nonzero(np.abs(difference) > 0.05) < 1) == same


def test_silence_between_sounds_is_not_active():
    sound = tone(200, 0.5)
    plain, padded = named(sound), named(np.concatenate([np.zeros(RATE), sound, np.zeros(RATE)]))
    assert padded["share of active frames"] == pytest.approx(plain["share of active frames"] / 5, rel=0.15)
    assert padded["voiced f0, 50 %"] == pytest.approx(plain["voiced f0, 50 %"], abs=0.1)


def test_more_cepstra_than_bands_are_refused():
    with pytest.raises(ConfigError) as error:
        parse("functionals", {"mels": 20})
    assert str(error.value) == "feature functionals: cepstra = 24 and bands = 16 may be mels = 20 at most"


@pytest.mark.parametrize("setting", ["data.length.seconds=2", "data.masking={count: 1, seconds: 0.2}"])
def test_a_vector_has_no_length_to_set(setting):
    with pytest.raises(ConfigError):
        experiments.load("emodb", [setting])
