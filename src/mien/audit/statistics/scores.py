"""Scores of the predictions of the main target, with intervals over speakers.

A score is a measure (`common.measures`) of a statistic of each speaker that adds up over clips: a confusion matrix for
classes (rows: truth, columns: prediction; both in the order of `classes`), moments for numbers. The statistics of a
speaker's seeds are averaged first, because seeds share their test clips; so are the folds of a clip that several folds
test (`repeated`), which is no clip of its own in each. UAR (unweighted average recall), WA (weighted
accuracy: the share of right clips), CCC and RMSE are computed from the sum over the speakers of a split, so a speaker
may lack a class. Intervals are 95 % bootstrap intervals over speakers, corrected for few speakers (see `interval`). A
class without clips in a resample is left out of its mean of recalls. With one speaker the interval is nan.

Where a corpus names no speakers, each clip is a unit of its own (`common.units`): intervals are over clips, the number
of speakers is 0, and no speaker is the worst.

`classes` are those of the main target; empty if the target is a number.

A clip of several emotions ("anger+sadness") is right if the prediction is one of them, and then counts as a clip of
that class. If the prediction is wrong, the clip counts in equal shares for each of its classes. Rows without a known
truth are not scored.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm as normal
from scipy.stats import t as student

from mien.audit.statistics.repeated import times
from mien.common.measures import MEASURES, Array, losses, measure_of, moments, of_classes, within
from mien.common.units import units
from mien.errors import RunError

DRAWS = 5_000
LEVEL = 0.95
SPLITS = ("validation", "seen", "test")
NEEDED = ("clip", "speaker", "model", "fold", "seed", "split", "truth", "predicted")


class BySpeaker(NamedTuple):
    """The statistics that the scores of one model on one split are computed from.

    Attributes:
        speakers: the S speakers, sorted.
        counts: (S, K, K) confusion matrices, or (S, ...) another statistic of `common.measures`; the mean over seeds.
    """

    speakers: tuple[str, ...]
    counts: Array


def measured(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, BySpeaker]:
    """The statistics of each measure, of one model on one split.

    Args:
        rows: of `predictions.csv`, in which the main target is `truth`; all folds and seeds.
        classes: the K classes in order, or none.

    Returns:
        Measure -> statistics: the measures `of_classes`; and `cross_entropy` if the truth is a distribution, given as
        columns `truth_CLASS`.

    Raises:
        RunError: a row names an unknown class.
    """
    if not classes:
        return dict.fromkeys(of_classes(classes), _moments(rows))
    found = dict.fromkeys(of_classes(classes), confusion(rows, classes))
    given = [f"truth_{name}" for name in classes]
    if set(given) <= set(rows):
        found["cross_entropy"] = _losses(rows, given, classes)
    return found


def chance(truth: "pd.Series[Any]", classes: Sequence[str]) -> dict[str, float]:
    """The chance levels of the measures of a run.

    If clips have several classes ("anger+sadness"), any of them is right, and chance is higher: see `common.measures`.

    Args:
        truth: one per clip; missing ones are left out.
        classes: the K classes that can be guessed, or none.

    Returns:
        Measure of `of_classes` -> its chance level; nan if no truth is known.
    """
    known = truth.dropna()
    if not classes:
        return {name: MEASURES[name].chance(known.to_numpy(float)) for name in of_classes(classes)}
    right = [str(name).split("+") for name in known]
    holds = np.array([[name in names for name in classes] for names in right], np.bool_).reshape(-1, len(classes))
    return {name: MEASURES[name].chance(holds) for name in of_classes(classes)}


def confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> BySpeaker:
    """Count the predictions of one model on one split.

    Args:
        predictions: rows of `predictions.csv`; all its folds and seeds.
        classes: the K classes, in the order of rows and columns.

    Returns:
        One matrix per speaker: the mean over the speaker's seeds, the sum over clips, a clip of several folds in equal
        shares (`repeated`).

    Raises:
        RunError: a row names an unknown class.
    """
    rows = predictions[predictions["truth"].notna()]
    place = {name: number for number, name in enumerate(classes)}
    truths = [str(truth).split("+") for truth in rows["truth"]]
    named = {name for names in truths for name in names} | set(rows["predicted"].astype(str))
    if strange := sorted(named - set(place)):
        raise RunError(f"predictions: '{strange[0]}' is no class of the run; the classes are {', '.join(classes)}")
    speakers, speaker = np.unique(units(rows), return_inverse=True)
    seeds, seed = np.unique(rows["seed"], return_inverse=True)
    counts = np.zeros((len(speakers), max(1, len(seeds)), len(classes), len(classes)))
    guesses = rows["predicted"].astype(str)
    for who, run, true, guess, folds in zip(speaker, seed, truths, guesses, times(rows), strict=True):
        true = [guess] if guess in true else true
        for name in true:
            counts[who, run, place[name], place[guess]] += 1 / (len(true) * folds)
    scored = (counts.sum((-2, -1)) > 0).sum(1)
    return BySpeaker(tuple(map(str, speakers)), counts.sum(1) / scored[:, None, None])


def _moments(predictions: pd.DataFrame) -> BySpeaker:
    """The moments of predicted numbers, (S, 8), about the mean of the truth."""
    rows = predictions[predictions["truth"].notna()]
    truth, predicted = (rows[name].to_numpy(float) for name in ("truth", "predicted"))
    origin = float(truth.mean()) if len(truth) else 0.0
    return _of_parts(rows, lambda part: moments(truth[part], predicted[part], origin=origin))


def _losses(predictions: pd.DataFrame, given: Sequence[str], classes: Sequence[str]) -> BySpeaker:
    """The losses of predicted distributions, (S, 2)."""
    rows = predictions[predictions["truth"].notna()]
    truth, predicted = (rows[list(names)].to_numpy(float) for names in (given, classes))
    return _of_parts(rows, lambda part: losses(truth[part], predicted[part]))


def _of_parts(rows: pd.DataFrame, statistic: Callable[[Any], Array]) -> BySpeaker:
    """A statistic of each speaker's rows that adds up over clips: the mean over seeds, see `confusion`."""
    found: dict[str, list[Array]] = {}
    place = pd.Series(np.arange(len(rows)), index=rows.index)
    folds = times(rows)
    for (speaker, _), part in place.groupby([units(rows), rows["seed"]], sort=True):
        own = part.to_numpy()
        each = [statistic(own[folds[own] == number]) / number for number in np.unique(folds[own])]
        found.setdefault(str(speaker), []).append(np.sum(each, axis=0))
    return BySpeaker(tuple(found), np.array([np.mean(each, axis=0) for each in found.values()]))


