"""What a run keeps of its leakage, so that nothing is measured twice: a file a cell, and a file a fold for the floors.

A file holds a key, of all that its rows stand on, and for each depth (`QUICK`, `THOROUGH`) that was measured its rows;
where a key no longer fits, the file is begun anew.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.audit.run_leakage.targets import Targets
from mien.common.files import sha256
from mien.common.settings import digest
from mien.common.tables import records
from mien.runs.run import Cell, Run
from mien.runs.tables import reading

VERSION = 3  # of what is measured: raised when the same embeddings give other rows
KEPT = "leakage.json"  # in the folder of a cell, and of a fold below `baselines`
QUICK, THOROUGH = "quick", "thorough"
PEOPLE = "speakers"  # what is kept of them, after the depth in its name
SAID = "said"  # likewise

Rows = list[dict[str, Any]]


def place_of_fold(run: Run, fold: int) -> Path:
    """Where the floors of a fold are kept."""
    return run.folder / "baselines" / f"fold-{fold}" / KEPT


def key_of_cell(run: Run, cell: Cell, told: Targets, seed: int) -> str:
    """What the rows of a cell stand on."""
    files = [sha256(cell.folder / "embeddings.safetensors"), sha256(run.folder / "clips.csv")]
    own = {name: sorted(factors) for name, factors in told.get(cell.model, {}).items()}
    return digest([VERSION, seed, *files, *_views(run, cell), *([own] if told else [])])


def key_of_fold(run: Run, cell: Cell, dimension: Sequence[int], labels: pd.DataFrame, told: Targets, seed: int) -> str:
    """What the floors of a cell's fold stand on: the labels of its clips, and the sizes of embeddings."""
    several = [True] if told else []
    return digest([VERSION, seed, list(dimension), labels.to_dict("list"), *_views(run, cell), *several])


def _views(run: Run, cell: Cell) -> list[str]:
    """Not empty where the people who are tested were seen, of whom other clips are read than of strangers."""
    fold = next(fold for fold in run.splits if fold["fold"] == cell.fold)
    trained = set(fold["train"]["speakers"])
    tested = fold["test"]["speakers"] or fold["validation"]["speakers"]
    return ["seen"] if trained.issuperset(tested) else []


def fresh(path: Path, key: str) -> dict[str, Any]:
    """What is kept under the same key, or an empty beginning."""
    kept = read(path) if path.is_file() else {}
    return kept if kept.get("key") == key else {"key": key}


def read(path: Path) -> dict[str, Any]:
    """What is kept; raises RunError when the file is damaged."""
    with reading(path, way="delete it and run the same command again"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(kept, dict):
            raise ValueError("not a mapping")
        return kept


def joined(kept: dict[str, Any], what: str = "") -> Rows:
    """The rows of all depths, or what stands beside them: `PEOPLE` or `SAID`."""
    return [row for depth in (QUICK, THOROUGH) for row in kept.get(f"{depth} {what}".rstrip(), [])]


def plain(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> Rows:
    """Rows as JSON has them; a table without rows has no columns either."""
    return [row for table in tables if len(table) for row in records(table.reindex(columns=list(columns)))]
