"""The scores of claims equal those of scikit-learn, with chance levels, floors and the published scores."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from mien.audit.comparison import claim_scores
from mien.audit.comparison.claim_scores import SCORES, Source, published
from mien.audit.comparison.claims import write
from mien.audit.run_leakage.measure import probe_predictions
from mien.common.measures import MEASURES
from mien.common.settings import parse
from mien.experiments import claims
from mien.runs.run import Run

Scores = dict[tuple[str, str, str | None], dict[tuple[str | None, str], dict[str, object]]]


def by_way(run: Run) -> Scores:
    """(Factor, measure, embedding) -> (probe, clips) -> the way, with its rows by model."""
    made = write(run)
    assert made is not None
    return {
        (one["factor"], one["measure"], one["embedding"]): {
            (way["probe"], way["clips"]): way | {"rows": {row["model"]: row for row in way["rows"]}}
            for way in one["ways"]
        }
        for one in made["scores"]
    }


@pytest.fixture(scope="module")
def found(two: Run) -> Scores:
    return by_way(two)


def test_there_is_a_function_for_every_measure_of_a_claim() -> None:
    assert set(SCORES) == set(claims.MEASURES)


def test_only_heads_with_the_factor_as_a_task_are_scored(two: Run, found: Scores) -> None:
    predictions = two.predictions[two.predictions["split"] == "test"]
    way = found["emotion", "macro_f1", None][None, "all"]
    assert list(way["rows"]) == ["multitask_64", "alternating_64"]  # emotion is no task of person_only
    for model, row in way["rows"].items():
        own = predictions[predictions["model"] == model]
        assert row["score"] == pytest.approx(f1_score(own["truth"], own["predicted"], average="macro"))
        assert row["low"] < row["score"] < row["high"]
        assert (row["speakers"], row["cells"]) == (own["speaker"].nunique(), 1)
        assert row["clips"] == own["clip"].nunique()
        assert row["seeds"] is None
    most = predictions["truth"].mode()[0]
    one = predictions[predictions["model"] == "multitask_64"]
    alone = f1_score(one["truth"], [most] * len(one), average="macro", zero_division=0)
    assert way["chance"]["score"] == pytest.approx(alone)
    assert way["floor"] is None


def test_probes_after_an_eraser_are_not_scored(two: Run, found: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = probe_predictions(two)
    erased = plain.assign(eraser="leace", predicted="neutral")
    monkeypatch.setattr(claim_scores, "probe_predictions", lambda run: pd.concat([plain, erased]))
    assert by_way(two) == found


def test_probes_are_scored_on_all_and_on_balanced_clips(two: Run, found: Scores) -> None:
    predicted = probe_predictions(two)
    ways = found["emotion", "macro_f1", "speaker"]
    assert {way: one["claimed"] for way, one in ways.items()} == {
        ("mlp", "all"): True,
        ("mlp", "balanced"): True,
        ("strongest", "all"): False,
        ("strongest", "balanced"): True,
    }
    assert not any(way["even"] for way in ways.values())
    for probe in ("mlp", "strongest"):
        for model, row in ways[probe, "all"]["rows"].items():
            own = predicted[predicted["model"] == model]
            own = own[(own["factor"] == "emotion") & (own["probe"] == probe)]
            assert row["score"] == pytest.approx(f1_score(own["truth"], own["predicted"], average="macro"))
            assert "excess" not in row
        balanced = ways[probe, "balanced"]
        for row in balanced["rows"].values():
            assert row["excess"] == pytest.approx(row["score"] - balanced["floor"]["score"])
    leak = ways["mlp", "all"]["rows"]
    assert leak["alternating_64"]["score"] + 0.1 < leak["multitask_64"]["score"]


def test_speakers_are_scored_by_accuracy_beside_the_published_scores(two: Run, found: Scores) -> None:
    way = found["speaker", "accuracy", None][None, "all"]
    tasks = pd.read_csv(two.folder / "tasks.csv").query("split == 'test'")
    for model, row in way["rows"].items():
        own = tasks[tasks["model"] == model]
        assert row["score"] == pytest.approx(accuracy_score(own["truth"], own["predicted"]))
    assert {model: row["paper"] for model, row in way["rows"].items()} == {
        "person_only": None,
        "multitask_64": 0.905,
        "alternating_64": 0.905,
    }
    own = tasks[tasks["model"] == "multitask_64"]
    assert way["chance"]["score"] == pytest.approx(own["truth"].value_counts(normalize=True).max())
    knows = found["speaker", "accuracy", "emotion"]
    assert set(knows) == {("mlp", "all"), ("strongest", "all")}
    assert list(knows["mlp", "all"]["rows"]) == ["multitask_64", "alternating_64"]


def test_published_scores_are_of_the_runs_corpus_or_the_first(two: Run) -> None:
    tables = {
        "multitask_64": {"A": {"UA test": 59.0}, "toy": {"UA test": 61.0, "other": 7.0}},
        "alternating_64": {"A": {"UA test": 0.4}, "toy": {"UA test": 0.5}},
        "person_only": {"UA test": 0.3},
    }
    run = replace(two, experiment=two.experiment.model_copy(update={"reference": tables}))
    assert published(run, "UA test") == ("toy", {"multitask_64": 0.61, "alternating_64": 0.005})
    del tables["multitask_64"]["toy"], tables["alternating_64"]["toy"]
    assert published(run, "UA test") == ("A", {"multitask_64": 0.59, "alternating_64": 0.004})
    only = replace(two, experiment=two.experiment.model_copy(update={"reference": {"a": {"UA test": 0.3}}}))
    assert published(only, "UA test") == (None, {"a": 0.3})
    assert published(two, "nothing") == (None, {})


def test_seeds_and_factors_of_any_name_are_scored(make_two) -> None:
    run: Run = make_two({"multitask_64": 0.0}, people=6, seeds=(0, 1))
    table = pd.read_csv(run.folder / "tasks.csv")
    gender = {f"s{who}": "male" if who % 2 else "female" for who in range(6)}
    run.write_table(
        "tasks.csv",
        table.assign(factor="gender", truth=table["truth"].map(gender), predicted=table["predicted"].map(gender)),
    )
    raw = {"says": "Gender is known.", "kind": "above", "factor": "gender", "measure": "uar"}
    claim = parse(claims.Claim, raw | {"models": "multitask_64", "minus": "chance"}, "claim")
    tasks = {"gender": 0.5, "emotion": 0.5}
    model = {"embeddings": {"emotion": {"tasks": tasks}}}
    update = {"claims": {"gender": claim}, "models": {"multitask_64": model}}
    run = replace(run, experiment=run.experiment.model_copy(update=update))
    row = by_way(run)["gender", "uar", None][None, "all"]["rows"]["multitask_64"]
    rows = pd.read_csv(run.folder / "tasks.csv").query("split == 'test'")
    each = [recall_score(own["truth"], own["predicted"], average="macro") for _, own in rows.groupby("seed")]
    assert row["score"] == pytest.approx(recall_score(rows["truth"], rows["predicted"], average="macro"))
    assert row["seeds"] == pytest.approx(pd.Series(each).std())
    assert row["cells"] == 2
    assert claim_scores.outputs_of(run).classes["gender"] == ("female", "male")
    assert list(claim_scores.outputs_of(run).rows) == [Source("gender")]


def test_numbers_of_another_task_are_scored_as_numbers(make_two) -> None:
    run: Run = make_two({"multitask_64": 0.0}, people=8)
    table = pd.read_csv(run.folder / "tasks.csv")
    truth = table["clip"].str.extract(r"(\d+)$")[0].astype(float)
    predicted = truth + table["speaker"].str[1:].astype(int) % 3
    run.write_table("tasks.csv", table.assign(factor="arousal", truth=truth, predicted=predicted, probability=None))
    raw = {"says": "x", "factor": "arousal", "models": "multitask_64", "minus": "chance"}
    own = {
        name: parse(claims.Claim, raw | {"kind": kind, "measure": name}, "claim")
        for name, kind in (("ccc", "above"), ("rmse", "kept"))
    }
    update = {"claims": own, "models": {"multitask_64": {"embeddings": {"emotion": {"tasks": {"arousal": 1.0}}}}}}
    run = replace(run, experiment=run.experiment.model_copy(update=update))
    test = table["split"] == "test"
    found = by_way(run)
    row = found["arousal", "ccc", None][None, "all"]["rows"]["multitask_64"]
    assert row["score"] == pytest.approx(MEASURES["ccc"].value(truth[test], predicted[test]))
    way = found["arousal", "rmse", None][None, "all"]
    assert way["rows"]["multitask_64"]["score"] == pytest.approx(MEASURES["rmse"].value(truth[test], predicted[test]))
    assert way["chance"]["score"] == pytest.approx(truth[test].std(ddof=0))
    made = json.loads((run.folder / "claims.json").read_text())
    assert [claim["answer"] for claim in made["claims"]] == ["yes", "yes"]
