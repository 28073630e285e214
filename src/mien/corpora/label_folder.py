"""The folder that `mien label` writes, as far as it is read by others.

- `segments.csv`: a row a segment: the columns `COLUMNS`, `logit_CLASS` and CLASS for each class of the teacher.
- `frames/shard-*.safetensors`: the logits of all frames, see `common.shards`. A segment has the name that it has in
  the table, and its frame k lies k * `every` seconds after its start.
- `problems.csv`: file, problem.
- `card.json`: what was labelled by which teacher; written last.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.corpus import read_table
from mien.errors import CorpusError

SEGMENTS, FRAMES, PROBLEMS, CARD, PAGE = "segments.csv", "frames", "problems.csv", "card.json", "label.html"
COLUMNS = ("clip", "file", "start", "end", "person", "speaking", "emotion", "seen", "frames")
LOGIT = "logit_"  # before the name of a class
FORMAT = "mien label 1"


@dataclass(frozen=True)
class LabelFolder:
    """A label folder that is complete.

    Attributes:
        folder: the folder itself.
        card: as in `card.json`.
    """

    folder: Path
    card: dict[str, Any]

    @staticmethod
    def open(folder: Path) -> "LabelFolder":
        """Open a folder; raises CorpusError where it is none of `mien label`, or unfinished."""
        if not folder.is_dir():
            raise CorpusError(f"{folder}: no such folder")
        card = read_card(folder)
        if card is None:
            raise CorpusError(
                f"{folder}: holds no labels (no card.json in it); 'mien label FILES --out DIR' makes them"
            )
        if card.get("unfinished"):
            raise CorpusError(f"{folder}: labelling was interrupted; run the same 'mien label' again to go on")
        return LabelFolder(folder, card)

    @property
    def classes(self) -> tuple[str, ...]:
        """The teacher's classes, in the order of the logits."""
        return tuple(self.card["classes"])

    @property
    def every(self) -> float:
        """Seconds from one frame to the next."""
        return float(self.card["every"])

    @property
    def root(self) -> Path:
        """The folder that `file` is relative to, as it was when the files were labelled."""
        return self.folder / str(self.card["root"])

    def segments(self) -> pd.DataFrame:
        """`segments.csv`: numbers as float64, all else as text.

        Raises:
            CorpusError: it is missing, or has not the columns or no numbers in them.
        """
        path = self.folder / SEGMENTS
        table = read_table(path)
        numbers = ["start", "end", "seen", "frames", *(f"{LOGIT}{name}" for name in self.classes), *self.classes]
        if lacking := [name for name in (*COLUMNS, *numbers) if name not in table]:
            raise CorpusError(f"{path}: no column '{lacking[0]}'; run the same 'mien label' again")
        values = {name: pd.to_numeric(table[name], errors="coerce").astype("float64") for name in numbers}
        if wrong := [name for name in numbers if not np.isfinite(values[name]).all()]:
            row = int(np.argmin(np.isfinite(values[wrong[0]])))
            given = table[wrong[0]][row]
            raise CorpusError(f"{path}: row {row + 1}, column '{wrong[0]}': '{given}' is no number")
        return table.assign(**values)

    def frames(self, clip: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The logits of a segment's frames, (T, K) float32, and which frames can be used, (T,); read from disk.

        Raises:
            CorpusError: the folder has no frames of it, or they are of other classes.
        """
        from mien.common import shards  # it imports torch, which a list of readers does not need

        entry = self._entries.get(clip)
        if entry is None:
            raise CorpusError(
                f"{self.folder / FRAMES}: no frames of the clip '{clip}'; run the same 'mien label' again"
            )
        path, begin, end = entry
        values, reasons = shards.Shard(path).read(begin, end).numpy(), shards.reasons(path)
        if values.shape[1:] != (len(self.classes),):
            raise CorpusError(
                f"{path}: has {values.shape[1]} values a frame, and card.json {len(self.classes)} classes"
            )
        valid = np.ones(end - begin, np.bool_) if reasons is None else reasons[begin:end].numpy() == 0
        return values, valid

    @cached_property
    def _entries(self) -> dict[str, tuple[Path, int, int]]:
        """Clip -> its shard, and from which frame to which."""
        from mien.common import shards

        return {one.clip: (one.shard, one.begin, one.end) for one in shards.entries(self.folder / FRAMES)}


def read_card(folder: Path) -> dict[str, Any] | None:
    """`card.json` of a label folder, finished or not; None where there is none.

    Raises:
        CorpusError: there is another `card.json`.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path}: not JSON ({error}); choose another folder") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise CorpusError(f"{path}: not the card of a label folder; choose another folder")
    return card
