"""What a corpus of the size of VoxCeleb2 costs on 1, 8 and 64 machines, from costs measured on small inputs.

python benchmarks/bench_scaling.py [--clips 64] [--counts 500 2000] [--tasks 2000] [--steps 4] [--films FILE...]
    [--faces DETECTOR] [--cores 16] [--bandwidth 1.0]

Measured on one thread, in seconds of the processor: reading and extracting (`mien prepare`) of drawn AAC files of 8 s,
as VoxCeleb2 has them; what the process of a command does itself for each clip while workers do the rest, at two sizes,
so that the start is left out and growth is seen; what opening the features takes in each process that trains; a task of
a scheduler of dask on the loopback; a step of training, its memory, and `mien label` of films. What is projected is
named so: it multiplies these by the size of VoxCeleb2, and takes cores and storage as the options say. Storage is
shared and gives `--bandwidth` GB a second to all machines together.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import av
import numpy as np
import torch

from bench_growth import film
from bench_step import Bare, Memory, loaded
from mien import features
from mien.common import cluster
from mien.common.files import sha256
from mien.data import extraction, store
from mien.data.batch import Batch, Sequence
from mien.data.extraction import CHUNK, Source
from mien.data.length import Length
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.media.containers import probe
from mien.models.encoders import vgg_m
from mien.models.recipes import distill
from mien.models.recipes._recipe import Given

HOURS, UTTERANCES, SPEAKERS = 2400, 1_128_246, 6112  # of VoxCeleb2
MACHINES = (1, 8, 64)
SERIAL = ("first", "again", "table", "index", "sent")  # what a clip adds to work of one process
RATE, SECONDS, BITS = 16_000, 8.0, 64_000  # of a drawn file, about as those of VoxCeleb2
FEATURES = ("logmel", "mfb43", "prosody")
STUDENT = 8, 398, 512  # a part of a batch of albanie2018: clips, frames of 4 s, rows of the spectrogram

PARENT = """
import sys, time
import mien
root, out, name = sys.argv[1:]
begun = time.process_time()
mien.prepare("voxceleb", root, out=out, features=[name])
print("parent", time.process_time() - begun)
"""
OPEN = """
import pickle, resource, sys, time
from mien import features
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
begun = time.process_time()
prepared = Prepared.open(sys.argv[1])
table = time.process_time() - begun
own = FeatureStore(prepared, sys.argv[2], features.parse(sys.argv[2], {}))
own.missing(list(prepared.table["clip"]))
print("opened", table, time.process_time() - begun - table, len(pickle.dumps(own)))
"""


class Parent(NamedTuple):
    """Seconds that a process spends on all clips of a corpus, of whom workers read the sound."""

    clips: int
    first: float  # the first `mien prepare`
    again: float  # the same once more: nothing is left to do
    table: float  # opening the table
    index: float  # reading which frames there are, with their SHA-256
    sent: int  # bytes that a process that trains is sent


def recordings(root: Path, clips: int, seconds: float) -> list[Path]:
    """Files in the layout of VoxCeleb2, of which no two are the same: the end of each has a box with its number."""
    whole = root / "one.m4a"
    random = np.random.default_rng(0)
    with av.open(str(whole), "w") as file:
        stream = file.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = BITS
        clock = np.arange(round(RATE * seconds)) / RATE
        voice = sum(np.sin(2 * np.pi * (120 + 20 * np.sin(2 * clock)) * n * clock) / n for n in range(1, 20))
        sound = (0.1 * voice + 0.02 * random.standard_normal(len(clock))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    content = whole.read_bytes()
    whole.unlink()
    files = []
    for number in range(clips):
        place = root / "dev" / "aac" / f"id0{number // 200:04}" / f"video{number // 20 % 10:06}"
        place.mkdir(parents=True, exist_ok=True)
        files.append(place / f"{number % 20:05}.m4a")
        files[-1].write_bytes(content + (16).to_bytes(4) + b"free" + number.to_bytes(8))
    return files


def used(work: Callable[[], object]) -> float:
    """Seconds of the processor that this process takes for some work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def worker(place: Path, clips: int) -> dict[str, tuple[float, float]]:
    """Feature -> seconds of the processor, and bytes of shards, for an hour of speech; "" reads the sound alone."""
    files = recordings(place, clips, SECONDS)
    hours = clips * SECONDS / 3600
    found = {}
    for name in ("", *FEATURES):
        targets = [store.target(place / "out", name, features.parse(name, {}))] if name else []
        nothing = tuple(frozenset() for _ in targets)
        sources = [Source(str(number), file, math.nan, math.nan, there=nothing) for number, file in enumerate(files)]
        extraction.work(sources[:2], targets=[target._replace(folder=place / "warm") for target in targets])
        spent = used(lambda sources=sources, targets=targets: extraction.work(sources, targets=targets))
        size = sum(one.stat().st_size for target in targets for one in target.folder.iterdir())
        found[name] = spent / hours, size / hours
    found["files"] = 0.0, sum(file.stat().st_size for file in files) / hours
    return found


