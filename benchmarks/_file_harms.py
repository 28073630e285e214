"""Harms to files: killed in the middle, damaged, written to by two commands, and read while they are written."""

import random
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from _faults import Bench, Row

WRITERS = ["prepare", "train", "audit", "label", "export", "evaluate", "report", "predict", "compare"]
TIMES = re.compile(rb'"(created|seconds)": *("[^"]*"|[0-9.]+)')  # in JSON, of what is the same but for them
Content = dict[str, bytes]


def content(folder: Path) -> Content:
    """The files of a folder, without what differs from one call to the next: times, and hashes of files with times."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    kept = {name: path.read_bytes() for name, path in found.items() if path.name not in ("manifest.json", ".lock")}
    return {name: TIMES.sub(b"", raw) if name.endswith((".json", ".jsonl")) else raw for name, raw in kept.items()}


def kill(bench: Bench) -> Iterator[Row]:
    """SIGKILL of the command and its workers at moments that are spread over it; then the same command gives the same
    bytes, and nothing half-written is left.
    """
    for name, line in bench.commands(WRITERS):
        out, outcomes = bench.place / "out", Counter[str]()
        begun = time.monotonic()
        bench.good(bench.fill(out, line))
        lasts, whole = time.monotonic() - begun, content(out)
        shutil.rmtree(out)
        for trial in range(bench.trials):
            workers = ["--workers", "2"] if trial % 2 and name in ("prepare", "train", "label", "predict") else []
            filled = bench.fill(out, [*line, *workers])
            process = bench.start(filled)
            time.sleep(0.2 + (lasts - 0.2) * (trial + 0.5) / bench.trials)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            time.sleep(0.3)  # until its workers have seen it
            ended = bench.run(filled)
            left = [path for path in out.rglob(".*") if path.name.endswith((".tmp", ".lock", ".old"))]
            same = content(out) == whole
            outcomes["lost" if ended.code not in (0, 1) or not same else "defect" if left else "same bytes"] += 1
            shutil.rmtree(out)
        yield Row("killed, and run again", name, outcomes)


def _flip(path: Path, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)


def _zero(path: Path, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    first = chance.randrange(len(raw))
    raw[first : first + 64] = bytes(len(raw[first : first + 64]))
    path.write_bytes(raw)


DAMAGE: dict[str, Callable[[Path, random.Random], object]] = {
    "a bit flipped": _flip,
    "bytes zeroed": _zero,
    "cut": lambda path, chance: path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)]),
    "empty": lambda path, _: path.write_bytes(b""),
    "deleted": lambda path, _: path.unlink(),
}


def damage(bench: Bench) -> Iterator[Row]:
    """A random file of a run, of a prepared corpus or of a model is damaged: whoever reads it names it, or answers as
    before since it is not read; then the command that made it makes the same bytes again, and nothing else.
    """
    out, chance = bench.place / "out", random.Random(0)
    prepared, made = out / "prepared", out / "run"
    prepare = bench.fill(out, bench.lines["prepare"])
    train = [
        word.replace(str(bench.place / "prepared"), str(prepared)) for word in bench.fill(out, bench.lines["train"])
    ]
    export = ["export", str(made), "--out", str(out / "model")]
    for line in (prepare, train, export):
        bench.good(line)
    sound = str(next((bench.place / "corpus").rglob("*.wav"), next((bench.place / "corpus").rglob("*.mp4"))))
    readers = {
        "run": ["predict", sound, "--model", str(made), "--json"],
        "prepared": ["evaluate", str(made), "--on", str(bench.place / "other"), "--json"],
        "model": ["predict", sound, "--model", str(out / "model"), "--json"],
    }
    # `train` adds what it needs to a prepared corpus
    makers = {"run": [train], "prepared": [prepare, train], "model": [export]}
    whole, kept = content(out), bench.place / "kept"
    answers = {what: bench.run(line).out for what, line in readers.items() if what != "prepared"}
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(out, kept)
    for what, lines in makers.items():
        files = sorted(path.relative_to(out) for path in (out / what).rglob("*") if path.is_file())
        for how, harm in DAMAGE.items():
            read, again = Counter[str](), Counter[str]()
            for _ in range(bench.trials):
                shutil.rmtree(out)
                shutil.copytree(kept, out)
                name = chance.choice([one for one in files if (out / one).stat().st_size])
                harm(out / name, chance)
                if what != "prepared":
                    ended = bench.run(readers[what])
                    named = ended.outcome == "sentence"
                    answered = ended.code == 0 and ended.out == answers[what]
                    read["named" if named else "answered as before" if answered else "silent"] += 1
                good = all(bench.run(line).code in (0, 1) for line in lines)
                same = content(out) == whole or name.name == "README.md"
                again["same bytes" if good and same else "lost"] += 1
            if read:
                yield Row(f"{how}: a file of a {what}", readers[what][0], read)
            yield Row(f"{how}: a file of a {what}, made again", " and ".join(line[0] for line in lines), again)
    shutil.rmtree(out)


def two(bench: Bench) -> Iterator[Row]:
    """The same command twice at once: one is refused, or comes after the other; the bytes are those of one."""
    for name, line in bench.commands(WRITERS[:5]):
        out, outcomes = bench.place / "out", Counter[str]()
        bench.good(bench.fill(out, line))
        whole = content(out)
        shutil.rmtree(out)
        for trial in range(bench.trials):
            filled = bench.fill(out, line)
            first = bench.start(filled)
            time.sleep(0.3 * trial / bench.trials)
            ended = [bench.run(filled), bench.end(first)]
            refused = [one for one in ended if one.code == 2 and "writes to it" in one.err]
            others = [one for one in ended if one.code in (0, 1)]
            good = len(refused) + len(others) == 2 and others and content(out) == whole
            outcomes[("one refused" if refused else "one after the other") if good else "lost"] += 1
            shutil.rmtree(out)
        yield Row("two at once in one folder", name, outcomes)


def beside(bench: Bench) -> Iterator[Row]:
    """A command reads again and again while another one writes: each answer is the old one or the new one."""
    out, made = bench.place / "out", bench.place / "out" / "run"
    model = [str(made / "models" / name) for name in ("it", "other")]
    pairs = {
        "compare": (["compare", str(made), "--json"], [["audit", str(made)], ["report", str(made)]]),
        "predict": (
            ["predict", next(map(str, (bench.place / "films").iterdir())), "--model", str(out / "model"), "--json"],
            [["export", one, "--out", str(out / "model"), "--name", "x"] for one in model * 2],
        ),
    }
    for name, (reader, writers) in pairs.items():
        outcomes = Counter[str]()
        bench.fill(out, bench.lines["audit"])
        bench.good(["export", model[1], "--out", str(out / "model"), "--name", "x"])
        known = {bench.run(reader).out}
        answers: list[tuple[int, str]] = []
        for writer in writers:
            process = bench.start(writer)
            while process.poll() is None:
                ended = bench.run(reader)
                answers.append((ended.code, ended.out))
            bench.end(process)
            known.add(bench.run(reader).out)
        for code, answer in answers:
            outcomes["old or new" if answer in known and code in (0, 1) else "sentence" if code == 2 else "silent"] += 1
        yield Row(f"read while {writers[0][0]} writes", name, outcomes)
        shutil.rmtree(out)
