"""What a probe's predictions are worth: UAR, accuracy and macro F1, each with an interval; p of the UAR.

All scores are fractions in [0, 1]. Predictions are fixed: nothing is fitted again.

Clips that test one probe and fit another (cross-fitting) meet twice, once each way round, and where nothing is to be
read both meetings end alike: the score varies more than its clips tell, and nothing estimates by how much without bias
(Bengio & Grandvalet 2004, "No unbiased estimator of the variance of k-fold cross-validation"). `crossing` is the factor
for a probe whose logits are sums over its training clips. Intervals of cross-fitted predictions are widened by it about
the score, and p is that of an excess over chance smaller by as much; `benchmarks/show_null.py` shows what that gives.
The factor is derived where nothing is to be read. Where something is, a probe hangs less on single clips, and such an
interval is conservative: wider than it need be.

- Intervals (95 %) come from bootstraps over clusters, people as a rule: `scores.interval` corrects them for few.
  Where clusters are the classes themselves (speaker is what is read), classes are drawn with the score that each has,
  which is conservative where nothing is to be read (classes that the probe prefers gain what the others lose) and is
  not widened. Of fewer than five clusters clips are drawn instead, and told.
- p is the share of permutations of the test labels that score at least as well (`permutation`): speakers trade their
  labels; where the speaker is what is read, or nobody is told, clips or whole recordings do.
"""

from functools import cache

import numpy as np
from scipy.stats import norm

from mien.audit.statistics.permutation import constant, permutation_p
from mien.audit.statistics.scores import DRAWS, interval
from mien.common.measures import MEASURES, Array, Codes, Tally, f_scores, recalls, tally, within

PROBED = {"uar": MEASURES["uar"], "accuracy": MEASURES["wa"], "f1": MEASURES["macro_f1"]}  # as `leakage.csv` has them
FEWEST_CLUSTERS = 5  # a bootstrap over fewer says nothing
CELLS = 4_000_000  # numbers of a block of draws: bounds memory
FEW_CELLS = 10_000  # kinds of rows (truth, prediction) that clips are drawn from; of more no interval over clips


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
    """The rows of `leakage.csv` of fixed predictions, from `split` on.

    Args:
        truth: (n,), the class of each clip, 0 to K - 1.
        predicted: (n,), what a probe named, in the same numbers.
        shuffled: (n,), what the same probe named that was fitted on shuffled labels.
        clusters: (n,), who or what is drawn in the bootstrap; None: clips.
        blocks: (n,), who trades labels under permutation: speakers; None: clips. Where clusters are the classes (the
            speaker is read), recordings, which trade where all clips of each have one label; else clips do.
        over: what clusters are, in words.
        kinds: classes that the probe knows, where some have no test clip; None: those that have.
        crossed: whether clips that test one of the probes fit another.
        seed: of the bootstrap and the permutations.

    Returns:
        One row a measure (`PROBED`): `split` ("interval over speakers"), `measure, score, chance, shuffled, low,
        high, p, p_corrected, n, classes`. `chance` is 1 / classes for UAR, the most frequent class's share for
        accuracy, and for F1 what guesses uniform over the classes get, in the limit of many clips. p_corrected is nan,
        p too but for UAR.
    """
    shares = np.unique(truth, return_counts=True)[1] / len(truth)  # a class without test clips has no recall
    kinds = len(shares) if kinds is None else kinds
    K = max(int(max(part.max(initial=0) for part in (truth, predicted, shuffled))) + 1, 1)
    uniform = float((2 * shares / (kinds * shares + 1)).sum() / kinds)
    chances = {"uar": 1 / kinds, "accuracy": float(shares.max()), "f1": uniform}
    groups = None if clusters is None or len(np.unique(clusters)) < FEWEST_CLUSTERS else _numbers(clusters)
    samples = tally(truth, predicted, K), tally(truth, shuffled, K)
    scored, fooled = (_scores(sample, sample) for sample in samples)
    drawn, count = draws(truth, predicted, groups, K, seed)
    itself, shrink = clusters is not None and _same(truth, clusters), crossing(kinds) if crossed else 1.0
    widen = 1.0 if itself and groups is not None else shrink
    trading = None if blocks is None or (itself and not constant(truth, blocks)) else blocks
    rows: list[dict[str, object]] = []
    for name in PROBED:
        ends = scored[name] + widen * (np.array(interval(drawn[name], count)) - scored[name])
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
    """How much larger cross-fitting makes the deviation of a score than its clips tell, where nothing is to be read.

    Logits that are sums over training clips meet each pair of clips twice, with one outcome: their linear part in a
    decision counts twice, the rest of it once. For the greatest of K independent normal logits that part has the share
    K m^2 / (K - 1)^2 of the variance of being right, m the mean of the greatest of K standard normals: 2 / pi of two
    classes, .47 of four.

    Args:
        kinds: the K classes.

    Returns:
        A factor from 1 to 1.28.
    """
    if kinds < 2:
        return 1.0
    greatest = norm.expect(lambda x: kinds * x * norm.cdf(x) ** (kinds - 1))
    return float(np.sqrt(1 + kinds * greatest**2 / (kinds - 1) ** 2))


def draws(truth: Codes, predicted: Codes, clusters: Codes | None, K: int, seed: int) -> tuple[dict[str, Array], int]:
    """Each measure on bootstrap draws, (DRAWS,), and how many clusters were drawn from.

    Args:
        truth: (n,), below K.
        predicted: (n,), below K.
        clusters: (n,), 0 to S - 1; None draws clips.
        K: classes.
        seed: of the draws.
    """
    random, sample = np.random.default_rng([seed, 3]), tally(truth, predicted, K)
    if clusters is not None and _same(truth, clusters):
        return _drawn_classes(sample, random)
    if clusters is None:
        clusters = _numbers(truth * K + predicted)  # clips with the same truth and prediction are told apart by nothing
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
    """Each measure, (...,), of a sample or of draws from it."""
    return {name: within(measure, sample)(found) for name, measure in PROBED.items()}


def _drawn_classes(found: Tally, random: np.random.Generator) -> tuple[dict[str, Array], int]:
    """Classes are drawn with the score that each has: what is drawn twice counts twice."""
    present = found.total > 0
    total, hits, named = (part[present] for part in found)
    size = len(total)
    each, f1 = recalls(total, hits), f_scores(Tally(total, hits, named))
    weights = random.multinomial(size, np.full(size, 1 / size), DRAWS).astype(float)
    accuracy = (weights @ hits) / (weights @ total)
    others = int((found.predicted[~present] > 0).sum())  # predicted, and in no draw: an F of 0 each
    return {"uar": weights @ each / size, "accuracy": accuracy, "f1": weights @ f1 / (size + others)}, size


def _by_cluster(truth: Codes, predicted: Codes, clusters: Codes, K: int) -> Array:
    """Total, hits and named of each cluster, (S, 3, K)."""
    S = int(clusters.max()) + 1
    right = truth == predicted
    pairs = (clusters * K + truth, (clusters * K + truth)[right], clusters * K + predicted)
    return np.stack([np.bincount(pair, minlength=S * K).reshape(S, K) for pair in pairs], 1).astype(float)


def _same(first: Codes, second: Codes) -> bool:
    """Whether two ways of grouping are one."""
    pairs = len(np.unique(np.stack([first, second]), axis=1).T)
    return pairs == len(np.unique(first)) == len(np.unique(second))


def _numbers(values: Codes) -> Codes:
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)
