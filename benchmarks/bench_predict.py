"""Peak memory and speed of `mien predict` on a long recording against a short one, each in a process of its own.

python benchmarks/bench_predict.py [--model MODEL] [--long 7200] [--short 60]

The recordings are made of a voice-like sound with pauses, mono 16 kHz wav in a temporary folder. Goals: at most 32 MB
more peak memory for two hours than for one minute, rows that cover all of it, and 200 x real time for the model that
comes with mien, on one thread. Then where the time goes, in seconds of one process for the short recording: decoding
with windows and voice activity, features, members.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

RATE = 16_000


def write(path: Path, seconds: int) -> None:
    """A buzz whose pitch moves, on for seven of ten seconds."""
    generator = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for second in range(seconds):
            clock = np.arange(RATE) / RATE
            pitch = 120 + 60 * np.sin(second / 7)
            sound = 0.2 * np.sign(np.sin(2 * np.pi * pitch * clock)) * (second % 10 < 7)
            sound = sound + 0.0005 * generator.standard_normal(RATE)
            file.writeframes((sound * 32767).astype("<i2").tobytes())


def child(arguments: list[str]) -> None:
    """Run the command line and print the processor's seconds and the peak resident memory in KiB."""
    from mien.cli.main import main

    code = main(arguments)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
    sys.exit(code)


def breakdown(file: Path, model: str | None, seconds: int) -> None:
    """Time the parts of a prediction, each after one call that warms it up."""
    import torch

    from mien.features._parts import extract_parts
    from mien.media.activity import detector
    from mien.media.windows import joined, windows
    from mien.runs.ensemble import Ensemble
    from mien.runs.exported import locate

    torch.set_num_threads(1)
    ensemble = Ensemble.open(locate(model), torch.device("cpu"))
    rate, (name, config) = ensemble.rate, ensemble.models[0].experiment.features["audio"]

    def timed(function: Callable[[], object]) -> float:
        function()
        begin = time.process_time()
        function()
        return time.process_time() - begin

    found = list(windows(file, length=4.0, hop=1.0, detect=detector("energy", rate), rate=rate))
    sound, places = joined(found, rate)
    decoding = timed(lambda: list(windows(file, length=4.0, hop=1.0, detect=detector("energy", rate), rate=rate)))
    features = timed(lambda: extract_parts(name, sound, places, config))
    values = extract_parts(name, sound, places, config)
    members = timed(lambda: ensemble.infer(values))
    whole = decoding + features + members
    print(
        f"per second of sound: decoding {1e3 * decoding / seconds:.2f} ms, features {1e3 * features / seconds:.2f} ms, "
        f"{len(ensemble.models)} members {1e3 * members / seconds:.2f} ms: {seconds / whole:.0f} x real time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="RUN, RUN/models/MODEL, an exported folder or a name; the default of predict")
    parser.add_argument("--long", type=int, default=7200)
    parser.add_argument("--short", type=int, default=60)
    options = parser.parse_args()
    chosen = [] if options.model is None else ["--model", options.model]
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (options.short, options.long):
            sound, rows = Path(folder) / f"{seconds}.wav", Path(folder) / f"{seconds}.csv"
            write(sound, seconds)
            begin = time.perf_counter()
            command = [sys.executable, __file__, "--child", "predict", str(sound), *chosen]
            done = subprocess.run([*command, "--out", str(rows), "--device", "cpu"], capture_output=True, text=True)
            wall = time.perf_counter() - begin
            if done.returncode != 0:
                sys.exit(done.stderr)
            table = pd.read_csv(rows)
            covered = table["start"].iloc[0] == 0 and abs(table["end"].iloc[-1] - seconds) < 0.01
            gaps = (table["start"].iloc[1:].to_numpy() > table["end"].iloc[:-1].to_numpy()).any()
            peaks.append(int(done.stderr.split()[-1]) / 1024)
            print(
                f"{seconds:6d} s: peak {peaks[-1]:7.1f} MB, {wall:7.1f} s, {seconds / wall:6.1f} x real time "
                f"({float(done.stderr.split()[-2]):.1f} s of the processor), "
                f"{len(table)} rows, all covered: {bool(covered and not gaps)}"
            )
        print(f"difference of the peaks: {peaks[1] - peaks[0]:.1f} MB")
        breakdown(Path(folder) / f"{options.short}.wav", options.model, options.short)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()
