"""A step of `fuse` against a bare loop of torch.nn.Transformer* layers of the same sizes, in one run on one thread.

python benchmarks/bench_fuse.py [--steps 10] [--size paper]
python benchmarks/bench_fuse.py --lengths   # time and memory of our step by the length of clips, 2 to 40 s

The bare loop has nn.TransformerEncoderLayer for self-attention and nn.TransformerDecoderLayer's cross-attention by
nn.MultiheadAttention, torch's dropout, one backward pass, clipping, and a fused Adam. Both take turns, step by step, so
that a change of the machine's speed meets both. Memory is what a process of its own adds to its peak by three steps.
"""

import argparse
import resource
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.models import encoders
from mien.models.encoders import projection
from mien.models.layers.attention import positions
from mien.models.recipes import fuse
from mien.models.recipes._recipe import Given

CLASSES, RATE, CLIP = 6, 7.25e-4, 0.8
SIZES = {  # width, heads, layers, values of a face's frame, clips
    "toy": (64, 8, 2, 256, 32),
    "paper": (130, 10, 5, 4096, 32),
}
RATES = {"audio": 1 / 0.016, "video": 30.0}  # frames a second
MODELS = {
    "AuxFormer": {"absent": "zeros"},
    "optimized": {"absent": "zeros", "drop": {"audio": 0.2, "video": 0.2}},
    "masked": {"absent": "masked", "drop": {"audio": 0.2, "video": 0.2}},
}


class Cross(nn.Module):
    """Attention to another sequence, then two fully connected layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.drops = nn.ModuleList([nn.Dropout(0.25), nn.Dropout(0.1), nn.Dropout(0.1)])

    def forward(self, values: Tensor, others: Tensor, hidden: Tensor) -> Tensor:
        keys = self.norms[1](others)
        found, _ = self.attention(self.norms[0](values), keys, keys, key_padding_mask=hidden, need_weights=False)
        values = values + self.drops[1](self.drops[0](found))
        return values + self.drops[2](self.dense(self.norms[2](values)))


class Bare(nn.Module):
    """The network as a script would have it, of torch's layers."""

    def __init__(self, width: int, heads: int, layers: int, inputs: dict[str, int]) -> None:
        super().__init__()

        def within() -> nn.TransformerEncoder:
            one = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.1, batch_first=True, norm_first=True)
            one.self_attn.dropout = 0.0  # of attention's weights, which costs much and which the paper does not name
            return nn.TransformerEncoder(one, layers, nn.LayerNorm(width), enable_nested_tensor=False)

        self.project = nn.ModuleDict({name: nn.Linear(size, width, bias=False) for name, size in inputs.items()})
        self.cross = nn.ModuleDict({name: nn.ModuleList(Cross(width, heads) for _ in range(layers)) for name in inputs})
        self.within = nn.ModuleDict({name: within() for name in inputs})
        self.auxiliary = nn.ModuleDict({name: within() for name in inputs})
        self.dense = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CLASSES)) for name in inputs}
        )
        self.head = nn.Sequential(
            nn.Linear(2 * width, 260), nn.ReLU(), nn.Linear(260, 260), nn.ReLU(), nn.Linear(260, CLASSES)
        )

    def forward(self, batch: Batch) -> list[Tensor]:
        parts, hidden = {}, {}
        for name, project in self.project.items():
            sequence = getattr(batch, name)
            values = project(sequence.values)
            parts[name], hidden[name] = values + positions(values), ~sequence.valid
        tokens, answers = [], []
        for name in self.project:
            (other,) = set(self.project) - {name}
            values = parts[name]
            for layer in self.cross[name]:
                values = layer(values, parts[other], hidden[other])
            tokens.append(self.within[name](values, src_key_padding_mask=hidden[name])[:, -1])
            alone = self.auxiliary[name](parts[name], src_key_padding_mask=hidden[name])[:, -1]
            answers.append(self.dense[name](alone))
        return [self.head(torch.cat(tokens, dim=1)), *answers]


