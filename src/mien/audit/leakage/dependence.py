"""How strongly an embedding depends on a factor, without a probe: HSIC and CKA, with a permutation test.

HSIC, the Hilbert-Schmidt independence criterion (Gretton et al. 2005), is 0 where embedding and label are independent.
With a Gaussian kernel it detects every kind of dependence. Here it is the unbiased estimate of Song et al. 2012
(Eq. 5), which may fall below 0, with `k(x, y) = exp(-|x - y|^2 / (2 s^2))`, s the median distance, and l = 1 for the
same label, else 0. Its size depends on the labels: compare it with `chance`.

CKA, centred kernel alignment (Kornblith et al. 2019, section 3), is the HSIC with linear kernels of the embedding and
the one-hot labels, normalised by the HSIC of each with itself: 0 to 1. It detects differences of class means only.

Both use columns standardised to mean 0 and deviation 1, as the probes do; otherwise one wide column would hide the
others. Neither changes when a column is moved or scaled.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from mien.audit.probes.probes import Standard
from mien.audit.statistics.permutation import constant, traded
from mien.common.leakage_tables import MEASURED
from mien.errors import AuditError

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST = 5_000  # clips: time and memory grow with their square
PERMUTATIONS = 500
FEW = 8  # classes up to which a product of matrices is faster than adding up the pairs of each class
BATCH = 64  # permutations at once
BLOCK = 1_000  # rows of the kernel at once
DOUBLE = 2_000  # clips up to which all is float64; beyond, the kernel of all pairs is float32


def dependence(
    embedding: NDArray[np.floating],
    labels: NDArray[np.str_] | list[str],
    *,
    clusters: NDArray[np.str_] | list[str] | None = None,
    factor: str = "speaker",
    seed: int = 0,
    most: int = MOST,
    permutations: int = PERMUTATIONS,
) -> pd.DataFrame:
    """HSIC and CKA of an embedding and a factor.

    Args:
        embedding: (n, D), one row a clip, finite.
        labels: (n,), the factor.
        clusters: (n,), the speaker of each clip. Labels are permuted among clusters (see `permutation`): as wholes
            where all clips of a cluster have the same label, such as the gender of a speaker. None permutes labels
            among clips, as is right where the factor is the speaker.
        factor: its name, for the row.
        seed: of the sample of clips and of the permutations.
        most: clips; of more, a random sample is used.
        permutations: how many.

    Returns:
        One row a measure, in columns of `leakage.csv` (factor to classes): `hsic` and `cka` of probe `kernel`.
        `chance`: the mean over the permutations, the value for meaningless labels; `shuffled`: the first of them; `p`:
        the share of the permutations that are as high. There is no interval: a bootstrap that takes a cluster twice
        would put each of its clips at distance 0 from itself. No row with fewer than two labels or four clips.

    Raises:
        AuditError: the embedding is not finite.
    """
    X, kinds = np.asarray(embedding), np.asarray(labels).astype(str)
    if not np.isfinite(X).all():
        raise AuditError("the embedding is not finite; leave out rows with nan or infinity")
    random, description = np.random.default_rng([seed, 8]), "all clips"
    groups = None if clusters is None else np.asarray(clusters).astype(str)
    if len(X) > most:
        sample = np.sort(random.choice(len(X), most, replace=False))
        description = f"{most:,} clips sampled from {len(X):,}"
        X, kinds, groups = X[sample], kinds[sample], None if groups is None else groups[sample]
    names, codes = np.unique(kinds, return_inverse=True)
    if len(names) < 2 or len(X) < 4:
        return pd.DataFrame()
    units, permuted, way = _permuted(codes.astype(np.int64), groups, permutations, random)
    description += f"; {way}"
    X = Standard.of(X).apply(X)
    with threadpool_limits(1):
        scores = {"hsic": _hsic(_gaussian(X), units, permuted), "cka": _cka(X, units, permuted)}
    rows = [
        {
            **{"factor": factor, "balanced": "", "probe": "kernel", "role": MEASURED},
            **{"split": description, "measure": measure},
            **{"score": values[0], "chance": values[1:].mean(), "shuffled": values[1]},
            **{"low": np.nan, "high": np.nan, "p": _share(values), "p_corrected": np.nan},
            **{"n": len(X), "classes": len(names)},
        }
        for measure, values in scores.items()
    ]
    return pd.DataFrame(rows)


def _share(values: Array) -> float:
    """The p of the first value among all, itself included; values that differ by rounding count as equal."""
    slack = 1e-6 * np.abs(values).max()
    return float((values >= values[0] - slack).mean())


def _permuted(
    codes: Codes, groups: NDArray[np.str_] | None, times: int, random: np.random.Generator
) -> tuple[Codes, Codes, str]:
    """The units of permutation: clips, or clusters.

    Returns:
        The unit of each clip, (n,); the labels of the units, (1 + times, U), the true ones first; how they were
        permuted, for the column `split`.
    """
    if groups is None:
        labels = np.array([codes, *(random.permutation(codes) for _ in range(times))])
        return np.arange(len(codes)), labels, "labels permuted among clips"
    _, first, units = np.unique(groups, return_index=True, return_inverse=True)
    units = units.ravel().astype(np.int64)
    if constant(codes, units):
        of_unit = codes[first]
        labels = np.array([of_unit, *(random.permutation(of_unit) for _ in range(times))])
        return units, labels, "labels permuted among clusters"
    labels = np.concatenate([codes[None], traded(codes, units, times, random)])
    return np.arange(len(codes)), labels, "labels traded among clusters, in random order"


def _gaussian(X: NDArray[np.floating]) -> NDArray[np.floating]:
    """The kernel of all pairs, (n, n), 0 on the diagonal; all others are 1 where no two clips differ."""
    values = np.asarray(X, np.float64)
    values = values - values.mean(0)
    kernel = np.empty((len(values), len(values)), _precision(len(values)))
    squares = (values**2).sum(1)
    for start in range(0, len(values), BLOCK):  # differences in float64, the stored kernel in float32
        rows = slice(start, start + BLOCK)
        kernel[rows] = np.maximum(squares[rows, None] + squares - 2 * values[rows] @ values.T, 0)
    median = float(np.median(np.sqrt(kernel[~np.eye(len(kernel), dtype=bool)]))) ** 2
    width = median if median > 0 else float(kernel.mean(dtype=np.float64))
    if width > 0:
        kernel /= kernel.dtype.type(-2 * width)
    np.exp(kernel, out=kernel)
    np.fill_diagonal(kernel, 0)
    return kernel


def _precision(clips: int) -> type[np.floating]:
    return np.float64 if clips <= DOUBLE else np.float32


def _hsic(kernel: NDArray[np.floating], units: Codes, labels: Codes) -> Array:
    """Song et al. 2012, Eq. 5, for each row of labels of units, (P, U) -> (P,); the kernel's diagonal is 0."""
    count = len(kernel)
    rows = kernel.sum(1, dtype=np.float64)
    within, found = _within(kernel, units, labels), np.empty(len(labels))
    for place, of_unit in enumerate(labels):
        codes = of_unit[units]
        alike = np.bincount(codes)[codes] - 1.0  # the row sums of the labels' kernel
        both = rows.sum() * alike.sum() / ((count - 1) * (count - 2)) - 2 / (count - 2) * (rows @ alike)
        found[place] = (within[place] + both) / (count * (count - 3))
    return found


