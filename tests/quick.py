"""What takes most of the time of a test that asks for something else, made quick."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import pytest

if TYPE_CHECKING:
    from mien.runs.run import Run


@contextmanager
def no_figures() -> Iterator[None]:
    """Figures are empty: for tests of what a page says; drawing them takes most of a page's time."""
    from matplotlib.figure import Figure  # most tests need none

    def savefig(self: Figure, file: TextIO, **_: object) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", savefig)
        yield


@contextmanager
def cells_alone() -> Iterator[None]:
    """A run ends with its cells and their predictions, without scores, probes and a page: for tests of the cells."""
    import pandas as pd  # most tests need none of these

    from mien.commands import Outcome
    from mien.commands import train as training
    from mien.runs.tables import read_table

    def finish(run: "Run", workers: int) -> None:
        tables = [read_table(cell.folder / "predictions.csv") for cell in run.cells]
        run.write_table("predictions.csv", pd.concat(tables))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "finish", finish)
        patched.setattr(training, "_outcome", lambda run: Outcome(data={}, text=""))
        yield
