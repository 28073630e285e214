"""The frontier equals that of brute force, and the scores of all points are of one kind."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mien.audit.comparison.tradeoff import Point, frontier, points, strongest
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.statistics.scores import confusion
from mien.common.measures import uar
from mien.runs.run import Run

Make = Callable[..., Run]
NONE = (0.0, 0.0)


def test_the_frontier_is_pareto_optimal() -> None:
    random = np.random.default_rng(0)
    for kinds in (("model",), ("model", "erased", "floor", "ceiling")):
        some = [
            Point(
                "", round(random.random(), 1), *NONE, round(random.random(), 1), *NONE, kind=str(random.choice(kinds))
            )
            for _ in range(40)
        ]
        methods = [one for one in some if one.kind in ("model", "erased")]
        for one, on in zip(some, frontier(some), strict=True):
            beaten = any(
                (other.score >= one.score and other.leak < one.leak)
                or (other.score > one.score and other.leak <= one.leak)
                for other in methods
            )
            assert on == (one in methods and not beaten)
    nan = Point("", float("nan"), *NONE, 0.1, *NONE)
    assert frontier([]) == []
    assert frontier([nan, Point("", 0.5, *NONE, 0.5, *NONE)])[1]


@pytest.fixture
def run(make_compared: Make) -> Run:
    return make_compared("run", {"a": 0.8, "b": 0.5}, leaks={"a": 0.7, "b": 0.4}, clips=6)


def test_without_probes_of_emotion_points_have_the_systems_own_score(run: Run) -> None:
    predictions = run.predictions[run.predictions["split"] == "test"]
    found, notes = points([("a", run, "a"), ("b", run, "b")], predictions)
    assert [point.label for point in found] == ["a", "b"]
    summary = leakage_summary(run.leakage, run.units).set_index("model")
    for point in found:
        rows = predictions[predictions["model"] == point.label]
        assert point.score == pytest.approx(uar(confusion(rows, run.classes).counts.sum(0)))
        assert (point.leak, point.leak_low, point.leak_high) == tuple(
            summary.loc[point.label, ["score", "low", "high"]]
        )
        assert point.low < point.score < point.high
        assert point.chance == pytest.approx(1 / 6)
    assert notes == [
        "Accuracy-leakage plane: UAR of emotion by the system itself, against the UAR of the strongest probe of "
        "speakers seen in training."
    ]


def test_with_probes_of_emotion_erasers_and_baselines_have_points(run: Run) -> None:
    table = run.leakage
    erased = table.assign(eraser="leace", score=table["score"] - 0.2)
    emotion = pd.concat([table, erased]).assign(factor="emotion", speakers="unseen", chance=1 / 3)
    emotion["score"] = emotion["score"].where(emotion["model"] == "a", 0.35)
    base = table[(table["model"] == "a") & (table["seed"] == 0)].assign(model="baseline", embedding="inputs", seed=None)
    ceiling = pd.concat([base, base.assign(factor="emotion", speakers="unseen", score=0.9)]).assign(role="ceiling")
    run.write_table("leakage.csv", pd.concat([table, erased, emotion, ceiling]))
    found, notes = points([("a", run, "a"), ("b", run, "b")], run.predictions)
    assert [(point.label, point.kind) for point in found] == [
        *(
            ("a", "model"),
            ("a after LEACE", "erased"),
            ("b", "model"),
            ("b after LEACE", "erased"),
            ("inputs", "ceiling"),
        )
    ]
    assert [point.method for point in found] == ["", "a", "", "b", ""]
    place = {point.label: point for point in found}
    assert place["a"].leak - place["a after LEACE"].leak == pytest.approx(0.2)
    assert place["b"].score == pytest.approx(0.35)
    assert place["inputs"].score == pytest.approx(0.9)
    assert notes == [
        "Accuracy-leakage plane: UAR of emotion by a fresh probe on the embedding, against the UAR of the strongest "
        "probe of speakers seen in training."
    ]


def test_notes_say_why_a_run_has_no_point(run: Run, make_compared: Make) -> None:
    table = run.leakage
    both = pd.concat([table, table.assign(probe="linear", score=table["score"] - 0.05)])
    assert strongest(both).equals(table)
    other = make_compared("other", {"a": 0.8}, clips=6)
    other.write_table("leakage.csv", both)
    never = make_compared("never", {"a": 0.8}, clips=6)
    predictions = pd.concat(one.predictions.assign(model=f"{one.folder.name}/a") for one in (run, other, never))
    systems = [(f"{one.folder.name}/a", one, "a") for one in (run, other, never)]
    found, notes = points(systems, predictions[predictions["split"] == "test"])
    assert [point.label for point in found] == ["run/a", "other/a"]
    assert notes[0] == "Leakage was not measured for never/a; 'mien audit RUN' measures it."
    assert notes[-1] == (
        "The systems were measured with different probes; 'mien audit RUN' measures all of them with the same ones."
    )
