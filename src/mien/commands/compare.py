"""`mien compare`: models on the same test clips, with paired statistics."""

from collections.abc import Sequence
from pathlib import Path

from mien.audit.comparison.comparison import Comparison, contrast
from mien.audit.comparison.learning_curves import Curves, learning_curves
from mien.audit.comparison.systems import gather
from mien.commands import Outcome
from mien.common.cells import write_table
from mien.common.files import require_folder, write_text
from mien.common.locks import writing
from mien.common.tables import records
from mien.reports.comparison import render
from mien.reports.comparison_text import latex, text
from mien.runs.run_files import steady


def compare(*runs: Path | str, baseline: str | None = None, out: Path | str | None = None, seed: int = 0) -> Outcome:
    """Compare trained models of one run or of several, paired by speaker on the same test clips.

    Args:
        runs: RUN (all its models) or RUN/models/MODEL; one RUN alone compares its own models.
        baseline: RUN/MODEL that all others are compared with; by default all pairs are compared, and in learning
            curves each model with the supervised one.
        out: the folder for `comparison.html`, `comparison.tex`, `comparison.csv` (pairs), `systems.csv` and, if a
            model is trained with several shares of the labels, `curves.csv`; by default nothing is written.
        seed: random seed of the bootstraps.

    Returns:
        In `data`: `systems` and `pairs`, the rows of the tables, and `curves`, the learning curves; `baseline`,
        `split`, `marks`, `notes`, and the `files` written.

    Raises:
        BusyError: another process writes to `out`.
        ConfigError: there is no such baseline, or nothing can be written to `out`.
        RunError: a folder is not a run, there is only one model, or the models were not tested on the same clips.
    """
    if out is not None:
        require_folder(Path(out))
    found, curves = steady(lambda: _compared(runs, baseline or "", seed))
    together = found.together
    files: list[Path] = []
    if out is not None:
        folder = Path(out)
        marks = "; ".join(together.marks)
        tables = {"comparison.csv": found.pairs, "systems.csv": found.systems}
        tables |= {} if curves is None else {"curves.csv": curves.table}
        with writing(folder, "mien compare"):
            for name, table in tables.items():
                write_table(folder / name, table.assign(marks=marks))
            write_text(folder / "comparison.tex", latex(found))
            write_text(folder / "comparison.html", render(found, curves))
        files = [folder / name for name in ("comparison.html", "comparison.tex", *tables)]
    last = f"comparison: {files[0]}" if files else "All measures and tests as HTML, LaTeX and CSV: --out DIR"
    return Outcome(
        data={
            **{"systems": records(found.systems), "pairs": records(found.pairs), "baseline": found.baseline},
            **{"split": together.split, "marks": list(together.marks), "notes": list(found.notes), "files": files},
            "curves": [] if curves is None else records(curves.table),
        },
        text=f"{text(found, curves)}\n\n{last}",
    )


def _compared(runs: Sequence[Path | str], baseline: str, seed: int) -> tuple[Comparison, Curves | None]:
    """The comparison, and the learning curves where there are some."""
    found = contrast(gather(runs), baseline=baseline, seed=seed)
    return found, learning_curves(found.together, baseline=found.baseline, seed=seed)
