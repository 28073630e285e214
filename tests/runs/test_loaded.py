"""A loaded model: arrays in, the rows of `mien predict` out; from several threads, as a stream, without torch."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from joblib.externals.loky import get_reusable_executor

import mien
from mien.corpora.toy import ToyConfig, generate
from mien.errors import ConfigError, MediaError, MediaWarning, RunError
from mien.media.audio import read_audio
from mien.media.faces import people
from mien.media.faces.detectors import Face
from mien.runs import loaded, reading
from mien.runs.ensemble import Ensemble
from mien.runs.exported import FOLDER

RATE = 16_000
TORCHLESS = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(f"{{name}} is not there")

sys.meta_path.insert(0, Blocked())
from mien.cli.main import main
code = main({arguments})
found = [name for name in ("torch", "sklearn", "pandas", "scipy") if name in sys.modules]
print(json.dumps([code, found]), file=sys.stderr)
"""


def sound(seconds, seed=0):
    """A voice-like sound that rises and falls, with a little noise."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    f0 = 150 + 40 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 8)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return (0.1 * wave + 0.003 * random.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return mien.load_model()


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Ten seconds as a file, and as they are read."""
    import wave

    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound(10.0) * 32767).astype("<i2").tobytes())
    return path


def test_rows_are_those_of_predict(model, talk):
    expected = mien.predict([talk]).data["rows"]
    assert model.predict_file(talk) == expected
    alone = [{name: value for name, value in row.items() if name != "file"} for row in expected]
    assert model.predict(read_audio(talk), RATE) == alone
    table = model.predict(read_audio(talk), RATE, frame=True)
    pd.testing.assert_frame_equal(table, pd.DataFrame(alone))
    assert {row["emotion"] for row in model.predict(sound(3), RATE, unsure=0)} <= {*model.classes, "silence"}


def test_answers_are_torchs_at_any_length(model):
    sounds = [sound(seconds, seed) for seed, seconds in enumerate((0.15, 0.4, 1.0, 2.7, 9.0))]
    whole = Ensemble.open(FOLDER / model.name, torch.device("cpu"))
    expected = whole.probabilities(sounds)
    np.testing.assert_allclose(model.model.probabilities(sounds), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(sounds, RATE)[2:], expected[2:], atol=1e-5)
    vectors, expected = model.embed(sounds, RATE), whole.embed(whole.voices(sounds))
    np.testing.assert_allclose(vectors, expected, atol=1e-4 * np.abs(expected).max())
    together = model.predict_proba(sounds, RATE)
    alone = np.concatenate([model.predict_proba([one], RATE) for one in sounds])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_channels_and_kinds_of_numbers_are_heard_alike(model):
    one = sound(2.0)
    whole = model.predict_proba([one], RATE)
    for same in (one.astype(np.float64), np.stack([one, one]), one.tolist()):
        np.testing.assert_allclose(model.predict_proba([same], RATE), whole, atol=1e-5)
    rounded = np.round(one * 2**15).astype(np.int16)
    np.testing.assert_allclose(
        model.predict_proba([rounded], RATE), model.predict_proba([rounded / 2.0**15], RATE), atol=1e-6
    )
    assert np.abs(model.predict_proba([one], 8_000) - whole).max() > 0.01  # another rate is another sound


def test_several_threads_get_what_one_gets(model):
    sounds = [sound(1 + number / 4, number) for number in range(8)]
    alone = [model.predict(one, RATE) for one in sounds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: model.predict(one, RATE), sounds)) == alone


def test_a_stream_gives_each_row_when_its_window_is_over(model):
    whole, size = sound(12.0), 1_237
    given = []

    def blocks():
        for start in range(0, len(whole), size):
            given.append(min(start + size, len(whole)) / RATE)
            yield whole[start : start + size]

    rows = []
    for row in model.stream(blocks(), RATE, window=2.0, hop=1.0):
        rows.append(row)
        assert given[-1] - row["end"] < 0.1 + 3 * size / RATE
    expected = model.predict(whole, RATE, window=2.0, hop=1.0)
    assert [(row["start"], row["end"]) for row in rows] == [(row["start"], row["end"]) for row in expected]
    assert all(after["start"] > before["start"] for before, after in pairwise(rows))
    assert rows == list(model.stream([whole], RATE, window=2.0, hop=1.0))


