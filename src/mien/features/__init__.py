"""Features: waveforms or pictures in, frames out. The name of a file here is the name in an experiment and in PREPARED.

A feature module has a `SOURCE`, a `VERSION` (raised when the same settings give other numbers), a `Config` and three
pure functions: `extract(waveforms, config)` gives one (T, D) float32 array a waveform, whose bits do not depend on the
other waveforms; `dimension(config)` is D; `hop(config)` the seconds from one frame to the next, infinite where a clip
has one vector. Every value is finite,
and an empty waveform has no frames. Adding one: a file, and a line in `FEATURES`.

A feature of the face (`VIDEO_FEATURES`) has `shape(config)` instead of a dimension, D or C x S x S, and reads a file
(`crops`) or the corpus's table (`columns`).
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, unknown
from mien.features.config import FeatureConfig
from mien.features.perturb import perturbed
from mien.settings import Settings
from mien.settings import parse as settings_of

FEATURES = ("functionals", "logmel", "mfb43", "prosody", "spectrogram")
VIDEO_FEATURES = ("columns", "crops")


def feature(name: str) -> ModuleType:
    """The module of a feature; raises ConfigError with the nearest name."""
    if name not in FEATURES + VIDEO_FEATURES:
        raise ConfigError(unknown("feature", name, FEATURES + VIDEO_FEATURES))
    return import_module(f"mien.features.{name}")


def parse(name: str, settings: Mapping[str, object]) -> Any:
    """The feature's `Config` from plain settings; raises ConfigError that names each key that is wrong."""
    return settings_of(feature(name).Config, settings, f"feature {name}")


def shape(name: str, config: Settings) -> tuple[int, ...]:
    """The shape of a frame: (D,), or (C, S, S) of pixels."""
    module = feature(name)
    found: tuple[int, ...] = module.shape(config) if name in VIDEO_FEATURES else (module.dimension(config),)
    return found


def extract(name: str, waveforms: Sequence[NDArray[np.float32]], config: FeatureConfig) -> list[NDArray[np.float32]]:
    """The feature of each waveform after the perturbation that `config` asks for.

    Args:
        name: one of `FEATURES`.
        waveforms: mono sound, (N,) float32 at full scale [-1, 1] and `config.sample_rate`.
        config: the `Config` of that feature.

    Returns:
        One (T, D) float32 array a waveform, in order.

    Raises:
        ConfigError: an unknown feature, or the settings of another one.
    """
    module = feature(name)
    if not isinstance(config, module.Config):
        raise ConfigError(f"feature {name} needs {module.Config.__module__}.Config, not {type(config).__module__}'s")
    frames: list[NDArray[np.float32]] = module.extract([perturbed(one, config) for one in waveforms], config)
    return frames
