"""Li et al.'s whole path on small corpora in the true formats: IEMOCAP trains, CMU-MOSEI evaluates."""

import json

import pandas as pd
import pytest

import mien
from mien.common.cells import unquoted_table
from mien.runs.run import Run

PITCH = {"neu": 150.0, "exc": 280.0, "hap": 260.0, "ang": 330.0, "sad": 90.0, "fru": 200.0, "xxx": 120.0}
SPOKEN = {"F": "Ses0{}F_impro01_F{:03d}", "M": "Ses0{}M_script01_1_M{:03d}"}
RATED = {  # video, segment -> ratings of two raters: anger, disgust, fear, happiness, sadness, surprise
    ("-a_b", 0): ("000100", "000200"),
    ("-a_b", 1): ("001000", "000010"),
    ("-a_b", 2): ("000000", "000000"),
    ("c", 3): ("100000", "000001"),
    ("c", 4): ("001000", "001000"),
    ("c", 5): ("000110", "000100"),
}
TRUTH = {"-a_b_0": "happiness", "-a_b_1": "sadness", "-a_b_2": "neutral", "c_3": "anger", "c_5": "happiness+sadness"}
SMALL = [
    "training.epochs=1",
    "data.length.seconds=0.5",
    "data.copies={speed_120: {speed: 1.2}}",
    "protocol.folds=[0, 1]",
    "multitask",
    "gradient_reversal",
]


def iemocap(root, make_tone):
    for session in (1, 2, 3):
        for sex, name in SPOKEN.items():
            turns = {name.format(session, n): code for n, code in enumerate(PITCH)}
            dialog = name.format(session, 0)[:-5]
            listing = root / f"Session{session}/dialog/EmoEvaluation/{dialog}.txt"
            listing.parent.mkdir(parents=True, exist_ok=True)
            lines = [
                f"[{n}.0 - {n}.5]\t{turn}\t{code}\t[2.5, 2.5, 2.5]\nC-E1:\tNeutral;\t()\n"
                for n, (turn, code) in enumerate(turns.items())
            ]
            listing.write_text("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + "\n".join(lines))
            sounds = root / f"Session{session}/sentences/wav/{dialog}"
            sounds.mkdir(parents=True)
            for number, (turn, code) in enumerate(turns.items()):
                make_tone(sounds / f"{turn}.wav", PITCH[code], 0.5 + 0.2 * session, number + 100 * session + ord(sex))
    return root


def cmu_mosei(root, make_tone):
    emotions = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    rows = ["HITId,Input.VIDEO_ID,Input.CLIP," + ",".join(f"Answer.{name}" for name in emotions)]
    sounds = root / "Raw/Audio/Segmented"
    sounds.mkdir(parents=True)
    for number, ((video, segment), raters) in enumerate(RATED.items()):
        rows += [f"h,{video},{segment}," + ",".join(ratings) for ratings in raters]
        make_tone(sounds / f"{video}_{segment}.wav", 100.0 + 40 * number, 0.9, 7000 + number)
    (root / "Raw/Labels").mkdir()
    (root / "Raw/Labels/batch.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_tone):
    folder = tmp_path_factory.mktemp("li2020")
    outcome = mien.prepare("iemocap", iemocap(folder / "iemocap", make_tone), out=folder / "prepared")
    overrides = [one if "=" in one else f"models.{one}=null" for one in SMALL]
    mien.train("li2020", [f"data.prepared={folder / 'prepared'}", *overrides], out=folder / "run")
    return outcome, folder / "run"


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory, make_tone):
    folder = tmp_path_factory.mktemp("mosei")
    outcome = mien.prepare("cmu_mosei", cmu_mosei(folder / "mosei", make_tone), out=folder / "prepared")
    mien.evaluate(trained[1], on=folder / "prepared")
    place = trained[1] / "evaluations" / "cmu_mosei"
    predictions = unquoted_table(pd.read_csv(place / "predictions.csv"))
    return outcome, json.loads((place / "metrics.json").read_text()), predictions


def test_the_other_speaker_of_the_session_validates(trained):
    for fold, (tested, validates) in zip(Run.open(trained[1]).splits, (("F", "M"), ("M", "F")), strict=True):
        assert fold["test"]["speakers"] == [f"Ses01{tested}"]
        assert fold["validation"]["speakers"] == [f"Ses01{validates}"]
        assert fold["train"]["speakers"] == ["Ses02F", "Ses02M", "Ses03F", "Ses03M"]


def test_excitement_is_happiness_and_what_has_no_class_is_counted(trained):
    run = Run.open(trained[1])
    assert run.clips["label"].value_counts().to_dict() == {"happiness": 12, "anger": 6, "neutral": 6, "sadness": 6}
    assert set(run.clips["style"]) == {"improvised", "scripted"}
    assert run.certificate["left_out"] == {"frustration": 6, "no emotion known": 6}
    assert len(run.certificate["files"]) == 30
    assert set(run.experiment.models) == {"emotion_only", "MEnAN"}


def test_what_is_missing_of_the_published_counts_is_always_reported(trained, evaluated):
    turns = "note: iemocap: 30 clips of all classes under the scheme 'iemocap', the complete corpus has 5,531"
    happy = "note: iemocap: 12 clips of happiness under the scheme 'iemocap', the complete corpus has 1,636"
    segments = "note: cmu_mosei: 5 clips of all classes under the scheme 'iemocap', the complete corpus has 22,323"
    assert "missing of the complete corpus: 9997 clips of 10039" in trained[0].text
    assert "missing of the complete corpus: 23447 clips of 23453" in evaluated[0].text
    for line in (turns, happy):
        assert line in trained[0].text
        assert line in Run.open(trained[1]).certificate["notes"]
    assert turns.removeprefix("note: ")[1:] in (trained[1] / "report.html").read_text().replace("&#39;", "'")
    assert segments in evaluated[0].text
    assert evaluated[1]["notes"] == [segments]


def test_a_prediction_is_right_where_its_rating_is_positive(evaluated):
    _, metrics, predictions = evaluated
    assert metrics["classes"] == ["anger", "happiness", "neutral", "sadness"]
    assert metrics["rule"] == "a clip of several classes counts as correct when the prediction is one of them"
    assert metrics["values_not_in_the_run"] == {"fear": 2, "surprise": 1}
    for _, rows in predictions.groupby(["model", "fold"]):
        assert dict(zip(rows["clip"], rows["emotion"], strict=True)) == TRUTH
    for model, found in metrics["models"].items():
        rows = predictions[predictions["model"] == model]
        right = [
            predicted in truth.split("+") for predicted, truth in zip(rows["predicted"], rows["emotion"], strict=True)
        ]
        folds = pd.Series(right, index=rows.index).groupby(rows["fold"]).mean()
        assert found["folds"] == len(folds) == 2
        assert found["wa"]["mean"] == pytest.approx(folds.mean())
        assert (found["wa"]["min"], found["wa"]["max"]) == pytest.approx((folds.min(), folds.max()))
