"""Each measure equals that of scikit-learn, audmetric or scipy; chance is the score of the best constant answer."""

import audmetric
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from mien.common import measures
from mien.common.measures import MEASURES

CLASSES = [name for name, measure in MEASURES.items() if measure.needs == "classes"]
NUMBERS = [name for name, measure in MEASURES.items() if measure.needs == "numbers"]


def clips(n: int = 300, K: int = 5, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth with unbalanced classes, and probabilities that are informative of it."""
    random = np.random.default_rng(seed)
    truth = np.minimum(random.integers(0, K, n), random.integers(0, K, n))
    logits = random.normal(size=(n, K)) + 1.5 * np.eye(K)[truth]
    return truth, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def ratings(n: int = 200, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.normal(4, 1, n)
    return truth, 2.2 + 0.5 * truth + random.normal(0, 0.5, n)


def test_each_measure_has_its_name_and_its_better_direction() -> None:
    assert [measure.name for measure in MEASURES.values()] == list(MEASURES)
    lower = {name for name, measure in MEASURES.items() if not measure.higher_is_better}
    assert lower == {"cross_entropy", "rmse", "mae"}
    for measure in MEASURES.values():
        truth, answers = ratings() if measure.needs == "numbers" else clips()
        perfect = truth if measure.needs == "numbers" else np.eye(5)[truth]
        right, score, chance = measure.value(truth, perfect), measure.value(truth, answers), measure.chance(truth)
        assert (right > score > chance) if measure.higher_is_better else (right < score < chance), measure.name


def test_measures_of_classes_are_those_of_scikit_learn_and_audmetric() -> None:
    truth, predicted = clips()
    classes = predicted.argmax(1)
    oracle = {
        "uar": metrics.balanced_accuracy_score(truth, classes),
        "wa": metrics.accuracy_score(truth, classes),
        "macro_f1": metrics.f1_score(truth, classes, average="macro"),
        "micro_f1": metrics.f1_score(truth, classes, average="micro"),
        "balanced_f1": metrics.f1_score(
            truth, classes, average="macro", sample_weight=1 / np.bincount(truth)[truth].astype(float)
        ),
    }
    assert {name: MEASURES[name].value(truth, classes) for name in CLASSES} == pytest.approx(oracle, abs=1e-12)
    assert {name: MEASURES[name].value(truth, predicted) for name in CLASSES} == pytest.approx(oracle, abs=1e-12)
    assert MEASURES["uar"].value(truth, classes) == pytest.approx(audmetric.unweighted_average_recall(truth, classes))
    assert MEASURES["macro_f1"].value(truth, classes) == pytest.approx(
        audmetric.unweighted_average_fscore(truth, classes)
    )
    assert measures.uar_of(truth, classes) == pytest.approx(oracle["uar"], abs=1e-12)


def test_counts_are_scikit_learns_and_tallies_are_their_sums() -> None:
    truth, predicted = clips()
    counts = measures.counts(truth, predicted)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(truth, predicted.argmax(1)))
    tally = measures.tally(truth, predicted.argmax(1), 5)
    for sums, other in zip(tally, (counts.sum(1), np.diagonal(counts), counts.sum(0)), strict=True):
        np.testing.assert_array_equal(sums, other)
    for name in ("uar", "wa", "macro_f1", "micro_f1"):
        assert MEASURES[name](tally) == pytest.approx(MEASURES[name](counts)), name
    assert measures.counts(truth, predicted.argmax(1), 7).shape == (7, 7)


def test_a_class_without_clips_has_no_recall() -> None:
    truth, classes = np.array([0, 0, 2, 2]), np.array([0, 2, 2, 1])
    assert MEASURES["uar"].value(truth, classes) == measures.uar_of(truth, classes) == 0.5
    np.testing.assert_array_equal(measures.recalls(np.array([2, 0, 2]), np.array([1, 0, 1])), [0.5, 0, 0.5])


def test_a_predicted_class_without_clips_counts_in_macro_f() -> None:
    """As in scikit-learn, which takes the mean over the classes of truth and prediction."""
    truth, predicted = np.array([0] * 6 + [1] * 4 + [2] * 3), np.array([0] * 5 + [3] + [1] * 3 + [0] + [2] * 2 + [3])
    assert MEASURES["macro_f1"].value(truth, predicted) == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro"), abs=1e-12
    )
    others = metrics.f1_score(truth, predicted, average="macro", labels=[0, 1, 2])
    assert MEASURES["macro_f1"].value(truth, predicted) == pytest.approx(0.75 * others)
    even = (1 / np.bincount(truth))[truth]
    assert MEASURES["balanced_f1"].value(truth, predicted) == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro", sample_weight=even), abs=1e-12
    )
    assert measures.macro_f1(measures.counts(truth, predicted, 9)) == MEASURES["macro_f1"].value(truth, predicted)


def test_a_class_missing_only_in_a_resample_is_left_out_of_its_score() -> None:
    sample = np.array([[4.0, 1, 0, 1], [1, 3, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])  # the last class has no clips
    resample = sample * np.array([[1], [0], [1], [1]])  # without the second class, which is still predicted
    each = np.array([2 * 4 / (6 + 4), 0, 1, 0])
    assert measures.macro_f1(resample) == pytest.approx(each.mean())
    for measure in (measures.macro_f1, MEASURES["macro_f1"]):
        assert measures.within(measure, sample)(resample) == pytest.approx(each.sum() / 3)
        assert measures.within(measure, sample)(sample) == measure(sample)
    even = resample / np.maximum(resample.sum(1, keepdims=True), 1)
    assert measures.within(measures.balanced_f1, sample)(resample) == measures.within(measures.macro_f1, sample)(even)
    assert measures.within(measures.uar, sample) is measures.uar


def test_measures_of_probabilities_are_those_of_scikit_learn() -> None:
    truth, predicted = clips()
    predicted[:4] = np.eye(5)[[0, 1, 2, 3]]  # probabilities of 0 and 1
    assert MEASURES["cross_entropy"].value(truth, predicted) == metrics.log_loss(truth, predicted, labels=range(5))
    assert MEASURES["auc"].value(truth, predicted) == pytest.approx(
        metrics.roc_auc_score(truth, predicted, multi_class="ovr", average="macro"), abs=1e-12
    )
    few = truth < 3  # a class is absent: the mean is over the others
    areas = [metrics.roc_auc_score(truth[few] == kind, predicted[few, kind]) for kind in range(3)]
    assert MEASURES["auc"].value(truth[few], predicted[few]) == pytest.approx(np.mean(areas), abs=1e-12)
    tied = np.round(predicted, 1)
    areas = [metrics.roc_auc_score(truth == kind, tied[:, kind]) for kind in range(5)]
    assert MEASURES["auc"].value(truth, tied) == pytest.approx(np.mean(areas), abs=1e-12)


def test_measures_of_numbers_are_those_of_audmetric_and_scipy() -> None:
    truth, predicted = ratings()
    oracle = {
        "ccc": audmetric.concordance_cc(truth, predicted),
        "pearson": stats.pearsonr(truth, predicted).statistic,
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "mae": metrics.mean_absolute_error(truth, predicted),
    }
    assert {name: MEASURES[name].value(truth, predicted) for name in NUMBERS} == pytest.approx(oracle, abs=1e-12)
    far = {name: MEASURES[name].value(truth + 1e6, predicted + 1e6) for name in NUMBERS}
    assert far == pytest.approx(oracle, abs=1e-7), "the origin is near the mean"


@pytest.mark.parametrize("name", ["uar", "macro_f1", "cross_entropy", "ccc", "rmse", "mae"])
def test_statistics_of_speakers_add_up_to_those_of_their_clips(name: str) -> None:
    measure = MEASURES[name]
    truth, predicted = ratings() if measure.needs == "numbers" else clips(200)
    speaker = np.arange(200) % 8
    of = measures.moments if measure.needs == "numbers" else measures.losses if name == "cross_entropy" else None
    each = [(truth[speaker == who], predicted[speaker == who]) for who in range(8)]
    parts = np.stack([of(*part) if of else measures.counts(*part, 5) for part in each])
    random = np.random.default_rng(0)
    weights = random.multinomial(8, np.full(8, 1 / 8), 20)
    resampled = measure(np.tensordot(weights, parts, 1))
    assert resampled.shape == (20,)
    for weight, score in zip(weights, resampled, strict=True):
        taken = np.concatenate([np.flatnonzero(speaker == who) for who in np.repeat(np.arange(8), weight)])
        assert score == pytest.approx(measure.value(truth[taken], predicted[taken]), abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.integers(0, 3))
def test_chance_of_classes_is_the_best_constant_answer(truth: list[int], kind: int) -> None:
    for name in CLASSES:
        scores = [MEASURES[name].value(truth, np.full(len(truth), answer)) for answer in range(4)]
        assert MEASURES[name].chance(truth) == pytest.approx(max(scores)), name
    shares = np.bincount(truth, minlength=4) / len(truth)
    best = MEASURES["cross_entropy"].value(truth, np.tile(shares, (len(truth), 1)))
    assert MEASURES["cross_entropy"].chance(truth) == pytest.approx(best, abs=1e-9)
    other = np.tile(0.9 * shares + 0.1 * np.eye(4)[kind], (len(truth), 1))
    assert MEASURES["cross_entropy"].value(truth, other) >= best - 1e-9


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(-6, 6))
def test_chance_of_numbers_is_the_best_constant_answer(truth: list[float], answer: float) -> None:
    for name, best in (("rmse", np.mean(truth)), ("mae", np.median(truth))):
        chance = MEASURES[name].chance(truth)
        assert chance == pytest.approx(MEASURES[name].value(truth, np.full(len(truth), best)), abs=1e-9)
        assert MEASURES[name].value(truth, np.full(len(truth), answer)) >= chance - 1e-9
    assert MEASURES["auc"].chance([0, 1]) == 0.5
    assert MEASURES["ccc"].chance(truth) == MEASURES["pearson"].chance(truth) == 0


@given(
    st.lists(st.tuples(*[st.integers(-30, 30).map(lambda tenths: tenths / 10)] * 2), min_size=2, max_size=30),
    st.floats(-9, 9),
)
def test_ccc_is_symmetric_shift_invariant_and_at_most_pearson(pairs: list[tuple[float, float]], by: float) -> None:
    truth, predicted = np.array(pairs).T
    agreed, correlated = MEASURES["ccc"].value(truth, predicted), MEASURES["pearson"].value(truth, predicted)
    if np.isfinite([agreed, correlated]).all():
        assert abs(agreed) <= abs(correlated) + 1e-6 <= 1 + 2e-6
        assert MEASURES["ccc"].value(predicted, truth) == pytest.approx(agreed, abs=1e-6)
        assert MEASURES["ccc"].value(truth + by, predicted + by) == pytest.approx(agreed, abs=1e-6)


def test_constants_have_no_correlation() -> None:
    truth = np.array([1.1, 1.2, 1.4])
    assert MEASURES["ccc"].value(truth, np.full(3, 0.7)) == pytest.approx(0)
    assert np.isnan(MEASURES["pearson"].value(truth, np.full(3, 0.7)))
    assert np.isnan(MEASURES["ccc"].value([1.0], [2.0]))
    assert np.isnan(MEASURES["ccc"].value([1.1, 1.1], [1.1, 1.1]))


def test_clips_of_unknown_truth_are_left_out() -> None:
    truth, predicted = clips()
    holes = np.where(np.arange(300) % 3, truth, -1)
    soft = np.where(np.arange(300)[:, None] % 3, 0.7 * np.eye(5)[truth] + 0.06, np.nan)
    values, answers = ratings()
    gaps = np.where(np.arange(200) % 3, values, np.nan)
    for name, measure in MEASURES.items():
        if measure.needs == "numbers":
            with_gaps = measure.value(gaps, answers), measure.chance(gaps)
            part = values[np.arange(200) % 3 > 0], answers[np.arange(200) % 3 > 0]
        else:
            with_gaps = measure.value(holes, predicted), measure.chance(holes)
            part = truth[np.arange(300) % 3 > 0], predicted[np.arange(300) % 3 > 0]
            if name != "cross_entropy":
                assert (measure.value(soft, predicted), measure.chance(soft)) == pytest.approx(with_gaps), name
        assert with_gaps == pytest.approx((measure.value(*part), measure.chance(part[0]))), name
        nothing = np.full(3, np.nan) if measure.needs == "numbers" else np.full(3, -1)
        assert np.isnan(measure.value(nothing, answers[:3] if measure.needs == "numbers" else predicted[:3])), name
        assert np.isnan(measure.chance(nothing)) or measure.chance(nothing) == measure.chance(part[0]), name


def test_cross_entropy_of_soft_labels_is_least_at_the_labels() -> None:
    shares = np.array([[0.5, 0.5, 0], [0.2, 0.3, 0.5], [np.nan] * 3])
    entropy = stats.entropy(shares[:2], axis=1).mean()
    assert MEASURES["cross_entropy"].value(shares, np.nan_to_num(shares)) == pytest.approx(entropy)
    assert MEASURES["cross_entropy"].value(shares, np.full((3, 3), 1 / 3)) == pytest.approx(np.log(3))
    assert MEASURES["cross_entropy"].chance(shares) == pytest.approx(stats.entropy([0.35, 0.4, 0.25]))


def test_any_of_several_classes_is_right() -> None:
    truth = np.array([[True, True, False], [True, True, False], [False, False, True]])
    np.testing.assert_allclose(measures.counts(truth, [1, 2, 2]), [[0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    assert MEASURES["wa"].value(truth, [1, 2, 2]) == pytest.approx(2 / 3)
    assert MEASURES["wa"].chance(truth) == pytest.approx(2 / 3)
    predicted = np.array([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]])
    areas = [metrics.roc_auc_score(truth[:, kind], predicted[:, kind]) for kind in range(3)]
    assert MEASURES["auc"].value(truth, predicted) == pytest.approx(np.mean(areas))


def test_columns_of_numbers_are_scored_separately() -> None:
    pairs = [ratings(seed=seed) for seed in range(3)]
    sums = measures.moments(*(np.stack(side, 1) for side in zip(*pairs, strict=True)))
    assert sums.shape == (3, 8)
    for name in NUMBERS:
        each = [MEASURES[name].value(*pair) for pair in pairs]
        np.testing.assert_allclose(MEASURES[name](sums), each, atol=1e-9)
