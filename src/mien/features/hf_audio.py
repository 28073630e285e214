"""Frames of a frozen wav2vec 2.0, WavLM or HuBERT model in Hugging Face format, (T, D) float32; D is the model's.

What the model gives is taken as it is: frame t is of the samples from `t * stride` on, as many as the model's
convolutions see (25 ms every 20 ms in all published models), and nothing is added at the edges. So N samples have
`(N - seen) // stride + 1` frames, about as many as the grid of the other features at that shift. The wave is normalised
as the folder's `preprocessor_config.json` says, over the whole clip.

A recording longer than `window` is encoded in windows of that length, and `margin` at the inner ends of each is
dropped, so that memory does not grow with the length. Published models were trained on pieces of 15 s or so. The margin
holds the reach of the positional convolution (1.3 s): a model whose convolutions are normalised by layer
(`feat_extract_norm: layer`) then has the same frames before its first block, but for rounding, in windows and in one
piece; what differs later is what attention sees. Where they are normalised by group (the base models), their statistics
are those of the window, too.

The folder, its identity and the corpora that it has seen: `mien.features._checkpoint`. The package transformers is an
extra.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.features import _checkpoint
from mien.features._checkpoint import Checkpoint
from mien.features._config import FeatureConfig

SOURCE = "a model of yours in Hugging Face format (wav2vec 2.0, HuBERT, WavLM): pip install 'mien[transformers]'"
VERSION = 1
STRIDES, KERNELS = (5, 2, 2, 2, 2, 2, 2), (10, 3, 3, 3, 3, 2, 2)  # of the package, where the folder has none

Array = NDArray[np.float32]


class Config(FeatureConfig, Checkpoint):
    """Which model, and what of it; see `mien.features._checkpoint.Checkpoint` for the folder.

    Attributes:
        sample_rate: samples a second that the model reads; the folder says it, and sound of another rate is resampled.
        hop: seconds from one frame to the next; the folder says it.
        seen_samples: samples that a frame is of; the folder says it.
        layer: whose frames are taken: 0 is what goes into the first block, 1 what comes out of it, -1 what comes out of
            the last one; null is the model's output, which in some models is normalised once more.
        weights: instead of a layer, the weights of a sum over all of them, from 0 on; taken as they are.
        window: seconds of the longest recording that is encoded in one piece.
        margin: seconds at the inner ends of windows that are encoded and dropped.
    """

    KINDS: ClassVar[Mapping[str, str]] = {"wav2vec2": "Wav2Vec2Model", "hubert": "HubertModel", "wavlm": "WavLMModel"}
    FEATURE: ClassVar[str] = "hf_audio"

    hop: float = Field(0.02, gt=0)
    seen_samples: int = Field(400, ge=1)
    layer: int | None = None
    weights: tuple[float, ...] | None = None
    window: float = Field(30.0, ge=1)
    margin: float = Field(2.0, ge=0)

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.layer is not None and self.weights is not None:
            raise ValueError("layer and weights are given; leave one of the two out")
        if 2 * self.margin >= self.window:
            raise ValueError(f"margin: twice {self.margin} s leaves nothing of a window of {self.window} s")
        return self

    @property
    def pinned(self) -> tuple[str, ...]:
        """See `Checkpoint.pinned`."""
        return (*super().pinned, "sample_rate", "hop", "seen_samples")

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.sample_rate)

    def _says(self, model: Mapping[str, Any], processor: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        layers = int(model.get("num_hidden_layers", 12))
        if self.layer is not None and not -layers - 1 <= self.layer <= layers:
            raise ValueError(f"layer: {self.layer}, and {folder} has layers from 0 to {layers}")
        if self.weights is not None and len(self.weights) != layers + 1:
            raise ValueError(
                f"weights: {len(self.weights)} numbers, and {folder} has {layers + 1} layers; give one each"
            )
        rate = int(processor.get("sampling_rate", 16_000))
        strides, kernels = model.get("conv_stride", STRIDES), model.get("conv_kernel", KERNELS)
        steps = np.cumprod([1, *strides])
        seen = 1 + sum(int(step) * (kernel - 1) for step, kernel in zip(steps[:-1], kernels, strict=True))
        found = {"sample_rate": rate, "hop": int(steps[-1]) / rate, "seen_samples": seen}
        return super()._says(model, processor, folder) | found


def dimension(config: Config) -> int:
    """Values a frame."""
    return config.dimension


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.hop


def ready(config: Config) -> str:
    """What is said before the first use; see `_checkpoint.ready`."""
    return _checkpoint.ready(config)


def extract(waveforms: Sequence[Array], config: Config) -> list[Array]:
    """The (T, D) float32 frames of each waveform, (N,) float32 at full scale and the model's rate.

    A waveform that is shorter than what a frame is of has none, (0, D). Each is encoded by itself: no bit depends on
    the others.

    Raises:
        ConfigError: see `_checkpoint.loaded`.
    """
    return [_frames(waveform, config) for waveform in waveforms]


class _Window(NamedTuple):
    """Frames that are encoded together, and those of them that are kept, in frames of the recording."""

    first: int
    last: int
    keep: slice


def _count(samples: int, config: Config) -> int:
    return max(0, (samples - config.seen_samples) // config.stride + 1)


def _windows(frames: int, config: Config) -> Iterator[_Window]:
    """The windows of a recording, which keep each frame once; all but a recording's only one are equally long."""
    longest = max(1, _count(round(config.window * config.sample_rate), config))
    margin = min(math.ceil(config.margin / config.hop), (longest - 1) // 2)
    kept = 0
    while kept < frames:
        first = max(0, min(kept - margin, frames - longest))
        last = min(first + longest, frames)
        until = frames if last == frames else last - margin
        yield _Window(first, last, slice(kept, until))
        kept = until


def _frames(waveform: Array, config: Config) -> Array:
    count = _count(len(waveform), config)
    if not count:
        return np.zeros((0, config.dimension), np.float32)
    processor, model = _checkpoint.loaded(config)
    wave = processor(waveform, sampling_rate=config.sample_rate, return_tensors="np")["input_values"][0]
    frames = np.empty((count, config.dimension), np.float32)
    for one in _windows(count, config):
        stop = len(wave) if one.last == count else (one.last - 1) * config.stride + config.seen_samples
        frames[one.keep] = _encoded(model, wave[one.first * config.stride : stop], config)[
            one.keep.start - one.first : one.keep.stop - one.first
        ]
    return frames


def _encoded(model: Any, wave: Array, config: Config) -> Array:
    import torch

    whole = config.layer is None and config.weights is None
    with torch.inference_mode():
        given = model(torch.from_numpy(np.ascontiguousarray(wave))[None], output_hidden_states=not whole)
        if config.weights is not None:
            layers = zip(config.weights, given.hidden_states, strict=True)
            found = sum(weight * layer for weight, layer in layers)
        else:
            found = given.last_hidden_state if config.layer is None else given.hidden_states[config.layer]
        values: Array = found[0].float().numpy()
    return values
