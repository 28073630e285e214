"""The floors and ceilings of a fold of a run. They do not depend on the model, so they are measured once a fold."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mien.audit.leakage import floors
from mien.audit.leakage.leakage import Asked, predict
from mien.audit.probes.division import SPEAKER
from mien.audit.run_leakage.beside import predictions_for_json
from mien.audit.run_leakage.inputs import Inputs
from mien.audit.run_leakage.kept import QUICK, SAID, THOROUGH, fresh, key_of_fold, place_of_fold, plain
from mien.audit.run_leakage.targets import Targets
from mien.audit.run_leakage.views import View, balanced, question, views_of
from mien.common.files import write_json
from mien.common.leakage_tables import LEAKAGE, SEEN
from mien.runs.run import Cell, Run


def measure_fold(run: Run, cell: Cell, depths: Sequence[str], inputs: Inputs, carried: Targets, seed: int) -> None:
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
        texts: list[dict[str, Any]] = []
        for view in views_of(run, clips, thorough=depth == THOROUGH, always=bool(carried), seed=seed):
            given: dict[str, Any] = {"dimension": dimension} | inputs.of(clips["clip"].iloc[view.rows].tolist())
            quick = view.factor == SPEAKER or (bool(carried) and view.main)
            for settings in _settings(view, seed):
                if depth == QUICK and quick:
                    tables.append(floors.floors(view.labels, others=view.others, **settings))
                if depth == THOROUGH:
                    found = floors.floors(view.labels, others={} if quick else view.others, **given, **settings)
                    tables.append(found[found["embedding"] != floors.MAJORITY] if quick else found)
            if (depth == QUICK) == quick and view.main and view.seen == SEEN:
                texts += [_predicted(name, other, clips, view, seed) for name, other in view.others.items()]
        kept[depth] = plain([table.assign(fold=cell.fold) for table in tables], LEAKAGE)
        if texts:
            kept[f"{depth} {SAID}"] = texts
    write_json(path, kept)


def _settings(view: View, seed: int) -> list[Asked]:
    """The settings of the scores of a view. The main target of seen speakers is scored on balanced clips as well."""
    both = view.main and view.seen == SEEN
    return [question(view, seed), *([balanced(view, seed)] if both else [])]


def _predicted(name: str, other: Any, clips: pd.DataFrame, view: View, seed: int) -> dict[str, Any]:
    """The predictions from the true label of another factor, for each clip."""
    found = predict(floors.one_hot(other), view.labels, view.division, seed=seed)
    names = clips["clip"].iloc[view.rows].tolist()
    place = {"embedding": floors.IDENTITY.format(name), "eraser": "", "factor": view.factor, "seen": view.seen}
    return predictions_for_json(found, view.labels, clips=names, people=view.speakers, **place)
