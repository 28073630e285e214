"""The accuracy-leakage plane: how well emotion is recognised against what is left of the speaker, a point a method.

Leakage is the UAR of the strongest probe of speakers heard in training. Both figures should be of one thing: where
`leakage.csv` says how well a fresh probe reads emotion from every embedding, that is the score of all points, and
embeddings after an eraser (`NAME+leace`), floors and ceilings have points too; else a point's score is the model's own
UAR on the clips that it is judged by.

Where a run's embeddings have several names (see `targets`), there is a second plane: what leaks there is the emotion,
from the embedding that is not trained for it (Peri et al. 2021), against the model's own UAR.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mien.audit.leakage.leakage import STRONGEST
from mien.audit.leakage.words import SEEN, UNSEEN
from mien.audit.probes.division import SPEAKER
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.run_leakage.targets import MEASURED, TARGET, targets
from mien.audit.statistics.scores import confusion, interval, resampled
from mien.common.measures import uar
from mien.runs.run import Run

KINDS = ("model", "erased", "floor", "ceiling")
ERASED = "+"  # between an embedding and the eraser in its name
BEFORE = "measured before the strongest probe was chosen on validation clips; 'mien audit RUN' measures it again"


class Point(NamedTuple):
    """One method; all fractions in [0, 1], nan = not known.

    Attributes:
        label: what it is called.
        score: UAR of emotion, high is good.
        low: lower end of its 95 % interval.
        high: upper end.
        leak: UAR of the strongest probe of speaker (or of emotion where it leaks), low is good.
        leak_low: lower end of its 95 % interval.
        leak_high: upper end.
        kind: model, erased (after an eraser), floor or ceiling.
        chance: what `leak` is without any knowledge.
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


class Figure(NamedTuple):
    """A figure over folds, with its 95 % interval, and its chance level."""

    value: float
    low: float
    high: float
    chance: float


def frontier(points: Sequence[Point]) -> list[bool]:
    """Whether each method is on the frontier (Pareto-optimal): none scores at least as high and leaks no more, but one.

    Floors and ceilings are no methods: they are never on it, and put nobody off it.
    """
    methods = [point for point in points if point.kind in {"model", "erased"}]
    return [point in methods and not any(_beats(other, point) for other in methods) for point in points]


def points(
    systems: Sequence[tuple[str, Run, str]], predictions: pd.DataFrame, *, factor: str = SPEAKER
) -> tuple[list[Point], list[str]]:
    """The points of systems, as far as their leakage was measured.

    Args:
        systems: what each is called, its run, and its model there.
        predictions: rows of the clips that they are judged by; `model` is what the system is called.
        factor: what leaks: speaker, or emotion, of which only models with a speaker embedding have points.

    Returns:
        The points, and sentences on what stands on the axes and what is missing.
    """
    leaks: dict[str, tuple[str, Figure, str]] = {}
    scores: dict[str, Figure] = {}
    tables = {run.folder: run.leakage for _, run, _ in systems}
    if any(not run.classes for _, run, _ in systems):
        return [], []
    if factor != SPEAKER:
        return _of_target(systems, predictions, tables)
    for name, run, model in systems:
        table = tables[run.folder]
        heard = figures(table, run, model, SPEAKER, SEEN)
        felt = _felt(table, run, model)
        plain = [embedding for embedding in heard if ERASED not in embedding]
        for embedding, leak in heard.items():
            base, _, eraser = embedding.partition(ERASED)
            label = (name if len(plain) < 2 else f"{name}, {base}") + (f" + {eraser.upper()}" if eraser else "")
            leaks[label] = (name, leak, "erased" if eraser else "model")
            if embedding in felt:
                scores[label] = felt[embedding]
    read = bool(leaks) and all(label in scores for label, (_, _, kind) in leaks.items() if kind == "model")
    found = []
    for label, (name, leak, kind) in leaks.items():
        if not read and kind == "model":
            scores[label] = _own(predictions, name, systems)
        if label in scores and (read or kind == "model"):
            found.append(_point(label, scores[label], leak, kind))
    if read:
        found += _baselines(systems, tables)
    return found, _sentences(systems, leaks, read, tables)


def _of_target(
    systems: Sequence[tuple[str, Run, str]], predictions: pd.DataFrame, tables: Mapping[Path, pd.DataFrame | None]
) -> tuple[list[Point], list[str]]:
    """Each model's own UAR against the emotion that leaks from the embedding of another task."""
    found = []
    for name, run, model in systems:
        own = targets(run).get(model, {})
        leaks = {} if not own else _either(tables[run.folder], run, model, MEASURED)
        plain = [embedding for embedding in leaks if ERASED not in embedding]
        if plain and any(run.target in factors for factors in own.values()):
            score = _own(predictions, name, systems)
            found += [
                _point(name if len(plain) < 2 else f"{name}, {embedding}", score, leaks[embedding], "model")
                for embedding in plain
            ]
    told = (
        "UAR of emotion by the system itself, against the UAR of the strongest emotion probe on the embedding that is "
        "not trained for it."
    )
    return found, [told] if found else []


