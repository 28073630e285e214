"""The leakage of a run: every finished cell, measured once and kept beside it, so that an interrupted audit goes on.

Two depths. The first is what every training ends with: the speaker, seen in training or not, by all probes, and
verification of unseen speakers. The thorough one adds the emotion that the same embedding still carries (probes
that are fitted on the training clips, tested on the test clips), the factors that group speakers, all of it after LEACE
too, and dependence. What does not depend on the model (floors, and inputs as ceilings) is measured once a fold.

Where a run's embeddings have several names (see `targets`), the first depth reads every leak, the emotion too, and
nothing else; what an embedding is trained to carry is read by the thorough one, with role `target`. The emotion of
people who were seen is told twice: on the test clips as they are, and as factor `emotion (balanced)` on as many of
them from each class. What was said of each clip is kept (`said`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from mien.audit.leakage import floors
from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.leakage import COLUMNS, corrected, predict, scored
from mien.audit.leakage.verification import verification
from mien.audit.leakage.words import ERASED, SEEN, UNSEEN
from mien.audit.probes.division import SPEAKER
from mien.audit.probes.leace import Eraser
from mien.audit.run_leakage import predictions, recalls
from mien.audit.run_leakage.floors import measure_fold
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
    place_of_fold,
    plain,
    read,
)
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.run_leakage.targets import Targets, is_target, targets, with_roles
from mien.audit.run_leakage.views import View, balanced, question, views_of
from mien.common.files import write_json
from mien.common.progress import progress
from mien.errors import RunError
from mien.runs.run import Cell, Run

NUMBERS = ("score", "chance", "shuffled", "low", "high", "p", "p_corrected")
SUMMED = ("uar", "accuracy", "f1", "eer", "linkability", "hsic", "cka")


class Beside(NamedTuple):
    """What is kept of one depth beside the rows: the recalls of speakers, and what was said of each clip."""

    people: list[pd.DataFrame]
    said: list[dict[str, Any]]


class Measured(NamedTuple):
    """The leakage of a run.

    Attributes:
        table: the columns of `leakage.csv` (`COLUMNS`), p corrected over factors.
        by_speaker: those of `leakage_by_speaker.csv` (`recalls.COLUMNS`).
    """

    table: pd.DataFrame
    by_speaker: pd.DataFrame


def run_leakage(
    run: Run, *, thorough: bool = False, inputs: Inputs | None = None, workers: int = 1, seed: int = 0
) -> Measured:
    """Measure every finished cell of a run that has not been measured, and join the rows.

    Args:
        run: what is measured is kept in the folders of its cells and in `baselines/`.
        thorough: see the module's head; what was measured thoroughly before is joined in any case.
        inputs: for the ceilings of a thorough audit.
        workers: processes.
        seed: of the probes; all models are probed on the same divisions of a fold's clips.

    Returns:
        The rows of all cells and folds. A group of clips that cannot be divided, or without clips of one of its parts,
        has none.

    Raises:
        RunError: an embedding is not finite.
    """
    cells = run.cells
    first = {cell.fold: cell for cell in reversed(cells)}
    depths = (QUICK, THOROUGH) if thorough else (QUICK,)
    places = [cell.folder / KEPT for cell in cells] + [place_of_fold(run, fold) for fold in sorted(first)]
    told = targets(run)
    jobs = [delayed(_cell)(run, cell, depths, told, seed) for cell in cells]
    given = inputs or Inputs({})
    jobs += [delayed(measure_fold)(run, cell, depths, given, told, seed) for _, cell in sorted(first.items())]
    with progress(len(jobs), "leakage", "trainings and folds") as advance:
        for _ in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
            advance()
    found = [read(place) for place in places]
    table = pd.DataFrame([row for kept in found for row in joined(kept)], columns=list(COLUMNS))
    table = corrected(table.astype(dict.fromkeys(NUMBERS, float)).astype({"fold": "Int64", "seed": "Int64"}))
    people = [row for kept in found for row in joined(kept, PEOPLE)]
    return Measured(table, pd.DataFrame(people, columns=list(recalls.COLUMNS)))


def run_said(run: Run) -> pd.DataFrame:
    """What was said of each clip in every finished cell (`said.COLUMNS`); of model `baseline`, by the floors.

    Nothing is measured; no row where nothing was kept.
    """
    cells = run.cells
    places = [({"model": cell.model, "fold": cell.fold, "seed": cell.seed}, cell.folder / KEPT) for cell in cells]
    numbers = sorted({cell.fold for cell in cells})
    places += [({"model": floors.MODEL, "fold": fold, "seed": 0}, place_of_fold(run, fold)) for fold in numbers]
    return predictions.table(
        [(place, one) for place, path in places if path.is_file() for one in joined(read(path), SAID)]
    )


def summaries(table: pd.DataFrame, units: Mapping[int, int], by_speaker: pd.DataFrame | None = None) -> pd.DataFrame:
    """The means over folds and seeds of all that was measured, see `summary.leakage_summary`.

    Args:
        table: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        by_speaker: as `Run.leakage_by_speaker`.

    Returns:
        `factor, role, measure`, the columns of `summary.SUMMARY`, and `p_corrected`: Holm over factors.
    """
    keys = table[["factor", "role", "measure"]].drop_duplicates()
    parts = [
        leakage_summary(table, units, by_speaker, factor=factor, role=role, measure=measure).assign(
            factor=factor, role=role, measure=measure
        )
        for factor, role, measure in keys.itertuples(index=False)
        if measure in SUMMED
    ]
    if not parts:
        return pd.DataFrame()
    found = pd.concat(parts, ignore_index=True).assign(fold=np.nan, seed=np.nan)
    return corrected(found).drop(columns=["fold", "seed"])


def _cell(run: Run, cell: Cell, depths: Sequence[str], told: Targets, seed: int) -> None:
    """Measure a cell and keep it."""
    kept = fresh(cell.folder / KEPT, key_of_cell(run, cell, told, seed))
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
            with_roles(table.assign(**place), told, cell.model)
            for view in views_of(run, clips, thorough=depth == THOROUGH, always=bool(told), seed=seed)
            for name, values in embeddings.items()
            if depth == THOROUGH or not is_target(told, cell.model, name, view.factor)
            for table in (
                _thorough(name, values, clips, view, seed, beside, told, cell.model)
                if depth == THOROUGH
                else _quick(name, values, clips, view, seed, beside, told)
            )
        ]
        kept[depth] = plain(tables, COLUMNS)
        kept[f"{depth} {PEOPLE}"] = plain([part.assign(**place) for part in beside.people], recalls.COLUMNS)
        if beside.said:
            kept[f"{depth} {SAID}"] = beside.said
    write_json(cell.folder / KEPT, kept)


def _quick(
    name: str, values: NDArray[np.float32], clips: pd.DataFrame, view: View, seed: int, beside: Beside, told: Targets
) -> Iterator[pd.DataFrame]:
    """The speaker, and verification of those that were not seen; the emotion where embeddings are told apart."""
    if not (view.factor == SPEAKER or (told and view.main)):
        return
    yield from _leakage(name, values, clips, view, seed, beside, told)
    if view.factor == SPEAKER and view.seen == UNSEEN:
        yield _verified(name, values, clips, view, seed)


def _thorough(
    name: str,
    values: NDArray[np.float32],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    beside: Beside,
    told: Targets,
    model: str,
) -> Iterator[pd.DataFrame]:
    """Factors besides the speaker, and what an embedding is trained to carry; all after LEACE, and dependence."""
    erase = view.speakers if view.main else view.labels
    quick = view.factor == SPEAKER or (bool(told) and view.main)
    if not quick or is_target(told, model, name, view.factor):
        yield from _leakage(name, values, clips, view, seed, beside, told)
    yield from _leakage(f"{name}+{ERASED}", values, clips, view, seed, beside, told, erase=erase)
    looked = np.unique(np.concatenate([test for _, test in view.division.parts]))
    clusters = None if view.factor == SPEAKER else view.speakers[looked]
    found = dependence(values[view.rows[looked]], view.labels[looked], clusters=clusters, factor=view.factor, seed=seed)
    yield found.assign(embedding=name, speakers=view.seen)
    if view.factor == SPEAKER and view.seen == UNSEEN:
        trained = (clips["split"] == "train").to_numpy()
        eraser = Eraser.fit(values[trained], clips.loc[trained, "speaker"].to_numpy(str))
        yield _verified(f"{name}+{ERASED}", eraser.apply(values), clips, view, seed)


def _verified(name: str, values: NDArray[Any], clips: pd.DataFrame, view: View, seed: int) -> pd.DataFrame:
    """Pairs of unseen clips, centred by the training clips; an eraser of seen speakers is all that strangers get."""
    centre = values[(clips["split"] == "train").to_numpy()].mean(0)
    recordings = view.known.get("recordings")
    found = verification(values[view.rows], view.labels, recordings=recordings, centre=centre, seed=seed)
    return found.assign(embedding=name, speakers=view.seen)


def _leakage(
    name: str,
    values: NDArray[Any],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    beside: Beside,
    told: Targets,
    **more: Any,
) -> Iterator[pd.DataFrame]:
    """What probes read, and `beside` it the recalls of speakers, and what was said of test clips."""
    found = predict(values[view.rows], view.labels, view.division, seed=seed, **more)
    if view.factor == SPEAKER:
        beside.people.append(recalls.recalls(found, view.labels).assign(embedding=name, speakers=view.seen))
    if _kept(view, told):
        names = clips["clip"].iloc[view.rows].tolist()
        place = {"embedding": name, "factor": view.factor, "seen": view.seen}
        beside.said.append(predictions.said(found, view.labels, clips=names, people=view.speakers, **place))
    yield scored(found, view.labels, **question(view, seed)).assign(embedding=name)
    if view.main and view.seen == SEEN:
        yield scored(found, view.labels, **balanced(view, seed)).assign(embedding=name)


def _kept(view: View, told: Targets) -> bool:
    """Whether a view is one of test clips, of which what was said is kept."""
    across = len(view.division.parts) == 1 and (view.main or view.factor == SPEAKER)
    return across and (view.seen == SEEN or (bool(told) and view.main))
