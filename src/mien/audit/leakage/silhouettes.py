"""How well the groups of an embedding are separated: the silhouette printed beside a map (Li et al. 2020, Fig. 2).

The silhouette of a clip is (b - a) / max(a, b): a is its mean distance to the clips of its own group, b that to the
clips of the nearest other group (Rousseeuw 1987). The mean over clips is near 1 where groups are separated, near 0
where they overlap, and negative where clips are nearer to another group. It is measured in the embedding itself, each
dimension standardised over the clips, by Euclidean distance; not on a map, whose distances mean little.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from mien.audit.probes.probes import Standard, one_thread
from mien.common.leakage_tables import SILHOUETTES
from mien.common.progress import progress
from mien.errors import RunError
from mien.runs.run import Run

SUMMARY = ("model", "embedding", "by", "score", "low", "high", "shuffled", "folds", "units")
MOST = 2_000  # clips: time and memory grow with their square; of more, a random sample is used


def silhouette(embedding: NDArray[np.floating], groups: Sequence[str], *, seed: int = 0) -> float:
    """The mean silhouette over clips, in [-1, 1].

    Args:
        embedding: (n, D), one row a clip, finite.
        groups: n, the group of each clip.
        seed: of the sample of clips where there are more than `MOST`.

    Returns:
        The score; nan with fewer than two groups, or when no group has two clips.
    """
    count = len(set(groups))
    if not 2 <= count < len(groups):
        return float("nan")
    values = Standard.of(embedding).apply(embedding)
    labels = np.asarray(groups)
    if len(labels) > MOST:
        sample = np.random.default_rng([seed, 5]).choice(len(labels), MOST, replace=False)
        return silhouette(values[sample], labels[sample].tolist())
    with one_thread():
        return float(silhouette_score(values, labels))


def silhouettes(run: Run, *, seed: int = 0) -> pd.DataFrame:
    """Silhouettes of every embedding of every finished cell, over the clips of unseen speakers.

    Args:
        run: the run; nothing is written to it.
        seed: of the shuffling.

    Returns:
        `silhouettes.csv` (`SILHOUETTES`): a row for each cell, embedding and `by` = emotion or speaker: the `score`,
        that of `shuffled` groups (the value without structure), `clips` and `groups`. Clips without exactly one known
        emotion are left out of both. There is no row where there is only one group.

    Raises:
        RunError: when an embedding is not finite.
    """
    cells = run.cells
    rows: list[dict[str, object]] = []
    with progress(len(cells), "silhouettes", "cells") as advance:
        for cell in cells:
            table, embeddings = run.embeddings(cell)
            trained = table["split"] == "train"
            unseen = ~trained & ~table["speaker"].isin(table.loc[trained, "speaker"]) & table["label"].notna()
            if run.classes:
                unseen &= ~table["label"].str.contains("+", regex=False, na=False)
            for name, values in embeddings.items():
                if not np.isfinite(values).all():
                    raise RunError(f"{cell.folder}: the embedding '{name}' is not finite; train this cell again")
                place = {"model": cell.model, "embedding": name, "fold": cell.fold, "seed": cell.seed}
                groups = {run.target: "label", "speaker": "speaker"} if run.classes else {"speaker": "speaker"}
                rows += [place | row for row in _measure(values[unseen.to_numpy()], table[unseen], groups, seed)]
            advance()
    return pd.DataFrame(rows, columns=list(SILHOUETTES))


def silhouette_summary(table: pd.DataFrame, units: Mapping[int, int]) -> pd.DataFrame:
    """The mean silhouette over the folds of a run.

    Args:
        table: `silhouettes.csv`.
        units: fold -> its unit, as in `Run.units`: folds of one unit have the same seen and unseen speakers.

    Returns:
        One row a model, embedding and `by` (`SUMMARY`): the mean `score` over folds, seeds averaged within a fold; the
        lowest (`low`) and highest (`high`) fold; the mean of `shuffled`; `folds`, and how many `units` they are.
    """
    keys = ["model", "embedding", "by"]
    folds = table.groupby([*keys, "fold"], sort=False)[["score", "shuffled"]].mean()
    groups = folds.groupby(level=keys, sort=False)
    means = groups.mean().assign(low=groups["score"].min(), high=groups["score"].max(), folds=groups.size())
    means["units"] = table.assign(unit=table["fold"].map(units)).groupby(keys, sort=False)["unit"].nunique()
    return means.reset_index()[list(SUMMARY)]


def _measure(
    values: NDArray[np.float32], table: pd.DataFrame, by: Mapping[str, str], seed: int
) -> list[dict[str, object]]:
    """The silhouettes of the groups of `by`: name of the grouping -> column of the clips."""
    rows: list[dict[str, object]] = []
    for number, (name, column) in enumerate(by.items()):
        groups = table[column].tolist()
        score = silhouette(values, groups, seed=seed)
        if np.isfinite(score):
            mixed = np.random.default_rng([seed, number]).permutation(np.asarray(groups)).tolist()
            sizes = {"clips": len(groups), "groups": len(set(groups))}
            rows.append({"by": name, "score": score, "shuffled": silhouette(values, mixed, seed=seed), **sizes})
    return rows
