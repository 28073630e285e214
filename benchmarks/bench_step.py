"""A step of `minimise` with every guard, and `fit`, against a bare loop of the same model, in one run on one thread.

python benchmarks/bench_step.py [--steps 40] [--seconds 4] [--epochs 5] [--runs 5]

Both loops train Li et al.'s encoder with the maximum-entropy adversary on the same batch of 16 clips; the bare one with
two fused torch optimisers, `zero_grad`, `backward` and `step` written out, and no check of any kind. They take turns,
step by step, so that a change of the machine's speed meets both.

`fit` is all of a training but its validation: loading, the guards, the bookkeeping and the state of each epoch. It is
held against a bare loop over the same batches, made before, as many epochs; whole runs take turns, and figures are
medians of processor time. One model more has functionals (1,838 numbers a clip) and a hidden layer with dropout.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.common.settings import parse
from mien.data.batch import Batch
from mien.data.batches import Examples, Held, Loader, Stream
from mien.data.length import Length
from mien.data.targets import Target
from mien.engine.fit import Training, fit
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders import vector
from mien.models.encoders.cnn_gru import Config, Encoder
from mien.models.recipes import disentangle
from mien.models.recipes._recipe import Given

CLIPS, DIMENSION, CLASSES = 320, 43, {"emotion": 7, "speaker": 8}
FUNCTIONALS = 1838
MODELS = {
    "emotion only": {"tasks": {"emotion": 1.0}},
    "multitask": {"tasks": {"emotion": 0.5, "speaker": 0.5}},
    "gradient reversal": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "gradient_reversal"}}},
    "maximum entropy": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy"}}},
}


class Memory:
    """Random frames in memory."""

    def __init__(self, frames: int, dimension: int = DIMENSION, clips: int = CLIPS) -> None:
        generator = torch.Generator().manual_seed(0)
        self.clips = {f"{n}": torch.randn(frames, dimension, generator=generator) for n in range(clips)}

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


class Plain(Bare):
    """Functionals and a hidden layer, as a script would have it."""

    def __init__(self) -> None:
        self.name, self.net, self.adversary = "emotion only", functionals(), None
        self.main = torch.optim.Adam(self.net.parameters(), lr=1e-3, fused=True)


def functionals() -> disentangle.Disentangle:
    """A model of functionals with a hidden layer."""
    torch.manual_seed(0)
    settings = {"embeddings": {"main": MODELS["emotion only"]}, "hidden": []}
    config = parse(disentangle.Config, settings, "models")
    encoder = vector.Encoder(vector.Config(), "audio", (FUNCTIONALS,))
    targets = {"emotion": Target("emotion", "classes", ("emotion",), tuple(map(str, range(CLASSES["emotion"]))))}
    return disentangle.build(config, Given({"audio": encoder}, {"audio": (FUNCTIONALS,)}, targets))


def loaded(memory: Memory, hop: float, length: Length, size: int) -> Loader:
    """The batches of all clips in memory."""
    clips = tuple(memory.clips)
    labels = {name: torch.arange(len(clips)) % count for name, count in CLASSES.items()}
    examples = Examples(clips, ("",) * len(clips), (memory,) * len(clips), labels)
    stream = Stream(hop, lambda frames, speaker: frames)
    return Loader(examples, batch_size=size, length=length, audio=stream, training=True, held=Held())


def against_bare(
    model: Callable[[], disentangle.Disentangle], bare: Callable[[], Bare], loader: Loader, epochs: int, runs: int
) -> tuple[float, float, float]:
    """Milliseconds a step of the bare loop and of `fit`, and the ratio: medians of processor time."""
    times = []
    for run in range(runs + 1):  # the first warms up
        batches = [batch for epoch in range(epochs) for batch in loader.epoch(epoch)]
        loop, net = bare(), model()
        begin = time.process_time()
        for batch in batches:
            loop.step(batch)
        middle = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            fit(
                net,
                loader,
                lambda: {"uar": 0.0, "accuracy": 0.0, "loss": 0.0},
                training=Training(epochs=epochs),
                optimiser=Optimiser(),
                folder=Path(folder),
            )
            end = time.process_time()
        if run:
            times.append((middle - begin, end - middle, (end - middle) / (middle - begin)))
    first, second, ratio = (median(each) for each in zip(*times, strict=True))
    return 1000 * first / len(batches), 1000 * second / len(batches), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--epochs", type=int, default=5, help="of each run of `fit`")
    parser.add_argument("--runs", type=int, default=5, help="of `fit` and of the bare loop, in turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    length = Length(seconds=options.seconds, long="middle", short="repeat")
    loader = loaded(Memory(round(options.seconds * 100)), 0.01, length, 16)
    batches = list(loader.epoch(0))
    print(f"batch 16 x {options.seconds:g} s, {options.steps} steps, one thread; medians")
    print(f"{'model':20} {'bare ms':>9} {'minimise ms':>12} {'ratio':>7}")
    for name in MODELS:
        bare, ours = Bare(name), build(MODELS[name])
        minimise = Optimisation(ours, Optimiser())
        times: list[tuple[float, float]] = []
        for number in range(options.steps + 5):
            batch = batches[number % len(batches)]
            begin = time.process_time()
            bare.step(batch)
            middle = time.process_time()
            ours.step(batch, minimise)
            times.append((middle - begin, time.process_time() - middle))
        kept = times[5:]
        first, second = (1000 * median(each) for each in zip(*kept, strict=True))
        ratio = median(second / first for first, second in kept)
        print(f"{name:20} {first:9.2f} {second:12.2f} {ratio:7.3f}")
    print(f"fit, {options.epochs} epochs, median of {options.runs} runs in turn, processor time")
    print(f"{'model':20} {'bare ms':>9} {'fit ms':>12} {'ratio':>7}")
    cases = {name: (partial(build, MODELS[name]), partial(Bare, name), loader) for name in MODELS}
    vectors = loaded(Memory(1, FUNCTIONALS, 40 * 32), math.inf, Length(), 32)
    cases["functionals, hidden"] = functionals, Plain, vectors
    for name, case in cases.items():
        first, second, ratio = against_bare(*case, options.epochs, options.runs)
        print(f"{name:20} {first:9.2f} {second:12.2f} {ratio:7.3f}")


if __name__ == "__main__":
    main()
