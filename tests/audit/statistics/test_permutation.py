"""p equals brute force, is seldom low if labels depend on speakers alone, and is low for planted labels."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from mien.audit.statistics import permutation
from mien.audit.statistics.measures import crossing
from mien.audit.statistics.permutation import constant, permutation_p, traded


def clips(n: int = 400, K: int = 5, right: float = 0.4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, K, n)
    return truth, np.where(random.random(n) < right, truth, random.integers(0, K, n))


def test_p_is_the_share_of_all_permutations() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 2, 0])
    score = balanced_accuracy_score(truth, predicted)
    every = [
        balanced_accuracy_score(np.array(labels), predicted) >= score - 1e-9 for labels in set(permutations(truth))
    ]
    assert permutation_p(truth, predicted, None) == pytest.approx(np.mean(every), abs=0.03)
    assert permutation_p(truth, predicted, np.arange(7)) == pytest.approx(np.mean(every), abs=0.03)
    assert permutation_p(truth, predicted, np.zeros(7, int)) == pytest.approx(np.mean(every), abs=0.03)
    assert permutation_p(np.ones(4, int), np.ones(4, int), None) == 1


def test_labels_of_whole_speakers_are_exchanged_as_wholes() -> None:
    speakers = np.repeat(np.arange(6), [5, 9, 4, 12, 7, 3])
    gender = np.array([0, 1, 0, 1, 1, 0])
    truth = gender[speakers]
    predicted = np.where(np.isin(speakers, [0, 1, 3]), truth, 1 - truth)
    score = balanced_accuracy_score(truth, predicted)
    every = [
        balanced_accuracy_score(np.array(each)[speakers], predicted) >= score - 1e-9
        for each in set(permutations(gender))
    ]
    found = permutation_p(truth, predicted, speakers)
    assert found == pytest.approx(np.mean(every), abs=0.03)
    assert found > 10 * permutation_p(truth, np.where(speakers < 5, truth, 0), None)
    random = np.random.default_rng(0)
    assert constant(truth, speakers)
    labels = traded(truth, speakers, 50, random)
    assert all(constant(each, speakers) for each in labels)
    assert {tuple(each) for each in labels[:, np.unique(speakers, return_index=True)[1]]} <= set(permutations(gender))


def test_other_labels_are_exchanged_between_and_within_speakers() -> None:
    """With equally many clips of each speaker, every exchange of labels in every order is equally frequent."""
    y, speakers = np.array([0, 1, 2, 2]), np.array([5, 7, 5, 7]) // 7
    labelings, counts = np.unique(traded(y, speakers, 8000, np.random.default_rng(0)), axis=0, return_counts=True)
    assert sorted(map(tuple, labelings)) == sorted(
        (first[0], second[0], first[1], second[1])
        for one, other in (((0, 2), (1, 2)), ((1, 2), (0, 2)))
        for first in (one, one[::-1])
        for second in (other, other[::-1])
    )
    np.testing.assert_allclose(counts, 1000, atol=5 * np.sqrt(1000))
    sizes = np.repeat(np.arange(3), [2, 4, 8])
    for labels in traded(np.arange(14), sizes, 30, np.random.default_rng(1)):
        from_whom = [np.unique(sizes[labels[sizes == one]]) for one in range(3)]
        assert sorted(int(each.item()) for each in from_whom) == [0, 1, 2], "each speaker has labels of one"
        for one in range(3):
            times = np.unique(labels[sizes == one], return_counts=True)[1]
            assert times.max() - times.min() <= 1, "all of a speaker's labels are used before one is repeated"


def nearest(X: np.ndarray, y: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Predictions of nearest class means; each part is predicted from the others."""
    predicted = np.empty(len(y), np.int64)
    for tested in np.unique(part):
        kinds = np.unique(y[part != tested])
        means = np.stack([X[(part != tested) & (y == kind)].mean(0) for kind in kinds])
        predicted[part == tested] = kinds[(X[part == tested] @ means.T - (means**2).sum(1) / 2).argmax(1)]
    return predicted


@pytest.mark.parametrize(("kinds", "entangled"), [(2, 1.0), (4, 0.0), (4, 0.5), (2, 0.5), (4, 0.9)])
def test_predictions_that_follow_the_speaker_are_not_significant(
    kinds: int, entangled: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most labels depend on the speaker, and the embedding depends on the speaker alone."""
    monkeypatch.setattr(permutation, "PERMUTATIONS", 199)
    speaker, p = np.repeat(np.arange(20), 12), {"nothing": [], "planted": [], "freely": []}
    for seed in range(60):
        random = np.random.default_rng([seed, kinds])
        liked = (random.permutation(20) % kinds)[speaker]
        y = np.where(random.random(240) < entangled, liked, random.integers(0, kinds, 240))
        y[seed] = (y[seed] + 1) % kinds
        X = 1.5 * random.normal(size=(20, 8))[speaker] + random.normal(size=(240, 8))
        predicted, part = nearest(X, y, speaker % 5), {"shrink": crossing(kinds), "seed": seed}
        p["nothing"].append(permutation_p(y, predicted, speaker, **part))
        p["freely"].append(permutation_p(y, predicted, None, **part))
        p["planted"].append(permutation_p(y, nearest(X + 4 * np.eye(8)[y], y, speaker % 5), speaker, **part))
    found = {way: np.mean(np.array(values) <= 0.05) for way, values in p.items()}
    assert found["nothing"] <= 0.12
    assert found["planted"] > 0.9
    assert found["freely"] > 0.12 or entangled < 0.9, "p from permuting clips freely is too low"


def test_p_of_very_many_clips_takes_fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, predicted = clips(n=2000, K=4, right=0.01)
    speakers = np.random.default_rng(1).integers(0, 30, 2000)
    expected = permutation_p(truth, predicted, speakers)
    monkeypatch.setattr(permutation, "LABELS", 600 * 2000)
    assert permutation_p(truth, predicted, speakers) == pytest.approx(expected, abs=0.06)
    assert permutation_p(truth, truth, speakers) == 1 / 601
    monkeypatch.setattr(permutation, "LABELS", 0)
    assert permutation_p(truth, truth, speakers) == 1 / (1 + permutation.FEWEST)


def test_p_of_many_clips_is_that_of_the_normal_approximation(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, shrink in ((0, 1.0), (2, 1.0), (2, np.sqrt(2))):
        truth, predicted = clips(n=2000, K=6, right=0.012 * seed, seed=seed)
        expected = permutation_p(truth, predicted, None, shrink=shrink)
        with monkeypatch.context() as patch:
            patch.setattr(permutation, "EXACT", 100)
            assert permutation_p(truth, predicted, None, shrink=shrink) == pytest.approx(expected, abs=0.03)
    truth, predicted = clips(n=60_000, K=100)
    assert permutation_p(truth, predicted, None) == 1 / 2001
