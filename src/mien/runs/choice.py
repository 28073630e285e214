"""A cell that is chosen among candidates: each is trained, and the one with the best validation score becomes the cell.

Candidates are trained in CELL/candidates/LABEL, one after the other, and none of them sees a test clip. When all are
trained the best one predicts, and is written as any cell is, the weights last; CELL/chosen.json says what was chosen.
Only their histories are kept of the others. A training that was killed at any moment goes on to the same files, bit for
bit on a CPU.

`chosen.json` holds `measure` (the score that chose, `training.best`), `chosen` (the label of the candidate), `values`
(dotted key -> its value), and `candidates`: label -> `values`, `score` on the validation clips, and its `epoch`.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import torch

from mien.common import processes
from mien.common.files import write_json, write_text
from mien.common.progress import say
from mien.data.dataset import Dataset
from mien.data.protocols import Fold
from mien.engine.fit import VALIDATION, Record, best_record, goodness
from mien.errors import RunError
from mien.experiments.experiment import Candidate
from mien.runs.cell import Model, fitted, predict, write
from mien.runs.run import CANDIDATES, Cell, Run
from mien.runs.tables import AGAIN


def train_best(
    run: Run,
    datasets: Mapping[str, Dataset],
    fold: Fold,
    cell: Cell,
    *,
    device: torch.device,
    threads: int = 1,
    watch: Callable[[Record], None] = lambda record: None,
) -> None:
    """Train the candidates of a cell, or go on with them, and write its folder; a finished cell is left as it is.

    Args:
        run: the run.
        datasets: name of an attempt (`Experiment.attempts`) -> its dataset.
        fold: the fold.
        cell: of a model with candidates.
        device: where they are trained.
        threads: of torch.
        watch: called after each epoch with its record, where `epoch` counts on over the candidates.
    """
    if cell.finished:
        tidy(cell)  # a kill may have come between the weights and this
        return
    processes.use_threads(threads)
    candidates, before = run.experiment.candidates[cell.model], 0
    todo = [one for one in candidates if not _is_trained(cell.candidate(one.label))]
    for one in candidates:
        if one in todo:
            dataset = datasets[f"{cell.model}/{one.label}"]
            _train(one, dataset, fold, cell, device=device, watch=_counted(watch, before))
        before += one.experiment.training.epochs
    if processes.rank() == 0:
        _write(run, datasets, fold, cell, candidates, device)
        tidy(cell)
    processes.wait()


def _is_trained(candidate: Cell) -> bool:
    """Whether a candidate is trained; one whose files are damaged is trained again."""
    for path, what in (damaged := candidate.damaged).items():
        say(f"{path}: {what}; this candidate is trained again")
    if damaged:
        candidate.begin_again()
    return candidate.finished


def tidy(cell: Cell) -> None:
    """Remove what a finished cell no longer needs: states of training, and weights and manifests of candidates."""
    for folder in (cell.folder, *(cell.folder / CANDIDATES).glob("*/")):
        one = cell._replace(folder=folder)
        one.state.unlink(missing_ok=True)
        if folder != cell.folder:
            one.begin_again()
            one.weights.unlink(missing_ok=True)


def _train(
    candidate: Candidate,
    dataset: Dataset,
    fold: Fold,
    cell: Cell,
    *,
    device: torch.device,
    watch: Callable[[Record], None],
) -> None:
    own = cell.candidate(candidate.label)
    model = fitted(candidate.experiment, dataset, fold, own, device=device, watch=watch)
    if processes.rank() == 0:
        model.save(own)
        own.seal(own.weights.name, own.history.name)
        own.state.unlink(missing_ok=True)
    processes.wait()


def _counted(watch: Callable[[Record], None], before: int) -> Callable[[Record], None]:
    return lambda record: watch(record | {"epoch": record["epoch"] + before})


def _write(
    run: Run,
    datasets: Mapping[str, Dataset],
    fold: Fold,
    cell: Cell,
    candidates: Sequence[Candidate],
    device: torch.device,
) -> None:
    """Let the best candidate become the cell."""
    best = run.experiment_of(cell.model).training.best
    records = {one.label: best_record(_history(cell.candidate(one.label)), best) for one in candidates}
    chosen = max(candidates, key=lambda one: goodness(records[one.label], best))  # the first of equals
    found = {
        one.label: {
            "values": one.changes,
            "score": records[one.label][f"{VALIDATION}{best}"],
            "epoch": int(records[one.label]["epoch"]),
        }
        for one in candidates
    }
    source = cell.candidate(chosen.label)
    choice = {"measure": best, "chosen": chosen.label, "values": chosen.changes, "candidates": found}
    write_json(cell.choice, choice)
    write_text(cell.history, source.history.read_text(encoding="utf-8"))
    model = Model.load(chosen.experiment, source, device)
    dataset = datasets[f"{cell.model}/{chosen.label}"]
    write(run, cell, model, predict(model, dataset, fold, run.experiment.hold_test))


def _history(candidate: Cell) -> list[Record]:
    path = candidate.history
    try:
        history: list[Record] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: damaged ({error}); delete {path.parent} and {AGAIN}") from error
    return history
