"""The table of measures: the name of each, the answers that it needs, its chance level, and which way is better.

A measure is a function of a *statistic*, which is a sum over clips. The statistic of several speakers is the sum of
theirs, so a bootstrap over speakers adds up statistics and does not visit the clips again. Leading axes of a statistic
are kept. A measure is nan where no truth is known.

- `counts`, of classes: (..., K, K), rows are the truth, columns the answers. If K x K is too large: `Tally`, three
  sums of it, (..., K) each. All measures of classes but `balanced_f1` are functions of these sums.
- `losses`, of probabilities: (..., 2), the sum of nats over all clips, and the number of clips. `auc` ranks all clips,
  so it is a function of the clips and has no statistic.
- `moments`, of numbers: (..., 8), sums of powers of truth and answer.

The truth of classes is (n,) class numbers, -1 if unknown; or (n, K) bool, the right classes if a clip can have several
("anger+sadness"); or (n, K) soft labels, nan if unknown, of which measures of classes take the most probable class. The
truth of numbers is (n, ...), nan if unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

ROUNDING = 1e-12  # share of a mean square; a variance below it is a rounding error of a difference of sums


class Tally(NamedTuple):
    """The sums of `counts` that measures of classes need, (..., K) each.

    Attributes:
        total: the number of clips of each class.
        hits: how many of them are classified correctly.
        predicted: how often each class is predicted.
    """

    total: NDArray[Any]
    hits: NDArray[Any]
    predicted: NDArray[Any]


Counts = Array | Tally


@dataclass(frozen=True)
class Measure:
    """One row of the table.

    Attributes:
        name: the name in the table and in settings.
        title: the name in headings.
        needs: the kind of answers: "classes" (probabilities are accepted too), "probabilities" or "numbers".
        statistic: (truth, answers) -> the argument of `function`; None if `function` takes (truth, answers) itself.
        function: the measure, (...,) of a statistic with leading axes.
        chance: truth -> the score of the best constant answer, the same for all clips; 0 for correlations, of which a
            constant has none.
        higher_is_better: whether a higher value is better.
    """

    name: str
    title: str
    needs: Literal["classes", "probabilities", "numbers"]
    statistic: Callable[[ArrayLike, ArrayLike], Array] | None
    function: Callable[..., Array]
    chance: Callable[[ArrayLike], float]
    higher_is_better: bool = True

    def __call__(self, *statistic: Any) -> Array:
        """The measure of a statistic; of truth and answers if the measure has no statistic."""
        return self.function(*statistic)

    def value(self, truth: ArrayLike, answers: ArrayLike) -> float:
        """The measure of all clips at once.

        Args:
            truth: see the module.
            answers: (n,) class numbers, or (n, K) probabilities, or numbers of the shape of the truth.
        """
        if self.statistic is None:
            return float(self.function(truth, answers))
        return float(self.function(self.statistic(truth, answers)))


def counts(truth: ArrayLike, answers: ArrayLike, K: int = 0) -> Array:
    """Confusion counts, (K, K).

    If several classes of a clip are right and one of them is predicted, the clip counts as a clip of that class. If
    none of them is predicted, it counts as a clip of each, in equal shares.

    Args:
        truth: (n,) or (n, K).
        answers: (n,) class numbers, or (n, K) probabilities.
        K: the least number of classes; more if truth or answers have more.
    """
    given = np.asarray(answers)
    guess = given.astype(np.int64) if given.ndim == 1 else given.argmax(1)
    right, known = _right(truth, max(K, int(guess.max(initial=-1)) + 1, given.shape[1] if given.ndim > 1 else 0))
    predicted = np.eye(right.shape[1])[guess[known]]
    shares = right / np.maximum(right.sum(1, keepdims=True), 1)
    return np.asarray(np.where((right & (predicted > 0)).any(1, keepdims=True), predicted, shares).T @ predicted)


def tally(truth: Codes, predicted: Codes, K: int) -> Tally:
    """The sums of `counts` without the K x K matrix; truth and predicted are (n,), 0 to K - 1, all known."""
    parts = (truth, truth[truth == predicted], predicted)
    return Tally(*(np.bincount(part, minlength=K).astype(float) for part in parts))


def recalls(total: NDArray[Any], hits: NDArray[Any]) -> Array:
    """The recall of each class: the share of its clips that are right, (..., K); 0 for a class without clips."""
    return np.asarray(np.divide(hits, total, out=np.zeros(total.shape), where=total > 0))


def mean_recall(total: NDArray[Any], hits: NDArray[Any]) -> Array:
    """The mean of the recalls of the classes that have clips; (..., K) each -> (...)."""
    return _ratio(recalls(total, hits).sum(-1), (total > 0).sum(-1))


def uar(counted: Counts) -> Array:
    """Unweighted average recall: the mean of the recalls of the classes that have clips."""
    return mean_recall(_total(counted), _hits(counted))


def uar_of(truth: Codes, predicted: Codes) -> float:
    """UAR for many classes, such as speakers; truth and predicted are (n,) class numbers from 0; nan without clips."""
    total = np.bincount(truth)
    hits = np.bincount(truth[truth == predicted], minlength=len(total))
    return float(mean_recall(total[total > 0], hits[total > 0]))


def wa(counted: Counts) -> Array:
    """Weighted accuracy, which is accuracy: the share of clips that are right."""
    clips = counted.total.sum(-1) if isinstance(counted, Tally) else counted.sum((-2, -1))
    return _ratio(_hits(counted).sum(-1), clips)


def f_scores(counted: Counts) -> Array:
    """F1 of each class, 2 hits / (clips + predictions), (..., K); 0 for a class without clips."""
    both = _total(counted) + _predicted(counted)
    return np.asarray(np.divide(2 * _hits(counted), both, out=np.zeros(both.shape), where=both > 0))


def macro_f1(counted: Counts, sample: Counts | None = None) -> Array:
    """The mean F1 over the classes that have clips or are predicted, as in scikit-learn.

    A class that is predicted but has no clips counts as 0.

    Args:
        counted: see the module.
        sample: the whole sample, if `counted` is a resample or a part of it; see `within`.
    """
    total = _total(counted)
    classes = (total > 0) | ((_predicted(counted) > 0) & (sample is None or _total(sample) == 0))
    return _ratio(f_scores(counted).sum(-1), classes.sum(-1))


def micro_f1(counted: Counts) -> Array:
    """F1 of all classes together; equal to the accuracy if each clip has one answer."""
    both = _total(counted).sum(-1) + _predicted(counted).sum(-1)
    return _ratio(2 * _hits(counted).sum(-1), both)


def balanced_f1(counted: Array, sample: Array | None = None) -> Array:
    """Macro F1 with all classes weighted alike: rows are scaled to the same sum; takes `counts` only, no `Tally`.

    This is the score on a test set with equally many clips of each class, without leaving clips out.
    """
    total = counted.sum(-1, keepdims=True)
    return macro_f1(np.divide(counted, total, out=np.zeros_like(counted), where=total > 0), sample)


def within(measure: Callable[..., Array], sample: Counts) -> Callable[..., Array]:
    """A measure of classes for resamples, or parts, of a sample.

    A class that is in the sample and, by chance, not in a resample is left out of the score of that resample, predicted
    or not. Measures of recalls leave it out anyway; in macro F1 it would count as 0.

    Args:
        measure: of `counts`: a row of the table, or a function.
        sample: the counts of the whole sample, (K, K).
    """
    function = measure.function if isinstance(measure, Measure) else measure
    return partial(function, sample=sample) if function in (macro_f1, balanced_f1) else measure


def losses(truth: ArrayLike, probabilities: ArrayLike) -> Array:
    """The sum of the cross-entropies of all clips, in nats, and the number of clips, (2,).

    As in scikit-learn's `log_loss`, probabilities are clipped to [eps, 1 - eps], eps of float64.

    Args:
        truth: (n,) or soft labels (n, K).
        probabilities: (n, K).
    """
    predicted, least = np.asarray(probabilities, np.float64), np.finfo(np.float64).eps
    shares, known = _soft(truth, predicted.shape[1])
    each = -(shares * np.log(np.clip(predicted[known], least, 1 - least))).sum(1)
    return np.array([each.sum(), len(each)])


def cross_entropy(sums: Array) -> Array:
    """The mean cross-entropy of a clip in nats, of `losses`."""
    return _ratio(sums[..., 0], sums[..., 1])


def auc(truth: ArrayLike, probabilities: ArrayLike) -> Array:
    """The area under the ROC curve, one class against the rest, the mean over classes.

    For one class this is the probability that a clip of it gets a higher probability of the class than another clip;
    ties count half (Mann and Whitney 1947). Classes that no clip or every clip has are left out.

    Args:
        truth: (n,) or (n, K).
        probabilities: (n, K).
    """
    from scipy.stats import rankdata

    predicted = np.asarray(probabilities, np.float64)
    right, known = _right(truth, predicted.shape[1])
    those = right.sum(0)
    pairs = those * (len(right) - those)
    ranks = np.where(right, rankdata(predicted[known], axis=0), 0).sum(0) if len(right) else np.zeros(len(those))
    areas = np.divide(ranks - those * (those + 1) / 2, pairs, out=np.zeros(len(those)), where=pairs > 0)
    return _ratio(areas.sum(), (pairs > 0).sum())


def moments(truth: ArrayLike, answers: ArrayLike, *, origin: float = 0.0) -> Array:
    """Sums over clips, (..., 8): clips; truth; answer; truth^2; answer^2; truth x answer; (truth - answer)^2 and `|.|`.

    Args:
        truth: (n, ...).
        answers: (n, ...).
        origin: subtracted from both first, so that sums of squares lose no digits; choose a value near the mean. It has
            to be the same for all moments that are added up.
    """
    true, predicted = np.asarray(truth, np.float64) - origin, np.asarray(answers, np.float64) - origin
    known = ~np.isnan(true)
    x, y = np.where(known, true, 0.0), np.where(known, predicted, 0.0)
    apart = x - y
    return np.stack([part.sum(0) for part in (known, x, y, x * x, y * y, x * y, apart * apart, np.abs(apart))], -1)


def ccc(sums: Array) -> Array:
    """Concordance correlation, of `moments`; nan for fewer than two clips, or if both are the same constant.

    2 cov / (var + var + (mean - mean)^2), with variances over n (Lin 1989, "A concordance correlation coefficient to
    evaluate reproducibility").
    """
    (x, y), (xx, yy), xy = _spread(sums)
    return _ratio(2 * xy, np.where(sums[..., 0] > 1, xx + yy + (x - y) ** 2, 0.0))


def pearson(sums: Array) -> Array:
    """Pearson's correlation, of `moments`; nan if truth or answer is constant."""
    _, (xx, yy), xy = _spread(sums)
    return _ratio(xy, np.sqrt(xx * yy))


def rmse(sums: Array) -> Array:
    """The root of the mean squared error, of `moments`."""
    return np.sqrt(_ratio(sums[..., 6], sums[..., 0]))


def mae(sums: Array) -> Array:
    """The mean absolute error, of `moments`."""
    return _ratio(sums[..., 7], sums[..., 0])


def _about_mean(truth: ArrayLike, answers: ArrayLike) -> Array:
    """`moments` of all clips, with the mean of the truth as origin."""
    known = _known(truth)
    return moments(truth, answers, origin=float(known.mean()) if len(known) else 0.0)


def _chance_of_uar(truth: ArrayLike) -> float:
    """1 / (number of classes with clips); if a clip can have several right classes, the UAR of uniform guesses.

    Chance is higher then, since any of the right classes counts: the mean over classes of E[hits] / E[clips counted].
    """
    right, _ = _right(truth)
    several, clips = right.sum(1, keepdims=True), right.sum(0)
    present = clips > 0
    if not present.any():
        return float("nan")
    if not (several > 1).any():
        return float(1 / present.sum())
    guess = 1 / right.shape[1]
    # a right class is guessed with this probability and then counts alone; otherwise all count in equal shares
    counted = (right * (guess + (1 - several * guess) / np.maximum(several, 1))).sum(0)
    return float((guess * clips[present] / counted[present]).mean())


def _chance_of_wa(truth: ArrayLike) -> float:
    """The share of the most frequent class."""
    right, _ = _right(truth)
    return float(right.sum(0).max() / len(right)) if right.any() else float("nan")


def _constant(function: Callable[[Array], Array]) -> Callable[[ArrayLike], float]:
    """The best score of always predicting one class."""

    def chance(truth: ArrayLike) -> float:
        right, _ = _right(truth)
        present = np.flatnonzero(right.any(0))
        scores = [float(function(counts(right, np.full(len(right), kind)))) for kind in present]
        return max(scores, default=float("nan"))

    return chance


def _chance_of_cross_entropy(truth: ArrayLike) -> float:
    """The entropy of the class shares, in nats."""
    shares, _ = _soft(truth, 0)
    if not len(shares):
        return float("nan")
    mean = shares.mean(0)
    return float(-(mean * np.log(np.where(mean > 0, mean, 1.0))).sum())


def _chance_of_rmse(truth: ArrayLike) -> float:
    true = _known(truth)
    return float(true.std()) if len(true) else float("nan")


def _chance_of_mae(truth: ArrayLike) -> float:
    true = _known(truth)
    return float(np.abs(true - np.median(true)).mean()) if len(true) else float("nan")


_ROWS = (
    Measure("uar", "UAR", "classes", counts, uar, _chance_of_uar),
    Measure("wa", "WA", "classes", counts, wa, _chance_of_wa),
    Measure("macro_f1", "macro F1", "classes", counts, macro_f1, _constant(macro_f1)),
    Measure("micro_f1", "micro F1", "classes", counts, micro_f1, _constant(micro_f1)),
    Measure("balanced_f1", "balanced macro F1", "classes", counts, balanced_f1, _constant(balanced_f1)),
    Measure(
        *("cross_entropy", "cross-entropy", "probabilities", losses, cross_entropy, _chance_of_cross_entropy),
        higher_is_better=False,
    ),
    Measure("auc", "AUC", "probabilities", None, auc, lambda truth: 0.5),
    Measure("ccc", "CCC", "numbers", _about_mean, ccc, lambda truth: 0.0),
    Measure("pearson", "Pearson's r", "numbers", _about_mean, pearson, lambda truth: 0.0),
    Measure("rmse", "RMSE", "numbers", _about_mean, rmse, _chance_of_rmse, higher_is_better=False),
    Measure("mae", "MAE", "numbers", _about_mean, mae, _chance_of_mae, higher_is_better=False),
)
MEASURES: Mapping[str, Measure] = {row.name: row for row in _ROWS}
COMPARED = {"f1": MEASURES["macro_f1"]}  # the name of a measure in comparisons of systems, besides those of `MEASURES`


def measure_of(name: str) -> Measure:
    """A measure by its key in the files of a run."""
    return COMPARED.get(name) or MEASURES[name]


def of_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The measures of a run: for classes, or for a number if there are none. The first one is the main score."""
    return ("uar", "wa") if classes else ("ccc", "rmse")


def _total(counted: Counts) -> NDArray[Any]:
    return counted.total if isinstance(counted, Tally) else np.asarray(counted.sum(-1))


def _hits(counted: Counts) -> NDArray[Any]:
    return counted.hits if isinstance(counted, Tally) else np.diagonal(counted, axis1=-2, axis2=-1)


def _predicted(counted: Counts) -> NDArray[Any]:
    return counted.predicted if isinstance(counted, Tally) else np.asarray(counted.sum(-2))


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Array:
    """The ratio part / whole; nan where `whole` is 0."""
    ratio: Array = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
    return ratio


def _right(truth: ArrayLike, K: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The right classes of the m clips of known truth, (m, K or more) bool, and which clips these are, (n,) bool."""
    given = np.asarray(truth)
    if given.ndim > 1 and given.dtype == np.bool_:
        right, known = given, np.ones(len(given), np.bool_)
    else:
        if given.ndim > 1:
            known = ~np.isnan(given).any(1)
            K, number = max(K, given.shape[1]), given[known].argmax(1)
        else:
            known = given >= 0
            number = given[known].astype(np.int64)
        right = np.eye(max(K, int(number.max(initial=-1)) + 1), dtype=np.bool_)[number]
    return np.pad(right, ((0, 0), (0, max(0, K - right.shape[1])))), known


def _soft(truth: ArrayLike, K: int) -> tuple[Array, NDArray[np.bool_]]:
    """The class shares of the m clips of known truth, (m, K or more), and which clips these are, (n,) bool."""
    given = np.asarray(truth)
    if given.ndim > 1 and given.dtype != np.bool_:
        known = ~np.isnan(given).any(1)
        return given[known].astype(np.float64), known
    right, known = _right(given, K)
    return right / np.maximum(right.sum(1, keepdims=True), 1), known


def _known(truth: ArrayLike) -> Array:
    true = np.asarray(truth, np.float64)
    return np.asarray(true[~np.isnan(true)])


def _spread(sums: Array) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
    """The means of truth and answer, their variances over n, and their covariance."""
    x, y, xx, yy, xy = (_ratio(sums[..., place], sums[..., 0]) for place in range(1, 6))
    of_truth, of_answer = (
        np.where(square - mean**2 > ROUNDING * square, square - mean**2, 0.0) for square, mean in ((xx, x), (yy, y))
    )
    return (x, y), (of_truth, of_answer), xy - x * y
