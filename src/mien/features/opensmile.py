"""The feature sets eGeMAPS and ComParE_2016 by openSMILE, as the package ships them: functionals, or descriptors.

`functionals` is one vector a clip, (1, D) float32: 88 of eGeMAPSv02 (Eyben et al. 2016), 6,373 of ComParE_2016. They
are what the package gives of the clip alone; a clip that is shorter than its longest window, 60 ms, is prolonged by its
mirror image, since the package gives none there. `lld` is the set's low-level descriptors over time, (T, D): 25 and 65,
every 10 ms on the grid of all features, of sound that is mirrored at both ends (`_opensmile`). `compare_lld` has those
of ComParE_2016 with their deltas, and other windows. `names` has the name of each value.

The licence of openSMILE is for research and other non-commercial use, and is said at the first use.
"""

from collections.abc import Sequence
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mien.errors import ConfigError
from mien.features import _frames, _opensmile
from mien.features._config import FeatureConfig, FrameConfig

SOURCE = "openSMILE, eGeMAPSv02 (Eyben et al. 2016) and ComParE_2016, for research only: pip install 'mien[opensmile]'"
VERSION = 1
WINDOW, LONGEST, SHIFT = 0.020, 0.060, 0.010  # seconds, of both sets as they are shipped
DIMENSIONS = {
    ("eGeMAPSv02", "functionals"): 88,
    ("eGeMAPSv02", "lld"): 25,
    ("ComParE_2016", "functionals"): 6_373,
    ("ComParE_2016", "lld"): 65,
}

Array = NDArray[np.float32]


class Config(FeatureConfig):
    """Which set, and which level of it.

    Attributes:
        sample_rate: samples a second; bands reach to 8 kHz, so no fewer than 16,000.
        feature_set: eGeMAPSv02 or ComParE_2016.
        level: functionals, one vector a clip, or lld, the low-level descriptors every 10 ms.
    """

    sample_rate: int = Field(default=16_000, ge=16_000, le=384_000)
    feature_set: Literal["eGeMAPSv02", "ComParE_2016"] = "eGeMAPSv02"
    level: Literal["functionals", "lld"] = "functionals"

    @property
    def grid(self) -> FrameConfig:
        """The frames of the descriptors."""
        return FrameConfig(sample_rate=self.sample_rate, window=WINDOW, shift=SHIFT)


def dimension(config: Config) -> int:
    """Values of a vector or a frame."""
    return DIMENSIONS[config.feature_set, config.level]


def hop(config: Config) -> float:
    """Seconds from one frame to the next; infinite for functionals, one vector a clip."""
    return inf if config.level == "functionals" else config.grid.shift_size / config.sample_rate


def ready(config: Config) -> str:
    """What is said before the first use; raises ConfigError where openSMILE is not installed."""
    _opensmile.package("opensmile")
    return _opensmile.notice("opensmile")


def names(config: Config) -> list[str]:
    """What each value is, in openSMILE's words; raises ConfigError where it is not installed."""
    return [str(name) for name in _opened(config).column_names]


def extract(waveforms: Sequence[Array], config: Config) -> list[Array]:
    """The (1, D) functionals or (T, D) descriptors, float32, of each waveform, (N,) float32 at full scale.

    A waveform without a frame, of less than half a shift, has none, (0, D).

    Raises:
        ConfigError: openSMILE is not installed, or another version of it has other sets.
    """
    if not waveforms:
        return []
    smile, longest = _opened(config), round(LONGEST * config.sample_rate)
    if config.level == "lld":
        return [_opensmile.rows(waveform, smile, config.grid, longest) for waveform in waveforms]
    return [_functionals(waveform, config, smile, longest) for waveform in waveforms]


def _functionals(waveform: Array, config: Config, smile: Any, longest: int) -> Array:
    if not _frames.count(len(waveform), config.grid):
        return np.zeros((0, dimension(config)), np.float32)
    whole = np.pad(_opensmile.rounded(waveform), (0, max(0, longest - len(waveform))), mode="symmetric")
    return np.ascontiguousarray(smile(whole, config.sample_rate)[0].T, np.float32)


def _opened(config: Config) -> Any:
    """The package with a set."""
    package = _opensmile.package("opensmile")
    level = "func" if config.level == "functionals" else "lld"
    smile = package.Smile(config.feature_set, package.FeatureLevel(level), loglevel=0)
    if len(smile.column_names) != dimension(config):
        raise ConfigError(
            f"opensmile: openSMILE {package.__version__} has {len(smile.column_names)} values of {config.feature_set} "
            f"{config.level}, not {dimension(config)}; take version 2.6: pip install 'opensmile>=2.6,<2.7'"
        )
    return smile
