"""Descriptors by openSMILE: the package called directly, closed forms on our grid, full scale, and the extra."""

import re
import sys
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

import mien
from mien.errors import ConfigError
from mien.features import compare_lld, extract, parse, ready
from sounds import speechlike

opensmile = pytest.importorskip("opensmile", reason="needs the extra: pip install 'mien[opensmile]'")

SHIPPED = {"window": 0.02, "pitch_window": 0.06, "shift": 0.01}  # the frames of ComParE_2016 as it comes
Array = NDArray[np.float32]


def described(waveform: Array, **settings: object) -> Array:
    (values,) = extract("compare_lld", [waveform], parse("compare_lld", settings))
    return values


def column(name: str) -> int:
    return compare_lld.names(parse("compare_lld", {})).index(name)


def directly(waveform: Array, level: str, rate: int = 16_000) -> Array:
    """The shipped set by the package, T x 65."""
    return opensmile.Smile(opensmile.FeatureSet.ComParE_2016, level)(waveform, rate)[0].T


def test_names_are_those_of_the_package_and_their_deltas() -> None:
    names = compare_lld.names(parse("compare_lld", {}))
    assert names[:65] == list(opensmile.Smile(opensmile.FeatureSet.ComParE_2016, "lld").column_names)
    assert names[65:] == [re.sub(r"_sma", "_sma_de", name) for name in names[:65]]


@pytest.mark.parametrize("samples", [16_000, 5_003, 700, 80])
def test_the_frames_of_the_set_give_what_the_package_gives(samples: int) -> None:
    """Bit for bit, of the sound mirrored at its edges: the frame t of the clip is the row t after the margin."""
    waveform, margin = speechlike(samples), compare_lld.MARGIN
    count = (samples + 80) // 160
    before, whole = 80 + margin * 160, (count + 2 * margin - 1) * 160 + 960
    padded = np.pad(waveform, (before, whole - before - samples), mode="symmetric")
    values = described(waveform, **SHIPPED)
    assert values.shape == (count, 130)
    for level, part in (("lld", values[:, :65]), ("lld_de", values[:, 65:])):
        np.testing.assert_array_equal(part, directly(padded, level)[margin : margin + count])


@pytest.mark.parametrize(("rate", "window", "shift"), [(16_000, 512, 256), (44_100, 1411, 706), (16_000, 400, 160)])
def test_the_energy_of_a_frame_is_that_of_the_grid(rate: int, window: int, shift: int) -> None:
    """The root mean square of `window` samples around t * shift + shift // 2, averaged over three frames."""
    waveform = speechlike(12_345)
    values = described(waveform, sample_rate=rate, window=window / rate, shift=shift / rate)
    before = window // 2 - shift // 2 + shift
    padded = np.pad(waveform.astype(np.float64), (before, 3 * window + 2 * shift), mode="symmetric")
    count = (len(waveform) + shift // 2) // shift
    level = [np.sqrt(np.mean(padded[t * shift :][:window] ** 2)) for t in range(count + 2)]
    expected = np.convolve(level, np.full(3, 1 / 3), mode="valid")
    assert len(values) == count
    np.testing.assert_allclose(values[:, column("pcm_RMSenergy_sma")], expected, rtol=2e-4)


def test_deltas_are_regressions_over_five_frames() -> None:
    values = described(speechlike(20_000)).astype(np.float64)
    held, deltas = values[:, 6:65], values[:, 71:]
    expected = (2 * (held[4:] - held[:-4]) + held[3:-1] - held[1:-3]) / 10
    scale = np.abs(held).max(axis=0)
    np.testing.assert_allclose(deltas[2:-2] / scale, expected / scale, atol=1e-5)


def test_the_pitch_of_a_tone_with_harmonics_is_found() -> None:
    time = np.arange(16_000) / 16_000
    tone = sum(0.1 * np.sin(2 * np.pi * 200 * k * time) / k for k in range(1, 10)).astype(np.float32)
    assert described(tone)[10:-10, column("F0final_sma")] == pytest.approx(200, rel=0.02)
    assert described(tone, **SHIPPED)[10:-10, 0] == pytest.approx(200, rel=0.02)


def test_full_scale_does_not_turn_around() -> None:
    """The package alone turns a sample of 1.0 into -1.0, of which crossings of zero come."""
    loud = np.where(np.arange(8_000) % 200 < 100, 1.0, 0.5).astype(np.float32)
    below = np.minimum(loud, 1 - 2.0**-15).astype(np.float32)
    np.testing.assert_array_equal(described(loud), described(below))
    np.testing.assert_array_equal(
        described(np.float32(4) * loud - 2), described(np.clip(4 * loud - 2, -1, 1 - 2.0**-15))
    )
    crossings = column("pcm_zcr_sma")
    assert not described(loud)[:, crossings].any()
    assert directly(loud, "lld")[:, crossings].min() > 0


@pytest.mark.parametrize("samples", [256 * 12, 256 * 13 + 200, 256, 0])
def test_frames_are_averaged_in_their_order(samples: int) -> None:
    waveform = speechlike(samples)
    whole, averaged = described(waveform), described(waveform, average=4)
    groups = [whole[first : first + 4].mean(axis=0, dtype=np.float64) for first in range(0, len(whole), 4)]
    assert averaged.shape == (len(groups), 130)
    np.testing.assert_allclose(averaged, np.reshape(groups, (-1, 130)), rtol=1e-6)
    assert compare_lld.hop(parse("compare_lld", {"average": 4})) == pytest.approx(0.064)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"pitch_window": 0.02},
            "feature compare_lld: pitch_window: 0.02 s is shorter than window, 0.032 s; let it be as long at least",
        ),
        (
            {"sample_rate": 8_000},
            "feature compare_lld: sample_rate: input should be greater than or equal to 16000 (found 8000)",
        ),
    ],
)
def test_frames_that_cannot_be_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("compare_lld", settings)
    assert str(error.value) == sentence


def test_another_configuration_of_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_lld, "_LINES", {"frameSize = 0.061": 1})
    with pytest.raises(ConfigError) as error:
        described(speechlike(1_000))
    assert str(error.value) == (
        f"compare_lld: openSMILE {opensmile.__version__} has another configuration of ComParE_2016 ('frameSize = "
        "0.061' is not where it was); take version 2.6: pip install 'opensmile>=2.6,<2.7'"
    )


@pytest.fixture
def root(tmp_path):
    (tmp_path / "corpus").mkdir()
    for name in ("03a01Fa", "08a01Na"):
        with wave.open(str(tmp_path / "corpus" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((speechlike(8_000, seed=len(name)) * 2**15).astype("<i2").tobytes())
    return tmp_path / "corpus"


def test_it_is_prepared_and_its_licence_said_once(root, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("mien.features._said", set())
    mien.prepare("emodb", root, out=tmp_path / "out", features=["compare_lld"])
    ready("compare_lld", parse("compare_lld", {}))
    assert capsys.readouterr().err.count(f"mien: {compare_lld.NOTICE}\n") == 1
    assert list((tmp_path / "out" / "features").glob("compare_lld-*/*.safetensors"))


def test_without_the_package_nothing_is_written(root, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(ConfigError) as error:
        mien.prepare("emodb", root, out=tmp_path / "out", features=["compare_lld"])
    assert str(error.value) == "compare_lld needs openSMILE, which is an extra: pip install 'mien[opensmile]'"
    assert not (tmp_path / "out").exists()