@pytest.mark.parametrize(("window", "hop"), [(2.0, 1.0), (1.5, 1.5), (3.0, 0.7)])
def test_a_row_of_a_stream_is_what_predict_says_of_the_sound_until_then(model, window, hop):
    whole = np.concatenate([sound(5.0), np.zeros(3 * RATE, np.float32), 3 * sound(3.0, 1)])
    for row in model.stream([whole], RATE, window=window, hop=hop):
        until = whole[: round(row["end"] * RATE)]
        assert model.predict(until, RATE, window=window, hop=hop)[-1] == row


def test_a_stream_forgets_what_is_long_past(model):
    whole = np.concatenate([sound(4.0), 5 * sound(20.0, 1)])
    rows = list(model.stream([whole], RATE, window=2.0, hop=2.0))
    other = list(model.stream([np.concatenate([sound(4.0, 2), whole[4 * RATE :]])], RATE, window=2.0, hop=2.0))
    apart = [one["end"] for one, two in zip(rows, other, strict=True) if one != two]
    assert min(apart) == 2.0
    assert max(apart) <= 4.0 + loaded.CONTEXT + 2 * 2.0


@pytest.mark.parametrize(
    ("waveform", "rate", "sentence"),
    [
        (np.zeros((16_000, 2), np.float32), RATE, "of shape (16000, 2): give channels x samples: transpose it"),
        (np.zeros((64, 1), np.float32), RATE, "of shape (64, 1): give channels x samples: transpose it"),
        (np.zeros((9, 16_000), np.float32), RATE, "of shape (9, 16000): 1 to 8 channels are taken"),
        (np.zeros((0, 16_000), np.float32), RATE, "of shape (0, 16000): 1 to 8 channels are taken"),
        (np.zeros((1, 1, 9), np.float32), RATE, "of shape (1, 1, 9): (N,) or channels x samples is needed"),
        ([[0.1, 0.2], [0.1]], RATE, "waveform: its channels are not equally long"),
        (None, RATE, "waveform of shape (): (N,) or channels x samples is needed"),
        ("talk.wav", RATE, "waveform of shape (): (N,) or channels x samples is needed"),
        (np.full(16_000, 1e300), RATE, "waveform: holds nan or infinity, or numbers beyond float32"),
        (np.full(16_000, -12_000.0), RATE, "the loudest sample is 12000, and full scale is 1: divide by"),
        (np.zeros(100, np.uint8), RATE, "waveform of uint8: floating point at full scale"),
        (np.full(16_000, np.nan, np.float32), RATE, "waveform: holds nan or infinity"),
        (np.zeros(16_000, np.float32), 16_000.0, "sample_rate 16000.0: a whole number of Hz"),
        (np.zeros(16_000, np.float32), 0, "sample_rate 0: a whole number of Hz from 1000 to 384000"),
        (np.zeros(0, np.float32), RATE, "the waveform is empty"),
    ],
)
def test_a_waveform_that_cannot_be_heard_is_refused(model, waveform, rate, sentence):
    with pytest.raises(ConfigError) as error:
        model.predict(waveform, rate)
    assert sentence in str(error.value)


def test_a_block_of_samples_by_channels_is_refused_not_taken_for_channels(model):
    whole = sound(3.0)
    for shape in ((-1, 64, 1), (-1, 32, 2)):
        with pytest.raises(ConfigError, match="give channels x samples: transpose it"):
            list(model.stream(np.stack([whole, whole], 1).reshape(shape), RATE))
    with pytest.raises(ConfigError, match="a block has 1 channels, and those before it 2"):
        list(model.stream([np.stack([whole, whole]), whole], RATE))
    stereo = np.stack([whole, whole])
    alone = list(model.stream([whole], RATE))
    assert list(model.stream([stereo[:, :-1], stereo[:, -1:]], RATE)) == alone  # the last block is 2 x 1
    assert list(model.stream([stereo, stereo[:, :0]], RATE)) == alone
    with pytest.raises(ConfigError, match="blocks: NoneType is given"):
        model.stream(None, RATE)
    with pytest.raises(ConfigError, match="sample_rate 0: a whole number of Hz"):
        model.stream([whole], 0)


