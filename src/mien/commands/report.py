"""`mien report`: write the report of a run again."""

from pathlib import Path

from mien.audit import results
from mien.commands import Outcome
from mien.commands.train import finish
from mien.common.files import COPY
from mien.common.locks import writing
from mien.reports import page
from mien.runs.coverage import outdated
from mien.runs.run import Run


def report(run: Path | str) -> Outcome:
    """Write RUN/report.html again from the files of the run.

    Files that are damaged, or were being written when a command was ended, are made again where this can be done.
    Results that the run lacks, or that were computed before its predictions or its leakage changed, are computed first.
    An evaluation of an earlier state of the run is reported.

    Raises:
        BusyError: another process writes to the run.
        RunError: not a run folder, or an unfinished one.
    """
    with writing(run, "mien report", way=COPY):
        opened = Run.open(run, writes=True)
        mend(opened)
        path = write_page(opened)
        opened.files.seal()
    text = "\n".join([*outdated(opened), f"report: {path}"])
    return Outcome(data={"report": str(path)}, text=text)


def mend(run: Run) -> None:
    """Make results again that are damaged, or were being written when a command was ended.

    Raises:
        RunError: a cell is damaged so that its results would be missing.
    """
    run.refuse_damaged_cells()
    if run.files.mend() and run.cells:
        finish(run)


def write_page(run: Run) -> Path:
    """Write `report.html`, after the results that it shows, and return its path.

    Raises:
        RunError: a file of the run is missing or damaged, or nothing was trained.
    """
    if run.cells and not results.current(run):
        results.write(run)
    return page.write(run)
