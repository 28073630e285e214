"""Do two builds of mien compute the same? Runs one build on real and toy recordings, or compares what two left.

    python benchmarks/same_results.py run OUT [--source SRC] [--data DATA]
    python benchmarks/same_results.py compare OLD NEW [--renamed OLD=NEW ...]

`run` takes the build whose `src` folder is SRC (default: this checkout's) and trains, audits, compares, evaluates and
predicts in OUT, on one thread: two epochs of li2020-emodb on two folds, two of peri2021-toy, `voice-small` on ten
recordings, and the audit of a run and of an .npy. `compare` holds every tensor, table and JSON value of NEW against
OLD: tensors bit for bit, numbers as they are written, texts apart. Keys, columns and values that were renamed are given
as OLD=NEW. It exits with 1 where a number, a tensor or a file differs.
"""

import argparse
import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent.parent
OFTEN = ("created", "seconds", "commit", "environment", "version", "hash", "run", "report", "mien")  # not of the result
WORDS = {"report.html", "environment.json", "audit.html", "page.html", "leakage.html", "CARD.md"}  # for people


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("run")
    make.add_argument("out", type=Path)
    make.add_argument("--source", type=Path, default=HERE / "src")
    make.add_argument("--data", type=Path, default=Path(os.environ.get("MIEN_DATA", HERE.parent / "shared" / "data")))
    held = commands.add_parser("compare")
    held.add_argument("old", type=Path)
    held.add_argument("new", type=Path)
    held.add_argument("--renamed", nargs="*", default=[])
    given = parser.parse_args()
    if given.command == "run":
        run(given.out.resolve(), given.source.resolve(), given.data.resolve())
        return 0
    return compare(given.old, given.new, dict(pair.split("=", 1) for pair in given.renamed))


def run(out: Path, source: Path, data: Path) -> None:
    """Everything that one build computes, in a folder; what is finished is not computed again."""
    out.mkdir(parents=True, exist_ok=True)
    inside = {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}

    def python(*arguments: str | Path) -> None:
        print("+", *arguments, flush=True)
        command = [sys.executable, *map(str, arguments)]
        subprocess.run(command, cwd=out, env={**os.environ, **inside}, check=True, stdout=subprocess.DEVNULL)

    def mien(*arguments: str | Path) -> None:
        python("-m", "mien", *arguments)

    if not (out / "toy").exists():
        python(
            *[
                "-m",
                "mien.corpora.toy",
                "toy",
                "people=12",
                "clips=288",
                "entanglement=0.8",
                "balanced=0.25",
                "difficulty=0",
            ]
        )
    mien("prepare", "toy", "toy", "--out", "prepared-toy", "--features", "logmel", "crops", "--workers", "2")
    mien("prepare", "emodb", data / "emodb", "--out", "prepared-emodb", "--features", "mfb43", "--workers", "2")
    short = ("training.epochs=2", "seeds=[0]")
    mien("train", "peri2021-toy", *short, "data.prepared=prepared-toy", "--out", "peri", "--workers", "2")
    folds = ("protocol.folds=[0,1]", "data.prepared=prepared-emodb")
    mien("train", "li2020-emodb", *short, *folds, "--out", "li", "--workers", "2")
    mien("audit", "li")
    mien("evaluate", "li", "--on", "prepared-toy")
    mien("compare", "li", "--out", "compared")
    mien("export", "li/models/MEnAN", "--out", "exported")
    ten = [
        *sorted((data / "emodb" / "wav").iterdir())[::100][:6],
        *sorted((data / "ravdess").rglob("*.flac"))[::200][:4],
    ]
    mien("predict", *ten, "--out", "predicted.csv")
    mien("predict", *ten[:2], "--model", "li/models/multitask", "--out", "by-run.json")
    if not (out / "embeddings.npy").exists():
        numbers = np.random.default_rng(0)
        speakers = np.arange(400) % 10
        emotions = np.arange(400) // 10 % 4
        values = numbers.normal(size=(400, 16)) + np.eye(16)[speakers] + 2 * np.eye(16)[10 + emotions]
        np.save(out / "embeddings.npy", values.astype(np.float32))
        with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["clip", "speaker", "emotion"])
            pairs = zip(speakers, emotions, strict=True)
            rows.writerows([f"c{n}", f"s{who}", f"e{what}"] for n, (who, what) in enumerate(pairs))
    whose = ("--labels", "labels.csv", "--factor", "speaker", "--factor", "emotion")
    mien("audit", "--embeddings", "embeddings.npy", *whose, "--out", "audited")


