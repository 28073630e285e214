"""Encoders: a padded batch in, an embedding out. The name of a file here is the name in an experiment.

An encoder module has a `SOURCE`, a `Config`, a sentence `READS`, a function `reads(modality, shape)`, what it
`RETURNS`, and a class `Encoder(config, modality, shape)`: an `nn.Module` whose forward takes a `Batch` and reads one
modality of it. It returns a "vector", B x `dimension`; a "sequence", B x T x `dimension` with B x T bool, which are
valid; or a "map", B x C x T' x D' with B x T' bool, where `dimension` is C x D'. `shape` is that of one frame: (D,) for
vectors, (C, S, S) for pixels. It accepts batches without clips or valid frames, an absent modality, and clips shorter
than its receptive field, with finite values and gradients. The values of invalid frames change nothing. Adding an
encoder is adding a file.

An encoder that can begin with weights out of a file has a `Config` of the class `_pretrained.Pretrained` and a function
`begin(encoder, config)`, which is called once, where a training starts. One that begins with statistics of the training
clips is a `_fitted.FittedEncoder`.
"""

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, cast

from mien.common import registry
from mien.errors import ConfigError, unknown
from mien.models.encoders._pretrained import Pretrained

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mien.common.settings import Settings
    from mien.data.batch import Batch, Modality

MODALITIES = ("audio", "video")


def names() -> tuple[str, ...]:
    """The names of all encoders, sorted."""
    return registry.names(__name__)


def encoder(name: str) -> ModuleType:
    """The module of an encoder; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "encoder")


def check(name: str, modality: "Modality", shape: tuple[int, ...]) -> None:
    """Raise ConfigError where an encoder cannot read frames of a shape, (D,) or (C, S, S), of a modality."""
    module = encoder(name)
    if modality not in MODALITIES:
        raise ConfigError(unknown("modality", modality, MODALITIES))
    if not module.reads(modality, shape):
        others = [other for other in names() if encoder(other).reads(modality, shape)]
        listed = " or ".join(filter(None, [", ".join(others[:-1]), *others[-1:]]))
        way_out = f"; take {listed}, or other features" if others else "; take other features"
        frames = " x ".join(map(str, shape))
        raise ConfigError(f"encoder: {name} reads {module.READS}, but a frame of {modality} is {frames} here{way_out}")


def build(
    configs: "Mapping[Modality, tuple[str, Settings]]", shapes: "Mapping[Modality, tuple[int, ...]]"
) -> "dict[Modality, nn.Module]":
    """The encoder of each modality.

    Args:
        configs: modality -> (name of the encoder, its `Config`).
        shapes: modality -> shape of one frame, of at least those modalities.

    Raises:
        ConfigError: where a modality has no features, or its encoder cannot read them.
    """
    if missing := [modality for modality in configs if modality not in shapes]:
        raise ConfigError(f"encoder.{missing[0]}: data.{missing[0]} has no features; add them or leave the encoder out")
    trunks = {}
    for modality in sorted(configs):  # audio first, also for the random numbers of the first weights
        name, config = configs[modality]
        check(name, modality, shapes[modality])
        trunks[modality] = cast("nn.Module", encoder(name).Encoder(config, modality, shapes[modality]))
    return trunks


def begin(trunks: "Mapping[Modality, nn.Module]", configs: "Mapping[Modality, tuple[str, Settings]]") -> None:
    """Put the weights that a training begins with into new encoders, where their settings name a file.

    Raises:
        ConfigError: the file is missing, another one than the settings say, or not of this network.
    """
    for modality, (name, config) in configs.items():
        if isinstance(config, Pretrained) and config.weights is not None:
            encoder(name).begin(trunks[modality], config)


def fit(trunks: "Mapping[Modality, nn.Module]", batches: "Callable[[], Iterable[Batch]]") -> None:
    """Fit what encoders begin with on batches of all training clips, which are made anew for each encoder."""
    from mien.models.encoders._fitted import FittedEncoder

    for trunk in trunks.values():
        if isinstance(trunk, FittedEncoder):
            trunk.fit(batches())


def fitted(recipe: "nn.Module") -> "dict[str, Tensor]":
    """What the encoders in a recipe were fitted to, by the names of its state."""
    from mien.models.encoders._fitted import FittedEncoder

    return {
        f"{place}.{name}": value
        for place, module in recipe.named_modules()
        if isinstance(module, FittedEncoder)
        for name, value in module.named_buffers()
    }
