"""What all tests share: where real recordings are, and small synthetic batches and recipes."""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from layouts import corpus, layouts  # noqa: F401 - fixtures of several folders
from mien.data.batch import Batch, Sequence
from mien.data.batches import Examples, Loader, Stream
from mien.data.length import Length
from mien.data.targets import Target
from mien.models import encoders, recipes
from mien.models.encoders._joined import joined
from mien.models.recipes._recipe import Given, Recipe
from quick import no_figures

torch.set_num_threads(1)

DIMENSION, CLASSES = 5, {"emotion": 4, "speaker": 3}
TARGETS = (
    {
        name: Target(name, "classes", (name,), tuple(map(str, range(size))), main=name == "emotion")
        for name, size in CLASSES.items()
    }
    | {"votes": Target("votes", "soft", tuple("abcd"), tuple("abcd"))}
    | {
        name: Target(name, "numbers", (name,), (name,), mean=(0.0,), std=(1.0,), loss=loss)
        for name, loss in {"valence": "squared_error", "arousal": "concordance"}.items()
    }
)
PIXELS = (3, 8, 8)  # colour crops of 8 x 8: what `vgg` reads of video here
SHAPES = {"audio": (DIMENSION,), "video": PIXELS}
TINY = {  # settings that make an encoder small; without a line it is tested as it comes
    "cnn_gru": {"channels": 6},
    "convolutional": {"channels": [6, 8], "pool": [[2, 2], [3, 1]]},
    "projection": {"dimension": 6, "kernel": 3},
    "senet": {"layers": [1, 2], "channels": [4, 6], "reduction": 4, "size": 16},
    "senet_small": {"stem": 4, "channels": [6, 8], "reduction": 2},
    "vgg": {"channels": [6, 8], "dimension": 8},
    "vgg_m": {"channels": [4, 6, 6, 6, 6], "fc6": 8, "dimension": 8, "deviation": 0.3},
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As workers extract features, whatever a command before was told: the last bits of sums depend on it."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the test is skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MIEN_DATA", beside))
    if not (folder / "emodb").is_dir():
        pytest.skip("needs real recordings: set MIEN_DATA to a folder that holds emodb/, ravdess/, librispeech/, ...")
    return folder


@pytest.fixture(scope="session")
def emodb(recordings: Path) -> list[Path]:
    """The recordings of EmoDB in the order of their names, in whichever format they are kept."""
    files = sorted(file for file in (recordings / "emodb" / "wav").iterdir() if file.suffix in {".wav", ".flac"})
    assert files
    return files


@dataclass(frozen=True)
class Memory:
    """Frames kept in memory, all usable but those named: what a feature store is to a loader."""

    clips: dict[str, Tensor]
    unusable: dict[str, list[int]] = field(default_factory=dict)

    def length(self, clip: str) -> int:
        return len(self.clips[clip])

    def frames(self, clip: str) -> Tensor:
        return self.clips[clip]

    def valid(self, clip: str) -> Tensor:
        usable = torch.ones(len(self.clips[clip]), dtype=torch.bool)
        usable[self.unusable.get(clip, [])] = False
        return usable


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., Examples]:
    """Examples of random frames whose mean shows the emotion and the speaker; clip lengths differ.

    Votes and ratings follow from the emotion: seven of ten votes are for it, and it is a number from -1 to 1.
    With `video` there are uint8 crops as well, whose colour shows both; every fourth frame of a clip is not usable, and
    every fifth clip, from the second, has no video. The same arguments give the same object: nobody changes it.
    """

    @cache
    def make(count: int = 24, *, seed: int = 0, dtype: torch.dtype = torch.float32, video: bool = False) -> Examples:
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
            labels={"emotion": emotion, "speaker": speaker, **_votes_and_ratings(emotion)},
            video=(_crops(names, emotion, speaker, generator),) * count if video else (),
        )

    return make


def _votes_and_ratings(emotion: Tensor) -> dict[str, Tensor]:
    """Soft labels, N x 4, and numbers, N x 1, float64."""
    count = CLASSES["emotion"]
    votes = 0.1 + 0.6 * torch.eye(count, dtype=torch.float64)[emotion]
    rating = (2 * emotion.double() / (count - 1) - 1)[:, None]
    return {"votes": votes, "valence": rating, "arousal": -rating}


@pytest.fixture(scope="session")
def make_loader(make_examples: Callable[..., Examples]) -> Callable[..., Loader]:
    """A loader over such examples, of their video as well where they have it."""

    def make(examples: Examples | None = None, **settings: object) -> Loader:
        examples = make_examples() if examples is None else examples
        defaults = {"batch_size": 7, "length": Length(), "audio": Stream(0.01, _as_it_is), "training": True}
        if examples.video:
            defaults["video"] = Stream(0.05, _as_it_is)
        return Loader(examples, **{**defaults, **settings})

    return make