def compare(old: Path, new: Path, renamed: dict[str, str]) -> int:
    """Print the differences and how many values were compared; return 1 where a result differs."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    names = {
        root: {_named(str(path.relative_to(root)), renamed if root == old else {}): path for path in _files(root)}
        for root in (old, new)
    }
    faults += [f"only in OLD: {name}" for name in sorted(set(names[old]) - set(names[new]))]
    faults += [f"only in NEW: {name}" for name in sorted(set(names[new]) - set(names[old]))]
    for name in sorted(set(names[old]) & set(names[new])):
        first, second = names[old][name], names[new][name]
        if first.suffix == ".safetensors":
            faults += [f"{name}: {what}" for what in _tensors(first, second, renamed, counts)]
            continue
        before = {_named(key, renamed): _named(value, renamed) for key, value in _values(first, old)}
        after = dict(_values(second, new))
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                faults.append(f"{name}: {key}: {'only in OLD' if key in before else 'only in NEW'}")
            elif before[key] == after[key]:
                counts["numbers" if _number(after[key]) else "texts"] += 1
            elif _number(before[key]) or _number(after[key]):
                faults.append(f"{name}: {key}: {before[key]} -> {after[key]}")
            else:
                counts["texts that differ"] += 1
                print(f"text of {name}: {key}: {before[key][:100]} -> {after[key][:100]}")
    print("\n".join(faults))
    print(f"{len(faults)} differ; the same: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return int(bool(faults))


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        kept = path.suffix in {".csv", ".json", ".jsonl", ".safetensors", ".yaml"} and path.name not in WORDS
        if path.is_file() and kept and path.relative_to(root).parts[0] != "toy":
            yield path


def _values(path: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Dotted key and value, as text, of all in a file; the folder of all results is called OUT."""
    text = path.read_text(encoding="utf-8").replace(str(root.resolve()), "OUT")
    if path.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(io.StringIO(text))):
            yield from ((f"{number}.{column}", str(value)) for column, value in row.items())
    elif path.suffix == ".yaml":
        import yaml

        yield from _flat(yaml.safe_load(text))
    else:
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        for number, line in enumerate(lines):
            yield from _flat(json.loads(line), str(number) if path.suffix == ".jsonl" else "")


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            if name not in OFTEN:
                yield from _flat(inner, f"{key}.{name}".removeprefix("."))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{key}.{number}".removeprefix("."))
    else:
        yield key, json.dumps(value) if not isinstance(value, str) else value


def _tensors(first: Path, second: Path, renamed: dict[str, str], counts: Counter[str]) -> Iterator[str]:
    before = {_named(name, renamed): value for name, value in load_file(first).items()}
    after = load_file(second)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield f"{name}: {'only in OLD' if name in before else 'only in NEW'}"
        elif before[name].shape != after[name].shape or before[name].tobytes() != after[name].tobytes():
            yield f"{name}: other bits"
        else:
            counts["tensors"] += 1
    with safe_open(first, "numpy") as one, safe_open(second, "numpy") as other:
        heads = [dict(file.metadata() or {}) for file in (one, other)]
    if "clips" in heads[0] and heads[0]["clips"] != heads[1].get("clips"):
        yield "other clips"


def _named(text: str, renamed: dict[str, str]) -> str:
    for before, after in renamed.items():
        text = re.sub(rf"(?<![A-Za-z]){re.escape(before)}(?![A-Za-z])", after, text)
    return text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
