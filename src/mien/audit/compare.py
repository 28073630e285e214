"""Paired differences between the models of a run, in scores and in what is left of the speaker.

Both models of a pair are looked at on the same bootstrap draws, of speakers (scores) or of units of folds (leakage, see
`summary.fold_units`), so what is hard for both cancels out. Intervals are 95 %, not corrected for the number of pairs.
Where fewer than `FEWEST` speakers or units stand behind an interval, nothing is called separable: a bootstrap over so
few is far too narrow.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.scores import MEASURES, Confusion, confusions, interval, paired
from mien.audit.summary import FEWEST_UNITS, drawn_means, fold_units
from mien.config import Experiment

FEWEST = 6  # speakers that can separate two models: were all five of five on one side, chance would do it 1 time in 16
DIFFERENCES = ("model", "other", "measure", "difference", "low", "high", "separable", "speakers")
LEAKAGE = (
    *("model", "other", "embedding", "speakers", "difference", "low", "high", "separable"),
    *("parts", "folds", "units"),
)

Pair = tuple[str, str]  # a model, and the other one that it is compared with


def pairs(experiment: Experiment) -> list[Pair]:
    """The pairs that an experiment asks for: all of its models as they stand, and each variant with its base."""
    varied = [(point.name, point.base) for point in experiment.sweep if point.name != point.base]
    return list(dict.fromkeys([*combinations(experiment.models, 2), *varied]))


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
        split: the part of each fold that is looked at.
        among: the pairs that are looked at, as far as both have predictions; None takes all.
        seed: of the bootstrap.

    Returns:
        One row a pair and measure (`DIFFERENCES`): `model, other, measure, difference` (model minus other), `low, high`
        (95 %, both models on the same draws of speakers), `separable` (the interval leaves out zero, and there are at
        least `FEWEST` speakers), `speakers`.
    """
    tables = {model: table for (model, part), table in confusions(predictions, classes).items() if part == split}
    found = []
    for model, other in _both(among, tables):
        shared = sorted(set(tables[model].speakers) & set(tables[other].speakers))
        first, second = _restrict(tables[model], shared), _restrict(tables[other], shared)
        for measure in MEASURES if shared else ():
            row = paired(first, second, measure, "difference", seed=seed)
            separable = _separable(row["low"], row["high"], len(shared))
            head = {"model": model, "other": other, "measure": measure}
            found.append({**head, **row, "separable": separable, "speakers": len(shared)})
    return pd.DataFrame(found, columns=list(DIFFERENCES))


def leakage_differences(
    leakage: pd.DataFrame, units: Mapping[int, int], *, among: Iterable[Pair] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Paired differences between models in the measured leakage of speaker.

    Each training is taken at its strongest probe, chosen on validation, so the two of a pair may be read by different
    probes. The trainings that both have are compared: seeds are averaged within a fold, and units of folds
    are drawn (see `summary.fold_units`), the same for both models. Units share speakers, the training speakers most of
    all, so intervals tend to be too narrow.

    Args:
        leakage: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        among: the pairs that are looked at, as far as both were measured; None takes all.
        seed: of the bootstrap.

    Returns:
        One row a pair, embedding and `speakers` (heard or unheard by the encoder), in the columns `LEAKAGE`: `model,
        other, embedding, speakers`; `difference` (model minus other, UAR in [0, 1]: below zero, the first gives less
        away), `low, high` (nan of fewer than `FEWEST_UNITS` units), `separable` (the interval leaves out zero, and
        there are at least `FEWEST` units), `parts` (the difference in each fold), `folds` and how many `units` they
        are. Embeddings are compared with their namesakes.
    """
    table = leakage[(leakage["factor"] == "speaker") & (leakage["role"] == "measured")]
    table = table[(table["probe"] == "strongest") & (table["measure"] == "uar")]
    among = None if among is None else list(among)
    found = []
    for (embedding, speakers), rows in table.groupby(["embedding", "speakers"], sort=False):
        scores = {
            str(model): part.set_index(["fold", "seed"])["score"] for model, part in rows.groupby("model", sort=False)
        }
        for model, other in _both(among, scores):
            both = pd.concat([scores[model], scores[other]], axis=1, keys=["model", "other"], join="inner")
            if both.empty:
                continue
            parts, group = _by_fold(both, units)
            low, high, count = float("nan"), float("nan"), int(group.max()) + 1
            if count >= FEWEST_UNITS:
                low, high = interval(drawn_means(parts, group, seed), count)
            found.append(
                {
                    **{"model": model, "other": other, "embedding": embedding, "speakers": speakers},
                    **{"difference": float(parts.mean()), "low": low, "high": high},
                    **{"separable": _separable(low, high, count)},
                    **{"parts": tuple(parts.tolist()), "folds": len(parts), "units": count},
                }
            )
    return pd.DataFrame(found, columns=list(LEAKAGE))


def _both(among: Iterable[Pair] | None, there: Mapping[str, object]) -> list[Pair]:
    """The pairs whose two models are there."""
    asked = combinations(there, 2) if among is None else among
    return [(model, other) for model, other in asked if model in there and other in there]


def _by_fold(both: pd.DataFrame, units: Mapping[int, int]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Model minus other in each fold, seeds averaged, and the unit of each fold."""
    means = both.groupby("fold").mean()
    wide = both.pivot_table(["model", "other"], "fold", "seed")
    return (means["model"] - means["other"]).to_numpy(float), fold_units(wide, units)


def _separable(low: float, high: float, count: int) -> bool:
    return count >= FEWEST and bool(low > 0 or high < 0)


def _restrict(table: Confusion, speakers: Sequence[str]) -> Confusion:
    return Confusion(tuple(speakers), table.counts[[table.speakers.index(speaker) for speaker in speakers]])
