"""Vectors of faces by models in Hugging Face format: the package called directly, in a film, and refusals."""

import math
import shutil

import numpy as np
import pytest
import torch

import front_ends
from mien import features
from mien.corpora.toy import ToyConfig, generate
from mien.data import store
from mien.errors import ConfigError
from mien.features import crops, hf_image

transformers = front_ends.package()
LEADING = {"vit": 1, "beit": 1, "deit": 2, "dinov2": 1, "dinov2_with_registers": 5}
FILM = {"faces": "whole-frame", "every": 0.4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for kind in front_ends.IMAGE:
        front_ends.write_image(root / kind, kind)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 3, 48, 48)).astype(np.uint8)


def config(folder, **settings):
    return features.parse("hf_image", {"folder": str(folder), "seen_corpora": [], **settings})


def directly(pixels, folder):
    """The tokens of each crop, by the package alone: a picture in, by Pillow."""
    from PIL import Image

    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    pictures = [Image.fromarray(one.transpose(1, 2, 0)) for one in pixels]
    with torch.no_grad():
        return model(**processor(pictures, return_tensors="pt")).last_hidden_state.numpy()


@pytest.mark.parametrize("kind", sorted(LEADING))
def test_vectors_are_those_of_the_package(folders, pixels, kind):
    tokens = directly(pixels, folders[kind])
    assert tokens.shape == (3, LEADING[kind] + 16, 16)
    usable = np.zeros(3, np.uint8)
    own = config(folders[kind])
    assert (hf_image.shape(own), own.leading) == ((16,), LEADING[kind])
    np.testing.assert_allclose(hf_image.of_crops(pixels, usable, own), tokens[:, 0], rtol=0, atol=1e-5)
    mean = hf_image.of_crops(pixels, usable, config(folders[kind], pooling="mean"))
    np.testing.assert_allclose(mean, tokens[:, LEADING[kind] :].mean(axis=1), rtol=0, atol=1e-5)
    assert mean.std(axis=0).max() > 1e-3  # another picture has another vector


def test_the_processor_of_the_folder_is_what_changes_pixels(folders, pixels, tmp_path):
    shutil.copytree(folders["vit"], tmp_path / "vit")
    file = tmp_path / "vit" / "preprocessor_config.json"
    file.write_text(file.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    usable = np.zeros(3, np.uint8)
    given = [hf_image.of_crops(pixels, usable, config(folder)) for folder in (folders["vit"], tmp_path / "vit")]
    assert not np.allclose(*given, atol=1e-3)


def test_a_processor_for_another_size_is_refused(folders, pixels, tmp_path):
    shutil.copytree(folders["vit"], tmp_path / "vit")
    file = tmp_path / "vit" / "preprocessor_config.json"
    file.write_text(file.read_text().replace("32", "48"))
    with pytest.raises(ConfigError) as error:
        hf_image.of_crops(pixels, np.zeros(3, np.uint8), config(tmp_path / "vit"))
    assert str(error.value) == (
        f"hf_image: {tmp_path / 'vit'}: its preprocessor_config.json does not fit its config.json (Input image size "
        "(48*48) doesn't match model (32*32).)"
    )


def test_a_crop_that_is_not_usable_has_zeros(folders, pixels):
    own = config(folders["dinov2"])
    vectors = features.of_crops("hf_image", pixels, np.array([0, 2, 0], np.uint8), own)
    assert vectors.any(axis=1).tolist() == [True, False, True]
    alone = hf_image.of_crops(pixels[[2]], np.zeros(1, np.uint8), own)
    np.testing.assert_allclose(vectors[[2]], alone, rtol=0, atol=1e-5)
    assert hf_image.of_crops(pixels[:0], np.zeros(0, np.uint8), own).shape == (0, 16)


def test_a_film_has_a_vector_a_crop(folders, tmp_path):
    generate(tmp_path / "toy", ToyConfig(people=2, clips=2))
    film, whole = next((tmp_path / "toy").glob("*/*.mp4")), (math.nan, math.nan)
    own = config(folders["vit"], size=64, **FILM)
    found = hf_image.extract_file(film, *whole, own)
    seen = crops.extract_file(film, *whole, crops.Config(size=64, **FILM))
    assert len(found.pixels) == len(seen.pixels) > 2
    np.testing.assert_array_equal(found.reasons, seen.reasons)
    np.testing.assert_allclose(found.pixels, directly(seen.pixels, folders["vit"])[:, 0], rtol=0, atol=1e-5)


def test_the_identity_is_the_models_and_the_crops(folders, tmp_path):
    def place(folder, **settings):
        return store.target(tmp_path, "hf_image", config(folder, **FILM, **settings)).folder.name

    shutil.copytree(folders["vit"], tmp_path / "moved")
    own = place(folders["vit"])
    assert place(tmp_path / "moved") == own
    assert (
        len({own, place(folders["deit"]), place(folders["vit"], size=64), place(folders["vit"], pooling="mean")}) == 4
    )


def test_models_of_sound_and_grey_crops_are_refused(folders, tmp_path):
    front_ends.write_audio(tmp_path / "sound")
    with pytest.raises(ConfigError) as error:
        config(tmp_path / "sound")
    assert str(error.value) == (
        f"feature hf_image: {tmp_path / 'sound'}: is a model of the type 'wav2vec2'; hf_image reads beit, deit, "
        "dinov2, dinov2_with_registers, vit"
    )
    with pytest.raises(ConfigError, match="input should be 'rgb'"):
        config(folders["vit"], colour="grey")
    with pytest.raises(ConfigError) as error:
        hf_image.of_crops(np.zeros((1, 3, 32, 32), np.uint8), np.zeros(1, np.uint8), hf_image.Config())
    assert str(error.value) == (
        "hf_image needs the folder of a model, which an experiment gives: {name: hf_image, folder: FOLDER, "
        "seen_corpora: [NAME, ...]}"
    )
