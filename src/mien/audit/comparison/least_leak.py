"""Which point of a grid removes most and keeps its tasks: one rule for every kind of removal, on validation clips.

The score of the main target alone cannot choose the weight of a removal: it would choose the weakest. So of each base
model of a group the point is chosen whose embedding leaks least among those that keep all tasks. A task is kept unless
it is predicted worse than by the plain model, a model without a removal: separably, by the rule of `verdict`, with
Holm's correction over the points of the base. That is a weak demand where few clips validate: a loss that these cannot
separate is kept. The leak is what a fresh probe of one hidden layer reads, never what the model's own adversary says.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.audit.comparison.claim_scores import EVENLY, SCORES
from mien.audit.comparison.sweep import SPLIT
from mien.audit.run_leakage.measure import probe_predictions
from mien.audit.run_leakage.targets import targets
from mien.audit.statistics.contrasts import Score, Term, contrast, right_and_wrong, verdicts
from mien.audit.statistics.scores import BySpeaker, confusion
from mien.common.leakage_tables import SPEAKER
from mien.errors import ConfigError, RunError, unknown
from mien.experiments.claims import PROBES
from mien.runs.run import Run

HEAD = ("base", "label", "model")
ENDS = ("", "_low", "_high")


class Told(NamedTuple):
    """What the models tell of one factor.

    Attributes:
        tables: model or variant -> its counts by speaker, seeds averaged within a speaker.
        measure: the score of counts.
    """

    tables: Mapping[str, BySpeaker]
    measure: Score


def least_leak(run: Run, group: str, plain: str, *, embedding: str, probe: str = PROBES[0]) -> pd.DataFrame:
    """The points of a group with what they keep and leak, and the one that is chosen of each base.

    Args:
        run: a run of a grid with `hold_test`.
        group: of the grid.
        plain: the model without a removal that all points are compared with.
        embedding: the one whose leak of the main target counts; the main target is no task of it.
        probe: "mlp", of one hidden layer, or "strongest".

    Returns:
        One row for `plain`, then one a point: see `chosen`.

    Raises:
        RunError: the run scored test clips, or a file of it is missing or damaged.
        ConfigError: a group, model or embedding is unknown, or has no such leak.
    """
    if not run.experiment.hold_test:
        raise RunError(f"{run.folder}: scored test clips; a choice needs a run with hold_test: true")
    points = run.experiment.sweep
    if group not in (groups := dict.fromkeys(point.group for point in points)):
        raise ConfigError(unknown("group", group, groups))
    bases = dict.fromkeys(point.base for point in points if point.group == group)
    if plain not in run.experiment.models or plain in bases:
        others = [name for name in run.experiment.models if name not in bases]
        raise ConfigError(unknown("model without a removal", plain, others))
    carried, factor = targets(run), run.target
    if embedding not in carried.get(plain, {}) or factor in carried[plain][embedding]:
        usable = [name for name, own in carried.get(plain, {}).items() if factor not in own]
        raise ConfigError(unknown(f"embedding that may leak the {factor}", embedding, usable))
    tasks = {name: _told(run, name) for name in sorted(frozenset[str]().union(*carried[plain].values()))}
    places = [(point.base, point.label, point.name) for point in points if point.group == group]
    return chosen(places, plain, tasks, _leak(run, embedding, probe))


def chosen(
    places: list[tuple[str, str, str]], plain: str, tasks: Mapping[str, Told], leak: Told, *, seed: int = 0
) -> pd.DataFrame:
    """Apply the rule of the module.

    Args:
        places: (base, label, name) of each point.
        plain: the model that all points are compared with.
        tasks: factor -> what the heads of the models tell of it.
        leak: what a probe tells of the main target.
        seed: of the bootstraps.

    Returns:
        `base, label, model`; of each task its score, and `TASK_difference` from the plain model, with `_low` and
        `_high` (95 % over speakers) and `TASK_separable`; `leak` with its limits; `kept`: whether no task is separably
        worse; and `chosen`: of each base the point that leaks least of those that are kept, of equals the first.
        The first row is the plain model's.
    """
    rows: list[dict[str, Any]] = [dict.fromkeys(HEAD, plain) | {"label": "", "kept": True}]
    rows += [dict(zip(HEAD, place, strict=True)) for place in places]
    for row in rows:
        for task, told in tasks.items():
            row |= _limits(task, told, row["model"], seed)
        row |= _limits("leak", leak, row["model"], seed)
    for base in dict.fromkeys(base for base, _, _ in places):
        own = [row for row in rows[1:] if row["base"] == base]
        for task, told in tasks.items():
            pairs = [
                contrast(
                    [Term(1.0, told.tables[row["model"]], told.measure), Term(-1.0, told.tables[plain], told.measure)]
                )
                for row in own
            ]
            for row, found in zip(own, verdicts(pairs).to_dict("records"), strict=True):
                row[f"{task}_difference"] = found["difference"]
                row |= {f"{task}_difference{end}": found[end[1:]] for end in ENDS[1:]}
                row[f"{task}_separable"] = bool(found["separable"])
        for row in own:
            row["kept"] = not any(row[f"{task}_separable"] and row[f"{task}_difference"] < 0 for task in tasks)
    table = pd.DataFrame(rows)
    least = table[table["kept"] & table.index.to_series().gt(0)].sort_values("leak", kind="stable")
    return table.assign(chosen=table.index.isin(least.drop_duplicates("base").index))


def _limits(name: str, told: Told, model: str, seed: int) -> dict[str, float]:
    one = contrast([Term(1.0, told.tables[model], told.measure)], seed=seed)
    return dict(zip((f"{name}{end}" for end in ENDS), (one.difference, one.low, one.high), strict=True))


def _told(run: Run, factor: str) -> Told:
    """What heads tell on validation clips: accuracy of the speaker, macro F of anything else."""
    if factor == run.target:
        rows = run.predictions
        rows = rows[rows["split"] == SPLIT]
    elif (others := run.tasks) is None:
        raise RunError(f"{run.folder}: has no predictions of the task '{factor}'")
    else:
        rows = others[(others["split"] == SPLIT) & (others["factor"] == factor)]
    return _counted(rows[rows["truth"].notna()], factor)


def _leak(run: Run, embedding: str, probe: str) -> Told:
    """What a probe reads of the main target, all classes weighted alike."""
    rows = probe_predictions(run)
    rows = rows[(rows["eraser"] == "") & (rows["probe"] == probe) & (rows["factor"] == run.target)]
    told = _counted(rows[rows["embedding"] == embedding], run.target)
    return told._replace(measure=EVENLY["macro_f1"])


def _counted(rows: pd.DataFrame, factor: str) -> Told:
    if factor == SPEAKER:
        tables = {str(model): right_and_wrong(own) for model, own in rows.groupby("model")}
        return Told(tables, SCORES["accuracy"])
    classes = tuple(np.unique([*rows["truth"].astype(str), *rows["predicted"].astype(str)]))
    return Told({str(model): confusion(own, classes) for model, own in rows.groupby("model")}, SCORES["macro_f1"])
