"""What differs between systems: paired by speaker, tested in the field's ways, corrected for being many.

All scores are fractions in [0, 1]; differences are first minus second. The verdict `separable` is the one of `compare`,
Holm's correction going over all pairs of a measure. The other tests stand beside for comparison with papers: none of
them changes the verdict.

- `paired_t_trainings`: scores of the same fold and seed, one-tailed, first above second (Goncalves & Busso 2022);
  takes trainings as independent.
- `paired_t`: scores of a speaker, seeds averaged, one-tailed likewise; takes speakers as independent.
- `wilcoxon`: the same scores (of leakage: recalls of speakers by the strongest probe), by their ranks.
- `corrected_resampled_t`: scores of the same fold and seed (Nadeau & Bengio 2003); allows for shared training clips.
- `stuart_maxwell`, `mcnemar`: one prediction a clip (Peri et al. 2021, alpha .01): the classes that are told, and the
  clips on which one alone is right; take clips as independent, which those of a speaker are not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.comparison.paired_leakage import leakage_of, leakage_rows
from mien.audit.comparison.systems import System, Together
from mien.audit.comparison.tradeoff import Point, frontier, points
from mien.audit.recognition import reference
from mien.audit.statistics import significance
from mien.audit.statistics.scores import BySpeaker, interval, measure_of, measured, of_classes, resampled
from mien.audit.statistics.verdict import FEWEST, LEVEL, verdict
from mien.common.measures import within
from mien.errors import RunError, unknown

Drawn = dict[tuple[str, str], NDArray[np.float64]]  # system and measure -> the score on each draw of speakers
Tables = dict[str, dict[str, BySpeaker]]  # system -> measure -> what it is of

TESTS = ("paired_t_trainings", "paired_t", "wilcoxon", "corrected_resampled_t", "stuart_maxwell", "mcnemar")
PAIRS = (
    *("model", "other", "measure", "score", "other_score", "difference", "low", "high", "separable", "number", "over"),
    *(f"p_{test}{end}" for test in TESTS for end in ("", "_holm")),
)
SYSTEMS = (
    *("leakage", "leakage_low", "leakage_high", "leakage_chance", "optimal"),
    *("paper", "paper_uar", "paper_wa", "speakers", "clips", "folds", "seeds"),
)  # behind `system` and those of each measure


@dataclass(frozen=True)
class Comparison:
    """Systems and their differences.

    Attributes:
        together: what was compared.
        baseline: the system that all others are compared with; empty where all pairs are.
        systems: one row a system (`SYSTEMS`): `system`; of each measure its score, ends of the interval over speakers,
            and whether it is `best`: separably above the baseline, or above every other system; `leakage` of speaker,
            heard, by the strongest probe, with `optimal`: none has a higher UAR and leaks less; the paper's figures.
        pairs: one row a pair and measure (`PAIRS`): uar, wa, f1 (macro), of numbers ccc and rmse; `predictions` of
            classes (one a clip, by the mean probability over seeds; score: the share of right ones); and `leakage`;
            `number` of what stands behind it, which is `over`; p as it is and corrected by Holm over the pairs, nan
            where the test does not apply.
        points: of the accuracy-leakage plane.
        notes: sentences on how it was done.
    """

    together: Together
    baseline: str
    systems: pd.DataFrame
    pairs: pd.DataFrame
    points: tuple[Point, ...]
    notes: tuple[str, ...]

    @property
    def measures(self) -> list[str]:
        """The measures of the systems, *the* score first."""
        return [name.removesuffix("_best") for name in map(str, self.systems) if name.endswith("_best")]


def contrast(together: Together, *, baseline: str = "", seed: int = 0) -> Comparison:
    """Compare systems pair by pair.

    Args:
        together: the systems.
        baseline: a system's name, or its place: only pairs with it are looked at, it is the second of each.
        seed: of the bootstraps.

    Raises:
        RunError: the baseline is none of the systems.
    """
    against = _named(together, baseline) if baseline else None
    if against:
        asked = [(system, against) for system in together.systems if system is not against]
    else:
        asked = list(combinations(together.systems, 2))
    groups = together.predictions.groupby("model", sort=False)
    tables: Tables = {str(name): _measured(rows, together.classes) for name, rows in groups}
    drawn = {
        (name, measure): resampled(table, measure, seed=seed)
        for name, own in tables.items()
        for measure, table in own.items()
    }
    trained, votes = _trainings(together), _votes(together) if together.classes else None
    leaks = {system.name: leakage_of(system) for system in together.systems}
    rows: list[dict[str, Any]] = []
    for first, second in asked:
        rows += _scores(together, first, second, tables, drawn, trained)
        rows += [] if votes is None else [_predictions(together, first, second, votes)]
        rows += leakage_rows(first, second, leaks[first.name], leaks[second.name], seed=seed)
    pairs = pd.DataFrame(rows).reindex(columns=list(PAIRS))
    pairs = _judged(pairs)
    notes = [*together.notes, *_powerless(pairs)]
    told, axes = points([(system.name, system.run, system.model) for system in together.systems], together.predictions)
    systems = _systems(together, tables, drawn, pairs, told, against.name if against else "")
    return Comparison(together, against.name if against else "", systems, pairs, tuple(told), (*notes, *axes))


def _named(together: Together, baseline: str) -> System:
    asked = Path(baseline).resolve()
    for system in together.systems:
        folder = system.run.folder.resolve()
        if baseline == system.name or asked in (folder / system.model, folder / "models" / system.model):
            return system
    raise RunError(f"--baseline: {unknown('system', baseline, [system.name for system in together.systems])}")


def _measured(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, BySpeaker]:
    """Measure -> what it is of: those of a run, and of classes macro F1."""
    own = measured(rows, classes)
    return own | ({"f1": own[of_classes(classes)[0]]} if classes else {})


def _trainings(together: Together) -> dict[str, pd.DataFrame]:
    """System -> its scores, a column a measure, by fold and seed."""
    found: dict[str, dict[Any, dict[str, float]]] = {system.name: {} for system in together.systems}
    for (name, fold, seed), rows in together.predictions.groupby(["model", "fold", "seed"], sort=True):
        own = _measured(rows, together.classes)
        found[str(name)][fold, seed] = {key: float(measure_of(key)(one.counts.sum(0))) for key, one in own.items()}
    return {name: pd.DataFrame.from_dict(scores, orient="index") for name, scores in found.items()}


def _votes(together: Together) -> pd.DataFrame:
    """One class a clip and system, by its number: the most probable on average over seeds; and what is true."""
    classes = list(together.classes)
    means = together.predictions.groupby(["model", "clip"], sort=True)[classes].mean()
    votes = pd.Series(means.to_numpy(float).argmax(1), index=means.index).unstack("model")  # noqa: PD010 - one column
    return votes.assign(**{"": together.predictions.drop_duplicates("clip").set_index("clip")["truth"]})


def _scores(
    together: Together,
    first: System,
    second: System,
    tables: Tables,
    drawn: Drawn,
    trained: dict[str, pd.DataFrame],
) -> list[dict[str, Any]]:
    matched = not together.unpaired(first, second)
    rows = []
    for name, one in tables[first.name].items():
        two, measure = tables[second.name][name], measure_of(name)
        each, others = (within(measure, table.counts.sum(0))(table.counts) for table in (one, two))
        by_speaker = each - others
        row: dict[str, Any] = {"model": first.name, "other": second.name, "measure": name}
        row |= {"score": float(measure(one.counts.sum(0))), "other_score": float(measure(two.counts.sum(0)))}
        row["difference"] = row["score"] - row["other_score"]
        low, high = interval(drawn[first.name, name] - drawn[second.name, name], len(one.speakers))
        row |= {"low": low, "high": high, "number": len(one.speakers), "over": "speakers"}
        row |= {"p_paired_t": significance.paired_t(by_speaker), "p_wilcoxon": significance.wilcoxon(by_speaker)}
        if matched:
            apart = trained[first.name][name] - trained[second.name][name]
            row["p_paired_t_trainings"] = significance.paired_t(apart)
            row["p_corrected_resampled_t"] = significance.corrected_resampled_t(apart, _ratio(together, first))
        rows.append(row)
    return rows


def _ratio(together: Together, system: System) -> float:
    """Judged clips over training clips, the mean over folds."""
    return float(
        np.mean([len(fold[together.split]["clips"]) / len(fold["train"]["clips"]) for fold in system.run.splits])
    )


def _predictions(together: Together, first: System, second: System, votes: pd.DataFrame) -> dict[str, Any]:
    size = len(together.classes)
    one, two = (votes[system.name].to_numpy(np.intp) for system in (first, second))
    table = np.bincount(size * one + two, minlength=size**2).reshape(size, size)
    told = [set(str(emotion).split("+")) for emotion in votes[""]]
    right = [
        np.array([together.classes[guess] in true for guess, true in zip(guesses, told, strict=True)])
        for guesses in (one, two)
    ]
    scores = [float(side.mean()) for side in right]
    return {
        **{"model": first.name, "other": second.name, "measure": "predictions"},
        **{"score": scores[0], "other_score": scores[1], "difference": scores[0] - scores[1]},
        **{"number": len(votes), "over": "clips"},
        **{"p_stuart_maxwell": significance.stuart_maxwell(table), "p_mcnemar": significance.mcnemar(*right)},
    }


def _judged(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with corrected p, over the pairs of each measure, and the verdict."""
    for test in TESTS:
        for _, rows in pairs.groupby("measure"):
            p: NDArray[np.float64] = rows[f"p_{test}"].to_numpy(float)
            pairs.loc[rows.index, f"p_{test}_holm"] = significance.holm(p)
    separable = verdict(pairs["low"], pairs["high"], pairs["p_wilcoxon_holm"], pairs["number"])
    return pairs.assign(separable=separable.astype(object).where(pairs["measure"] != "predictions", None))


