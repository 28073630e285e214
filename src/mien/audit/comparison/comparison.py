"""Differences between systems: paired by speaker, tested in several ways, corrected for multiple comparisons.

All scores are fractions in [0, 1]; differences are first minus second. The verdict `separable` follows the rule of
`pairs`, with Holm's correction over all pairs of a measure. The other tests are reported for comparison with papers and
do not change the verdict.

- `paired_t_cells`: scores of the same fold and seed, one-tailed, first above second (Goncalves & Busso 2022);
  assumes independent training runs.
- `paired_t`: scores of the same speaker, seeds averaged, one-tailed likewise; assumes independent speakers.
- `wilcoxon`: the ranks of the same scores (of leakage: recalls of speakers by the strongest probe).
- `corrected_resampled_t`: scores of the same fold and seed (Nadeau & Bengio 2003); allows for shared training clips.
- `stuart_maxwell`, `mcnemar`: one prediction per clip (Peri et al. 2021, alpha .01). The first compares how often each
  class is predicted, the second the clips on which only one system is right. Both assume independent clips, but clips
  of one speaker are not independent.
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
from mien.audit.comparison.readings import Worth, worths
from mien.audit.comparison.split_tests import beside, sampled, too_sure
from mien.audit.comparison.systems import System, Together
from mien.audit.comparison.tradeoff import Point, points
from mien.audit.statistics import significance
from mien.audit.statistics.over_splits import over_splits, ratio_of
from mien.audit.statistics.scores import BySpeaker, interval, measured, resampled
from mien.audit.statistics.verdict import FEWEST, LEVEL, verdict
from mien.common.measures import measure_of, of_classes, within
from mien.common.tables import records
from mien.errors import RunError, unknown
from mien.experiments import reference

Resampled = dict[tuple[str, str], NDArray[np.float64]]  # system and measure -> the score on each resample of speakers
Tables = dict[str, dict[str, BySpeaker]]  # system -> measure -> its statistics by speaker

OVER_SPLITS = ("splits", "mean", "t_low", "t_high", "t", "p_t", "p_corrected", "variance", "wider")  # of random splits
OF_PAPERS = ("wa", "f1", "ccc", "rmse")  # micro and macro F1, and those of numbers
TESTS = ("paired_t_cells", "paired_t", "wilcoxon", "corrected_resampled_t", "stuart_maxwell", "mcnemar")
PAIRS = (
    *("model", "other", "measure", "score", "other_score", "difference", "low", "high", "separable", "number", "over"),
    *(f"p_{test}{end}" for test in TESTS for end in ("", "_holm")),
    *OVER_SPLITS,
)
SYSTEMS = (
    *("leakage", "leakage_low", "leakage_high", "leakage_chance", "optimal"),
    *("paper", "paper_uar", "paper_wa", "speakers", "clips", "folds", "seeds"),
)  # behind `system` and those of each measure
ONE = {"speakers": "speaker", "units of folds": "unit of folds"}  # what intervals are over, for one of it


@dataclass(frozen=True)
class Comparison:
    """Systems and their differences.

    Attributes:
        together: the systems that are compared.
        baseline: the system that all others are compared with; empty if all pairs are compared.
        systems: one row per system (`SYSTEMS`): `system`; for each measure its score, the ends of the interval over
            speakers, and whether it is `best`: separably better than the baseline, or than every other system;
            `leakage` of seen speakers by the strongest probe, and whether it is `optimal`: no other system has a higher
            UAR and leaks less; the published scores.
        pairs: one row per pair and measure (`PAIRS`): uar, wa, f1 (macro), of numbers ccc and rmse; `predictions` of
            classes (one per clip, by the mean probability over seeds; its score is the share of right clips); and
            `leakage`. `number` is the number of units that a difference is computed over, `over` their name; p of each
            test, and corrected by Holm over the pairs, nan if the test does not apply. The last columns are those of
            `split_tests.beside`: of random splits, the t-test of the means over seeds, one a split.
        points: the points of the accuracy-leakage plane of the speaker.
        points_of_target: those of the main target, of systems with an embedding of another task.
        notes: sentences on how systems were compared.
    """

    together: Together
    baseline: str
    systems: pd.DataFrame
    pairs: pd.DataFrame
    points: tuple[Point, ...]
    points_of_target: tuple[Point, ...]
    notes: tuple[str, ...]

    @property
    def worths(self) -> list[Worth]:
        """What it is worth to test seen speakers, by the main score, where runs of both kinds are compared."""
        places = {one.name: (one.model, self.together.seen[one.of]) for one in self.together.systems}
        return list(worths(self.pairs[self.pairs["measure"] == self.measures[0]], places))

    @property
    def measures(self) -> list[str]:
        """The measures of the systems, the main score first."""
        return [name.removesuffix("_best") for name in map(str, self.systems) if name.endswith("_best")]


def contrast(together: Together, *, baseline: str = "", seed: int = 0) -> Comparison:
    """Compare systems pair by pair.

    Args:
        together: the systems.
        baseline: the name or folder of a system. If given, only pairs with it are compared; it is the second of each.
        seed: of the bootstraps.

    Raises:
        RunError: the baseline is not one of the systems.
    """
    against = _named(together, baseline) if baseline else None
    if against:
        compared = [(system, against) for system in together.systems if system is not against]
    else:
        compared = list(combinations(together.systems, 2))
    groups = together.predictions.groupby("model", sort=False)
    tables: Tables = {str(name): _measured(rows, together.classes) for name, rows in groups}
    samples = {
        (name, measure): resampled(table, measure, seed=seed)
        for name, own in tables.items()
        for measure, table in own.items()
    }
    by_cell, votes = _by_cell(together, tables), _votes(together) if together.classes else None
    leaks = {system.name: leakage_of(system) for system in together.systems}
    rows: list[dict[str, Any]] = []
    for first, second in compared:
        rows += _scores(together, first, second, tables, samples, by_cell)
        rows += [] if votes is None else [_predictions(together, first, second, votes)]
        rows += leakage_rows(first, second, leaks[first.name], leaks[second.name], seed=seed)
    pairs = pd.DataFrame(rows).reindex(columns=list(PAIRS))
    pairs = _with_verdicts(pairs)
    notes = [*together.notes, *powerless(pairs), *_too_sure(pairs)]
    placed = [(system.name, system.run, system.model) for system in together.systems]
    plane, axes = points(placed, together.predictions)
    of_target, _ = points(placed, together.predictions, factor=together.systems[0].run.target)
    systems = _systems(together, tables, samples, pairs, plane, against.name if against else "")
    named = against.name if against else ""
    return Comparison(together, named, systems, pairs, tuple(plane), tuple(of_target), (*notes, *axes))


def _named(together: Together, baseline: str) -> System:
    given = Path(baseline).resolve()
    for system in together.systems:
        folder = system.run.folder.resolve()
        if baseline == system.name or given in (folder / system.model, folder / "models" / system.model):
            return system
    raise RunError(f"--baseline: {unknown('system', baseline, [system.name for system in together.systems])}")


def _measured(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, BySpeaker]:
    """Measure -> its statistics by speaker: the measures of a run, and for classes macro F1."""
    own = measured(rows, classes)
    return own | ({"f1": own[of_classes(classes)[0]]} if classes else {})


def _by_cell(together: Together, tables: Tables) -> dict[str, pd.DataFrame]:
    """System -> its scores, one row per fold and seed, one column per measure; cells are parts, see `within`."""
    by_cell: dict[str, dict[Any, dict[str, float]]] = {system.name: {} for system in together.systems}
    for (name, fold, seed), rows in together.predictions.groupby(["model", "fold", "seed"], sort=True):
        own = _measured(rows, together.classes)
        whole = {key: table.counts.sum(0) for key, table in tables[str(name)].items()}
        by_cell[str(name)][fold, seed] = {
            key: float(within(measure_of(key), whole[key])(table.counts.sum(0))) for key, table in own.items()
        }
    return {name: pd.DataFrame.from_dict(scores, orient="index") for name, scores in by_cell.items()}


def _votes(together: Together) -> pd.DataFrame:
    """Class numbers, one row per clip, one column per system: the most probable on average over all folds and seeds
    that test the clip; and the truth.

    The truth is in the column `""`, as names of classes.
    """
    classes = list(together.classes)
    means = together.predictions.groupby(["model", "clip"], sort=True)[classes].mean()
    votes = pd.Series(means.to_numpy(float).argmax(1), index=means.index).unstack("model")  # noqa: PD010 - one column
    return votes.assign(**{"": together.predictions.drop_duplicates("clip").set_index("clip")["truth"]})


def _scores(
    together: Together,
    first: System,
    second: System,
    tables: Tables,
    samples: Resampled,
    by_cell: dict[str, pd.DataFrame],
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
        low, high = interval(samples[first.name, name] - samples[second.name, name], len(one.speakers))
        row |= {"low": low, "high": high, "number": len(one.speakers), "over": "speakers"}
        tail: significance.Alternative = "greater" if measure.higher_is_better else "less"  # that the first is better
        row["p_paired_t"] = significance.paired_t(by_speaker, alternative=tail)
        row["p_wilcoxon"] = significance.wilcoxon(by_speaker)
        if matched:
            apart = by_cell[first.name][name] - by_cell[second.name][name]
            row["p_paired_t_cells"] = significance.paired_t(apart, alternative=tail)
            ratio = ratio_of(first.run.splits, together.split)
            row["p_corrected_resampled_t"] = significance.corrected_resampled_t(apart, ratio)
            if sampled(first.run.experiment):
                each_split = apart.groupby(level=0).mean()
                row |= beside(over_splits(each_split, ratio, alternative=tail), low, high)
        rows.append(row)
    return rows


def _predictions(together: Together, first: System, second: System, votes: pd.DataFrame) -> dict[str, Any]:
    size = len(together.classes)
    one, two = (votes[system.name].to_numpy(np.intp) for system in (first, second))
    table = np.bincount(size * one + two, minlength=size**2).reshape(size, size)
    truth = [set(str(emotion).split("+")) for emotion in votes[""]]
    right = [
        np.array([together.classes[guess] in true for guess, true in zip(guesses, truth, strict=True)])
        for guesses in (one, two)
    ]
    scores = [float(side.mean()) for side in right]
    return {
        **{"model": first.name, "other": second.name, "measure": "predictions"},
        **{"score": scores[0], "other_score": scores[1], "difference": scores[0] - scores[1]},
        **{"number": len(votes), "over": "clips"},
        **{"p_stuart_maxwell": significance.stuart_maxwell(table), "p_mcnemar": significance.mcnemar(*right)},
    }


def _with_verdicts(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with p corrected over the pairs of each measure, and the verdict."""
    for test in TESTS:
        for _, rows in pairs.groupby("measure"):
            p: NDArray[np.float64] = rows[f"p_{test}"].to_numpy(float)
            pairs.loc[rows.index, f"p_{test}_holm"] = significance.holm(p)
    separable = verdict(pairs["low"], pairs["high"], pairs["p_wilcoxon_holm"], pairs["number"])
    return pairs.assign(separable=separable.astype(object).where(pairs["measure"] != "predictions", None))


