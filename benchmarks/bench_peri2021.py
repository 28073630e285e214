"""A training step of Peri et al. 2021 at the paper's sizes: 12 s of sound and 50 faces of 224 x 224 a clip.

    python benchmarks/bench_peri2021.py [--clips 1 2 4] [--steps 3] [--model alternating_64] [--device cpu]
        [--precision float32]

The model of `peri2021` with all its layers, adversaries and optimiser, on random clips; each number of clips in a
process of its own, one thread on a CPU. Printed are the median time of the steps after the first, and the greatest
memory: of the process, or of the GPU. The paper's batch has 32 clips.
"""

import argparse
import multiprocessing
import os
import resource
import time
from statistics import median

import torch

from mien import experiments
from mien.data.batch import Batch, Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation
from mien.runs.cell import build

SPEAKERS = 1000  # EmoVoxCeleb has 1,251
CROPS, FRAMES, MELS, PIXELS = 50, 1200, 40, 224


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--model", default="alternating_64")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    given = parser.parse_args()
    device = torch.device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {os.cpu_count()} cores, one thread"
    print(f"{name}, torch {torch.__version__}, {given.model}, {given.precision}\n")
    print("| clips a step | parameters | s a step | s a clip | peak, MiB |")
    print("| --- " * 5 + "|")
    for clips in given.clips:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            size, seconds, peak = pool.apply(measured, (given.model, clips, given.steps, device, given.precision))
        print(f"| {clips} | {size:,} | {seconds:.1f} | {seconds / clips:.2f} | {peak / 2**20:,.0f} |", flush=True)


def measured(name: str, clips: int, steps: int, device: torch.device, precision: str) -> tuple[int, float, int]:
    """Parameters, the median seconds of a step, and the peak of memory in bytes."""
    torch.set_num_threads(1)
    experiment = experiments.load("peri2021")
    sizes = {"emotion": len(experiment.classes), "speaker": SPEAKERS}
    targets = {factor: Target(factor, "classes", (factor,), tuple(map(str, range(k)))) for factor, k in sizes.items()}
    model = build(experiment, name, targets, seed=0, class_weight={}).to(device).train()
    minimise = Optimisation(model, experiment.optimiser)
    generator = torch.Generator().manual_seed(0)
    taken = []
    for step in range(steps + 1):
        sound = Sequence(
            torch.randn(clips, FRAMES, MELS, generator=generator), torch.ones(clips, FRAMES, dtype=torch.bool)
        )
        pixels = torch.randint(0, 256, (clips, CROPS, 3, PIXELS, PIXELS), dtype=torch.uint8, generator=generator)
        faces = Sequence(pixels, torch.ones(clips, CROPS, dtype=torch.bool))
        labels = {factor: torch.randint(0, k, (clips,), generator=generator) for factor, k in sizes.items()}
        names = tuple(map(str, range(clips)))
        batch = Batch(names, sound, faces, labels, torch.arange(clips), clips, 0, step)
        _wait(device)
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
            model.step(batch.to(device), minimise)
        _wait(device)
        taken.append(time.perf_counter() - began)
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return sum(one.numel() for one in model.parameters()), median(taken[1:]), peak


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
