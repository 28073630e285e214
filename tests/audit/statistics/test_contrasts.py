"""A contrast is a difference of pooled scores with its interval and one p, and nan without shared speakers."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from mien.audit.statistics.contrasts import Term, contrast, fixed, right_and_wrong, verdicts
from mien.audit.statistics.scores import BySpeaker, interval, resampled
from mien.audit.statistics.significance import wilcoxon
from mien.common.measures import balanced_f1, wa
from mien.common.measures import macro_f1 as f1


def table(share: float, *, seed: int, people: int = 12, each: int = 20) -> BySpeaker:
    """Four classes, the first of which has half of the clips; right with this probability, else any class."""
    random = np.random.default_rng(seed)
    counts = np.zeros((people, 4, 4))
    for who in range(people):
        for truth in np.maximum(random.integers(-3, 4, each), 0):
            counts[who, truth, truth if random.random() < share else random.integers(4)] += 1
    return BySpeaker(tuple(f"s{who:02}" for who in range(people)), counts)


def test_one_term_is_the_score_with_the_interval_of_the_scores() -> None:
    one = table(0.6, seed=0)
    found = contrast([Term(1.0, one, f1)])
    score, resamples = float(f1(one.counts.sum(0))), resampled(one, "f1")
    assert found.difference == pytest.approx(score)
    ends = np.array(interval(resamples, 12)) + 2 * (score - resamples.mean())
    assert (found.low, found.high) == pytest.approx(ends)
    assert abs(score - resamples.mean()) < 0.1 * (found.high - found.low), "the bias is small if labels differ by clip"


def entangled(random: np.random.Generator, own: np.ndarray, knows: float) -> tuple[BySpeaker, BySpeaker]:
    """The counts of a probe and of the identity floor, for speakers with two clips of each of six emotions.

    The floor predicts one emotion for all clips of a speaker, `own`. The probe predicts the true emotion of a share of
    the clips, about `knows`, and the floor's of the rest.
    """
    clips = np.full(6, 2.0)
    floor = np.zeros((len(own), 6, 6))
    floor[np.arange(len(own)), :, own] = clips
    share = np.clip(random.normal(knows, 0.15, (len(own), 1)), 0, 1) * knows / max(knows, 1e-9)
    hits = random.binomial(6, np.repeat(share, 6, 1)) / 3
    leak = floor * (1 - hits / 2)[:, :, None] + hits[:, :, None] * np.eye(6)
    names = tuple(f"s{who:05}" for who in range(len(own)))
    return BySpeaker(names, leak), BySpeaker(names, floor)


def test_the_interval_of_an_identity_floor_includes_it_and_covers() -> None:
    """With two of twelve speakers for each of six emotions the floor's F is above that of every resample."""
    random = np.random.default_rng(0)
    _, floor = entangled(random, np.arange(12) % 6, 0.0)
    score = float(f1(floor.counts.sum(0)))
    low, high = interval(resampled(floor, "f1"), 12)
    assert low < high < score == pytest.approx(1 / 6)
    found = contrast([Term(1.0, floor, f1)])
    assert found.low < score < found.high
    many = entangled(random, np.arange(12_000) % 6, 0.3)
    truth = {"floor": 1 / 6, "above": float(f1(many[0].counts.sum(0)) - f1(many[1].counts.sum(0)))}
    held = dict.fromkeys(("floor", "above", "percentiles"), 0)
    for _ in range(60):
        leak, floor = entangled(random, random.integers(6, size=12), 0.3)
        for name, terms in {
            "floor": [Term(1.0, floor, f1)],
            "above": [Term(1.0, leak, f1), Term(-1.0, floor, f1)],
        }.items():
            result = contrast(terms)
            assert result.low <= result.difference <= result.high
            held[name] += result.low <= truth[name] <= result.high
        low, high = interval(resampled(floor, "f1"), 12)
        held["percentiles"] += low <= truth["floor"] <= high
    assert held["above"] >= 54
    assert held["floor"] >= 45 > 6 > held["percentiles"]


