"""Tables of planted answers: exact areas and drops, who is more graceful, and confidence that does not follow."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from mien.audit.robustness import conditions, counted, graceful
from mien.audit.robustness.counted import Counted
from mien.audit.robustness.gains import FACE_ALONE, gain
from mien.audit.statistics import scores
from mien.audit.statistics.calibration import expected_calibration_error
from mien.errors import RunError
from mien.experiments.conditions import NOTHING, Condition
from mien.runs.examining import Answer, Answered

CLASSES = ("anger", "neutral", "sadness")
SHARES = (0.0, 0.5, 1.0)
SERIES = [Condition("audio", "blocks", share) for share in SHARES]


def planted(model: str, right: dict[float, float], *, seed: int = 0, sure: float = 0.8, speakers: int = 8) -> Answered:
    """Answers with a share of right ones at each share that is missing, two folds and two seeds; always as sure."""
    random = np.random.default_rng(seed)
    rows = [
        {"clip": f"c{who}-{clip}", "speaker": f"s{who}", "model": model, "fold": who % 2, "seed": one, "split": "test"}
        | {"truth": CLASSES[(clip + who) % 3] if clip else None}
        for one in (0, 1)
        for who in range(speakers)
        for clip in range(31)
    ]
    table = pd.DataFrame(rows)
    answers = {}
    for condition in SERIES:
        hit = random.random(len(table)) < right[condition.level]
        truth = np.array([0 if pd.isna(name) else CLASSES.index(name) for name in table["truth"]])
        guess = np.where(hit, truth, (truth + random.integers(1, 3, len(table))) % 3)
        probabilities = np.full((len(table), 3), (1 - sure) / 2, np.float32)
        probabilities[np.arange(len(table)), guess] = sure
        answers[condition.same] = Answer(np.array(CLASSES, object)[guess], probabilities)
    return Answered(model, table, answers, (("audio", "blocks"),), {})


STEADY = planted("steady", {0.0: 0.8, 0.5: 0.78, 1.0: 0.75})
FALLING = planted("falling", {0.0: 0.8, 0.5: 0.5, 1.0: 0.33}, seed=1)


@pytest.fixture(scope="module")
def models() -> list[Counted]:
    return [Counted.of(one, CLASSES, ("audio", "video")) for one in (STEADY, FALLING)]


def test_statistics_are_those_of_the_scores_of_a_run(models: list[Counted]) -> None:
    for one, answered in zip(models, (STEADY, FALLING), strict=True):
        for condition, answer in answered.answers.items():
            rows = answered.rows.assign(predicted=answer.predicted)
            theirs = scores.confusion(rows, CLASSES)
            ours = one.table(condition)
            assert ours.speakers == theirs.speakers
            np.testing.assert_array_equal(ours.counts, theirs.counts)
            known = rows["truth"].notna().to_numpy()
            truth = rows["truth"][known].map(CLASSES.index).to_numpy()
            error = expected_calibration_error(answer.probabilities[known].astype(float), truth)
            assert one.errors[condition] == pytest.approx(error)


def test_a_clip_of_several_classes_counts_as_in_the_scores() -> None:
    rows = STEADY.rows.assign(truth="anger+sadness").iloc[:40].reset_index(drop=True)
    answer = Answer(np.array(CLASSES * 14, object)[:40], np.full((40, 3), 1 / 3, np.float32))
    ours = Counted.of(Answered("m", rows, {NOTHING: answer}, (), {}), CLASSES, ("audio",))
    theirs = scores.confusion(rows.assign(predicted=answer.predicted), CLASSES)
    np.testing.assert_allclose(ours.table(NOTHING).counts, theirs.counts)
    assert np.isnan(ours.errors[NOTHING])  # no clip has one class


def test_numbers_have_the_moments_of_the_scores() -> None:
    random = np.random.default_rng(0)
    truth = random.standard_normal(len(STEADY.rows))
    truth[:7] = np.nan
    rows, predicted = STEADY.rows.assign(truth=truth), truth + 0.3 * random.standard_normal(len(truth))
    ours = Counted.of(Answered("m", rows, {NOTHING: Answer(predicted, None)}, (), {}), (), ("audio",))
    theirs = scores.measured(rows.assign(predicted=predicted), ())["ccc"]
    np.testing.assert_allclose(ours.table(NOTHING).counts, theirs.counts, atol=1e-9)
    table = conditions.table([ours], [])
    assert table["measure"].tolist() == ["ccc", "rmse"]
    assert table["confidence"].isna().all()


def test_scores_and_changes_are_those_of_the_answers(models: list[Counted]) -> None:
    table = conditions.table(models, SERIES)
    row = table[(table["model"] == "falling") & (table["level"] == 1) & (table["measure"] == "macro_f1")].iloc[0]
    cells = FALLING.rows.assign(predicted=FALLING.answers[SERIES[2].same].predicted).dropna(subset="truth")
    assert row["score"] == pytest.approx(f1_score(cells["truth"], cells["predicted"], average="macro"))
    assert row["low"] < row["score"] < row["high"]
    assert row["difference_high"] < 0
    assert row["accuracy"] == pytest.approx((cells["truth"] == cells["predicted"]).mean())
    assert row["confidence"] == pytest.approx(0.8)
    assert row["gap_change_low"] > 0.3  # as sure as before, and far less often right
    steady = table[(table["model"] == "steady") & (table["level"] == 0)]
    assert (steady["difference"] == 0).all()
    assert len(table) == 2 * (1 + 3) * 3


def test_the_smaller_drop_is_the_graceful_one(models: list[Counted]) -> None:
    table = graceful.table(models, SERIES)
    own = table[table["other"] == ""].set_index("model")
    known = conditions.table(models, SERIES).query("measure == 'macro_f1' and pattern == 'blocks'")
    for model, rows in known.groupby("model"):
        assert own.loc[model, "area"] == pytest.approx(rows["score"].mean())
        assert own.loc[model, "drop"] == pytest.approx(rows["score"].iloc[0] - rows["score"].mean())
    (pair,) = table[table["other"] != ""].to_dict("records")
    assert pair["drop_difference"] == pytest.approx(own.loc["steady", "drop"] - own.loc["falling", "drop"])
    assert (pair["graceful"], bool(pair["separable"])) == ("yes", True)
    (turned,) = graceful.table(models[::-1], SERIES).query("other != ''").to_dict("records")
    assert turned["graceful"] == "no"
    few = [Counted.of(one, CLASSES, ("audio",)) for one in (planted("a", dict.fromkeys(SHARES, 0.8), speakers=4),)]
    few.append(Counted.of(planted("b", {0.0: 0.8, 0.5: 0.4, 1.0: 0.2}, speakers=4), CLASSES, ("audio",)))
    assert graceful.table(few, SERIES)["graceful"].tolist()[-1] == "not separable"  # four speakers separate nothing


def test_models_that_drop_alike_are_seldom_called_apart() -> None:
    verdicts = []
    for number in range(15):
        both = [planted(name, {0.0: 0.8, 0.5: 0.5, 1.0: 0.33}, seed=10 + 2 * number + (name == "b")) for name in "ab"]
        table = graceful.table([Counted.of(one, CLASSES, ("audio",)) for one in both], SERIES)
        verdicts.append(table["graceful"].tolist()[-1])
    assert verdicts.count("not separable") >= 13


def test_counts_are_read_as_they_were_written(models: list[Counted], tmp_path) -> None:
    counted.write(tmp_path, models)
    read = counted.read(tmp_path)
    assert list(read) == ["steady", "falling"]
    pd.testing.assert_frame_equal(
        conditions.table(list(read.values()), SERIES), conditions.table(models, SERIES), check_exact=True
    )
    (tmp_path / counted.FILE).write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"damaged .*; delete the folder and run the same 'mien evaluate' again"):
        counted.read(tmp_path)


def test_a_condition_that_was_not_examined_is_refused_by_name(models: list[Counted]) -> None:
    with pytest.raises(RunError, match=r"steady: 'video frames 0.5' was not examined; there are: .*audio blocks 0.5"):
        models[0].table(Condition("video", "frames", 0.5))
    heard = Counted.of(STEADY, CLASSES, ("audio",))
    assert heard.at(Condition("video", "frames", 0.5)) == NOTHING
    found = gain(models[1], models[1], NOTHING, FACE_ALONE)
    assert found.difference > 0.3
    assert found.low > 0
    assert found.p < 0.05
    assert all(first > second for first, second in zip(found.scores, found.other_scores, strict=True))
