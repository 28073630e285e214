"""`evaluate` maps another corpus to the run's classes, lists what it cannot map, and scores folds apart."""

import json
import re
import shutil
import wave

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

import mien
from mien.audit.recognition import constant
from mien.audit.recognition.folds import by_fold, fold_scores
from mien.errors import CorpusError, LeakError
from mien.runs.coverage import outdated
from mien.runs.run import Run
from sealing import reseal


@pytest.fixture(scope="module")
def other(tmp_path_factory, make_corpus):
    """Another corpus, whose angry clips are also disgusted: several emotions at once."""
    folder = tmp_path_factory.mktemp("other")
    mien.prepare("table", make_corpus(folder / "root", 2, seed=77, extra="disgust"), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def evaluated(run, other):
    mien.evaluate(run, on=other)
    folder = run / "evaluations" / "table"
    return json.loads((folder / "metrics.json").read_text()), pd.read_csv(folder / "predictions.csv")


def test_shared_classes_and_what_is_left_out_are_listed(evaluated):
    metrics, predictions = evaluated
    assert metrics["classes"] == ["anger", "neutral", "sadness"]
    assert metrics["classes_not_in_the_corpus"] == ["happiness"]
    assert metrics["values_not_in_the_run"] == {"boredom": 2, "disgust": 8, "no emotion known": 2}
    assert set(predictions["predicted"]) <= {"anger", "neutral", "sadness"}
    np.testing.assert_allclose(predictions[metrics["classes"]].sum(axis=1), 1, atol=1e-5)


def test_scores_are_the_mean_least_and_greatest_of_the_folds(evaluated):
    metrics, predictions = evaluated
    for model, rows in predictions.groupby("model"):
        folds = [recall_score(part["emotion"], part["predicted"], average="macro") for _, part in rows.groupby("fold")]
        found = metrics["models"][model]["uar"]
        assert len(folds) == metrics["models"][model]["folds"] == 4
        assert found["mean"] == pytest.approx(np.mean(folds))
        assert (found["min"], found["max"]) == pytest.approx((min(folds), max(folds)))
        assert found["chance"] == pytest.approx(1 / 3)
        assert found["low"] <= found["mean"] <= found["high"]


def test_what_is_predicted_is_counted_and_each_training_has_its_row(run, evaluated):
    metrics, predictions = evaluated
    for model, rows in predictions.groupby("model"):
        shares = metrics["models"][model]["predicted"]
        assert shares == pytest.approx({name: (rows["predicted"] == name).mean() for name in metrics["classes"]})
    one = predictions[(predictions["model"] == "MEnAN") & (predictions["fold"] == 0)]["emotion"]
    assert metrics["share"] == pytest.approx(one.value_counts(normalize=True).to_dict())
    folds = pd.read_csv(run / "evaluations" / "table" / "folds.csv")
    assert len(folds) == 2 * 4 * 2
    found = folds[(folds["model"] == "MEnAN") & (folds["measure"] == "wa")]["score"]
    assert metrics["models"]["MEnAN"]["wa"]["mean"] == pytest.approx(found.mean())


def test_a_fold_of_several_seeds_counts_by_their_mean():
    rows = [
        {"clip": f"{clip}", "speaker": f"s{clip}", "model": "m", "fold": fold, "seed": seed, "split": "evaluation"}
        | {"truth": "anger", "predicted": "anger" if clip < right else "sadness"}
        for (fold, seed), right in {(0, 0): 2, (0, 1): 6, (1, 0): 9, (1, 1): 9}.items()
        for clip in range(10)
    ]
    scores = fold_scores(by_fold(pd.DataFrame(rows), ("anger", "sadness")))["evaluation"]["m", "wa"]
    assert (scores.mean(), scores.min(), scores.max()) == pytest.approx((0.65, 0.4, 0.9))


def test_report_and_text_show_the_evaluation_beside_the_papers(run, other, evaluated):
    opened = Run.open(run)
    published = {"MEnAN": {"CMU-MOSEI": {"accuracy mean": 33.24, "accuracy min": 28.84, "accuracy max": 39.85}}}
    Run.start(run, opened.experiment.model_copy(update={"reference": published}))
    before = (run / "report.html").read_text()
    text = mien.evaluate(run, on=other).text
    Run.start(run, opened.experiment).files.seal()
    assert "none on CMU-MOSEI: mean WA 0.332, min WA 0.288, max WA 0.399" in text
    page = (run / "report.html").read_text()
    assert page != before
    assert '<section id="evaluations">' in page
    assert "paper 33.2" in page
    assert "Not scored: boredom (2), disgust (8), no emotion known (2)." in page


def test_missing_fold_models_and_outdated_evaluations_are_reported(run, other, evaluated):
    opened = Run.open(run)
    title = "the models were evaluated on different folds or seeds, so their mean, min and max cannot be compared"
    assert evaluated[0]["planned"] == {"folds": 4, "cells": 4}
    assert {found["cells"] for found in evaluated[0]["models"].values()} == {4}
    whole = mien.evaluate(run, on=other)
    assert title not in whole.text
    assert not outdated(Run.open(run))
    cell = opened.cell("MEnAN", 3, 0).folder
    cell.rename(away := cell.with_name("away"))
    reseal(run)
    try:
        assert outdated(Run.open(run)) == [
            "evaluation table: of an earlier state of the run; run 'mien evaluate' on that corpus again"
        ]
        assert outdated(Run.open(run))[0] in mien.report(run).text
        assert "Of an earlier state of the run, which has changed since; run " in (run / "report.html").read_text()
        part = mien.evaluate(run, on=other)
        assert title in part.text
        assert "not all fold models (fold and seed) were evaluated: emotion_only 4 of 4, MEnAN 3 of 4\n" in part.text
        assert part.data["models"]["MEnAN"]["cells"] == 3
        assert '<td class="n">3 of 4</td>' in (run / "report.html").read_text()
        assert not outdated(Run.open(run))
    finally:
        away.rename(cell)
        reseal(run)
    assert len(outdated(Run.open(run))) == 1, "the run went on"
    assert mien.evaluate(run, on=other).text == whole.text


def test_one_speaker_has_scores_without_an_interval(run, tmp_path, make_corpus):
    mien.prepare("table", make_corpus(tmp_path / "root", 1, seed=55), out=tmp_path / "prepared")
    found = mien.evaluate(run, on=tmp_path / "prepared")
    assert found.data["models"]["MEnAN"]["uar"]["low"] is None
    assert "; no interval; chance" in found.text
    shutil.rmtree(run / "evaluations" / found.data["evaluation"])


@pytest.mark.usefixtures("unmeasured")
def test_a_run_that_tests_one_speaker_has_scores_without_an_interval(prepared, experiment, tmp_path):
    given = [f"data.prepared={prepared}", "training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]"]
    found = mien.train(experiment, given, out=tmp_path / "run")
    assert "(no interval, chance 0." in found.text


def test_a_corpus_that_the_run_was_trained_on_is_refused(run, prepared):
    with pytest.raises(LeakError, match="files of this run's own corpus"):
        mien.evaluate(run, on=prepared)


def test_a_corpus_without_shared_classes_is_refused_with_what_both_have(run, tmp_path, make_corpus):
    root = make_corpus(tmp_path / "root", 2, seed=99)
    table = pd.read_csv(root / "corpus.csv")
    table["emotion"] = "boredom"
    table.to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=tmp_path / "prepared")
    with pytest.raises(CorpusError, match="it has emotion: boredom; the run"):
        mien.evaluate(run, on=tmp_path / "prepared")


