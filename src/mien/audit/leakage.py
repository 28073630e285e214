"""How much of a person is left in an embedding: probes of the speaker, fitted afresh on frozen embeddings.

`leakage` is one measurement and knows arrays only; `speaker_leakage` makes it for every finished cell of a run, for the
speakers that the encoder heard in training and for those that it did not. Scores are UAR in [0, 1].

Every clip is tested once, by a probe that was fitted on other clips (cross-fitting). Where the sentences are known and
can be divided so that each speaker stands on both sides, the probe has not seen the sentence either: it cannot name a
speaker by what only that speaker says.
"""

import warnings
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mien.audit.probes import PROBES
from mien.audit.scores import DRAWS, interval
from mien.errors import RunError
from mien.progress import progress
from mien.run import Cell, Run

COLUMNS = (
    *("embedding", "model", "fold", "seed", "factor", "probe", "role", "speakers", "split", "measure", "score"),
    *("chance", "shuffled", "low", "high", "p", "p_corrected", "n", "classes"),
)
SUMMARY = (
    *("model", "embedding", "speakers", "probe", "score", "low", "high", "interval", "chance", "shuffled", "strongest"),
    *("parts", "folds", "units", "cells", "n", "classes", "split"),
)
FOLDS = 3
FEWEST_UNITS = 3  # for an interval over the folds of the run, see `fold_units`
FEWEST_CLUSTERS = 5  # a bootstrap over fewer speakers says nothing; it then draws clips within each speaker
PARTS = {"heard": ("train",), "unheard": ("validation", "test")}


class Leak(NamedTuple):
    """One measurement.

    Attributes:
        split: how the probe's clips were divided; ends in "; interval over clips" when speakers are too few for one
            over speakers.
        score: UAR, the mean over classes of the share of their clips that is named rightly.
        chance: 1 / classes.
        shuffled: the score of the same probe fitted on shuffled labels.
        low: lower end of the 95 % bootstrap interval of the score.
        high: upper end.
        n: clips tested.
        classes: kinds of labels.
    """

    split: str
    score: float
    chance: float
    shuffled: float
    low: float
    high: float
    n: int
    classes: int


def leakage(
    embedding: NDArray[np.floating],
    labels: NDArray[np.str_] | list[str],
    sentences: NDArray[np.str_] | list[str] | None = None,
    *,
    probe: str = "linear",
    seed: int = 0,
) -> Leak | None:
    """How well a fresh probe names the label of a clip from its embedding.

    Args:
        embedding: (n, D), one row a clip, finite.
        labels: (n,), the factor, which is also the cluster of the interval: speakers are drawn, their clips stay
            together. Labels with fewer than three clips are left out.
        sentences: (n,), what is said in each clip, where it is known.
        probe: a name in `PROBES`.
        seed: of the division, the probe and the bootstrap.

    Returns:
        The measurement, or None when fewer than two labels have three clips.
    """
    kinds, counts = np.unique(np.asarray(labels), return_counts=True)
    kinds = kinds[counts >= FOLDS]
    if len(kinds) < 2:
        return None
    kept = np.isin(labels, kinds)
    X, y = embedding[kept], np.searchsorted(kinds, np.asarray(labels)[kept]).astype(np.int64)
    said = None if sentences is None else np.asarray(sentences)[kept]
    parts, split = _divide(y, said, seed)
    shuffle = np.random.default_rng([seed, 2])
    right, right_shuffled = np.zeros(len(y)), np.zeros(len(y))
    for test in parts:
        train = np.setdiff1d(np.arange(len(y)), test)
        right[test] = PROBES[probe](X[train], y[train], seed).predict(X[test]) == y[test]
        fooled = PROBES[probe](X[train], shuffle.permutation(y[train]), seed)
        right_shuffled[test] = fooled.predict(X[test]) == y[test]
    recalls = _recalls(right, y)
    if len(kinds) < FEWEST_CLUSTERS:
        split += "; interval over clips"
    low, high = interval(_bootstrap(right, y, seed), len(y) if len(kinds) < FEWEST_CLUSTERS else len(kinds))
    return Leak(
        split,
        float(recalls.mean()),
        1 / len(kinds),
        float(_recalls(right_shuffled, y).mean()),
        low,
        high,
        len(y),
        len(kinds),
    )


