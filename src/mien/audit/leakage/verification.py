"""Speaker verification: can unseen speakers be recognised from embeddings by the cosine of two clips?

A trial is a pair of clips; its score is the cosine of their embeddings. Pairs of the same speaker should score higher
than pairs of two speakers. The equal error rate (EER) is the rate where as many pairs of the same speaker are missed as
pairs of two speakers are accepted: 0 where speakers can be recognised, .5 where they cannot (private). Linkability is
the mean over pairs of the same speaker of how much more likely their score is under the same speaker than under two, at
equal priors (Gomez-Barrero et al. 2017): 0 to 1, 0 is private.

Scores may be tied, as those of one-hot or quantised embeddings are. No threshold separates equal scores, so the EER is
where the straight line between two thresholds has equal rates, as in scikit-learn's ROC. audmetric has none there if
most pairs of the same speaker share the highest score. A common offset moves all cosines towards 1, where float32 tells
them no longer apart: they are computed in float64, blocks of rows at a time.

A caller gives the clips of one fold: embeddings of two encoders share no axes and cannot be compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.statistics.scores import draws, interval
from mien.common.leakage_tables import MEASURED
from mien.errors import AuditError

Array = NDArray[np.float64]
Places = NDArray[np.intp]

CHANCE = {"eer": 0.5, "linkability": 0.0}  # the value of each where no speaker can be recognised
MOST = 200_000  # trials
MOST_CLIPS = 5_000  # of more, a random sample is used: a bin of the cosine of every pair is held
FEWEST_SPEAKERS = 5  # for an interval over them
FEWEST_TRIALS = 100  # of the same speaker, for linkability
PER_BIN, MOST_BINS = 10, 100  # of linkability: a bin for every ten pairs of the same speaker, as in audmetric
DRAWS = 2_000  # bootstrap resamples of speakers
PERMUTATIONS = 500
RESHUFFLED = 10  # permutations whose mean is the linkability of shuffled speakers
GRADES = 2_048  # bins of the cosines, where thousands of error rates are computed
CHUNK = 2**20  # weights in memory at once
POINTS = 201  # of a curve
BLOCK = 2**22  # values of float64 in memory at once
TIED = 1e-14  # scores that differ by less are equal: the cosine of two copies of a vector is 1 but for rounding


class Trials(NamedTuple):
    """Pairs of clips with their cosines, in rising order of the cosine.

    Attributes:
        first: (T,) the row of one clip.
        second: (T,) the row of the other.
        same: (T,) whether both are of the same speaker.
        score: (T,) cosines.
        vectors: (n, D) the embeddings of all clips, of length 1 or 0.
        codes: (n,) the speaker of each clip, 0 to S - 1.
        speakers: the S names, sorted.
        description: which pairs these are, for the column `split`.
    """

    first: Places
    second: Places
    same: NDArray[np.bool_]
    score: Array
    vectors: Array
    codes: Places
    speakers: tuple[str, ...]
    description: str


class Curve(NamedTuple):
    """Receiver operating characteristic, from accepting every pair to accepting none.

    Attributes:
        matched: false match rate, the share of the pairs of two speakers that are accepted; falls from 1 to 0.
        missed: false non-match rate, the share of the pairs of the same speaker that are not; rises from 0 to 1.
    """

    matched: Array
    missed: Array


def verification(
    embedding: NDArray[np.floating],
    speakers: NDArray[np.str_] | list[str],
    *,
    recordings: NDArray[np.str_] | list[str] | None = None,
    centre: NDArray[np.floating] | None = None,
    seed: int = 0,
    most: int = MOST,
    permutations: int = PERMUTATIONS,
) -> pd.DataFrame:
    """How well pairs of the same speaker are distinguished from pairs of two speakers.

    Args:
        embedding: (n, D), one row a clip, finite.
        speakers: (n,), the speaker of each clip.
        recordings: (n,), the recording of each clip; pairs within a recording are left out, since they also share the
            microphone.
        centre: (D,), subtracted from each row; None subtracts nothing. Speaker verification uses the mean of the
            training clips (Kaldi's x-vectors), never that of the test clips.
        seed: of the sample of trials, the bootstrap over speakers and the permutations.
        most: trials; of more pairs a sample is used, up to half of it pairs of the same speaker.
        permutations: for p.

    Returns:
        One row a measure, in columns of `leakage.csv` (factor to classes): `eer` and `linkability` of probe `cosine`.
        `shuffled`: the mean where speakers are permuted among clips. For the EER only: `low, high`, a 95 % bootstrap
        interval over speakers (see `_interval`), nan with fewer than `FEWEST_SPEAKERS`; `p`, the share of the
        permutations in which it is as low, nan where recordings are given, since clips of a recording cannot be
        permuted one by one. Linkability has neither: it is never below 0, so that the noise of a resample would count
        as linkability. It is nan with fewer than `FEWEST_TRIALS` pairs of the same speaker. `n`: clips. No row where
        there is no pair of the same speaker, or none of two.

    Raises:
        AuditError: the embedding is not finite.
    """
    trials = cosine_trials(embedding, speakers, recordings=recordings, centre=centre, seed=seed, most=most)
    if trials is None:
        return pd.DataFrame()
    score = {"eer": equal_error_rate(trials), "linkability": linkability(trials)}
    limits = _limits(trials)
    between = dict.fromkeys(CHANCE, (float("nan"), float("nan"))) | {
        "eer": _interval(trials, limits, score["eer"], seed)
    }
    shuffled, p = _permuted(trials, limits, np.random.default_rng([seed, 7]), permutations)
    shared = {"factor": "speaker", "balanced": "", "probe": "cosine", "role": MEASURED}
    rows = [
        {
            **shared,
            **{"split": trials.description, "measure": measure, "score": score[measure], "chance": chance},
            **{"shuffled": shuffled[measure], "low": between[measure][0], "high": between[measure][1]},
            **{"p": p if measure == "eer" and recordings is None else float("nan"), "p_corrected": float("nan")},
            **{"n": len(trials.codes), "classes": len(trials.speakers)},
        }
        for measure, chance in CHANCE.items()
    ]
    return pd.DataFrame(rows)


def roc(trials: Trials, points: int = POINTS) -> Curve:
    """The curve of the trials, at `points` shares of the pairs of two speakers, evenly apart, and its two ends."""
    impostors, own = trials.score[~trials.same], trials.score[trials.same]
    places = np.linspace(0, len(impostors) - 1, min(points, len(impostors))).round().astype(np.intp)
    limits = np.concatenate([[-np.inf], np.unique(impostors[places]), [np.inf]])
    matched = 1 - np.searchsorted(impostors, limits) / len(impostors)
    return Curve(matched, np.searchsorted(own, limits) / len(own))


def cosine_trials(
    embedding: NDArray[np.floating],
    speakers: NDArray[np.str_] | list[str],
    *,
    recordings: NDArray[np.str_] | list[str] | None = None,
    centre: NDArray[np.floating] | None = None,
    seed: int = 0,
    most: int = MOST,
) -> Trials | None:
    """All pairs of clips, or a sample of them; None where there is no pair of the same speaker, or none of two.

    The arguments are those of `verification`.
    """
    X, who = np.asarray(embedding), np.asarray(speakers).astype(str)
    if not np.isfinite(X).all():
        raise AuditError("the embedding is not finite; leave out rows with nan or infinity")
    where = None if recordings is None else np.asarray(recordings).astype(str)
    random, description = np.random.default_rng([seed, 6]), ""
    if len(X) > MOST_CLIPS:
        sample = np.sort(random.choice(len(X), MOST_CLIPS, replace=False))
        description = f" of {MOST_CLIPS:,} clips sampled from {len(X):,}"
        X, who, where = X[sample], who[sample], None if where is None else where[sample]
    names, codes = np.unique(who, return_inverse=True)
    pairs = np.triu(np.ones((len(X), len(X)), bool), 1)
    if where is not None:
        pairs &= where[:, None] != where
        description += " in different recordings"
    same = codes[:, None] == codes
    own, impostors = np.flatnonzero(pairs & same), np.flatnonzero(pairs & ~same)
    if not len(own) or not len(impostors):
        return None
    if len(own) + len(impostors) > most:
        kept = min(len(own), most // 2)
        own = random.choice(own, kept, replace=False)
        impostors = random.choice(impostors, min(len(impostors), most - kept), replace=False)
        description = f"{len(own):,} pairs of one speaker and {len(impostors):,} of two, sampled{description}"
    else:
        description = f"all {len(own):,} pairs of one speaker and {len(impostors):,} of two{description}"
    description += "" if centre is None else "; centred"
    if len(names) < FEWEST_SPEAKERS:
        description += "; too few speakers for an interval"
    vectors = _directions(X, centre)
    first, second = np.divmod(np.concatenate([own, impostors]), len(X))
    rising, score = _rising(vectors, first, second)
    first, second = first[rising], second[rising]
    same = codes[first] == codes[second]
    return Trials(first, second, same, score, vectors, codes, tuple(map(str, names)), description)


def _directions(X: NDArray[np.floating], centre: NDArray[np.floating] | None) -> Array:
    """Rows of length 1, (n, D); a row of zeros stays."""
    values = np.asarray(X, np.float64) - (0 if centre is None else np.asarray(centre, np.float64))
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(np.divide(values, length, out=np.zeros_like(values), where=length > 0), np.float64)


def _rising(vectors: Array, first: Places, second: Places) -> tuple[Places, Array]:
    """The order of the pairs in which their cosines rise, and the cosines in this order."""
    rows = max(1, BLOCK // max(1, vectors.shape[1]))
    parts = [slice(start, start + rows) for start in range(0, len(first), rows)]
    score = np.concatenate([np.einsum("ij,ij->i", vectors[first[one]], vectors[second[one]]) for one in parts])
    rising = np.argsort(score, kind="stable")
    return rising, score[rising]


def equal_error_rate(trials: Trials) -> float:
    """The EER, in [0, 1]: where the straight line between two points of the ROC has equal error rates.

    It is .5 where all scores are equal.
    """
    level = np.concatenate([[0], np.cumsum(np.diff(trials.score) > TIED)])  # the same number for equal scores
    counts = (np.bincount(level[kind], minlength=level[-1] + 1) for kind in (trials.same, ~trials.same))
    return float(_crossing(*(count[None].astype(np.float64) for count in counts))[0])


def linkability(trials: Trials) -> float:
    """The linkability, in [0, 1]; nan with fewer than `FEWEST_TRIALS` pairs of the same speaker.

    The bins are audmetric's. It integrates over their centres by the trapezoidal rule, which counts half of the first
    and the last bin; here each pair counts once, so that it is 1 where all pairs of the same speaker are in the last
    bin and no other pair is.
    """
    return _linked(trials.score[trials.same], trials.score[~trials.same])


def _linked(own: Array, other: Array) -> float:
    """The linkability, from the scores of the pairs of the same speaker and of the others, in any order."""
    if len(own) < FEWEST_TRIALS:
        return float("nan")
    low, high = min(own.min(), other.min()), max(own.max(), other.max())
    if high - low <= TIED:
        return 0.0
    edges = np.linspace(low, high, min(len(own) // PER_BIN, MOST_BINS) + 1)
    same, two = (np.histogram(scores, edges)[0] / len(scores) for scores in (own, other))
    there = same > 0
    # likelihood ratio r = same / two: 2 r / (1 + r) - 1, and 0 where the ratio is below 1
    local = np.maximum(0.0, same[there] - two[there]) / (same[there] + two[there])
    return float((same[there] * local).sum())


def _limits(trials: Trials) -> Array:
    """Quantiles of the scores of both kinds of pairs, as limits of bins."""
    shares = np.linspace(0, 1, GRADES // 2)
    limits = np.unique([np.quantile(trials.score[kind], shares) for kind in (trials.same, ~trials.same)])
    return np.asarray(limits[np.concatenate([[True], np.diff(limits) > TIED])] - TIED)


def _graded(trials: Trials, limits: Array, orders: Sequence[Places]) -> tuple[NDArray[np.uint16], list[Array]]:
    """The bin of the cosine of every two clips, (n, n), and the cosine of each pair of the trials, (T,), by orders.

    In an order, (n,), the clips of the rows are permuted. Only cosines above the diagonal are computed, in blocks.
    """
    vectors, clips = trials.vectors, len(trials.vectors)
    grades = np.empty((clips, clips), np.uint16)
    rows = max(1, BLOCK // clips)
    moved = [(order[trials.first], order[trials.second]) for order in orders]
    early = np.concatenate([np.minimum(*pair) for pair in moved] or [np.empty(0, np.intp)])
    late = np.concatenate([np.maximum(*pair) for pair in moved] or [np.empty(0, np.intp)])
    sorted_pairs = np.argsort(early.astype(np.min_scalar_type(clips)), kind="stable")
    ends = np.searchsorted(early, np.arange(0, clips + rows, rows), sorter=sorted_pairs)
    scores = np.empty(len(early))
    for number, start in enumerate(range(0, clips, rows)):
        block = vectors[start : start + rows] @ vectors[start:].T
        own = slice(start, start + len(block))
        grades[own, start:] = np.searchsorted(limits, block, side="right")
        grades[start:, own] = grades[own, start:].T
        here = sorted_pairs[ends[number] : ends[number + 1]]
        scores[here] = block[early[here] - start, late[here] - start]
    return grades, np.split(scores, len(moved)) if moved else []


def _crossing(own: Array, other: Array) -> Array:
    """Where both error rates cross, from the weight in each bin: (B, bins) twice -> (B,), nan without weight.

    Both rates are interpolated linearly between two limits.
    """
    with np.errstate(invalid="ignore"):
        missed = np.cumsum(own, axis=1) / own.sum(1, keepdims=True)
        apart = missed - 1 + np.cumsum(other, axis=1) / other.sum(1, keepdims=True)
    row, after = np.arange(len(missed)), np.argmax(apart >= -1e-12, axis=1)
    before = np.maximum(after - 1, 0)
    low = np.where(after > 0, apart[row, before], -1.0)
    base = np.where(after > 0, missed[row, before], 0.0)
    return np.asarray(base + (missed[row, after] - base) * low / (low - apart[row, after]))


def _interval(trials: Trials, limits: Array, value: float, seed: int) -> tuple[float, float]:
    """A bootstrap interval of the EER over speakers, extended to include its value.

    A pair of the same speaker weighs as often as the speaker is in the resample, a pair of two the product of both.
    """
    count = len(trials.speakers)
    if count < FEWEST_SPEAKERS:
        return float("nan"), float("nan")
    resamples = draws(trials.speakers, seed=seed, number=DRAWS)
    grade = np.searchsorted(limits, trials.score, side="right")
    own = np.zeros((count, len(limits) + 1))
    np.add.at(own, (trials.codes[trials.first[trials.same]], grade[trials.same]), 1)
    impostor = np.flatnonzero(~trials.same)  # in rising order of their bins
    first, second = (trials.codes[side[impostor]] for side in (trials.first, trials.second))
    kinds, starts = np.unique(grade[impostor], return_index=True)
    values = []
    for part in np.array_split(resamples, max(1, DRAWS * len(impostor) // CHUNK)):
        other = np.zeros((len(part), len(limits) + 1))
        weights = part.astype(np.float32)
        other[:, kinds] = np.add.reduceat(weights.take(first, 1) * weights.take(second, 1), starts, axis=1)
        values.append(_crossing(part @ own, other))
    low, high = interval(np.concatenate(values), count)
    return min(low, value), max(high, value)


def _permuted(
    trials: Trials, limits: Array, random: np.random.Generator, number: int
) -> tuple[dict[str, float], float]:
    """Both measures where speakers are permuted among clips, and the p of the EER.

    The pairs of rows stay the same; the clips in these rows are permuted.
    """
    clips = len(trials.codes)
    orders = [random.permutation(clips) for _ in range(number)]
    grade, scores = _graded(trials, limits, orders[:RESHUFFLED])
    linked = [_linked(score[trials.same], score[~trials.same]) for score in scores]
    # pairs of one row together, so that their bins lie in one row of the matrix
    kinds = [np.flatnonzero(kind) for kind in (trials.same, ~trials.same)]
    pairs = [rows[np.argsort(trials.first[rows], kind="stable")] for rows in kinds]
    flat, ends = grade.ravel(), [(trials.first[rows], trials.second[rows]) for rows in pairs]

    def error(order: Places) -> float:
        starts = order * clips
        counts = (np.bincount(flat[starts[a] + order[b]], minlength=len(limits) + 1) for a, b in ends)
        return float(_crossing(*(count[None].astype(np.float64) for count in counts))[0])

    measured = error(np.arange(clips))
    errors = np.array([error(order) for order in orders])
    shuffled = {"eer": float(errors.mean()), "linkability": float(np.mean(linked))}
    return shuffled, float((1 + (errors <= measured + 1e-12).sum()) / (1 + number))
