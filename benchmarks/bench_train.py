"""A whole `mien train` with one worker and with two, against the sum of bare training loops, in one run.

python benchmarks/bench_train.py --data PREPARED_EMODB [--folds 4] [--epochs 4]

The command trains the four models of li2020-emodb on some folds with one seed; every start of Python, loading,
validation, predictions, embeddings, probes, scores and the page are in its time. Features are extracted before. The
bare loops are those of `bench_step.py`: as many steps of as many clips of the same length from memory, one thread, and
nothing else; one cell a model is run, and counted once a fold. Goal: two workers at least 1.7 x as fast as one.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice

import torch

from bench_step import CLASSES, CLIPS, MODELS, Bare, Memory
from mien.data.batches import Examples, Loader, Stream
from mien.data.dataset import Dataset
from mien.data.length import Length
from mien.experiments.experiment import load

WORKERS = (1, 2)


def command(arguments: list[str], out: str, workers: int) -> float:
    """Wall seconds of a `mien train`."""
    begin = time.perf_counter()
    line = [sys.executable, "-m", "mien", "train", *arguments, "--out", out, "--workers", str(workers)]
    subprocess.run(line, check=True, capture_output=True)
    return time.perf_counter() - begin


def bare(steps: int, seconds: float, batch: int) -> dict[str, float]:
    """Wall seconds of that many bare steps of each model."""
    memory = Memory(round(seconds * 100))
    labels = {name: torch.arange(CLIPS) % count for name, count in CLASSES.items()}
    examples = Examples(tuple(memory.clips), ("",) * CLIPS, (memory,) * CLIPS, labels)
    loader = Loader(
        examples,
        batch_size=batch,
        length=Length(seconds=seconds),
        audio=Stream(0.01, lambda frames, speaker: frames),
        training=True,
    )
    batches = list(loader.epoch(0))
    found = {}
    for name in MODELS:
        loop = Bare(name)
        loop.step(batches[0])
        begin = time.perf_counter()
        for one in islice(cycle(batches), steps):
            loop.step(one)
        found[name] = time.perf_counter() - begin
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    arguments = ["li2020-emodb", f"data.prepared={options.data}", "seeds=[0]", f"training.epochs={options.epochs}"]
    arguments.append(f"protocol.folds={list(range(options.folds))}")
    experiment = load(arguments[0], arguments[1:])
    dataset = Dataset.open(experiment.data)
    dataset.extract(workers=2)
    clips = sum(len(fold.train) for fold in dataset.folds(experiment.protocol)) * (1 + len(experiment.data.copies))
    steps = round(clips / options.folds / experiment.training.batch) * options.epochs
    loops = bare(steps, experiment.data.length.seconds or 2.0, experiment.training.batch)
    total = options.folds * sum(loops.values())
    print(f"{len(MODELS)} models x {options.folds} folds x {steps} steps; sum of bare loops {total:.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        walls = {workers: command(arguments, f"{folder}/{workers}", workers) for workers in WORKERS}
    for workers, wall in walls.items():
        ratios = f"{wall / total:.2f} x the bare loops, {walls[1] / wall:.2f} x one worker"
        print(f"--workers {workers}: {wall:7.1f} s, {ratios}")


if __name__ == "__main__":
    main()