def _powerless(pairs: pd.DataFrame) -> Iterator[str]:
    """Sentences where nothing can be separable: even all on one side is too likely by chance."""
    leaks = pairs["measure"].str.startswith("leakage")
    for what, rows in (("scores", pairs[~leaks & (pairs["over"] == "speakers")]), ("leakage", pairs[leaks])):
        if rows.empty:
            continue
        count, number = len(rows[["model", "other"]].drop_duplicates()), int(rows["number"].min())
        over = rows["over"].iloc[0]
        if number < FEWEST:
            yield f"Nothing can be separable in {what}: {number} {over} are too few."
        elif count * 2.0 ** (1 - number) >= LEVEL:
            yield f"Nothing can be separable in {what}: {number} {over} are too few for {count} pairs; compare fewer."


def _systems(
    together: Together,
    tables: Tables,
    drawn: Drawn,
    pairs: pd.DataFrame,
    told: Sequence[Point],
    baseline: str,
) -> pd.DataFrame:
    optimal = dict(zip((point.label for point in told), frontier(told), strict=True))
    leaks = {point.label: point for point in told if point.kind == "model"}
    rows = []
    for system in together.systems:
        row: dict[str, Any] = {"system": system.name}
        for name, table in tables[system.name].items():
            row[name] = float(measure_of(name)(table.counts.sum(0)))
            row[f"{name}_low"], row[f"{name}_high"] = interval(drawn[system.name, name], len(table.speakers))
            own = pairs[pairs["measure"] == name]
            sign = 1 if measure_of(name).higher_is_better else -1
            row[f"{name}_best"] = _best(system.name, own, len(together.systems), baseline, sign)
        if point := leaks.get(system.name):
            row |= {"leakage": point.leak, "leakage_low": point.leak_low, "leakage_high": point.leak_high}
            row |= {"leakage_chance": point.chance, "optimal": optimal[system.name]}
        corpus = str(system.run.certificate["corpus"])
        if paper := reference.published(system.run.experiment, system.model, reference.RUN, corpus=corpus):
            row |= {f"paper_{name}": paper.figures.get(f"{name} {together.split}") for name in ("uar", "wa")}
            row["paper"] = paper.source
        own = together.predictions[together.predictions["model"] == system.name]
        row |= {"speakers": len(table.speakers), "clips": own["clip"].nunique()}
        rows.append(row | {"folds": own["fold"].nunique(), "seeds": own["seed"].nunique()})
    ends = ("", "_low", "_high", "_best")
    head = [f"{name}{end}" for name in tables[together.systems[0].name] for end in ends]
    return pd.DataFrame(rows).reindex(columns=["system", *head, *SYSTEMS])


def _best(name: str, pairs: pd.DataFrame, systems: int, baseline: str, sign: int) -> bool:
    """Whether a system is separably better than the baseline, or than all other systems where there is none."""
    first, second = pairs[pairs["model"] == name], pairs[pairs["other"] == name]
    above = (first["separable"].astype(bool) & (sign * first["difference"] > 0)).sum()
    if baseline:
        return bool(above)
    above += (second["separable"].astype(bool) & (sign * second["difference"] < 0)).sum()
    return bool(above == systems - 1)
