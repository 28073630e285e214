"""Floors have their expected scores: majority, another label, a random projection; the inputs are a ceiling."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mien.audit.leakage import floors as module
from mien.audit.leakage.floors import floors, one_hot, random_projection
from mien.audit.leakage.leakage import leakage
from mien.audit.options import LeakageOptions
from mien.audit.probes.task import ProbingTask
from mien.common.leakage_tables import LEAKAGE, STRONGEST

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 30)


@pytest.fixture(autouse=True)
def one_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One quick probe stands for all."""
    monkeypatch.setattr(module, "leakage", partial(leakage, probes=("nearest_mean",)))


def scores(table: pd.DataFrame) -> dict[str, float]:
    rows = table[(table["probe"] == STRONGEST) & (table["measure"] == "uar")]
    return dict(zip(rows["embedding"], rows["score"], strict=True))


def entangled(amount: float, seed: int = 0) -> np.ndarray:
    """Emotions of which this share depends on the speaker: the first four are neutral, the others angry."""
    random = np.random.default_rng(seed)
    own = np.where(np.arange(240) // 30 < 4, "neutral", "anger")
    return np.where(random.random(240) < amount, own, random.choice(["neutral", "anger"], 240))


def test_all_floors_and_ceilings_are_rows_of_one_table() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(240, 40)) + 3 * random.normal(size=(8, 40))[np.arange(240) // 30]
    others = {"emotion": entangled(0.5), "gender": np.where(np.arange(240) // 30 % 2, "male", "female")}
    task = ProbingTask(SPEAKERS, options=LeakageOptions(speakers="seen"))
    table = floors(task, others=others, inputs=inputs, functionals=inputs[:, :5], dimension=6)
    assert tuple(table.columns) == LEAKAGE
    assert table[["embedding", "role"]].drop_duplicates().to_numpy().tolist() == [
        ["majority", "floor"],
        ["emotion label", "floor"],
        ["gender label", "floor"],
        ["random projection", "floor"],
        ["inputs", "ceiling"],
        ["functionals", "ceiling"],
    ]
    assert (set(table["model"]), set(table["factor"]), set(table["speakers"])) == ({"baseline"}, {"speaker"}, {"seen"})
    assert table[["fold", "seed"]].isna().all(axis=None)
    found = scores(table)
    assert found["majority"] == 1 / 8
    assert found["gender label"] == pytest.approx(2 / 8)  # two genders can name two of eight speakers
    assert found["majority"] < found["random projection"] < found["inputs"]
    assert found["inputs"] > 0.95
    assert set(floors(task)["embedding"]) == {"majority"}
    several = floors(task, inputs=inputs[:, :5], dimension={6, 3})
    assert several["embedding"].unique().tolist() == [
        *("majority", "random projection to 3", "random projection to 6", "inputs")
    ]


def test_the_majority_is_the_share_of_the_most_frequent_class() -> None:
    emotion = np.tile(["joy", "joy", "joy", "fear", "fear", "anger"], 40)
    table = floors(ProbingTask(emotion, "emotion", speakers=SPEAKERS)).set_index("measure")
    assert table.loc["accuracy", "score"] == table.loc["accuracy", "chance"] == 0.5
    assert table.loc["uar", "score"] == pytest.approx(1 / 3)
    assert table.loc["f1", "score"] == pytest.approx((2 * 0.5 / 1.5) / 3)
    assert table.loc["uar", "p"] == 1


def test_the_identity_floor_grows_with_entanglement_unless_balanced() -> None:
    """The emotion predicted from the speaker label, where the same speakers fit and test."""

    def task(amount: float, **known: Any) -> ProbingTask:
        options = LeakageOptions(seen_speakers=True)
        return ProbingTask(entangled(amount), "emotion", speakers=SPEAKERS, options=options, **known)

    found = [scores(floors(task(amount), others={"speaker": SPEAKERS}))["speaker label"] for amount in (0.0, 0.5, 0.9)]
    # a speaker shows their own emotion in (1 + amount) / 2 of the clips
    assert found == pytest.approx([0.5, 0.75, 0.95], abs=0.07)
    even = floors(task(0.5, balanced=SPEAKERS), others={"speaker": SPEAKERS})
    assert scores(even)["speaker label"] == pytest.approx(0.5, abs=0.03)
    assert set(even["balanced"]) == {"another factor"}, "its name is not given"


def test_a_missing_label_is_no_class_and_a_projection_keeps_distances() -> None:
    np.testing.assert_array_equal(one_hot(["b", None, "a", float("nan")]), [[0, 1], [0, 0], [1, 0], [0, 0]])
    X = np.random.default_rng(0).normal(size=(30, 50)) * np.geomspace(1e-3, 1e3, 50)
    standard = (X - X.mean(0)) / X.std(0)
    projected = random_projection(X, 4000)
    np.testing.assert_allclose(projected @ projected.T, standard @ standard.T, atol=6)  # Johnson & Lindenstrauss
    np.testing.assert_array_equal(projected, random_projection(X, 4000))