def draws(speakers: Sequence[str], *, seed: int, number: int = DRAWS) -> Array:
    """How often each speaker is in each bootstrap resample, (number, S): the same for the same speakers and seed."""
    return _drawn(tuple(speakers), seed, number)


@lru_cache(maxsize=32)
def _drawn(speakers: tuple[str, ...], seed: int, number: int) -> Array:
    """Cached and read-only, because every model and measure of a run uses the same resamples."""
    key, count = zlib.crc32("\n".join(speakers).encode()), len(speakers)
    drawn = np.random.default_rng([seed, key]).multinomial(count, np.full(count, 1 / count), number).astype(np.float64)
    drawn.setflags(write=False)
    return drawn


def resampled(table: BySpeaker, measure: str, *, seed: int = 0) -> Array:
    """A measure on each bootstrap resample of speakers, (DRAWS,); all nan with fewer than two speakers."""
    if len(table.speakers) < 2:
        return np.full(DRAWS, np.nan)
    score = within(measure_of(measure), table.counts.sum(0))
    return score(np.tensordot(draws(table.speakers, seed=seed), table.counts, 1))


def interval(values: Array, clusters: int) -> tuple[float, float]:
    """The 95 % expanded percentile interval of bootstrap resamples of clusters.

    A plain percentile interval is too narrow if clusters are few: with ten it covers some 91 %. The percentiles are
    moved outwards so that the interval of a mean of n values is that of Student's t: Phi(-+ sqrt(n / (n - 1)) t), t
    the quantile with n - 1 degrees of freedom (Hesterberg 2015, "What teachers should know about the bootstrap": the
    expanded percentile interval). It never exceeds the range of the resamples, so with fewer than five clusters it is
    too narrow.

    Args:
        values: a score on each resample; nan values are left out.
        clusters: the number of clusters (speakers, units of folds, recordings) that were resampled.

    Returns:
        The lower and upper end; (nan, nan) with fewer than two clusters or without a known value.
    """
    known = values[np.isfinite(values)]
    if not len(known) or clusters < 2:
        return float("nan"), float("nan")
    outer = np.sqrt(clusters / (clusters - 1)) * student.ppf((1 + LEVEL) / 2, clusters - 1)
    low, high = np.quantile(known, [normal.cdf(-outer), normal.cdf(outer)])
    return float(low), float(high)


