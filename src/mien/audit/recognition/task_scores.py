"""Scores of the heads of models over speakers: macro F of the main target, accuracy and CCC of other tasks.

All scores are of pooled clips, seeds averaged within a speaker; those of classes are fractions in [0, 1]. Intervals are
95 % bootstrap intervals over speakers; those of accuracy and macro F are corrected for bias, as in `contrasts`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.statistics.contrasts import Contrast, Score, Term, contrast, right_and_wrong
from mien.audit.statistics.scores import SPLITS, BySpeaker, confusions, interval, measured, resampled
from mien.audit.statistics.significance import holm, stuart_maxwell
from mien.common.measures import MEASURES, macro_f1, wa

SCORED = ("model", "split", "factor", "accuracy", "low", "high", "seeds", "chance", "speakers", "clips", "cells")
NUMBERS = (
    *("model", "split", "factor", "ccc", "ccc_low", "ccc_high", "ccc_chance"),
    *("rmse", "rmse_low", "rmse_high", "rmse_chance", "speakers", "clips", "cells"),
)


def task_scores(tasks: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """The accuracy of each model's head of a factor, one row per model, split and factor (`SCORED`).

    Args:
        tasks: `tasks.csv`: clips whose true class is among the training classes; numbers are left out.
        seed: of the bootstrap.

    Returns:
        `accuracy`, with its interval `low`, `high` over speakers; `seeds`: the standard deviation of the pooled
        accuracy over seeds, nan for one seed; `chance`: the share of the most frequent class; the numbers of
        `speakers`, `clips` and `cells` (folds and seeds).
    """
    found: list[dict[str, Any]] = []
    for (model, factor), own in tasks[tasks["probability"].notna()].groupby(["model", "factor"], sort=False):
        for split in SPLITS:
            if len(rows := own[own["split"] == split]):
                table = right_and_wrong(rows)
                score = contrast([Term(1.0, table, wa)], seed=seed)
                each = [float(wa(right_and_wrong(part).counts.sum(0))) for _, part in rows.groupby("seed")]
                clips = rows.drop_duplicates(["clip", "truth"])
                found.append(
                    {
                        **{"model": str(model), "split": split, "factor": str(factor)},
                        **{"accuracy": score.difference, "low": score.low, "high": score.high},
                        "seeds": float(np.std(each, ddof=1)) if len(each) > 1 else float("nan"),
                        "chance": float(clips["truth"].value_counts(normalize=True).iloc[0]),
                        **{"speakers": rows["speaker"].nunique(), "clips": rows["clip"].nunique()},
                        "cells": len(rows[["fold", "seed"]].drop_duplicates()),
                    }
                )
    return pd.DataFrame(found, columns=list(SCORED))


def number_scores(tasks: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """CCC and RMSE of each model's head of a numeric factor, one row per model, split and factor (`NUMBERS`).

    Args:
        tasks: `tasks.csv`; rows with a probability are classes and left out.
        seed: of the bootstrap.

    Returns:
        `ccc` and `rmse`, each with its interval over speakers and its chance level, that of predicting the mean of the
        clips; the numbers of `speakers`, `clips` and `cells` (folds and seeds).
    """
    found: list[dict[str, Any]] = []
    numbers = tasks[tasks["probability"].isna()]
    numbers = numbers.astype({"truth": float, "predicted": float})
    for (model, factor, split), rows in numbers.groupby(["model", "factor", "split"], sort=False):
        row: dict[str, Any] = {"model": str(model), "split": str(split), "factor": str(factor)}
        truth = rows.drop_duplicates(["clip", "truth"])["truth"]
        for name, table in measured(rows, ()).items():
            low, high = interval(resampled(table, name, seed=seed), len(table.speakers))
            score, chance = float(MEASURES[name](table.counts.sum(0))), MEASURES[name].chance(truth)
            row |= {name: score, f"{name}_low": low, f"{name}_high": high, f"{name}_chance": chance}
        sizes = {"speakers": rows["speaker"].nunique(), "clips": rows["clip"].nunique()}
        found.append(row | sizes | {"cells": len(rows[["fold", "seed"]].drop_duplicates())})
    return pd.DataFrame(found, columns=list(NUMBERS))


def macro_f(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Macro F (`common.measures.macro_f1`) of clips pooled over speakers, one row per model and split.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes.
        seed: of the bootstrap.

    Returns:
        `model, split, f1, f1_low, f1_high`, and `f1_chance`: the score of always predicting the most frequent class.
    """
    found = []
    for (model, split), table in confusions(predictions, classes).items():
        score, alone = scored(table, macro_f1, seed=seed), scored(constant(table), macro_f1, seed=seed)
        limits = {"f1": score.difference, "f1_low": score.low, "f1_high": score.high}
        found.append({"model": model, "split": split, **limits, "f1_chance": alone.difference})
    return pd.DataFrame(found, columns=["model", "split", "f1", "f1_low", "f1_high", "f1_chance"])


