"""Training the cells of a run, one after the other in this process, or several at once in worker processes.

A worker gets what all cells have in common once, and imports neither audit nor reports.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial

import torch

from mien.common.workers import Lost, spread
from mien.data.dataset import Dataset
from mien.data.protocols import Fold
from mien.engine.fit import Record
from mien.errors import TrainingError
from mien.runs.cell import HELD, train_cell
from mien.runs.choice import train_best
from mien.runs.run import Cell, Run


@dataclass(frozen=True)
class Training:
    """What the cells of a run have in common.

    Attributes:
        run: the run.
        datasets: name of an attempt (`Experiment.attempts`) -> its dataset.
        folds: number -> fold.
        device: where they are trained.
        threads: of torch, in each process.
        events: whether TensorBoard's event files are written.
    """

    run: Run
    datasets: Mapping[str, Dataset]
    folds: Mapping[int, Fold]
    device: torch.device
    threads: int = 1
    events: bool = False

    def train(self, cell: Cell, watch: Callable[[Record], None] = lambda record: None) -> None:
        """Train a cell, or its candidates; a finished one is left as it is. `watch` gets the record of each epoch."""
        run, fold = self.run, self.folds[cell.fold]
        with self.shown(cell, watch) as follow:
            if cell.model in run.experiment.candidates:
                train_best(run, self.datasets, fold, cell, device=self.device, threads=self.threads, watch=follow)
            else:
                dataset = self.datasets[cell.model]
                train_cell(run, dataset, fold, cell, device=self.device, threads=self.threads, watch=follow)

    def shown(
        self, cell: Cell, watch: Callable[[Record], None] = lambda record: None
    ) -> AbstractContextManager[Callable[[Record], None]]:
        """The event files of a cell, where they are wanted: the epochs that there are, then those that are watched."""
        if not self.events:
            return nullcontext(watch)
        from mien.engine import board  # it imports TensorBoard's part of torch

        place = self.run.folder / "tensorboard" / cell.folder.relative_to(self.run.folder / "models")
        return board.following(cell.folder, place, watch)


def train_here(training: Training, cells: Sequence[Cell], watch: Callable[[Cell, Record], None]) -> Iterator[Cell]:
    """Train cells in this process, and yield each when it is finished."""
    try:
        for cell in cells:
            training.train(cell, partial(watch, cell))
            yield cell
    finally:
        for held in HELD.values():
            held.clear()


def train_apart(training: Training, cells: Sequence[Cell], workers: int) -> Iterator[Cell]:
    """Train cells in worker processes, and yield each when it is finished, in any order.

    Raises:
        TrainingError: the process that trained a cell was ended twice.
    """
    job = partial(_job, pickle.dumps(training))
    for (cell,), result in spread(job, [[one] for one in cells], workers=workers):
        if isinstance(result, Lost):
            raise TrainingError(
                f"{cell.folder}: the process that trained it was ended twice ({result.how or 'cause not known'}), "
                "perhaps for lack of memory; run the same command again with fewer --workers to resume"
            )
        yield cell


def _job(training: bytes, cells: Sequence[Cell]) -> None:
    for cell in cells:
        _unpacked(training).train(cell)


@lru_cache(maxsize=1)
def _unpacked(training: bytes) -> Training:
    found: Training = pickle.loads(training)  # noqa: S301 - of the process that started this one
    return found
