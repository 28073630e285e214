"""Scores by group of speakers (gender, age, corpus, accent), and the gap between groups.

Groups are compared on the people who were judged, so a gap is as sure as there are people in the smaller group: its
bootstrap draws speakers within each group, and its interval counts as clusters the speakers of the smallest group
(`scores.interval`), which errs towards too wide. A gap in UAR does not say why: groups may differ in
their clips, their recordings, or in how alike the training speakers are.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb

import audmetric
import numpy as np
import pandas as pd

from mien.audit.statistics import scores
from mien.audit.statistics.scores import Confusion
from mien.common.measures import Array, uar, wa

FEWEST = 2  # speakers of a group
MOST = 8  # groups of a factor; what has more is no grouping of people
FIRST = ("gender", "age")  # told before all others
NO_GROUP = (
    "clip",
    "file",
    "speaker",
    "emotion",
    "label",
    "sha256",
    "sentence",
    "session",
    "recording",
    "take",
    "split",
)
GROUPS = ("model", "group", "speakers", "clips", "uar", "low", "high", "wa")
GAPS = ("model", "group", "other", "speakers", "gap", "low", "high", "separable")


def factors(clips: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The factors that group the speakers of a table of clips: name -> speaker -> group.

    A factor is a column that has one value for every speaker that it is known of, and two to eight values of two or
    more speakers; values of fewer are left out. A column `age` in numbers is cut at the median of the speakers.

    Args:
        clips: one row a clip, with `speaker`.
    """
    found = {}
    names = [name for name in clips if name not in NO_GROUP]
    for name in sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        told = clips[["speaker", name]].dropna().drop_duplicates()
        if told.empty or told["speaker"].duplicated().any():
            continue
        value = told.set_index("speaker")[name]
        if name == "age" and len(ages := pd.to_numeric(value, errors="coerce").dropna()) and ages.nunique() > MOST:
            middle = float(ages.median())
            value = ages.map(lambda age, middle=middle: f"{middle:g} or less" if age <= middle else f"over {middle:g}")
        sizes = value.value_counts()
        if 2 <= len(kept := sizes.index[sizes >= FEWEST]) <= MOST and not pd.api.types.is_float_dtype(value):
            found[str(name)] = {str(who): str(group) for who, group in value.items() if group in set(kept)}
    return found


def by_group(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], *, split: str = "test", seed: int = 0
) -> pd.DataFrame:
    """UAR and WA of each group, one row a model and group.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        group: speaker -> group; speakers without one are left out.
        split: the split that is judged.
        seed: of the bootstrap.

    Returns:
        `GROUPS`: model, group, how many `speakers` and `clips` (mean over seeds), `uar` over the classes that the group
        has, `low, high`: its 95 % interval over the group's speakers, `wa`.
    """
    rows = []
    for model, tables in _tables(predictions, classes, group, split):
        for name, table in tables.items():
            pooled = table.counts.sum(0)
            low, high = scores.interval(scores.resampled(table, "uar", seed=seed), len(table.speakers))
            score = {"uar": float(uar(pooled)), "low": low, "high": high, "wa": float(wa(pooled))}
            size = {"speakers": len(table.speakers), "clips": float(pooled.sum())}
            rows.append({"model": model, "group": name, **size, **score})
    return pd.DataFrame(rows, columns=list(GROUPS))


def gaps(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], *, split: str = "test", seed: int = 0
) -> pd.DataFrame:
    """How far the UAR of one group lies above that of another, one row a model and pair of groups.

    Both groups are scored on the classes that both have, so that a class which one group lacks makes no gap.

    Returns:
        `GAPS`: model, `group`, `other`, the `speakers` of the smaller, `gap`, `low, high`: its 95 % interval, speakers
        drawn within each group; `separable`: whether it leaves out zero and there are people enough for it
        (`enough`). Not corrected for the number of pairs.
    """
    rows = []
    for model, tables in _tables(predictions, classes, group, split):
        for name, other in combinations(tables, 2):
            first, second = _shared(tables[name], tables[other])
            apart = scores.resampled(first, "uar", seed=seed) - scores.resampled(second, "uar", seed=seed)
            sizes = len(first.speakers), len(second.speakers)
            low, high = scores.interval(apart, min(sizes))
            gap = float(uar(first.counts.sum(0)) - uar(second.counts.sum(0)))
            told = {"model": model, "group": name, "other": other, "speakers": min(sizes), "gap": gap}
            rows.append(told | {"low": low, "high": high, "separable": enough(*sizes) and bool(low > 0 or high < 0)})
    return pd.DataFrame(rows, columns=list(GAPS))


def enough(one: int, other: int) -> bool:
    """Whether a permutation of so many speakers over two groups could reach p <= .05, two-sided: 4 and 4 can."""
    return min(one, other) >= FEWEST and 2 / comb(one + other, one) <= 0.05


def bias(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], *, split: str = "test"
) -> dict[str, float]:
    """Model -> unweighted average bias (audmetric): how unlike the recall of a class is between groups.

    The mean over classes of the standard deviation over groups of the recall (of two groups: half their difference),
    0 where all groups are served alike; seeds are averaged. Sampling noise makes it positive, so it is read between
    models that were judged on the same clips. Clips of several emotions are left out.
    """
    rows = predictions[(predictions["split"] == split) & predictions["emotion"].isin(classes)]
    rows = rows.assign(group=rows["speaker"].astype(str).map(group)).dropna(subset="group")
    found = {}
    for model, part in rows.groupby("model", sort=False):
        each = [
            audmetric.unweighted_average_bias(
                one["emotion"], one["predicted"], one["group"], labels=list(classes), metric=audmetric.recall_per_class
            )
            for _, one in part.groupby("seed")
        ]
        found[str(model)] = float(np.mean(each))
    return found


def _tables(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], split: str
) -> Iterator[tuple[str, dict[str, Confusion]]]:
    """Of each model the confusion matrices of each group, in the order of their names."""
    for (model, part), table in scores.confusions(predictions, classes).items():
        if part == split:
            told = np.array([group.get(who, "") for who in table.speakers])
            people = np.array(table.speakers)
            names = sorted(set(told) - {""})
            yield (
                model,
                {str(name): Confusion(tuple(people[told == name]), table.counts[told == name]) for name in names},
            )


def _shared(one: Confusion, other: Confusion) -> tuple[Confusion, Confusion]:
    """Two groups without the clips of classes that only one of them has."""
    both = (one.counts.sum((0, 2)) > 0) & (other.counts.sum((0, 2)) > 0)
    keep: Array = both[None, :, None].astype(np.float64)
    return Confusion(one.speakers, one.counts * keep), Confusion(other.speakers, other.counts * keep)