def test_sound_a_little_above_full_scale_is_heard(model):
    np.testing.assert_allclose(
        model.predict_proba([sound(2.0) * 50], RATE), model.predict_proba([sound(2.0)], RATE), atol=1e-4
    )


def test_no_probability_is_given_of_silence_and_of_scraps(model):
    voice = sound(2.0)
    silence, cancelled = np.zeros(2 * RATE, np.float32), np.stack([voice, -voice])
    given = [voice, silence, cancelled, sound(0.4), sound(0.02), np.stack([voice, voice])]
    found = model.predict_proba(given, RATE)
    assert found.shape == (6, len(model.classes))
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [False, True, True, True, True, False])
    assert np.isfinite(found[[0, 5]]).all()
    np.testing.assert_allclose(found[[0, 5]].sum(axis=1), 1, atol=1e-6)
    emotions = [model.predict(one, RATE)[0]["emotion"] for one in given[1:5]]
    assert emotions == ["silence", "silence", "unsure", "unsure"]
    assert np.isnan(model.predict_proba([silence], RATE)).all()
    assert model.predict_proba([], RATE).shape == (0, len(model.classes))
    assert np.isfinite(model.embed(given[:4], RATE)).all()
    with pytest.raises(ConfigError, match="waveform 1: is empty"):
        model.predict_proba([voice, voice[:0]], RATE)
    with pytest.raises(ConfigError, match=r"waveform 1 of shape \(32000, 2\): give channels x samples"):
        model.predict_proba([voice, np.stack([voice, voice], 1)], RATE)
    with pytest.raises(ConfigError, match=r"waveform 0 of shape \(\)"):
        model.predict_proba(voice, RATE)


def test_settings_and_files_are_refused_as_by_predict(model, tmp_path):
    with pytest.raises(ConfigError, match="not longer than the window"):
        model.stream([], RATE, window=1.0, hop=2.0)
    with pytest.raises(ConfigError, match=r"waveform 1: lasts 0\.05 s"):
        model.embed([sound(1.0), sound(0.05)], RATE)
    with pytest.raises(ConfigError, match="takes faces alone; give predict_file a film"):
        mien.load_model("face-small").predict(sound(1.0), RATE)
    with pytest.raises(MediaError, match="nothing"):
        model.predict_file(tmp_path / "nothing.wav")
    with pytest.raises(RunError, match="Did you mean 'voice-small'"):
        mien.load_model("voice-smal")
    assert model.card.lstrip().startswith("---")
    assert model.classes_.tolist() == list(model.classes)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"window": None}, "--window None: a number of seconds is needed"),
        ({"window": "3"}, "--window '3': a number of seconds is needed"),
        ({"window": np.inf}, "--window inf: a number of seconds is needed"),
        ({"hop": np.nan}, "--hop nan: a number of seconds is needed"),
        ({"hop": 5.0}, "--hop 5 with --window 4: the hop must be 0.1 s or more, and not longer than the window"),
        ({"unsure": "a"}, "--unsure 'a': a probability from 0"),
        ({"unsure": 1.5}, "--unsure 1.5: a probability from 0"),
        ({"unsure": np.nan}, "--unsure nan: a probability from 0"),
        ({"unsure": True}, "--unsure True: a probability from 0"),
    ],
)
def test_a_setting_is_refused_by_all_that_take_it(model, talk, settings, sentence):
    asked = (
        lambda: model.predict(sound(1.0), RATE, **settings),
        lambda: model.predict_file(talk, **settings),
        lambda: model.stream([sound(1.0)], RATE, **settings),
        lambda: mien.predict(talk, **settings),
    )
    for ask in asked:
        with pytest.raises(ConfigError) as error:
            ask()
        assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": 3}, "load_model: 3 is neither a path nor a name"),
        ({"device": None}, "--device None: not a device"),
        ({"threads": 0}, "--threads 0: a whole number from 1 to"),
        ({"threads": 2.5}, "--threads 2.5: a whole number from 1 to"),
        ({"threads": "2"}, "--threads '2': a whole number from 1 to"),
        ({"threads": 100_000}, "--threads 100000: a whole number from 1 to"),
    ],
)
def test_a_model_is_not_opened_by_what_cannot_be_used(settings, sentence):
    with pytest.raises(ConfigError) as error:
        mien.load_model(**settings)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("file", [None, 3, b"talk.wav"])
