"""The accuracy-leakage plane: recognition of the main target against leakage of the speaker, one point per method.

Leakage is the UAR of the strongest probe on seen speakers. If `leakage.csv` has, for the embeddings of all models, the
UAR of a fresh probe of the main target, this is the score of all points, so that both axes are of the embedding. Then
embeddings after LEACE, floors and ceilings have points too. Otherwise the score of a point is the UAR of the model
itself on the clips that it is scored on.

If the embeddings of a run have tasks of their own (see `targets`), there is a second plane. It shows the leakage of the
main target from the embedding that is not trained for it (Peri et al. 2021), against the UAR of the model itself.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.run_leakage.targets import targets
from mien.audit.statistics.scores import confusion, interval, resampled
from mien.common.leakage_tables import CEILING, FLOOR, MEASURED, SEEN, SPEAKER, STRONGEST, TARGET, UNSEEN, after_eraser
from mien.common.measures import uar
from mien.runs.run import Run

KINDS = ("model", "erased", FLOOR, CEILING)


class Point(NamedTuple):
    """One method; all values are fractions in [0, 1], nan if unknown.

    Attributes:
        label: the name of the method.
        score: UAR of the main target, higher is better.
        low: lower end of its 95 % interval.
        high: upper end.
        leak: UAR of the strongest probe of the speaker (or of the main target if that leaks), lower is better.
        leak_low: lower end of its 95 % interval.
        leak_high: upper end.
        kind: model, erased (after an eraser), floor or ceiling.
        chance: the chance level of `leak`.
        method: after an eraser, the label of the same method without it; else empty.
        optimal: whether it is on the Pareto frontier of the points that it was found with.
    """

    label: str
    score: float
    low: float
    high: float
    leak: float
    leak_low: float
    leak_high: float
    kind: str = "model"
    chance: float = math.nan
    method: str = ""
    optimal: bool = False


class Figure(NamedTuple):
    """A score over folds with its 95 % interval and chance level."""

    value: float
    low: float
    high: float
    chance: float


class Label(NamedTuple):
    """The method of a point, and the eraser that its embedding went through; empty without one."""

    method: str
    eraser: str


Figures = dict[tuple[str, str], Figure]  # of an embedding and an eraser


def frontier(points: Sequence[Point]) -> list[bool]:
    """Whether each method is on the frontier, that is Pareto-optimal.

    It is on the frontier if no other method is at least as good in score and leakage, and better in one of them. Floors
    and ceilings are not methods: they are never on the frontier and do not change it.
    """
    methods = [point for point in points if point.kind in {"model", "erased"}]
    return [point in methods and not any(_beats(other, point) for other in methods) for point in points]


def points(
    systems: Sequence[tuple[str, Run, str]], predictions: pd.DataFrame, *, factor: str = SPEAKER
) -> tuple[list[Point], list[str]]:
    """The points of the systems whose leakage was measured.

    Args:
        systems: the name, run and model of each system.
        predictions: rows of the clips that the systems are scored on; `model` is the name of the system.
        factor: the factor that leaks: the speaker; or the main target, for which only models with an embedding of
            another task have points.

    Returns:
        The points, and sentences on the axes and on what is missing.
    """
    found, sentences = _points(systems, predictions, factor)
    return [point._replace(optimal=on) for point, on in zip(found, frontier(found), strict=True)], sentences


def planes(run: Run, predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The planes of a run: those of the speaker and of the main target that have points.

    Args:
        run: the run.
        predictions: rows of the clips that the models are scored on.

    Returns:
        The factor that leaks -> `points` and `sentences`, see `points`.
    """
    if run.leakage is None:
        return {}
    measured = set(run.leakage["model"])
    models = [(model, run, model) for model in dict.fromkeys(predictions["model"]) if model in measured]
    found = {factor: points(models, predictions, factor=factor) for factor in (SPEAKER, run.target)}
    return {factor: {"points": own, "sentences": said} for factor, (own, said) in found.items() if own}


def _points(
    systems: Sequence[tuple[str, Run, str]], predictions: pd.DataFrame, factor: str
) -> tuple[list[Point], list[str]]:
    leaks: dict[Label, tuple[str, Figure]] = {}
    scores: dict[Label, Figure] = {}
    tables = {run.folder: run.leakage for _, run, _ in systems}
    if any(not run.classes for _, run, _ in systems):
        return [], []
    if factor != SPEAKER:
        return _of_target(systems, predictions, tables)
    for name, run, model in systems:
        table = tables[run.folder]
        by_embedding = figures(table, run, model, SPEAKER, SEEN)
        useful = _useful(table, run, model)
        plain = [embedding for embedding, eraser in by_embedding if not eraser]
        for (embedding, eraser), leak in by_embedding.items():
            label = Label(name if len(plain) < 2 else f"{name}, {embedding}", eraser)
            leaks[label] = (name, leak)
            if (embedding, eraser) in useful:
                scores[label] = useful[embedding, eraser]
    probed = bool(leaks) and all(label in scores for label in leaks if not label.eraser)
    found = []
    for label, (name, leak) in leaks.items():
        if not probed and not label.eraser:
            scores[label] = _own(predictions, name, systems)
        if label in scores and (probed or not label.eraser):
            shown, kind = after_eraser(*label), "erased" if label.eraser else "model"
            found.append(_point(shown, scores[label], leak, kind, method=label.method if label.eraser else ""))
    if probed:
        found += _baselines(systems, tables)
    return found, _sentences(systems, leaks, probed, tables)


