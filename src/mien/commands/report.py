"""`mien report`: write the report of a run again."""

from pathlib import Path

from mien.audit.leakage.silhouettes import silhouettes
from mien.audit.recognition.coverage import outdated
from mien.commands import Outcome
from mien.reports import page
from mien.runs.run import Run


def report(run: Path | str) -> Outcome:
    """Write RUN/report.html again from the files of the run.

    Silhouettes are measured first where the run has none. An evaluation of an earlier state of the run is reported.

    Raises:
        RunError: not a run folder, or an unfinished one.
    """
    opened = Run.open(run)
    if opened.silhouettes is None and opened.cells:
        opened.write_table("silhouettes.csv", silhouettes(opened))
    path = page.write(opened)
    text = "\n".join([*outdated(opened), f"report: {path}"])
    return Outcome(data={"report": str(path)}, text=text)