def test_a_file_is_a_path(model, file):
    with pytest.raises(ConfigError, match="is not the path of a file"):
        model.predict_file(file)


def test_a_copy_is_opened_anew_and_answers_alike(model, monkeypatch, tmp_path):
    shutil.copytree(FOLDER / "voice-small", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    mine = mien.load_model("mine", threads=2)
    assert mine.folder == tmp_path / "mine"
    monkeypatch.chdir("/")
    expected = model.predict(sound(2.0), RATE)
    for one in (mine, copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert one.predict(sound(2.0), RATE) == expected
        assert (one.folder, one.device, one.threads, one.card) == (mine.folder, "auto", 2, model.card)
    again = pickle.loads(pickle.dumps(model))
    assert again.faces is not None
    assert len({model, model, again}) == 2
    shutil.rmtree(tmp_path / "mine")
    assert mine.card.lstrip().startswith("---")
    with pytest.raises(RunError, match="mine"):
        copy.copy(mine)


def test_processes_of_joblib_answer_alike(model):
    sounds = [sound(1.5, seed) for seed in range(3)]
    try:
        found = joblib.Parallel(2)(joblib.delayed(model.predict)(one, RATE) for one in sounds)
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert found == [model.predict(one, RATE) for one in sounds]


def test_a_card_that_is_not_text_is_named(tmp_path):
    shutil.copytree(FOLDER / "voice-small", tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_bytes(b"\xff\xfe card")
    with pytest.raises(RunError, match=r"README\.md: cannot be read as UTF-8 text"):
        mien.load_model(tmp_path / "mine")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A voice and a face of the toy corpus in one file."""
    folder = tmp_path_factory.mktemp("toy")
    generate(folder, ToyConfig(people=2, clips=2, seconds=2, size=64, frame_rate=5))
    return min(path for path in folder.rglob("*") if path.is_file() and reading.has_pictures(path))


def whole_picture(name, long_side):
    return lambda rgb: [Face((0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0])), 1.0)]


def test_a_film_is_answered_by_voice_and_face_where_no_model_is_named(model, film, monkeypatch):
    monkeypatch.setattr(people, "detector", whole_picture)
    expected = mien.predict([film]).data
    rows = model.predict_file(film)
    assert rows == expected["rows"]
    assert {row["model"] for row in rows} == {"voice-small+face-small"}
    alone = mien.load_model("voice-small").predict_file(film)
    assert alone == mien.predict([film], model="voice-small").data["rows"]
    monkeypatch.setattr(loaded, "installed", lambda name: False)
    with pytest.warns(MediaWarning, match="faces are not looked for, .*; voice-small answers"):
        assert model.predict_file(film) == alone


def test_what_predict_notes_on_a_file_is_warned_of(model, film, monkeypatch):
    monkeypatch.setattr(people, "detector", lambda name, long_side: lambda rgb: [])
    noted = mien.predict([film]).data["notes"]
    assert "no face was found" in noted[0]
    with pytest.warns(MediaWarning) as warned:
        model.predict_file(film)
    assert [str(one.message) for one in warned] == noted
    assert warned[0].filename == __file__


def test_predict_runs_where_torch_cannot_be_imported(talk, tmp_path):
    blocked = ("torch", "sklearn", "pandas", "matplotlib", "jinja2", "safetensors")
    out = tmp_path / "rows.csv"
    code = TORCHLESS.format(blocked=blocked, arguments=["predict", str(talk), "--out", str(out)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]
    rows = mien.predict([talk]).data["rows"]
    pd.testing.assert_frame_equal(pd.read_csv(out, dtype={"person": str}), pd.DataFrame(rows), check_dtype=False)
