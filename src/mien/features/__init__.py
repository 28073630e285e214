"""Features: waveforms or pictures in, frames out. The name of a file here is the name in an experiment and in PREPARED.

A feature module has a `SOURCE`, a `VERSION` (raised when the same settings give other numbers), a `Config` and three
pure functions: `extract(waveforms, config)` gives one (T, D) float32 array a waveform, whose bits do not depend on the
other waveforms; `dimension(config)` is D; `hop(config)` the seconds from one frame to the next, infinite where a clip
has one vector. Every value is finite, and an empty waveform has no frames. Adding a feature is adding a file.

A feature whose package is an extra has `ready(config)`, which raises ConfigError where it is not installed, and gives
the sentence that is said before its first use, such as what its licence allows. One of a model out of a folder has a
`Config` of `features._checkpoint`.

A feature of the face has `MODALITY = "video"` and `shape(config)` instead of a dimension, D or C x S x S, and reads a
file (`crops`), or what the corpus has: numbers in its table (`FROM = "columns"`), images in it (`FROM = "images"`), or
frames of each clip (`FROM = "frames"`, with the settings `classes` and `every`, see `Corpus.frames`). One that
reads a file and whose frames are no crops makes them of crops by `of_crops`. Features of either modality that are read
from files of vectors (`FROM = "files"`) have a `Config` of `features._vectors`, and no `extract`.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.common import registry
from mien.common.progress import say
from mien.common.settings import Settings
from mien.common.settings import parse as settings_of
from mien.errors import ConfigError
from mien.features._checkpoint import Checkpoint
from mien.features._config import FeatureConfig
from mien.features._perturb import perturbed

_said: set[str] = set()


def names(of: str | None = None) -> tuple[str, ...]:
    """The names of all features, or of those of one modality, sorted."""
    return tuple(name for name in registry.names(__name__) if of is None or modality(name) == of)


def feature(name: str) -> ModuleType:
    """The module of a feature; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "feature")


def modality(name: str) -> str:
    """The modality of a feature: "audio", or "video" if its module has that `MODALITY`."""
    return str(getattr(feature(name), "MODALITY", "audio"))


def source_of(name: str) -> str:
    """Where a feature comes from: "media", "files" of vectors, or of the corpus its "columns", "images" or "frames"."""
    return str(getattr(feature(name), "FROM", "media"))


def needs_folder(name: str) -> bool:
    """Whether a feature comes from a model that the user has in a folder, so that its settings have no default."""
    return issubclass(feature(name).Config, Checkpoint)


def without_media(name: str) -> str:
    """What a feature is that no media file has, for a sentence."""
    words = {"files": "vectors from files", "frames": "frames that a corpus holds"}
    return words.get(source_of(name), "columns of a corpus's table")


def ready(name: str, config: Settings) -> None:
    """Say what binds the user of a feature with its settings, once in a process.

    Raises:
        ConfigError: its extra is not installed, or the folder of its model is not there.
    """
    if check := getattr(feature(name), "ready", None):
        sentence = str(check(config))
        if sentence not in _said:
            _said.add(sentence)
            say(sentence)


def parse(name: str, settings: Mapping[str, object]) -> Any:
    """The feature's `Config` from plain settings; raises ConfigError that names each key that is wrong."""
    return settings_of(feature(name).Config, settings, f"feature {name}")


def shape(name: str, config: Settings) -> tuple[int, ...]:
    """The shape of a frame: (D,), or (C, S, S) of pixels."""
    module = feature(name)
    frame: tuple[int, ...] = module.shape(config) if modality(name) == "video" else (module.dimension(config),)
    return frame


def of_crops(name: str, pixels: NDArray[np.uint8], reasons: NDArray[np.uint8], config: Settings) -> NDArray[Any]:
    """The frames of a feature of faces from crops: themselves, or what the module's `of_crops` makes of them.

    Args:
        name: of the feature.
        pixels: (T, C, S, S).
        reasons: (T,), 0 where a crop is usable.
        config: the `Config` of that feature.
    """
    make = getattr(feature(name), "of_crops", None)
    frames: NDArray[Any] = pixels if make is None else make(pixels, reasons, config)
    return frames


def title(name: str, config: Settings) -> str:
    """A feature in words, with what is changed of the sound: "mfb43 at speed 0.8"."""
    if not isinstance(config, FeatureConfig):
        return name
    speed = (
        f" at {'speed' if config.speed_by == 'resampling' else 'tempo'} {config.speed:g}" if config.speed != 1 else ""
    )
    noise = f" with noise at {config.noise_db:g} dB" if config.noise_db is not None else ""
    return f"{name}{speed}{noise}"


def extract(name: str, waveforms: Sequence[NDArray[np.float32]], config: FeatureConfig) -> list[NDArray[np.float32]]:
    """The feature of each waveform after the perturbation of `config`.

    Args:
        name: a feature of sound.
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
    frames: list[NDArray[np.float32]] = module.extract([perturbed(waveform, config) for waveform in waveforms], config)
    return frames
