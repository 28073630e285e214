"""The sweep of a run with planted scores: what is best, what differs, and that test takes no part."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from learners import write
from mien import experiments
from mien.audit.comparison.sweep import columns, sweep
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.statistics import scores
from mien.common import manifests
from mien.reports import page, words
from mien.reports.sections.sweep import shown
from mien.runs.run import Run
from sealing import resealed

pytestmark = pytest.mark.usefixtures("undrawn")

NAMES = {  # planted model (see conftest) -> what it is called here
    "emotion_only": "MEnAN",
    "gradient_reversal": "MEnAN-weight-0.1",
    "multitask": "MEnAN-weight-0.9",
    "MEnAN": "MEnAN-steps-2",
}
GRID = {
    "weight": {"models.MEnAN.embeddings.main.remove.speaker.weight": [0.1, 0.5, 0.9]},
    "steps": {"models.MEnAN.embeddings.main.remove.speaker.adversary_steps": [2]},
}


@pytest.fixture(scope="module")
def run(make_run: Callable[..., Run], computed: Callable[[Run], None]) -> Run:
    """Four planted models as one model and three variants of it."""
    planted = make_run(seeds=(0,), clips=60, epochs=3, shown=False)
    for name in ("predictions.csv", "leakage.csv"):
        table = pd.read_csv(planted.folder / name, dtype={"speaker": str})
        planted.write_table(name, table.assign(model=table["model"].map(NAMES)))
    for old, new in list(NAMES.items())[::-1]:
        (planted.folder / "models" / old).rename(planted.folder / "models" / new)
    for sealed in planted.folder.glob(f"models/*/*/{manifests.NAME}"):
        sealed.unlink()  # of the model's old name
    raw = planted.experiment.model_dump(mode="json", exclude={"reference", "provenance"})
    settings = {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy", "weight": 0.5}}}
    raw |= {"models": {"MEnAN": {"embeddings": {"main": settings}}}, "grid": GRID}
    swept = Run(planted.folder, experiments.resolve(raw, "planted"), writes=True)
    computed(swept)
    return resealed(swept)


def test_a_row_is_a_point_and_the_base_is_in_every_group(run: Run) -> None:
    table = sweep(run)
    assert list(table.columns) == list(columns(("uar", "wa")))
    assert table[["group", "label", "model"]].to_numpy().tolist() == [
        ["weight", "0.1", "MEnAN-weight-0.1"],
        ["weight", "0.5", "MEnAN"],
        ["weight", "0.9", "MEnAN-weight-0.9"],
        ["steps", "base", "MEnAN"],
        ["steps", "2", "MEnAN-steps-2"],
    ]
    assert set(table["base"]) == {"MEnAN"}


def test_scores_and_leakage_are_those_of_the_run(run: Run) -> None:
    table = sweep(run).drop_duplicates("model").set_index("model")
    plain = scores.summary(run.predictions, run.classes).query("split == 'validation'").set_index("model")
    for name in ("uar", "uar_low", "uar_high", "wa", "uar_chance"):
        assert table[name].to_dict() == pytest.approx(plain[name].to_dict())
    assert run.leakage is not None
    leaks = (
        leakage_summary(run.leakage, run.units).query("speakers == 'seen' and probe == 'strongest'").set_index("model")
    )
    for name in ("score", "low", "high", "chance"):
        assert table[f"leakage_{name}"].to_dict() == pytest.approx(leaks[name].to_dict())
    assert table["leakage_probe"].to_dict() == leaks["probe"].to_dict()


def test_a_planted_loss_is_separable_and_a_draw_is_not(run: Run) -> None:
    table = sweep(run).set_index("model")
    worse = table.loc["MEnAN-weight-0.1"]
    assert worse["separable"] is True
    assert worse["difference_low"] <= worse["difference"] <= worse["difference_high"] < 0
    assert worse["difference"] == pytest.approx(worse["uar"] - table["uar"]["MEnAN"].iloc[0])
    assert table.loc["MEnAN-weight-0.9", "separable"] is False
    assert table.loc[["MEnAN"], "difference"].isna().all()


def test_the_best_of_each_group_has_its_highest_score_on_validation(run: Run) -> None:
    table = sweep(run)
    for _, part in table.groupby("group"):
        assert list(part["uar"][part["best"]]) == [part["uar"].max()]


def test_test_takes_no_part(run: Run, tmp_path: Path) -> None:
    before, predictions = sweep(run), run.predictions
    held = Run(Path(shutil.copytree(run.folder, tmp_path / "run")), run.experiment, writes=True)
    held.write_predictions(predictions[predictions["split"] == "validation"])
    assert set(held.predictions["split"]) == {"validation"}
    pd.testing.assert_frame_equal(sweep(held), before)


def test_variants_are_in_the_section_of_the_sweep_only(run: Run) -> None:
    text = page.render(run)
    before, rest = text.split('<section id="sweep">')
    inside, after = rest.split("</section>", 1)
    for variant in list(NAMES.values())[1:]:
        assert f"<td>{variant}</td>" in inside
        assert f"<td>{variant}</td>" not in before + after
    assert "no test clip was used" not in text
    assert "learning curves" not in text
    assert "3 variants trained: on 10 validation speakers" in inside
    assert "models.MEnAN.embeddings.main.remove.speaker.adversary_steps" in inside


def test_a_run_without_test_says_so_and_shows_validation(
    run: Run, computed: Callable[[Run], None], tmp_path: Path
) -> None:
    predictions, raw = run.predictions, run.experiment.model_dump(mode="json") | {"hold_test": True}
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    held = Run(folder, experiments.resolve(raw, "planted"), writes=True)
    held.write_predictions(predictions[predictions["split"] == "validation"])
    computed(held)
    text = page.render(resealed(held))
    assert "no test clip was used" in text
    assert "Test clips were not used. Scores are on validation speakers, on whom the epoch was chosen too." in text
    assert "UAR on validation speakers. Mark" in text
    assert "Worst validation speaker" in text
    assert "test speakers" not in text


def test_a_number_is_swept_by_its_own_measures(run: Run, computed: Callable[[Run], None], tmp_path: Path) -> None:
    raw = run.experiment.model_dump(mode="json", exclude={"provenance"})
    raw["data"] |= {"scheme": None, "targets": {"valence": {"kind": "numbers"}}}
    raw["models"]["MEnAN"]["embeddings"]["main"]["tasks"] = {"valence": 0.5}
    raw["training"]["best"] = "ccc"
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    numeric = Run(copy, experiments.resolve(raw | {"target": "valence"}, "planted"), writes=True)
    predictions = run.predictions
    place = {name: number for number, name in enumerate(run.classes)}
    numbers = {name: predictions[name].map(place).astype(float) for name in ("truth", "predicted")}
    numeric.write_predictions(predictions.assign(**numbers))
    computed(numeric)
    numeric = resealed(numeric)
    table, text = sweep(numeric), page.render(numeric)
    assert list(table.columns) == list(columns(("ccc", "rmse")))
    worse = table.set_index("model").loc["MEnAN-weight-0.1"]
    assert worse["separable"] is True
    assert worse["difference"] == pytest.approx(worse["ccc"] - table["ccc"][table["model"] == "MEnAN"].iloc[0])
    assert list(table["ccc"][table["best"]]) == list(table.groupby("group", sort=False)["ccc"].max())
    section = text.split('<section id="sweep">')[1].split("</section>")[0]
    assert "CCC minus the base</th>" in section
    assert f"MEnAN-weight-0.1 ({words.scale('ccc').signed(worse['difference'])})" in section
    assert "in CCC." in section


def test_shares_of_the_labels_lead_to_the_learning_curves(tmp_path: Path) -> None:
    for models, curves in ((("CNN", "AAE"), True), (("AAE",), False)):
        accuracy = {model: {0.5: 0.5, 1.0: 0.6} for model in models}
        run = write(tmp_path / "-".join(models), accuracy, speakers=3, clips=4)
        run.write_table("sweep.csv", sweep(run))
        section = shown(run)
        assert section is not None
        assert section["curves"] == curves
