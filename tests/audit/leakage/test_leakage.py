"""A planted leak is found, noise is at chance; erasure, balancing and unseen speakers remove what they should."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from mien.audit.leakage.leakage import corrected, leakage, predict
from mien.audit.options import DEFAULT, LeakageOptions
from mien.audit.probes.division import divide, given
from mien.audit.probes.probes import PROBES
from mien.audit.probes.task import ProbingTask
from mien.common.leakage_tables import LEAKAGE, STRONGEST
from mien.errors import AuditError

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 30)
SENTENCES = np.tile([f"t{number}" for number in range(10)], 24)
GENDER = np.where(np.arange(240) // 30 % 2 == 0, "female", "male")
QUICK = ("nearest_mean",)


def noise(seed: int = 0, D: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(SPEAKERS), D)).astype(np.float32)


def planted(seed: int = 0) -> np.ndarray:
    """Every speaker has a direction of its own."""
    directions = np.random.default_rng(seed + 1).normal(size=(8, 16))
    return (noise(seed) + 4 * directions[np.unique(SPEAKERS, return_inverse=True)[1]]).astype(np.float32)


def probed(
    X: np.ndarray, labels: np.ndarray, *, probes=tuple(PROBES), erase=None, options=DEFAULT, **known: Any
) -> pd.DataFrame:
    return leakage(X, ProbingTask(labels, **known, options=options), probes=probes, erase=erase)


def uar(table: pd.DataFrame, probe: str = STRONGEST) -> pd.Series:
    (found,) = (row for _, row in table[(table["probe"] == probe) & (table["measure"] == "uar")].iterrows())
    return found


def test_a_planted_leak_is_found_by_every_probe() -> None:
    table = probed(planted(), SPEAKERS, sentences=SENTENCES, options=LeakageOptions(speakers="seen"))
    assert tuple(table.columns) == LEAKAGE[LEAKAGE.index("factor") :]
    assert table["probe"].unique().tolist() == [*PROBES, STRONGEST]
    assert set(table["split"]) == {"disjoint clips and sentences; interval over speakers"}
    for probe in (*PROBES, STRONGEST):
        row = uar(table, probe)
        assert row["score"] > 0.95
        assert row["low"] > row["chance"] == 1 / 8
        assert row["shuffled"] < 0.3
        assert row["p"] == 1 / 2001
    assert set(table["n"]) == {240}
    assert (set(table["classes"]), set(table["role"]), set(table["speakers"])) == ({8}, {"measured"}, {"seen"})


@pytest.mark.parametrize("factor", ["speaker", "gender"])
def test_nothing_is_read_from_noise(factor: str) -> None:
    labels = SPEAKERS if factor == "speaker" else GENDER
    known = {"factor": factor, "speakers": SPEAKERS, "probes": QUICK}
    found = [uar(probed(noise(seed), labels, options=LeakageOptions(seed=seed), **known)) for seed in range(6)]
    chance = 1 / len(set(labels))
    assert np.mean([row["score"] for row in found]) == pytest.approx(chance, abs=0.05)
    assert sum(row["low"] <= chance <= row["high"] for row in found) >= 5
    assert sum(row["p"] < 0.05 for row in found) <= 1


def test_the_strongest_is_chosen_on_validation_clips() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 4))
    X[:, :2] += np.sign(X[:, :2])
    speaker = np.where(X[:, 0] * X[:, 1] > 0, "one", "two")  # not linear
    table = probed(X, speaker)
    found = predict(X, speaker, divide(ProbingTask(speaker)))
    best = max(found.validation, key=lambda name: found.validation[name])
    assert best in ("mlp", "neighbours")
    pd.testing.assert_series_equal(uar(table).drop("probe"), uar(table, best).drop("probe"), check_names=False)
    assert uar(table, "mlp")["score"] > 0.9
    assert uar(table, "linear")["score"] < 0.65
    assert uar(table)["split"] == "disjoint clips; interval over clips"
    assert uar(table, best)["score"] == pytest.approx(balanced_accuracy_score(found.truth, found.predicted[best]))


@pytest.mark.parametrize("erase", [False, True])
def test_the_probe_is_chosen_where_nothing_was_learned_by_heart(erase: bool) -> None:
    """On training clips alone two signs tell the class, not linearly; a straight line tells it, less, on all clips."""
    random = np.random.default_rng(0)
    part, classes = np.repeat(["train", "validation", "test"], (160, 80, 200)), np.tile([0, 1], 220)
    X = random.normal(0, 0.5, size=(440, 4))
    X[:, 2] += 0.4 * (2 * classes - 1)
    X[:, 3] += 5 * (factor := random.integers(0, 2, 440))
    signs = random.choice([-1, 1], size=(440, 2))
    train = part == "train"
    signs[train, 1] = signs[train, 0] * (2 * classes[train] - 1)
    X[:, :2] += 3 * signs
    labels, erased = classes.astype(str), factor.astype(str) if erase else None
    rows = [(train, part == "test")]
    hidden, found = (
        probed(X, labels, factor="emotion", division=given(rows, 440, "", choosing=choosing), erase=erased)
        for choosing in (None, part == "validation")
    )
    assert uar(hidden)["score"] < 0.7
    assert uar(found)["score"] > 0.75
    assert uar(found)["n"] == uar(hidden)["n"] == 200
    few = given(rows, 440, "", choosing=(part == "validation") & (classes == 0))
    with pytest.raises(AuditError, match=r"that choose a probe have fewer than two of the classes that it is fitted"):
        probed(X, labels, factor="emotion", division=few)


def test_clips_that_test_choose_nothing() -> None:
    X, rows = planted(0), np.arange(240) % 4
    division = given([(rows < 2, rows == 3)], 240, "", choosing=rows == 2)
    moved = X.copy()
    moved[rows == 3] = np.random.default_rng(1).normal(size=(60, X.shape[1]))
    one, other = (predict(each, SPEAKERS, division) for each in (X, moved))
    assert one.validation == other.validation
    assert any((one.predicted[name] != other.predicted[name]).any() for name in one.predicted)


def test_a_sentence_is_not_mistaken_for_a_speaker() -> None:
    """The embedding encodes the sentence only; each speaker prefers one, so that it predicts the speaker."""
    random = np.random.default_rng(0)
    own = np.arange(240) // 30
    sentence = np.where(random.random(240) < 0.5, own, random.integers(0, 8, 240))
    embedding = 5 * np.eye(8)[sentence] + 0.1 * random.normal(size=(240, 8))
    names = np.char.add("t", sentence.astype(str))
    apart, mixed = (uar(probed(embedding, SPEAKERS, sentences=known, probes=QUICK)) for known in (names, None))
    assert mixed["score"] > 0.4
    assert apart["score"] < 0.2


def test_a_speaker_is_not_mistaken_for_a_gender() -> None:
    """Each speaker has a direction, which does not predict the gender of other speakers."""
    asked = {"factor": "gender", "speakers": SPEAKERS, "probes": ("linear",)}
    apart, seen = (
        uar(probed(planted(), GENDER, options=LeakageOptions(seen_speakers=seen), **asked)) for seen in (False, True)
    )
    assert apart["split"] == "disjoint speakers; interval over speakers"
    assert seen["split"] == "disjoint clips; speakers on both sides; interval over speakers"
    assert seen["score"] > 0.95
    assert apart["p"] > 0.05  # labels of whole speakers trade places
    assert seen["p"] > 1 / 100  # eight speakers with four women have only 70 permutations


def test_leace_erases_the_speaker_and_leaves_the_emotion() -> None:
    random = np.random.default_rng(0)
    emotion = random.integers(0, 3, 240)
    X = planted() + 5 * random.normal(size=(3, 16))[emotion]
    speaker, feeling = {"probes": ("linear",)}, {"factor": "emotion", "speakers": SPEAKERS, "probes": ("linear",)}
    erased = uar(probed(X, SPEAKERS, erase=SPEAKERS, **speaker))
    assert erased["score"] < 0.25
    assert "eraser fitted on training clips" in erased["split"]
    assert uar(probed(X, emotion, erase=SPEAKERS, **feeling))["score"] > 0.9
    assert uar(probed(X, emotion, erase=emotion, **feeling))["score"] < 0.55


def test_after_leace_validation_is_at_chance_and_the_strongest_chosen() -> None:
    scores = []
    for seed in range(3):
        division = divide(ProbingTask(SPEAKERS))
        found = predict(planted(seed), SPEAKERS, division, probes=("linear",), erase=SPEAKERS, seed=seed)
        scores.append(found.validation["linear"])
    assert np.mean(scores) == pytest.approx(1 / 8, abs=0.035)
    X = np.random.default_rng(0).normal(size=(240, 6))
    X[:, :2] += 1.5 * np.sign(X[:, :2])
    speaker = np.where(X[:, 0] * X[:, 1] > 0, "one", "two")  # not linear
    X[:, 5] += 3 * (speaker == "one")  # linear, until it is erased
    after = probed(X, speaker, erase=speaker, probes=("linear", "mlp"))
    assert uar(after, "linear")["score"] < 0.65
    assert uar(after, "mlp")["score"] > 0.8
    assert uar(after)["score"] == uar(after, "mlp")["score"]


def test_on_balanced_test_clips_the_other_factor_predicts_nothing() -> None:
    """The embedding encodes the speaker only; each has a usual emotion, so it predicts emotions until balanced."""
    random = np.random.default_rng(0)
    who = np.arange(240) // 30
    emotion = np.where(random.random(240) < 0.6, who % 2, random.integers(0, 2, 240))
    X = 5 * np.eye(8)[who] + 0.1 * random.normal(size=(240, 8))
    seen = LeakageOptions(seen_speakers=True)
    asked = {"factor": "emotion", "speakers": SPEAKERS, "options": seen, "probes": QUICK}
    whole, even = (
        uar(probed(X, emotion, **asked)),
        uar(probed(X, emotion, balanced=SPEAKERS, over="speaker", **asked)),
    )
    assert whole["score"] > 0.7
    assert even["score"] == pytest.approx(0.5, abs=0.02)
    smaller = sum(2 * min(np.bincount(emotion[who == number])) for number in range(8))
    assert even["n"] == smaller
    assert f"{smaller} of 240 test clips, balanced" in even["split"]
    assert (whole["balanced"], even["balanced"]) == ("", "speaker")
    with pytest.raises(AuditError, match=r"^no class of the other factor has test clips of all classes, so nothing"):
        probed(X, SPEAKERS, balanced=SPEAKERS, probes=QUICK)


def test_a_given_division_is_used_and_lost_clips_are_reported() -> None:
    emotion = np.tile(["anger", "fear", "joy"], 80)
    emotion[-30:][emotion[-30:] == "joy"] = "disgust"
    X = noise() + 6 * np.eye(16)[np.unique(emotion, return_inverse=True)[1]]
    train = np.arange(240) < 180
    division = given([(train, ~train)], 240, "train and test of fold 0", SPEAKERS)
    row = uar(probed(X, emotion, factor="emotion", speakers=SPEAKERS, division=division, probes=QUICK))
    assert (row["n"], row["classes"]) == (50, 3)
    assert row["score"] > 0.95
    assert row["split"] == (
        "train and test of fold 0; 10 clips of a class without training clips left out; interval over clips"
    )


def test_the_same_seed_gives_the_same_rows_and_bad_input_is_refused() -> None:
    first, again = (probed(planted(), SPEAKERS, probes=("mlp",), options=LeakageOptions(seed=3)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    broken = noise()
    broken[3, 3] = np.nan
    for asked, sentence in (
        ((broken, SPEAKERS), "^embedding 3 is not finite; leave out rows with nan or infinity$"),
        (
            (noise(), SPEAKERS[:100]),
            r"^embeddings of shape \(240, 16\) for 100 labels; give one row for each label, \(n, D\)$",
        ),
        (
            (noise()[:30], SPEAKERS[:30]),
            "^speaker: there is one class, 's0'; a probe needs two: give clips of another class$",
        ),
    ):
        with pytest.raises(AuditError, match=sentence):
            probed(*asked)
    with pytest.raises(AuditError, match=r"unknown probe 'liner'\. Did you mean 'linear'"):
        probed(noise(), SPEAKERS, probes=["liner"])


def test_p_is_corrected_over_factors_of_seen_and_unseen_speakers() -> None:
    place = {"embedding": "main", "eraser": "", "model": "m", "fold": None, "seed": None, "role": "measured"}
    rows = [
        {
            **place,
            "factor": factor,
            "speakers": "unseen" if factor == "age" else "seen",
            "probe": probe,
            "measure": "uar",
            "p": p,
        }
        for probe, many in {"linear": (0.01, 0.04, 0.03), "mlp": (0.02, 0.5, 0.2)}.items()
        for factor, p in zip(("speaker", "gender", "age"), many, strict=True)
    ]
    alone = {**rows[0], "eraser": "leace", "p": 0.04}
    table = corrected(pd.DataFrame([*rows, {**rows[0], "measure": "f1", "p": np.nan}, alone]))
    assert table["p_corrected"].tolist()[:6] == pytest.approx([0.03, 0.06, 0.06, 0.06, 0.5, 0.4])
    assert table["p_corrected"].iloc[-1] == 0.04
    assert np.isnan(table["p_corrected"].iloc[6])
