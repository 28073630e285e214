"""The area under the ROC curve of each class in the files and on the page of a run, and which are in the mean."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import mien
from mien.errors import ConfigError
from mien.experiments import load
from mien.runs.run import Run


def test_areas_are_in_the_files_and_on_the_page(run):
    opened = Run.open(run)
    written = json.loads((run / "metrics.json").read_text())["auc"]["MEnAN"]
    rows = opened.predictions
    for split in ("validation", "test"):
        own = rows[(rows["model"] == "MEnAN") & (rows["split"] == split) & rows["truth"].notna()]
        kept = ["anger", "neutral", "sadness"]
        each = {name: roc_auc_score(own["truth"] == name, own[name]) for name in kept}
        assert {name: written[split]["classes"][name]["auc"] for name in kept} == pytest.approx(each)
        assert written[split]["auc"] == pytest.approx(np.mean(list(each.values())))
        assert (written[split]["kept"], written[split]["classes"]["happiness"]["auc"]) == (kept, None)
    page = (run / "report.html").read_text()
    assert "<h3>AUC of each class</h3>" in page
    assert f"{written['test']['auc']:.3f}" in page
    assert "happiness (not in the mean)" in page


def test_classes_of_the_mean_may_be_named_or_counted_and_change_where_a_run_goes_on(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    experiment = Run.open(tmp_path / "run").experiment
    for keep, kept in ((("anger", "sadness"), ["anger", "sadness"]), (12, ["anger", "neutral"])):
        changed = experiment.model_copy(update={"auc_classes": keep})
        Run(tmp_path / "run", changed, writes=True).refuse_other()
        Run.start(tmp_path / "run", changed).files.seal()
        (tmp_path / "run" / "metrics.json").unlink()
        mien.report(tmp_path / "run")
        written = json.loads((tmp_path / "run" / "metrics.json").read_text())["auc"]["MEnAN"]["test"]
        assert written["kept"] == kept
        assert written["auc"] == pytest.approx(np.mean([written["classes"][name]["auc"] for name in kept]))
        said = "of 12 clips or more" if keep == 12 else "anger and sadness"
        assert f"In the mean: classes {said}." in (tmp_path / "run" / "report.html").read_text()


def test_a_name_that_is_no_class_is_refused_before_training(experiment, prepared, tmp_path):
    settings = [f"data.prepared={prepared}", "auc_classes=[anger, sadnes]"]
    with pytest.raises(ConfigError, match=r"auc_classes: unknown class 'sadnes'\. Did you mean 'sadness'"):
        mien.train(experiment, settings, out=tmp_path / "run")
    assert not (tmp_path / "run" / "models").exists()
    assert load(experiment).auc_classes is None
