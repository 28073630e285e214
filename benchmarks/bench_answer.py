"""What an answer costs: whole processes of `mien predict`, beside an older build and openSMILE, in turns.

python benchmarks/bench_answer.py [--base CHECKOUT] [--rounds 5] [--files 200]

Each round runs, one after the other and each in a process of its own on one thread: `mien predict x.wav` on 2 s of a
voice-like sound by this build and by the other one; `python -c "import opensmile; ..."`, the eGeMAPS functionals of the
same file; and `mien predict` on many files of 3 s in one call, whose cost after start is what it takes beyond one file.
Times are those of the processor, medians over the rounds; memory is the peak of the process. Goals, over the build of
commit ce93f17: one file .25, and less than openSMILE; many files after start .5; 160 MiB.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_predict import write

OPENSMILE = "import opensmile; opensmile.Smile().process_file({file!r})"


def cost(command: list[str], source: Path | None) -> tuple[float, float]:
    """Processor seconds and peak MiB of a command, with the package of a checkout."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if source is not None:
        environment["PYTHONPATH"] = str(source / "src")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrapped = [sys.executable, "-c", CHILD, *command]
    done = subprocess.run(wrapped, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, int(done.stderr.split()[-1]) / 1024


# starts the command as a child of a process without children before, so that its peak is its own
CHILD = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
sys.stderr.buffer.write(done.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="a checkout of the build to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=200)
    options = parser.parse_args()
    builds = {"this build": Path(__file__).parents[1]} | ({} if options.base is None else {"base": options.base})
    with tempfile.TemporaryDirectory() as place:
        one, many = Path(place) / "x.wav", Path(place) / "many"
        write(one, 2)
        many.mkdir()
        for number in range(options.files):
            write(many / f"{number:03}.wav", 3)
        predict = [sys.executable, "-m", "mien", "predict"]
        cases = {}
        for build, source in builds.items():
            cases[f"one file, {build}"] = ([*predict, str(one)], source)
            rows = ["--out", str(Path(place) / "rows.csv")]
            cases[f"{options.files} files, {build}"] = ([*predict, *map(str, sorted(many.iterdir())), *rows], source)
        cases["openSMILE, one file"] = ([sys.executable, "-c", OPENSMILE.format(file=str(one))], None)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        for _ in range(options.rounds):
            for name, case in cases.items():
                found[name].append(cost(*case))
    median = {name: statistics.median(seconds for seconds, _ in rows) for name, rows in found.items()}
    for name, rows in found.items():
        print(f"{name:26} {median[name]:7.2f} s of the processor, peak {max(peak for _, peak in rows):6.0f} MiB")
    own, smile = median["one file, this build"], median["openSMILE, one file"]
    print(f"one file over openSMILE: {own / smile:.2f}")
    if options.base is not None:
        print(f"one file over the base: {own / median['one file, base']:.2f}")
        after = {build: median[f"{options.files} files, {build}"] - median[f"one file, {build}"] for build in builds}
        print(f"{options.files} files after start, over the base: {after['this build'] / after['base']:.2f}")


if __name__ == "__main__":
    main()
