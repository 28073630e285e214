"""`evaluate --affine` maps outputs to another corpus's own classes, beside untrained models, a teacher and a rival."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mien
from mien.audit.recognition.affine import C
from mien.cli.main import main
from mien.data.dataset import Dataset
from mien.errors import ConfigError, CorpusError, LeakError, RunError
from mien.runs.cell import Model, build
from mien.runs.coverage import outdated
from mien.runs.run import Run
from sealing import reseal

CLASSES = ["anger", "boredom", "neutral", "sadness"]


@pytest.fixture(scope="module")
def run(run, tmp_path_factory):
    """The tiny run without evaluations, which other tests may have left there."""
    folder = tmp_path_factory.mktemp("copy") / "run"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("evaluations"))
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory, make_corpus):
    """Seven other speakers, with the logits of a teacher that knows anger from the rest, but not of every clip."""
    folder = tmp_path_factory.mktemp("other")
    root = make_corpus(folder / "root", 7, seed=555)
    table = pd.read_csv(root / "corpus.csv")
    angry = (table["emotion"] == "anger").astype(float)
    table["logit_anger"], table["logit_rest"] = 3 * angry, -3 * angry
    table.loc[table["file"] == "s0-anger-0.wav", "logit_rest"] = np.nan
    table.to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def rival(other, experiment, tmp_path_factory):
    """A run that was trained on that corpus, on its own four classes."""
    out = tmp_path_factory.mktemp("rival") / "rival"
    short = ["models.MEnAN=null", "training.epochs=2", "data.scheme=null"]
    mien.train(experiment, [f"data.prepared={other}", *short], out=out)
    return out


@pytest.fixture(scope="module")
def found(run, other, rival):
    return mien.evaluate(run, on=other, affine=True, beside=rival)


def rows_of(run):
    return pd.read_csv(run / "evaluations" / "table" / "affine.csv", dtype={"fold": "Int64", "seed": "Int64"})


def systems(found, protocol="speakers"):
    return {row["system"]: row for row in found.data["protocols"][protocol]["systems"]}


def test_the_corpus_keeps_its_own_classes_and_every_clip_is_tested_once_a_protocol(run, found):
    assert found.data["classes"] == CLASSES
    assert (found.data["clips"], found.data["speakers"]) == (70, 7)
    assert found.data["left_out"] == {"no emotion known": 7}
    rows = rows_of(run)
    own = rows[rows["outputs"].isin(["trained", "untrained"])]
    assert (own.groupby(["system", "fold", "protocol"])["clip"].agg(["size", "nunique"]) == 70).all(axis=None)
    np.testing.assert_allclose(rows[CLASSES].sum(axis=1), 1, atol=1e-5)
    assert set(rows["outputs"]) == {"trained", "untrained", "teacher", "supervised"}
    assert rows[rows["outputs"] == "teacher"]["fold"].isna().all()


def test_folds_over_clips_are_marked_and_those_of_speakers_are_disjoint(run, found):
    rows = rows_of(run)
    own = rows[(rows["system"] == "MEnAN") & (rows["fold"] == 0)]
    speakers, clips = (own[own["protocol"] == name] for name in ("speakers", "clips"))
    assert len(speakers[["speaker", "part"]].drop_duplicates()) == speakers["part"].nunique() == 7
    assert len(clips[["speaker", "part"]].drop_duplicates()) > 7 * 5
    assert clips["part"].value_counts().tolist() == [7] * 10
    protocols = found.data["protocols"]
    assert [protocols[name]["speakers_seen"] for name in ("speakers", "clips")] == [False, True]
    assert "folds over clips: speakers are seen (10 folds)\n" in found.text


@pytest.mark.parametrize("kind", ["trained", "untrained"])
def test_predictions_equal_a_plain_pipeline_on_the_outputs_of_the_cell(run, other, found, kind):
    opened = Run.open(run)
    cell = opened.cell("MEnAN", 1, 0)
    model = Model.load(opened.experiment, cell, torch.device("cpu"))
    if kind == "untrained":
        new = build(opened.experiment, "MEnAN", model.targets, seed=0, class_weight={}).eval()
        model = Model(model.experiment, new, model.normalise, model.targets)
    dataset = Dataset.open(opened.experiment.data, "emotion", other)
    rows = rows_of(run)
    rows = rows[(rows["model"] == "MEnAN") & (rows["fold"] == 1) & (rows["outputs"] == kind)]
    for _, own in rows.groupby("protocol"):
        inputs = model.infer(dataset.examples(list(own["clip"]), {}), embed=False).outputs["emotion"]
        inputs, truth = inputs.astype(np.float64), own["emotion"].to_numpy()
        for part in own["part"].unique():
            test = (own["part"] == part).to_numpy()
            oracle = make_pipeline(StandardScaler(), LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8))
            oracle.fit(inputs[~test], truth[~test])
            assert oracle.classes_.tolist() == CLASSES
            np.testing.assert_allclose(own[CLASSES][test], oracle.predict_proba(inputs[test]), atol=1e-5)


def test_scores_are_accuracies_of_clips_and_their_mean_and_deviation_over_folds(run, found):
    rows = rows_of(run)
    for protocol in ("speakers", "clips"):
        for system, row in systems(found, protocol).items():
            own = rows[(rows["system"] == system) & (rows["protocol"] == protocol)]
            right = (own["predicted"] == own["emotion"]).groupby(own["clip"]).mean()
            part = own.groupby("clip")["part"].first()
            each = right.groupby(part).mean()
            assert row["wa"] == pytest.approx(right.mean())
            assert row["wa_mean"] == pytest.approx(each.mean())
            assert row["wa_std"] == pytest.approx(each.std())
            assert row["parts"] == len(each)
            assert row["wa_low"] <= row["wa"] <= row["wa_high"]
    assert found.data["chance"] == {"uar": 0.25, "wa": 0.4}


def test_training_adds_to_untrained_outputs_and_the_difference_is_paired(found):
    own = systems(found)
    rows = found.data["protocols"]["speakers"]["differences"]
    assert [(row["system"], row["other"]) for row in rows if row["measure"] == "wa"] == [
        *[(name, f"{name}, untrained") for name in ("emotion_only", "MEnAN")],
        *[(name, "teacher") for name in ("emotion_only", "MEnAN")],
        *[(name, "rival: emotion_only") for name in ("emotion_only", "MEnAN")],
    ]
    for row in rows:
        if row["other"].endswith("untrained"):
            apart = own[row["system"]][row["measure"]] - own[row["other"]][row["measure"]]
            assert row["difference"] == pytest.approx(apart)
            assert (row["speakers"], row["clips"]) == (7, 70)
            assert row["p"] <= row["p_holm"]
    assert own["MEnAN"]["wa"] > 0.6 > found.data["chance"]["wa"]


def test_a_teacher_is_scored_on_the_clips_that_have_its_logits(found):
    teacher = systems(found)["teacher"]
    assert (teacher["clips"], teacher["numbers"]) == (69, 4 * 3)
    assert found.data["teacher"] == ["logit_anger", "logit_rest"]
    counts = np.array(found.data["protocols"]["speakers"]["confusion"]["teacher"])
    assert counts[0].tolist() == [27, 0, 0, 0], "anger is known, and of the rest nothing"
    assert counts[1:, 0].sum() == 0
    assert "1 of 70 clips have no logits of the teacher" in found.data["notes"]
    pair = [row for row in found.data["protocols"]["clips"]["differences"] if row["other"] == "teacher"]
    assert {row["clips"] for row in pair} == {69}


def test_a_supervised_run_is_read_from_its_test_predictions(rival, found):
    predictions = Run.open(rival).predictions
    test = predictions[predictions["split"] == "test"]
    row = systems(found)["rival: emotion_only"]
    assert row["wa"] == pytest.approx((test["truth"] == test["predicted"]).mean())
    assert row["numbers"] is None
    assert row["parameters"] > 0
    assert "rival: emotion_only" not in systems(found, "clips"), "its folds are of whole speakers"


def test_text_has_80_columns_and_the_page_shows_the_matrices(run, found):
    assert max(len(line) for line in found.text.splitlines()[:-1]) <= 80
    page = (run / "report.html").read_text()
    section = page[page.index('<section id="affine">') :]
    section = section[: section.index("</section>")]
    assert section.count("<figure>") == 6 + 5
    assert "Folds over clips: speakers are seen" in section
    for sentence in ("MEnAN, trained minus untrained (speakers unseen): WA ", "(speakers seen): WA "):
        assert sentence in section
        assert sentence in " ".join(found.text.split())


def test_files_hold_what_is_returned_and_a_second_time_gives_the_same(run, other, rival, found):
    folder = run / "evaluations" / "table"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == ["affine.csv", "affine.json", "affine_folds.csv"]
    written = json.loads(before["affine.json"])
    assert {key: found.data[key] for key in written} == written
    mien.evaluate(run, on=other, affine=True, beside=rival)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    folds = pd.read_csv(folder / "affine_folds.csv")
    own = folds[(folds["system"] == "MEnAN") & (folds["protocol"] == "clips") & (folds["measure"] == "wa")]
    assert systems(found, "clips")["MEnAN"]["wa_mean"] == pytest.approx(own["score"].mean())


def test_an_outdated_evaluation_is_said(run, found):
    opened = Run.open(run)
    assert not outdated(opened)
    cell = opened.cell("MEnAN", 3, 0).folder
    cell.rename(away := cell.with_name("away"))
    try:
        assert outdated(opened) == [
            "affine maps table: of an earlier state of the run; run 'mien evaluate --affine' on that corpus again"
        ]
    finally:
        away.rename(cell)


def changed(other, folder, change):
    root = folder / "root"
    shutil.copytree(other.parent / "root", root)
    table = pd.read_csv(root / "corpus.csv")
    change(table)
    table.to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=folder / "prepared", features=())
    return folder / "prepared"


def test_a_corpus_of_one_speaker_or_one_class_is_refused(run, other, tmp_path):
    one = changed(
        other, tmp_path / "one", lambda table: table.update({"speaker": ["s0"] * 77, "gender": ["male"] * 77})
    )
    with pytest.raises(
        CorpusError, match="70 clips of one class and a known speaker have 1 speaker, and an affine map"
    ):
        mien.evaluate(run, on=one, affine=True)
    same = changed(other, tmp_path / "same", lambda table: table.update({"emotion": ["anger"] * 77}))
    with pytest.raises(ConfigError, match="two or more classes are needed"):
        mien.evaluate(run, on=same, affine=True)


def test_a_run_that_predicts_numbers_is_refused(run, other, tmp_path):
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("models"))
    settings = (tmp_path / "run" / "experiment.yaml").read_text()
    assert "targets: {}" in settings
    numbers = settings.replace("targets: {}", "targets: {emotion: {kind: levels, columns: valence}}")
    (tmp_path / "run" / "experiment.yaml").write_text(numbers.replace("scheme: iemocap", "scheme: null"))
    reseal(tmp_path / "run")
    with pytest.raises(
        ConfigError, match="its main target 'emotion' is levels of numbers, and an affine map goes from"
    ):
        mien.evaluate(tmp_path / "run", on=other, affine=True)


def test_a_run_beside_has_to_fit_the_corpus(run, other, rival, prepared, tmp_path):
    with pytest.raises(ConfigError, match="was trained on table as prepared elsewhere"):
        mien.evaluate(run, on=other, affine=True, beside=run)
    copy = tmp_path / "copy"
    shutil.copytree(rival, copy)
    table = pd.read_csv(copy / "predictions.csv")
    table[table["split"] == "validation"].to_csv(copy / "predictions.csv", index=False)
    reseal(copy)
    with pytest.raises(RunError, match="has no test predictions of the 70 clips"):
        mien.evaluate(run, on=other, affine=True, beside=copy)


def test_a_teacher_of_unknown_or_worded_columns_is_refused(run, other):
    with pytest.raises(ConfigError, match=r"--teacher logit_angr: unknown column .* Did you mean 'logit_anger'"):
        mien.evaluate(run, on=other, affine=True, teacher="logit_angr")
    with pytest.raises(ConfigError, match=r"--teacher gender: .* has values in this column that are no numbers"):
        mien.evaluate(run, on=other, affine=True, teacher="logit_anger,gender")


def test_what_the_run_was_trained_on_is_refused(run, prepared):
    with pytest.raises(LeakError, match="files of this run's own corpus"):
        mien.evaluate(run, on=prepared, affine=True)


def test_options_that_do_not_belong_together_are_refused(run, other):
    with pytest.raises(ConfigError, match="give --on PREPARED, and neither --missing nor settings"):
        mien.evaluate(run, affine=True)
    with pytest.raises(ConfigError, match="--missing nor settings"):
        mien.evaluate(run, on=other, affine=True, missing="default")
    with pytest.raises(ConfigError, match="evaluate --beside: is of --affine; give that too"):
        mien.evaluate(run, on=other, beside=run)


def test_command_line_prints_one_object(run, other, found, capsys):
    assert main(["evaluate", str(run), "--on", str(other), "--affine", "--teacher", "logit_anger", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["teacher"] == ["logit_anger"]
    assert printed["protocols"]["clips"]["what"] == "folds over clips: speakers are seen"