def _either(table: pd.DataFrame | None, run: Run, model: str, role: str) -> dict[str, Figure]:
    """The emotion of people who were not heard, or, where all were, of those who were."""
    target = run.target
    return figures(table, run, model, target, UNSEEN, role) or figures(table, run, model, target, SEEN, role)


def _felt(table: pd.DataFrame | None, run: Run, model: str) -> dict[str, Figure]:
    """The emotion that a probe reads for use: of an embedding that is trained for it, where they are told apart."""
    return _either(table, run, model, TARGET if targets(run) else MEASURED)


def figures(
    table: pd.DataFrame | None,
    run: Run,
    model: str,
    factor: str,
    speakers: str,
    role: str = "measured",
) -> dict[str, Figure]:
    """Embedding -> the UAR that the strongest probe reads of a factor, over folds; none where it was not measured.

    Args:
        table: `leakage.csv`, or None.
        run: that the table is of.
        model: of the table, or `baseline`.
        factor: what is read.
        speakers: heard or unheard by the encoder.
        role: measured, floor or ceiling.
    """
    if table is None:
        return {}
    rows = strongest(table[(table["model"] == model) & (table["speakers"] == speakers)])
    rows = rows.assign(seed=rows["seed"].fillna(0))  # floors and ceilings have none
    return {
        row["embedding"]: Figure(*(float(row[key]) for key in ("score", "low", "high", "chance")))
        for row in leakage_summary(rows, run.units, run.leakage_by_speaker, factor=factor, role=role).to_dict("records")
    }


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `leakage.csv` that are *the* leakage by UAR; runs of before there was that choice have none."""
    return table[(table["measure"] == "uar") & (table["probe"] == STRONGEST)]


def _own(predictions: pd.DataFrame, name: str, systems: Sequence[tuple[str, Run, str]]) -> Figure:
    classes = next(run.classes for called, run, _ in systems if called == name)
    table = confusion(predictions[predictions["model"] == name], classes)
    low, high = interval(resampled(table, "uar"), len(table.speakers))
    return Figure(float(uar(table.counts.sum(0))), low, high, math.nan)


def _point(label: str, score: Figure, leak: Figure, kind: str) -> Point:
    return Point(label, score.value, score.low, score.high, leak.value, leak.low, leak.high, kind, leak.chance)


def _baselines(systems: Sequence[tuple[str, Run, str]], tables: Mapping[Path, pd.DataFrame | None]) -> Iterable[Point]:
    """Floors and ceilings of each run, of which both figures are there."""
    runs = {str(run.folder): (name.rpartition("/")[0], run) for name, run, _ in systems}
    for prefix, run in runs.values():
        for kind in ("floor", "ceiling"):
            table = tables[run.folder]
            leaks = figures(table, run, "baseline", SPEAKER, SEEN, kind)
            felt = _either(table, run, "baseline", kind)
            for embedding in leaks:
                if embedding in felt:
                    label = f"{prefix}/{embedding}" if prefix and len(runs) > 1 else embedding
                    yield _point(label, felt[embedding], leaks[embedding], kind)


def _tells(run: Run, model: str) -> bool:
    """Whether all embeddings of a model are trained to tell the speaker."""
    own = targets(run).get(model, {})
    return bool(own) and all(SPEAKER in factors for factors in own.values())


def _beats(other: Point, point: Point) -> bool:
    better = other.score > point.score or other.leak < point.leak
    return other.score >= point.score and other.leak <= point.leak and better


def _sentences(
    systems: Sequence[tuple[str, Run, str]],
    leaks: Mapping[str, tuple[str, Figure, str]],
    read: bool,
    tables: Mapping[Path, pd.DataFrame | None],
) -> list[str]:
    said = []
    known = {own for own, _, _ in leaks.values()}
    trained = [name for name, run, model in systems if name not in known and _tells(run, model)]
    systems = [system for system in systems if system[0] not in trained]
    if trained:
        said.append(f"The speaker is what {', '.join(trained)} is trained to tell, and no leak.")
    older = [
        name
        for name, run, model in systems
        if name not in known and (table := tables[run.folder]) is not None and (table["model"] == model).any()
    ]
    if lost := [name for name, _, _ in systems if name not in known and name not in older]:
        said.append(f"Leakage was not measured for {', '.join(lost)}; 'mien audit RUN' measures it.")
    if older:
        said.append(f"Leakage of {', '.join(older)} was {BEFORE}.")
    if leaks:
        what = "a fresh probe on the embedding" if read else "the system itself"
        said.append(
            f"Accuracy-leakage plane: UAR of emotion by {what}, against the UAR of the strongest probe of speakers "
            "heard in training."
        )
    probes = {frozenset(table["probe"]) for table in tables.values() if table is not None}
    if len(probes) > 1:
        said.append("The systems were not read by the same probes; 'mien audit RUN' measures all of them alike.")
    return said