def child(code: str, *arguments: object) -> list[float]:
    """What a process prints on its last line, without the first word."""
    line = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return [float(one) for one in done.stdout.split("\n")[-2].split()[1:]]


def parent(place: Path, clips: int) -> Parent:
    """What the process of `mien prepare` does itself for so many clips of a second, and a process that opens them."""
    (place / "root").mkdir(parents=True)
    recordings(place / "root", clips, 1.0)
    command = (PARENT, place / "root", place / "out", "logmel")
    (first,), (again,) = child(*command), child(*command)
    table, index, sent = child(OPEN, place / "out", "logmel")
    return Parent(clips, first, again, table, index, int(sent))


def verified(place: Path) -> float:
    """Seconds of the processor for each GB of which the SHA-256 is checked."""
    path = place / "large"
    path.write_bytes(bytes(2**28))
    return used(lambda: sha256(path)) / 2**28 * 1e9


@contextmanager
def loopback(place: Path) -> Iterator[tuple[str, int]]:
    """A scheduler with a worker of two threads, as (address, process of the scheduler)."""
    file = place / "scheduler.json"
    common = [sys.executable, "-m"]
    quiet = {"cwd": place, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show", "--no-dashboard"]
    scheduler = subprocess.Popen([*common, *command, "--scheduler-file", str(file)], **quiet)
    while not file.exists() or not file.stat().st_size:
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    command = ["distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "2", "--no-dashboard"]
    one = subprocess.Popen([*common, *command], **quiet)
    try:
        yield address, scheduler.pid
    finally:
        for process in (one, scheduler):
            process.kill()
            process.wait()


def scheduled(place: Path, tasks: int) -> tuple[float, float]:
    """Seconds of the processor for each task, of the command and of the scheduler."""
    import psutil  # of dask.distributed

    with loopback(place) as (address, scheduler), cluster.joined(address, None, writes=place):
        far = cluster.current()
        list(far.each(math.sqrt, range(20)))
        before = sum(psutil.Process(scheduler).cpu_times()[:2])
        own = used(lambda: list(far.each(math.sqrt, range(tasks))))
        return own / tasks, (sum(psutil.Process(scheduler).cpu_times()[:2]) - before) / tasks


def students_step(steps: int) -> float:
    """Seconds of a step of the student of albanie2018 for each clip: parts of 4 s, 8 at once."""
    clips, frames, rows = STUDENT
    torch.manual_seed(0)
    encoder = vgg_m.Encoder(vgg_m.Config(), "audio", (rows,))
    target = Target("emotion", "soft", tuple("abcdefgh"), tuple("abcdefgh"), main=True)
    student = distill.build(distill.Config(), Given({"audio": encoder}, {"audio": (rows,)}, {"emotion": target}))
    minimise = Optimisation(student, Optimiser())
    valid = torch.ones(clips, frames, dtype=torch.bool)
    labels = {"emotion": torch.full((clips, 8), 1 / 8)}
    names = tuple(map(str, range(clips)))
    sound, faces = Sequence(torch.randn(clips, frames, rows), valid), Sequence.absent(clips)
    batch = Batch(names, sound, faces, labels, torch.arange(clips), clips, seed=0, step=0)
    student.train()
    student.step(batch, minimise)
    return used(lambda: [student.step(batch, minimise) for _ in range(steps)]) / steps / clips


def small_step(steps: int) -> float:
    """Seconds of a bare step of li2020's maximum entropy: 16 parts of 4 s."""
    loop = Bare("maximum entropy")
    batch = next(iter(loaded(Memory(400), 0.01, Length(seconds=4.0), 16).epoch(0)))
    loop.step(batch)
    return used(lambda: [loop.step(batch) for _ in range(steps)]) / steps


def labelled(place: Path, films: list[Path], faces: str) -> float:
    """Seconds of the processor of all processes for each second of film, without their start."""
    if not films:
        films = [place / f"{number}.mp4" for number in range(4)]
        for path in films:
            film(path, 30)

    def spent(count: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = used(lambda: child(LABEL, place / f"labels-{count}", faces, *films[:count]))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return own + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    one, all_of_them = spent(1), spent(len(films))
    return (all_of_them - one) / sum(probe(path).seconds for path in films[1:])


LABEL = """
import sys
import mien
out, faces, *films = sys.argv[1:]
mien.label(films, out=out, faces=faces)
print("done 0")
"""


def shown(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def row(what: str, work: float, serial: float, tasks: float, moved: float, options: argparse.Namespace) -> str:
    """A line of the projection.

    Args:
        what: the work.
        work: processor seconds that are spread.
        serial: those of one process, before and after.
        tasks: those of one process, or of the scheduler, while others work.
        moved: bytes that are read and written.
        options: cores and bandwidth.
    """
    cells = []
    for machines in MACHINES:
        bounds = {
            "cores": work / (machines * options.cores),
            "the command": tasks,
            "storage": moved / (options.bandwidth * 1e9),
        }
        longest = max(bounds, key=bounds.__getitem__)
        whole = serial + bounds[longest]
        bound = "serial work" if serial > bounds[longest] else longest
        cells.append(f"{shown(whole):>9} ({bound})")
    return f"{what:34}" + "".join(f"{cell:>26}" for cell in cells)


def each(what: str, fewer: Parent, more: Parent) -> float:
    """What a clip adds; nothing where that is less than what two runs differ by."""
    return max(0.0, (getattr(more, what) - getattr(fewer, what)) / (more.clips - fewer.clips))


def project(
    options: argparse.Namespace,
    reading: dict[str, tuple[float, float]],
    clip: dict[str, float],
    checking: float,
    task: float,
    filmed: float,
    student: float,
) -> None:
    """Print what VoxCeleb2 takes, from the costs of an hour, a clip, a GB, a task, a second of film and a step."""
    print(
        f"\nprojected for VoxCeleb2 ({SPEAKERS:,} speakers, {UTTERANCES:,} utterances, {HOURS:,} h); assumed "
        f"are {options.cores} cores a machine, as fast as this, and {options.bandwidth:g} GB a second of storage"
    )
    print(f"  {'':34}" + "".join(f"{f'{machines} machines':>26}" for machines in MACHINES))
    tasks, before = UTTERANCES / CHUNK * task, UTTERANCES * clip["first"]
    for name in FEATURES:
        seconds, size = reading[name]
        moved = HOURS * (reading["files"][1] + size)
        print("  " + row(f"prepare, {name}", HOURS * seconds, before, tasks, moved, options))
        print(f"  {'':34}shards: {HOURS * size / 1e9:.0f} GB in {UTTERANCES / CHUNK:,.0f} files")
    print(f"    of which the command itself {shown(before)}, and {shown(tasks)} for tasks, beside the workers")
    read = HOURS * reading["files"][1] / 1e9 * checking
    again = UTTERANCES * clip["again"] + HOURS * reading["logmel"][1] / 1e9 * checking
    print(f"  files: {HOURS * reading['files'][1] / 1e9:.0f} GB, whose SHA-256 takes {shown(read)} of a core")
    print(f"  prepare once more, one core: {shown(again)}")
    print("  " + row("label, films of all hours", HOURS * 3600 * filmed, 0.0, tasks, 0.0, options))
    print(f"  an epoch of all utterances by the student, one core: {shown(UTTERANCES * student)}")
    size = HOURS * reading["logmel"][1] / 1e9
    opened, index = UTTERANCES * clip["table"], UTTERANCES * clip["index"]
    print(
        f"  each process that trains, before its first step: {shown(opened)} for the table, {shown(index)} for the "
        f"index of frames, {size:.0f} GB read and {shown(size * checking)} for the SHA-256 of logmel; it is sent "
        f"{UTTERANCES * clip['sent'] / 1e6:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=64, help="clips of 8 s of which features are extracted")
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000], help="clips of 1 s in whole commands")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--films", type=Path, nargs="*", default=[], help="two at least; without them drawn ones")
    parser.add_argument("--faces", default="whole-frame", help="how faces are found in the films")
    parser.add_argument("--cores", type=int, default=16, help="of a machine, for the projection")
    parser.add_argument("--bandwidth", type=float, default=1.0, help="GB a second of shared storage, likewise")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for name in ("worker", "tasks", "films"):
            (place / name).mkdir()
        print("measured (seconds of the processor, one thread)", flush=True)
        reading = worker(place / "worker", options.clips)
        for name, (seconds, size) in reading.items():
            what = {"": "reading alone: hash, AAC, 16 kHz", "files": "files"}.get(name, f"reading and {name}")
            print(f"  an hour of speech, {what:34}{seconds:8.2f} s{size / 1e6:9.1f} MB", flush=True)
        serial = []
        for count in options.counts:
            serial.append(parent(place / f"parent-{count}", count))
            one = serial[-1]
            print(
                f"  {count:6} clips, the command itself{one.first:8.2f} s, once more{one.again:8.2f} s; opening the "
                f"table{one.table:7.3f} s, the frames{one.index:7.3f} s; {one.sent / 1e3:.0f} KB sent",
                flush=True,
            )
        for what in SERIAL:
            unit, size = ("bytes", 1) if what == "sent" else ("us", 1e6)
            slopes = (f"{size * each(what, *two):.0f}" for two in pairwise(serial))
            print(f"    {what:6} a clip, from size to size: {', '.join(slopes)} {unit}", flush=True)
        checking = verified(place)
        print(f"  SHA-256 of a GB{checking:26.2f} s", flush=True)
        own, scheduler = scheduled(place / "tasks", options.tasks)
        print(f"  a task: the command{1e3 * own:22.2f} ms, the scheduler{1e3 * scheduler:7.2f} ms", flush=True)
        small = small_step(10 * options.steps)
        print(f"  a step of li2020, 16 x 4 s{1e3 * small:15.0f} ms", flush=True)
        filmed = labelled(place / "films", options.films, options.faces)
        print(f"  a minute of film, {options.faces}{60 * filmed:13.2f} s", flush=True)
        student = students_step(options.steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"  a clip of a step of albanie2018, 8 x 4 s{student:8.2f} s, peak {peak:.1f} GiB", flush=True)
    clip = {what: each(what, serial[0], serial[-1]) for what in SERIAL}
    project(options, reading, clip, checking, max(own, scheduler), filmed, student)


if __name__ == "__main__":
    main()