def test_another_corpus_of_the_same_name_does_not_overwrite_the_first(run, other, evaluated, tmp_path, make_corpus):
    mien.prepare("table", make_corpus(tmp_path / "root", 2, seed=123), out=tmp_path / "prepared")
    mien.evaluate(run, on=tmp_path / "prepared")
    folders = sorted(path.name for path in (run / "evaluations").iterdir())
    assert len(folders) == 2
    assert folders[0] == "table"
    assert folders[1].startswith("table-")
    assert json.loads((run / "evaluations" / "table" / "metrics.json").read_text()) == evaluated[0]
    mien.evaluate(run, on=other)
    assert len(list((run / "evaluations").iterdir())) == 2
    assert Run.open(run).metrics["models"]


@pytest.mark.parametrize(
    ("gain", "cause"),
    [
        (0.02, "the likely cause is the level: its sound is {} dB quieter than that of training; bring the recordings"),
        (1.0, "its features are like those of training (0.{} standard deviations from their mean, on average over"),
    ],
)
def test_answers_of_one_class_are_said_with_the_likely_cause(run, other, tmp_path, monkeypatch, gain, cause):
    shutil.copytree(other.parent / "root", tmp_path / "root")
    for file in (tmp_path / "root").glob("*.wav"):
        with wave.open(str(file)) as opened:
            form, sound = opened.getparams(), np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
        with wave.open(str(file), "wb") as opened:
            opened.setparams(form)
            opened.writeframes((sound * gain).astype("<i2").tobytes())
    mien.prepare("table", tmp_path / "root", out=tmp_path / "prepared")
    shutil.copytree(run, tmp_path / "run")
    found = mien.evaluate(tmp_path / "run", on=tmp_path / "prepared")
    single = [name for name, one in found.data["models"].items() if max(one["predicted"].values()) >= 0.99]
    assert [note.split(": ")[0] for note in found.data["notes"] if "of the answers" in note] == single
    monkeypatch.setattr(constant, "ALL", 0.0)
    found = mien.evaluate(tmp_path / "run", on=tmp_path / "prepared")
    notes = [note for note in found.data["notes"] if "of the answers" in note]
    assert [note.split(": ")[0] for note in notes] == list(found.data["models"])
    for note, (name, one) in zip(notes, found.data["models"].items(), strict=True):
        best = max(one["predicted"], key=one["predicted"].get)
        assert note.startswith(
            f"{name}: {one['predicted'][best]:.0%} of the answers are '{best}', so its scores do not measure "
        )
        assert note in found.text
        assert re.search(re.escape(cause).replace(r"\{\}", r"\d+"), note), note
    if gain < 1:
        decibels = float(re.search(r"(\d+) dB", notes[0])[1])
        assert decibels == pytest.approx(-20 * np.log10(gain), abs=4)  # 16 bit and the floor of silence take some