def _within(kernel: NDArray[np.floating], units: Codes, labels: Codes) -> Array:
    """The sum of the kernel over ordered pairs of clips with the same label, for each row, (P, U) -> (P,)."""
    kinds, count = int(labels.max()) + 1, labels.shape[1]
    if count < len(units):
        onehot = csr_array((np.ones(len(units), kernel.dtype), units, np.arange(len(units) + 1)), (len(units), count))
        kernel = onehot.T @ (onehot.T @ kernel).T  # the sums between units
    elif kinds > FEW:
        counts = np.array([np.bincount(codes, minlength=kinds) for codes in labels])
        return _by_pairs(kernel, labels) if (counts == counts[0]).all() else _by_class(kernel, labels)
    found = np.zeros(len(labels))
    for start in range(0, len(labels), BATCH):
        part = labels[start : start + BATCH]
        for kind in range(kinds):
            here = (part == kind).T.astype(kernel.dtype)
            found[start : start + BATCH] += np.einsum("np,np->p", kernel @ here, here, dtype=np.float64)
    return found


def _by_pairs(kernel: NDArray[np.floating], labels: Codes) -> Array:
    """As `_within`, where each row permutes the labels of clips, so that all rows have equally many pairs."""
    parts = np.split(np.arange(len(kernel)), np.cumsum(np.bincount(labels[0]))[:-1])
    pairs = [np.triu_indices(len(part), 1) for part in parts]
    first = np.concatenate([part[row] for part, (row, _) in zip(parts, pairs, strict=True)])
    second = np.concatenate([part[column] for part, (_, column) in zip(parts, pairs, strict=True)])
    flat, found = kernel.ravel(), np.empty(len(labels))
    for place, codes in enumerate(labels):
        order = np.argsort(codes, kind="stable")
        found[place] = 2 * flat[order[first] * len(kernel) + order[second]].sum(dtype=np.float64)
    return found


def _by_class(kernel: NDArray[np.floating], labels: Codes) -> Array:
    """As `_within`, for any labels, class by class."""
    found = np.zeros(len(labels))
    for place, codes in enumerate(labels):
        parts = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        found[place] = sum(kernel[np.ix_(part, part)].sum(dtype=np.float64) for part in parts)
    return found


def _cka(X: NDArray[np.floating], units: Codes, labels: Codes) -> Array:
    """|Y'X|^2 / (|X'X| |Y'Y|), columns centred, Frobenius norms, for each row of labels, (P, U) -> (P,)."""
    values = np.asarray(X, np.float64)
    values = values - values.mean(0)
    own = np.linalg.norm(values @ values.T if len(values) < values.shape[1] else values.T @ values)
    found = np.zeros(len(labels))
    if own <= 1e-12:
        return found
    narrow, places = values.astype(_precision(len(values))), np.arange(len(values) + 1)
    for place, of_unit in enumerate(labels):
        codes = of_unit[units]
        sizes = np.bincount(codes)
        onehot = csr_array((np.ones(len(codes), narrow.dtype), codes, places), (len(codes), len(sizes)))
        sums = (onehot.T @ narrow).astype(np.float64)
        share = sizes / len(codes)
        target = np.sqrt((sizes**2 * (1 - 2 * share)).sum() + (sizes**2).sum() ** 2 / len(codes) ** 2)
        found[place] = (sums**2).sum() / (own * target) if target > 0 else 0.0  # 0: all clips got the same label
    return found
