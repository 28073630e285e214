"""Ratings of the toy corpus as targets, from table to page: clusters of their plane, and numbers by concordance."""

import audmetric
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import recall_score

import mien
from mien.corpora.toy import ToyConfig, generate
from mien.errors import CorpusError
from mien.reports import words
from mien.runs.run import Run
from mien.runs.tables import read_table

PLANE = ["valence", "arousal"]
CLUSTERS = ("cluster 1", "cluster 2", "cluster 3")
EXPERIMENT = {
    **{"title": "ratings of toys", "paper": "none", "command": "none", "cost": "seconds", "expected": "none"},
    **{"recipe": "disentangle", "encoder": {"name": "vector", "hidden": [16]}},
    "protocol": {"name": "leave_one_speaker_out", "folds": [0, 2]},
    "training": {"epochs": 15, "batch": 16},
    "optimiser": {"lr": {"default": 0.003}},
}


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Two toy corpora of other people."""
    root = tmp_path_factory.mktemp("toys")
    for seed, people in enumerate((4, 2)):
        small = {"size": 32, "frame_rate": 5, "seconds": 1.0, "difficulty": 0.1}
        generate(root / f"media{seed}", ToyConfig(people=people, clips=12 * people, seed=seed, **small))
        mien.prepare("toy", root / f"media{seed}", out=root / f"toy{seed}", features=["functionals"])
    return root


def train(toys, out, target, targets, tasks, **more):
    raw = EXPERIMENT | {"target": target, "models": {"one": {"hidden": [], "embeddings": {"main": {"tasks": tasks}}}}}
    raw |= {"data": {"audio": "functionals", "normalisation": "train", "targets": targets}}
    raw |= {"training": EXPERIMENT["training"] | more}
    out.mkdir()
    (out / "own.yaml").write_text(yaml.safe_dump(raw))
    mien.train(out / "own.yaml", [f"data.prepared={toys / 'toy0'}"], out=out / "run")
    return out / "run"


@pytest.fixture(scope="module")
def clustered(toys, tmp_path_factory):
    """A run of three clusters, with two clusters and given levels as further tasks."""
    targets = {
        "mood": {"kind": "clusters", "columns": PLANE, "scale": [1, 5]},
        "half": {"kind": "clusters", "columns": PLANE, "clusters": 2, "classes": ["lower", "upper"]},
        "level": {"kind": "levels", "columns": "arousal", "limits": [2.5, 3.5]},
    }
    tasks = {"mood": 1.0, "half": 0.3, "level": 0.3}
    return train(toys, tmp_path_factory.mktemp("clustered") / "own", "mood", targets, tasks, best="uar")


def truth_of(midpoints, table):
    return cdist(table[PLANE].to_numpy(float), midpoints).argmin(axis=1)


def test_each_fold_has_its_own_clusters_and_tables_have_the_nearest(clustered):
    run = Run.open(clustered)
    rows, clips = run.predictions, run.clips
    assert list(read_table(clustered / "predictions.csv").columns[6:]) == ["mood", "predicted", *CLUSTERS, "scheme"]
    tasks = run.tasks
    midpoints = {}
    for cell in run.cells:
        targets = run.targets_of(cell)
        midpoints[cell.fold] = np.array(targets["mood"].midpoints)
        own = rows[rows["fold"] == cell.fold]
        numbers = truth_of(midpoints[cell.fold], clips.loc[own["clip"]])
        assert own["truth"].tolist() == [CLUSTERS[number] for number in numbers]
        halves = tasks[(tasks["fold"] == cell.fold) & (tasks["factor"] == "half")]
        two = truth_of(targets["half"].midpoints, clips.loc[halves["clip"]])
        assert halves["truth"].tolist() == [("lower", "upper")[number] for number in two]
        (trained,) = (fold["train"]["clips"] for fold in run.splits if fold["fold"] == cell.fold)
        centres = KMeans(3, n_init=10, random_state=0).fit(clips.loc[trained, PLANE]).cluster_centers_
        np.testing.assert_allclose(midpoints[cell.fold], sorted(centres.tolist()), atol=0.02)
    assert not np.array_equal(midpoints[0], midpoints[2])
    scores = run.metrics["models"]["one"]["test"]
    test = rows[rows["split"] == "test"]
    assert scores["uar"] == pytest.approx(recall_score(test["truth"], test["predicted"], average="macro"))
    assert scores["uar"] > 0.5


def test_the_page_and_the_results_say_where_clusters_lie(clustered):
    run = Run.open(clustered)
    targets = [run.targets_of(cell) for cell in run.cells]
    found = run.metrics["derived"]
    assert list(found) == ["half", "level", "mood"]
    points = np.array([own["mood"].midpoints for own in targets])
    assert found["mood"]["columns"] == PLANE
    for number, name in enumerate(CLUSTERS):
        for column, value in enumerate(found["mood"]["midpoints"][name]):
            own = points[:, number, column]
            assert value == pytest.approx({"mean": own.mean(), "low": own.min(), "high": own.max()})
    page = (clustered / "report.html").read_text()
    mean, low, high = points[:, 0, 0].mean(), points[:, 0, 0].min(), points[:, 0, 0].max()
    assert f"midpoints of cluster 1: valence {mean:.3g} ({low:.3g} to {high:.3g}), arousal " in page
    assert "(mean over 2 folds, least and greatest in brackets)" in page
    assert "arousal: low ≤ 2.5 &lt; medium ≤ 3.5 &lt; high (given limits)" in page


def test_clusters_are_evaluated_on_another_corpus(clustered, toys):
    mien.evaluate(clustered, on=toys / "toy1")
    run = Run.open(clustered)
    (name,) = run.evaluations
    rows = read_table(clustered / "evaluations" / name / "predictions.csv", text=("mood",))
    table = pd.read_csv(toys / "toy1" / "corpus.csv").set_index("clip")
    for cell in run.cells:
        own = rows[rows["fold"] == cell.fold]
        numbers = truth_of(run.targets_of(cell)["mood"].midpoints, table.loc[own["clip"]])
        assert own["mood"].tolist() == [CLUSTERS[number] for number in numbers]
    assert run.evaluations[name]["models"]["one"]["uar"]["mean"] > 0.4


def test_an_evaluation_without_any_known_point_is_refused(clustered, toys, tmp_path):
    table = pd.read_csv(toys / "media1" / "labels.csv").assign(arousal=None)
    table["file"] = [str(toys / "media1" / file) for file in table["file"]]
    table.to_csv(tmp_path / "own.csv", index=False)
    mien.prepare("table", tmp_path / "own.csv", out=tmp_path / "out", features=())
    with pytest.raises(CorpusError) as refused:
        mien.evaluate(clustered, on=tmp_path / "out")
    assert str(refused.value) == f"{tmp_path / 'out'}: none of its clips has a known 'mood'"


def test_clusters_are_predicted_exported_and_audited(clustered, toys, tmp_path):
    files = sorted((toys / "media1" / "p01").iterdir())[:3]
    rows = mien.predict(files, model=clustered).data["rows"]
    assert {row["mood"] for row in rows} <= set(CLUSTERS)
    assert all(sum(row[name] for name in CLUSTERS) == pytest.approx(1, abs=1e-3) for row in rows)
    mien.export(clustered / "models" / "one", out=tmp_path / "exported", elsewhere=[toys / "toy1"])
    again = mien.predict(files, model=tmp_path / "exported", unsure=0.0).data["rows"]
    assert [row["mood"] for row in again] == [row["mood"] for row in rows]
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "midpoints of cluster 1: valence " in card
    mien.leakage(clustered)
    measured = Run.open(clustered).leakage
    assert set(measured.loc[measured["factor"] == "mood", "classes"]) == {3}


@pytest.fixture(scope="module")
def numeric(toys, tmp_path_factory):
    """A run of arousal, and of valence as a further task."""
    numbers = {"kind": "numbers", "loss": "concordance", "scale": [1, 5]}
    given = {"best": "ccc", "batch": 24, "epochs": 40}
    out = tmp_path_factory.mktemp("numeric") / "own"
    return train(toys, out, "arousal", dict.fromkeys(PLANE[::-1], numbers), {"arousal": 1.0, "valence": 0.5}, **given)


def test_numbers_learned_by_concordance_are_scored_with_intervals(numeric):
    run = Run.open(numeric)
    test = run.predictions.query("split == 'test'")
    row = run.metrics["models"]["one"]["test"]
    assert row["ccc"] == pytest.approx(audmetric.concordance_cc(test["truth"].to_numpy(), test["predicted"].to_numpy()))
    assert row["ccc"] > 0.4
    assert row["rmse_low"] < row["rmse"] < row["rmse_high"]
    assert row["rmse"] < row["rmse_chance"]
    assert row["ccc_low"] < row["ccc"] < row["ccc_high"]
    assert {target.loss for cell in run.cells for target in run.targets_of(cell).values()} == {"concordance"}
    losses = [run.history(cell)["main: arousal"] for cell in run.cells]
    assert all(0 <= loss.iloc[-1] < loss.iloc[0] < 2 for loss in losses)


def test_the_page_shows_true_and_predicted_numbers_of_test_clips(numeric):
    run = Run.open(numeric)
    page = (numeric / "report.html").read_text()
    section = page.split('<section id="agreement">')[1].split("</section>")[0]
    test = run.predictions.query("split == 'test'")
    assert 'aria-label="Predicted against true arousal of the test clips, one"' in section
    assert f"{test['clip'].nunique()} test clips." in section
    found = run.metrics["tasks"]["valence"]["one"]["test"]
    tasks = page.split("<h3>Macro F and other tasks</h3>")[1].split("</table>")[0]
    for measure, title in (("ccc", "Valence, CCC"), ("rmse", "Valence, RMSE")):
        assert title in tasks
        assert f"{found[measure]:.3f}".replace("-", "\N{MINUS SIGN}") in tasks
        assert words.scale(measure).span(found[f"{measure}_low"], found[f"{measure}_high"]) in tasks


def test_numbers_are_probed_in_the_embeddings_of_a_run(numeric):
    outcome = mien.leakage(numeric)
    rows = pd.DataFrame(outcome.data["rows"]).query("measure == 'ccc' and probe == 'strongest' and role == 'measured'")
    scores = rows.set_index(["factor", "eraser"])["score"]
    assert set(scores.index) == {(name, eraser) for name in PLANE for eraser in ("", "leace")}
    assert scores["arousal", ""] > 0.3
    assert any(
        "a fresh probe predicts the arousal of unseen speakers with a CCC of" in one for one in outcome.data["answer"]
    )
    assert "arousal unseen" in outcome.text
    page = (numeric / "report.html").read_text()
    section = page.split("<h3>Numbers</h3>")[1].split("</table>")[0]
    assert words.decimal(scores["arousal", ""]) in section
    assert words.decimal(scores["valence", "leace"]) in section
    alone = (numeric / "leakage.html").read_text()
    assert (
        words.decimal(scores["arousal", ""]) in alone.split("Scores of the probes of numbers")[1].split("</table>")[0]
    )


def test_numbers_alone_are_audited_without_a_map(toys, tmp_path):
    table = pd.read_csv(toys / "media0" / "labels.csv")
    values = table[["pitch", "energy", "rate", "tilt"]].to_numpy()
    labels = {"speaker": table["speaker"].tolist(), "arousal": table["arousal"].tolist()}
    outcome = mien.leakage(values, labels, "arousal", out=tmp_path / "out")
    (sentence, _) = outcome.data["answer"]
    assert sentence.startswith("From these embeddings a fresh probe predicts the arousal with a CCC of 1.00")
    assert (tmp_path / "out" / "leakage.html").is_file()
    assert not (tmp_path / "out" / "leakage.svg").exists()