def tables(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[tuple[str, str], dict[str, BySpeaker]]:
    """(model, split) -> `measured`, in the order in which models appear; empty splits are left out.

    Raises:
        RunError: a column is missing, or a row names an unknown class.
    """
    return {key: measured(rows, classes) for key, rows in _parts(predictions)}


def confusions(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[tuple[str, str], BySpeaker]:
    """(model, split) -> its confusion matrices, in the order of `tables`."""
    return {key: confusion(rows, classes) for key, rows in _parts(predictions)}


def _parts(predictions: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    if missing := [name for name in NEEDED if name not in predictions]:
        raise RunError(f"predictions: the column '{missing[0]}' is missing; there are {', '.join(predictions.columns)}")
    known = predictions[predictions["truth"].notna()]
    for model in known["model"].unique():
        for split in SPLITS:
            if len(rows := known[(known["model"] == model) & (known["split"] == split)]):
                yield (str(model), split), rows


def scored_split(predictions: pd.DataFrame) -> str:
    """The split that a run is scored on: test, or validation if there are no predictions of test clips."""
    return "test" if (predictions["split"] == "test").any() else "validation"


def summary(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """The scores of each model on each split.

    Returns:
        One row per model and split:

        - `model, split`; `speakers, clips, folds, seeds`: their numbers.
        - for each measure m (see `measured`): `m`; `m_low, m_high`: its 95 % interval over speakers; `m_seeds`: the
          standard deviation of the pooled score over seeds, nan with one seed; `m_chance`: see `chance`.
        - `worst_speaker, worst_wa, worst_uar`: the speaker with the lowest WA (the first by name of equals), and its
          UAR over the classes that it has. For numbers `worst_rmse, worst_ccc`: the greatest RMSE. Absent where no
          speaker is named.
    """
    found = []
    for (model, split), rows in _parts(predictions):
        own = measured(rows, classes)
        row: dict[str, Any] = {"model": model, "split": split}
        seeds = [measured(part, classes) for _, part in rows.groupby("seed")]
        for name, table in own.items():
            measure = measure_of(name)
            row[name] = float(measure(table.counts.sum(0)))
            row[f"{name}_low"], row[f"{name}_high"] = interval(resampled(table, name, seed=seed), len(table.speakers))
            each = [float(measure(part[name].counts.sum(0))) for part in seeds]
            row[f"{name}_seeds"] = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
        each_clip = rows.drop_duplicates(["clip", "truth"])  # one row, however many seeds and folds
        row |= {f"{name}_chance": value for name, value in chance(each_clip["truth"], classes).items()}
        if "cross_entropy" in own:
            shares = each_clip[[f"truth_{name}" for name in classes]].to_numpy(float)
            row["cross_entropy_chance"] = MEASURES["cross_entropy"].chance(shares)
        named = rows["speaker"].nunique()
        row |= _worst(own, of_classes(classes)) if named else {}
        row |= {"speakers": named, "clips": rows["clip"].nunique()}
        row |= {"folds": rows["fold"].nunique(), "seeds": rows["seed"].nunique()}
        found.append(row)
    return pd.DataFrame(found)


def _worst(tables: Mapping[str, BySpeaker], names: Sequence[str]) -> dict[str, Any]:
    """The speaker with the worst score by the last of the measures, and its scores by all of them."""
    table, last = tables[names[-1]], measure_of(names[-1])
    each = last(table.counts)
    worst = int(np.argmin(each) if last.higher_is_better else np.argmax(each))
    scores = {f"worst_{name}": float(measure_of(name)(table.counts)[worst]) for name in reversed(names)}
    return {"worst_speaker": table.speakers[worst], **scores}


def gaps(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Test minus validation score, one row per model and measure: `model, measure, delta, low, high`.

    If validation and test have the same speakers (leave one speaker out), both scores are computed on the same
    resamples of speakers.
    """
    known = tables(predictions, classes)
    found = []
    for model in dict.fromkeys(model for model, _ in known):
        test, validation = known.get((model, "test")), known.get((model, "validation"))
        if test and validation:
            found += [
                {"model": model, "measure": name, **paired(table, validation[name], name, "delta", seed=seed)}
                for name, table in test.items()
            ]
    return pd.DataFrame(found, columns=["model", "measure", "delta", "low", "high"])


def paired(first: BySpeaker, second: BySpeaker, measure: str, name: str, *, seed: int = 0) -> dict[str, Any]:
    """The first score minus the second: `name`, and its 95 % interval `low, high`.

    The interval is paired if both have the same speakers in the same order: then their resamples are the same.
    """
    score = measure_of(measure)
    apart = resampled(first, measure, seed=seed) - resampled(second, measure, seed=seed)
    low, high = interval(apart, min(len(first.speakers), len(second.speakers)))
    return {name: float(score(first.counts.sum(0)) - score(second.counts.sum(0))), "low": low, "high": high}


def by_speaker(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """One row per model, split and speaker (`speakers.csv`).

    The columns are `model, split, speaker, clips` (mean over seeds), and the measures of `of_classes`. There are no
    rows where no speaker is named.
    """
    names = of_classes(classes)
    predictions = predictions[predictions["speaker"].notna()]
    found = []
    for (model, split), known in tables(predictions, classes).items():
        table = known[names[0]]
        for speaker, counts in zip(table.speakers, table.counts, strict=True):
            clips = float(counts.sum()) if classes else float(counts[0])
            scores = {name: float(measure_of(name)(counts)) for name in reversed(names)}
            found.append({"model": model, "split": split, "speaker": speaker, "clips": clips} | scores)
    return pd.DataFrame(found, columns=["model", "split", "speaker", "clips", *reversed(names)])


def by_seed(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """One row per model, split and seed: `model, split, seed`, and its pooled scores by the measures of `measured`."""
    found = []
    for (model, split), rows in _parts(predictions):
        for seed, part in rows.groupby("seed"):
            own = measured(part, classes)
            scores = {name: float(measure_of(name)(table.counts.sum(0))) for name, table in own.items()}
            found.append({"model": model, "split": split, "seed": seed} | scores)
    return pd.DataFrame(found)
