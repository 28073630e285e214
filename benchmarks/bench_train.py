"""A whole `mien train` with one worker and with two, against the sum of bare training loops, in one run.

python benchmarks/bench_train.py --data PREPARED_EMODB [--folds 4] [--epochs 4] [--workers 1 2] [--repeats 1]
    [--base FOLDER]

The command trains the four models of li2020-emodb on some folds with one seed; every start of Python, loading,
validation, predictions, embeddings, probes, scores and the page are in its time. Features are extracted before. The
bare loops are those of `bench_step.py`: as many steps of as many clips of the same length from memory, one thread, and
nothing else; one cell a model is run, and counted once a fold. They are run before and after each training, so that
a change of the machine's speed meets both; with `--base`, the folder of another checkout, its trainings take turns with
ours. Processor time is that of all processes: of one worker it depends less on what else the machine does.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from bench_step import CLASSES, CLIPS, MODELS, Bare, Memory
from mien.data.batches import Examples, Loader, Stream
from mien.data.dataset import Dataset
from mien.data.length import Length
from mien.experiments.experiment import load

WORKERS = (1, 2)


class Time(NamedTuple):
    """Seconds on the wall, and of processors."""

    wall: float
    processor: float


def clock() -> Time:
    """Now, of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Time(time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used))


def since(begin: Time) -> Time:
    """The time from then to now."""
    now = clock()
    return Time(now.wall - begin.wall, now.processor - begin.processor)


def command(arguments: list[str], out: str, workers: int, source: Path) -> Time:
    """The time of a `mien train` of the checkout at `source`."""
    line = [sys.executable, "-m", "mien", "train", *arguments, "--out", out, "--workers", str(workers)]
    begin = clock()
    subprocess.run(line, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(source / "src")})
    return since(begin)


def bare(steps: int, seconds: float, batch: int) -> Time:
    """The time of that many bare steps of each model."""
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
    loops = [Bare(name) for name in MODELS]
    for loop in loops:
        loop.step(batches[0])
    begin = clock()
    for loop in loops:
        for one in islice(cycle(batches), steps):
            loop.step(one)
    return since(begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--base", type=Path, help="another checkout, to compare with")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    arguments = ["li2020-emodb", f"data.prepared={options.data}", "seeds=[0]", f"training.epochs={options.epochs}"]
    arguments.append(f"protocol.folds={list(range(options.folds))}")
    experiment = load(arguments[0], arguments[1:])
    dataset = Dataset.open(experiment.data)
    dataset.extract(workers=2)
    clips = sum(len(fold.train) for fold in dataset.folds(experiment.protocol)) * (1 + len(experiment.data.copies))
    steps = round(clips / options.folds / experiment.training.batch) * options.epochs
    length = experiment.data.length.seconds or 2.0
    builds = {"this": Path(__file__).parents[1]} | ({"base": options.base} if options.base else {})
    loops: list[Time] = []
    times: dict[tuple[str, int], list[Time]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for repeat, workers, (build, source) in product(range(options.repeats), options.workers, builds.items()):
            loops.append(bare(steps, length, experiment.training.batch))
            spent = command(arguments, f"{folder}/{build}-{workers}-{repeat}", workers, source)
            times.setdefault((build, workers), []).append(spent)
        loops.append(bare(steps, length, experiment.training.batch))
    wall, processor = (options.folds * median(one) for one in zip(*loops, strict=True))
    print(f"{len(MODELS)} models x {options.folds} folds x {steps} steps; sum of bare loops {wall:.1f} s")
    for (build, workers), found in times.items():
        own, used = (median(one) for one in zip(*found, strict=True))
        print(
            f"{build}, --workers {workers}: {own:7.1f} s, {own / wall:.2f} x the bare loops; "
            f"processor time {used / processor:.2f} x theirs"
        )
    for workers in options.workers if options.base else ():
        ratios = [
            mine.wall / theirs.wall for mine, theirs in zip(times["this", workers], times["base", workers], strict=True)
        ]
        print(f"--workers {workers}: {median(ratios):.2f} x the wall time of the base")


if __name__ == "__main__":
    main()
