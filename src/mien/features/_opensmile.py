"""What the features by openSMILE share: the package and its licence, samples of 16 bits, and rows on the grid.

openSMILE takes samples of 16 bits: they are rounded here, and what is beyond full scale is clipped (the package would
turn 1.0 into -1.0). It gets the sound mirrored at both ends, `MARGIN` frames of it beyond those that see the clip, and
the frames of the margins are dropped. So smoothing, deltas and filters over time see mirrored sound at the edges, and
no row is one that openSMILE adds at a sound's end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.features import _frames
from mien.features._config import FrameConfig

MARGIN = 8  # frames: smoothing reaches over 1 and deltas over 2, the rest lets the auditory filter settle
FULL_SCALE = 2**15

Array = NDArray[np.float32]


def notice(name: str) -> str:
    """What is said before the first use of a feature by openSMILE."""
    return (
        f"{name}: openSMILE is audEERING's, for research and other non-commercial use only; what is trained on its "
        "descriptors may be bound by that: https://github.com/audeering/opensmile-python/blob/main/LICENSE"
    )


def package(name: str) -> Any:
    """The package, for a feature; raises ConfigError where it is not installed."""
    try:
        import opensmile
    except ImportError:
        raise ConfigError(f"{name} needs openSMILE, which is an extra: pip install 'mien[opensmile]'") from None
    return opensmile


def rounded(waveform: Array) -> Array:
    """The samples as 16 bits have them, (N,) float32 at full scale."""
    whole = np.clip(np.rint(np.float64(1) * waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE
    return whole.astype(np.float32)


def rows(waveform: Array, smile: Any, config: FrameConfig, longest: int) -> Array:
    """The rows of a waveform, (N,) float32, on the grid of frames: (T, D) float32.

    Args:
        waveform: the sound.
        smile: the package with a configuration of these frames.
        config: window and shift of the frames.
        longest: samples of the longest window.
    """
    count, shift = _frames.count(len(waveform), config), config.shift_size
    if not count:
        return np.zeros((0, len(smile.column_names)), np.float32)
    before = config.window_size // 2 - shift // 2 + MARGIN * shift
    after = max(0, (count + 2 * MARGIN - 1) * shift + longest - before - len(waveform))
    padded = np.pad(rounded(waveform), (before, after), mode="symmetric")
    values = smile(padded, config.sample_rate)[0].T[MARGIN : MARGIN + count]
    return np.ascontiguousarray(values, np.float32)
