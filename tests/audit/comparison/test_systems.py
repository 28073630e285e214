"""Only systems tested on the same clips are compared; other differences are refused or noted."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mien.audit.comparison.systems import gather
from mien.errors import RunError
from mien.runs.run import Run
from sealing import reseal

Make = Callable[..., Run]


@pytest.fixture(scope="module")
def one(make_compared: Make) -> Run:
    return make_compared("one", {"a": 0.6, "b": 0.5}, speakers=4, clips=6)


def test_names_of_systems_have_the_run_if_there_are_several(one: Run, make_compared: Make) -> None:
    alone = gather([one.folder])
    assert [system.name for system in alone.systems] == ["a", "b"]
    assert (alone.split, alone.marks, alone.notes) == ("test", (), ())
    other = make_compared("two", {"a": 0.6}, speakers=4, clips=6)
    namesake = make_compared("one", {"a": 0.6}, speakers=4, clips=6)
    names = [system.name for system in gather([one.folder, other.folder / "models" / "a"]).systems]
    assert names == ["one/a", "one/b", "two/a"]
    names = [system.name for system in gather([one.folder / "models" / "b", namesake.folder]).systems]
    assert names == [f"{run.folder.parent.name}/one/{model}" for run, model in ((one, "b"), (namesake, "a"))]
    assert [system.name for system in gather([one.folder, one.folder, one.folder / "models/a"]).systems] == ["a", "b"]


def test_different_seeds_and_folds_are_noted(one: Run, make_compared: Make) -> None:
    other = make_compared("two", {"a": 0.6}, speakers=4, clips=6, seeds=(3, 4, 5))
    together = gather([one.folder, other.folder])
    assert together.unpaired(*together.systems[:2]) == ""
    assert together.unpaired(together.systems[0], together.systems[2]) == "their seeds differ (0, 1 against 3 to 5)"
    assert together.notes == (
        "No tests over training runs for one with two: their seeds differ (0, 1 against 3 to 5). Seeds are averaged "
        "within a speaker.",
    )
    folds = json.loads((other.folder / "splits.json").read_text())["folds"]
    folds[0]["train"]["clips"].pop()
    other.write_json("splits.json", {"folds": folds})
    reseal(other.folder)
    together = gather([one.folder, other.folder])
    assert together.unpaired(together.systems[0], together.systems[2]) == "their folds differ"


def test_a_held_out_test_split_marks_and_other_files_are_noted(one: Run, make_compared: Make) -> None:
    blind = make_compared(
        "blind", {"a": 0.5}, speakers=4, clips=6, hold_test=True, files={"s0c0": "1"}, marks=["Speakers were seen."]
    )
    seen = make_compared("seen", {"a": 0.5}, speakers=4, clips=6, files={"s0c0": "2"})
    together = gather([seen.folder, blind.folder])
    assert together.split == "validation"
    assert set(together.predictions["split"]) == {"validation"}
    assert together.marks == ("blind: Speakers were seen.",)
    assert together.notes == (
        "Compared on validation speakers, who also chose the epoch: test clips were not evaluated (blind).",
        "1 of 24 clips have the same name but another content in blind than in seen (s0c0).",
    )


def refused(*places: Path) -> str:
    with pytest.raises(RunError) as error:
        gather(places)
    return str(error.value)


def test_other_clips_labels_and_classes_are_refused(one: Run, make_compared: Make) -> None:
    fewer = make_compared("fewer", {"a": 0.5}, speakers=4, clips=5)
    assert "4 only in one/a (s0c5, s1c5, s2c5, ...)" in refused(one.folder, fewer.folder)
    assert "4 only in one/a (s0c5, s1c5, s2c5, ...)" in refused(fewer.folder, one.folder)
    for column, new in (("truth", "boredom"), ("speaker", "s9")):
        changed = make_compared("changed", {"a": 0.5}, speakers=4, clips=6)
        table = changed.predictions
        table.loc[table["clip"] == "s1c2", column] = new
        changed.write_predictions(table)
        reseal(changed.folder)
        message = refused(one.folder, changed.folder)
        assert message.startswith(f"changed/a has another {column} than one/a for 1 of 24 clips: s1c2 is '{new}' and '")
    scheme = make_compared("scheme", {"a": 0.5}, speakers=4, clips=6)
    path = scheme.folder / "experiment.yaml"
    path.write_text(path.read_text().replace("scheme: emodb", "scheme: ravdess"))
    table = pd.read_csv(scheme.folder / "predictions.csv")
    scheme.write_table("predictions.csv", table.assign(calm=0.0, surprise=0.0))
    reseal(scheme.folder)
    assert refused(one.folder, scheme.folder).startswith("scheme/a has other classes (")


def test_fewer_than_two_systems_and_unknown_ones_are_refused(one: Run, tmp_path: Path) -> None:
    assert refused(one.folder / "models" / "a") == (
        "a comparison needs two systems or more, the only system is a; name another RUN or RUN/models/MODEL"
    )
    assert "unknown model 'bb'. Did you mean 'b'?" in refused(one.folder / "models" / "bb")
    assert "not a run folder" in refused(one.folder, tmp_path)
    assert refused() == "a comparison needs two systems or more, there is none; name another RUN or RUN/models/MODEL"


def test_a_model_without_predictions_is_refused(make_compared: Make) -> None:
    run = make_compared("half", {"a": 0.6, "b": 0.5}, speakers=3, clips=4)
    table = run.predictions
    run.write_predictions(table[table["model"] == "a"])
    reseal(run.folder)
    assert "'b' has no test predictions" in refused(run.folder)