def batch_of(size: str, seconds: float, step: int = 0) -> Batch:
    """Clips of which the shortest lasts half of the longest."""
    _, _, _, face, clips = SIZES[size]
    generator = torch.Generator().manual_seed(step)
    shares = torch.linspace(0.5, 1, clips)
    sequences = []
    for name, dimension in (("audio", 130), ("video", face)):
        frames = round(seconds * (RATES[name] if size == "paper" else 15))
        valid = torch.arange(frames) < (shares * frames).round()[:, None]
        values = torch.randn(clips, frames, dimension, generator=generator)
        sequences.append(Sequence(torch.where(valid[:, :, None], values, 0.0), valid))
    labels = {"emotion": torch.arange(clips) % CLASSES}
    names = tuple(map(str, range(clips)))
    return Batch(names, *sequences, labels, torch.arange(clips), clips, 0, step)


def recipe_of(size: str, settings: dict[str, object]) -> fuse.Fuse:
    width, heads, layers, face, _ = SIZES[size]
    shapes = {"audio": (130,), "video": (face,)}
    kernels = {"audio": None if width == 130 else 1, "video": 1}
    configs = {name: ("projection", projection.Config(dimension=width, kernel=kernels[name])) for name in shapes}
    fusion = {"layers": layers, "self_layers": layers, "heads": heads}
    target = Target("emotion", "classes", ("emotion",), tuple("abcdef"), main=True)
    config = parse(fuse.Config, {**settings, "fusion": fusion}, "model")
    return fuse.build(config, Given(encoders.build(configs, shapes), shapes, {"emotion": target}))


def against_bare(size: str, steps: int) -> None:
    width, heads, layers, face, clips = SIZES[size]
    print(f"{clips} clips of 1 to 2 s, {steps} steps, one thread; medians")
    print(f"{'model':12} {'bare ms':>9} {'ours ms':>9} {'ratio':>7}")
    for name, settings in MODELS.items():
        torch.manual_seed(0)
        ours, bare = recipe_of(size, settings), Bare(width, heads, layers, {"audio": 130, "video": face})
        minimise = Optimisation(ours, Optimiser(lr={"default": RATE}, clip=CLIP))
        adam = torch.optim.Adam(bare.parameters(), lr=RATE, fused=True)
        times = []
        for number in range(steps + 2):
            batch = batch_of(size, 2.0, number)
            begin = time.perf_counter()
            loss = torch.stack([F.cross_entropy(one, batch.labels["emotion"]) for one in bare(batch)]).mean()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(bare.parameters(), CLIP)
            adam.step()
            middle = time.perf_counter()
            ours.step(batch, minimise)
            times.append((middle - begin, time.perf_counter() - middle))
        measured = torch.tensor(times[2:])
        first, second = (measured.median(dim=0).values * 1000).tolist()
        print(f"{name:12} {first:9.1f} {second:9.1f} {(measured[:, 1] / measured[:, 0]).median().item():7.3f}")


def at_length(size: str, seconds: float) -> None:
    """One line: the time of a step, and what it adds to the peak of memory."""
    ours = recipe_of(size, MODELS["masked"])
    minimise, batch = Optimisation(ours, Optimiser(lr={"default": RATE}, clip=CLIP)), batch_of(size, seconds)
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(3):
        begin = time.perf_counter()
        ours.step(batch, minimise)
        times.append(time.perf_counter() - begin)
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{seconds:7.0f} {min(times) * 1000:9.0f} {added / 1024:9.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--size", choices=SIZES, default="toy")
    parser.add_argument("--lengths", action="store_true")
    parser.add_argument("--at", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.at:
        at_length(options.size, options.at)
    elif options.lengths:
        print(f"{SIZES[options.size][-1]} clips, {options.size} size, one thread; the best of three steps")
        print(f"{'seconds':>7} {'ms':>9} {'MiB':>9}", flush=True)
        for seconds in (2, 5, 10, 20, 40):
            subprocess.run([sys.executable, __file__, "--size", options.size, "--at", str(seconds)], check=True)
    else:
        against_bare(options.size, options.steps)


if __name__ == "__main__":
    main()
