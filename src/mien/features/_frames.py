"""The grid of frames that all features share, so that their frames can be joined.

Frame t is centred on sample `t * shift + shift // 2`. N samples have `(N + shift // 2) // shift` frames (Kaldi's
`snip_edges=false`): the whole clip is covered, none is lost to the window's length. What a window sees beyond an edge
is the sound mirrored there, the edge sample included.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mien.features._config import FrameConfig

BLOCK = 128  # frames that are computed at once: they fit into the processor's cache, and bound the memory


def count(samples: int, config: FrameConfig) -> int:
    """The number of frames T of that many samples."""
    return (samples + config.shift_size // 2) // config.shift_size


def blocks(waveform: NDArray[np.float32], config: FrameConfig) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Which frames, and their samples (at most `BLOCK`, window) float32: a view that is not to be written to."""
    frames, window, shift = count(len(waveform), config), config.window_size, config.shift_size
    if not frames:
        return
    before = window // 2 - shift // 2
    after = max(0, (frames - 1) * shift + window - before - len(waveform))
    padded = np.pad(np.asarray(waveform, np.float32), (max(0, before), after), mode="symmetric")
    views = sliding_window_view(padded, window)[::shift]
    for start in range(0, frames, BLOCK):
        part = slice(start, min(start + BLOCK, frames))
        yield part, views[part]


def power(frames: NDArray[np.float64]) -> NDArray[np.float32]:
    """The power spectrum (T, size / 2 + 1) of frames (T, size).

    numpy's transform, as importing scipy's takes as long as minutes of sound; in double precision, for which numpy's is
    the faster one.
    """
    squares = np.fft.rfft(frames).view(np.float64)  # the two parts in turns: squared in place, a fourth of the time
    np.square(squares, out=squares)
    return (squares[:, ::2] + squares[:, 1::2]).astype(np.float32)


def zeros(frames: int, size: int) -> NDArray[np.float64]:
    """Room for a block of windows that are filled up with zeros to `size` samples, (at most `BLOCK`, size).

    A transform of what is filled up here takes a third of the time of one that fills up itself.
    """
    return np.zeros((min(frames, BLOCK), size))


@lru_cache(maxsize=32)
def taper(name: Literal["hamming", "hann", "povey"], size: int) -> NDArray[np.float64]:
    """A symmetric window (size,) in [0, 1]; "povey" is Kaldi's, a Hann window to the power .85."""
    if name == "hamming":
        return np.hamming(size)
    return np.hanning(size) ** (0.85 if name == "povey" else 1.0)