def test_planted_differences_are_separable_and_equal_systems_are_not() -> None:
    better, worse = table(0.8, seed=1), table(0.4, seed=2)
    table_of = verdicts([contrast([Term(1.0, better, f1), Term(-1.0, worse, f1)])])
    assert bool(table_of["separable"].iloc[0])
    assert table_of["low"].iloc[0] > 0
    rejected = 0
    for turn in range(12):
        pair = [table(0.6, seed=100 + turn), table(0.6, seed=200 + turn)]
        found = contrast([Term(1.0, pair[0], balanced_f1), Term(-1.0, pair[1], balanced_f1)])
        rejected += bool(verdicts([found])["separable"].iloc[0])
    assert rejected <= 3  # of 12 at .05: four or more, 1 time in 400


def test_pseudo_values_of_an_accuracy_are_the_speakers_own_differences() -> None:
    rows = pd.DataFrame({"clip": range(80), "speaker": np.repeat(list("abcdefgh"), 10), "seed": 0, "truth": "x"})
    first, second = (
        right_and_wrong(rows.assign(predicted=np.where(np.arange(80) % 10 < 4 + np.repeat(more, 10), "x", "y")))
        for more in (np.arange(8) % 5, np.zeros(8))
    )
    found = contrast([Term(1.0, first, wa), Term(-1.0, second, wa)])
    assert found.difference == pytest.approx((np.arange(8) % 5).mean() / 10)
    assert found.p == pytest.approx(wilcoxon(np.arange(8) % 5 / 10))
    less = contrast([Term(1.0, first, wa), Term(-1.0, first, fixed(0.4))])
    assert less == pytest.approx(found)


def test_seeds_are_averaged_within_a_speaker() -> None:
    rows = pd.DataFrame({"speaker": ["a"] * 4 + ["b"] * 2, "seed": [0, 0, 1, 1, 0, 1], "truth": "x"})
    rows = rows.assign(clip=list("ijijkk"))
    found = right_and_wrong(rows.assign(predicted=["x", "x", "x", "y", "y", "y"]))
    assert found.speakers == ("a", "b")
    assert found.counts[:, 0].tolist() == [[1.5, 0.5], [0.0, 1.0]]
    assert wa(found.counts.sum(0)) == pytest.approx(0.5)
    assert np.isnan(wa(np.zeros((2, 2))))


@pytest.mark.parametrize("measure", [f1, balanced_f1])
def test_a_class_that_a_resample_lacks_is_left_out_of_it(measure) -> None:
    counts = np.zeros((8, 3, 3))
    counts[:, 0] = [9.0, 0.0, 1.0]  # each speaker has a clip that is taken for the third class
    counts[:, 1, 1] = 10
    counts[0, 2, 2] = 60  # which one speaker alone has
    found = contrast([Term(1.0, BySpeaker(tuple("abcdefgh"), counts), measure)])
    assert found.difference == pytest.approx(float(measure(counts.sum(0))))
    assert 0.94 < found.low < found.high < 0.98, "an F of 0 for the third class would give two thirds"


def test_speakers_that_one_term_lacks_are_left_out() -> None:
    one, other = table(0.9, seed=4), table(0.5, seed=5, people=3)
    found = contrast([Term(1.0, one, f1), Term(-1.0, other, f1)])
    alone = partial(contrast, [Term(1.0, BySpeaker(one.speakers[:3], one.counts[:3]), f1), Term(-1.0, other, f1)])
    assert found == alone()
    assert found.speakers == 3
    assert not bool(verdicts([found])["separable"].iloc[0])
    nobody = contrast([Term(1.0, one, f1), Term(1.0, BySpeaker(("z",), other.counts[:1]), f1)])
    assert nobody.speakers == 0
    assert np.isnan(nobody.difference)
