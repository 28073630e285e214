"""The leakage of a run: every finished cell, measured once and kept beside it, so that an interrupted audit goes on.

Two depths. The first is what every training ends with: the speaker, heard in training or not, by all probes, and
verification of unheard speakers. The thorough one adds the emotion that the same embedding still carries (probes
that are fitted on the training clips, tested on the test clips), the factors that group speakers, all of it after LEACE
too, and dependence. What does not depend on the model (floors, and inputs as ceilings) is measured once a fold.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from mien.audit import floors, recalls
from mien.audit.dependence import dependence
from mien.audit.division import SPEAKER
from mien.audit.leace import Eraser
from mien.audit.leakage import COLUMNS, Asked, corrected, predict, scored
from mien.audit.metrics import records
from mien.audit.run_inputs import Inputs
from mien.audit.run_views import EMOTION, UNHEARD, View, views
from mien.audit.summary import leakage_summary
from mien.audit.verification import verification
from mien.errors import RunError
from mien.files import sha256, write_json
from mien.progress import progress
from mien.run import Cell, Run, reading
from mien.settings import digest

VERSION = 3  # of what is measured: raised when the same embeddings give other rows
KEPT = "leakage.json"  # in the folder of a cell, and of a fold below `baselines`
QUICK, THOROUGH = "quick", "thorough"
ERASED = "leace"
PEOPLE = "speakers"  # what is kept of them, after the depth in its name
NUMBERS = ("score", "chance", "shuffled", "low", "high", "p", "p_corrected")
SUMMED = ("uar", "accuracy", "f1", "eer", "linkability", "hsic", "cka")

Rows = list[dict[str, Any]]


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
    places = [cell.folder for cell in cells] + [run.folder / "baselines" / f"fold-{fold}" for fold in sorted(first)]
    jobs = [delayed(_cell)(run, cell, depths, seed) for cell in cells]
    jobs += [delayed(_fold)(run, cell, depths, inputs or Inputs({}), seed) for _, cell in sorted(first.items())]
    with progress(len(jobs), "leakage", "trainings and folds") as advance:
        for _ in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
            advance()
    found = [_read(place / KEPT) for place in places]
    table = pd.DataFrame([row for kept in found for row in _joined(kept)], columns=list(COLUMNS))
    table = corrected(table.astype(dict.fromkeys(NUMBERS, float)).astype({"fold": "Int64", "seed": "Int64"}))
    people = [row for kept in found for depth in (QUICK, THOROUGH) for row in kept.get(f"{depth} {PEOPLE}", [])]
    return Measured(table, pd.DataFrame(people, columns=list(recalls.COLUMNS)))


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


def _cell(run: Run, cell: Cell, depths: Sequence[str], seed: int) -> None:
    """Measure a cell and keep it."""
    key = _key(run, cell, seed)
    kept = _fresh(cell.folder / KEPT, key)
    if not (lacking := [depth for depth in depths if depth not in kept]):
        return
    clips, embeddings = run.embeddings(cell)
    for name, values in embeddings.items():
        if not np.isfinite(values).all():
            raise RunError(f"{cell.folder}: the embedding '{name}' is not finite; train this cell again")
    for depth in lacking:
        place: dict[str, Any] = {"model": cell.model, "fold": cell.fold, "seed": cell.seed}
        people: list[pd.DataFrame] = []
        tables = [
            table.assign(**place)
            for view in views(clips, thorough=depth == THOROUGH, seed=seed)
            for name, values in embeddings.items()
            for table in (_thorough if depth == THOROUGH else _quick)(name, values, clips, view, seed, people)
        ]
        kept[depth] = _plain(tables, COLUMNS)
        kept[f"{depth} {PEOPLE}"] = _plain([part.assign(**place) for part in people], recalls.COLUMNS)
    write_json(cell.folder / KEPT, kept)


def _quick(
    name: str,
    values: NDArray[np.float32],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    people: list[pd.DataFrame],
) -> Iterator[pd.DataFrame]:
    """The speaker, and verification of those that were not heard."""
    if view.factor != SPEAKER:
        return
    yield _leakage(name, values, view, seed, people)
    if view.heard == UNHEARD:
        yield _verified(name, values, clips, view, seed)


def _thorough(
    name: str,
    values: NDArray[np.float32],
    clips: pd.DataFrame,
    view: View,
    seed: int,
    people: list[pd.DataFrame],
) -> Iterator[pd.DataFrame]:
    """Factors besides the speaker, all after LEACE, and dependence."""
    erase = view.speakers if view.factor == EMOTION else view.labels
    if view.factor != SPEAKER:
        yield _leakage(name, values, view, seed, people)
    yield _leakage(f"{name}+{ERASED}", values, view, seed, people, erase=erase)
    looked = np.unique(np.concatenate([test for _, test in view.division.parts]))
    clusters = None if view.factor == SPEAKER else view.speakers[looked]
    found = dependence(values[view.rows[looked]], view.labels[looked], clusters=clusters, factor=view.factor, seed=seed)
    yield found.assign(embedding=name, speakers=view.heard)
    if view.factor == SPEAKER and view.heard == UNHEARD:
        trained = (clips["split"] == "train").to_numpy()
        eraser = Eraser.fit(values[trained], clips.loc[trained, "speaker"].to_numpy(str))
        yield _verified(f"{name}+{ERASED}", eraser.apply(values), clips, view, seed)


def _verified(name: str, values: NDArray[Any], clips: pd.DataFrame, view: View, seed: int) -> pd.DataFrame:
    """Pairs of unheard clips, centred by the training clips; an eraser of heard speakers is all that strangers get."""
    centre = values[(clips["split"] == "train").to_numpy()].mean(0)
    recordings = view.known.get("recordings")
    found = verification(values[view.rows], view.labels, recordings=recordings, centre=centre, seed=seed)
    return found.assign(embedding=name, speakers=view.heard)


def _leakage(
    name: str, values: NDArray[Any], view: View, seed: int, people: list[pd.DataFrame], **more: Any
) -> pd.DataFrame:
    """What probes read; of the factor speaker the recalls of speakers are added to `people`."""
    found = predict(values[view.rows], view.labels, view.division, seed=seed, **more)
    if view.factor == SPEAKER:
        people.append(recalls.recalls(found, view.labels).assign(embedding=name, speakers=view.heard))
    return scored(found, view.labels, **_asked(view, seed)).assign(embedding=name)


def _asked(view: View, seed: int) -> Asked:
    return {
        **{"factor": view.factor, "speakers": None if view.factor == SPEAKER else view.speakers},
        **{"recordings": view.known.get("recordings"), "division": view.division, "heard": view.heard, "seed": seed},
    }


def _fold(run: Run, cell: Cell, depths: Sequence[str], inputs: Inputs, seed: int) -> None:
    """Measure the floors and ceilings of a fold, on the clips of one of its cells, and keep them."""
    path = run.folder / "baselines" / f"fold-{cell.fold}" / KEPT
    clips, embeddings = run.embeddings(cell)
    dimension = sorted({values.shape[1] for values in embeddings.values()})
    labels = clips[[name for name in clips if name not in ("file", "sha256")]].astype(object).where(clips.notna(), None)
    kept = _fresh(path, digest([VERSION, seed, dimension, labels.to_dict("list")]))
    if THOROUGH in depths and kept.get("inputs") != inputs.key:
        kept = {name: value for name, value in kept.items() if name != THOROUGH} | {"inputs": inputs.key}
    if not (lacking := [depth for depth in depths if depth not in kept]):
        return
    for depth in lacking:
        tables = []
        for view in views(clips, thorough=depth == THOROUGH, seed=seed):
            given: dict[str, Any] = {"dimension": dimension} | inputs.of(clips["clip"].iloc[view.rows].tolist())
            quick = view.factor == SPEAKER
            if depth == QUICK and quick:
                tables.append(floors.floors(view.labels, others=view.others, **_asked(view, seed)))
            if depth == THOROUGH:
                found = floors.floors(view.labels, others={} if quick else view.others, **given, **_asked(view, seed))
                tables.append(found[found["embedding"] != floors.MAJORITY] if quick else found)
        kept[depth] = _plain([table.assign(fold=cell.fold) for table in tables], COLUMNS)
    write_json(path, kept)


def _key(run: Run, cell: Cell, seed: int) -> str:
    """What the rows of a cell stand on."""
    return digest([VERSION, seed, sha256(cell.folder / "embeddings.safetensors"), sha256(run.folder / "clips.csv")])


def _fresh(path: Path, key: str) -> dict[str, Any]:
    """What is kept of the same embeddings, or an empty beginning."""
    kept = _read(path) if path.is_file() else {}
    return kept if kept.get("key") == key else {"key": key}


def _read(path: Path) -> dict[str, Any]:
    with reading(path, way="delete it and run the same command again"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(kept, dict):
            raise ValueError("not a mapping")
        return kept


def _joined(kept: dict[str, Any]) -> Rows:
    return [row for depth in (QUICK, THOROUGH) for row in kept.get(depth, [])]


def _plain(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> Rows:
    """Rows as JSON has them; a table without rows has no columns either."""
    return [row for table in tables if len(table) for row in records(table.reindex(columns=list(columns)))]
