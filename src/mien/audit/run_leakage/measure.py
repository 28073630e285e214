"""The leakage of a run. Every finished cell is measured once and kept, so that an interrupted audit can continue.

There are two depths. `mien train` ends with the quick one: all probes of the speaker, for seen and unseen speakers, and
verification of unseen speakers. The thorough one adds the main target (probes are fitted on the training clips and
tested on the test clips), the factors that group speakers, the same after LEACE, and measures of dependence. Floors,
and ceilings from the inputs, do not depend on the model: they are measured once a fold.

If a run's embeddings have several names (see `targets`), the quick depth measures every leak, that of the main target
too. What an embedding is trained to carry is measured by the thorough depth, with role `target`. The main target of
seen speakers is scored twice: on all test clips, and `balanced` over itself, on equally many test clips of each class.
The predictions for each clip are kept (see `beside`).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage import floors
from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.leakage import corrected, predict, scored
from mien.audit.leakage.numbers import number_leakage
from mien.audit.leakage.verification import verification
from mien.audit.probes.leace import Eraser
from mien.audit.run_leakage.beside import Beside, prediction_table, predictions_for_json, recalls_of
from mien.audit.run_leakage.inputs import Inputs
from mien.audit.run_leakage.kept import KEPT as KEPT
from mien.audit.run_leakage.kept import (
    PEOPLE,
    QUICK,
    SAID,
    THOROUGH,
    fresh,
    joined,
    key_of_cell,
    key_of_fold,
    place_of_fold,
    plain,
    read,
    write,
)
from mien.audit.run_leakage.targets import Targets, is_target, targets, with_roles
from mien.audit.run_leakage.views import Texts, View, tasks_of, views_of
from mien.common.leakage_tables import LEACE, LEAKAGE, RECALLS, SEEN, SPEAKER, UNSEEN
from mien.common.progress import progress
from mien.common.workers import results
from mien.errors import RunError
from mien.runs.run import Cell, Run
from mien.runs.tables import older

NUMBERS = ("score", "chance", "shuffled", "low", "high", "p", "p_corrected")


class Measured(NamedTuple):
    """The leakage of a run.

    Attributes:
        table: the columns of `leakage.csv` (`LEAKAGE`); p is corrected over factors.
        by_speaker: the columns of `leakage_by_speaker.csv` (`RECALLS`).
    """

    table: pd.DataFrame
    by_speaker: pd.DataFrame


def run_leakage(
    run: Run, *, thorough: bool = False, inputs: Inputs | None = None, workers: int = 1, seed: int = 0
) -> Measured:
    """Measure every finished cell of a run that has not been measured, and join the rows.

    Args:
        run: the results are kept in the folders of its cells and in `baselines/`.
        thorough: measure the thorough depth as well. Rows of an earlier thorough audit are joined in any case.
        inputs: for the ceilings of a thorough audit.
        workers: processes.
        seed: of the probes; all models are probed on the same divisions of a fold's clips.

    Returns:
        The rows of all cells and folds. A view that cannot be divided, or that lacks clips in one part, has no rows.

    Raises:
        RunError: an embedding is not finite.
    """
    cells = run.cells
    first = {cell.fold: cell for cell in reversed(cells)}
    depths = (QUICK, THOROUGH) if thorough else (QUICK,)
    places = [cell.folder / KEPT for cell in cells] + [place_of_fold(run, fold) for fold in sorted(first)]
    carried = targets(run)
    jobs = [partial(_cell, run, cell, depths, carried, seed) for cell in cells]
    given = inputs or Inputs({})
    jobs += [partial(_fold, run, cell, depths, given, carried, seed) for _, cell in sorted(first.items())]
    with progress(len(jobs), "leakage", "cells and folds") as advance:
        for _ in (job() for job in jobs) if workers == 1 else results(jobs, workers):
            advance()
    found = [read(place) for place in places]
    table = pd.DataFrame([row for kept in found for row in joined(kept)], columns=list(LEAKAGE))
    whole = dict.fromkeys(("fold", "seed", "classes"), "Int64")
    table = corrected(table.astype(dict.fromkeys(NUMBERS, float)).astype(whole))
    people = [row for kept in found for row in joined(kept, PEOPLE)]
    return Measured(table, pd.DataFrame(people, columns=list(RECALLS)))


def probe_predictions(run: Run) -> pd.DataFrame:
    """The predictions of probes for each clip in every finished cell (`PREDICTIONS`).

    The rows of model `baseline` are predictions of the floors. Nothing is measured: only kept predictions are read.

    Raises:
        RunError: a file is damaged, or was made by an older mien.
    """
    cells = run.cells
    places = [({"model": cell.model, "fold": cell.fold, "seed": cell.seed}, cell.folder / KEPT) for cell in cells]
    numbers = sorted({cell.fold for cell in cells})
    places += [({"model": floors.MODEL, "fold": fold, "seed": 0}, place_of_fold(run, fold)) for fold in numbers]
    found = []
    for place, path in places:
        kept = joined(read(path), SAID) if path.is_file() else []
        if any("eraser" not in one for one in kept):
            raise older(path, "eraser", run.folder)
        found += [(place, one) for one in kept]
    return prediction_table(found)


def _cell(run: Run, cell: Cell, depths: Sequence[str], carried: Targets, seed: int) -> None:
    """Measure a cell and write the result to its file."""
    kept = fresh(cell.folder / KEPT, key_of_cell(run, cell, carried, seed))
    if not (lacking := [depth for depth in depths if depth not in kept]):
        return
    clips, embeddings = run.embeddings(cell)
    for name, values in embeddings.items():
        if not np.isfinite(values).all():
            raise RunError(f"{cell.folder}: the embedding '{name}' is not finite; train this cell again")
    for depth in lacking:
        place: dict[str, Any] = {"model": cell.model, "fold": cell.fold, "seed": cell.seed}
        beside = Beside([], [])
        tables = [
            with_roles(table.assign(**place), carried, cell.model)
            for view in views_of(run, clips, thorough=depth == THOROUGH, always=bool(carried), seed=seed)
            for name, values in embeddings.items()
            if depth == THOROUGH or not is_target(carried, cell.model, name, view.factor)
            for table in (
                _thorough(name, values, clips, view, seed, beside, carried, cell.model)
                if depth == THOROUGH
                else _quick(name, values, clips, view, seed, beside, carried)
            )
        ]
        kept[depth] = plain(tables, LEAKAGE)
        kept[f"{depth} {PEOPLE}"] = plain([part.assign(**place) for part in beside.recalls], RECALLS)
        if beside.predictions:
            kept[f"{depth} {SAID}"] = beside.predictions
    write(cell.folder / KEPT, kept)


def _quick(
    name: str, values: NDArray[np.float32], clips: pd.DataFrame, view: View, seed: int, beside: Beside, carried: Targets
) -> Iterator[pd.DataFrame]:
    """The quick depth: the speaker, verification of unseen speakers, and the main target if a run has `targets`."""
    if not (view.factor == SPEAKER or (carried and view.main)):
        return
    yield from _leakage(name, values, clips, view, seed, beside, carried)
    if view.factor == SPEAKER and view.seen == UNSEEN:
        yield _verified(name, values, clips, view, seed)


def _thorough(
    name: str,
    values: NDArray[np.float32],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    beside: Beside,
    carried: Targets,
    model: str,
) -> Iterator[pd.DataFrame]:
    """The thorough depth: what the quick one has not measured, every factor after LEACE, and dependence."""
    carries = view.main or view.numbers is not None
    erase = view.speakers if carries else view.labels
    quick = view.factor == SPEAKER or (bool(carried) and view.main)
    if not quick or is_target(carried, model, name, view.factor):
        yield from _leakage(name, values, clips, view, seed, beside, carried)
    yield from _leakage(name, values, clips, view, seed, beside, carried, erase=erase)
    if view.numbers is not None:
        return
    tested = np.unique(np.concatenate([test for _, test in view.division.parts]))
    clusters = None if view.factor == SPEAKER else view.speakers[tested]
    found = dependence(values[view.rows[tested]], view.labels[tested], clusters=clusters, factor=view.factor, seed=seed)
    yield found.assign(embedding=name, eraser="", speakers=view.seen)
    if view.factor == SPEAKER and view.seen == UNSEEN:
        trained = ((clips["split"] == "train") & clips["speaker"].notna()).to_numpy()
        eraser = Eraser.fit(values[trained], clips.loc[trained, "speaker"].to_numpy(str))
        yield _verified(name, eraser.apply(values), clips, view, seed, eraser=LEACE)


def _verified(
    name: str, values: NDArray[Any], clips: pd.DataFrame, view: View, seed: int, *, eraser: str = ""
) -> pd.DataFrame:
    """Verification of unseen speakers, centred by the training clips. An eraser was fitted on the training clips."""
    centre = values[(clips["split"] == "train").to_numpy()].mean(0)
    recordings = view.known.get("recordings")
    found = verification(values[view.rows], view.labels, recordings=recordings, centre=centre, seed=seed)
    return found.assign(embedding=name, eraser=eraser, speakers=view.seen)


def _leakage(
    name: str,
    values: NDArray[Any],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    beside: Beside,
    carried: Targets,
    *,
    erase: Texts | None = None,
) -> Iterator[pd.DataFrame]:
    """The scores of the probes, after LEACE of the labels `erase` if these are given.

    Recalls of speakers and predictions for test clips are added to `beside`.
    """
    source = {"embedding": name, "eraser": "" if erase is None else LEACE}
    if view.numbers is not None:
        for task in tasks_of(view, seed):
            yield number_leakage(values[view.rows], task, erase=erase).assign(**source)
        return
    found = predict(values[view.rows], view.labels, view.division, erase=erase, seed=seed)
    if view.factor == SPEAKER:
        beside.recalls.append(recalls_of(found, view.labels).assign(**source, speakers=view.seen))
    if _kept(view, carried):
        names = clips["clip"].iloc[view.rows].tolist()
        place = source | {"factor": view.factor, "seen": view.seen}
        beside.predictions.append(predictions_for_json(found, view.labels, clips=names, people=view.speakers, **place))
    for task in tasks_of(view, seed):
        yield scored(found, task).assign(**source)


def _kept(view: View, carried: Targets) -> bool:
    """Whether the predictions for the clips of a view are kept."""
    across = len(view.division.parts) == 1 and (view.main or view.factor == SPEAKER)
    return across and (view.seen == SEEN or (bool(carried) and view.main))


def _fold(run: Run, cell: Cell, depths: Sequence[str], inputs: Inputs, carried: Targets, seed: int) -> None:
    """Measure the floors and ceilings of a fold, on the clips of one of its cells, and write them to a file.

    Args:
        run: the run; the file lies in its folder.
        cell: any cell of the fold.
        depths: the depths to measure; what is there already is not measured again.
        inputs: for the ceilings.
        carried: the tasks of embeddings, see `targets`. If not empty, the main target has floors in the quick depth.
        seed: of divisions and probes.
    """
    path = place_of_fold(run, cell.fold)
    clips, embeddings = run.embeddings(cell)
    dimension = sorted({values.shape[1] for values in embeddings.values()})
    labels = clips[[name for name in clips if name not in ("file", "sha256")]].astype(object).where(clips.notna(), None)
    kept = fresh(path, key_of_fold(run, cell, dimension, labels, carried, seed))
    if THOROUGH in depths and kept.get("inputs") != inputs.key:
        kept = {name: value for name, value in kept.items() if name != THOROUGH} | {"inputs": inputs.key}
    if not (lacking := [depth for depth in depths if depth not in kept]):
        return
    for depth in lacking:
        tables = []
        predicted: list[dict[str, Any]] = []
        for view in views_of(run, clips, thorough=depth == THOROUGH, always=bool(carried), seed=seed):
            given: dict[str, Any] = {"dimension": dimension} | inputs.of(clips["clip"].iloc[view.rows].tolist())
            quick = view.factor == SPEAKER or (bool(carried) and view.main)
            for task in tasks_of(view, seed):
                if depth == QUICK and quick:
                    tables.append(floors.floors(task, others=view.others))
                if depth == THOROUGH:
                    found = floors.floors(task, others={} if quick else view.others, **given)
                    tables.append(found[found["embedding"] != floors.MAJORITY] if quick else found)
            if (depth == QUICK) == quick and view.main and view.seen == SEEN:
                predicted += [_predicted(name, other, clips, view, seed) for name, other in view.others.items()]
        kept[depth] = plain([table.assign(fold=cell.fold) for table in tables], LEAKAGE)
        if predicted:
            kept[f"{depth} {SAID}"] = predicted
    write(path, kept)


def _predicted(name: str, other: Any, clips: pd.DataFrame, view: View, seed: int) -> dict[str, Any]:
    """The predictions from the true label of another factor, for each clip."""
    found = predict(floors.one_hot(other), view.labels, view.division, seed=seed)
    names = clips["clip"].iloc[view.rows].tolist()
    place = {"embedding": floors.IDENTITY.format(name), "eraser": "", "factor": view.factor, "seen": view.seen}
    return predictions_for_json(found, view.labels, clips=names, people=view.speakers, **place)
