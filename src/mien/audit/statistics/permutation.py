"""p of fixed predictions: how often labels that mean nothing, drawn anew, give a UAR at least as high.

What is drawn has to keep what makes clips alike. Clips of a speaker are alike, and labels depend on the speaker as soon
as one speaker has another share of them than the next: clips that trade labels freely would break that tie, and what
tells people apart would pass for what tells labels apart. So speakers trade their labels, and the clips of each take
those that it got in random order (`traded`). Labels that all clips of a speaker share then trade as wholes; labels that
every speaker has alike are shuffled within speakers. Among speakers with as many clips the test is exact where speakers
are exchangeable; who gets the labels of somebody with fewer clips repeats them, which errs on the careful side. Where
no speakers are told, and where the speaker is what is read, clips trade.

p is (1 + count) / (1 + permutations), of `PERMUTATIONS`. Where speakers trade labels that are not of a whole speaker,
fewer are made of more than `LABELS` / `PERMUTATIONS` clips, never fewer than `FEWEST`. Where more than `EXACT` clips
trade, p is from the normal law that permutations of so many follow (Hoeffding 1951), with its exact mean and variance,
and no smaller than a permutation's could be.
"""

import numpy as np
from scipy.stats import norm, random_table

from mien.common.measures import Array, Codes, mean_recall

PERMUTATIONS = 2_000
LABELS, FEWEST = 20_000_000, 200  # labels that speakers trade, over all permutations; permutations at least
EXACT = 20_000  # clips up to which clips trade
CELLS = 1_000_000  # numbers of a block of permutations: bounds memory


def permutation_p(truth: Codes, predicted: Codes, blocks: Codes | None, *, shrink: float = 1.0, seed: int = 0) -> float:
    """How often labels that are permuted give a UAR at least as high, of fixed predictions.

    Args:
        truth: (n,), 0 to K - 1.
        predicted: (n,).
        blocks: (n,), whose clips trade labels together, such as speakers; None: each clip alone.
        shrink: what the excess over the mean of permutations is divided by first.
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
    """Labels under which a factor says nothing but what share of it a speaker has, and of which speaker that is chance.

    Args:
        y: (n,), labels.
        speakers: (n,), 0 to S - 1, each there.
        times: how often.
        random: of the permutations of speakers and of clips.

    Returns:
        (times, n): each time the speakers are permuted, and the clips of each take the labels of the clips of the
        speaker in whose place it is, in random order: some of them where it has fewer clips, and where it has more all
        of them over and over. Among speakers with as many clips this is a permutation of all labels.
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
    """The UARs under labels that speakers traded, and of the labels told; over the classes that have clips then."""
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
    """The sums of recalls when labels trade places among blocks of any size, and of the labels told."""
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
    """Labels trade places among clips: they enter by the table of truth and prediction alone, whose law is known."""
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
    """The upper tail of the sum of recalls under permutation: mean and variance of the hypergeometric table's trace."""
    mean = columns.sum() / n
    own = (columns * (n - rows) * (n - columns) / rows).sum()
    cross = columns.sum() ** 2 - (columns**2).sum()
    variance = (own + cross) / (n**2 * (n - 1))
    if variance <= 0:
        return 1.0
    return max(float(norm.sf((score - mean) / np.sqrt(variance))), 1 / (1 + PERMUTATIONS))


def _numbers(values: Codes) -> Codes:
    return np.unique(values, return_inverse=True)[1].ravel().astype(np.int64)
