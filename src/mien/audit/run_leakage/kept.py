"""The files that keep the leakage of a run, so that nothing is measured twice: one per cell, one per fold for floors.

A file holds a key, which is a hash of everything that its rows depend on, and the rows of each depth (`QUICK`,
`THOROUGH`) that was measured. If the key has changed, the old rows are not used.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.audit.run_leakage.targets import Targets
from mien.common import manifests
from mien.common.files import sha256, write_json
from mien.common.progress import say
from mien.common.settings import digest
from mien.common.tables import records
from mien.corpora.recordings import file_of, named, recording_of
from mien.errors import RunError
from mien.runs.run import Cell, Run
from mien.runs.run_files import CLIPS
from mien.runs.tables import reading

VERSION = 4  # raise it when the same embeddings give other rows
KEPT = "leakage.json"  # in the folder of a cell, and in a fold's folder below `baselines`
QUICK, THOROUGH = "quick", "thorough"
PEOPLE = "speakers"  # second word of the key of the recalls of speakers; the first is the depth
SAID = "said"  # second word of the key of predictions of clips

Rows = list[dict[str, Any]]


def place_of_fold(run: Run, fold: int) -> Path:
    """The file with the floors of a fold."""
    return run.folder / "baselines" / f"fold-{fold}" / KEPT


def key_of_cell(run: Run, cell: Cell, carried: Targets, seed: int) -> str:
    """A hash of what the rows of a cell depend on."""
    files = [sha256(cell.checked(cell.folder / "embeddings.safetensors")), sha256(run.files.check(CLIPS))]
    own = {name: sorted(factors) for name, factors in carried.get(cell.model, {}).items()}
    return digest([VERSION, seed, *files, *_views(run, cell), *([own] if carried else [])])


def key_of_fold(
    run: Run, cell: Cell, dimension: Sequence[int], labels: pd.DataFrame, carried: Targets, seed: int
) -> str:
    """A hash of what the floors of a cell's fold depend on: the labels of its clips, and the sizes of embeddings."""
    several = [True] if carried else []
    return digest([VERSION, seed, list(dimension), labels.to_dict("list"), *_views(run, cell), *several])


def _views(run: Run, cell: Cell) -> list[str]:
    """A part of the key.

    "seen" if all test speakers were seen in training, for other clips are probed then; "files" if recordings are known
    from files of several clips, which an older mien did not keep whole; "copies" if parts of copies of one file are of
    one recording, which it did not know; "numbers" if targets are numbers, which an older mien did not probe.
    """
    fold = next(fold for fold in run.splits if fold["fold"] == cell.fold)
    trained = set(fold["train"]["speakers"])
    tested = fold["test"]["speakers"] or fold["validation"]["speakers"]
    given = run.clips["recording"].notna().sum() if "recording" in run.clips else 0
    by_file = int(recording_of(run.clips).notna().sum()) > given
    copies = not file_of(run.clips).equals(named(run.clips, "file"))
    said = {"seen": trained.issuperset(tested), "files": by_file, "copies": copies}
    said |= {"numbers": bool(run.experiment.numbers)}
    return [name for name, there in said.items() if there]


def fresh(path: Path, key: str) -> dict[str, Any]:
    """The content of a file if its key is the same, else, or if it is damaged, a new content with the key alone."""
    try:
        kept = read(path) if path.is_file() else {}
    except RunError as error:
        say(f"{path}: damaged: {error.__cause__}; it is measured again")
        kept = {}
    return kept if kept.get("key") == key else {"key": key}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file, which `read` reads."""
    write_json(path, manifests.sealed(content))


def read(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        RunError: the file is damaged.
    """
    with reading(path, way="delete it and run the same command again"):
        return manifests.unsealed(path.read_bytes())


def joined(kept: dict[str, Any], what: str = "") -> Rows:
    """The rows of all depths; or, with `what`, their recalls of speakers (`PEOPLE`) or predictions (`SAID`)."""
    return [row for depth in (QUICK, THOROUGH) for row in kept.get(f"{depth} {what}".rstrip(), [])]


def plain(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> Rows:
    """The rows of tables as mappings for JSON."""
    return [row for table in tables if len(table) for row in records(table.reindex(columns=list(columns)))]
