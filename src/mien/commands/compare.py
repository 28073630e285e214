"""`mien compare`: models on the same test clips, with paired statistics."""

from pathlib import Path

from mien.audit.comparison.comparison import contrast
from mien.audit.comparison.systems import gather
from mien.commands import Outcome
from mien.common.files import atomic, require_folder, write_text
from mien.common.tables import records
from mien.reports.comparison import render
from mien.reports.comparison_text import latex, text


def compare(*runs: Path | str, baseline: str | None = None, out: Path | str | None = None, seed: int = 0) -> Outcome:
    """Compare trained models of one run or of several, paired by speaker on the same test clips.

    Args:
        runs: RUN (all its models) or RUN/models/MODEL; one RUN alone compares its own models.
        baseline: RUN/MODEL that all others are compared with; by default all pairs are compared.
        out: the folder for `comparison.html`, `comparison.tex`, `comparison.csv` (pairs) and `systems.csv`; by default
            nothing is written.
        seed: random seed of the bootstraps.

    Returns:
        In `data`: `systems` and `pairs`, the rows of the tables; `baseline`, `split`, `marks`, `notes`, and the `files`
        written.

    Raises:
        ConfigError: there is no such baseline, or nothing can be written to `out`.
        RunError: a folder is not a run, there is only one model, or the models were not tested on the same clips.
    """
    if out is not None:
        require_folder(Path(out))
    found = contrast(gather(runs), baseline=baseline or "", seed=seed)
    together = found.together
    files: list[Path] = []
    if out is not None:
        folder = Path(out)
        marks = "; ".join(together.marks)
        for name, table in (("comparison.csv", found.pairs), ("systems.csv", found.systems)):
            with atomic(folder / name) as temporary:
                table.assign(marks=marks).to_csv(temporary, index=False, lineterminator="\n")
        write_text(folder / "comparison.tex", latex(found))
        write_text(folder / "comparison.html", render(found))
        files = [folder / name for name in ("comparison.html", "comparison.tex", "comparison.csv", "systems.csv")]
    last = f"comparison: {files[0]}" if files else "All measures and tests as HTML, LaTeX and CSV: --out DIR"
    return Outcome(
        data={
            **{"systems": records(found.systems), "pairs": records(found.pairs), "baseline": found.baseline},
            **{"split": together.split, "marks": list(together.marks), "notes": list(found.notes), "files": files},
        },
        text=f"{text(found)}\n\n{last}",
    )
