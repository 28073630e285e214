"""`mien compare` from the command line: tables on disk, one JSON object, refusals."""

import html
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import mien
from learners import write
from mien.audit.comparison.learning_curves import COLUMNS
from mien.cli.main import main
from mien.runs.run import Run
from sealing import reseal


def test_the_models_of_a_run_are_compared_and_written(run: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(run), "--out", str(out), "--baseline", f"{run}/emotion_only"]) == 0
    text = capsys.readouterr().out
    assert "MEnAN" in text
    assert "Nothing can be separable in scores: 4 speakers are too few." in " ".join(text.split())
    assert sorted(path.name for path in out.iterdir()) == [
        *("comparison.csv", "comparison.html", "comparison.tex", "systems.csv")
    ]
    pairs = pd.read_csv(out / "comparison.csv")
    assert set(pairs["model"]) == {"MEnAN"}
    assert set(pairs["other"]) == {"emotion_only"}
    assert {"uar", "wa", "f1", "predictions"} <= set(pairs["measure"])
    assert not pairs["separable"].eq(True).any()


def test_json_is_one_object_and_nothing_is_written(run: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(run), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["system"] for row in printed["systems"]] == ["emotion_only", "MEnAN"]
    assert (printed["split"], printed["files"], printed["baseline"]) == ("test", [], "")
    assert printed["curves"] == []
    assert list(tmp_path.iterdir()) == []


def test_two_readings_of_a_protocol_are_compared(run: Path, prepared: Path, experiment: Path, tmp_path: Path) -> None:
    given = [f"data.prepared={prepared}", "models.MEnAN=null", "training.epochs=2", "seen_speakers=true"]
    reading = "protocol={name: group_k_fold, groups: 3, speakers: seen}"
    mien.train(experiment, [*given, "accept=[same-sentence]", reading], out=tmp_path / "seen")
    seen = Run.open(tmp_path / "seen")
    for fold in seen.splits:
        assert fold["test"]["speakers"] == fold["train"]["speakers"] == ["s0", "s1", "s2", "s3"]
    assert set(seen.predictions.query("split == 'test'").groupby("clip").size()) == {1}
    page = (tmp_path / "seen" / "report.html").read_text()
    assert "Groups of clips of every speaker, left out in turn; all speakers are seen in training: 3 folds" in page
    assert html.escape(seen.marks[0], quote=False) in page
    found = mien.compare(run / "models" / "emotion_only", seen.folder)
    (row,) = [pair for pair in found.data["pairs"] if pair["measure"] == "uar"]
    assert row["number"] == 4
    figure = f"{abs(100 * row['difference']):.1f} points of UAR"
    assert "emotion_only: testing speakers that were seen in training gives" in " ".join(found.text.split())
    assert figure in found.text.replace("\n", " ")
    assert found.data["marks"] == [f"seen: {mark}" for mark in seen.marks]


def test_what_cannot_be_compared_is_refused(run: Path, tmp_path: Path, capsys) -> None:
    for arguments, sentence in (
        ([f"{run}/models/MEnAN"], "the only system is MEnAN"),
        ([str(run), "--baseline", "MEnANN"], "Did you mean 'MEnAN'?"),
        ([str(tmp_path)], "not a run folder"),
        ([f"{run}/models/nobody"], "unknown model 'nobody'"),
    ):
        assert main(["compare", *arguments, "--out", str(tmp_path / "out")]) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_learning_curves_are_written_where_labels_are_withheld(tmp_path: Path, capsys) -> None:
    two = {0.1: 0.2, 1.0: 0.8}
    accuracy = {"CNN": two, "AAE": {0.1: 0.9, 1.0: 0.8}}
    run, out = write(tmp_path / "rana", accuracy, speakers=8, clips=12), tmp_path / "out"
    run.write_json("certificate.json", {**run.certificate, "marks": ["Speakers were seen."]})
    reseal(run.folder)
    assert main(["compare", str(run.folder), "--out", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("\N{NO-BREAK SPACE}", " ")
    shown_at = r"\.\d\d \[\.\d\d, \.\d\d\] at 10 % of the labels, nothing that can be shown at 100 %\."
    sentence = re.search(f"AAE: the unlabelled speech adds {shown_at}", shown)
    assert sentence
    table = pd.read_csv(out / "curves.csv")
    assert list(table.columns) == [*COLUMNS, "marks"]
    assert list(table["variant"]) == ["CNN-labelled-0.1", "CNN", "AAE-labelled-0.1", "AAE"]
    assert set(table["marks"]) == {"Speakers were seen."}
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert sentence[0] in page.replace("\N{NO-BREAK SPACE}", " ")
    assert page.split('<section id="curves">')[1].split("</section>")[0].count("Speakers were seen.") == 1
    assert main(["compare", str(run.folder), "--json", "--baseline", f"{run.folder}/AAE"]) == 0
    printed = json.loads(capsys.readouterr().out)
    rows = {(row["system"], row["labelled"]): row for row in printed["curves"]}
    first = table[(table["system"] == "AAE") & (table["labelled"] == 0.1)].iloc[0]
    assert rows["CNN", 0.1]["difference"] == pytest.approx(-first["difference"])
    assert rows["CNN", 0.1]["difference_low"] == pytest.approx(-first["difference_high"])
    assert rows["AAE", 0.1]["difference"] is None
