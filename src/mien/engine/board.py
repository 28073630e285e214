"""TensorBoard: a training run's history as event files, in RUN/tensorboard/MODEL/fold-F-seed-S (extra `tensorboard`).

`history.jsonl` stays the record; the event files are written from it, so that they are whole after a resume too. A
scalar's step is the epoch; tags are `lr`, `seconds`, `validation/uar` and the like, and `main/emotion` for the training
loss `main: emotion`.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.common import processes
from mien.engine.fit import Record
from mien.errors import ConfigError


def require() -> None:
    """Raise ConfigError, before anything is trained, when the extra is not installed."""
    _writer_class()


@contextmanager
def following(
    cell: Path, out: Path, watch: Callable[[Record], None] = lambda record: None
) -> Iterator[Callable[[Record], None]]:
    """Write event files during a training run; the epochs that its history holds already come first.

    Args:
        cell: the folder with `history.jsonl`.
        out: the folder for event files; those of an earlier attempt are replaced.
        watch: called after each epoch, too.

    Yields:
        The function that `engine.fit` is to call after each epoch; of a cell with candidates, the history of the one
        that was chosen is written at the end. With several processes, process 0 writes.
    """
    if processes.rank():
        yield watch
        return
    shutil.rmtree(out, ignore_errors=True)
    with _writer_class()(str(out)) as writer:
        written = _write(writer, cell, 0)

        def follow(record: Record) -> None:
            nonlocal written
            written = _write(writer, cell, written)
            watch(record)

        yield follow
        _write(writer, cell, written)  # a chosen cell has its history only now


def _write(writer: Any, cell: Path, written: int) -> int:
    """Write what the history holds beyond `written` epochs, and return how many it holds."""
    path = cell / "history.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines[written:]:
        record = json.loads(line)
        step = int(record.pop("epoch"))
        for name, value in record.items():
            writer.add_scalar(_tag(name), value, step)
    writer.flush()
    return len(lines)


def _tag(name: str) -> str:
    return name.replace(": ", "/").replace("validation ", "validation/").replace(" ", "_")


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("--tensorboard needs an extra: pip install 'mien[tensorboard]'") from None
    return SummaryWriter
