"""Harms to processes: signals, parents that are killed, full disks and too little memory."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from _faults import Bench, Ended, Row

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def size_of(folder: Path) -> int:
    """Bytes that a folder takes on a disk of pages."""
    return sum(-(-one.lstat().st_size // 4096) * 4096 for one in folder.rglob("*"))


def interrupt(bench: Bench) -> Iterator[Row]:
    """Signals at moments that are spread over the command; the same command has to go on after them."""
    for name, line in bench.commands(["predict", "train", "prepare"]):
        begun = time.monotonic()
        bench.good(bench.fill(bench.place / "whole", line))
        lasts = time.monotonic() - begun
        shutil.rmtree(bench.place / "whole")
        for number in SIGNALS:
            outcomes: Counter[str] = Counter()
            for trial in range(bench.trials):
                out = bench.place / "out"
                filled = bench.fill(out, [*line, "--workers", str(1 + trial % 2)])
                process = bench.start(filled)
                time.sleep(0.1 + (lasts - 0.1) * trial / bench.trials)
                os.killpg(process.pid, number)  # as a terminal does
                ended = bench.end(process)
                outcomes[_after(bench, ended, filled, out, process.pid)] += 1
                shutil.rmtree(out, ignore_errors=True)
            yield Row(f"{signal.Signals(number).name} to the group", name, outcomes)


def _after(bench: Bench, ended: Ended, line: Sequence[str], out: Path, session: int) -> str:
    """The outcome, where the same command is run again if it was ended, and no process may be left of it."""
    outcome = ended.outcome
    time.sleep(1)
    if _members(session):
        return "defect"
    if outcome == "sentence" and list(out.rglob("*.tmp")):
        return "defect"
    if outcome != "done" and bench.run(line).code not in (0, 1):
        return "lost"
    return outcome


def _members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdecimal():
            try:
                state, *_, own = (one / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(own) == session and state != "Z":
                found.append(int(one.name))
    return found


def orphan(bench: Bench) -> Iterator[Row]:
    """The parent alone is killed: its workers have to end, and the same command goes on."""
    for name, line in bench.commands(["predict", "prepare", "train"]):
        outcomes: Counter[str] = Counter()
        for trial in range(bench.trials):
            out = bench.place / "out"
            filled = bench.fill(out, [*line, "--workers", "2"])
            process = bench.start(filled)
            time.sleep(0.7 + 2.0 * trial / bench.trials)
            process.kill()
            process.communicate()
            time.sleep(1.5)
            left = _members(process.pid)
            went_on = bench.run(filled).code in (0, 1)
            outcomes["defect" if left else "done" if went_on else "lost"] += 1
            shutil.rmtree(out, ignore_errors=True)
        yield Row("the parent of two workers is killed", name, outcomes)


def disk(bench: Bench) -> Iterator[Row]:
    """The disk is full after a share of what a command writes; with more room the same command has to go on."""
    for name, line in bench.commands(list(bench.lines)):
        whole = bench.place / "whole"
        filled = bench.fill(whole, line)
        before = size_of(whole)
        bench.good(filled)
        grows = max(size_of(whole) - before, 4096)
        shutil.rmtree(whole)
        outcomes: Counter[str] = Counter()
        for trial in range(bench.trials):
            room = before + int(grows * trial / bench.trials)
            out = bench.place / "small"
            out.mkdir()
            mounted = _mount(out, before + 2**16)
            filled = bench.fill(out, line)
            if mounted:
                _mount(out, max(room, size_of(out)) + 4096, again=True)
                ended = bench.run(filled)
                _mount(out, 2**28, again=True)
            else:
                ended = bench.run(filled, preexec_fn=_small_files(max(512, int(grows * trial / bench.trials / 4))))
            outcome = ended.outcome
            if outcome != "done" and bench.run(filled).code not in (0, 1):
                outcome = "lost"
            outcomes[outcome] += 1
            if mounted:
                subprocess.run(["umount", out], check=True)
            shutil.rmtree(out, ignore_errors=True)
        yield Row("disk full" if mounted else "no file may grow", name, outcomes)


def _mount(place: Path, size: int, *, again: bool = False) -> bool:
    """Mount a disk of so many bytes, or change its size; False where that is not allowed."""
    how = f"{'remount,' if again else ''}size={-(-size // 4096) * 4096}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", place], capture_output=True)
    return done.returncode == 0


def _small_files(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def memory(bench: Bench) -> Iterator[Row]:
    """A process may have less memory than it needs, by more and more; with all of it the same command has to go on."""
    for name, line in bench.commands(["predict", "prepare", "train", "export", "audit", "label"]):
        outcomes: Counter[str] = Counter()
        for trial in range(bench.trials):
            size = int(2**20 * (400 + 3600 * trial / bench.trials))
            out = bench.place / "out"
            filled = bench.fill(out, line)
            ended = bench.run(filled, preexec_fn=lambda size=size: resource.setrlimit(resource.RLIMIT_AS, (size, size)))
            outcome = ended.outcome
            if outcome != "done" and bench.run(filled).code not in (0, 1):
                outcome = "lost"
            outcomes[outcome] += 1
            shutil.rmtree(out, ignore_errors=True)
        yield Row("400 MiB to 4 GB of addresses", name, outcomes)
