"""Seen speakers are tested on other clips of theirs, and the tasks of embeddings decide what is a target or a leak."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from mien.audit.comparison.tradeoff import points
from mien.audit.leakage import floors, leakage
from mien.audit.run_leakage import measure as run_leakage_module
from mien.audit.run_leakage.kept import KEPT, key_of_cell
from mien.audit.run_leakage.measure import probe_predictions, run_leakage
from mien.audit.run_leakage.summary import summaries
from mien.audit.run_leakage.targets import is_target, targets, tasks, with_roles
from mien.audit.run_leakage.views import View, views
from mien.errors import RunError
from mien.runs.run import Run
from sealing import reseal_record

ASKED = ["embedding", "factor", "balanced", "speakers", "role"]


@pytest.fixture(scope="module")
def run(two: Run) -> Run:
    return two


@pytest.fixture(scope="module")
def strongest(run: Run) -> pd.DataFrame:
    table = run.leakage
    assert table is not None
    return table[table["probe"] == "strongest"].set_index(["model", *ASKED, "measure"])["score"]


def test_the_quick_depth_measures_both_leaks_and_no_target(run: Run) -> None:
    table = run.leakage
    assert table is not None
    read = {tuple(row) for row in table.loc[table["model"] == "multitask_64", ASKED].drop_duplicates().to_numpy()}
    emotions = {("speaker", "emotion", balanced, "seen", "measured") for balanced in ("", "emotion")}
    assert read == {("emotion", "speaker", "", "seen", "measured"), *emotions}
    clips = run.clips
    splits = table[table["model"] == "multitask_64"]["split"]
    words = "fitted on training clips, chosen on validation clips, tested on test clips; the same speakers"
    assert splits.str.startswith(words).all()
    assert clips["speaker"].nunique() == 8


def test_leak_and_identity_floor_are_ordered_on_both_sets(strongest: "pd.Series[float]") -> None:
    for balanced in ("", "emotion"):
        leak = strongest["multitask_64", "speaker", "emotion", balanced, "seen", "measured", "f1"]
        none = strongest["alternating_64", "speaker", "emotion", balanced, "seen", "measured", "f1"]
        floor = strongest["baseline", "speaker label", "emotion", balanced, "seen", "floor", "f1"]
        alone = strongest["baseline", "majority", "emotion", balanced, "seen", "floor", "f1"]
        assert leak > floor + 0.1
        assert floor + 0.1 > none
        assert none > alone + 0.2
    assert strongest["baseline", "majority", "emotion", "emotion", "seen", "floor", "f1"] == pytest.approx(0.1)


def test_balanced_scores_take_equally_many_clips_of_each_class(run: Run) -> None:
    table = run.leakage
    assert table is not None
    row = table[(table["balanced"] == "emotion") & (table["model"] == "multitask_64")].iloc[0]
    test = run.embeddings(run.cells[0])[0].query("split == 'test'")
    assert row["n"] == 4 * test["label"].value_counts().min()
    assert f"{row['n']} of {len(test)} test clips, balanced" in row["split"]


def test_the_kept_predictions_give_the_scores(run: Run, strongest: "pd.Series[float]") -> None:
    predictions = probe_predictions(run)
    assert set(predictions["model"]) == {"multitask_64", "alternating_64", "person_only", "baseline"}
    kept = predictions[predictions["probe"] == "strongest"]
    for (model, embedding, factor), rows in kept.groupby(["model", "embedding", "factor"]):
        role = "floor" if model == "baseline" else "measured"
        score = f1_score(rows["truth"], rows["predicted"], average="macro", labels=sorted(rows["truth"].unique()))
        assert score == pytest.approx(strongest[model, embedding, factor, "", "seen", role, "f1"])
        assert not rows["clip"].duplicated().any()


def test_predictions_kept_by_an_older_mien_are_refused(run: Run) -> None:
    path = run.cells[0].folder / KEPT
    before = path.read_text()
    assert '"eraser":' in before
    reseal_record(path, '"eraser":', '"other":')
    try:
        with pytest.raises(RunError) as error:
            probe_predictions(run)
    finally:
        path.write_text(before)
    assert str(error.value) == (
        f"{path}: was made by an older mien, without 'eraser'; 'mien audit {run.folder}' writes it again"
    )


@pytest.mark.slow
def test_the_thorough_depth_adds_targets_and_measures_nothing_twice(make_two, monkeypatch) -> None:
    one = {"probes": ("nearest_mean",)}  # the fastest probe is enough here
    monkeypatch.setattr(run_leakage_module, "predict", partial(leakage.predict, **one))
    monkeypatch.setattr(floors, "leakage", partial(leakage.leakage, **one))
    run: Run = make_two({"one": 1.0}, people=3, each=(8, 5))
    first = run_leakage(run).table
    table = run_leakage(run, thorough=True).table
    keys = ["model", *ASKED, "eraser", "probe", "measure"]
    assert not table.duplicated(keys).any()
    assert len(table.merge(first[[*keys, "score"]], on=[*keys, "score"])) == len(first)
    own = table[table["role"] == "target"]
    read = {tuple(row) for row in own[["embedding", "eraser", "factor", "balanced"]].drop_duplicates().to_numpy()}
    emotion = {("emotion", eraser, "emotion", balanced) for eraser in ("", "leace") for balanced in ("", "emotion")}
    assert read == {("speaker", "", "speaker", ""), ("speaker", "leace", "speaker", ""), *emotion}
    assert summaries(table, {0: 0}).query("role == 'target' and factor == 'speaker'")["score"].max() > 0.7
    pd.testing.assert_frame_equal(run_leakage(run, thorough=True).table, table)


def test_views_of_disjoint_mixed_and_shared_speakers() -> None:
    people = np.repeat([f"s{number}" for number in range(5)], 8)
    parts = np.where(people == "s4", "test", np.where(people == "s3", "validation", "train"))
    clips = pd.DataFrame({"clip": [f"c{n}" for n in range(40)], "split": parts, "speaker": people})
    clips["label"] = np.tile(["anger", "neutral"], 20)
    apart = [(view.factor, view.seen) for view in views(clips, "emotion", thorough=True)]
    assert apart == [("speaker", "seen"), ("speaker", "unseen"), ("emotion", "unseen")]
    mixed = clips.assign(split=np.where(np.arange(40) % 8 == 0, "test", parts))
    assert next((view.factor, view.seen) for view in views(mixed, "emotion", thorough=False)) == ("speaker", "seen")
    inside = next(iter(views(mixed, "emotion", thorough=False)))
    assert set(mixed["split"].iloc[inside.rows]) == {"train"}
    shared = clips.assign(split=np.where(np.arange(40) % 8 < 3, "test", "train"))
    found = {(view.factor, view.seen): view for view in views(shared, "emotion", thorough=False, always=True)}
    assert set(found) == {("speaker", "seen"), ("emotion", "seen")}
    for view in found.values():
        ((fitted, tested),) = view.division.parts
        assert set(shared["split"].iloc[view.rows[fitted]]) == {"train"}
        assert set(shared["split"].iloc[view.rows[tested]]) == {"test"}
        assert set(view.speakers[tested]) <= set(view.speakers[fitted])


@pytest.mark.parametrize("protocol", ["unseen", "seen"])
def test_validation_clips_choose_and_no_clip_of_a_tested_person(protocol: str) -> None:
    people, turn = np.repeat([f"s{number}" for number in range(6)], 8), np.tile(np.arange(8), 6)
    apart = np.where(people == "s5", "test", np.where(people == "s4", "validation", "train"))
    within = np.where(turn < 4, "train", np.where(turn < 6, "validation", "test"))
    clips = pd.DataFrame({"clip": [f"c{n}" for n in range(48)], "speaker": people})
    clips["split"] = apart if protocol == "unseen" else within
    clips["label"] = np.tile(["anger", "neutral"], 24)

    def emotion(table: pd.DataFrame) -> View:
        return next(view for view in views(table, "emotion", thorough=False, always=True) if view.main)

    view = emotion(clips)
    choosing = view.division.choosing
    assert choosing is not None
    assert set(clips["clip"].iloc[view.rows[choosing]]) == set(clips["clip"][clips["split"] == "validation"])
    words = {"unseen": "disjoint speakers", "seen": "the same speakers"}[protocol]
    told = f"fitted on training clips, chosen on validation clips, tested on test clips; {words}"
    assert view.division.description == told
    held = clips.assign(split=clips["split"].replace("validation", "none").replace("test", "validation"))
    one_class = clips.assign(label=clips["label"].mask(clips["split"] == "validation", "anger"))
    both = clips.assign(split=clips["split"].mask((people == "s5") & (turn < 4), "validation"))
    for table in (held, one_class, *([both[people != "s4"]] if protocol == "unseen" else [])):
        view = emotion(table)
        assert view.division.choosing is None
        assert view.division.description.startswith("fitted on training clips, tested on ")


def test_there_are_targets_only_if_embeddings_have_several_names(run: Run, make_compared) -> None:
    assert tasks(run)["multitask_64"] == {"emotion": frozenset({"emotion"}), "speaker": frozenset({"speaker"})}
    carried = targets(run)
    assert is_target(carried, "multitask_64", "speaker", "speaker")
    assert is_target(carried, "multitask_64", "emotion", "emotion")
    assert not is_target(carried, "multitask_64", "speaker", "emotion")
    single: Run = make_compared("run", {"a": 0.8}, clips=4, speakers=3, seeds=(0,))
    assert tasks(single)["a"] == {"main": frozenset({"emotion"})}
    assert targets(single) == {}
    rows = pd.DataFrame({"embedding": ["speaker"] * 2, "factor": ["speaker"] * 2, "role": ["measured", "floor"]})
    assert list(with_roles(rows, carried, "multitask_64")["role"]) == ["target", "floor"]
    assert list(with_roles(rows, {}, "multitask_64")["role"]) == ["measured", "floor"]


def test_the_tradeoff_has_only_models_trained_for_emotion(run: Run, strongest: "pd.Series[float]") -> None:
    systems = [(model, run, model) for model in ("multitask_64", "person_only")]
    predictions = run.predictions[run.predictions["split"] == "test"]
    found, sentences = points(systems, predictions, factor="emotion")
    assert [point.label for point in found] == ["multitask_64"]
    assert found[0].leak == pytest.approx(
        strongest["multitask_64", "speaker", "emotion", "", "seen", "measured", "uar"]
    )
    assert found[0].chance == pytest.approx(0.25)
    assert sentences == [
        "UAR of emotion by the system itself, against the UAR of the strongest emotion probe on the embedding that is "
        "not trained for emotion."
    ]
    speaker, sentences = points(systems, predictions)
    assert [point.label for point in speaker] == ["multitask_64"]
    assert speaker[0].score == found[0].score
    assert "Trained to identify the speaker, which is then no leak: person_only." in sentences
    assert not any("measured before" in one or "not measured" in one for one in sentences)


def test_rows_of_unseen_speakers_are_not_taken_for_seen_ones(run: Run) -> None:
    path = run.cells[0].folder / KEPT
    before = path.read_bytes()
    run_leakage(run)
    assert path.read_bytes() == before
    carried, (fold,) = targets(run), run.splits
    unseen = fold | {"train": fold["train"] | {"speakers": ["s0"]}}
    other = SimpleNamespace(
        folder=run.folder, splits=[unseen], clips=run.clips, experiment=run.experiment, files=run.files
    )
    keys = {key_of_cell(one, run.cells[0], roles, 0) for one in (run, other) for roles in (carried, {})}  # type: ignore[arg-type]
    assert len(keys) == 4
