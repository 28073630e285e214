"""A planted number is found, noise is at chance, and a speaker whose number is known tells nothing of others."""

import audmetric
import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from mien.audit.leakage import numbers
from mien.audit.leakage.floors import floors
from mien.audit.leakage.leakage import leakage
from mien.audit.options import LeakageOptions
from mien.audit.probes import smoothers
from mien.audit.probes.division import given
from mien.audit.probes.number_division import choosing, divide
from mien.audit.probes.task import ProbingTask
from mien.common.leakage_tables import LEAKAGE, STRONGEST
from mien.errors import AuditError

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 20)
N = len(SPEAKERS)


def task(values, **more):
    options = LeakageOptions(seed=more.pop("seed", 0))
    return ProbingTask(values.astype(str), "valence", numbers=values, options=options, **{"speakers": SPEAKERS, **more})


def row_of(table, probe=STRONGEST):
    (found,) = table[table["probe"] == probe].to_dict("records")
    return found


def planted(seed=0, noise=0.5):
    random = np.random.default_rng(seed)
    values = random.normal(3, 1, N)
    return values, np.c_[values + random.normal(0, noise, N), random.normal(size=(N, 7))].astype(np.float32)


def test_a_planted_number_is_found():
    values, X = planted()
    table = leakage(X, task(values))
    assert tuple(table.columns) == LEAKAGE[LEAKAGE.index("factor") :]
    assert table["probe"].tolist() == ["linear", "neighbours", STRONGEST]
    assert set(table["measure"]) == {"ccc"}
    for name in ("linear", STRONGEST):
        found = row_of(table, name)
        assert 0 == found["chance"] < found["low"] < found["score"] < found["high"] <= 1
        assert found["score"] > 0.75
        assert abs(found["shuffled"]) < 0.3
        assert found["p"] == pytest.approx(1 / (1 + numbers.PERMUTATIONS))
        assert (found["n"], found["split"]) == (N, "disjoint speakers; interval over speakers")
    assert np.isnan(table["classes"]).all()


def test_the_score_is_that_of_a_ridge_fitted_by_hand(monkeypatch):
    """On one division by speakers, with one setting."""
    for module in (numbers, smoothers):
        monkeypatch.setattr(module, "PROBES", {"linear": (smoothers.ridge, [0.1])})
    values, X = planted(noise=1.0)
    train = np.isin(SPEAKERS, ["s0", "s1", "s2", "s3", "s4"])
    division = given([(train, ~train)], N, "by hand", SPEAKERS)
    found = row_of(leakage(X, task(values, division=division)))
    scaler = StandardScaler().fit(X[train].astype(float))
    model = Ridge(alpha=0.1 * train.sum()).fit(scaler.transform(X[train].astype(float)), values[train])
    predicted = model.predict(scaler.transform(X[~train].astype(float)))
    assert found["score"] == pytest.approx(audmetric.concordance_cc(values[~train], predicted), abs=1e-9)
    assert found["split"] == "by hand; interval over clips", "three speakers are too few"


def test_nothing_is_read_from_noise(monkeypatch):
    monkeypatch.setattr(numbers, "PERMUTATIONS", 99)
    found = []
    for seed in range(20):
        random = np.random.default_rng(100 + seed)
        embedding, values = random.normal(size=(N, 8)), random.normal(size=N) + random.normal(size=8).repeat(20)
        found.append(row_of(leakage(embedding, task(values, seed=seed)), "linear"))
    assert sum(row["low"] <= 0 <= row["high"] for row in found) >= 18
    assert kstest([row["p"] for row in found], "uniform").pvalue > 0.01


def test_the_identity_of_a_speaker_tells_nothing_of_other_speakers():
    """Each speaker has one number; the embedding holds who speaks and nothing else."""
    own = np.random.default_rng(3).normal(size=8).repeat(20)
    X = np.eye(8)[np.arange(N) // 20] + 0.01 * np.random.default_rng(4).normal(size=(N, 8))
    apart = row_of(leakage(X, task(own)))
    assert apart["low"] <= 0
    assert apart["p"] > 0.05
    seen = LeakageOptions(seen_speakers=True)
    known = ProbingTask(own.astype(str), "valence", numbers=own, speakers=SPEAKERS, options=seen)
    assert row_of(leakage(X, known))["score"] > 0.95, "the control: speakers on both sides"


def test_an_eraser_of_what_holds_the_number_hides_it():
    values, X = planted(noise=0.01)
    halves = np.where(values > np.median(values), "high", "low")
    assert row_of(leakage(X, task(values)))["score"] > 0.95
    after = row_of(leakage(X, task(values), erase=halves), "linear")
    assert after["score"] < 0.5
    assert "eraser fitted on training clips" in after["split"]


def test_floors_of_a_number_are_other_labels_and_no_majority():
    values, _ = planted()
    halves = np.where(values > 3, "high", "low")
    table = floors(task(values), others={"mood": halves})
    assert set(table["embedding"]) == {"mood label"}
    assert row_of(table)["score"] > 0.6
    assert floors(task(values)).empty


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "disjoint speakers"),
        ({"recordings": np.arange(N) // 5}, "disjoint speakers and recordings"),
        ({"recordings": np.zeros(N)}, "disjoint speakers"),
        ({"speakers": None}, "disjoint clips; speakers not known"),
        ({"speakers": None, "recordings": np.arange(N) // 5}, "disjoint clips and recordings; speakers not known"),
    ],
)
def test_what_is_kept_apart_is_and_the_numbers_play_no_part(known, words):
    values = planted()[0]
    division = divide(task(values, **known))
    assert division.description == words
    assert np.sort(np.concatenate([test for _, test in division.parts])).tolist() == list(range(N))
    for train, test in division.parts:
        if "speakers" in words.split(";")[0]:
            assert not set(SPEAKERS[train]) & set(SPEAKERS[test])
        if "recordings" in words:
            assert not set(known["recordings"][train]) & set(known["recordings"][test])
        fitted, chosen = choosing(train, division, 0)
        assert sorted([*fitted, *chosen]) == sorted(train)
        assert len(chosen)
    again = divide(task(values[::-1].copy(), **known))
    assert all(np.array_equal(one[1], two[1]) for one, two in zip(division.parts, again.parts, strict=True))


def test_one_speaker_one_number_and_junk_are_refused():
    values, X = planted()
    junk = X.copy()
    junk[3, 2] = np.nan
    for embedding, own, sentence in (
        (
            X,
            task(np.full(N, 2.5)),
            "valence: all clips have one number; a probe needs two: give clips of another number",
        ),
        (
            X,
            task(values, speakers=np.full(N, "s")),
            "valence: all clips are of one speaker; give clips of another speaker, or test seen speakers "
            "(--seen-speakers)",
        ),
        (junk, task(values), "embedding 3 is not finite; leave out rows with nan or infinity"),
    ):
        with pytest.raises(AuditError) as refused:
            leakage(embedding, own)
        assert str(refused.value) == sentence
