"""A model of voices as audonnx reads it: `audonnx.load(FOLDER)` finds `model.yaml` and `audonnx.onnx`.

audonnx gives a graph what a transform makes of a signal, as one array with one length that is not fixed. So this graph
takes the frames of one clip, T x D, all of which count, and shares everything else, weights too, with `model.onnx`. The
transform is `Frames`: mien's own features, for which mien has to be installed beside audonnx.
"""

from typing import Any

import audobject
import numpy as np
from numpy.typing import NDArray

from mien import features
from mien.media.resampling import resampled
from mien.runs.graph import Framing


class Frames(audobject.Object):  # type: ignore[misc]  # audobject has no types
    """The frames of a signal, as the model was trained on them.

    Args:
        data: the settings `audio`, `length` and `normalisation` of the data of the model's experiment.
        least: the fewest frames that the graph takes.
    """

    def __init__(self, data: dict[str, Any], least: int) -> None:
        self.data, self.least = data, least

    def __call__(self, signal: NDArray[np.float32], sampling_rate: int) -> NDArray[np.float32]:
        """Return T x D float32 of a signal, (N,) or channels x N, at any sampling rate.

        Raises:
            ValueError: the signal is too short.
        """
        framing = Framing.of(self.data, {"audio": 1}, 1)
        name, config = framing.features["audio"]
        mono = np.atleast_2d(np.asarray(signal, np.float32)).mean(axis=0)
        sound = np.concatenate([*resampled([mono[None]], sampling_rate, config.sample_rate)], axis=1)[0]
        (batch,) = framing.batches(features.extract(name, [sound], config), None)
        frames = np.asarray(batch["audio"].values[0], np.float32)
        if not batch["audio"].valid.all() or len(frames) < self.least:
            raise ValueError(f"a signal of {len(mono)} samples is too short: {self.least} frames are the fewest")
        return frames
