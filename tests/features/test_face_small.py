"""The vectors of the packaged model of faces, in a store and in a window of a film."""

import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from mien import features
from mien.common.files import sha256
from mien.corpora.toy import ToyConfig, generate
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError
from mien.features import crops, face_small
from mien.runs import exported, exporting, front_ends

# the weights that VERSION 1 is of; where these change, VERSION has to be raised, or old vectors would be read
WEIGHTS = {1: "5ca28a3859681a70ae7712f90f3b0eeb382c33942a4ed772e1f50435c1bc3fb1"}
CONFIG = face_small.Config()
SETTINGS = {"faces": "whole-frame", "every": 0.4}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    generate(folder / "toy", ToyConfig(people=2, clips=2))
    return next((folder / "toy").glob("*/*.mp4"))


def test_the_version_is_of_the_weights_that_come_with_mien():
    assert WEIGHTS[face_small.VERSION] == sha256(exported.faces() / exported.WEIGHTS)


def test_vectors_are_the_models_embeddings_of_the_crops(film):
    whole = (math.nan, math.nan)
    found = face_small.extract_file(film, *whole, face_small.Config(**SETTINGS))
    seen = crops.extract_file(film, *whole, crops.Config(**SETTINGS, size=48, colour="grey"))
    _, (model, *_) = exporting.read(exported.faces(), torch.device("cpu"))
    pixels = torch.from_numpy(seen.pixels).float() / 127.5 - 1
    for frame, vector in zip(pixels, found.pixels, strict=True):
        one = Sequence(frame[None, None], torch.ones(1, 1, dtype=torch.bool))
        batch = Batch(("x",), Sequence.absent(1), one, {}, torch.arange(1), 1, 0, 0)
        with torch.no_grad():
            (expected,) = model.recipe.eval().embed(batch).values()
        np.testing.assert_allclose(vector, expected[0], atol=1e-4)
    assert found.pixels.shape == (len(seen.pixels), *features.shape("face_small", face_small.Config()))
    assert len(found.pixels) > 2
    assert found.pixels.std(axis=0).max() > 0


def test_the_graph_makes_the_vectors_that_torch_makes():
    pixels = np.random.default_rng(0).integers(0, 256, (130, 1, 48, 48)).astype(np.uint8)
    expected = front_ends.by_torch(exported.faces())(pixels)
    np.testing.assert_allclose(face_small.of_crops(pixels, np.zeros(130, np.uint8), CONFIG), expected, atol=1e-5)


def test_it_needs_no_torch():
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from mien.features import face_small\n"
        "pixels = np.zeros((3, 1, 48, 48), np.uint8)\n"
        "print(face_small.of_crops(pixels, np.zeros(3, np.uint8), face_small.Config()).shape)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("(3, 128)\n", 0), ended.stderr


def test_without_a_graph_it_is_made_by_torch(tmp_path, monkeypatch):
    for name in exported.FILES:
        shutil.copy(exported.faces() / name, tmp_path)
    raw = json.loads((tmp_path / exported.DESCRIPTION).read_text())
    (tmp_path / exported.DESCRIPTION).write_text(json.dumps(raw | {"graph": None}))
    exported.seal(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1, 48, 48)).astype(np.uint8)
    expected = front_ends.face_small()(pixels)
    monkeypatch.setattr(exported, "faces", lambda: tmp_path)
    np.testing.assert_allclose(front_ends.face_small()(pixels), expected, atol=1e-5)


def test_a_crop_that_is_not_usable_has_zeros_and_costs_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 48, 48)).astype(np.uint8)
    vectors = face_small.of_crops(pixels, np.array([0, 2, 0, 1], np.uint8), CONFIG)
    assert vectors.any(axis=1).tolist() == [True, False, True, False]
    assert np.array_equal(vectors[[0, 2]], face_small.of_crops(pixels[[0, 2]], np.zeros(2, np.uint8), CONFIG))
    assert face_small.of_crops(pixels[:0], np.zeros(0, np.uint8), CONFIG).shape == (0, 128)


def test_windows_of_a_film_get_vectors_and_crops_stay_crops():
    pixels, reasons = np.full((2, 1, 48, 48), 90, np.uint8), np.zeros(2, np.uint8)
    assert features.of_crops("crops", pixels, reasons, crops.Config()) is pixels
    assert np.array_equal(
        features.of_crops("face_small", pixels, reasons, CONFIG), face_small.of_crops(pixels, reasons, CONFIG)
    )


def test_the_model_takes_grey_crops_of_48_px_alone():
    for wrong in ({"size": 64}, {"colour": "rgb"}):
        with pytest.raises(ConfigError, match="input should be"):
            features.parse("face_small", wrong)
