"""What harms are done to: a toy corpus, what is made of it, and command lines, each a process of its own."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
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
