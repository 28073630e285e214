"""Scores equal those of scikit-learn and audmetric; intervals and p equal brute force, and hold at chance level."""

import audmetric
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from mien.audit.statistics import measures, permutation
from mien.audit.statistics.measures import score_rows
from mien.audit.statistics.permutation import permutation_p
from mien.audit.statistics.scores import DRAWS


def clips(n: int = 400, K: int = 5, right: float = 0.4, speakers: int = 10, seed: int = 0):
    random = np.random.default_rng(seed)
    truth = random.integers(0, K, n)
    predicted = np.where(random.random(n) < right, truth, random.integers(0, K, n))
    return truth, predicted, random.integers(0, speakers, n)


def rows(*predictions, **settings) -> dict:
    return {row["measure"]: row for row in score_rows(*predictions, **settings)}


def test_scores_are_those_of_scikit_learn_and_audmetric() -> None:
    truth, predicted, speakers = clips()
    shuffled = np.random.default_rng(1).permutation(predicted)
    found = rows(truth, predicted, shuffled, speakers)
    for name, classes in (("score", predicted), ("shuffled", shuffled)):
        assert found["uar"][name] == pytest.approx(balanced_accuracy_score(truth, classes), abs=1e-12)
        assert found["uar"][name] == pytest.approx(audmetric.unweighted_average_recall(truth, classes), abs=1e-12)
        assert found["accuracy"][name] == pytest.approx(accuracy_score(truth, classes), abs=1e-12)
        assert found["f1"][name] == pytest.approx(f1_score(truth, classes, average="macro"), abs=1e-12)
    assert found["uar"]["chance"] == 1 / 5
    assert found["accuracy"]["chance"] == np.bincount(truth).max() / 400
    assert {(row["n"], row["classes"]) for row in found.values()} == {(400, 5)}
    assert np.isnan([found["accuracy"]["p"], found["f1"]["p"], found["uar"]["p_corrected"]]).all()


def test_chance_is_the_score_of_uniform_guesses_over_all_classes() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(4, 60_000, p=[0.6, 0.2, 0.15, 0.05])
    found = rows(truth, random.integers(0, 6, 60_000), truth, None, kinds=6)
    for measure in ("uar", "f1"):
        assert found[measure]["score"] == pytest.approx(found[measure]["chance"], abs=0.005)
    assert (found["uar"]["chance"], found["uar"]["classes"]) == (1 / 6, 6)


def test_resamples_of_speakers_are_those_of_a_loop() -> None:
    truth, predicted, speakers = clips(speakers=7)
    resamples, count = measures.draws(truth, predicted, speakers, 5, seed=0)
    assert (count, len(resamples["uar"])) == (7, DRAWS)
    random = np.random.default_rng(3)
    loop = []
    for _ in range(80):
        taken = np.concatenate([np.flatnonzero(speakers == each) for each in random.integers(0, 7, 7)])
        a, b = truth[taken], predicted[taken]
        loop.append([balanced_accuracy_score(a, b), accuracy_score(a, b), f1_score(a, b, average="macro")])
    for values, measure in zip(np.array(loop).T, measures.PROBED, strict=True):
        assert resamples[measure].mean() == pytest.approx(values.mean(), abs=4 * values.std() / 9)
        assert resamples[measure].std() == pytest.approx(values.std(), rel=0.25)


def test_speakers_who_are_the_classes_are_resampled_with_their_scores() -> None:
    truth = np.arange(240) // 30
    predicted = np.where(truth < 4, truth, (truth + 1) % 8)  # four are always right, four never
    found = rows(truth, predicted, predicted, truth)["uar"]
    resamples, count = measures.draws(truth, predicted, truth, 8, seed=0)
    assert (found["score"], count) == (0.5, 8)
    assert resamples["uar"].std() == pytest.approx(0.5 / np.sqrt(8), rel=0.05)  # as a mean of eight
    np.testing.assert_allclose(resamples["uar"], resamples["accuracy"])  # equal classes
    assert found["low"] < 0.15
    assert found["high"] > 0.85


def test_macro_f_counts_predicted_classes_that_no_clip_has() -> None:
    truth, predicted, speakers = clips()
    predicted[:40] = 6
    expected = f1_score(truth, predicted, average="macro")
    for clusters in (speakers, None, truth):  # speakers, clips and classes are resampled
        found = rows(truth, predicted, predicted, clusters, kinds=7)["f1"]
        assert found["score"] == pytest.approx(expected, abs=1e-12)
        assert found["low"] < expected < found["high"]
        resamples, _ = measures.draws(truth, predicted, clusters, 7, seed=0)
        assert resamples["f1"].mean() == pytest.approx(expected, abs=0.01)


