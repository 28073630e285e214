"""A leaky split stops a training before anything is written; what is accepted marks the run and its texts."""

import shutil

import pandas as pd
import pytest

import mien
from mien import experiments
from mien.audit.splits.fingerprints import CONFIG, FEATURE
from mien.data.store import target
from mien.errors import ConfigError, LeakError
from mien.runs import exported
from mien.runs.run import Run

ONE = ["training.epochs=1", "models.MEnAN=null", "protocol={name: given}"]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory, make_corpus):
    """Four speakers with a given split: s0 is in train and test, and a file of s1 in train is one of s3 in test."""
    folder = tmp_path_factory.mktemp("leaky")
    root = make_corpus(folder / "root", 4, seed=50)
    table = pd.read_csv(root / "corpus.csv", dtype="str", keep_default_na=False)
    number = {"s0": "train", "s1": "train", "s2": "validation", "s3": "test"}
    table["split"] = table["speaker"].map(number)
    anger = table["file"] == "s0-anger-3.wav"
    table.loc[anger, "split"] = "test"
    table["sentence"] = table["file"]
    shutil.copy(root / "s1-neutral-0.wav", root / "s3-neutral-0.wav")
    table.to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=folder / "prepared", features=[])
    return folder / "prepared"


def test_a_leak_stops_before_anything_is_written_and_names_the_ways_out(leaky, experiment, tmp_path):
    settings = [f"data.prepared={leaky}", *ONE]
    with pytest.raises(LeakError, match=r"1 of 2 speakers of test is in train: s0.*identical-audio: 1 pair") as error:
        mien.train(experiment, settings, out=tmp_path / "run")
    assert "give seen_speakers=true and accept=[identical-audio]" in str(error.value)
    with pytest.raises(
        LeakError, match=r"identical-audio: 1 pair of identical clips in train and test: s1-neutral-0"
    ) as error:
        mien.train(experiment, [*settings, "seen_speakers=true"], out=tmp_path / "run")
    assert "shared-speaker" not in str(error.value)
    assert "accept=[identical-audio]" in str(error.value)
    statistics = "data.normalisation=speaker"
    with pytest.raises(LeakError, match=r"test-statistics: 1 model.*accept=\[identical-audio, test-statistics\]"):
        mien.train(experiment, [*settings, "seen_speakers=true", statistics], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert len(list(target(leaky, FEATURE, CONFIG).folder.glob("*"))) > 0  # decoded once, kept


def test_what_is_accepted_marks_run_and_text(leaky, prepared, experiment, tmp_path):
    accepted = ["seen_speakers=true", "accept=[identical-audio, test-statistics]", "data.normalisation=speaker"]
    done = mien.train(experiment, [f"data.prepared={leaky}", *ONE, *accepted], out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    first, *others = run.marks
    assert first == "accepted leak, seen speakers: 1 of 2 speakers of test is in train: s0 (fold 0)"
    assert [mark.split(":")[0] for mark in others] == [
        "accepted leak, identical-audio",
        "accepted leak, test-statistics",
    ]
    certificate = run.certificate
    assert certificate["accepted"] == ["identical-audio", "shared-speaker", "test-statistics"]
    assert {one["finding"] for one in certificate["findings"] if one["severity"] == "leak"} == set(
        certificate["accepted"]
    )
    assert set(certificate["not_examined"]) == {"shared-recording", "speaker-conflict"}
    assert done.text.startswith("\n".join(run.marks))
    assert done.data["marks"] == run.marks
    assert run.metrics["marks"] == run.marks
    other = mien.evaluate(tmp_path / "run", on=prepared)
    assert other.text.startswith(first)
    answer = (run.folder / "report.html").read_text().split('<div class="answer">')[1].split("</div>")[0]
    assert "On test speakers (1 of 2 seen in training) " in answer
    without = run.metrics["without_copies"]
    assert (without["split"], without["clips"], without["copies_in"]) == ("test", 1, ["train"])
    tested = run.predictions[lambda rows: rows["split"] == "test"]
    for model, scores in without["models"].items():
        rows = tested[(tested["model"] == model) & (tested["clip"] != "s3-neutral-0")]
        assert scores["wa"] == pytest.approx((rows["predicted"] == rows["truth"]).mean())
        assert scores["clips"] == run.metrics["models"][model]["test"]["clips"] - 1
    assert done.text.count("without the 1 test clip that has a copy in training: ") == len(without["models"])


@pytest.mark.usefixtures("unmeasured")
def test_the_mark_goes_with_an_exported_model(leaky, experiment, tmp_path):
    accepted = ["seen_speakers=true", "accept=[identical-audio]"]
    mien.train(experiment, [f"data.prepared={leaky}", *ONE, *accepted], out=tmp_path / "run")
    run, out = Run.open(tmp_path / "run"), tmp_path / "exported"
    done = mien.export(run.folder, out=out)
    assert "test speakers, 1 of 2 seen in training: UAR" in done.text
    assert all(mark in done.text for mark in run.marks)
    assert list(exported.describe(out).marks) == run.marks
    card = (out / exported.CARD).read_text()
    assert card.index(run.marks[0]) < card.index("## Training data")
    assert "## Scores on test speakers, 1 of 2 of them seen in training" in card
    assert "unseen speakers\n" not in card
    sound = leaky.parent / "root" / "s0-anger-0.wav"
    for model in (out, run.folder):
        predicted = mien.predict([sound], model=model)
        without_clips = "; ".join(": ".join(mark.split(": ")[:2]) for mark in run.marks)
        assert "identical-audio: " in without_clips
        assert "seen speakers: " in without_clips
        assert predicted.data["about"][-1].endswith(without_clips)
        assert " ".join(predicted.text.split()).endswith(without_clips)


def test_a_clean_run_has_no_mark(run):
    opened = Run.open(run)
    assert opened.marks == []
    assert opened.certificate["accepted"] == []
    assert set(opened.certificate["not_examined"]) == {"shared-recording", "speaker-conflict"}
    assert not [one for one in opened.certificate["findings"] if one["severity"] == "leak"]
    assert "without_copies" not in opened.metrics
    assert "Without copies" not in (opened.folder / "report.html").read_text()


def test_one_finding_is_accepted_without_brackets(prepared, experiment):
    for accept in ("same-sentence", "[same-sentence]"):
        settings = experiments.load(experiment, [f"data.prepared={prepared}", f"accept={accept}"])
        assert settings.accepted == {"same-sentence"}
    settings = experiments.load(experiment, [f"data.prepared={prepared}", "accept=shared-speaker"])
    assert (
        settings.accepted == experiments.load(experiment, [f"data.prepared={prepared}", "seen_speakers=true"]).accepted
    )


def test_an_unknown_finding_is_refused_with_the_nearest(prepared, experiment, tmp_path):
    with pytest.raises(ConfigError, match=r"accept: unknown finding 'same-sentense'. Did you mean 'same-sentence'\?"):
        mien.train(experiment, [f"data.prepared={prepared}", "accept=[same-sentense]"], out=tmp_path / "run")