def _of_target(
    systems: Sequence[tuple[str, Run, str]], predictions: pd.DataFrame, tables: Mapping[Path, pd.DataFrame | None]
) -> tuple[list[Point], list[str]]:
    """The UAR of each model itself against the leakage of the main target from the embedding of another task."""
    found = []
    for name, run, model in systems:
        own = targets(run).get(model, {})
        leaks = {} if not own else _either(tables[run.folder], run, model, MEASURED)
        plain = [embedding for embedding, eraser in leaks if not eraser]
        if plain and any(run.target in factors for factors in own.values()):
            score = _own(predictions, name, systems)
            found += [
                _point(name if len(plain) < 2 else f"{name}, {embedding}", score, leaks[embedding, ""], "model")
                for embedding in plain
            ]
    target = systems[0][1].target if systems else ""
    axes = (
        f"UAR of {target} by the system itself, against the UAR of the strongest {target} probe on the embedding that "
        f"is not trained for {target}."
    )
    return found, [axes] if found else []


def _either(table: pd.DataFrame | None, run: Run, model: str, role: str) -> Figures:
    """The probe's UAR of the main target on unseen speakers, or on seen speakers if there are no unseen ones."""
    target = run.target
    return figures(table, run, model, target, UNSEEN, role) or figures(table, run, model, target, SEEN, role)


def _useful(table: pd.DataFrame | None, run: Run, model: str) -> Figures:
    """The probe's UAR of the main target; if embeddings have tasks of their own, of those trained for the target."""
    return _either(table, run, model, TARGET if targets(run) else MEASURED)


def figures(
    table: pd.DataFrame | None,
    run: Run,
    model: str,
    factor: str,
    speakers: str,
    role: str = MEASURED,
) -> Figures:
    """Embedding and eraser -> the UAR of the strongest probe of a factor over folds; empty if it was not measured.

    Args:
        table: `leakage.csv`, or None.
        run: the run of the table.
        model: a model of the table, or `baseline`.
        factor: the factor that the probe predicts.
        speakers: seen or unseen by the encoder.
        role: measured, floor or ceiling.
    """
    if table is None:
        return {}
    rows = strongest(table[(table["model"] == model) & (table["speakers"] == speakers)])
    rows = rows.assign(seed=rows["seed"].fillna(0))  # floors and ceilings have none
    return {
        (row["embedding"], row["eraser"]): Figure(*(float(row[key]) for key in ("score", "low", "high", "chance")))
        for row in leakage_summary(rows, run.units, run.leakage_by_speaker, factor=factor, role=role).to_dict("records")
    }


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `leakage.csv` of the strongest probe by UAR."""
    return table[(table["measure"] == "uar") & (table["probe"] == STRONGEST)]


def _own(predictions: pd.DataFrame, name: str, systems: Sequence[tuple[str, Run, str]]) -> Figure:
    classes = next(run.classes for system, run, _ in systems if system == name)
    table = confusion(predictions[predictions["model"] == name], classes)
    low, high = interval(resampled(table, "uar"), len(table.speakers))
    return Figure(float(uar(table.counts.sum(0))), low, high, math.nan)


def _point(label: str, score: Figure, leak: Figure, kind: str, method: str = "") -> Point:
    ends = (score.value, score.low, score.high, leak.value, leak.low, leak.high)
    return Point(label, *ends, kind, leak.chance, method)


def _baselines(systems: Sequence[tuple[str, Run, str]], tables: Mapping[Path, pd.DataFrame | None]) -> Iterable[Point]:
    """The floors and ceilings of each run of which both score and leakage were measured."""
    runs = {str(run.folder): (name.rpartition("/")[0], run) for name, run, _ in systems}
    for prefix, run in runs.values():
        for kind in (FLOOR, CEILING):
            table = tables[run.folder]
            leaks = figures(table, run, "baseline", SPEAKER, SEEN, kind)
            scores = _either(table, run, "baseline", kind)
            for key in leaks:
                if key in scores:
                    label = f"{prefix}/{key[0]}" if prefix and len(runs) > 1 else key[0]
                    yield _point(label, scores[key], leaks[key], kind)


def _identifies(run: Run, model: str) -> bool:
    """Whether all embeddings of a model are trained to identify the speaker."""
    own = targets(run).get(model, {})
    return bool(own) and all(SPEAKER in factors for factors in own.values())


def _beats(other: Point, point: Point) -> bool:
    better = other.score > point.score or other.leak < point.leak
    return other.score >= point.score and other.leak <= point.leak and better


def _sentences(
    systems: Sequence[tuple[str, Run, str]],
    leaks: Mapping[Label, tuple[str, Figure]],
    probed: bool,
    tables: Mapping[Path, pd.DataFrame | None],
) -> list[str]:
    sentences = []
    known = {own for own, _ in leaks.values()}
    trained = [name for name, run, model in systems if name not in known and _identifies(run, model)]
    systems = [system for system in systems if system[0] not in trained]
    if trained:
        sentences.append(f"Trained to identify the speaker, which is then no leak: {', '.join(trained)}.")
    if lost := [name for name, _, _ in systems if name not in known]:
        sentences.append(f"Leakage was not measured for {', '.join(lost)}; 'mien audit RUN' measures it.")
    if leaks:
        what = "a fresh probe on the embedding" if probed else "the system itself"
        target = systems[0][1].target
        sentences.append(
            f"Accuracy-leakage plane: UAR of {target} by {what}, against the UAR of the strongest probe of speakers "
            "seen in training."
        )
    probes = {frozenset(table["probe"]) for table in tables.values() if table is not None}
    if len(probes) > 1:
        sentences.append(
            "The systems were measured with different probes; 'mien audit RUN' measures all of them with the same ones."
        )
    return sentences
