"""Manifests for runs that tests write, or change, by hand."""

import json
from pathlib import Path
from typing import Any, cast

from mien.common import manifests
from mien.common.manifests import Stage
from mien.runs.run import Run
from mien.runs.run_files import BASE, MEASURED, RESULTS


def reseal(folder: Path, stage: Stage = "complete") -> None:
    """Write the manifest of a run, and of each of its cells that has weights, as of the files that are there now."""
    there = manifests.read(folder)
    names = [name for name in (*BASE, *RESULTS) if (folder / name).is_file()]
    names += [
        path.relative_to(folder).as_posix()
        for name in MEASURED
        for path in (folder / name).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    ]
    manifests.write(folder, names, stage, "by hand" if there is None or not there.of else there.of)
    for weights in folder.glob("models/*/*/weights.safetensors"):
        reseal_cell(weights.parent)


def resealed(run: Run) -> Run:
    """The same run, sealed as of the files that are there now and opened anew, to read."""
    reseal(run.folder)
    return Run(run.folder, run.experiment)


def reseal_cell(folder: Path) -> None:
    """Write the manifest of one cell."""
    known = ("weights.safetensors", "embeddings.safetensors", "predictions.csv", "tasks.csv", "history.jsonl")
    names = [name for name in (*known, "chosen.json") if (folder / name).is_file()]
    histories = folder.glob("candidates/*/history.jsonl")
    named = [*names, *(path.relative_to(folder).as_posix() for path in histories)]
    manifests.write(folder, named, of=_of(folder))


def _of(folder: Path) -> str:
    """What a cell is of: as its manifest has it, or, in a run that is written by hand, as it will be looked for."""
    if (there := manifests.read(folder)) is not None:
        return there.of
    if folder.parent.parent.name != "models":  # of no run
        return ""
    root = folder.parents[2]
    if manifests.read(root) is None:
        manifests.write(root, [], "training", of="by hand")
    _, fold, _, seed = folder.name.split("-")
    return Run(root, cast(Any, None), writes=True).cell(folder.parent.name, int(fold), int(seed)).of


def reseal_record(path: Path, old: str, new: str) -> None:
    """Replace a text in a record of JSON that has its own SHA-256, and seal it again."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    record = json.loads(text.replace(old, new))
    del record[manifests.SEAL]
    path.write_text(json.dumps(manifests.sealed(record), indent=2), encoding="utf-8")


def reseal_prepared(folder: Path) -> None:
    """Write the manifest of a prepared corpus."""
    manifests.write(
        folder,
        [path.name for path in folder.iterdir() if path.suffix in (".csv", ".json") and path.name != manifests.NAME],
    )