def speaker_leakage(run: Run, *, workers: int = 1, seed: int = 0) -> pd.DataFrame:
    """Probe every embedding of every finished cell for the speaker.

    Args:
        run: the run; nothing is written to it.
        workers: processes.
        seed: of the probes; all models are probed on the same division of a fold's clips.

    Returns:
        The columns of `leakage.csv` (`COLUMNS`), one row for each cell, embedding, probe and `speakers` = heard (the
        cell's training speakers) or unheard (those of validation and test); what is not computed (p, p_corrected) is
        nan. A group with fewer than two speakers, or without clips of one of its parts, has no row.

    Raises:
        RunError: when an embedding is not finite.
    """
    jobs = (delayed(_cell)(cell, *run.embeddings(cell), seed) for cell in run.cells)
    rows: list[dict[str, object]] = []
    with progress(len(run.cells), "speaker leakage", "trainings") as advance:
        for found in Parallel(n_jobs=workers, return_as="generator")(jobs):
            rows += found
            advance()
    return pd.DataFrame(rows, columns=list(COLUMNS))


def leakage_summary(table: pd.DataFrame, units: Mapping[int, int], *, seed: int = 0) -> pd.DataFrame:
    """The measured leakage of speaker over the folds and seeds of a run.

    Folds of one unit are drawn together (see `fold_units`). Units share speakers, so intervals tend to be too narrow.

    Args:
        table: `leakage.csv`.
        units: fold -> its unit, as in `Run.units`.
        seed: of the bootstrap.

    Returns:
        One row a model, embedding, `speakers` and probe (`SUMMARY`): these; `score`, `chance`, `shuffled`: the means
        over folds, seeds averaged within a fold; `low`, `high`: the 95 % bootstrap interval of `score` over units of
        folds (`interval` = "folds"), or, of fewer than three units, the mean ends of the interval of a single training
        (`interval` = "training"); `strongest`: whether no other probe has a higher score (of equals the first);
        `parts`: the score of each fold; `folds`, and how many `units` they are; `cells`; `n`: median of clips;
        `classes`, `split`: as text.
    """
    table = table[(table["factor"] == "speaker") & (table["role"] == "measured")]
    rows: list[dict[str, object]] = []
    for key, part in table.groupby(["model", "embedding", "speakers", "probe"], sort=False):
        means = part.groupby("fold")[["score", "low", "high", "chance", "shuffled"]].mean()
        row: dict[str, object] = dict(zip(SUMMARY, map(str, key), strict=False))
        row |= {str(name): float(mean) for name, mean in means.mean().items()}
        group = fold_units(part.pivot_table("score", "fold", "seed"), units)
        count = int(group.max()) + 1
        row |= {"units": count, "interval": "folds" if count >= FEWEST_UNITS else "training"}
        if row["interval"] == "folds":
            row["low"], row["high"] = interval(drawn_means(means["score"].to_numpy(float), group, seed), count)
        fewest, most = part["classes"].min(), part["classes"].max()
        row |= {"parts": tuple(means["score"]), "folds": len(means), "cells": len(part), "n": int(part["n"].median())}
        row |= {"classes": f"{fewest}" if fewest == most else f"{fewest} to {most}"}
        rows.append(row | {"split": "; or ".join(sorted(set(part["split"])))})
    found = pd.DataFrame(rows, columns=list(SUMMARY))
    best = found.sort_values("score", ascending=False, kind="stable").drop_duplicates(
        ["model", "embedding", "speakers"]
    )
    return found.assign(strongest=found.index.isin(best.index))