def test_with_fewer_than_five_speakers_clips_are_resampled() -> None:
    truth, predicted, _ = clips(n=300, K=2)
    found = rows(truth, predicted, predicted, truth)
    assert {row["split"] for row in found.values()} == {"interval over clips"}
    error = np.sqrt(found["accuracy"]["score"] * (1 - found["accuracy"]["score"]) / 300)
    assert found["accuracy"]["high"] - found["accuracy"]["low"] == pytest.approx(2 * 1.97 * error, rel=0.06)
    many = rows(*clips(speakers=5)[:2], clips()[1], clips(speakers=5)[2], over="recordings")
    assert many["uar"]["split"] == "interval over recordings"


def test_p_is_from_exchanging_labels_of_the_right_units() -> None:
    truth, predicted, speakers = clips(right=0.06)
    for clusters, blocks, trading in (
        (speakers, speakers, speakers),
        (None, None, None),
        (truth, None, None),
        (truth, speakers, None),  # a recording with several speakers
        (truth, np.arange(400) // 2 * 5 + truth, np.arange(400) // 2 * 5 + truth),
    ):
        found = rows(truth, predicted, predicted, clusters, blocks=blocks)["uar"]["p"]
        assert found == permutation_p(truth, predicted, trading)


def test_the_interval_over_many_clips_is_fast() -> None:
    truth, predicted, speakers = clips(n=60_000, K=100, speakers=100)
    assert rows(truth, predicted, predicted, speakers)["uar"]["low"] > 0.39


def test_at_chance_p_is_uniform_and_the_interval_includes_chance() -> None:
    """Each speaker has a preferred prediction, so a bootstrap over clips would be too narrow."""
    held, p = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        speakers = np.repeat(np.arange(20), 20)
        truth = random.integers(0, 3, 400)
        liked = random.integers(0, 3, 20)[speakers]
        predicted = np.where(random.random(400) < 0.5, liked, random.integers(0, 3, 400))
        found = rows(truth, predicted, predicted, speakers)["uar"]
        held.append(found["low"] <= 1 / 3 <= found["high"])
        p.append(found["p"])
    assert 0.87 <= np.mean(held) <= 1
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.15)


def test_cross_fitting_widens_intervals_and_raises_p(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, predicted, speakers = clips(right=0.06)
    shuffled = np.random.default_rng(1).permutation(predicted)
    for clusters in (speakers, None):
        once = rows(truth, predicted, shuffled, clusters)["uar"]
        twice = rows(truth, predicted, shuffled, clusters, crossed=True)["uar"]
        assert twice["low"] - twice["score"] == pytest.approx(measures.crossing(5) * (once["low"] - once["score"]))
        assert twice["high"] - twice["score"] == pytest.approx(measures.crossing(5) * (once["high"] - once["score"]))
        assert once["p"] < twice["p"] < 0.5
    with monkeypatch.context() as patch:
        patch.setattr(measures, "FEW_CELLS", 3)
        assert np.isnan(rows(truth, predicted, shuffled, None)["uar"]["low"]), "too many pairs to resample"
    alone = rows(truth, predicted, shuffled, truth)["uar"]
    assert rows(truth, predicted, shuffled, truth, crossed=True)["uar"]["low"] == alone["low"]  # classes are resampled


@pytest.mark.parametrize("kinds", [2, 3, 6])
def test_crossing_counts_the_linear_part_of_a_decision_twice(kinds: int) -> None:
    logits = np.random.default_rng(0).normal(size=(200_000, kinds))
    right = (logits.argmax(1) == 0).astype(float)
    explained = LinearRegression().fit(logits, right).score(logits, right)
    assert measures.crossing(kinds) == pytest.approx(np.sqrt(1 + explained), abs=2e-3)
    assert measures.crossing(1) == 1


def test_the_widened_interval_covers_cross_fitted_scores_at_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearest class means, cross-fitted over five parts of speakers. The plain bootstrap interval is too narrow."""
    monkeypatch.setattr(permutation, "PERMUTATIONS", 9)
    speaker = np.repeat(np.arange(20), 4)
    gender, part, table = speaker % 2, speaker // 2 % 5, []
    for seed in range(150):
        random = np.random.default_rng(seed)
        X = random.normal(size=(20, 8))[speaker] + random.normal(size=(80, 8))
        predicted = np.empty(80, np.int64)
        for tested in range(5):
            means = np.stack([X[(part != tested) & (gender == kind)].mean(0) for kind in range(2)])
            predicted[part == tested] = (X[part == tested] @ means.T - (means**2).sum(1) / 2).argmax(1)
        found = rows(gender, predicted, predicted, speaker, blocks=speaker, crossed=True)["uar"]
        table.append([found["score"], found["low"], found["high"]])
    score, low, high = np.array(table).T
    narrow_low, narrow_high = (score + (end - score) / measures.crossing(2) for end in (low, high))
    assert score.mean() == pytest.approx(0.5, abs=0.03)
    assert np.mean((low <= 0.5) & (high >= 0.5)) >= 0.92 > np.mean((narrow_low <= 0.5) & (narrow_high >= 0.5))
