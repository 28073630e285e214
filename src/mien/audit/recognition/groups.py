"""Scores by group of speakers (gender, age, corpus, accent), and the gap between groups.

A gap is estimated from the speakers that were scored, so its precision depends on the size of the smaller group. The
bootstrap resamples speakers within each group. The interval takes the number of speakers of the smaller group as the
number of clusters (`scores.interval`), so it is rather too wide than too narrow. A gap in UAR has no single cause:
groups may differ in their clips, in their recordings, or in their similarity to the training speakers.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.statistics import scores
from mien.audit.statistics.scores import BySpeaker
from mien.common.measures import Array, uar, wa
from mien.corpora.corpus import fractions

FEWEST = 2  # speakers of a group
MOST = 8  # groups of a factor; a column with more values is not taken as a grouping of speakers
FIRST = ("gender", "age")  # reported before all others
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

    A factor is a column with one value per speaker, where known, and with two to eight values that two or more speakers
    share; other values are left out. A numeric column `age` is split at the median of the speakers.

    Args:
        clips: one row per clip, with `speaker`.
    """
    found = {}
    names = [name for name in clips if name not in NO_GROUP]
    for name in sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        known = clips[["speaker", name]].dropna().drop_duplicates()
        if known.empty or known["speaker"].duplicated().any():
            continue
        value = known.set_index("speaker")[name]
        if name == "age" and len(ages := pd.to_numeric(value, errors="coerce").dropna()) and ages.nunique() > MOST:
            middle = float(ages.median())
            value = ages.map(lambda age, middle=middle: f"{middle:g} or less" if age <= middle else f"over {middle:g}")
        sizes = value.value_counts()
        if 2 <= len(kept := sizes.index[sizes >= FEWEST]) <= MOST and not fractions(value):
            found[str(name)] = {str(who): str(group) for who, group in value.items() if group in set(kept)}
    return found


def by_group(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], *, split: str = "test", seed: int = 0
) -> pd.DataFrame:
    """UAR and WA of each group, one row per model and group.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        group: speaker -> group; speakers without one are left out.
        split: the split that is scored.
        seed: of the bootstrap.

    Returns:
        `GROUPS`: model, group, the numbers of `speakers` and `clips` (mean over seeds), `uar` over the classes that the
        group has, `low, high`: its 95 % interval over the speakers of the group, `wa`.
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
    """The UAR of one group minus that of another, one row per model and pair of groups.

    Both groups are scored on the classes that both have, so a class that only one group has does not cause a gap.

    Returns:
        `GAPS`: model, `group`, `other`, the number of `speakers` of the smaller group, `gap`, `low, high`: its 95 %
        interval, speakers resampled within each group; `separable`: whether the interval excludes zero and there are
        enough speakers (`enough`). Not corrected for the number of pairs.
    """
    rows = []
    for model, tables in _tables(predictions, classes, group, split):
        for name, other in combinations(tables, 2):
            first, second = _shared(tables[name], tables[other])
            apart = scores.resampled(first, "uar", seed=seed) - scores.resampled(second, "uar", seed=seed)
            sizes = len(first.speakers), len(second.speakers)
            low, high = scores.interval(apart, min(sizes))
            gap = float(uar(first.counts.sum(0)) - uar(second.counts.sum(0)))
            head = {"model": model, "group": name, "other": other, "speakers": min(sizes), "gap": gap}
            rows.append(head | {"low": low, "high": high, "separable": enough(*sizes) and bool(low > 0 or high < 0)})
    return pd.DataFrame(rows, columns=list(GAPS))


def enough(one: int, other: int) -> bool:
    """Whether a two-sided permutation test of two groups of these sizes can reach p <= .05; 4 and 4 speakers can."""
    return min(one, other) >= FEWEST and 2 / comb(one + other, one) <= 0.05


def bias(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], *, split: str = "test"
) -> dict[str, float]:
    """Model -> unweighted average bias (audmetric): how much the recalls of classes differ between groups.

    The standard deviation of the recall over groups (of two groups: half their difference), averaged over classes and
    seeds; 0 if all groups have equal recalls. Sampling noise makes it positive, so compare only models that were scored
    on the same clips. Clips of several emotions are left out. A clip that several folds test counts with each of them.
    """
    import audmetric  # by an audit of embeddings alone not needed

    rows = predictions[(predictions["split"] == split) & predictions["truth"].isin(classes)]
    rows = rows.assign(group=rows["speaker"].astype(str).map(group)).dropna(subset="group")
    found = {}
    for model, part in rows.groupby("model", sort=False):
        each = [
            audmetric.unweighted_average_bias(
                one["truth"], one["predicted"], one["group"], labels=list(classes), metric=audmetric.recall_per_class
            )
            for _, one in part.groupby("seed")
        ]
        found[str(model)] = float(np.mean(each))
    return found


def scored_groups(
    clips: pd.DataFrame, predictions: pd.DataFrame, classes: Sequence[str], *, split: str, seed: int = 0
) -> list[dict[str, Any]]:
    """Scores by each factor that groups the speakers of a split.

    Args:
        clips: one row per clip of the run, with `speaker`.
        predictions: `predictions.csv`.
        classes: the K classes, in order.
        split: the split that is scored.
        seed: of the bootstrap.

    Returns:
        For each factor of `factors` with scored speakers: `factor`; `groups`: the rows of `by_group`; `gaps`: the rows
        of `gaps`; `bias`: see `bias`.
    """
    tested = clips[clips["speaker"].isin(predictions.loc[predictions["split"] == split, "speaker"])]
    found: list[dict[str, Any]] = []
    for factor, group in factors(tested).items():
        table = by_group(predictions, classes, group, split=split, seed=seed)
        if len(table):
            apart = gaps(predictions, classes, group, split=split, seed=seed)
            more = {"gaps": apart, "bias": bias(predictions, classes, group, split=split)}
            found.append({"factor": factor, "groups": table} | more)
    return found


def _tables(
    predictions: pd.DataFrame, classes: Sequence[str], group: Mapping[str, str], split: str
) -> Iterator[tuple[str, dict[str, BySpeaker]]]:
    """The confusion matrices of each model: group -> matrices, groups sorted by name."""
    for (model, part), table in scores.confusions(predictions, classes).items():
        if part == split:
            own = np.array([group.get(who, "") for who in table.speakers])
            speakers = np.array(table.speakers)
            names = sorted(set(own) - {""})
            yield (
                model,
                {str(name): BySpeaker(tuple(speakers[own == name]), table.counts[own == name]) for name in names},
            )


def _shared(one: BySpeaker, other: BySpeaker) -> tuple[BySpeaker, BySpeaker]:
    """The two groups without the clips of classes that only one of them has."""
    both = (one.counts.sum((0, 2)) > 0) & (other.counts.sum((0, 2)) > 0)
    keep: Array = both[None, :, None].astype(np.float64)
    return BySpeaker(one.speakers, one.counts * keep), BySpeaker(other.speakers, other.counts * keep)
