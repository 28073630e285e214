"""Groups of speakers: UAR equals audmetric's, a simulated gap is found, and no gap between equal groups."""

from math import isnan

import audmetric
import numpy as np
import pandas as pd
import pytest

from mien.audit.recognition import groups

CLASSES = ("anger", "neutral", "sadness")
SPEAKERS = tuple(f"s{number}" for number in range(12))
GENDER = {who: ("female", "male")[number % 2] for number, who in enumerate(SPEAKERS)}


def predictions(known: dict[str, float], *, clips: int = 45, seed: int = 0) -> pd.DataFrame:
    """Predictions of one model, right on a share of clips that depends on the group; the rest are guessed."""
    random = np.random.default_rng(seed)
    rows = []
    for who in SPEAKERS:
        for number in range(clips):
            truth, other = random.choice(CLASSES), random.choice(CLASSES)
            guess = truth if random.random() < known[GENDER[who]] else other
            rows.append((f"{who}-{number}", who, "m", 0, 0, "test", truth, guess))
    columns = ["clip", "speaker", "model", "fold", "seed", "split", "truth", "predicted"]
    return pd.DataFrame(rows, columns=columns)


def test_each_group_is_scored_as_audmetric_scores_it() -> None:
    rows = predictions({"female": 0.8, "male": 0.4})
    table = groups.by_group(rows, CLASSES, GENDER).set_index("group")
    gap = groups.gaps(rows, CLASSES, GENDER).iloc[0]
    score = {}
    for name in ("female", "male"):
        part = rows[rows["speaker"].map(GENDER) == name]
        score[name] = audmetric.unweighted_average_recall(part["truth"], part["predicted"])
        assert table.loc[name, "uar"] == pytest.approx(score[name], abs=1e-12)
        assert table.loc[name, "wa"] == pytest.approx(audmetric.accuracy(part["truth"], part["predicted"]), abs=1e-12)
        assert table.loc[name, "low"] < table.loc[name, "uar"] < table.loc[name, "high"]
        assert table.loc[name, "speakers"] == 6
    assert gap["gap"] == pytest.approx(score["female"] - score["male"], abs=1e-12)
    assert (gap["group"], gap["other"], gap["speakers"]) == ("female", "male", 6)


def test_a_simulated_gap_is_found_and_no_other() -> None:
    found = groups.gaps(predictions({"female": 0.8, "male": 0.3}), CLASSES, GENDER).iloc[0]
    assert found["separable"]
    assert 0 < found["low"] < found["gap"] < found["high"]
    alike = [groups.gaps(predictions({"female": 0.5, "male": 0.5}, seed=seed), CLASSES, GENDER) for seed in range(20)]
    assert sum(bool(one["separable"].iloc[0]) for one in alike) <= 2
    assert sum(bool(one["low"].iloc[0] <= 0 <= one["high"].iloc[0]) for one in alike) >= 18


def test_the_bias_is_audmetrics_and_zero_for_equal_groups() -> None:
    rows = predictions({"female": 0.8, "male": 0.3})
    women = rows[rows["speaker"].map(GENDER) == "female"]
    twins = women.assign(speaker=women["speaker"] + "'", clip=women["clip"] + "'")
    both = GENDER | dict.fromkeys(twins["speaker"], "male")
    assert groups.bias(pd.concat([women, twins]), CLASSES, both)["m"] == 0.0
    recalls = [
        audmetric.recall_per_class(part["truth"], part["predicted"], list(CLASSES))
        for _, part in rows.groupby(rows["speaker"].map(GENDER))
    ]
    apart = [abs(recalls[0][name] - recalls[1][name]) / 2 for name in CLASSES]
    assert groups.bias(rows, CLASSES, GENDER)["m"] == pytest.approx(np.mean(apart), abs=1e-12)


def test_a_class_that_only_one_group_has_causes_no_gap() -> None:
    """Anger and neutral are always right for both groups; sadness, which only women have, is always wrong."""
    rows = predictions({"female": 1.0, "male": 1.0})
    sad, women = rows["truth"] == "sadness", rows["speaker"].map(GENDER) == "female"
    rows.loc[sad, "predicted"] = "anger"
    rows = rows[women | ~sad]
    found = groups.gaps(rows, CLASSES, GENDER).iloc[0]
    assert (found["gap"], found["low"], found["high"]) == (0.0, 0.0, 0.0)
    assert groups.by_group(rows, CLASSES, GENDER)["uar"].tolist() == [pytest.approx(2 / 3), 1.0]


def test_only_columns_that_group_speakers_are_factors() -> None:
    table = pd.DataFrame(
        {
            "clip": range(24),
            "speaker": np.repeat(SPEAKERS, 2),
            "sentence": ["a", "b"] * 12,
            "take": ["a"] * 24,
            "accent": np.repeat(["north"] * 5 + ["south"] * 6 + ["east"], 2),
            "age": np.repeat(np.arange(20.0, 44.0, 2.0), 2),
            "gender": [GENDER[who] for who in np.repeat(SPEAKERS, 2)],
            "loudness": ["loud", "soft"] * 12,
        }
    )
    table.loc[table["speaker"] == "s1", "gender"] = None
    found = groups.factors(table)
    assert list(found) == ["gender", "age", "accent"]
    assert "s1" not in found["gender"]
    assert found["age"]["s5"] == "31 or less"
    assert found["age"]["s6"] == "over 31"
    assert set(found["accent"].values()) == {"north", "south"}, "one speaker is no group"
    assert groups.factors(table[["clip", "speaker", "sentence"]]) == {}


def test_with_few_speakers_nothing_is_separable() -> None:
    assert groups.enough(4, 4)
    assert groups.enough(2, 8)
    assert not groups.enough(3, 3)
    assert not groups.enough(1, 100)
    rows = predictions({"female": 1.0, "male": 0.0})
    few = rows[rows["speaker"].isin(SPEAKERS[:4])]
    assert not groups.gaps(few, CLASSES, GENDER)["separable"].iloc[0]
    alone = rows[rows["speaker"].isin(["s0", "s1"])]
    assert isnan(groups.by_group(alone, CLASSES, GENDER)["low"].iloc[0])
    assert groups.gaps(rows, CLASSES, {}).empty
