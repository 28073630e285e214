"""The 43 values are log-mel and prosody side by side, whatever the settings and the length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.features import extract, feature, parse


@pytest.mark.parametrize("changes", [{}, {"speed": 1.2}])
def test_it_is_logmel_and_prosody_side_by_side(changes: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    waveforms = [(0.1 * rng.standard_normal(samples)).astype(np.float32) for samples in (12_345, 0, 900)]
    both = extract("mfb43", waveforms, parse("mfb43", changes))
    mels, prosody = (extract(name, waveforms, parse(name, changes)) for name in ("logmel", "prosody"))
    for frames, left, right in zip(both, mels, prosody, strict=True):
        assert frames.shape[1] == 43
        np.testing.assert_array_equal(frames[:, :40], left)
        np.testing.assert_array_equal(frames[:, 40:], right)


@given(st.integers(0, 4_000), st.sampled_from([8_000, 11_025, 16_000, 22_050]), st.sampled_from([0.005, 0.01, 0.0125]))
@settings(max_examples=30, deadline=None)
def test_both_agree_on_the_number_of_frames(samples: int, rate: int, shift: float) -> None:
    config = parse("mfb43", {"sample_rate": rate, "shift": shift})
    (frames,) = extract("mfb43", [np.ones(samples, np.float32)], config)
    step = round(shift * rate)
    assert frames.shape == ((samples + step // 2) // step, 43)


def test_dimension_and_hop_follow_the_settings() -> None:
    config = parse("mfb43", {"mels": 24, "shift": 0.02})
    assert feature("mfb43").dimension(config) == 27
    assert feature("mfb43").hop(config) == pytest.approx(0.02)
