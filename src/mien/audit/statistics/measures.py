"""Scores of a probe's predictions: UAR, accuracy and macro F1, each with a 95 % interval, and the p-value of the UAR.

All scores are fractions in [0, 1]. The predictions are fixed: nothing is fitted again.

In cross-fitting each of two clips tests a probe that the other one helps to fit. If the embedding does not depend on
the factor, both outcomes agree. The score then varies more than the number of clips suggests, and this variance has no
unbiased estimate (Bengio & Grandvalet 2004, "No unbiased estimator of the variance of k-fold cross-validation").
`crossing` is the factor by which the deviation grows for a probe whose logits are sums over its training clips.
Intervals of cross-fitted predictions are widened around the score by this factor, and the excess over chance is divided
by it before p is computed; `benchmarks/show_null.py` measures the result. The factor is derived for an embedding
that does not depend on the factor. If it does, a probe depends less on single clips and the interval is conservative:
wider than necessary.

- Intervals come from a bootstrap over clusters, usually speakers; `scores.interval` corrects them for few clusters. If
  the clusters are the classes (the factor is the speaker), classes are resampled with their own scores. This is
  conservative at chance level (classes that the probe prefers gain what the others lose) and is not widened. With fewer
  than five clusters, clips are resampled instead, and the column `split` says so.
- p is the share of permutations of the test labels with a score at least as high (see `permutation`). Speakers exchange
  their labels. If the factor is the speaker, or speakers are not known, clips or whole recordings do.
"""

from functools import cache

import numpy as np
from scipy.stats import norm

from mien.audit.statistics.permutation import constant, permutation_p
from mien.audit.statistics.scores import DRAWS, interval
from mien.common.measures import MEASURES, Array, Codes, Tally, f_scores, recalls, tally, within

PROBED = {"uar": MEASURES["uar"], "accuracy": MEASURES["wa"], "f1": MEASURES["macro_f1"]}  # names as in `leakage.csv`
FEWEST_CLUSTERS = 5  # a bootstrap over fewer is not reliable
CELLS = 4_000_000  # numbers in one block of resamples, to bound memory
FEW_CELLS = 10_000  # pairs of truth and prediction that clips are resampled from; with more, no interval over clips


def score_rows(
    truth: Codes,
    predicted: Codes,
    shuffled: Codes,
    clusters: Codes | None,
    *,
    blocks: Codes | None = None,
    over: str = "speakers",
    kinds: int | None = None,
    crossed: bool = False,
    seed: int = 0,
) -> list[dict[str, object]]:
    """The rows of `leakage.csv` for fixed predictions: the columns from `split` on.

    Args:
        truth: (n,), the class of each clip, 0 to K - 1.
        predicted: (n,), the class that a probe predicts, in the same numbers.
        shuffled: (n,), the class that the same probe predicts after being fitted on shuffled labels.
        clusters: (n,), the clusters of the bootstrap; None resamples clips.
        blocks: (n,), the units that exchange labels in a permutation, such as speakers; None exchanges labels of clips.
            If the clusters are the classes (the factor is the speaker), give recordings: they exchange labels if all
            clips of each recording have one label, else clips do.
        over: what the clusters are, in words.
        kinds: the number of classes that the probe knows, if some have no test clip; None counts those of `truth`.
        crossed: whether the clips that test one probe fit another (cross-fitting).
        seed: of the bootstrap and the permutations.

    Returns:
        One row per measure (`PROBED`): `split` ("interval over speakers"), `measure, score, chance, shuffled, low,
        high, p, p_corrected, n, classes`. `chance` is 1 / classes for UAR, the share of the most frequent class for
        accuracy, and for F1 the score of uniform guesses in the limit of many clips. `p` is nan for all measures but
        UAR; `p_corrected` is nan.
    """
    shares = np.unique(truth, return_counts=True)[1] / len(truth)  # a class without test clips has no recall
    kinds = len(shares) if kinds is None else kinds
    K = max(int(max(part.max(initial=0) for part in (truth, predicted, shuffled))) + 1, 1)
    uniform = float((2 * shares / (kinds * shares + 1)).sum() / kinds)
    chances = {"uar": 1 / kinds, "accuracy": float(shares.max()), "f1": uniform}
    groups = None if clusters is None or len(np.unique(clusters)) < FEWEST_CLUSTERS else _numbers(clusters)
    samples = tally(truth, predicted, K), tally(truth, shuffled, K)
    scored, fooled = (_scores(sample, sample) for sample in samples)
    resamples, count = draws(truth, predicted, groups, K, seed)
    itself, shrink = clusters is not None and _same(truth, clusters), crossing(kinds) if crossed else 1.0
    widen = 1.0 if itself and groups is not None else shrink
    trading = None if blocks is None or (itself and not constant(truth, blocks)) else blocks
    rows: list[dict[str, object]] = []
    for name in PROBED:
        ends = scored[name] + widen * (np.array(interval(resamples[name], count)) - scored[name])
        low, high = (float(end) for end in np.clip(ends, 0.0, 1.0))  # nan stays
        p = permutation_p(truth, predicted, trading, shrink=shrink, seed=seed) if name == "uar" else float("nan")
        rows.append(
            {
                **{"split": f"interval over {'clips' if groups is None else over}", "measure": name},
                **{"score": float(scored[name]), "chance": chances[name], "shuffled": float(fooled[name])},
                **{"low": low, "high": high, "p": p, "p_corrected": float("nan")},
                **{"n": len(truth), "classes": kinds},
            }
        )
    return rows


