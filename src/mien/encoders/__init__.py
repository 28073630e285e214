"""Encoders: a padded batch in, an embedding out. The name of a file here is the name in an experiment.

An encoder module has a `SOURCE`, a `Config` and a class `Encoder(config, audio_dimension, video_dimension)`: an
`nn.Module` whose forward takes a `Batch` and whose `dimension` is the size of the embedding. It accepts no clips,
nothing valid, and clips shorter than its receptive field, with finite values and gradients, and what stands in invalid
frames changes nothing. Adding one: a file, and a line in `ENCODERS`.
"""

from importlib import import_module
from types import ModuleType

from mien.errors import ConfigError, unknown

ENCODERS = ("cnn_gru", "vector")


def encoder(name: str) -> ModuleType:
    """The module of an encoder; raises ConfigError with the nearest name."""
    if name not in ENCODERS:
        raise ConfigError(unknown("encoder", name, ENCODERS))
    return import_module(f"mien.encoders.{name}")
