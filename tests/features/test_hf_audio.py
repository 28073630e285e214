"""Frames of models of sound in Hugging Face format: the package called directly, windows, identity, and refusals."""

import math
import shutil
import socket
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import front_ends
import mien
from mien import experiments
from mien.data import store
from mien.data.prepared import read_card
from mien.errors import ConfigError
from mien.features import _checkpoint, extract, feature, hf_audio, parse, ready
from mien.media.audio import read_audio

transformers = front_ends.package()
Array = NDArray[np.float32]
ANY = {"seen_corpora": ["librispeech"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A model of each kind, normalised by group; `layer` is as large models are."""
    root = tmp_path_factory.mktemp("models")
    for kind in front_ends.AUDIO:
        front_ends.write_audio(root / kind, kind)
    front_ends.write_audio(root / "layer", layer=True)
    return {path.name: path for path in root.iterdir()}


def hiss(samples: int, seed: int = 0) -> Array:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def config(folder: Path, /, **settings: object) -> hf_audio.Config:
    found: hf_audio.Config = parse("hf_audio", {"folder": str(folder), **ANY, **settings})
    return found


def frames(waveform: Array, folder: Path, **settings: object) -> Array:
    (values,) = extract("hf_audio", [waveform], config(folder, **settings))
    return values


def directly(waveform: Array, folder: Path) -> tuple[Array, list[Array]]:
    """The output, and what goes into each block and comes out of the last one, by the package alone."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    given = transformers.AutoFeatureExtractor.from_pretrained(folder)(
        waveform, sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        found = model(given.input_values, output_hidden_states=True)
    return found.last_hidden_state[0].numpy(), [layer[0].numpy() for layer in found.hidden_states]


@pytest.mark.parametrize("kind", [*front_ends.AUDIO, "layer"])
def test_frames_are_those_of_the_package(folders, kind: str) -> None:
    waveform = hiss(8_000)
    output, layers = directly(waveform, folders[kind])
    assert output.shape == (24, 16)
    assert output.std() > 0.1
    np.testing.assert_allclose(frames(waveform, folders[kind]), output, rtol=0, atol=1e-6)
    for layer in (0, 1, -1):
        np.testing.assert_allclose(frames(waveform, folders[kind], layer=layer), layers[layer], rtol=0, atol=1e-6)
    expected = 0.5 * layers[0] + 0.25 * layers[2]
    np.testing.assert_allclose(frames(waveform, folders[kind], weights=[0.5, 0, 0.25]), expected, rtol=0, atol=1e-6)


def test_the_output_of_a_large_model_is_normalised_once_more(folders) -> None:
    """There `layer: -1` is another thing than null; elsewhere they are one."""
    for kind, same in (("layer", False), ("wav2vec2", True)):
        pair = frames(hiss(8_000), folders[kind]), frames(hiss(8_000), folders[kind], layer=-1)
        assert np.allclose(*pair, atol=1e-3) == same


@pytest.mark.parametrize(("normalised", "same"), [(True, True), (False, False)])
def test_the_wave_is_normalised_as_the_folder_says(tmp_path, normalised: bool, same: bool) -> None:
    """Where it is, level and offset do not matter."""
    front_ends.write_audio(tmp_path, layer=True, do_normalize=normalised)
    pair = frames(hiss(8_000), tmp_path, layer=0), frames(3 * hiss(8_000) + np.float32(0.2), tmp_path, layer=0)
    assert np.allclose(*pair, atol=1e-3) == same


def test_windows_give_what_the_whole_gives(folders) -> None:
    """Before the first block but for rounding; after attention, which sees the window, nearly."""
    long = hiss(16_000 * 12)
    short = {"window": 6.0, "margin": 1.4}
    for layer, atol in ((0, 1e-5), (2, 5e-3), (None, 1e-2)):
        whole, parts = (
            frames(long, folders["layer"], layer=layer, **settings) for settings in ({"window": 12.0}, short)
        )
        assert whole.shape == parts.shape == (599, 16)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=atol * whole.std())
    np.testing.assert_array_equal(
        frames(long[:96_000], folders["layer"], **short), frames(long[:96_000], folders["layer"])
    )
    without = frames(long, folders["layer"], layer=0, window=6.0, margin=0.0)
    whole = frames(long, folders["layer"], layer=0)
    assert np.abs(without - whole).max() > 1e-2 * whole.std()  # the margin is what makes them equal


@pytest.mark.parametrize("count", [1, 298, 299, 300, 450, 598, 1_000, 7_777])
def test_windows_keep_each_frame_once_and_are_equally_long(folders, count: int) -> None:
    own = config(folders["wav2vec2"], window=6.0, margin=1.0)
    windows = list(hf_audio._windows(count, own))
    kept = [frame for one in windows for frame in range(count)[one.keep]]
    assert kept == list(range(count))
    assert {one.last - one.first for one in windows} == {min(count, 299)}
    for one in windows:  # a frame is kept only if the margin on both sides of it is seen, or the recording ends there
        assert one.keep.start - one.first >= 50 or one.first == 0
        assert one.last - one.keep.stop >= 50 or one.last == count


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 719, 720, 4_111])
def test_frames_are_counted_by_what_the_model_sees(folders, samples: int) -> None:
    own = config(folders["hubert"])
    (values,) = extract("hf_audio", [hiss(samples)], own)
    assert values.shape == (max(0, (samples - 400) // 320 + 1), 16)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert (hf_audio.hop(own), hf_audio.dimension(own), own.seen_samples) == (0.02, 16, 400)


def test_a_frame_is_of_the_samples_that_it_should_be(folders) -> None:
    """Frame t sees samples from 320 t on, 400 of them: of the convolutions alone, without the positional one."""
    _, model = _checkpoint.loaded(config(folders["layer"]))
    sound = torch.zeros(1, 4_000)
    with torch.no_grad():
        quiet = model.feature_extractor(sound)[0]
        for sample, seeing in ((0, [0]), (319, [0]), (320, [0, 1]), (399, [0, 1]), (400, [1]), (1_000, [2, 3])):
            changed = sound.clone()
            changed[0, sample] = 1.0
            other = model.feature_extractor(changed)[0]
            assert [t for t in range(quiet.shape[1]) if not torch.equal(quiet[:, t], other[:, t])] == seeing


def test_extreme_sounds_alone_and_in_company(folders) -> None:
    sounds = [hiss(5_000), np.zeros(4_000, np.float32), np.full(4_000, 1e-38, np.float32), np.float32(1e4) * hiss(900)]
    sounds += [np.ones(2_000, np.float32), hiss(399), np.zeros(0, np.float32)]
    for sound in sounds:
        sound.flags.writeable = False
    for kind in ("wav2vec2", "layer"):
        own = config(folders[kind])
        together = extract("hf_audio", sounds, own)
        for sound, values in zip(sounds, together, strict=True):
            assert np.isfinite(values).all()
            np.testing.assert_array_equal(extract("hf_audio", [sound], own)[0], values)


def test_the_model_is_frozen_in_evaluation_and_read_without_a_network(folders, monkeypatch) -> None:
    _checkpoint._loaded.cache_clear()
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    _, model = _checkpoint.loaded(config(folders["wavlm"]))
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_the_identity_is_the_models_and_not_its_place(folders, tmp_path) -> None:
    def place(folder: Path, **settings: object) -> str:
        return store.target(tmp_path, "hf_audio", config(folder, **settings)).folder.name

    shutil.copytree(folders["wav2vec2"], tmp_path / "moved")
    front_ends.write_audio(tmp_path / "other", seed=1)
    own = place(folders["wav2vec2"])
    assert place(tmp_path / "moved") == own
    assert place(tmp_path / "moved", seen_corpora=[]) == own
    others = [place(tmp_path / "other"), place(folders["hubert"]), place(folders["wav2vec2"], layer=1)]
    assert len({own, *others}) == 4
    processor = tmp_path / "moved" / "preprocessor_config.json"
    processor.write_text(processor.read_text().replace("true", "false"))  # do_normalize
    assert place(tmp_path / "moved") != own


def test_an_experiment_has_the_hash_and_is_read_without_the_folder(folders, tmp_path, monkeypatch) -> None:
    shutil.copytree(folders["wav2vec2"], tmp_path / "models" / "base")
    monkeypatch.chdir(tmp_path / "models")
    loaded = experiments.load(
        "li2020", ["data.audio={name: hf_audio, folder: base, seen_corpora: [unknown]}", "data.copies=null"]
    )
    assert loaded.data.audio is not None
    assert loaded.data.audio["folder"] == str(tmp_path / "models" / "base")
    assert loaded.data.audio["sha256"] == _checkpoint.identity(tmp_path / "models" / "base")
    before = loaded.features["audio"][1]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "models" / "base").rename(tmp_path / "elsewhere" / "base")
    again = experiments.resolve(loaded.model_dump(mode="json"), "again")
    assert again.features["audio"][1] == before
    with pytest.raises(ConfigError) as error:
        extract("hf_audio", [hiss(800)], before)
    assert str(error.value) == (
        f"hf_audio: {tmp_path / 'models' / 'base'}: no such folder; put the model there, or name the folder that holds "
        "'base' in the environment variable MIEN_FRONT_ENDS"
    )
    monkeypatch.setenv("MIEN_FRONT_ENDS", str(tmp_path / "elsewhere"))
    assert extract("hf_audio", [hiss(800)], before)[0].shape == (2, 16)


def test_another_model_under_a_known_hash_is_refused(folders, tmp_path) -> None:
    shutil.copytree(folders["wav2vec2"], tmp_path / "base")
    own = config(tmp_path / "base")
    shutil.rmtree(tmp_path / "base")
    front_ends.write_audio(tmp_path / "base", seed=3)
    found = _checkpoint.identity(tmp_path / "base")
    with pytest.raises(ConfigError) as error:
        extract("hf_audio", [hiss(800)], own)
    assert str(error.value) == (
        f"hf_audio: {tmp_path / 'base'}: is another model (SHA-256 {found[:12]}..., not {str(own.sha256)[:12]}...); "
        "give the right folder, or leave sha256 out to take this one"
    )


def test_weights_that_are_not_there_are_not_made_up(tmp_path) -> None:
    """The package fills them with random numbers and a warning."""
    from safetensors.torch import load_file, save_file

    front_ends.write_audio(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["encoder.layers.1.attention.k_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError) as error:
        frames(hiss(800), tmp_path)
    assert str(error.value) == (
        f"hf_audio: {tmp_path}: its weights do not fit its config.json, which has "
        "'encoder.layers.1.attention.k_proj.weight'; save the model again"
    )
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ConfigError, match="cannot be read"):
        frames(hiss(800), tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder), "{folder}: no such folder"),
        (
            lambda folder: (folder / "preprocessor_config.json").unlink(),
            "{folder}/preprocessor_config.json: no such file or directory; hf_audio needs it",
        ),
        (
            lambda folder: (folder / "config.json").write_text("[]"),
            "{folder}/config.json: is no JSON object; save the model again",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'),
            "{folder}: is a model of the type 'bert'; hf_audio reads hubert, wav2vec2, wavlm",
        ),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "{folder}: has no model.safetensors, but pytorch_model.bin, a pickle, which can run code; load it where "
            "you trust it, and call save_pretrained(FOLDER)",
        ),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            "{folder}: has no model.safetensors; load it where you trust it, and call save_pretrained(FOLDER)",
        ),
    ],
    ids=["folder", "processor", "json", "architecture", "pickle", "weights"],
)
def test_another_folder_is_refused(folders, tmp_path, change, sentence: str) -> None:
    shutil.copytree(folders["wav2vec2"], tmp_path / "base")
    change(tmp_path / "base")
    with pytest.raises(ConfigError) as error:
        config(tmp_path / "base")
    assert str(error.value) == f"feature hf_audio: {sentence.format(folder=tmp_path / 'base')}"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layer": 3}, "layer: 3, and {folder} has layers from 0 to 2"),
        ({"weights": [1.0, 2.0]}, "weights: 2 numbers, and {folder} has 3 layers; give one each"),
        ({"sample_rate": 8_000}, "sample_rate is 8000, and {folder} has 16000; leave it out"),
        ({"layer": 1, "weights": [1.0, 0.0, 0.0]}, "layer and weights are given; leave one of the two out"),
        ({"window": 4.0}, "margin: twice 2.0 s leaves nothing of a window of 4.0 s"),
        (
            {"seen_corpora": None},
            "'seen_corpora' is missing: the corpora that the weights have seen; write seen_corpora: [NAME, ...], [] "
            "for none, or [unknown]",
        ),
        ({"folder": None, "sha256": "0" * 64}, "sha256 is of 'folder', which is not given; leave it out"),
    ],
)
def test_settings_that_do_not_fit_are_refused(folders, settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(folders["wav2vec2"], **settings)
    assert str(error.value) == f"feature hf_audio: {sentence.format(folder=folders['wav2vec2'])}"


def write_speech(path: Path, rate: int, seed: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((hiss(rate, seed) * 2**15).astype("<i2").tobytes())


@pytest.fixture
def corpus(tmp_path) -> Path:
    (tmp_path / "corpus").mkdir()
    for number, (name, rate) in enumerate((("03a01Fa", 16_000), ("08a01Na", 44_100))):
        write_speech(tmp_path / "corpus" / f"{name}.wav", rate, number)
    return tmp_path / "corpus"


def test_a_corpus_is_prepared_at_the_models_rate(corpus, tmp_path, capsys, monkeypatch) -> None:
    """8 kHz, of sound at 16 and 44.1; the card says what the weights have seen."""
    monkeypatch.setattr("mien.features._said", set())
    front_ends.write_audio(tmp_path / "base", rate=8_000)
    audio = f"{{name: hf_audio, folder: {tmp_path / 'base'}, seen_corpora: [librispeech, emodb]}}"
    experiment = tmp_path / "own.yaml"
    experiment.write_text(f"extends: li2020\ncorpus: emodb\ndata: {{copies: null, audio: {audio}}}\n")
    done = mien.prepare("emodb", corpus, out=tmp_path / "out", experiment=experiment)
    said = capsys.readouterr().err
    assert said.count("the weights of base have seen librispeech, emodb; the licence of the weights") == 1
    own = config(tmp_path / "base", seen_corpora=["emodb"])
    assert (own.sample_rate, own.hop) == (8_000, 0.04)
    kept = store.FeatureStore(store.Prepared.open(tmp_path / "out"), "hf_audio", own)
    for clip in ("03a01Fa", "08a01Na"):
        (expected,) = extract("hf_audio", [read_audio(corpus / f"{clip}.wav", rate=8_000)], own)
        assert expected.shape == ((8_000 - 400) // 320 + 1, 16)
        np.testing.assert_array_equal(kept.frames(clip).numpy(), expected)
    assert read_card(tmp_path / "out")["front_ends"] == [
        {"feature": "hf_audio", "model": "base", "sha256": own.sha256, "seen_corpora": ["librispeech", "emodb"]}
    ]
    assert "note: base, the model behind hf_audio, has seen emodb: scores are not of unseen speakers" in done.text


def test_without_a_folder_or_the_package_nothing_is_written(corpus, tmp_path, monkeypatch) -> None:
    with pytest.raises(ConfigError) as error:
        mien.prepare("emodb", corpus, out=tmp_path / "out", features=["hf_audio"])
    assert str(error.value) == (
        "hf_audio needs the folder of a model, which an experiment gives: {name: hf_audio, folder: FOLDER, "
        "seen_corpora: [NAME, ...]}"
    )
    both = "'mien[transformers,train]'"
    for present, sentence in (
        ((), f"transformers, torch and safetensors; pip install {both}"),
        (("transformers",), f"torch and safetensors; pip install {both}"),
        (("transformers", "torch"), f"safetensors; pip install {both}"),
        (("torch", "safetensors"), "transformers; pip install 'mien[transformers]'"),
    ):
        monkeypatch.setattr(_checkpoint, "find_spec", lambda name, present=present: True if name in present else None)
        with pytest.raises(ConfigError) as error:
            ready("hf_audio", parse("hf_audio", {}))
        assert str(error.value) == f"hf_audio needs {sentence}"
    assert not (tmp_path / "out").exists()


def test_settings_are_described_and_read_without_the_package(folders, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    own = config(folders["wavlm"])
    assert math.isclose(feature("hf_audio").hop(own), 0.02)
    for field in type(own).model_fields:
        assert any(f"{field}: " in (base.__doc__ or "") for base in type(own).__mro__), field
