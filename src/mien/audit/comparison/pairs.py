"""Paired differences between the models of a run, in scores and in leakage of the speaker.

Both models of a pair are scored on the same bootstrap resamples, so what is hard for both cancels out. Resamples are of
speakers or, for leakage of unseen speakers, of units of folds (see `summary`).

There is one **verdict**, also in `mien compare`: two models are `separable` if (1) the pair is compared over at least
`FEWEST` speakers (or units), (2) the 95 % interval of the difference excludes zero, and (3) the two-sided Wilcoxon
signed-rank test over them has p < `LEVEL` after Holm's correction over all pairs of the table. Otherwise they are "not
separable".
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.run_leakage import beside
from mien.audit.run_leakage.summary import FEWEST_UNITS, fold_units, resampled_means, seen_recalls
from mien.audit.statistics.scores import BySpeaker, interval, paired, tables
from mien.audit.statistics.significance import wilcoxon
from mien.audit.statistics.verdict import with_verdicts
from mien.common.leakage_tables import MEASURED, STRONGEST
from mien.common.measures import measure_of, of_classes
from mien.experiments.experiment import Experiment

DIFFERENCES = ("model", "other", "measure", "difference", "low", "high", "p", "p_holm", "separable", "speakers")
LEAKAGE = (
    *("model", "other", "embedding", "eraser", "speakers", "difference", "low", "high", "p", "p_holm", "separable"),
    *("number", "over", "parts", "folds"),
)

Pair = tuple[str, str]  # a model, and the other one that it is compared with


def families(experiment: Experiment) -> list[list[Pair]]:
    """The pairs that an experiment compares, by the families that p is corrected within.

    They are all pairs of its models, and each variant with its base.
    """
    varied = dict.fromkeys((point.name, point.base) for point in experiment.sweep if point.name != point.base)
    return [list(combinations(experiment.models, 2)), list(varied)]


def of_recognisers(family: Sequence[Pair], trained: Container[str]) -> list[Pair]:
    """The pairs of models that are trained for the main target; all pairs if no model is."""
    recognisers = {model for pair in family for model in pair if model in trained}
    return [pair for pair in family if recognisers.issuperset(pair)] if recognisers else list(family)


def differences(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    *,
    split: str = "test",
    among: Iterable[Pair] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired differences between models on the speakers they share.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        split: the part of each fold that is scored.
        among: the pairs to compare, if both models have predictions; None takes all.
        seed: of the bootstrap.

    Returns:
        One row per pair and measure (`DIFFERENCES`): `model, other, measure, difference` (model minus other), `low,
        high` (95 %, both models on the same resamples of speakers), `p` (Wilcoxon over speakers), `p_holm` (corrected
        over the pairs of a measure), `separable` (see the module), `speakers`.
    """
    own = {model: table for (model, part), table in tables(predictions, classes).items() if part == split}
    first_of = of_classes(classes)[0]
    found = []
    for model, other in _both(among, own):
        shared = sorted(set(own[model][first_of].speakers) & set(own[other][first_of].speakers))
        for measure in own[model] if shared else ():
            first, second = (_restrict(own[one][measure], shared) for one in (model, other))
            row = paired(first, second, measure, "difference", seed=seed)
            score = measure_of(measure)
            p = wilcoxon(score(first.counts) - score(second.counts))
            head = {"model": model, "other": other, "measure": measure}
            found.append({**head, **row, "p": p, "speakers": len(shared)})
    return with_verdicts(pd.DataFrame(found, columns=list(DIFFERENCES)), "measure", number="speakers")