@cache
def crossing(kinds: int) -> float:
    """The factor by which cross-fitting increases the standard deviation of a score at chance level.

    If logits are sums over training clips, each pair of clips counts twice with the same outcome: the linear part of a
    decision counts twice, the rest once. For the greatest of K independent normal logits the linear part has the share
    K m^2 / (K - 1)^2 of the variance of being right, where m is the mean of the greatest of K standard normals: 2 / pi
    for two classes, .47 for four.

    Args:
        kinds: K, the number of classes.

    Returns:
        A factor from 1 to 1.28.
    """
    if kinds < 2:
        return 1.0
    greatest = norm.expect(lambda x: kinds * x * norm.cdf(x) ** (kinds - 1))
    return float(np.sqrt(1 + kinds * greatest**2 / (kinds - 1) ** 2))


def draws(truth: Codes, predicted: Codes, clusters: Codes | None, K: int, seed: int) -> tuple[dict[str, Array], int]:
    """Each measure on bootstrap resamples, (DRAWS,), and the number of clusters.

    Args:
        truth: (n,), below K.
        predicted: (n,), below K.
        clusters: (n,), 0 to S - 1; None resamples clips.
        K: number of classes.
        seed: of the bootstrap.
    """
    random, sample = np.random.default_rng([seed, 3]), tally(truth, predicted, K)
    if clusters is not None and _same(truth, clusters):
        return _resampled_classes(sample, random)
    if clusters is None:
        clusters = _numbers(truth * K + predicted)  # clips with the same truth and prediction are interchangeable
        sizes, size = np.bincount(clusters), len(truth)
        if len(sizes) > FEW_CELLS:
            return dict.fromkeys(PROBED, np.full(DRAWS, np.nan)), size
        shares = sizes / size
        each = _by_cluster(truth, predicted, clusters, K) / sizes[:, None, None]
    else:
        size = int(clusters.max()) + 1
        shares, each = np.full(size, 1 / size), _by_cluster(truth, predicted, clusters, K)
    block = max(1, min(DRAWS, CELLS // max(3 * K, len(shares))))
    found = []
    for start in range(0, DRAWS, block):
        weights = random.multinomial(size, shares, min(block, DRAWS - start)).astype(float)
        summed = np.tensordot(weights, each, 1)
        found.append(_scores(Tally(summed[:, 0], summed[:, 1], summed[:, 2]), sample))
    return {name: np.concatenate([part[name] for part in found]) for name in PROBED}, size


def _scores(found: Tally, sample: Tally) -> dict[str, Array]:
    """Each measure, (...,), of a sample or of its resamples."""
    return {name: within(measure, sample)(found) for name, measure in PROBED.items()}


def _resampled_classes(found: Tally, random: np.random.Generator) -> tuple[dict[str, Array], int]:
    """Bootstrap over classes: each resampled class keeps its own score."""
    present = found.total > 0
    total, hits, named = (part[present] for part in found)
    size = len(total)
    each, f1 = recalls(total, hits), f_scores(Tally(total, hits, named))
    weights = random.multinomial(size, np.full(size, 1 / size), DRAWS).astype(float)
    accuracy = (weights @ hits) / (weights @ total)
    others = int((found.predicted[~present] > 0).sum())  # predicted, but never resampled: an F of 0 each
    return {"uar": weights @ each / size, "accuracy": accuracy, "f1": weights @ f1 / (size + others)}, size


def _by_cluster(truth: Codes, predicted: Codes, clusters: Codes, K: int) -> Array:
    """The clips, hits and predictions of each cluster and class, (S, 3, K)."""
    S = int(clusters.max()) + 1
    right = truth == predicted
    pairs = (clusters * K + truth, (clusters * K + truth)[right], clusters * K + predicted)
    return np.stack([np.bincount(pair, minlength=S * K).reshape(S, K) for pair in pairs], 1).astype(float)


def _same(first: Codes, second: Codes) -> bool:
    """Whether two groupings of clips are the same."""
    pairs = len(np.unique(np.stack([first, second]), axis=1).T)
    return pairs == len(np.unique(first)) == len(np.unique(second))


def _numbers(values: Codes) -> Codes:
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)
