"""Which training runs an evaluation on another corpus covers: some may be missing, and some newer than it."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from mien.runs.run import ROBUSTNESS, Run

Training = tuple[int, int]  # fold, seed


class Coverage(NamedTuple):
    """The fold models that an evaluation covers.

    Attributes:
        scored: model -> the fold and seed of its training runs that were evaluated.
        planned: the number of training runs of a model in the finished run.
        stale: whether training runs were finished or removed after the evaluation.
    """

    scored: Mapping[str, Set[Training]]
    planned: int
    stale: bool

    @property
    def warnings(self) -> list[str]:
        """What limits the meaning of mean, min and max: sentences without a capital letter and full stop."""
        warnings = []
        if any(len(cells) < self.planned for cells in self.scored.values()):
            shares = ", ".join(f"{model} {len(cells)} of {self.planned}" for model, cells in self.scored.items())
            warnings.append(f"not all fold models (fold and seed) were evaluated: {shares}")
        if len({frozenset(cells) for cells in self.scored.values()}) > 1:
            warnings.append(
                "the models were evaluated on different folds or seeds, so their mean, min and max cannot be compared"
            )
        if self.stale:
            warnings.append("of an earlier state of the run, which has changed since; run 'mien evaluate' again")
        return warnings


def coverage(run: Run, name: str, kind: str = "evaluations") -> Coverage | None:
    """The training runs that an evaluation covers; None if it has no `folds.csv`.

    Args:
        run: that was evaluated.
        name: of the evaluation.
        kind: the folder in the run where it is.

    Raises:
        RunError: a file of the run is damaged.
    """
    cells = run.evaluated(name, kind)
    return None if cells is None else _coverage(run, cells)


def of_affine(run: Run, name: str) -> Coverage:
    """The training runs from whose outputs affine maps were fitted.

    Args:
        run: that was evaluated.
        name: of the evaluation.
    """
    return _coverage(run, [(str(model), int(fold), int(seed)) for model, fold, seed in run.affine[name]["cells"]])


def _coverage(run: Run, cells: Sequence[tuple[str, int, int]]) -> Coverage:
    scored = {model: {cell[1:] for cell in cells if cell[0] == model} for model in dict.fromkeys(c[0] for c in cells)}
    now = {(cell.model, cell.fold, cell.seed) for cell in run.cells}
    return Coverage(scored, len(run.splits) * len(run.experiment.seeds), set(cells) != now)


def outdated(run: Run) -> list[str]:
    """One line for each evaluation that was made on an earlier state of the run."""
    names = [("evaluations", "evaluation", "on that corpus", name) for name in run.evaluations]
    names += [(ROBUSTNESS, ROBUSTNESS, "--missing with that grid", name) for name in run.robustness]
    found = [
        f"{kind} {name}: of an earlier state of the run; run 'mien evaluate' {way} again"
        for place, kind, way, name in names
        if (covered := coverage(run, name, place)) and covered.stale
    ]
    return found + [
        f"affine maps {name}: of an earlier state of the run; run 'mien evaluate --affine' on that corpus again"
        for name in run.affine
        if of_affine(run, name).stale
    ]
