"""Can a stranger be told by voice alone: cosine trials between the clips of people that an encoder never seen.

A trial is a pair of clips; its score is the cosine of their embeddings. Pairs of one speaker should score higher than
pairs of two. The equal error rate (EER) is where as many pairs of one speaker are missed as pairs of two are matched:
0 where every speaker can be told, .5 where none can (private). Linkability is the mean over pairs of one speaker of how
much more likely their score is under one speaker than under two, at equal priors (Gomez-Barrero et al. 2017): 0 to 1,
0 is private. Both are audmetric's.

Trials never cross folds: embeddings of two encoders share no axes. A caller gives the clips of one fold.
"""

from typing import NamedTuple

import audmetric
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.statistics.scores import draws, interval
from mien.errors import AuditError

Array = NDArray[np.float64]
Places = NDArray[np.intp]

CHANCE = {"eer": 0.5, "linkability": 0.0}  # what each is where no speaker can be told
MOST = 200_000  # trials
MOST_CLIPS = 5_000  # of more, a drawn part is looked at: the cosines of all pairs are held at once, in float32
FEWEST_SPEAKERS = 5  # for an interval over them
FEWEST_TRIALS = 100  # of one speaker, for linkability: ten bins, as audmetric takes a bin for every ten
DRAWS = 2_000  # of speakers
PERMUTATIONS = 500
RESHUFFLED = 10  # permutations whose mean is the linkability of shuffled speakers
GRADES = 2_048  # of the cosines, where thousands of error rates are taken
CHUNK = 2**20  # weights in memory at once
POINTS = 201  # of a curve


class Trials(NamedTuple):
    """Pairs of clips with their cosines, in rising order of the cosine.

    Attributes:
        first: (T,) the row of one clip.
        second: (T,) the row of the other.
        same: (T,) whether both are one speaker's.
        score: (T,) cosines.
        cosine: (n, n) those of all pairs.
        codes: (n,) the speaker of each clip, 0 to S - 1.
        speakers: the S names, sorted.
        told: which pairs these are, in words.
    """

    first: Places
    second: Places
    same: NDArray[np.bool_]
    score: Array
    cosine: NDArray[np.float32]
    codes: Places
    speakers: tuple[str, ...]
    told: str


