"""A mouth that opens with the sound is found; one that does not, and a head or a light that moves, is not."""

import math

import numpy as np
import pytest

from mien.media.faces.speaking import BIN, Course, Evidence, clear_speaker, correlation, hear, mouth_motion

BOX = (20.0, 20.0, 80.0, 100.0)


def voice(rng, bins=100):
    """Power of syllables: 0 to 40 dB, changing within 100 ms or so."""
    level = np.convolve(rng.standard_normal(bins + 4), np.ones(3) / 2, "same")[2:-2]
    return 10 ** (1.5 * level - 4)


def mouth(power, rng, *, noise=1.5, late=0):
    rise = np.roll(np.gradient(np.log(power) / 2), late)
    return rise + noise * rise.std() * rng.standard_normal(len(power))


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_the_mouth_that_goes_with_the_sound_speaks(late):
    right = clear = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        power, elsewhere = voice(rng), voice(rng)
        people = {1: correlation(mouth(elsewhere, rng), power), 2: correlation(mouth(power, rng, late=late), power)}
        right += people[2].correlation > people[1].correlation
        clear += clear_speaker(people) == 2
    assert right >= 38
    assert clear >= 32


def test_if_none_of_the_people_speaks_none_is_named():
    named = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        power = voice(rng)
        named += clear_speaker({n: correlation(mouth(voice(rng), rng), power) for n in (1, 2)}) is not None
    assert named <= 15


def test_level_does_not_matter_and_silence_gives_no_correlation():
    rng = np.random.default_rng(0)
    power = voice(rng)
    motion = mouth(power, rng)
    assert correlation(motion, 1e-4 * power).correlation == pytest.approx(correlation(motion, power).correlation)
    for nothing in (np.zeros(100), np.full(100, np.nan), np.full(100, 0.1)):
        assert math.isnan(correlation(motion, nothing).correlation)
    assert math.isnan(correlation(np.zeros(100), power).correlation)
    assert math.isnan(correlation(motion[:20], power[:20]).correlation)
    assert math.isnan(correlation(motion[:0], power[:0]).correlation)
    thin = motion.copy()
    thin[1::2] = np.nan  # 12.5 pictures a second
    assert correlation(thin, power).correlation > 0.2
    assert clear_speaker({1: Evidence(math.nan, 0), 2: correlation(motion, power)}) == 2
    assert clear_speaker({}) is None


def test_a_lead_that_is_not_clear_names_none():
    assert clear_speaker({1: Evidence(0.40, 100), 2: Evidence(0.38, 100)}) is None
    assert clear_speaker({1: Evidence(0.40, 100), 2: Evidence(0.30, 100)}) == 1
    assert clear_speaker({1: Evidence(0.15, 100)}) is None
    assert clear_speaker({2: Evidence(0.30, 25), 3: Evidence(-0.2, 100)}) is None


def head(opening, *, dx=0, light=1.0):
    """A face with texture above and a dark mouth of some height below."""
    picture = np.full((120, 100), 150.0)
    picture[20:100, 20:80] += 20 * np.sin(np.arange(80) / 5)[:, None]
    picture[35:45, 30:40] = picture[35:45, 60:70] = 60  # eyes
    picture[80 : 80 + opening, 40:60] = 30
    return np.clip(np.roll(picture, dx, axis=1) * light, 0, 255).astype(np.uint8)


def test_an_opening_mouth_is_motion_and_a_moving_head_is_little():
    opens, closes = mouth_motion(head(2), head(10), BOX), mouth_motion(head(10), head(2), BOX)
    assert opens > 0.2
    assert closes == pytest.approx(-opens)
    assert abs(mouth_motion(head(6), head(6, dx=3), BOX)) < 0.1 * opens
    assert abs(mouth_motion(head(6), head(6, light=0.7), BOX)) < 0.1 * opens
    assert mouth_motion(head(6), head(6), BOX) == 0
    assert math.isnan(mouth_motion(head(2), head(10), (20.0, 90.0, 80.0, 170.0)))
    assert math.isnan(mouth_motion(head(2), head(10), (-90.0, 20.0, -30.0, 100.0)))


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_power_falls_into_its_bins_whatever_the_blocks(rate):
    samples = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    size = round(BIN * rate)
    whole, parts = Course(), Course()
    hear(whole, 1.0, samples, rate)
    for begin in range(0, rate, 1111):
        hear(parts, 1.0 + begin / rate, samples[begin : begin + 1111], rate)
    expected = np.square(samples, dtype=float).reshape(25, size).mean(1)
    assert np.allclose(whole.between(1.0, 2.0), expected)
    assert np.allclose(parts.between(1.0, 2.0), expected)
    assert np.isnan(whole.between(0.0, 1.0)).all()
    whole.forget(1.5)
    assert np.isfinite(whole.between(1.0, 2.0)).tolist() == [place >= 12 for place in range(25)]
