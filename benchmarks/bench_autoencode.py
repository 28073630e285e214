"""A step of `autoencode` against a bare loop of the same networks in plain torch, in one run on one thread.

python benchmarks/bench_autoencode.py [--steps 30] [--size full]

The bare loop has torch's own layers (nn.BatchNorm2d, nn.Dropout), three phases with one fused Adam, and no check of any
kind. Both take turns, step by step, so that a change of the machine's speed meets both. All clips are labelled.
"""

import argparse
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders import convolutional
from mien.models.recipes import autoencode
from mien.models.recipes._recipe import Given

CLIPS, CLASSES = 32, {"emotion": 8, "gender": 2, "speaker": 40}
SIZES = {"half": (128, 64, (8, 16, 32)), "full": (256, 128, (16, 32, 32))}
POOL, HIDDEN, DROPOUT, ALPHA, BETA, RATE = ((4, 2), (2, 2), (2, 2)), 128, 0.5, 0.4, 0.5, 1e-3
TASKS = tuple(CLASSES)
MODELS = {
    "CNN": {"reconstruction": False, "regularisation": False, "convolutions": 2},
    "AE": {"regularisation": False},
    "AAE": {},
    "AAE multitask": {"auxiliary": ["gender", "speaker"]},
}


class Head(nn.Module):
    """Convolution, maximum over time and pairs of rows, two fully connected layers."""

    def __init__(self, channels: int, rows: int, outputs: int, normalised: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=not normalised)
        self.normalisation = nn.BatchNorm2d(channels) if normalised else nn.Identity()
        self.dense = nn.Sequential(
            nn.Linear(channels * rows // 2, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, outputs)
        )

    def forward(self, code: Tensor) -> Tensor:
        values = F.relu(self.normalisation(self.convolution(code))).amax(dim=2)
        return self.dense(F.max_pool1d(values, 2).flatten(1))


class Bare:
    """The same algorithm as a script would have it."""

    def __init__(self, settings: dict[str, object], bins: int, channels: tuple[int, ...]) -> None:
        count = int(settings.get("convolutions", 3))  # type: ignore[call-overload]
        channels, pool = channels[:count], POOL[:count]
        inputs = (1, *channels)
        encoder = []
        for one, two, by in zip(inputs, channels, pool, strict=False):
            encoder += [nn.Conv2d(one, two, 3, padding=1, bias=False), nn.BatchNorm2d(two), nn.MaxPool2d(by), nn.ReLU()]
        self.encoder, rows = nn.Sequential(*encoder).to(memory_format=torch.channels_last), bins
        for by in pool:
            rows //= by[1]
        self.heads = nn.ModuleDict(
            {
                task: Head(channels[-1], rows, CLASSES[task], True)
                for task in ("emotion", *settings.get("auxiliary", ()))
            }
        )
        self.decoder = self.discriminator = None
        if settings.get("reconstruction", True):
            decoder: list[nn.Module] = []
            for place in (2, 1, 0):
                stride = POOL[place]
                kernel, padding = (2 * stride[0], 2 * stride[1]), (stride[0] // 2, stride[1] // 2)
                decoder.append(
                    nn.ConvTranspose2d(inputs[place + 1], inputs[place], kernel, stride, padding, bias=not place)
                )
                decoder += [nn.BatchNorm2d(inputs[place]), nn.ReLU()] if place else []
            self.decoder = nn.Sequential(*decoder).to(memory_format=torch.channels_last)
        if settings.get("regularisation", True):
            self.discriminator = Head(channels[-1], rows, 1, False)
        parts = [self.encoder, self.heads, *filter(None, (self.decoder, self.discriminator))]
        self.parameters = [one for part in parts for one in part.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=RATE, fused=True)

    def move(self, loss: Tensor, *modules: nn.Module) -> None:
        chosen = [one for module in modules for one in module.parameters()]
        for one, slope in zip(chosen, torch.autograd.grad(loss, chosen), strict=True):
            one.grad = slope
        self.optimiser.step()
        self.optimiser.zero_grad()

    def step(self, batch: Batch) -> None:
        frames = batch.audio.values[..., None].movedim(-1, 1)
        single = len(self.heads) == 1
        if self.decoder is not None:
            error = F.mse_loss(self.decoder(self.encoder(frames)), frames)
            self.move(ALPHA * error, self.encoder, self.decoder)
        if self.discriminator is not None:
            code = self.encoder(frames)
            real, fake = self.discriminator(torch.randn_like(code).abs()), self.discriminator(code.detach())
            self.move(F.softplus(-real).mean() + F.softplus(fake).mean(), self.discriminator)
            self.move(-F.softplus(self.discriminator(code)).mean(), self.encoder)
        code = self.encoder(frames)
        losses = {task: F.cross_entropy(head(code), batch.labels[task]) for task, head in self.heads.items()}
        if single:
            whole = (1 - ALPHA if self.decoder is not None else 1.0) * losses["emotion"]
        else:
            whole = BETA * losses["emotion"] + (1 - BETA) * sum(losses[task] for task in TASKS[1:])
        self.move(whole, self.encoder, self.heads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--size", choices=SIZES, default="half")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    frames, bins, channels = SIZES[options.size]
    targets = {name: Target(name, "classes", (name,), tuple(map(str, range(size)))) for name, size in CLASSES.items()}
    sequence = Sequence(torch.randn(CLIPS, frames, bins), torch.ones(CLIPS, frames, dtype=torch.bool))
    labels = {name: torch.randint(0, size, (CLIPS,)) for name, size in CLASSES.items()}
    names = tuple(map(str, range(CLIPS)))
    print(f"{CLIPS} clips of {frames} x {bins}, {options.steps} steps, one thread; medians")
    print(f"{'model':16} {'bare ms':>9} {'ours ms':>9} {'ratio':>7}")
    for name, settings in MODELS.items():
        encoder = convolutional.Encoder(convolutional.Config(channels=channels), "audio", (bins,))
        config = parse(autoencode.Config, settings, name)
        ours = autoencode.build(config, Given({"audio": encoder}, {"audio": (bins,)}, targets))
        bare, minimise = Bare(settings, bins, channels), Optimisation(ours, Optimiser(lr={"default": RATE}))
        times = []
        for number in range(options.steps + 3):
            batch = Batch(names, sequence, Sequence.absent(CLIPS), labels, torch.arange(CLIPS), CLIPS, 0, number)
            begin = time.perf_counter()
            bare.step(batch)
            middle = time.perf_counter()
            ours.step(batch, minimise)
            times.append((middle - begin, time.perf_counter() - middle))
        measured = torch.tensor(times[3:])
        first, second = (measured.median(dim=0).values * 1000).tolist()
        print(f"{name:16} {first:9.1f} {second:9.1f} {(measured[:, 1] / measured[:, 0]).median().item():7.3f}")


if __name__ == "__main__":
    main()
