"""A step of `minimise` with every guard against a bare loop of the same model, in one run on one thread.

python benchmarks/bench_step.py [--steps 40] [--seconds 4]

Both loops train Li et al.'s encoder with the maximum-entropy adversary on the same batch of 16 clips; the bare one with
two fused torch optimisers, `zero_grad`, `backward` and `step` written out, and no check of any kind. They take turns,
step by step, so that a change of the machine's speed meets both. `fit` is timed too, with loading and an epoch's
bookkeeping.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.common.settings import parse
from mien.data.batch import Batch
from mien.data.batches import Examples, Loader, Stream
from mien.data.length import Length
from mien.data.targets import Target
from mien.engine.fit import Training, fit
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders.cnn_gru import Config, Encoder
from mien.models.recipes import disentangle
from mien.models.recipes._recipe import Given

CLIPS, DIMENSION, CLASSES = 320, 43, {"emotion": 7, "speaker": 8}
MODELS = {
    "emotion only": {"tasks": {"emotion": 1.0}},
    "multitask": {"tasks": {"emotion": 0.5, "speaker": 0.5}},
    "gradient reversal": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "gradient_reversal"}}},
    "maximum entropy": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy"}}},
}


class Memory:
    """Random frames in memory."""

    def __init__(self, frames: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.clips = {f"{n}": torch.randn(frames, DIMENSION, generator=generator) for n in range(CLIPS)}

    def length(self, clip: str) -> int:
        return len(self.clips[clip])

    def frames(self, clip: str) -> Tensor:
        return self.clips[clip]

    def valid(self, clip: str) -> Tensor:
        return torch.ones(len(self.clips[clip]), dtype=torch.bool)


def build(settings: dict[str, object]) -> disentangle.Disentangle:
    torch.manual_seed(0)
    config = parse(disentangle.Config, {"embeddings": {"main": settings}}, "models")
    encoder = Encoder(Config(), "audio", (DIMENSION,))
    targets = {name: Target(name, "classes", (name,), tuple(map(str, range(size)))) for name, size in CLASSES.items()}
    return disentangle.build(config, Given({"audio": encoder}, {"audio": (DIMENSION,)}, targets))


class Bare:
    """The same algorithm as a script would have it."""

    def __init__(self, name: str) -> None:
        self.name, self.net = name, build(MODELS[name])
        main = [*self.net.encoder.parameters(), *self.net.tasks.parameters()]
        if name == "gradient reversal":
            main += list(self.net.adversaries.parameters())
        self.main = torch.optim.Adam(main, lr=1e-3, fused=True)
        self.adversary = (
            torch.optim.Adam(self.net.adversaries.parameters(), lr=1e-3, fused=True)
            if name == "maximum entropy"
            else None
        )

    def step(self, batch: Batch) -> None:
        net, emotion, speaker = self.net, batch.labels["emotion"], batch.labels["speaker"]
        code = net.encoder(batch)
        if self.adversary is not None:
            self.adversary.zero_grad()
            F.cross_entropy(net.adversaries["main-speaker"](code.detach()), speaker).backward()
            self.adversary.step()
        loss = F.cross_entropy(net.tasks["main-emotion"](code), emotion)
        if self.name == "maximum entropy":
            log = F.log_softmax(net.adversaries["main-speaker"](code), dim=1)
            loss = 0.5 * loss + 0.5 * (log.exp() * log).sum(dim=1).mean()
        elif self.name == "multitask":
            loss = 0.5 * loss + 0.5 * F.cross_entropy(net.tasks["main-speaker"](code), speaker)
        elif self.name == "gradient reversal":
            reverse = disentangle.REMOVALS["gradient_reversal"].term
            loss = 0.5 * loss + reverse(code, speaker, net.adversaries["main-speaker"], 0.5)
        self.main.zero_grad()
        loss.backward()
        self.main.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    memory = Memory(round(options.seconds * 100))
    labels = {name: torch.arange(CLIPS) % count for name, count in CLASSES.items()}
    examples = Examples(tuple(memory.clips), ("",) * CLIPS, (memory,) * CLIPS, labels)
    loader = Loader(
        examples,
        batch_size=16,
        length=Length(seconds=options.seconds, long="middle", short="repeat"),
        audio=Stream(0.01, lambda frames, speaker: frames),
        training=True,
    )
    batches = list(loader.epoch(0))
    print(f"batch 16 x {options.seconds:g} s, {options.steps} steps, one thread; medians")
    print(f"{'model':20} {'bare ms':>9} {'minimise ms':>12} {'ratio':>7} {'fit ms':>9} {'ratio':>7}")
    for name in MODELS:
        bare, ours = Bare(name), build(MODELS[name])
        minimise = Optimisation(ours, Optimiser())
        times: list[tuple[float, float]] = []
        for number in range(options.steps + 5):
            batch = batches[number % len(batches)]
            begin = time.perf_counter()
            bare.step(batch)
            middle = time.perf_counter()
            ours.step(batch, minimise)
            times.append((middle - begin, time.perf_counter() - middle))
        first, second = (torch.tensor(times[5:]).median(dim=0).values * 1000).tolist()
        ratio = (torch.tensor(times[5:])[:, 1] / torch.tensor(times[5:])[:, 0]).median().item()
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            fit(
                build(MODELS[name]),
                loader,
                lambda: {"uar": 0.0, "accuracy": 0.0, "loss": 0.0},
                training=Training(epochs=3),
                optimiser=Optimiser(),
                folder=Path(folder),
            )
            whole = (time.perf_counter() - begin) / (3 * len(loader)) * 1000
        print(f"{name:20} {first:9.2f} {second:12.2f} {ratio:7.3f} {whole:9.2f} {whole / first:7.3f}")


if __name__ == "__main__":
    main()
