"""Whether a run can go on with a corpus: its clips, files, labels and folds are those that it was started on."""

from collections.abc import Sequence
from io import StringIO

import pandas as pd

from mien.audit.splits.certificate import describe, identity
from mien.common.cells import text_of, unquoted_table
from mien.data.dataset import Dataset
from mien.data.protocols import PARTS, Fold
from mien.errors import RunError
from mien.runs.run import Run
from mien.runs.run_files import CERTIFICATE, CLIPS


def refuse_another_corpus(run: Run, dataset: Dataset, folds: Sequence[Fold]) -> None:
    """Raise RunError, with what differs, where a run was started on other files, labels or folds than these.

    A corpus is known by its content. Folders and names of files may differ where the files are the same.
    """
    if not run.has(CERTIFICATE):
        return
    if found := _difference(run, dataset, folds):
        raise RunError(
            f"{run.folder}: was started on another corpus or split than {dataset.prepared.place} holds now ({found}); "
            "choose another --out"
        )


def _difference(run: Run, dataset: Dataset, folds: Sequence[Fold]) -> str:
    """What differs first, one clause; empty for nothing."""
    before, now = run.certificate, identity(dataset.clips, folds, dataset.prepared.card)
    files, same = now["files"], before["files"]
    if lost := sorted(same.keys() - files.keys()):
        return f"the clip '{lost[0]}' is no longer used"
    if more := sorted(files.keys() - same.keys()):
        return f"the clip '{more[0]}' was not used"
    if changed := [clip for clip, found in files.items() if same[clip] != found]:
        return f"the file of the clip '{changed[0]}' is another one"
    if before["split"] != now["split"]:
        return _other_fold(run, dataset, folds)
    return "" if before["corpus_hash"] == now["corpus_hash"] else _other_value(run, dataset.clips)


def _other_fold(run: Run, dataset: Dataset, folds: Sequence[Fold]) -> str:
    for one, other in zip(run.splits, describe(dataset.clips, folds), strict=False):
        if parts := [part for part in PARTS if one[part] != other[part]]:
            return f"fold {one['fold']}, {parts[0]}: other clips or speakers"
    return f"{len(folds)} folds, and {len(run.splits)} before"


def _other_value(run: Run, clips: pd.DataFrame) -> str:
    """The first cell of the table of clips that has another value, whatever the files are called."""
    if not run.has(CLIPS):  # a kill came between the certificate and this
        return "its table has another hash"
    texts = (run.files.check(CLIPS).read_text(encoding="utf-8"), text_of(clips))
    before, now = (
        unquoted_table(pd.read_csv(StringIO(text), dtype=str, keep_default_na=False))
        .set_index("clip")
        .drop(columns="file")
        .sort_index()
        for text in texts
    )
    if columns := [name for name in (*before, *now) if name not in before or name not in now]:
        return f"the column '{columns[0]}' is in one of the two alone"
    if not before.index.equals(now.index):
        return f"the clip '{before.index.symmetric_difference(now.index)[0]}' is in one of the two alone"
    for name in before:
        if (other := before[name] != now[name]).any():
            clip = before.index[int(other.to_numpy().argmax())]
            return f"'{name}' of the clip '{clip}' was '{before[name][clip]}' and is now '{now[name][clip]}'"
    return ""
