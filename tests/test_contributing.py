"""The example files in CONTRIBUTING.md work as described there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`src/mien/(\S+)\.py`:\n\n```python\n(.*?)```", TEXT, re.S))


def module(path):
    made = ModuleType(path.replace("/", "_"))
    sys.modules[made.__name__] = made  # where pydantic looks for the names in annotations
    exec(EXAMPLES[path], vars(made))  # - the text of this repository
    return made


def test_an_encoder_reads_frames_of_either_modality():
    encoder = module("models/encoders/frame_statistics")
    values, valid = torch.randn(3, 7, 5), torch.arange(7) < torch.tensor([7, 4, 0])[:, None]
    batch = Batch(("a", "b", "c"), Sequence.absent(3), Sequence(values, valid), {}, torch.arange(3), 3, 0, 0)
    for modality, reached in (("video", True), ("audio", False)):
        assert encoder.reads(modality, (5,))
        assert not encoder.reads(modality, (3, 8, 8))
        trunk = encoder.Encoder(encoder.Config(channels=6), modality, (5,))
        out = trunk(batch)
        assert out.shape == (3, trunk.dimension) == (3, 6)
        assert out.isfinite().all()
        assert (not torch.equal(out[0], out[1])) == reached


def test_a_feature_gives_the_level():
    level = module("features/level")
    time = np.arange(16_000) / 16_000
    (levels,) = level.extract([np.sin(2 * np.pi * 100 * time).astype(np.float32)], level.Config())
    assert levels.shape[1] == level.dimension(level.Config()) == 1
    np.testing.assert_allclose(levels[10:-10], -3.01, atol=0.05)  # a sine of full scale


def test_a_corpus_is_read(tmp_path):
    corpus = module("corpora/readers/my_corpus")
    for name in ("ann_happy_01.wav", "bob_sad_01.wav", "stray.wav"):
        (tmp_path / name).touch()
    parsed = corpus.read(tmp_path)
    assert list(parsed.table["speaker"]) == ["ann", "bob"]
    assert list(parsed.problems["file"]) == ["stray.wav"]


def test_a_detector_finds_faces_or_names_its_package(monkeypatch):
    detector = module("media/faces/detectors/my_detector")
    with pytest.raises(ConfigError, match="my-detector"):
        detector.load(160)
    package = ModuleType("mydetector")
    package.find = lambda small: [(0.99, 10, 20, 50, 60), (0.5, 90, 0, 99, 9)]
    monkeypatch.setitem(sys.modules, "mydetector", package)
    (face,) = detector.load(160)(np.zeros((180, 320, 3), np.uint8))
    assert face.box == pytest.approx((20, 40, 100, 120)), "in pixels of the picture itself"
