"""Speed of `mien label`: faces and clips a second, and the real-time factor, with one process and with two.

    python benchmarks/bench_label.py FOLDER_OR_FILE... [--workers 1 2] [--copies 1]

Each number of workers labels into a folder of its own, from nothing; the time counts from the first file on, with the
start of the processes. `x real time` is seconds of film a second; processor seconds are those of all processes, and
do not depend on what else a machine does. Beside them the share of the teacher: the same faces once more, alone.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import torch

import mien
from mien.media.containers import probe
from mien.media.faces import Seen
from mien.runs.teacher import Teacher, locate


def processor() -> float:
    """Seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def teaching(frames: int) -> float:
    """Processor seconds of the teacher for so many faces, seventeen at once."""
    teacher = Teacher.open(locate(None), torch.device("cpu"))
    size = teacher.faces.size
    pixels = np.random.default_rng(0).integers(0, 255, (17, teacher.faces.channels, size, size), dtype=np.uint8)
    seen = Seen(1, pixels, np.zeros(17, np.uint8), np.arange(17) * 0.24, (0, 0, 1, 1), 0.1, np.nan)
    teacher.logits([seen])
    begun = time.process_time()
    for _ in range(max(1, frames // 17)):
        teacher.logits([seen])
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--copies", type=int, default=1, help="how often each file is given, under other names")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        films = Path(place) / "films"
        found = [file for one in arguments.files for file in ([one] if one.is_file() else sorted(one.rglob("*.*")))]
        found = [file for file in found if file.suffix.lower() in (".mp4", ".mov", ".mpg", ".mkv", ".webm", ".avi")]
        for copy in range(arguments.copies):
            (films / str(copy)).mkdir(parents=True)
            for number, file in enumerate(found):
                (films / str(copy) / f"{number}{file.suffix}").symlink_to(file.absolute())
        seconds = sum(probe(file).seconds for file in found) * arguments.copies
        print(f"{len(found) * arguments.copies} films, {seconds:.0f} s")
        print(
            f"{'workers':>7}{'s':>8}{'CPU s':>8}{'clips/s':>9}{'faces/s':>9}{'x real time':>13}{'CPU s / film s':>16}"
        )
        faces = 0
        for workers in arguments.workers:
            begun, used = time.monotonic(), processor()
            card = mien.label(films, out=Path(place) / f"labels-{workers}", workers=workers).data["card"]
            took, used = time.monotonic() - begun, processor() - used
            faces = card["frames"]
            print(
                f"{workers:>7}{took:>8.1f}{used:>8.1f}{card['files'] / took:>9.2f}{faces / took:>9.1f}"
                f"{seconds / took:>13.2f}{used / seconds:>16.3f}"
            )
        print(f"the teacher alone: {teaching(faces):.2f} CPU s for {faces} faces")


if __name__ == "__main__":
    main()
