"""`mien report`: the page of a run, again."""

from pathlib import Path

from mien.commands import Outcome
from mien.report import page
from mien.run import Run


def report(run: Path | str) -> Outcome:
    """Write RUN/report.html again from what the run folder holds.

    Raises:
        RunError: it is no run folder, or an unfinished one.
    """
    path = page.write(Run.open(run))
    return Outcome(data={"report": str(path)}, text=f"report: {path}")
