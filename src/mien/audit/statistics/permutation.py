"""The p-value of fixed predictions: the share of random permutations of the labels with a UAR at least as high.

A permutation has to keep the dependence between clips. Clips of a speaker are similar, and labels depend on the speaker
if speakers have the classes in different proportions. If the labels of clips were permuted freely, they would lose this
dependence, and predictions that follow the speaker would seem to follow the label. So speakers exchange their labels,
and the clips of each speaker take the new labels in random order (`traded`). A label that all clips of a speaker share
is exchanged as a whole; labels that all speakers have in the same proportions are shuffled within speakers. If all
speakers have equally many clips and are exchangeable, the test is exact. A speaker who receives the labels of one with
fewer clips repeats them, which is conservative. If speakers are not known, or the factor is the speaker, clips exchange
labels.

p is (1 + count) / (1 + permutations), with `PERMUTATIONS` permutations. If speakers exchange labels that differ within
a speaker, and there are more than `LABELS` / `PERMUTATIONS` clips, there are fewer permutations, but at least `FEWEST`.
If more than `EXACT` clips exchange labels, p comes from the normal approximation of the permutation distribution
(Hoeffding 1951), with its exact mean and variance, and is at least 1 / (1 + permutations).
"""

import numpy as np
from scipy.stats import norm, random_table

from mien.common.measures import Array, Codes, mean_recall

PERMUTATIONS = 2_000
LABELS, FEWEST = 20_000_000, 200  # most labels over all permutations; least number of permutations
EXACT = 20_000  # the most clips that are permuted; p of more is from the normal approximation
CELLS = 1_000_000  # numbers in one block of permutations, to bound memory


def permutation_p(truth: Codes, predicted: Codes, blocks: Codes | None, *, shrink: float = 1.0, seed: int = 0) -> float:
    """The share of permutations of the labels with a UAR at least as high, for fixed predictions.

    Args:
        truth: (n,), 0 to K - 1.
        predicted: (n,).
        blocks: (n,), the units that exchange labels, such as speakers; None: each clip is a unit.
        shrink: a divisor of the excess of the score over the mean of the permutations.
        seed: of the permutations.

    Returns:
        p in (0, 1].
    """
    kinds, y = np.unique(truth, return_inverse=True)
    if len(kinds) < 2:
        return 1.0
    random = np.random.default_rng([seed, 5])
    place = np.minimum(np.searchsorted(kinds, predicted), len(kinds) - 1)
    named = np.where(kinds[place] == predicted, place, len(kinds))  # the last column: classes without test clips
    if blocks is None:
        return _p_of_clips(y, named, shrink, random)
    if constant(y, blocks):
        found, score = _of_wholes(y, named, _numbers(blocks), random)
    else:
        found, score = _of_shares(y, named, _numbers(blocks), random)
    score = found.mean() + (score - found.mean()) / shrink
    return float((1 + (found >= score - 1e-9).sum()) / (1 + len(found)))


def traded(y: Codes, speakers: Codes, times: int, random: np.random.Generator) -> Codes:
    """Permuted labels: speakers exchange the labels of their clips.

    Args:
        y: (n,), labels.
        speakers: (n,), 0 to S - 1, each of which has a clip.
        times: the number of permutations.
        random: of the permutations of speakers and of clips.

    Returns:
        (times, n): for each permutation of the speakers, the clips of a speaker take the labels of the clips of another
        one in random order: some of these labels if it has fewer clips, all of them repeatedly if it has more. If all
        speakers have equally many clips, this is a permutation of all labels.
    """
    sizes = np.bincount(speakers).astype(np.int32)  # small integers: most of the time goes into moving them
    starts, sorted_clips = np.cumsum(sizes, dtype=np.int32) - sizes, np.argsort(speakers, kind="stable")
    rank = np.empty(len(y), np.int32)
    rank[sorted_clips] = np.arange(len(y), dtype=np.int32) - np.repeat(starts, sizes)
    mixed = random.permuted(np.tile(np.arange(len(y), dtype=np.min_scalar_type(len(y))), (times, 1)), axis=1)
    owners = speakers.astype(np.min_scalar_type(len(sizes)))[mixed]
    mixed = np.take_along_axis(
        mixed, np.argsort(owners, axis=1, kind="stable"), 1
    )  # speaker by speaker, as in `starts`
    other = random.permuted(np.tile(np.arange(len(sizes)), (times, 1)), axis=1)
    first, size = starts[other][:, speakers], sizes[other][:, speakers]
    return np.asarray(y[np.take_along_axis(mixed, first + rank % size, 1)])


