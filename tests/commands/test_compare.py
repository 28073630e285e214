"""`mien compare` from the command line: tables on disk, one JSON object, refusals."""

import json
from pathlib import Path

import pandas as pd

from mien.cli.main import main


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
    assert list(tmp_path.iterdir()) == []


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