class Curve(NamedTuple):
    """Receiver operating characteristic, from matching everything to matching nothing.

    Attributes:
        matched: share of the pairs of two speakers that are taken for one (false match rate), falling from 1 to 0.
        missed: share of the pairs of one speaker that are not (false non-match rate), rising from 0 to 1.
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
    """How well pairs of one speaker are told from pairs of two.

    Args:
        embedding: (n, D), one row a clip, finite.
        speakers: (n,), who speaks in each.
        recordings: (n,), the recording of each; pairs of one recording are left out, for they share a microphone too.
        centre: (D,), what is taken from each row first; None takes nothing. Speaker verification takes the mean of the
            training clips (Kaldi's x-vectors), never that of the clips that are tried.
        seed: of the draws of trials and speakers and of the permutations.
        most: trials; of more pairs, half as many of one speaker and the rest of two are drawn.
        permutations: for p.

    Returns:
        One row a measure, in columns of `leakage.csv` (factor to classes): `eer` and `linkability` of probe `cosine`.
        `shuffled`: the mean where speakers are permuted over clips. Of the EER alone: `low, high`, 95 % over draws of
        speakers, a pair of one weighing as often as they are drawn, a pair of two the product, nan of fewer than
        `FEWEST_SPEAKERS`; `p`, the share of the permutations in which it is as low, nan where recordings are given,
        for clips of one recording cannot change places alone. Linkability has neither: it is never below 0, so that the
        noise of a draw counts as linkability. It is nan with fewer than `FEWEST_TRIALS` pairs of one speaker. `n`:
        clips. No row where there is no pair of one speaker, or none of two.

    Raises:
        AuditError: the embedding is not finite.
    """
    trials = cosine_trials(embedding, speakers, recordings=recordings, centre=centre, seed=seed, most=most)
    if trials is None:
        return pd.DataFrame()
    score = {"eer": equal_error_rate(trials), "linkability": linkability(trials)}
    limits, grade = _grades(trials)
    between = dict.fromkeys(CHANCE, (float("nan"), float("nan"))) | {"eer": _interval(trials, limits, seed)}
    shuffled, p = _permuted(trials, limits, grade, np.random.default_rng([seed, 7]), permutations)
    shared = {"factor": "speaker", "probe": "cosine", "role": "measured"}
    rows = [
        {
            **shared,
            **{"split": trials.told, "measure": measure, "score": score[measure], "chance": chance},
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
    """All pairs of clips, or a drawn part of them; None where there is no pair of one speaker, or none of two.

    The arguments are those of `verification`.
    """
    X, who = np.asarray(embedding), np.asarray(speakers).astype(str)
    if not np.isfinite(X).all():
        raise AuditError("the embedding is not finite, so no cosine can be taken; leave out rows with nan or infinity")
    where = None if recordings is None else np.asarray(recordings).astype(str)
    random, told = np.random.default_rng([seed, 6]), ""
    if len(X) > MOST_CLIPS:
        drawn = np.sort(random.choice(len(X), MOST_CLIPS, replace=False))
        told = f" of {MOST_CLIPS:,} clips drawn from {len(X):,}"
        X, who, where = X[drawn], who[drawn], None if where is None else where[drawn]
    names, codes = np.unique(who, return_inverse=True)
    pairs = np.triu(np.ones((len(X), len(X)), bool), 1)
    if where is not None:
        pairs &= where[:, None] != where
        told += " in different recordings"
    same = codes[:, None] == codes
    own, impostors = np.flatnonzero(pairs & same), np.flatnonzero(pairs & ~same)
    if not len(own) or not len(impostors):
        return None
    if len(own) + len(impostors) > most:
        kept = min(len(own), most // 2)
        own = random.choice(own, kept, replace=False)
        impostors = random.choice(impostors, min(len(impostors), most - kept), replace=False)
        told = f"{len(own):,} pairs of one speaker and {len(impostors):,} of two, drawn by seed{told}"
    else:
        told = f"all {len(own):,} pairs of one speaker and {len(impostors):,} of two{told}"
    told += "" if centre is None else "; centred"
    if len(names) < FEWEST_SPEAKERS:
        told += "; too few speakers for an interval"
    cosine = _cosines(X, centre)
    first, second = np.divmod(np.concatenate([own, impostors]), len(X))
    score = cosine[first, second].astype(np.float64)
    rising = np.argsort(score, kind="stable")
    first, second, score = first[rising], second[rising], score[rising]
    return Trials(first, second, codes[first] == codes[second], score, cosine, codes, tuple(map(str, names)), told)


def _cosines(X: NDArray[np.floating], centre: NDArray[np.floating] | None) -> NDArray[np.float32]:
    """All cosines, (n, n); those with a row of zeros are 0."""
    values = np.asarray(X, np.float64) - (0 if centre is None else np.asarray(centre, np.float64))
    length = np.linalg.norm(values, axis=1, keepdims=True)
    values = np.divide(values, length, out=np.zeros_like(values), where=length > 0).astype(np.float32)
    return np.asarray(values @ values.T, np.float32)


def equal_error_rate(trials: Trials) -> float:
    """The EER, in [0, 1]; .5 where all scores are the same, so that no threshold parts them."""
    if trials.score[0] == trials.score[-1]:
        return 0.5
    return float(audmetric.equal_error_rate(trials.same, trials.score)[0])


def linkability(trials: Trials) -> float:
    """The linkability, in [0, 1]; nan with fewer than `FEWEST_TRIALS` pairs of one speaker."""
    if trials.same.sum() < FEWEST_TRIALS:
        return float("nan")
    if trials.score[0] == trials.score[-1]:
        return 0.0
    return float(audmetric.linkability(trials.same, trials.score))


def _grades(trials: Trials) -> tuple[Array, NDArray[np.uint16]]:
    """Limits that part the pairs of one speaker, and those of two, into equal shares; all cosines by these, (n, n)."""
    shares = np.linspace(0, 1, GRADES // 2)
    limits = np.unique([np.quantile(trials.score[kind], shares) for kind in (trials.same, ~trials.same)])
    return limits, np.searchsorted(limits, trials.cosine, side="right").astype(np.uint16)


def _crossing(own: Array, other: Array) -> Array:
    """Where both error rates cross, from the weight in each grade: (B, grades) twice -> (B,), nan without weight.

    Between two limits both rates are taken to be straight lines.
    """
    with np.errstate(invalid="ignore"):
        missed = np.cumsum(own, axis=1) / own.sum(1, keepdims=True)
        apart = missed - 1 + np.cumsum(other, axis=1) / other.sum(1, keepdims=True)
    row, after = np.arange(len(missed)), np.argmax(apart >= -1e-12, axis=1)
    before = np.maximum(after - 1, 0)
    low = np.where(after > 0, apart[row, before], -1.0)
    base = np.where(after > 0, missed[row, before], 0.0)
    return np.asarray(base + (missed[row, after] - base) * low / (low - apart[row, after]))


def _interval(trials: Trials, limits: Array, seed: int) -> tuple[float, float]:
    """The EER on draws of speakers, a pair of one weighing as often as they are drawn, a pair of two the product."""
    count = len(trials.speakers)
    if count < FEWEST_SPEAKERS:
        return float("nan"), float("nan")
    drawn = draws(trials.speakers, seed=seed, number=DRAWS)
    grade = np.searchsorted(limits, trials.score, side="right")
    own = np.zeros((count, len(limits) + 1))
    np.add.at(own, (trials.codes[trials.first[trials.same]], grade[trials.same]), 1)
    impostor = np.flatnonzero(~trials.same)  # in rising order of their grades
    one, two = (trials.codes[side[impostor]] for side in (trials.first, trials.second))
    kinds, starts = np.unique(grade[impostor], return_index=True)
    values = []
    for part in np.array_split(drawn, max(1, DRAWS * len(impostor) // CHUNK)):
        other = np.zeros((len(part), len(limits) + 1))
        weights = part.astype(np.float32)
        other[:, kinds] = np.add.reduceat(weights.take(one, 1) * weights.take(two, 1), starts, axis=1)
        values.append(_crossing(part @ own, other))
    return interval(np.concatenate(values), count)


def _permuted(
    trials: Trials, limits: Array, grade: NDArray[np.uint16], random: np.random.Generator, number: int
) -> tuple[dict[str, float], float]:
    """Both measures where speakers are permuted over clips, and the p of the EER.

    The trials stay as they were planned and clips change places.
    """
    own, other = np.flatnonzero(trials.same), np.flatnonzero(~trials.same)
    pairs = [(trials.first[kind], trials.second[kind]) for kind in (own, other)]

    def error(order: Places) -> float:
        counts = (np.bincount(grade[order[one], order[two]], minlength=len(limits) + 1) for one, two in pairs)
        return float(_crossing(*(count[None].astype(np.float64) for count in counts))[0])

    clips = len(trials.codes)
    measured = error(np.arange(clips))
    orders = [random.permutation(clips) for _ in range(number)]
    errors = np.array([error(order) for order in orders])
    linked = [linkability(_moved(trials, order)) for order in orders[:RESHUFFLED]]
    shuffled = {"eer": float(errors.mean()), "linkability": float(np.mean(linked))}
    return shuffled, float((1 + (errors <= measured + 1e-12).sum()) / (1 + number))


def _moved(trials: Trials, order: Places) -> Trials:
    """The trials with clips in other places."""
    first, second = order[trials.first], order[trials.second]
    score = trials.cosine[first, second].astype(np.float64)
    rising = np.argsort(score, kind="stable")
    return trials._replace(first=first[rising], second=second[rising], same=trials.same[rising], score=score[rising])
