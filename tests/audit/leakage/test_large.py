"""The mode for many clips: planted factors are found, nothing is found in noise, and units stay on one side."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import recall_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from mien.audit.leakage.large import MODE, divide, leakage_large
from mien.audit.probes import large_probes
from mien.audit.probes.task import ProbingTask
from mien.common.leakage_tables import STRONGEST
from mien.errors import AuditError

N, D, K = 2_000, 12, 6


def large(X: np.ndarray | None, labels: np.ndarray, rows: np.ndarray | None = None, **known: Any) -> pd.DataFrame:
    return leakage_large(X, ProbingTask(labels, **known), rows=rows)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    y = random.integers(0, K, N)
    return (random.normal(size=(N, D)) + 1.2 * random.normal(size=(K, D))[y] + 50).astype(np.float32), y


def uar(table, probe: str = STRONGEST, column: str = "score") -> float:
    return float(table[(table["probe"] == probe) & (table["measure"] == "uar")][column].iloc[0])


def test_a_planted_factor_is_found_and_noise_is_at_chance(planted) -> None:
    X, y = planted
    found = large(X, y.astype(str))
    parts = divide(y, None, 0)
    lda = LinearDiscriminantAnalysis().fit(X[parts.train], y[parts.train]).predict(X[parts.test])
    best = recall_score(y[parts.test], lda, average="macro")
    assert uar(found) == pytest.approx(best, abs=0.04)
    for probe in ("nearest_mean", "linear", "mlp"):
        assert uar(found, probe) > best - 0.07
    assert uar(found, column="low") > 1 / K
    assert uar(found, column="p") < 0.001
    assert all(uar(found, probe, "shuffled") < 0.3 for probe in set(found["probe"]))
    assert found["split"].str.endswith(MODE).all()
    nothing = large(np.random.default_rng(1).normal(size=(N, D)), y.astype(str))
    assert uar(nothing, column="low") < 1 / K < uar(nothing, column="high")
    assert uar(nothing, column="p") > 0.01
    majority = large(None, y.astype(str))
    assert (set(majority["probe"]), uar(majority)) == ({STRONGEST}, pytest.approx(1 / K))


def test_a_factor_that_is_not_linear_is_found_by_the_perceptron() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(4_000, 4)).astype(np.float32)
    X[:, :2] += 1.5 * np.sign(X[:, :2])
    found = large(X, np.where(X[:, 0] * X[:, 1] > 0, "a", "b"))
    assert uar(found, "mlp") > 0.9
    assert uar(found, "linear") < 0.6


def test_neighbours_are_those_of_scikit_learn(planted) -> None:
    X, y = planted
    parts = divide(y, None, 0)
    read = large_probes.read(X, y, **parts._asdict())
    scaler = StandardScaler().fit(X[parts.train])
    oracle = KNeighborsClassifier(large_probes.NEIGHBOURS).fit(scaler.transform(X[parts.train]), y[parts.train])
    assert (read["neighbours"].predicted == oracle.predict(scaler.transform(X[parts.test]))).mean() > 0.995


def test_a_mapped_file_gives_the_same_scores_as_an_array(
    planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = planted
    monkeypatch.setattr(large_probes, "CHUNK", 512)
    np.save(tmp_path / "E.npy", X)
    rows = np.arange(400, N)
    mapped = large(np.load(tmp_path / "E.npy", mmap_mode="r"), y[rows].astype(str), rows=rows)
    here = large(X[rows], y[rows].astype(str))
    assert uar(mapped) == pytest.approx(uar(here), abs=1e-6)
    scaled = large_probes.Matrix.of(X, rows)
    np.testing.assert_allclose(scaled.rows(rows), StandardScaler().fit_transform(X[rows]), atol=2e-5)
    np.testing.assert_array_equal(scaled.rows(rows[::-1]), scaled.rows(rows)[::-1])


def test_units_stay_whole_and_every_class_is_in_every_part() -> None:
    random = np.random.default_rng(0)
    speaker = random.integers(0, 40, N)
    gender = speaker % 2
    parts = divide(gender, speaker, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(N))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not set(speaker[parts[first]]) & set(speaker[parts[second]])
    assert all(len(set(gender[part])) == 2 for part in parts)
    alone = divide(random.integers(0, 40, N), None, 0)
    assert len(alone.test) == pytest.approx(N / 4, rel=0.05)


def test_unseen_speakers_do_not_give_gender_away() -> None:
    """The embedding encodes the speaker only: seen speakers give gender away, unseen speakers must not."""
    random = np.random.default_rng(0)
    speaker = random.integers(0, 30, N)
    X = (3 * random.normal(size=(30, D))[speaker] + random.normal(size=(N, D))).astype(np.float32)
    gender = np.array(["f", "m"])[np.random.default_rng(5).permutation(30)[speaker] % 2]
    apart = large(X, gender, factor="gender", speakers=speaker.astype(str))
    mixed = large(X, gender, factor="gender")
    assert uar(mixed) > 0.95
    assert uar(apart) < 0.85
    assert uar(apart, column="p") > 0.01  # permuted among whole speakers
    assert apart["split"].str.contains("disjoint speakers; interval over speakers").all()
    assert mixed["split"].str.contains("speakers not known").all()


def test_classes_with_too_few_clips_are_left_out_and_reported(planted) -> None:
    X, y = planted
    labels = y.astype(str)
    labels[0] = "rare"
    found = large(X, labels)
    assert set(found["classes"]) == {K}
    assert found["split"].str.contains("1 class with too few clips left out").all()
    with pytest.raises(AuditError, match=r"^speaker: fewer than two classes have 3 recordings; give more$"):
        large(X, y.astype(str), recordings=(2 * y + np.arange(N) % 2).astype(str))
    with pytest.raises(
        AuditError, match=r"^speaker: no recordings are left to fit a probe on; give clips of more recordings$"
    ):
        large(X, y.astype(str), recordings=np.array(["one"] * N))


def test_a_sentence_is_not_mistaken_for_a_speaker() -> None:
    """Each speaker prefers some of the ten sentences; the embedding encodes the sentence only."""
    random = np.random.default_rng(0)
    speaker = random.integers(0, 8, N)
    sentence = np.where(random.random(N) < 0.7, speaker, random.integers(0, 10, N))
    X = (3 * random.normal(size=(10, D))[sentence] + random.normal(size=(N, D))).astype(np.float32)
    names, sentences = speaker.astype(str), sentence.astype(str)
    mixed, apart = large(X, names), large(X, names, sentences=sentences)
    assert uar(mixed) > 0.6
    assert uar(apart) < 1 / 8 + 0.05
    assert apart["split"].str.startswith("disjoint clips and sentences; interval").all()
    recordings = np.char.add(np.char.add(names, sentences), random.integers(0, 3, N).astype(str))
    both = large(X, names, sentences=sentences, recordings=recordings)
    assert both["split"].str.startswith("disjoint clips, recordings and sentences; interval").all()
    two = large(X, names, sentences=np.where(sentence < 5, "a", "b"))
    assert two["split"].str.startswith("disjoint clips; sentences on both sides; interval").all()
