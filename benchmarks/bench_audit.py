"""Time and peak memory of `mien audit --embeddings` by the number of clips, and beside another build.

    python benchmarks/bench_audit.py [--rows 10000 100000 1000000] [--dimension 512] [--speakers 1000] [--folder DIR]
    python benchmarks/bench_audit.py --rows 10000 --speakers 100 --base CHECKOUT [--times 3]

Embeddings are float32, unit noise about a mean for each speaker, written in blocks to a temporary .npy below DIR (2 GB
for 1,000,000 x 512); labels are a CSV. Each audit is a process of its own, of the command line with --json: all four
probes with their shuffled controls, verification and dependence. `growth` is the time over that of the size before,
beside how much larger it is, and `a row` the processor time of a row. Bar: 1,000,000 rows within 10 minutes and 8 GiB
on two cores.

With --base both builds audit the same files by turns, `--times` each. The ratios are of the medians of processor time
(user and system) and of peak memory; all numbers of the outputs are compared, and a sentence or a number that differs
by more than 1e-6 ends the benchmark with an error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

BLOCK = 50_000
APART = 0.2  # deviation of the speakers' means in each dimension, in those of the noise
LIMIT = 1e-6  # of a difference between two builds
CHILD = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "mien", "audit", "--embeddings", sys.argv[1], "--labels", sys.argv[2],
                       "--factor", "speaker", "--json"], stdout=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stdout.buffer.write(done.stdout)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, file=sys.stderr)
sys.exit(done.returncode)
"""


class Audit(NamedTuple):
    """What an audit took, and what it said."""

    seconds: float
    processor: float
    gib: float
    said: dict[str, Any]


def write(folder: Path, rows: int, dimension: int, speakers: int) -> tuple[Path, Path]:
    """Embeddings and labels of so many clips, in the order of no speaker."""
    random = np.random.default_rng(0)
    means = (APART * random.standard_normal((speakers, dimension))).astype(np.float32)
    speaker = random.integers(0, speakers, rows)
    path = folder / f"{rows}.npy"
    values = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dimension))
    for begin in range(0, rows, BLOCK):
        part = speaker[begin : begin + BLOCK]
        values[begin : begin + BLOCK] = means[part] + random.standard_normal((len(part), dimension), np.float32)
    values.flush()
    labels = folder / f"{rows}.csv"
    pd.DataFrame({"speaker": [f"s{number}" for number in speaker]}).to_csv(labels, index=False)
    return path, labels


def audit(paths: tuple[Path, Path], threads: int, checkout: Path | None) -> Audit:
    """Audit by the build of a checkout; None: by that which is imported here."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    if checkout is not None:
        environment["PYTHONPATH"] = str(checkout.resolve() / "src")
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], env=environment, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    processor, gib = map(float, done.stderr.split()[-2:])
    return Audit(time.perf_counter() - begun, processor, gib, json.loads(done.stdout))


def differences(one: Any, other: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """The place and the size of each number, and of what else differs, which is infinite."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key], f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, value in enumerate(one):
            yield from differences(value, other[number], f"{place}[{number}]")
    elif isinstance(one, float | int) and isinstance(other, float | int):
        yield place, abs(one - other)
    elif one != other:
        yield place, float("inf")


def beside(paths: tuple[Path, Path], threads: int, base: Path, times: int) -> None:
    """Audit by turns with the build of another checkout, and print the ratios."""
    turns = [(audit(paths, threads, base), audit(paths, threads, None)) for _ in range(times)]
    found = [one for before, now in turns for one in differences(before.said, now.said)]
    wrong = [(place, size) for place, size in found if not size <= LIMIT]
    before, now = (list(each) for each in zip(*turns, strict=True))
    for name, value in (("processor", "processor"), ("peak memory", "gib")):
        medians = [statistics.median(getattr(one, value) for one in each) for each in (before, now)]
        unit = "s" if value == "processor" else "GiB"
        print(f"  {name}: {medians[0]:.2f} -> {medians[1]:.2f} {unit}, ratio {medians[1] / medians[0]:.3f}")
    print(f"  {len(found)} numbers compared, the greatest difference {max(size for _, size in found):.1e}", flush=True)
    if wrong:
        sys.exit("\n".join(f"{place} differs by {size:g}" for place, size in wrong[:20]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--speakers", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the temporary files lie")
    parser.add_argument("--base", type=Path, help="checkout of another build to compare with")
    parser.add_argument("--times", type=int, default=3, help="with --base: audits by each build")
    arguments = parser.parse_args()
    print(f"dimension {arguments.dimension}, {arguments.speakers} speakers, {arguments.threads} threads")
    if arguments.base is None:
        print(f"{'rows':>10}{'seconds':>9}{'processor':>11}{'a row':>9}{'GiB':>6}  {'growth':16}  UAR by probe")
    last: tuple[int, float] | None = None
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            paths = write(Path(folder), rows, arguments.dimension, arguments.speakers)
            time.sleep(1)
            if arguments.base is not None:
                print(f"{rows:,} rows")
                beside(paths, arguments.threads, arguments.base, arguments.times)
                continue
            found = audit(paths, arguments.threads, None)
        growth = f"{found.processor / last[1]:.1f} of {rows / last[0]:.1f} times" if last else ""
        measured = [one for one in found.said["rows"] if one["role"] == "measured" and one["measure"] == "uar"]
        uars = [f"{one['probe']} {one['score']:.3f}" for one in measured if not one["eraser"]]
        print(
            f"{rows:>10}{found.seconds:>9.1f}{found.processor:>11.1f}{1e3 * found.processor / rows:>6.2f} ms"
            f"{found.gib:>6.2f}  {growth:16}  {', '.join(uars)}",
            flush=True,
        )
        last = (rows, found.processor)


if __name__ == "__main__":
    main()