def _too_sure(pairs: pd.DataFrame) -> Iterator[str]:
    """A note on the paired t-test over random splits, where pairs have one."""
    tested = pairs[pairs["measure"].isin(OF_PAPERS) & pairs["p_t"].notna()]
    if sentence := too_sure(records(tested)):
        yield sentence


def powerless(pairs: pd.DataFrame) -> Iterator[str]:
    """Sentences if nothing can be separable, since even differences of one sign are too likely by chance."""
    leaks = pairs["measure"].str.startswith("leakage")
    for what, rows in (("scores", pairs[~leaks & (pairs["over"] == "speakers")]), ("leakage", pairs[leaks])):
        if rows.empty:
            continue
        count, number = len(rows[["model", "other"]].drop_duplicates()), int(rows["number"].min())
        over = rows["over"].iloc[0]
        if number < FEWEST:
            are = "is" if number == 1 else "are"
            yield f"Nothing can be separable in {what}: {number} {ONE[over] if number == 1 else over} {are} too few."
        elif count * 2.0 ** (1 - number) >= LEVEL:
            yield f"Nothing can be separable in {what}: {number} {over} are too few for {count} pairs; compare fewer."


def _systems(
    together: Together,
    tables: Tables,
    samples: Resampled,
    pairs: pd.DataFrame,
    plane: Sequence[Point],
    baseline: str,
) -> pd.DataFrame:
    leaks = {point.label: point for point in plane if point.kind == "model"}
    rows = []
    for system in together.systems:
        row: dict[str, Any] = {"system": system.name}
        for name, table in tables[system.name].items():
            row[name] = float(measure_of(name)(table.counts.sum(0)))
            row[f"{name}_low"], row[f"{name}_high"] = interval(samples[system.name, name], len(table.speakers))
            own = pairs[pairs["measure"] == name]
            sign = 1 if measure_of(name).higher_is_better else -1
            row[f"{name}_best"] = _best(system.name, own, len(together.systems), baseline, sign)
        if point := leaks.get(system.name):
            row |= {"leakage": point.leak, "leakage_low": point.leak_low, "leakage_high": point.leak_high}
            row |= {"leakage_chance": point.chance, "optimal": point.optimal}
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
    """Whether a system is separably better than the baseline, or than all other systems if there is no baseline."""
    first, second = pairs[pairs["model"] == name], pairs[pairs["other"] == name]
    above = (first["separable"].astype(bool) & (sign * first["difference"] > 0)).sum()
    if baseline:
        return bool(above)
    above += (second["separable"].astype(bool) & (sign * second["difference"] < 0)).sum()
    return bool(above == systems - 1)
