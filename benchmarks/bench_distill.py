"""A step of `distill` against a bare loop of torch's own layers, in one run on one thread; and its memory.

python benchmarks/bench_distill.py [--size small] [--steps 10]

Parts of 4 s with 17 frames of a teacher's logits each. The bare loop has the layers of `encoders.vgg_m` from torch.nn,
with nn.BatchNorm, and torch's fused SGD. Both take turns, step by step. Sizes: "paper" (VGG-M, 512 rows, 4 clips: a
step of the paper's batch takes as much longer as it is larger) and "small" (`albanie2018-small`, 128 rows, 16 clips).
Memory is the peak of a process of its own, over that after the imports, of three steps.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.data.batch import Batch, Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.engine.schedules import Schedule
from mien.models import encoders
from mien.models.encoders import vgg_m
from mien.models.recipes import distill
from mien.models.recipes._recipe import Given

SIZES = {
    "paper": (vgg_m.Config(), 512, 4),
    "small": (vgg_m.Config(channels=(24, 48, 64, 64, 64), fc6=512, dimension=256), 128, 16),
}
CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
RATE = 1e-4


class Bare(nn.Module):
    """The student as a script would have it."""

    def __init__(self, config: vgg_m.Config, rows: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sides = ((7, 2, 3, 2), (5, 2, 3, 2), (3, 1, 0, 0), (3, 1, 0, 0), (3, 1, (3, 5), (2, 3)))
        inputs = 1
        for channels, (kernel, stride, pool, step) in zip(config.channels, sides, strict=True):
            layers += [nn.Conv2d(inputs, channels, kernel, stride, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.MaxPool2d(pool, step)] if pool else []  # type: ignore[arg-type]
            inputs = channels
        self.maps = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        left = self.maps(torch.zeros(2, 1, 400, rows)).shape[3]
        self.fc6 = nn.Sequential(nn.Conv2d(inputs, config.fc6, (1, left)), nn.BatchNorm2d(config.fc6), nn.ReLU())
        self.fc7 = nn.Sequential(nn.Linear(config.fc6, config.dimension), nn.BatchNorm1d(config.dimension), nn.ReLU())
        self.fc8 = nn.Linear(config.dimension, len(CLASSES))

    def forward(self, values: Tensor) -> Tensor:
        maps = self.maps(values[:, None].to(memory_format=torch.channels_last))
        return self.fc8(self.fc7(self.fc6(maps)[..., 0].mean(dim=2)))


def batch_of(rows: int, clips: int, step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    sound = Sequence(torch.randn(clips, 400, rows, generator=generator), torch.ones(clips, 400, dtype=torch.bool))
    seen = Sequence(torch.randn(clips, 17, 8, generator=generator), torch.ones(clips, 17, dtype=torch.bool))
    names = tuple(map(str, range(clips)))
    return Batch(names, sound, Sequence.absent(clips), {}, torch.arange(clips), clips, 0, step, teacher=seen)


def recipe_of(size: str) -> distill.Distill:
    config, rows, _ = SIZES[size]
    trunks = encoders.build({"audio": ("vgg_m", config)}, {"audio": (rows,)})
    target = Target("emotion", "soft", CLASSES, CLASSES, main=True)
    return distill.build(distill.Config(), Given(trunks, {"audio": (rows,)}, {"emotion": target}, teacher=(8,)))


def timed(size: str, steps: int) -> None:
    config, rows, clips = SIZES[size]
    ours, bare = recipe_of(size).train(), Bare(config, rows).train()
    schedule = Schedule(name="logarithmic")
    minimise = Optimisation(
        ours, Optimiser(name="sgd", momentum=0.9, decay=5e-4, lr={"default": RATE}, schedule=schedule)
    )
    plain = torch.optim.SGD(bare.parameters(), RATE, momentum=0.9, weight_decay=5e-4, fused=True)
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for step in range(steps + 2):
        batch = batch_of(rows, clips, step)
        began = time.process_time()
        ours.step(batch, minimise)
        middle = time.process_time()
        assert batch.teacher is not None
        wanted = (batch.teacher.values.amax(dim=1) / 2).softmax(dim=1)
        loss = F.cross_entropy(bare(batch.audio.values) / 2, wanted)
        plain.zero_grad()
        loss.backward()
        plain.step()
        if step >= 2:
            taken["ours"].append(middle - began)
            taken["bare"].append(time.process_time() - middle)
    one, other = (statistics.median(values) for values in taken.values())
    size_of = sum(value.numel() for value in ours.parameters())
    print(
        f"{size}: {size_of:,} parameters, {clips} clips of 4 s x {rows} rows; a step {one:.3f} s of processor time "
        f"({one / clips * 1000:.1f} ms a clip), the bare loop {other:.3f} s, ratio {one / other:.2f}"
    )


def memory(size: str) -> None:
    _, rows, clips = SIZES[size]
    before = peak()
    recipe = recipe_of(size).train()
    minimise = Optimisation(recipe, Optimiser(name="sgd", momentum=0.9, lr={"default": RATE}))
    for step in range(3):
        recipe.step(batch_of(rows, clips, step), minimise)
    print(f"{size}: three steps add {(peak() - before) / 1024:,.0f} MiB to the peak of the process")


def peak() -> int:
    """The most memory that this process has had, KiB; getrusage would count the one that began it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--memory", choices=SIZES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        memory(given.memory)
        return
    for size in [given.size] if given.size else SIZES:
        timed(size, given.steps)
        subprocess.run([sys.executable, __file__, "--memory", size], check=True)


if __name__ == "__main__":
    main()
