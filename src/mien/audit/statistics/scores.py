"""Scores of emotion predictions, with intervals over speakers.

All scores are fractions in [0, 1]. They come from confusion matrices (rows: truth, columns: prediction; both in the
order of `classes`), one a speaker: the matrices of a speaker's seeds are averaged first, because seeds share their
test clips. UAR (unweighted average recall) and WA (weighted accuracy: the share of right clips) pool the speakers of a
split, so a speaker without a class is no problem. Intervals are 95 % bootstraps over speakers, corrected for few of
them (see `interval`); a class that no clip of a draw has is left out of that draw's mean of recalls. With one speaker
there is no interval (nan).

A clip of several emotions ("anger+sadness") is right when the prediction is one of them, and then counts as a clip of
that class; when it is wrong it counts in equal shares as a clip of each. Rows without a known emotion are not scored.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm as normal
from scipy.stats import t as student

from mien.common.measures import MEASURES, Array, uar, wa
from mien.errors import RunError

DRAWS = 5_000
LEVEL = 0.95
SPLITS = ("validation", "test")
NEEDED = ("clip", "speaker", "model", "fold", "seed", "split", "emotion", "predicted")


class Confusion(NamedTuple):
    """Confusion matrices of one model on one split.

    Attributes:
        speakers: the S speakers, sorted.
        counts: (S, K, K), clips; the mean over seeds.
    """

    speakers: tuple[str, ...]
    counts: Array


SCORES = {name: MEASURES[name] for name in ("uar", "wa")}  # of a run: key of `metrics.json` -> measure
COMPARED = SCORES | {"f1": MEASURES["macro_f1"]}  # of systems with each other


def chance(emotions: "pd.Series[str]", classes: Sequence[str]) -> dict[str, float]:
    """What UAR and WA are without hearing the clips.

    Where some have several ("anger+sadness"), any of them is right, and chance is higher: see `common.measures`.

    Args:
        emotions: one a clip; unknown ones are left out.
        classes: the K classes that a guess is one of.

    Returns:
        `uar` and `wa`, nan where no emotion is known.
    """
    told = [str(emotion).split("+") for emotion in emotions.dropna()]
    holds = np.array([[name in names for name in classes] for names in told], np.bool_).reshape(-1, len(classes))
    return {name: measure.chance(holds) for name, measure in SCORES.items()}


def confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> Confusion:
    """Count the predictions of one model on one split.

    Args:
        predictions: rows of `predictions.csv`; all its folds and seeds.
        classes: the K classes, in the order of rows and columns.

    Returns:
        One matrix a speaker: the mean over the speaker's seeds, the sum over folds.

    Raises:
        RunError: when a row names a class that is none.
    """
    rows = predictions[predictions["emotion"].notna()]
    place = {name: number for number, name in enumerate(classes)}
    told = [str(emotion).split("+") for emotion in rows["emotion"]]
    named = {name for names in told for name in names} | set(rows["predicted"].astype(str))
    if strange := sorted(named - set(place)):
        raise RunError(f"predictions: '{strange[0]}' is no class of the run; the classes are {', '.join(classes)}")
    speakers, speaker = np.unique(rows["speaker"].astype(str), return_inverse=True)
    seeds, seed = np.unique(rows["seed"], return_inverse=True)
    counts = np.zeros((len(speakers), max(1, len(seeds)), len(classes), len(classes)))
    for who, run, true, guess in zip(speaker, seed, told, rows["predicted"].astype(str), strict=True):
        true = [guess] if guess in true else true
        for name in true:
            counts[who, run, place[name], place[guess]] += 1 / len(true)
    scored = (counts.sum((-2, -1)) > 0).sum(1)
    return Confusion(tuple(map(str, speakers)), counts.sum(1) / scored[:, None, None])


def draws(speakers: Sequence[str], *, seed: int, number: int = DRAWS) -> Array:
    """How often each speaker is in each bootstrap draw, (number, S): the same for the same speakers and seed."""
    return _drawn(tuple(speakers), seed, number)


@lru_cache(maxsize=32)
def _drawn(speakers: tuple[str, ...], seed: int, number: int) -> Array:
    """Kept, because every model and measure of a run asks for the same ones; nobody may write to them."""
    key, count = zlib.crc32("\n".join(speakers).encode()), len(speakers)
    drawn = np.random.default_rng([seed, key]).multinomial(count, np.full(count, 1 / count), number).astype(np.float64)
    drawn.setflags(write=False)
    return drawn


def resampled(table: Confusion, measure: str, *, seed: int = 0) -> Array:
    """A measure on each bootstrap draw of speakers, (DRAWS,); all nan with fewer than two speakers."""
    if len(table.speakers) < 2:
        return np.full(DRAWS, np.nan)
    return COMPARED[measure](np.tensordot(draws(table.speakers, seed=seed), table.counts, 1))


def interval(values: Array, clusters: int) -> tuple[float, float]:
    """The 95 % expanded percentile interval of bootstrap draws of clusters.

    A plain percentile interval is too narrow when clusters are few: with ten it covers some 91 %. The percentiles are
    moved outwards to where the interval of a mean of n values is that of Student's t: Phi(-+ sqrt(n / (n - 1)) t), t
    the quantile with n - 1 degrees of freedom (Hesterberg 2015, "What teachers should know about the bootstrap": the
    expanded percentile interval). It cannot reach beyond the draws, so with fewer than five clusters it is too narrow.

    Args:
        values: a score on each draw; nan values are left out.
        clusters: how many clusters (speakers, units of folds, recordings) are drawn from.

    Returns:
        The lower and upper end, (nan, nan) with fewer than two clusters or where no value is known.
    """
    known = values[np.isfinite(values)]
    if not len(known) or clusters < 2:
        return float("nan"), float("nan")
    outer = np.sqrt(clusters / (clusters - 1)) * student.ppf((1 + LEVEL) / 2, clusters - 1)
    low, high = np.quantile(known, [normal.cdf(-outer), normal.cdf(outer)])
    return float(low), float(high)


def confusions(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[tuple[str, str], Confusion]:
    """(model, split) -> its confusion matrices, in the order in which models appear; empty splits are left out.

    Raises:
        RunError: when a column is missing or a row names a class that is none.
    """
    if missing := [name for name in NEEDED if name not in predictions]:
        raise RunError(f"predictions: the column '{missing[0]}' is missing; there are {', '.join(predictions.columns)}")
    known = predictions[predictions["emotion"].notna()]
    return {
        (str(model), split): confusion(rows, classes)
        for model in known["model"].unique()
        for split in SPLITS
        if len(rows := known[(known["model"] == model) & (known["split"] == split)])
    }


def judged(predictions: pd.DataFrame) -> str:
    """The split that a run is judged by: test, or validation where no test clip was looked at."""
    return "test" if (predictions["split"] == "test").any() else "validation"


def summary(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """One row a model and split.

    Returns:
        `model, split`; for each measure m of uar, wa: `m, m_low, m_high` (95 % over speakers), `m_seeds` (standard
        deviation of the pooled score over seeds, nan with one seed), `m_chance` (see `chance`); `worst_speaker,
        worst_wa, worst_uar` (lowest WA, the first by name of equals; its UAR over the classes it has); `speakers,
        clips, folds, seeds`.
    """
    found = []
    for (model, split), table in confusions(predictions, classes).items():
        rows = predictions[
            (predictions["model"] == model) & (predictions["split"] == split) & predictions["emotion"].notna()
        ]
        pooled = table.counts.sum(0)
        row: dict[str, Any] = {"model": model, "split": split}
        seeds = [confusion(part, classes).counts.sum(0) for _, part in rows.groupby("seed")]
        for name, measure in SCORES.items():
            row[name] = float(measure(pooled))
            row[f"{name}_low"], row[f"{name}_high"] = interval(resampled(table, name, seed=seed), len(table.speakers))
            each = [float(measure(counts)) for counts in seeds]
            row[f"{name}_seeds"] = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
        each_clip = rows.drop_duplicates(["fold", "clip"])  # once, however many seeds
        row |= {f"{name}_chance": value for name, value in chance(each_clip["emotion"], classes).items()}
        worst = int(np.argmin(wa(table.counts)))
        row["worst_speaker"] = table.speakers[worst]
        row["worst_wa"], row["worst_uar"] = float(wa(table.counts)[worst]), float(uar(table.counts)[worst])
        row |= {"speakers": len(table.speakers), "clips": rows["clip"].nunique()}
        row |= {"folds": rows["fold"].nunique(), "seeds": rows["seed"].nunique()}
        found.append(row)
    return pd.DataFrame(found)


def gaps(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Test minus validation, one row a model and measure: `model, measure, delta, low, high`.

    Where the same speakers validate and are tested (leave one speaker out), both sides of a draw hold the same
    speakers.
    """
    tables = confusions(predictions, classes)
    found = []
    for model in dict.fromkeys(model for model, _ in tables):
        test, validation = tables.get((model, "test")), tables.get((model, "validation"))
        if test and validation:
            found += [
                {"model": model, "measure": measure, **paired(test, validation, measure, "delta", seed=seed)}
                for measure in SCORES
            ]
    return pd.DataFrame(found, columns=["model", "measure", "delta", "low", "high"])


def paired(first: Confusion, second: Confusion, measure: str, name: str, *, seed: int = 0) -> dict[str, Any]:
    """How far the first is above the second: `name`, and its 95 % interval `low, high`, on the same draws of speakers.

    Paired where both hold the same speakers, in the same order.
    """
    score = COMPARED[measure]
    apart = resampled(first, measure, seed=seed) - resampled(second, measure, seed=seed)
    low, high = interval(apart, min(len(first.speakers), len(second.speakers)))
    return {name: float(score(first.counts.sum(0)) - score(second.counts.sum(0))), "low": low, "high": high}


def by_speaker(predictions: pd.DataFrame, classes: Sequence[str], *, split: str = "test") -> pd.DataFrame:
    """One row a model and speaker: `model, speaker, clips` (mean over seeds), `wa, uar` (over classes present)."""
    found = []
    for (model, part), table in confusions(predictions, classes).items():
        if part == split:
            for speaker, counts in zip(table.speakers, table.counts, strict=True):
                scores = {"wa": float(wa(counts)), "uar": float(uar(counts))}
                found.append({"model": model, "speaker": speaker, "clips": float(counts.sum())} | scores)
    return pd.DataFrame(found, columns=["model", "speaker", "clips", "wa", "uar"])