def constant(y: Codes, blocks: Codes) -> bool:
    """Whether all clips of each block have one label; both (n,)."""
    pairs = len(np.unique(np.stack([y, _numbers(blocks)]), axis=1).T)
    return pairs == len(np.unique(blocks))


def _of_shares(y: Codes, named: Codes, speakers: Codes, random: np.random.Generator) -> tuple[Array, float]:
    """The UARs with labels that speakers exchanged, and the UAR with the true labels; over classes that have clips."""
    kinds, n = int(y.max()) + 1, len(y)
    times = max(FEWEST, min(PERMUTATIONS, LABELS // n))

    def uars(labels: Codes) -> Array:
        rows = np.arange(len(labels))[:, None] * kinds
        size = len(labels) * kinds
        total = np.bincount((labels + rows).ravel(), minlength=size).reshape(-1, kinds)
        hits = np.bincount((labels + rows)[labels == named], minlength=size).reshape(-1, kinds)
        return mean_recall(total, hits)

    block = max(1, CELLS // n)
    parts = [uars(traded(y, speakers, min(block, times - start), random)) for start in range(0, times, block)]
    return np.concatenate(parts), float(uars(y[None])[0])


def _of_wholes(y: Codes, named: Codes, blocks: Codes, random: np.random.Generator) -> tuple[Array, float]:
    """The sums of recalls with labels exchanged between blocks of any size, and the sum with the true labels."""
    own = np.zeros(int(blocks.max()) + 1, np.int64)
    own[blocks] = y
    sizes, columns = np.bincount(blocks).astype(float), int(y.max()) + 2
    hits = np.bincount(blocks * columns + named, minlength=len(sizes) * columns).reshape(-1, columns).astype(float)

    def recalls(labels: Codes) -> Array:
        found = np.zeros(len(labels))
        for kind in range(columns - 1):
            mine = (labels == kind).astype(float)
            found += (mine @ hits[:, kind]) / (mine @ sizes)
        return found

    block = max(1, CELLS // len(own))
    parts = [
        recalls(random.permuted(np.tile(own, (min(block, PERMUTATIONS - start), 1)), axis=1))
        for start in range(0, PERMUTATIONS, block)
    ]
    return np.concatenate(parts), float(recalls(own[None])[0])


def _p_of_clips(y: Codes, named: Codes, shrink: float, random: np.random.Generator) -> float:
    """The p-value with labels exchanged between clips: random tables of truth and prediction with the same margins."""
    rows = np.bincount(y)
    columns = np.bincount(named, minlength=len(rows) + 1)
    score = float((np.bincount(y[named == y], minlength=len(rows)) / rows).sum())
    mean = columns[:-1].sum() / len(y)
    score = mean + (score - mean) / shrink
    if len(y) > EXACT:
        return _p_of_many(score, rows.astype(float), columns[:-1].astype(float), len(y))
    reached, block = 0, max(1, CELLS // (len(rows) * len(columns)))
    law = random_table(rows, columns, seed=random)
    for start in range(0, PERMUTATIONS, block):
        tables = law.rvs(min(block, PERMUTATIONS - start)).reshape(-1, len(rows), len(columns))
        hits = np.diagonal(tables, axis1=1, axis2=2)
        reached += int(((hits / rows).sum(-1) >= score - 1e-9).sum())
    return (1 + reached) / (1 + PERMUTATIONS)


def _p_of_many(score: float, rows: Array, columns: Array, n: int) -> float:
    """The p-value of a sum of recalls in the normal approximation, with the exact mean and variance."""
    mean = columns.sum() / n
    own = (columns * (n - rows) * (n - columns) / rows).sum()
    cross = columns.sum() ** 2 - (columns**2).sum()
    variance = (own + cross) / (n**2 * (n - 1))
    if variance <= 0:
        return 1.0
    return max(float(norm.sf((score - mean) / np.sqrt(variance))), 1 / (1 + PERMUTATIONS))


def _numbers(values: Codes) -> Codes:
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)
