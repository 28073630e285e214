"""Learning curves: the score of each model against the share of the labels that it is trained with.

A curve has a point for each `data.labelled` that a model of the comparison is trained with, itself or as a variant that
differs from it in nothing else (`experiments.shares`). A score is the main one of the comparison, and its interval is
over speakers, seeds averaged within a speaker first. The difference of a point from the *baseline* at the same share is
paired on the same resamples of speakers, and p is corrected (Holm) over all differences, see `pairs`.

The baseline of a model is the one that is given, else the supervised model (`RecipeConfig.supervised`) of its run, else
the only one of all runs. Models that were trained on other data or other folds than their baseline get no differences:
these would come from the data, too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.comparison.comparison import powerless
from mien.audit.comparison.pairs import differences
from mien.audit.comparison.systems import System, Together, same_folds
from mien.audit.statistics.scores import summary
from mien.common.measures import of_classes
from mien.common.settings import Named, difference
from mien.experiments.provenance import leaves
from mien.experiments.shares import by_share
from mien.runs.run import Run

COLUMNS = (
    *("system", "run", "model", "labelled", "variant", "labelled_clips", "unlabelled_clips"),
    *("measure", "score", "low", "high", "chance", "speakers", "clips", "seeds"),
    *("baseline", "difference", "difference_low", "difference_high", "p", "p_holm", "separable"),
)
ELSEWHERE = ("prepared", "labelled")  # settings of data that may differ: the place of a corpus, and the share itself


class Learner(NamedTuple):
    """What a model of a curve learns from, beside the labels of the main target.

    Attributes:
        tasks: whether from labels of other factors.
        removed: the factors that are removed.
        label_free: whether a loss needs no label.
        supervised: whether from nothing else.
    """

    tasks: bool
    removed: tuple[str, ...]
    label_free: bool
    supervised: bool


@dataclass(frozen=True)
class Curves:
    """The learning curves of a comparison.

    Attributes:
        measure: the main score.
        split: the part of each fold that is scored.
        heard: whether clips have sound alone.
        table: one row per model and share (`COLUMNS`), by model and ascending share. `labelled` is the share,
            `labelled_clips` and `unlabelled_clips` the training clips with and without a known label, the mean over
            folds and seeds, nan if the run does not record them; `difference`: the score minus that of `baseline`;
            nan, and an empty `baseline`, if there is none.
        learners: system -> what it learns from.
        notes: sentences on what is missing, and on what else differs between a model and its baseline.
    """

    measure: str
    split: str
    heard: bool
    table: pd.DataFrame
    learners: Mapping[str, Learner]
    notes: tuple[str, ...]


class Point(NamedTuple):
    """A model at one share of the labels; `variant` is its name in the run."""

    system: System
    share: float
    variant: str

    @property
    def name(self) -> str:
        """The name in tables of predictions; no name of a system has a space."""
        return f"{self.share:g} {self.system.name}"


def learning_curves(together: Together, *, baseline: str = "", seed: int = 0) -> Curves | None:
    """The learning curves of the models of a comparison; None if no model is trained with two shares or more.

    Args:
        together: the systems that are compared; those that are variants themselves have no curve.
        baseline: the name of the system that all others are compared with; by default the supervised model is.
        seed: of the bootstraps.

    Raises:
        RunError: a file of a run is missing or damaged.
    """
    systems = [system for system in together.systems if system.model in system.run.experiment.models]
    planned = [
        Point(system, share, variant)
        for system in systems
        for share, variant in by_share(system.run.experiment, system.model).items()
    ]
    if len(planned) == len(systems):
        return None
    points, rows, notes = _trained(together, planned)
    against, more = _baselines(systems, baseline)
    there = {point.name: point for point in points}
    pairs = {
        point.name: other.name
        for point in points
        if (base := against.get(point.system.name)) and (other := Point(base, point.share, "")).name in there
    }
    classes, first = together.classes, of_classes(together.classes)[0]
    scores = _by_name(summary(rows, classes, seed=seed))
    apart = differences(rows, classes, split=together.split, among=list(pairs.items()), seed=seed)
    apart_of = _by_name(apart[apart["measure"] == first])
    table = [
        _row(point, first, scores[point.name])
        | _difference(apart_of.get(point.name), there[pairs[point.name]].system.name if point.name in pairs else "")
        for point in points
    ]
    notes += [*more, *_powerless(apart), *_else(systems, against)]
    return Curves(
        measure=first,
        split=together.split,
        heard=all(system.run.experiment.data.video is None for system in systems),
        table=pd.DataFrame(table, columns=list(COLUMNS)),
        learners={system.name: _learner(system) for system in systems},
        notes=tuple(notes),
    )


def _trained(together: Together, planned: Sequence[Point]) -> tuple[list[Point], pd.DataFrame, list[str]]:
    """The points that are trained with all folds and seeds, their predictions by `Point.name`, and notes."""
    clips, points, parts, lost = set(together.predictions["clip"]), [], [], []
    for point in planned:
        table = point.system.run.predictions
        table = table[(table["split"] == together.split) & table["truth"].notna() & table["clip"].isin(clips)]
        own = table[table["model"] == point.variant]
        if set(own["clip"]) == clips and len(_cells(own)) == len(_cells(table)):
            points.append(point)
            parts.append(own.assign(model=point.name))
        else:
            lost.append(f"{point.system.name} with {point.share:g} of the labels")
    notes = [f"Not on a curve, since some folds or seeds are not trained yet: {', '.join(lost)}."] if lost else []
    return points, pd.concat(parts, ignore_index=True), notes


def _by_name(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(name): dict(row) for name, row in table.set_index("model").to_dict("index").items()}  # type: ignore[arg-type]


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["fold", "seed"]].drop_duplicates()


def _baselines(systems: Sequence[System], baseline: str) -> tuple[dict[str, System], list[str]]:
    """System -> its baseline, of the systems that have one, and notes on the others."""
    supervised = [system for system in systems if _config(system).supervised]
    given = [system for system in systems if system.name == baseline]
    if baseline and not given:
        return {}, [f"Learning curves have no differences: the baseline {baseline} is a variant itself."]
    if not given and not supervised:
        return {}, [
            "Learning curves have no differences, since every model learns from more than the labels of one factor; "
            "--baseline RUN/MODEL names the model to compare with."
        ]
    found: dict[str, System] = {}
    notes: dict[str, None] = {}
    for system in systems:
        own = [one for one in supervised if one.run is system.run]
        chosen = given or (own if own else supervised)
        if system in chosen:
            continue
        if len(chosen) > 1:
            names = ", ".join(one.name for one in chosen)
            notes[f"No differences where several models are supervised ({names}): --baseline names one."] = None
        elif why := _other_data(system.run, chosen[0].run):
            notes[f"No differences between learning curves of {system.of} and {chosen[0].of}: {why}."] = None
        else:
            found[system.name] = chosen[0]
    return found, list(notes)


def _other_data(run: Run, other: Run) -> str:
    """Why two runs do not train on the same data, as a clause; empty if they do."""
    if run is other:
        return ""
    one, two = (each.experiment.data.model_dump(mode="json", exclude=set(ELSEWHERE)) for each in (run, other))
    if changed := difference(one, two, "data"):
        return "{} is {} and {}".format(*changed)
    return "" if same_folds(run, other) else "their folds differ"


def _row(point: Point, measure: str, score: Mapping[str, Any]) -> dict[str, Any]:
    labelled, unlabelled = _clips(point)
    return {
        **{"system": point.system.name, "run": point.system.of, "model": point.system.model},
        **{"labelled": point.share, "variant": point.variant},
        **{"labelled_clips": labelled, "unlabelled_clips": unlabelled, "measure": measure, "score": score[measure]},
        **{key: score[f"{measure}_{key}"] for key in ("low", "high", "chance")},
        **{key: score[key] for key in ("speakers", "clips", "seeds")},
    }


def _difference(found: Mapping[str, Any] | None, baseline: str) -> dict[str, Any]:
    if found is None:
        return {"baseline": ""}
    return {
        **{"baseline": baseline, "difference": found["difference"]},
        **{f"difference_{end}": found[end] for end in ("low", "high")},
        **{key: found[key] for key in ("p", "p_holm", "separable")},
    }


def _clips(point: Point) -> tuple[float, float]:
    """The training clips with and without a known label of the main target, the mean over folds and seeds."""
    run = point.system.run
    unlabelled = run.experiment.data.unlabelled == "train"
    with_label, whole = [], []
    for fold in run.splits:
        kept = fold.get("labelled", {}).get(str(point.share))
        if kept is None and (point.share < 1 or not (run.folder / "clips.csv").is_file()):
            return math.nan, math.nan if unlabelled else 0.0
        train = fold["train"]["clips"]
        with_label += [len(clips) for clips in kept.values()] if kept else [_known(run, train)]
        whole += [len(train)] * len(kept or [0])
    mean = sum(with_label) / len(with_label)
    return mean, sum(whole) / len(whole) - mean if unlabelled else 0.0


def _known(run: Run, clips: Sequence[str]) -> int:
    """How many of some clips have exactly one label."""
    labels = run.clips["label"].reindex(list(clips)).dropna()
    if pd.api.types.is_numeric_dtype(labels):
        return len(labels)
    return int((~labels.str.contains("+", regex=False)).sum())


def _config(system: System) -> Any:
    return system.run.experiment.model(system.model)


def _learner(system: System) -> Learner:
    config = _config(system)
    other = bool(config.tasks - {system.run.target})
    return Learner(other, tuple(sorted(config.removed)), config.label_free, config.supervised)


def _powerless(apart: pd.DataFrame) -> Iterator[str]:
    for sentence in powerless(apart.assign(number=apart["speakers"], over="speakers")):
        yield f"Learning curves: {sentence[0].lower()}{sentence[1:]}"


def _else(systems: Sequence[System], against: Mapping[str, System]) -> Iterator[str]:
    """Sentences on the settings in which models differ from their baselines."""
    for system in systems:
        if base := against.get(system.name):
            one, two = (dict(leaves(_settings(each))) for each in (system, base))
            keys = [key for key in {**two, **one} if one.get(key) != two.get(key)]
            if "recipe" in keys:  # settings that only one of the two recipes has say nothing more
                keys = [key for key in keys if key in one and key in two]
            names = ", ".join(key.removeprefix("models.") for key in keys)
            yield f"{system.name} differs from {base.name} in {names or 'nothing'}."


def _settings(system: System) -> Named:
    experiment = system.run.experiment
    whole: Named = experiment.model_dump(mode="json", include={"recipe", "encoder", "training", "optimiser"})
    return whole | {"models": experiment.model(system.model).model_dump(mode="json")}
