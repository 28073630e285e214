"""Harm done to commands, and what is lost by it: one row a harm, as a table in Markdown.

    python benchmarks/bench_faults.py [--harm interrupt,orphan,disk,memory] [--trials 10] [--only train,...]

Each trial is a command in a process of its own, on a toy corpus. Its outcome is one of

- done: the command ended as it does without the harm, which came too late or was too little;
- sentence: one sentence with a way out, an exit code that is promised, and all that was good before is still there;
- lost: something that was good is not, or the same command does not go on without the harm;
- silent: an exit code of success, or no word, though something is missing;
- defect: a traceback, exit code 70, or a process that is left behind.

`disk` mounts small disks in memory, which takes root; without it the size of each file is limited instead. A harm is a
function that takes a `Bench` and yields rows, in `HARMS`; further ones are added there.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[1] / "src"
MIEN = [sys.executable, "-m", "mien"]
EXPERIMENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {name: cnn_gru, channels: 6}
models:
  it: {hidden: [6], embeddings: {main: {tasks: {emotion: 1.0}}}}
  other: {hidden: [6], embeddings: {main: {tasks: {emotion: 0.5}, remove: {speaker: {how: max_entropy}}}}}
data: {scheme: toy, audio: mfb43, length: {seconds: 0.4, long: random, short: repeat}, normalisation: train}
protocol: {name: leave_one_speaker_out, folds: [0]}
training: {epochs: 3, batch: 8}
"""
LINE = "mien: "
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(NamedTuple):
    """How a command ended: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def outcome(self) -> str:
        """What it is on the face of it."""
        said = [line for line in self.err.splitlines() if line.startswith(LINE) and ": problem: " not in line]
        if "Traceback" in self.err or self.code == 70 or "a defect of mien" in self.err:
            return "defect"
        if self.code in (0, 1):
            return "done"
        return "sentence" if said else "silent"


class Row(NamedTuple):
    """A row of the table."""

    harm: str
    command: str
    outcomes: Counter[str]


@dataclass
class Bench:
    """A folder with a corpus, what is made of it, and the command lines that are harmed.

    Attributes:
        place: the folder.
        trials: of each command.
        only: names of commands; empty for all.
        show: whether what the commands say is printed.
    """

    place: Path
    trials: int
    only: Sequence[str] = ()
    show: bool = False
    lines: dict[str, list[str]] = field(default_factory=dict)

    def make(self) -> None:
        """Make what the commands need."""
        corpus, prepared = self.place / "corpus", self.place / "prepared"
        (self.place / "tiny.yaml").write_text(EXPERIMENT)
        files = [str(corpus), "people=4", "clips=48", "size=32", "seconds=1", "frame_rate=10"]
        subprocess.run([sys.executable, "-m", "mien.corpora.toy", *files], check=True, env=self.environment())
        self.good(["prepare", "toy", str(corpus), "--out", str(prepared), "--features", "mfb43"])
        other = [str(self.place / "second"), "people=3", "clips=24", "size=32", "seconds=1", "frame_rate=10", "seed=5"]
        subprocess.run([sys.executable, "-m", "mien.corpora.toy", *other], check=True, env=self.environment())
        self.good(["prepare", "toy", other[0], "--out", str(self.place / "other"), "--features", "mfb43"])
        made = self.place / "made"
        tiny, of = str(self.place / "tiny.yaml"), f"data.prepared={prepared}"
        self.good(["train", tiny, of, "--out", str(made / "run")])
        sounds = sorted(map(str, corpus.rglob("*.wav"))) or sorted(map(str, corpus.rglob("*.mp4")))
        films = self.place / "films"
        films.mkdir()
        for film in sorted(corpus.rglob("*.mp4"))[:6]:
            shutil.copy(film, films)
        self.lines = {
            "prepare": ["prepare", "toy", str(corpus), "--features", "mfb43", "--out", "{out}/prepared"],
            "train": ["train", tiny, of, "--out", "{out}/run"],
            "predict": ["predict", *sounds[:6], "--hop", "0.1", "--out", "{out}/rows.csv"],
            "export": ["export", str(made / "run"), "--out", "{out}/model"],
            "label": ["label", str(films), "--faces", "whole-frame", "--out", "{out}/labels"],
            "compare": ["compare", str(made / "run"), "--out", "{out}/compared"],
            "audit": ["audit", "{out}/run"],
            "report": ["report", "{out}/run"],
            "evaluate": ["evaluate", "{out}/run", "--on", str(self.place / "other")],
        }

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def good(self, line: Sequence[str]) -> None:
        """Run a command that has to succeed."""
        ended = self.run(line)
        if ended.code not in (0, 1):
            sys.exit(f"{line}: exit {ended.code}\n{ended.err}")

    def start(self, line: Sequence[str], **settings: object) -> "subprocess.Popen[str]":
        """Start a command, in a session of its own."""
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            [*MIEN, *line],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **settings,
        )

    def run(self, line: Sequence[str], **settings: object) -> Ended:
        """Run a command to its end."""
        return self.end(self.start(line, **settings))

    def end(self, process: "subprocess.Popen[str]") -> Ended:
        """Wait for a command."""
        out, err = process.communicate()
        if self.show:
            print(
                process.returncode, *[line for line in err.splitlines() if LINE in line or "Error" in line], sep="\n  "
            )
        return Ended(process.returncode, out, err)

    def commands(self, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """The names and lines of those of the commands that are asked for."""
        for name in names:
            if not self.only or name in self.only:
                yield name, self.lines[name]

    def fill(self, out: Path, line: Sequence[str]) -> list[str]:
        """A line with its folder, in which the run is that it writes to."""
        out.mkdir(parents=True, exist_ok=True)
        if "{out}/run" in line and "--out" not in line:
            shutil.copytree(self.place / "made" / "run", out / "run")
        return [word.format(out=out) for word in line]


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


HARMS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "interrupt": interrupt,
    "orphan": orphan,
    "disk": disk,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harm", default=",".join(HARMS), help="names, joined by commas")
    parser.add_argument("--only", default="", help="names of commands, joined by commas")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="print what the commands say")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        bench = Bench(Path(place), options.trials, options.only.split(",") if options.only else (), options.show)
        bench.make()
        print("| harm | command | trials | outcome | shown by |\n| --- | --- | --- | --- | --- |", flush=True)
        for harm in options.harm.split(","):
            for row in HARMS[harm](bench):
                told = ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.most_common())
                shown = f"`bench_faults.py --harm {harm} --trials {options.trials}`"
                trials = row.outcomes.total()
                print(f"| {row.harm} | `mien {row.command}` | {trials} | {told} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
