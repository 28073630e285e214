"""What all tests share: where real recordings are, and small synthetic batches and recipes."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien import encoders
from mien.features.batches import Batch, Examples, Loader, Sequence
from mien.features.length import Length
from mien.recipes import disentangle
from mien.recipes.base import Recipe

torch.set_num_threads(1)

DIMENSION, CLASSES = 5, {"emotion": 4, "speaker": 3}
TINY = {"cnn_gru": {"channels": 6}}  # settings that make an encoder small; without a line it is tested as it comes


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MIEN_DATA", beside))
    if not (folder / "emodb").is_dir():
        pytest.skip("needs real recordings: set MIEN_DATA to a folder that holds emodb/, ravdess/, librispeech/, ...")
    return folder


@dataclass(frozen=True)
class Memory:
    """Frames kept in memory: what a feature store is to a loader."""

    clips: dict[str, Tensor]

    def length(self, clip: str) -> int:
        return len(self.clips[clip])

    def frames(self, clip: str) -> Tensor:
        return self.clips[clip]


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., Examples]:
    """Examples of random frames whose mean tells the emotion and the speaker; clip lengths differ."""

    def make(count: int = 24, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Examples:
        generator = torch.Generator().manual_seed(seed)
        emotion, speaker = torch.arange(count) % CLASSES["emotion"], torch.arange(count) % CLASSES["speaker"]
        pattern = torch.randn(2, 4, DIMENSION, generator=generator, dtype=torch.float64)
        frames = {}
        for row in range(count):
            noise = torch.randn(20 + 3 * row % 17, DIMENSION, generator=generator, dtype=torch.float64)
            frames[f"clip{row:02d}"] = (noise + pattern[0, emotion[row]] + pattern[1, speaker[row]]).to(dtype)
        names = tuple(frames)
        return Examples(
            clips=names,
            speakers=tuple(f"s{number}" for number in speaker.tolist()),
            audio=(Memory(frames),) * count,
            labels={"emotion": emotion, "speaker": speaker},
        )

    return make


@pytest.fixture(scope="session")
def make_loader(make_examples: Callable[..., Examples]) -> Callable[..., Loader]:
    """A loader over such examples."""

    def make(examples: Examples | None = None, **settings: object) -> Loader:
        defaults = {"batch_size": 7, "length": Length(), "hop": 0.01, "normalise": _as_it_is, "training": True}
        return Loader(make_examples() if examples is None else examples, **{**defaults, **settings})

    return make


@pytest.fixture(scope="session")
def make_batch(make_loader: Callable[..., Loader]) -> Callable[..., Batch]:
    """One batch of such examples, optionally with other labels."""

    def make(size: int = 7, *, step: int = 0, **labels: Tensor) -> Batch:
        batch = make_loader().batch(list(range(size)), step=step)
        return Batch(**{**vars(batch), "labels": {**batch.labels, **labels}})

    return make


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """A tiny recipe: any encoder, and the settings of any model."""

    def make(
        settings: dict[str, object], *, encoder: str = "cnn_gru", seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> Recipe:
        module = encoders.encoder(encoder)
        torch.manual_seed(seed)
        made = module.Encoder(module.Config(**TINY.get(encoder, {})), audio_dimension=DIMENSION)
        config = disentangle.Config.model_validate_json(json.dumps({"hidden": [6], **settings}))
        return disentangle.build(config, made, CLASSES, {}).to(dtype)

    return make


@pytest.fixture(scope="session")
def absent() -> Callable[[int], Sequence]:
    """A modality without a frame."""
    return Sequence.absent


def _as_it_is(frames: Tensor, speaker: str) -> Tensor:
    return frames
