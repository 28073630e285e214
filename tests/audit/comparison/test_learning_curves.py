"""Learning curves equal the comparison of each pair at each share; the supervised model is found from the settings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score
from statsmodels.stats.multitest import multipletests

from learners import CNN, write
from mien.audit.comparison.comparison import contrast
from mien.audit.comparison.learning_curves import COLUMNS, Curves, Learner, learning_curves
from mien.audit.comparison.systems import gather
from mien.runs.run import Run
from sealing import reseal

SMALL = {"speakers": 8, "clips": 10}
ACCURACY = {
    "CNN": {0.1: 0.1, 1.0: 0.8},
    "AAE": {0.1: 0.7, 1.0: 0.8},
    "AAE_multitask": {0.1: 0.1, 0.5: 0.5, 1.0: 0.2},
}
LOST = (
    "Not on a curve, since some folds or seeds are not trained yet: CNN with 0.5 of the labels, AAE with 0.5 of the "
    "labels."
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write(tmp_path_factory.mktemp("runs") / "rana", ACCURACY, **SMALL)


@pytest.fixture(scope="module")
def found(run: Run) -> Curves:
    curves = learning_curves(gather([run.folder]))
    assert curves is not None
    return curves


def at(found: Curves, system: str, share: float) -> "pd.Series[object]":
    rows = found.table[(found.table["system"] == system) & (found.table["labelled"] == share)]
    assert len(rows) == 1
    return rows.iloc[0]


def curves_of(*places: Path, baseline: str = "") -> Curves:
    curves = learning_curves(gather(places), baseline=baseline)
    assert curves is not None
    return curves


@pytest.mark.parametrize(("share", "end"), [(0.1, "-labelled-0.1"), (1.0, "")])
def test_a_point_equals_the_comparison_of_the_pair(run: Run, found: Curves, share: float, end: str) -> None:
    places = [run.folder / "models" / f"{model}{end}" for model in ("AAE", "CNN")]
    pair = contrast(gather(places)).pairs.set_index("measure").loc["uar"]
    systems = contrast(gather(places)).systems.set_index("system")
    row = at(found, "AAE", share)
    assert (row["baseline"], row["variant"]) == ("CNN", f"AAE{end}")
    for mine, theirs in (("difference", "difference"), ("difference_low", "low"), ("difference_high", "high")):
        assert row[mine] == pytest.approx(pair[theirs], rel=1e-12)
    assert row["p"] == pytest.approx(pair["p_wilcoxon"], rel=1e-12)
    for key, name in (("score", "uar"), ("low", "uar_low"), ("high", "uar_high")):
        assert row[key] == pytest.approx(systems.loc[f"AAE{end}", name], rel=1e-12)


def test_a_point_equals_scikit_learn_and_a_bootstrap_over_speakers(run: Run, found: Curves) -> None:
    table = run.predictions[run.predictions["split"] == "test"]
    sides = [table[table["model"] == name] for name in ("AAE-labelled-0.1", "CNN-labelled-0.1")]

    row, classes = at(found, "AAE", 0.1), sorted(set(table["truth"]))
    whole = [recall_score(side["truth"], side["predicted"], average=None, labels=classes).mean() for side in sides]
    assert row["score"] == pytest.approx(whole[0], rel=1e-12)
    assert row["difference"] == pytest.approx(whole[0] - whole[1], rel=1e-12)
    people = sorted(set(table["speaker"]))
    clips, hits = np.zeros((2, 2, len(people), 3))
    for side, rows in enumerate(sides):
        for (who, kind), part in rows.groupby(["speaker", "truth"]):
            place = side, people.index(who), classes.index(kind)
            clips[place], hits[place] = len(part), (part["predicted"] == kind).sum()
    drawn = np.random.default_rng(5).integers(len(people), size=(4000, len(people)))
    each = (hits[:, drawn].sum(2) / clips[:, drawn].sum(2)).mean(2)
    low, high = np.quantile(each[0] - each[1], [0.025, 0.975])  # of eight speakers the interval is wider: `interval`
    assert low - 0.1 < row["difference_low"] < low < high < row["difference_high"] < high + 0.1


def test_only_the_clips_that_all_systems_test_are_scored(run: Run) -> None:
    together = gather([run.folder])
    known = together.predictions
    fewer = replace(together, predictions=known[~known["clip"].isin(["s0c0", "s1c1"])])
    systems = contrast(fewer).systems.set_index("system")
    found = learning_curves(fewer)
    assert found is not None
    assert set(found.table["clips"]) == {78}
    assert list(found.table["labelled"]) == [0.1, 1.0, 0.1, 1.0, 0.1, 0.5, 1.0]
    for system in ("CNN", "AAE"):
        assert at(found, system, 1.0)["score"] == pytest.approx(systems.loc[system, "uar"], rel=1e-12)


def test_a_planted_gain_is_found_at_its_share_alone(found: Curves) -> None:
    assert tuple(found.table.columns) == COLUMNS
    assert at(found, "AAE", 0.1)["separable"]
    assert not at(found, "AAE", 1.0)["separable"]
    assert at(found, "AAE_multitask", 1.0)["difference_high"] < 0
    assert at(found, "CNN", 0.1)["baseline"] == ""
    assert np.isnan(at(found, "CNN", 0.1)["difference"])
    assert at(found, "AAE_multitask", 0.5)["baseline"] == ""  # the supervised model was not trained there
    compared = found.table[found.table["baseline"] != ""]
    assert list(compared["p_holm"]) == pytest.approx(multipletests(compared["p"], method="holm")[1], rel=1e-12)


def test_clips_are_counted_with_and_without_their_label(run: Run, found: Curves) -> None:
    known = 6 * 10  # of eight speakers one validates and one is tested
    for share, count in ((0.1, 6), (0.5, 30), (1.0, 60)):
        row = at(found, "AAE_multitask", share)
        assert (row["labelled_clips"], row["unlabelled_clips"]) == (count, known + 30 - count)
    splits = json.loads((run.folder / "splits.json").read_text())
    assert all(len(fold["labelled"]["0.5"]["1"]) == 30 for fold in splits["folds"])


def test_what_models_learn_from_follows_from_their_settings(found: Curves) -> None:
    assert found.learners == {
        "CNN": Learner(False, (), False, True),
        "AAE": Learner(False, (), True, False),
        "AAE_multitask": Learner(True, (), True, False),
    }
    assert found.notes == (
        LOST,
        "AAE differs from CNN in reconstruction, regularisation.",
        "AAE_multitask differs from CNN in auxiliary, reconstruction, regularisation.",
    )


def test_variants_on_a_curve_are_not_called_left_out(run: Run) -> None:
    assert gather([run.folder]).notes == ()


def test_runs_without_shares_have_no_curves(tmp_path: Path) -> None:
    run = write(tmp_path / "plain", {"CNN": {1.0: 0.5}, "AAE": {1.0: 0.5}}, speakers=3, clips=4)
    assert learning_curves(gather([run.folder])) is None


def test_the_supervised_model_of_another_run_is_found(run: Run, tmp_path: Path) -> None:
    other = write(tmp_path / "teacher", {"teacher": {0.1: 0.5, 1.0: 0.7}}, recipe="mean_teacher", **SMALL)
    found = curves_of(run.folder, other.folder)
    assert list(at(found, "teacher/teacher", 0.1)[["baseline", "model", "run"]]) == ["rana/CNN", "teacher", "teacher"]
    assert "teacher/teacher differs from rana/CNN in recipe." in found.notes
    assert found.learners["teacher/teacher"] == Learner(False, (), True, False)


def test_the_baseline_may_be_named(run: Run) -> None:
    found = curves_of(run.folder, baseline="AAE")
    assert set(found.table["baseline"]) == {"AAE", ""}
    assert at(found, "CNN", 0.1)["difference"] == pytest.approx(
        at(found, "CNN", 0.1)["score"] - at(found, "AAE", 0.1)["score"]
    )
    variant = run.folder / "models" / "AAE-labelled-0.1"
    found = curves_of(run.folder, variant, baseline=variant.name)
    assert found.notes == (
        LOST,
        "Learning curves have no differences: the baseline AAE-labelled-0.1 is a variant itself.",
    )
    assert found.table["difference"].isna().all()


def test_without_one_supervised_model_there_are_no_differences(tmp_path: Path) -> None:
    two = {0.1: 0.3, 1.0: 0.6}
    size = {"speakers": 6, "clips": 6}
    none = write(tmp_path / "none", {"AAE": two, "AAE_multitask": two}, **size)
    found = curves_of(none.folder)
    assert found.table["difference"].isna().all()
    assert found.notes == (
        "Learning curves have no differences, since every model learns from more than the labels of one factor; "
        "--baseline RUN/MODEL names the model to compare with.",
    )
    models = {"CNN": CNN, "small": {**CNN, "convolutions": 2}, "AAE": {}}
    several = write(tmp_path / "several", dict.fromkeys(models, two), models=models, **size)
    found = curves_of(several.folder)
    assert found.table["difference"].isna().all()
    assert found.notes == ("No differences where several models are supervised (CNN, small): --baseline names one.",)
    named = curves_of(several.folder, baseline="small")
    assert "CNN differs from small in convolutions." in named.notes


def test_models_of_other_data_or_folds_get_no_differences(tmp_path: Path) -> None:
    size = {"speakers": 6, "clips": 6, "seeds": [0]}
    two = {0.1: 0.3, 1.0: 0.6}
    runs = [
        write(tmp_path / "rana", {"CNN": two, "AAE": two}, **size),
        write(tmp_path / "other", {"AAE": two}, **size, data={"normalisation": "train"}),
        write(tmp_path / "moved", {"AAE": two}, **size, data={"prepared": "elsewhere"}),
        write(tmp_path / "fewer", {"AAE": two}, **size, more=0),
    ]
    found = curves_of(*(run.folder for run in runs))
    bases = {name: at(found, f"{name}/AAE", 0.1)["baseline"] for name in ("rana", "other", "moved", "fewer")}
    assert bases == {"rana": "rana/CNN", "moved": "rana/CNN", "other": "", "fewer": ""}
    for sentence in (
        "No differences between learning curves of other and rana: data.normalisation is train and none.",
        "No differences between learning curves of fewer and rana: their folds differ.",
    ):
        assert sentence in found.notes


def test_a_point_that_is_not_trained_in_all_cells_is_left_out(tmp_path: Path) -> None:
    two = {0.1: 0.3, 1.0: 0.6}
    run = write(tmp_path / "run", {"CNN": two, "AAE": two}, speakers=6, clips=6)
    table = run.predictions
    lost = (table["model"] == "AAE-labelled-0.1") & (table["seed"] == 1) & (table["fold"] == 2)
    run.write_predictions(table[~lost])
    reseal(run.folder)
    found = curves_of(run.folder)
    assert list(found.table["variant"]) == ["CNN-labelled-0.1", "CNN", "AAE"]
    assert "Not on a curve, since some folds or seeds are not trained yet: AAE with 0.1 of the labels." in found.notes


def test_few_speakers_are_noted(tmp_path: Path) -> None:
    two = {0.1: 0.3, 1.0: 0.6}
    run = write(tmp_path / "run", {"CNN": two, "AAE": two}, speakers=4, clips=6)
    note = "Learning curves: nothing can be separable in scores: 4 speakers are too few."
    assert note in curves_of(run.folder).notes