@pytest.fixture(scope="session")
def make_batch(make_loader: Callable[..., Loader], make_examples: Callable[..., Examples]) -> Callable[..., Batch]:
    """One batch of such examples, optionally with video (its crops from -1 to 1), and with other labels."""

    def make(size: int = 7, *, step: int = 0, video: bool = False, **labels: Tensor) -> Batch:
        batch = make_loader(make_examples(video=video)).batch(list(range(size)), step=step)
        if video:
            batch = batch.to(torch.device("cpu"))
        return Batch(**{**vars(batch), "labels": {**batch.labels, **labels}})

    return make


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """A tiny model of any recipe and encoder (of the audio, or by modality); `factors` are those that it is given."""

    def make(
        settings: dict[str, object],
        *,
        encoder: str | Mapping[str, str] = "cnn_gru",
        recipe: str = "disentangle",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        factors: Iterable[str] = TARGETS,
    ) -> Recipe:
        names = {"audio": encoder} if isinstance(encoder, str) else encoder
        torch.manual_seed(seed)
        module = recipes.recipe(recipe)
        small = {"hidden": [6]} if recipe == "disentangle" else {}
        config = module.Config.model_validate_json(json.dumps(small | settings))
        made = make_encoders(names) if module.TAKES else {}
        shapes = {modality: SHAPES[modality] for modality in names}
        return module.build(config, Given(made, shapes, {name: TARGETS[name] for name in factors})).to(dtype)

    return make


def make_encoder(names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]] | None = None) -> torch.nn.Module:
    """Tiny encoders of one modality or two, joined."""
    return joined(make_encoders(names, shapes))


def make_encoders(
    names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, torch.nn.Module]:
    """Tiny encoders by modality, for the batches of `make_batch` or for frames of other shapes."""
    configs = {
        modality: (name, encoders.encoder(name).Config.model_validate_json(json.dumps(TINY.get(name, {}))))
        for modality, name in names.items()
    }
    return encoders.build(configs, {**SHAPES, **(shapes or {})})


@pytest.fixture(scope="session")
def make_trunks() -> Callable[..., torch.nn.Module]:
    """The function `make_encoder`, for tests that need no recipe."""
    return make_encoder


@pytest.fixture(scope="session")
def targets() -> dict[str, Target]:
    """What the labels of `make_examples` are of, by factor: classes, votes and a number."""
    return TARGETS


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[object]]:
    """Runs a function of the rank, 0 and 1, as two processes that add up what they have; returns both results.

    They are threads, and `all_reduce` is a sum between them. Processes that do not make the same calls, or bring
    tensors of unlike shapes, break a barrier and fail. Real processes are in tests/engine/test_processes.py.
    """
    barrier, parts, own = threading.Barrier(2, timeout=20), {}, threading.local()

    def all_reduce(tensor: Tensor) -> None:
        parts[own.rank] = tensor.clone()
        barrier.wait()
        try:
            first, second = parts[0], parts[1]
            assert first.shape == second.shape, f"summed {tuple(first.shape)} and {tuple(second.shape)}"
            tensor.copy_(first + second)
            barrier.wait()
        except BaseException:
            barrier.abort()
            raise

    def run(function: Callable[[int], object]) -> list[object]:
        def work(rank: int) -> object:
            own.rank = rank
            try:
                return function(rank)
            except BaseException:
                barrier.abort()
                raise

        with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
            patched.setattr(distributed, "is_initialized", lambda: True)
            patched.setattr(distributed, "get_world_size", lambda: 2)
            patched.setattr(distributed, "get_rank", lambda: own.rank)
            patched.setattr(distributed, "all_reduce", all_reduce)
            return list(pool.map(work, range(2)))

    return run


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """See `quick.no_figures`."""
    with no_figures():
        yield


@pytest.fixture(scope="session")
def absent() -> Callable[[int], Sequence]:
    """A modality without a frame."""
    return Sequence.absent


def _as_it_is(frames: Tensor, speaker: str) -> Tensor:
    return frames


def _crops(clips: tuple[str, ...], emotion: Tensor, speaker: Tensor, generator: torch.Generator) -> Memory:
    frames, unusable = {}, {}
    for row, clip in enumerate(clips):
        count = 0 if row % 5 == 1 else 3 + row % 4
        noise = torch.randint(0, 60, (count, *PIXELS), generator=generator)
        colour = torch.stack([45 * emotion[row], 60 * speaker[row], torch.tensor(90)])[:, None, None]
        frames[clip] = (noise + colour).to(torch.uint8)
        unusable[clip] = list(range(1, count, 4))
    return Memory(frames, unusable)
