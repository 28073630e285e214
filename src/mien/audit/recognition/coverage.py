"""Which trainings of a run an evaluation on another corpus stands on: not always all, and not always those of now."""

from collections.abc import Mapping, Set
from typing import NamedTuple

from mien.runs.run import Run

Training = tuple[int, int]  # fold, seed


class Coverage(NamedTuple):
    """The fold models behind an evaluation.

    Attributes:
        judged: model -> its trainings that were judged.
        planned: how many trainings a model has in the finished run.
        stale: whether trainings have been finished since, or are gone.
    """

    judged: Mapping[str, Set[Training]]
    planned: int
    stale: bool

    @property
    def warnings(self) -> list[str]:
        """What a reader of mean, min and max must know, as sentences without a full stop."""
        said = []
        if any(len(one) < self.planned for one in self.judged.values()):
            told = ", ".join(f"{model} by {len(one)} of {self.planned}" for model, one in self.judged.items())
            said.append(f"not all fold models were judged (fold and seed): {told}")
        if len({frozenset(one) for one in self.judged.values()}) > 1:
            said.append("the models were judged by unlike folds or seeds: their mean, min and max cannot be compared")
        if self.stale:
            said.append("of an earlier state of the run, which went on since: run 'mien evaluate' again")
        return said


def coverage(run: Run, name: str) -> Coverage | None:
    """What an evaluation of a run covers; None where it does not say (no `folds.csv`).

    Raises:
        RunError: a file of the run is damaged.
    """
    cells = run.evaluated(name)
    if cells is None:
        return None
    judged = {model: {cell[1:] for cell in cells if cell[0] == model} for model in dict.fromkeys(c[0] for c in cells)}
    now = {(cell.model, cell.fold, cell.seed) for cell in run.cells}
    return Coverage(judged, len(run.splits) * len(run.experiment.seeds), set(cells) != now)


def outdated(run: Run) -> list[str]:
    """One line for each evaluation of a run that is of an earlier state of it."""
    told = {name: coverage(run, name) for name in run.evaluations}
    return [
        f"evaluation {name}: of an earlier state of the run; run 'mien evaluate' on that corpus again"
        for name, found in told.items()
        if found and found.stale
    ]
