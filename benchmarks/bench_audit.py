"""Time and peak memory of `mien audit --embeddings` by the number of clips.

    python benchmarks/bench_audit.py [--rows 10000 100000 1000000] [--dimension 512] [--speakers 1000] [--folder DIR]

Embeddings are float32, unit noise about a mean for each speaker, written in blocks to a temporary .npy below DIR (2 GB
for 1,000,000 x 512); labels are a CSV. Each size is measured in a process of its own: all four probes with their
shuffled controls, verification and dependence, in the mode for many clips. `growth` is time over that of the size
before, beside how much larger it is. Bar: 1,000,000 rows within 10 minutes and 8 GiB on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

BLOCK = 50_000
APART = 0.2  # deviation of the speakers' means in each dimension, in those of the noise
CHILD = """
import json, resource, sys, time
import mien
begun = time.perf_counter()
found = mien.leakage(sys.argv[1], sys.argv[2], "speaker", large=True).data["rows"]
seconds = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
scores = {f"{row['probe']} {row['measure']}": row["score"] for row in found if row["role"] == "measured"}
print(json.dumps({"seconds": seconds, "gib": peak, "scores": scores}))
"""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--speakers", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the temporary files lie")
    arguments = parser.parse_args()
    threads = str(arguments.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    print(f"dimension {arguments.dimension}, {arguments.speakers} speakers, {threads} threads")
    print(f"{'rows':>10}{'seconds':>9}{'GiB':>6}  {'growth':16}  UAR by probe")
    before: tuple[int, float] | None = None
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            paths = write(Path(folder), rows, arguments.dimension, arguments.speakers)
            time.sleep(1)
            command = [sys.executable, "-c", CHILD, *map(str, paths)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        measured = json.loads(done.stdout.splitlines()[-1])
        growth = f"{measured['seconds'] / before[1]:.1f} of {rows / before[0]:.0f} times" if before else ""
        uars = [f"{name.split()[0]} {score:.3f}" for name, score in measured["scores"].items() if name.endswith("uar")]
        print(
            f"{rows:>10}{measured['seconds']:>9.1f}{measured['gib']:>6.2f}  {growth:16}  {', '.join(uars)}", flush=True
        )
        before = (rows, measured["seconds"])


if __name__ == "__main__":
    main()
