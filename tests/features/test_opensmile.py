"""Sets of openSMILE: the package called directly, the grid, and the extra."""

import sys
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.features import _opensmile, compare_lld, extract, feature, parse, ready
from sounds import speechlike

opensmile = pytest.importorskip("opensmile", reason="needs the extra: pip install 'mien[opensmile]'")

every_set = pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "ComParE_2016"])
Array = NDArray[np.float32]


def described(waveform: Array, **settings: object) -> Array:
    (values,) = extract("opensmile", [waveform], parse("opensmile", settings))
    return values


@every_set
def test_functionals_are_those_of_the_package(feature_set: str) -> None:
    waveform, config = speechlike(24_000), parse("opensmile", {"feature_set": feature_set})
    expected = opensmile.Smile(feature_set).process_signal(waveform, 16_000)
    np.testing.assert_array_equal(described(waveform, feature_set=feature_set), expected.to_numpy())
    assert feature("opensmile").names(config) == list(expected)


@every_set
def test_descriptors_are_rows_of_the_package_on_the_grid(feature_set: str) -> None:
    """Of the sound mirrored at its edges: the frame t of the clip is the row t after the margin."""
    waveform, margin = speechlike(9_003), _opensmile.MARGIN
    count, before = (9_003 + 80) // 160, 80 + margin * 160
    whole = (count + 2 * margin - 1) * 160 + 960
    padded = np.pad(waveform, (before, whole - before - 9_003), mode="symmetric")
    expected = opensmile.Smile(feature_set, "lld")(padded, 16_000)[0].T[margin : margin + count]
    np.testing.assert_array_equal(described(waveform, feature_set=feature_set, level="lld"), expected)


def test_the_descriptors_of_compare_are_those_of_compare_lld() -> None:
    waveform = speechlike(8_000)
    settings = {"window": 0.02, "pitch_window": 0.06, "shift": 0.01}
    (values,) = extract("compare_lld", [waveform], parse("compare_lld", settings))
    np.testing.assert_array_equal(
        described(waveform, feature_set="ComParE_2016", level="lld"), values[:, : compare_lld.DESCRIPTORS]
    )


@every_set
def test_a_short_clip_is_prolonged_by_its_mirror_image(feature_set: str) -> None:
    """The package alone gives nothing but nan below 60 ms; at 60 ms and above nothing is added."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(opensmile.Smile(feature_set).process_signal(speechlike(900), 16_000).to_numpy()).all()
    short = speechlike(700)
    mirrored = np.concatenate([short, short[: -960 + 700 - 1 : -1]])
    assert len(mirrored) == 960
    np.testing.assert_array_equal(
        described(short, feature_set=feature_set), described(mirrored, feature_set=feature_set)
    )


def test_the_pitch_of_a_tone_with_harmonics_is_found() -> None:
    time = np.arange(16_000) / 16_000
    tone = sum(0.1 * np.sin(2 * np.pi * 200 * k * time) / k for k in range(1, 10)).astype(np.float32)
    for level, name in (("functionals", "F0semitoneFrom27.5Hz_sma3nz_amean"), ("lld", "F0semitoneFrom27.5Hz_sma3nz")):
        column = feature("opensmile").names(parse("opensmile", {"level": level})).index(name)
        found = np.median(described(tone, level=level)[:, column])
        assert found == pytest.approx(12 * np.log2(200 / 27.5), abs=0.3), level


def test_its_licence_is_said_once(capsys, monkeypatch) -> None:
    monkeypatch.setattr("mien.features._said", set())
    ready("opensmile", parse("opensmile", {}))
    ready("opensmile", parse("opensmile", {}))
    assert capsys.readouterr().err.count(f"mien: {_opensmile.notice('opensmile')}\n") == 1


def test_without_the_package_and_with_another_one_it_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(feature("opensmile").DIMENSIONS, ("eGeMAPSv02", "functionals"), 62)
    with pytest.raises(ConfigError) as error:
        described(speechlike(1_000))
    assert str(error.value) == (
        f"opensmile: openSMILE {opensmile.__version__} has 88 values of eGeMAPSv02 functionals, not 62; take version "
        "2.6: pip install 'opensmile>=2.6,<2.7'"
    )
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(ConfigError) as error:
        ready("opensmile", parse("opensmile", {}))
    assert str(error.value) == "opensmile needs openSMILE, which is an extra: pip install 'mien[opensmile]'"