def fold_units(by_fold: pd.DataFrame, units: Mapping[int, int]) -> NDArray[np.intp]:
    """The unit of each fold, 0 to units - 1: what a bootstrap may draw as independent.

    Folds that train on the same people are one unit. Where two people take turns in validation and test, one network,
    up to the chosen epoch, is probed twice, and the same two people have not been heard. So are folds whose scores are
    all the same: one measurement that was made twice.

    Args:
        by_fold: one row a fold, by its number; a score that is missing is nan.
        units: fold -> its unit, as in `Run.units`.
    """
    _, group = np.unique(by_fold.fillna(-1.0).to_numpy(float), axis=0, return_inverse=True)
    group, own = group.ravel(), np.array([units[fold] for fold in by_fold.index])
    for unit in np.unique(own):
        together = group[own == unit]
        group[np.isin(group, together)] = together[0]
    return np.asarray(np.unique(group, return_inverse=True)[1].ravel(), np.intp)


def drawn_means(scores: NDArray[np.float64], group: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """The mean of the folds' scores on bootstrap draws of units of folds, (DRAWS,): the same for the same seed."""
    sums, sizes = np.bincount(group, scores), np.bincount(group)
    drawn = np.random.default_rng([seed, 4]).integers(0, len(sums), (DRAWS, len(sums)))
    return np.asarray(sums[drawn].sum(1) / sizes[drawn].sum(1))


def _cell(
    cell: Cell, clips: pd.DataFrame, embeddings: dict[str, NDArray[np.float32]], seed: int
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for heard, parts in PARTS.items():
        if not set(parts) <= set(clips["split"]):  # an experiment may leave test clips alone
            continue
        inside = clips["split"].isin(parts).to_numpy()
        table = clips[inside]
        known = "sentence" in table and bool(table["sentence"].notna().all())
        sentences = table["sentence"].to_numpy(str) if known else None
        for name, values in embeddings.items():
            if not np.isfinite(values).all():
                raise RunError(f"{cell.folder}: the embedding '{name}' is not finite; train this cell again")
            for probe in PROBES:
                leak = leakage(values[inside], table["speaker"].to_numpy(str), sentences, probe=probe, seed=seed)
                if leak is not None:
                    place = {"embedding": name, "model": cell.model, "fold": cell.fold, "seed": cell.seed}
                    what = {
                        "factor": "speaker",
                        "probe": probe,
                        "role": "measured",
                        "speakers": heard,
                        "measure": "uar",
                    }
                    rows.append({**place, **what, **leak._asdict(), "p": np.nan, "p_corrected": np.nan})
    return rows


def _divide(y: NDArray[np.int64], sentences: NDArray[np.str_] | None, seed: int) -> tuple[list[NDArray[np.intp]], str]:
    """Test parts that cover all clips, each class on both sides, sentences apart where that is possible."""
    places = np.zeros((len(y), 1))
    if sentences is not None:
        folds = min(FOLDS, len(np.unique(sentences)))
        if folds > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a class in fewer groups than folds: looked at below
                by_sentence = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
                parts = [test for _, test in by_sentence.split(places, y, sentences)]
            if all(_stays(y, test) for test in parts):
                return parts, "disjoint clips and sentences"
    by_clip = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return [test for _, test in by_clip.split(places, y)], "disjoint clips"


def _stays(y: NDArray[np.int64], test: NDArray[np.intp]) -> bool:
    """Whether every class of a test part, which is not empty, has two clips left to fit the probe on."""
    left = Counter(np.delete(y, test).tolist())
    return len(test) > 0 and all(left[kind] > 1 for kind in y[test].tolist())


def _recalls(right: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(y, right) / np.bincount(y)


def _bootstrap(right: NDArray[np.float64], y: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """The UAR on bootstrap draws of classes with their clips, or of clips within each class where classes are few."""
    random = np.random.default_rng([seed, 3])
    recalls, sizes = _recalls(right, y), np.bincount(y)
    if len(recalls) >= FEWEST_CLUSTERS:
        drawn = recalls[random.integers(0, len(recalls), (DRAWS, len(recalls)))]
    else:
        drawn = random.binomial(sizes, recalls, (DRAWS, len(recalls))) / sizes
    return np.asarray(drawn.mean(1))
