"""Results of a run are what the audit computes, are computed anew when a source changed, and are all that is read."""

import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path

import audmetric
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from mien import reports
from mien.audit import results
from mien.audit.comparison.tradeoff import Point, frontier
from mien.audit.run_leakage.summary import summaries
from mien.commands.report import report
from mien.common.tables import numbers
from mien.errors import RunError
from mien.reports import page
from mien.runs.run import RESULT_TABLES, Run
from sealing import resealed

pytestmark = pytest.mark.usefixtures("undrawn")

PURE = {  # functions of the audit that the reports may call: they look up names or make text of them
    "mien.audit.leakage.floors": {"projected"},
    "mien.audit.comparison.split_tests": {"too_sure"},
    "mien.audit.run_leakage.targets": {"targets", "tasks"},
    "mien.audit.splits.findings": {"counted"},
}


@pytest.fixture
def copied(small: Run, tmp_path: Path) -> Run:
    """A copy of the small run, to change."""
    return Run(Path(shutil.copytree(small.folder, tmp_path / "run")), small.experiment)


def test_leakage_over_folds_is_read_as_it_was_computed(audited: Run) -> None:
    assert audited.leakage is not None
    assert audited.leakage_summary is not None
    computed = summaries(audited.leakage, audited.units, audited.leakage_by_speaker)
    pd.testing.assert_frame_equal(audited.leakage_summary, computed, check_exact=True, check_dtype=False)
    assert {len(parts) for parts in audited.leakage_summary["parts"]} == {10}


def test_scores_by_seed_class_and_speaker_are_those_of_the_predictions(audited: Run) -> None:
    found, predictions, table = audited.metrics, audited.predictions, audited.speakers
    assert table is not None
    assert len(found["seeds"]) == 4
    for model in audited.experiment.models:
        for split in ("validation", "test"):
            own = predictions[(predictions["model"] == model) & (predictions["split"] == split)]
            counts = confusion_matrix(own["truth"], own["predicted"], labels=list(audited.classes))
            assert found["confusion"][model][split] == counts.tolist()
            (seed,) = [row for row in found["seeds"] if (row["model"], row["split"]) == (model, split)]
            assert seed["uar"] == pytest.approx(audmetric.unweighted_average_recall(own["truth"], own["predicted"]))
            each = (own["truth"] == own["predicted"]).groupby(own["speaker"]).mean()
            here = table[(table["model"] == model) & (table["split"] == split)].set_index("speaker")
            assert here["wa"].to_dict() == pytest.approx(each.to_dict())
            assert set(here["clips"]) == {14.0}
        (extreme,) = [row for row in found["extremes"] if row["model"] == model]
        assert (extreme["best"]["wa"], extreme["worst"]["wa"]) == pytest.approx((each.max(), each.min()))
        assert (extreme["spread"], extreme["speakers"]) == (pytest.approx(each.std()), 10)
    assert found["scored"] == {"speakers": 10, "unknown": 0}


def test_points_of_the_plane_are_on_its_frontier(audited: Run) -> None:
    (plane,) = audited.metrics["planes"].values()
    points = [Point(**numbers(point)) for point in plane["points"]]
    assert {point.label for point in points} >= {"emotion_only", "MEnAN after LEACE"}
    assert [point.optimal for point in points] == frontier(points)
    assert any(point.optimal for point in points)


def test_the_plane_has_the_scores_of_the_test_clips(small: Run) -> None:
    (plane,) = small.metrics["planes"].values()
    test = {model: parts["test"] for model, parts in small.metrics["models"].items()}
    assert {point["label"] for point in plane["points"]} == set(test)
    for point in plane["points"]:
        own = test[point["label"]]
        assert (point["score"], point["low"], point["high"]) == pytest.approx(
            (own["uar"], own["uar_low"], own["uar_high"])
        )


def test_curves_rise_from_nothing_to_everything(small: Run) -> None:
    roc, abstention = small.roc, small.abstention
    assert roc is not None
    assert abstention is not None
    assert set(roc["folds"]) == {10}
    for _, curve in roc.groupby("model"):
        assert curve["different"].tolist() == np.linspace(0, 1, 101).tolist()
        assert (curve["same"].diff()[1:] >= 0).all()
        assert curve["same"].iloc[-1] == 1
    area = roc.groupby("model")["same"].mean()
    assert area["emotion_only"] > area["MEnAN"] + 0.05, "a speaker's direction was planted in the first alone"
    assert abstention.groupby("model")["coverage"].last().to_dict() == dict.fromkeys(small.experiment.models, 1.0)
    rows = small.metrics["calibration"]["models"]
    last = abstention.groupby("model")["accuracy"].last()
    assert {row["model"]: row["all"] for row in rows} == last.to_dict()


def test_results_are_computed_anew_when_a_source_changed(copied: Run) -> None:
    assert results.current(copied)
    before, html = (copied.folder / "metrics.json").read_bytes(), page.render(copied)
    report(copied.folder)
    assert (copied.folder / "metrics.json").read_bytes() == before
    assert (copied.folder / "report.html").read_text() == html
    rows = copied.predictions
    right = rows.assign(predicted=rows["predicted"].mask(rows["model"] == "MEnAN", rows["truth"]))
    copied.write_predictions(right)
    copied = resealed(copied)
    assert not results.current(copied)
    report(copied.folder)
    copied = Run(copied.folder, copied.experiment)
    assert copied.metrics["models"]["MEnAN"]["test"]["uar"] == 1
    assert "MEnAN reaches the highest UAR: 100.0" in (copied.folder / "report.html").read_text()
    assert results.current(copied)
    (copied.folder / "maps.csv").unlink()
    assert copied.lacking == ["maps.csv"]
    assert not results.current(copied)


def test_the_page_needs_the_results_alone(copied: Run, small: Run) -> None:
    for name in ("predictions.csv", "leakage.csv"):
        (copied.folder / name).unlink()
    for cell in copied.cells:
        (cell.folder / "embeddings.safetensors").write_bytes(b"")
    assert page.render(copied) == page.render(small)


def test_a_missing_result_is_named_with_the_command(copied: Run) -> None:
    for name in (*RESULT_TABLES, "leakage_summary.csv"):
        (copied.folder / name).unlink()
    with pytest.raises(RunError) as caught:
        page.render(copied)
    lost = copied.folder / "leakage_summary.csv"
    assert str(caught.value) == f"{lost}: missing; run 'mien report {copied.folder}', which makes it again"
    copied = resealed(copied)  # as a run that never had them
    html = page.render(copied)
    for name in ("speakers.csv", "abstention.csv", "maps.csv", "leakage_summary.csv"):
        assert html.count(f"<p>{name} is missing; 'mien report RUN' writes it.</p>") == 1
    copied.write_json("metrics.json", {"models": {}})
    copied = resealed(copied)
    with pytest.raises(RunError) as caught:
        page.render(copied)
    assert str(caught.value) == (
        f"{copied.folder}: its metrics.json was written by an older mien; run 'mien report {copied.folder}'"
    )


def test_reports_call_no_function_that_computes() -> None:
    names = [module.name for module in pkgutil.walk_packages(reports.__path__, "mien.reports.")]
    assert len(names) > 20
    called: dict[str, set[str]] = {}
    for name in names:
        for value in vars(importlib.import_module(name)).values():
            if inspect.isfunction(value) and value.__module__.startswith("mien.audit"):
                called.setdefault(value.__module__, set()).add(value.__name__)
            assert not (inspect.ismodule(value) and value.__name__.startswith("mien.audit")), f"{name} imports a module"
    assert called == PURE