def scored(table: BySpeaker, measure: Score, *, seed: int = 0) -> Contrast:
    """A score with its interval over speakers."""
    return contrast([Term(1.0, table, measure)], seed=seed)


def constant(table: BySpeaker) -> BySpeaker:
    """The same clips, all predicted as the most frequent class, of equally frequent classes the first; or as the mean.

    Args:
        table: confusion counts, (S, K, K); or moments of numbers (`common.measures.moments`), (S, 8).

    Returns:
        The same statistic. The mean absolute error of moments is nan, since moments do not determine it.
    """
    if table.counts.ndim == 2:
        clips, truth, _, square = table.counts.T[:4]
        mean = truth.sum() / clips.sum()
        error = square - 2 * mean * truth + mean**2 * clips
        moments = (
            clips,
            truth,
            mean * clips,
            square,
            mean**2 * clips,
            mean * truth,
            error,
            np.full(len(clips), np.nan),
        )
        return BySpeaker(table.speakers, np.stack(moments, 1))
    total = table.counts.sum(-1)
    counts = np.zeros_like(table.counts)
    counts[:, :, int(total.sum(0).argmax())] = total
    return BySpeaker(table.speakers, counts)


def homogeneity(predictions: pd.DataFrame, model: str, other: str, classes: Sequence[str]) -> dict[str, Any]:
    """Stuart-Maxwell's test of whether two models predict the classes equally often (Peri et al. 2021, footnote 1).

    Seeds share their test clips, so they are not pooled: each seed has a test of its own, in which a clip counts once,
    as predicted in the first fold that tests it, and Holm's correction is taken over seeds. The test assumes
    independent clips, but clips of one speaker are not independent. It compares how often each class is predicted, not
    on which clips.

    Args:
        predictions: rows of the split that is scored, of both models at least.
        model: one model.
        other: the other model.
        classes: the K classes.

    Returns:
        `seeds`: the seeds of both models; `p`: one per seed; `p_holm`: the least of the corrected p, nan without seeds:
        the level at which the hypothesis is rejected that the models are alike for all seeds.
    """
    place = {name: number for number, name in enumerate(classes)}
    sides = [predictions[predictions["model"] == name] for name in (model, other)]
    seeds = sorted(set(sides[0]["seed"]) & set(sides[1]["seed"]))
    found = []
    for number in seeds:
        one, two = (side[side["seed"] == number].set_index(["fold", "clip"])["predicted"] for side in sides)
        both = pd.concat([one, two], axis=1, keys=["model", "other"], join="inner").astype(str).sort_index()
        both = both[~both.index.get_level_values("clip").duplicated()]
        table = np.zeros((len(classes), len(classes)))
        np.add.at(table, (both["model"].map(place).to_numpy(), both["other"].map(place).to_numpy()), 1)
        found.append(stuart_maxwell(table))
    corrected = holm(np.array(found))
    least = float(np.nanmin(corrected)) if np.isfinite(corrected).any() else float("nan")
    return {"seeds": [int(number) for number in seeds], "p": found, "p_holm": least}
