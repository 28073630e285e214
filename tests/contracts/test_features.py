"""What every feature promises, swept over all features of sound."""

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from mien.errors import ConfigError, unknown
from mien.features import extract, feature, names, needs_folder, parse, source_of
from mien.features._config import FrameConfig

ONE_VECTOR = ("functionals", "opensmile")  # features that have one vector a clip
HOPS = {"compare_lld": 0.016}  # seconds from one frame to the next; 10 ms elsewhere
EXTRAS = {"compare_lld": "opensmile", "opensmile": "opensmile"}  # features that need a package, which may be absent
every = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(absent, reason=f"needs the package {EXTRAS.get(name)}"))
        for name in names("audio")
        if source_of(name) == "media" and not needs_folder(name)
        for absent in [name in EXTRAS and find_spec(EXTRAS[name]) is None]
    ],
)


def frames(name: str, *waveforms: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return extract(name, waveforms, parse(name, {}))


def hop(name: str) -> float:
    """Seconds from one frame to the next; of one vector those of the frames that it sums up."""
    return HOPS.get(name, 0.01)


def length(name: str, samples: float) -> float:
    """Frames of so many samples at 16 kHz: every sample is in the nearest frame, one half of a hop makes one."""
    shift = round(hop(name) * 16_000)
    count = (samples + shift // 2) // shift
    return min(count, 1) if name in ONE_VECTOR else count


def hiss(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_helpers_are_no_features() -> None:
    assert set(names()) == {*names("audio"), *names("video")}
    assert {"logmel", "crops"} < set(names())
    assert not [name for name in names() if not hasattr(feature(name), "SOURCE")]


@every
def test_a_feature_says_what_it_is(name: str) -> None:
    module, config = feature(name), parse(name, {})
    assert len(module.SOURCE) > 20
    assert module.VERSION >= 1
    assert module.hop(config) == (math.inf if name in ONE_VECTOR else pytest.approx(hop(name)))
    assert any(word in module.__doc__ for word in (str(module.dimension(config)), "bins", "mels", "(1, D)"))
    for field in type(config).model_fields:  # every setting is described, with its paper, where it is defined
        assert any(f"{field}: " in (base.__doc__ or "") for base in type(config).__mro__), field


@every
@pytest.mark.parametrize("samples", [0, 1, 79, 80, 239, 240, 400, 640, 41_111])
def test_shape_and_type(name: str, samples: int) -> None:
    (values,) = frames(name, hiss(samples))
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert values.shape == (length(name, samples), feature(name).dimension(parse(name, {})))


@every
def test_no_waveform_no_result(name: str) -> None:
    assert frames(name) == []


@every
def test_a_result_does_not_depend_on_company(name: str) -> None:
    """Bit for bit: alone, among others, and in another order."""
    clips = [hiss(samples, seed=samples) for samples in (16_000, 0, 5_432, 1, 48_001, 639, 16_000)]
    clips += [np.zeros(8_000, np.float32), np.sign(hiss(20_000)), np.sin(np.arange(30_000) / 9).astype(np.float32)]
    together, backwards = frames(name, *clips), frames(name, *clips[::-1])[::-1]
    for clip, one, other in zip(clips, together, backwards, strict=True):
        (alone,) = frames(name, clip)
        np.testing.assert_array_equal(alone, one)
        np.testing.assert_array_equal(alone, other)


@every
def test_the_waveform_is_left_as_it_was(name: str) -> None:
    waveform = hiss(5_000)
    waveform.flags.writeable = False
    before = waveform.copy()
    first, second = frames(name, waveform), frames(name, waveform)
    np.testing.assert_array_equal(waveform, before)
    np.testing.assert_array_equal(first[0], second[0])


@every
@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(4_000, np.float32),
        np.ones(4_000, np.float32),
        np.tile(np.float32([1, -1]), 2_000),
        np.full(4_000, 1e-38, np.float32),
        np.eye(1, 4_000, 2_000, dtype=np.float32)[0],
        np.clip(20 * hiss(4_000), -1, 1),
        1e-20 * hiss(4_000),
        np.float32(1e4) * hiss(4_000),
    ],
    ids=["silence", "constant", "alternating", "denormal", "click", "clipped", "faint", "beyond-full-scale"],
)
def test_extreme_sounds_give_finite_values(name: str, waveform: NDArray[np.float32]) -> None:
    assert np.isfinite(frames(name, waveform)[0]).all()


@every
@given(waveform=arrays.arrays(np.float32, st.integers(0, 900), elements=st.floats(-1, 1, width=32)))
@settings(max_examples=15, deadline=None)
def test_any_sound_gives_finite_values(name: str, waveform: NDArray[np.float32]) -> None:
    assert np.isfinite(frames(name, waveform)[0]).all()


@every
@pytest.mark.parametrize("perturbation", [{"speed": 0.8}, {"speed": 1.2, "speed_by": "tempo"}, {"noise_db": 10.0}])
def test_a_perturbed_copy_is_another_one(name: str, perturbation: dict[str, object]) -> None:
    waveform = hiss(16_000)
    (plain,), (copy,) = frames(name, waveform), extract(name, [waveform], parse(name, perturbation))
    assert len(copy) == pytest.approx(length(name, 16_000 / float(str(perturbation.get("speed", 1)))), abs=1)
    shared = min(len(plain), len(copy))
    assert not np.array_equal(plain[:shared], copy[:shared])
    assert np.isfinite(copy).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: feature("logmels"), unknown("feature", "logmels", names())),
        (
            lambda: parse("prosody", {"speeds": 1}),
            "feature prosody: unknown key 'speeds'. Did you mean 'speed'? Known: "
            + ", ".join(sorted(feature("prosody").Config.model_fields)),
        ),
        (
            lambda: parse("prosody", {"speed": -1}),
            "feature prosody: speed: input should be greater than or equal to 0.25 (found -1)",
        ),
        (
            lambda: extract("prosody", [], FrameConfig()),
            "feature prosody needs mien.features.prosody.Config, not mien.features._config's",
        ),
    ],
    ids=["name", "key", "value", "class"],
)
def test_unknown_names_and_settings_are_refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        call()
    assert str(error.value) == sentence
