"""A planted leak is found, noise is at chance, and probes are tested on clips and sentences they never met."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from mien.audit import leakage as module
from mien.audit.leakage import COLUMNS, SUMMARY, leakage, leakage_summary, speaker_leakage
from mien.audit.probes import PROBES
from mien.errors import RunError
from mien.run import Cell, Run

SPEAKERS = np.repeat([f"s{number}" for number in range(8)], 30)
APART = {fold: fold for fold in range(20)}  # every fold trains on other people
TWINS = {fold: fold - fold % 2 for fold in range(20)}  # two take turns in validation and test
SENTENCES = np.tile([f"t{number}" for number in range(10)], 24)


def noise(seed: int = 0, D: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(SPEAKERS), D)).astype(np.float32)


def planted(seed: int = 0) -> np.ndarray:
    """Every speaker has a direction of its own."""
    directions = np.random.default_rng(seed + 1).normal(size=(8, 16))
    return (noise(seed) + 4 * directions[np.unique(SPEAKERS, return_inverse=True)[1]]).astype(np.float32)


@pytest.mark.parametrize("probe", PROBES)
def test_both_controls(probe: str) -> None:
    found = leakage(planted(), SPEAKERS, SENTENCES, probe=probe)
    assert found is not None
    assert found.score > 0.98
    assert found.low > found.chance == 1 / 8
    assert found.shuffled < 0.3
    nothing = [leakage(noise(seed), SPEAKERS, SENTENCES, probe=probe, seed=seed) for seed in range(8)]
    covered = [leak.low <= leak.chance <= leak.high for leak in nothing if leak]
    assert np.mean([leak.score for leak in nothing if leak]) == pytest.approx(1 / 8, abs=0.03)
    assert sum(covered) >= 6
    assert {(leak.n, leak.classes) for leak in nothing if leak} == {(240, 8)}


def test_a_leak_that_only_a_perceptron_reads() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 4))
    X[:, :2] += np.sign(X[:, :2])
    speaker = np.where(X[:, 0] * X[:, 1] > 0, "one", "two")
    linear, mlp = (leakage(X, speaker, probe=probe) for probe in ("linear", "mlp"))
    assert linear is not None
    assert mlp is not None
    assert mlp.score > 0.9
    assert linear.low <= 0.5 <= linear.high + 0.05


def test_a_sentence_is_not_mistaken_for_a_person() -> None:
    """The embedding knows the words only; each speaker prefers one sentence, so words tell people apart."""
    random = np.random.default_rng(0)
    own = np.arange(240) // 30
    sentence = np.where(random.random(240) < 0.5, own, random.integers(0, 8, 240))
    embedding = 5 * np.eye(8)[sentence] + 0.1 * random.normal(size=(240, 8))
    apart = leakage(embedding, SPEAKERS, np.char.add("t", sentence.astype(str)))
    mixed = leakage(embedding, SPEAKERS)
    assert apart is not None
    assert mixed is not None
    assert (apart.split, mixed.split) == ("disjoint clips and sentences", "disjoint clips")
    assert mixed.score > 0.4
    assert apart.score < 0.2


@pytest.mark.parametrize("sentences", [None, SENTENCES])
def test_every_clip_is_tested_once_on_the_far_side(sentences: np.ndarray | None) -> None:
    y = np.unique(SPEAKERS, return_inverse=True)[1]
    parts, split = module._divide(y, sentences, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(240))
    for test in parts:
        train = np.setdiff1d(np.arange(240), test)
        assert set(y[test]) == set(y[train]) == set(range(8))
        if sentences is not None:
            assert split == "disjoint clips and sentences"
            assert not set(sentences[test]) & set(sentences[train])


def test_a_speaker_with_one_sentence_leaves_clips_disjoint_only() -> None:
    sentences = SENTENCES.copy()
    sentences[:30] = "only s0 says this"
    found = leakage(planted(), SPEAKERS, sentences)
    assert found is not None
    assert found.split == "disjoint clips"
    assert leakage(planted(), SPEAKERS, np.full(240, "one sentence")).split == "disjoint clips"  # type: ignore[union-attr]


def test_the_interval_is_over_speakers_and_over_clips_where_they_are_few() -> None:
    half = np.where(np.arange(240) // 30 < 4, 1.0, 0.0)  # four speakers are always named, four never
    y = np.arange(240) // 30
    wide = module._bootstrap(half, y, 0)
    assert np.percentile(wide, 2.5) == pytest.approx(0.125, abs=0.13)
    few = leakage(noise()[:60], SPEAKERS[:60])
    assert few is not None
    assert few.split == "disjoint clips; interval over clips"
    assert few.chance == 0.5
    spread = module._bootstrap(np.tile([1.0, 0.0], 30), y[:60], 0)
    assert np.std(spread) == pytest.approx(0.5 / np.sqrt(60), rel=0.1)


def test_too_little_is_not_measured_and_rare_speakers_are_left_out() -> None:
    assert leakage(noise()[:30], SPEAKERS[:30]) is None
    rare = leakage(planted()[:62], SPEAKERS[:62])
    assert rare is not None
    assert (rare.n, rare.classes) == (60, 2)


@dataclass(frozen=True)
class TwoCells:
    """What `speaker_leakage` reads of a run."""

    values: dict[str, Any]
    sentences: bool = True

    @property
    def cells(self) -> list[Cell]:
        return [Cell(model, 0, 0, Path(model)) for model in self.values]

    def embeddings(self, cell: Cell) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        split = np.repeat(["train", "validation", "test"], [180, 30, 30])
        table = pd.DataFrame({"clip": np.arange(240).astype(str), "split": split, "speaker": SPEAKERS})
        if self.sentences:
            table["sentence"] = SENTENCES
        return table, {"main": self.values[cell.model]}


def test_a_run_is_probed_for_heard_and_unheard_speakers() -> None:
    run = cast(Run, TwoCells({"leaky": planted(), "clean": noise()}))
    table = speaker_leakage(run)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 2 * len(PROBES)
    assert set(table["classes"][table["speakers"] == "heard"]) == {6}
    assert set(table["n"][table["speakers"] == "unheard"]) == {60}
    assert (table["score"][table["model"] == "leaky"] > 0.95).all()
    assert (table["score"][table["model"] == "clean"] < 0.7).all()
    assert table[["p", "p_corrected"]].isna().all(axis=None)
    assert set(table["split"]) == {"disjoint clips and sentences", "disjoint clips and sentences; interval over clips"}
    pd.testing.assert_frame_equal(table, speaker_leakage(run, workers=2))


def test_an_embedding_that_is_not_finite_names_its_cell() -> None:
    broken = noise()
    broken[3, 3] = np.nan
    with pytest.raises(RunError, match="leaky: the embedding 'main' is not finite"):
        speaker_leakage(cast(Run, TwoCells({"leaky": broken})))


def measured(scores: dict[str, list[list[float]]], half: float = 0.2) -> pd.DataFrame:
    """`leakage.csv` of one model: probe -> folds -> seeds -> score."""
    rows = [
        {"fold": fold, "seed": seed, "probe": probe, "score": score, "low": score - half, "high": score + half}
        for probe, folds in scores.items()
        for fold, seeds in enumerate(folds)
        for seed, score in enumerate(seeds)
    ]
    same = {"embedding": "main", "model": "m", "factor": "speaker", "role": "measured", "speakers": "heard"}
    numbers = {"chance": 0.125, "shuffled": 0.13, "n": 428, "classes": 8}
    return pd.DataFrame(rows).assign(**same, **numbers, split="disjoint clips", measure="uar")[
        [name for name in COLUMNS if name not in {"p", "p_corrected"}]
    ]


def test_the_summary_is_the_mean_over_folds_with_its_own_interval_and_marks_the_stronger_probe() -> None:
    folds = np.random.default_rng(0).normal(0.35, 0.03, (10, 1))
    seeds = folds + np.array([-0.05, 0.05])
    table = leakage_summary(measured({"linear": seeds.tolist(), "mlp": (seeds - 0.1).tolist()}), APART)
    assert tuple(table.columns) == SUMMARY
    linear, mlp = table.to_dict("records")
    assert (linear["strongest"], mlp["strongest"]) == (True, False)
    assert linear["score"] == pytest.approx(folds.mean())
    assert (linear["interval"], linear["folds"], linear["cells"], linear["n"]) == ("folds", 10, 20, 428)
    error = folds.std(ddof=1) / np.sqrt(10)
    assert linear["high"] - linear["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)  # neither of seeds nor of clips
    assert mlp["score"] == pytest.approx(linear["score"] - 0.1)
    assert np.ptp(linear["parts"]) == pytest.approx(np.ptp(folds))


def test_the_same_fold_twice_narrows_no_interval() -> None:
    once = [[score] for score in (0.30, 0.34, 0.36, 0.41, 0.33)]
    one, two = (leakage_summary(measured({"mlp": scores}), APART).iloc[0] for scores in (once, once + once))
    assert (one["folds"], two["folds"], one["units"], two["units"]) == (5, 10, 5, 5)
    assert (one["score"], one["low"], one["high"]) == pytest.approx((two["score"], two["low"], two["high"]))


def test_with_fewer_than_three_folds_that_differ_the_interval_is_of_one_training() -> None:
    for scores in ([[0.3], [0.5]], [[0.3], [0.5], [0.3], [0.5]]):
        found = leakage_summary(measured({"mlp": scores}), APART).iloc[0]
        assert (found["interval"], found["strongest"]) == ("training", True)
        assert (found["score"], found["low"], found["high"]) == pytest.approx((0.4, 0.2, 0.6))
    nothing = leakage_summary(pd.DataFrame(columns=list(COLUMNS)), {})
    assert tuple(nothing.columns) == SUMMARY
    assert nothing.empty


def test_folds_that_train_on_the_same_people_are_one_unit_and_the_interval_is_that_of_the_pairs() -> None:
    """Twin folds are alike, not equal: their probes read one network, stopped at two epochs."""
    random = np.random.default_rng(0)
    pairs = random.normal(0.4, 0.05, 10)
    folds = np.repeat(pairs, 2) + np.tile([0.01, -0.01], 10)
    table = measured({"mlp": [[score] for score in folds]})
    apart, twins = (leakage_summary(table, units).iloc[0] for units in (APART, TWINS))
    assert (apart["units"], twins["units"], apart["folds"], twins["folds"]) == (20, 10, 20, 20)
    assert apart["score"] == pytest.approx(twins["score"]) == pytest.approx(pairs.mean())
    error = pairs.std(ddof=1) / np.sqrt(10)
    assert twins["high"] - twins["low"] == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert twins["high"] - twins["low"] > 1.25 * (apart["high"] - apart["low"])


def test_units_are_those_of_people_and_of_equal_scores_together() -> None:
    scores = pd.DataFrame({"seed": [0.1, 0.2, 0.3, 0.3, 0.4, 0.5]}, index=[0, 1, 2, 3, 4, 5])
    assert module.fold_units(scores, APART).tolist() == [0, 1, 2, 2, 3, 4]
    assert len(set(module.fold_units(scores, TWINS).tolist())) == 3
    chained = module.fold_units(scores, {0: 0, 1: 1, 2: 1, 3: 3, 4: 3, 5: 5}).tolist()  # 1-2 and 3-4, joined by 2-3
    assert chained[1] == chained[2] == chained[3] == chained[4]
    assert len(set(chained)) == 3
