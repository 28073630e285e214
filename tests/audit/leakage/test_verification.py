"""The EER is that of scikit-learn's ROC and of audmetric; planted speakers are recognised, noise is at chance."""

import audmetric
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cosine
from sklearn.metrics import roc_curve

from mien.audit.leakage import verification as module
from mien.audit.leakage.verification import Trials, cosine_trials, equal_error_rate, linkability, roc, verification
from mien.audit.statistics.scores import draws, interval
from mien.errors import AuditError


def voices(apart: float, *, speakers: int = 8, clips: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(speakers), clips)
    X = apart * random.normal(size=(speakers, 16))[who] + random.normal(size=(len(who), 16))
    return X.astype(np.float32), np.char.add("s", who.astype(str))


def tried(*arguments: np.ndarray, **options: object) -> Trials:
    found = cosine_trials(*arguments, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def interpolated(same: np.ndarray, score: np.ndarray) -> float:
    """Where scikit-learn's ROC, drawn with straight lines, has equal error rates."""
    matched, accepted, _ = roc_curve(same, score, drop_intermediate=False)
    apart = matched - (1 - accepted)  # rises from -1 to 1
    after = int(np.argmax(apart >= 0))
    share = -apart[after - 1] / (apart[after] - apart[after - 1])
    return float(matched[after - 1] + share * (matched[after] - matched[after - 1]))


def integrated(same: np.ndarray, score: np.ndarray) -> float:
    """audmetric's linkability, whose trapezoids leave out half of the first and of the last bin, and these halves."""
    own, other = score[same], score[~same]
    edges = np.linspace(score.min(), score.max(), min(len(own) // 10, 100) + 1)
    one, two = (np.histogram(scores, edges, density=True)[0][[0, -1]] for scores in (own, other))
    local = np.where(one > two, 2 * one / np.maximum(one + two, 1e-300) - 1, 0)
    return float(audmetric.linkability(same, score) + (local * one).sum() * (edges[1] - edges[0]) / 2)


@pytest.mark.parametrize("apart", [0.0, 0.3, 0.6, 1.0])
def test_the_measures_are_those_of_scikit_learn_and_audmetric(apart: float) -> None:
    trials = tried(*voices(apart, speakers=4))
    found = verification(*voices(apart, speakers=4), permutations=9).set_index("measure")["score"]
    assert found["eer"] == pytest.approx(interpolated(trials.same, trials.score), abs=1e-10)
    one_trial = 1 / trials.same.sum()  # audmetric tells the lower mean of both rates beside the crossing
    assert found["eer"] == pytest.approx(audmetric.equal_error_rate(trials.same, trials.score)[0], abs=one_trial)
    assert found["linkability"] == pytest.approx(integrated(trials.same, trials.score), abs=1e-10)
    assert found["linkability"] == pytest.approx(audmetric.linkability(trials.same, trials.score), abs=0.02)


TIED = {
    "a unit for two speakers": np.repeat(np.eye(5), 2, axis=0),
    "a unit a speaker": np.eye(10),
    "two clusters": np.array([[1.0, 2.0, 3.0], [3.0, -1.0, 0.5]])[np.arange(10) % 2],
    "a sign": np.where(np.arange(10) < 3, 1.0, -1.0)[:, None],
}


@pytest.mark.parametrize("codes", TIED.values(), ids=TIED)
def test_tied_scores_cross_on_the_line_between_two_thresholds(codes: np.ndarray) -> None:
    who = np.repeat(np.arange(10), 30)
    found = verification(codes[who], np.char.add("s", who.astype(str)), permutations=9).set_index("measure")
    trials = tried(codes[who], np.char.add("s", who.astype(str)))
    exact = interpolated(trials.same, np.round(trials.score, 12))
    assert found.loc["eer", "score"] == pytest.approx(exact, abs=1e-12)
    assert found.loc["eer", "low"] <= found.loc["eer", "score"] <= found.loc["eer", "high"]
    matched = (np.round(trials.score, 12) == 1)[~trials.same].mean()
    assert found.loc["eer", "score"] == pytest.approx(matched / (1 + matched), abs=1e-12), "0 missed, then all"
    assert found.loc["linkability", "score"] == pytest.approx((1 - matched) / (1 + matched), abs=1e-12)


def test_an_offset_that_all_clips_share_hides_no_leak() -> None:
    X, who = voices(2.0)
    moved = X.astype(np.float64) + 1e5  # all cosines are within 1e-8 of 1
    centred = tried(X - X.mean(0), who)
    hidden = tried(moved, who)
    assert hidden.score[0] > 1 - 1e-8
    flat = np.unique(hidden.score.astype(np.float32))
    assert len(flat) < 5
    assert equal_error_rate(tried(moved, who, centre=moved.mean(0))) == pytest.approx(equal_error_rate(centred))
    assert equal_error_rate(hidden) < 0.1
    assert linkability(hidden) > 0.7


def test_all_pairs_are_tried_once_with_their_cosine() -> None:
    X, who = voices(0.5, speakers=3, clips=4)
    trials = tried(X, who)
    assert sorted(zip(trials.first, trials.second, strict=True)) == [
        (i, j) for i in range(12) for j in range(i + 1, 12)
    ]
    assert (np.diff(trials.score) >= 0).all()
    for first, second, same, score in zip(trials.first, trials.second, trials.same, trials.score, strict=True):
        assert score == pytest.approx(1 - cosine(X[first], X[second]), abs=1e-6)
        assert same == (who[first] == who[second])
    centre = X.mean(0)
    centred = tried(X, who, centre=centre)
    assert centred.score[-1] == pytest.approx(
        1 - cosine(X[centred.first[-1]] - centre, X[centred.second[-1]] - centre), abs=1e-6
    )
    assert centred.description.startswith("all 18 pairs of one speaker and 48 of two; centred; too few speakers")


def test_planted_speakers_are_recognised_and_noise_is_at_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = 10 * np.eye(8, 16)[np.repeat(np.arange(8), 15)]
    exact = verification(clusters, voices(0)[1], permutations=99).set_index("measure")
    assert exact.loc["eer", ["score", "low", "high"]].tolist() == [0, 0, 0]
    assert exact.loc["eer", "p"] == 1 / 100
    found = verification(*voices(2.0, clips=10), permutations=99).set_index("measure")
    assert found.loc["eer", "high"] < 0.05
    assert found.loc["linkability", "score"] > 0.9
    assert found.loc["eer", "shuffled"] == pytest.approx(0.5, abs=0.01)
    monkeypatch.setattr(module, "DRAWS", 400)
    nothing = pd.concat([verification(*voices(0, clips=8, seed=n), seed=n, permutations=99) for n in range(20)])
    rates = nothing[nothing["measure"] == "eer"]
    assert rates["score"].mean() == pytest.approx(0.5, abs=0.01)
    assert (rates["p"] <= 0.05).sum() <= 4
    assert (rates["low"] <= 0.5).sum() >= 17
    assert nothing["score"][nothing["measure"] == "linkability"].mean() < 0.1


def test_a_constant_embedding_has_an_eer_of_one_half() -> None:
    found = verification(np.ones((40, 3)), voices(0, speakers=8, clips=5)[1], permutations=9).set_index("measure")
    assert found.loc["eer", "score"] == 0.5
    assert found.loc["eer", "p"] == 1


def test_a_bootstrap_of_speakers_repeats_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 200)
    X, who = voices(0.5, speakers=6, clips=8)
    trials = tried(X, who)
    values = []
    resamples = draws(trials.speakers, seed=3, number=module.DRAWS).astype(int)
    first, second = resamples[:, trials.codes[trials.first]], resamples[:, trials.codes[trials.second]]
    for weights in np.where(trials.same, first, first * second):
        same, score = np.repeat(trials.same, weights), np.repeat(trials.score, weights)
        values.append(interpolated(same, score) if same.any() and not same.all() else np.nan)
    found = verification(X, who, seed=3, permutations=1)
    low, high = module._interval(trials, module._limits(trials), equal_error_rate(trials), 3)
    assert (low, high) == tuple(found[["low", "high"]].iloc[0])
    assert np.array([low, high]) == pytest.approx(np.array(interval(np.array(values), 6)), abs=0.02)


def test_an_interval_needs_five_speakers_and_covers_the_true_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 400)
    few = verification(*voices(0.5, speakers=4), permutations=9)
    assert few[["low", "high"]].isna().all(axis=None)
    assert few["split"].str.contains("too few speakers").all()
    truth = np.mean([equal_error_rate(tried(*voices(0.5, speakers=60, clips=6, seed=seed))) for seed in range(3)])
    rows = [verification(*voices(0.5, seed=seed), seed=seed, permutations=1).iloc[0] for seed in range(20)]
    assert sum(row["low"] <= truth <= row["high"] for row in rows) >= 17


def test_of_too_many_pairs_both_kinds_are_sampled() -> None:
    X, who = voices(0.6, clips=30)
    whole, part = tried(X, who), tried(X, who, most=6_000)
    assert (part.same.sum(), len(part.same)) == (3_000, 6_000)
    assert equal_error_rate(part) == pytest.approx(equal_error_rate(whole), abs=0.02)
    assert part.description == "3,000 pairs of one speaker and 3,000 of two, sampled"


def test_pairs_within_a_recording_are_left_out_and_p_is_missing() -> None:
    X, who = voices(0.0, clips=10)
    room = np.arange(len(who)) // 5
    X = X + 5 * np.random.default_rng(1).normal(size=(room.max() + 1, 16))[room]
    mixed, apart = (verification(X, who, recordings=rooms, permutations=9) for rooms in (None, room.astype(str)))
    assert mixed["score"][0] < 0.4
    assert apart["score"][0] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(apart["p"][0])
    assert "in different recordings" in apart["split"][0]


def test_without_pairs_of_both_kinds_there_is_no_row() -> None:
    X, who = voices(0.5)
    assert verification(X[:15], who[:15]).empty
    assert verification(X[::15], who[::15]).empty
    assert verification(X[:20:2], who[:20:2], permutations=9)["score"].isna().tolist() == [
        False,
        True,
    ]  # too few for linkability
    X[0, 0] = np.nan
    with pytest.raises(AuditError, match=r"^the embedding is not finite; leave out rows with nan or infinity$"):
        verification(X, who)


def test_the_curve_has_the_rates_of_audmetric() -> None:
    trials = tried(*voices(0.5))
    curve = roc(trials, points=51)
    assert (curve.matched[0], curve.missed[0], curve.matched[-1], curve.missed[-1]) == (1, 0, 0, 1)
    assert (np.diff(curve.matched) <= 0).all()
    assert (np.diff(curve.missed) >= 0).all()
    nearest = np.argmin(np.abs(curve.matched - curve.missed))
    assert (curve.matched + curve.missed)[nearest] / 2 == pytest.approx(equal_error_rate(trials), abs=0.02)
    _, stats = audmetric.equal_error_rate(trials.same, trials.score)
    assert {tuple(np.round(pair, 9)) for pair in zip(curve.matched[1:-1], curve.missed[1:-1], strict=True)} <= {
        tuple(np.round(pair, 9)) for pair in zip(stats.fmr, stats.fnmr, strict=True)
    }


def test_bins_and_scores_of_permuted_clips_are_those_of_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 500)  # several blocks
    trials = tried(*voices(0.5, speakers=6, clips=8))
    random, clips = np.random.default_rng(0), len(trials.codes)
    limits, orders = module._limits(trials), [random.permutation(clips) for _ in range(3)]
    grades, scores = module._graded(trials, limits, orders)
    cosines = trials.vectors @ trials.vectors.T
    apart = ~np.eye(clips, dtype=bool)
    np.testing.assert_array_equal(grades[apart], np.searchsorted(limits, cosines, side="right")[apart])
    for order, score in zip(orders, scores, strict=True):
        np.testing.assert_allclose(score, cosines[order[trials.first], order[trials.second]], atol=1e-12)