def leakage_differences(
    leakage: pd.DataFrame,
    units: Mapping[int, int],
    by_speaker: pd.DataFrame | None = None,
    *,
    among: Iterable[Pair] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired differences between models in the measured leakage of the speaker.

    Each training run has the score of its strongest probe, chosen on validation clips, so the probes of a pair may
    differ. The folds and seeds that both models have are compared; seeds are averaged within a fold. For seen speakers,
    speakers are resampled. For unseen speakers, units of folds are (see `summary.fold_units`); these share speakers, so
    intervals over them tend to be too narrow.

    Args:
        leakage: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        by_speaker: the recalls of speakers, as in `Run.leakage_by_speaker`.
        among: the pairs to compare, if both models were measured; None takes all.
        seed: of the bootstrap.

    Returns:
        One row per pair, embedding, `eraser` and `speakers` (seen or unseen by the encoder), in the columns `LEAKAGE`:
        `model, other, embedding, eraser, speakers`; `difference` (model minus other, UAR in [0, 1]; below zero the
        first leaks less), `low, high` (nan for fewer than `FEWEST_UNITS` units), `p` (Wilcoxon), `p_holm` (corrected
        over the pairs of an embedding, `eraser` and `speakers`), `separable` (see the module), `number` of speakers or
        units, `over`: "speakers" or "units of folds"; `parts` (the difference in each fold) and `folds`. Only
        embeddings of the same name and eraser are compared.
    """
    table = leakage[(leakage["factor"] == "speaker") & (leakage["role"] == MEASURED)]
    table = table[(table["balanced"] == "") & (table["probe"] == STRONGEST) & (table["measure"] == "uar")]
    among = None if among is None else list(among)
    found = []
    for (embedding, eraser, speakers), rows in table.groupby(["embedding", "eraser", "speakers"], sort=False):
        scores = {
            str(model): part.set_index(["fold", "seed"])["score"] for model, part in rows.groupby("model", sort=False)
        }
        for model, other in _both(among, scores):
            both = pd.concat([scores[model], scores[other]], axis=1, keys=["model", "other"], join="inner")
            if both.empty:
                continue
            keys = [(name, embedding, eraser, speakers, STRONGEST) for name in (model, other)]
            first, second = (_recalls(by_speaker, key, both) for key in keys)
            parts, group = _by_fold(both, units)
            low, high, count, over = float("nan"), float("nan"), int(group.max()) + 1, "units of folds"
            each = np.bincount(group, parts) / np.bincount(group)
            if first is not None and second is not None:
                samples, count, over = beside.resampled_recalls(first, seed=seed), first.shape[1], "speakers"
                each = (first - second).mean().to_numpy(float)
                low, high = interval(samples - beside.resampled_recalls(second, seed=seed), count)
            elif count >= FEWEST_UNITS:
                low, high = interval(resampled_means(parts, group, seed), count)
            found.append(
                {
                    **{"model": model, "other": other, "embedding": embedding, "eraser": eraser, "speakers": speakers},
                    **{"difference": float(parts.mean()), "low": low, "high": high, "p": wilcoxon(each)},
                    **{"number": count, "over": over, "parts": tuple(parts.tolist()), "folds": len(parts)},
                }
            )
    return with_verdicts(pd.DataFrame(found, columns=list(LEAKAGE)), "embedding", "eraser", "speakers", number="number")


def _recalls(by_speaker: pd.DataFrame | None, place: tuple[object, ...], both: pd.DataFrame) -> pd.DataFrame | None:
    """The recalls of speakers, of the folds and seeds that both models have."""
    if by_speaker is None:
        return None
    return seen_recalls(by_speaker[pd.MultiIndex.from_frame(by_speaker[["fold", "seed"]]).isin(both.index)], place)


def _both(among: Iterable[Pair] | None, models: Mapping[str, object]) -> list[Pair]:
    """The pairs of which both models are given."""
    wanted = combinations(models, 2) if among is None else among
    return [(model, other) for model, other in wanted if model in models and other in models]


def _by_fold(both: pd.DataFrame, units: Mapping[int, int]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Model minus other in each fold, seeds averaged, and the unit of each fold."""
    means = both.groupby("fold").mean()
    wide = both.pivot_table(["model", "other"], "fold", "seed")
    return (means["model"] - means["other"]).to_numpy(float), fold_units(wide, units)


def _restrict(table: BySpeaker, speakers: Sequence[str]) -> BySpeaker:
    return BySpeaker(tuple(speakers), table.counts[[table.speakers.index(speaker) for speaker in speakers]])
