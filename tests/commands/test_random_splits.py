"""A run of random splits from training to prediction: speakers who are tested in several splits count once."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

import mien
from mien.data.protocols import PARTS
from mien.runs.run import Run

CLAIMS = (
    "claims={better: {says: MEnAN is better, kind: above, factor: emotion, measure: macro_f1, models: MEnAN, minus: "
    "emotion_only}, chance: {says: it is seen, kind: above, factor: emotion, measure: micro_f1, models: MEnAN, minus: "
    "chance}}"
)
PROTOCOL = "protocol={name: random_splits, splits: 3, shares: {train: 0.4, validation: 0.2, test: 0.4}, seed: 0}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_corpus):
    """Seven speakers, prepared: three train, one validates, three are tested in each split."""
    folder = tmp_path_factory.mktemp("seven")
    mien.prepare("table", make_corpus(folder / "root", 7, seed=4), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def sampled(corpus, experiment, tmp_path_factory):
    out = tmp_path_factory.mktemp("sampled") / "run"
    mien.train(experiment, [f"data.prepared={corpus}", "training.epochs=8", PROTOCOL, CLAIMS], out=out)
    return Run.open(out)


def counts(run):
    return pd.Series([who for fold in run.splits for who in fold["test"]["speakers"]]).value_counts()


def test_a_run_of_random_splits_counts_each_clip_once(sampled):
    tested = counts(sampled)
    assert tested.sum() == 9
    assert tested.max() > 1, "a speaker is tested in several splits"
    assert sampled.folds == 3
    assert sampled.experiment.protocol.splits == 3
    rows = sampled.predictions.query("split == 'test' and truth == truth")
    assert rows.groupby(["model", "clip"]).size().max() > 1
    for model, own in rows.groupby("model"):
        found = sampled.metrics["models"][model]["test"]
        right = (own["truth"] == own["predicted"]).groupby(own["clip"]).mean()
        assert found["wa"] == pytest.approx(right.mean())
        truth = own.drop_duplicates("clip").set_index("clip")["truth"]
        assert found["uar"] == pytest.approx(right.groupby(truth).mean().mean())
        assert (found["clips"], found["speakers"], found["folds"]) == (len(right), len(tested), 3)
        assert found["wa_chance"] == pytest.approx(truth.value_counts(normalize=True).max())
        assert np.sum(sampled.metrics["confusion"][model]["test"]) == pytest.approx(len(right))
        people = sampled.speakers.query("model == @model and split == 'test'")
        assert set(people["clips"]) == {9.0}
    leaking = [one for one in sampled.certificate["findings"] if one["severity"] == "leak"]
    assert leaking == []


def test_the_page_says_who_is_tested_and_claims_no_more(sampled):
    page = " ".join((sampled.folder / "report.html").read_text().split())
    tested = counts(sampled)
    words = f"{len(tested)} of 7 speakers are tested in at least one of 3 splits"
    assert page.count(words) == 2, "in the facts and in the notes"
    assert f"{words}, {(tested > 1).sum()} of them in several. A clip counts once in every score" in page
    assert (
        "Random splits by speaker, each sampled anew: 3 folds; speakers in a fold: 3 training, 1 validation, 3 test"
        in page
    )
    assert "The split is clean: in each of the 3 folds no speaker is in two splits" in page
    calibrated = sampled.metrics["calibration"]["models"]
    assert all(one["speakers"] == len(tested) and one["clips"] == 9 * len(tested) for one in calibrated)


def score_of_splits(run, model, average):
    rows = run.predictions.query("split == 'test' and truth == truth and model == @model")
    return np.array([f1_score(part["truth"], part["predicted"], average=average) for _, part in rows.groupby("fold")])


def test_the_papers_test_stands_beside_ours_with_what_it_leaves_out(sampled):
    rows = sampled.metrics["over_splits"]
    assert [(row["model"], row["other"], row["measure"]) for row in rows] == [
        ("emotion_only", "MEnAN", "macro_f1"), ("emotion_only", "MEnAN", "micro_f1")
    ]  # fmt: skip
    for row, average in zip(rows, ("macro", "micro"), strict=True):
        first, second = (score_of_splits(sampled, model, average) for model in (row["model"], row["other"]))
        oracle = stats.ttest_rel(first, second, alternative="greater")
        assert row["splits"] == 3
        assert row["mean"] == pytest.approx((first - second).mean())
        assert (row["t"], row["p_t"]) == pytest.approx((oracle.statistic, oracle.pvalue))
        assert row["variance"] == pytest.approx(1 + 3 * 3 / 3), "three splits, as many tested as training clips"
        limits = stats.ttest_rel(first, second).confidence_interval(0.95)
        assert row["wider"] == pytest.approx((row["high"] - row["low"]) / (limits.high - limits.low))
        assert abs(row["p_t"] - 0.5) > abs(row["p_corrected"] - 0.5)
    page = " ".join((sampled.folder / "report.html").read_text().split())
    assert "The paired t-test over splits" in page
    assert "and they are not: the splits share training and test speakers." in page
    widths = sorted(row["wider"] for row in rows)
    assert f"intervals over speakers are {widths[0]:.1f} to {widths[1]:.1f} times as wide as its own" in page
    assert "multiplies its variance by 4.0." in page
    better, chance = sampled.claims["claims"]
    (contrast,) = better["contrasts"]
    tested = contrast["over_splits"]
    assert tested["mean"] == pytest.approx(-rows[0]["mean"])
    assert tested["p_t"] == pytest.approx(1 - rows[0]["p_t"])
    assert "over_splits" not in chance["contrasts"][0], "a claim about one model has no pairs"
    assert "paired t over 3 splits: " in page


def test_splits_that_test_a_speaker_in_common_give_no_interval_over_folds(sampled):
    assert len(set(sampled.units.values())) < 3
    unseen = sampled.leakage_summary.query("speakers == 'unseen'")
    assert len(unseen)
    assert set(unseen["interval"]) == {"training"}


def test_the_split_audit_finds_no_leak_between_splits(sampled):
    found = mien.audit_split(sampled.folder / "splits.json")
    assert found.exit_code in (None, 0)
    assert not [one for one in found.data["findings"] if one["severity"] == "leak"]
    together = json.loads((sampled.folder / "splits.json").read_text())["folds"]
    parts = [{part: set(fold[part]["speakers"]) for part in PARTS} for fold in together]
    assert any(one["train"] & other["test"] for one in parts for other in parts), (
        "who trains in one is tested in another"
    )


@pytest.mark.slow
def test_runs_of_other_random_splits_are_compared_on_clips_that_both_test(sampled, corpus, experiment, tmp_path):
    own = PROTOCOL.replace("splits: 3", "splits: 2").replace("seed: 0", "seed: 3")
    given = [f"data.prepared={corpus}", "training.epochs=1", "models.MEnAN=null"]
    mien.train(experiment, [*given, own], out=tmp_path / "other")
    other = Run.open(tmp_path / "other")
    both = [set(run.predictions.query("split == 'test' and truth == truth")["clip"]) for run in (sampled, other)]
    found = mien.compare(sampled.folder / "models" / "emotion_only", other.folder)
    (row,) = [pair for pair in found.data["pairs"] if pair["measure"] == "wa"]
    assert row["number"] == len(both[0] & both[1]) / 9 < 7
    text = " ".join(found.text.split())
    assert f"Compared on the {len(both[0] & both[1])} clips that all systems test" in text
    assert "their folds differ" in text
    assert row["p_t"] is None, "splits that differ are no pairs"
    (row,) = [pair for pair in mien.compare(sampled.folder).data["pairs"] if pair["measure"] == "f1"]
    tested = sampled.metrics["over_splits"][0]
    assert (row["splits"], row["mean"]) == (3, pytest.approx(tested["mean"]))
    assert (row["p_t"], row["p_corrected"]) == pytest.approx((tested["p_t"], tested["p_corrected"]))
    assert "they are not: the splits share" in " ".join(mien.compare(sampled.folder).text.split())


@pytest.mark.slow
def test_a_model_of_random_splits_is_audited_evaluated_exported_and_predicts(sampled, other, make_tone, tmp_path):
    assert not mien.leakage(sampled.folder).problems
    assert not mien.report(sampled.folder).problems
    evaluated = mien.evaluate(sampled.folder, on=other).data["models"]["MEnAN"]
    assert (evaluated["folds"], evaluated["clips"]) == (3, 27)
    mien.export(sampled.folder / "models" / "MEnAN", out=tmp_path / "small")
    card = " ".join((tmp_path / "small" / "README.md").read_text().split())
    assert "A clip that several random splits test counts once, in equal shares for its splits." in card
    make_tone(tmp_path / "talk.wav", 200.0, 1.0, 7, 5.0)
    rows = mien.predict(tmp_path / "talk.wav", model=tmp_path / "small").data["rows"]
    assert rows[0]["emotion"]
