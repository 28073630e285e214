"""The sentences of the answer agree with the scores."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mien.audit.statistics import scores
from mien.data.protocols import LEAKS
from mien.reports.sections import answer, certificate, recognition, tasks
from mien.runs.run import Run
from sealing import resealed

NAN = float("nan")
PAIRS = pd.DataFrame(columns=["model", "other", "measure", "difference", "low", "high", "separable", "speakers"])


def summary(**columns: object) -> pd.DataFrame:
    row = {"model": "m", "split": "test", "uar": 0.2, "uar_low": 0.1, "uar_high": 0.3, "uar_chance": 0.25}
    return pd.DataFrame([row | {"speakers": 5} | columns])


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_recognition_has_its_interval_and_chance() -> None:
    assert spaced(answer.recognition(summary(), PAIRS)) == (
        "On unseen speakers m reaches a UAR of 20.0 % (95 % interval over 5 speakers 10.0 to 30.0, chance 25.0); the "
        "interval includes chance: emotion is not shown to be recognised better than chance."
    )
    alone = spaced(answer.recognition(summary(uar_low=NAN, uar_high=NAN, speakers=1), PAIRS))
    assert alone == (
        "On unseen speakers m reaches a UAR of 20.0 % (chance 25.0). One speaker gives no interval: how other "
        "speakers are recognised is not known."
    )
    held = spaced(answer.recognition(summary(split="validation"), PAIRS))
    assert held.startswith("On validation speakers (the epoch was chosen on them) m reaches a UAR of 20.0 %")
    assert answer.recognition(summary(split="train"), PAIRS) == "No model has been tested yet."


def test_seen_test_speakers_are_not_called_unseen(small: Run) -> None:
    seen = {"validation": (2, 3), "test": (4, 5)}
    assert spaced(answer.recognition(summary(), PAIRS, seen)).startswith(
        "On test speakers (4 of 5 seen in training) m reaches a UAR of 20.0 %"
    )
    assert spaced(answer.recognition(summary(split="validation"), PAIRS, seen)).startswith(
        "On validation speakers (the epoch was chosen on them, 2 of 3 seen in training) m reaches"
    )
    run = Run(small.folder, small.experiment)
    assert certificate.seen(run) == {"validation": (0, 10), "test": (0, 10)}
    for fold in run.splits[:3]:  # the test speakers of the first two folds are training speakers, too
        fold["train"]["speakers"] += [*run.splits[0]["test"]["speakers"], *run.splits[1]["test"]["speakers"]]
    assert certificate.seen(run)["test"] == (2, 10)
    first = answer.answer(run, summary(), PAIRS, pd.DataFrame())[0]
    assert first.startswith("On test speakers (2 of 10 seen in training) m reaches")


def test_a_model_with_auxiliary_scores_is_not_the_best(small: Run) -> None:
    auxiliary = {"embeddings": {"main": {"tasks": {"speaker": 1.0}, "auxiliary": ["emotion"]}}}
    models = dict(small.experiment.models) | {"MEnAN": auxiliary}
    run = Run(small.folder, small.experiment.model_copy(update={"models": models}))
    both = pd.concat([summary(model="MEnAN", uar=0.9, uar_low=0.8), summary(model="emotion_only", uar=0.6)])
    first = answer.answer(run, both, PAIRS, pd.DataFrame())[0]
    assert "emotion_only reaches a UAR of" in spaced(first)
    assert "MEnAN" not in first
    assert "MEnAN reaches the highest UAR" in spaced(answer.answer(small, both, PAIRS, pd.DataFrame())[0])
    assert set(tasks.of_recognisers(run, run.predictions)["model"]) == {"emotion_only", "gradient_reversal"}
    alone = Run(small.folder, small.experiment.model_copy(update={"models": {"MEnAN": auxiliary}}))
    only = run.predictions[run.predictions["model"] == "MEnAN"]
    assert set(tasks.of_recognisers(alone, only)["model"]) == {"MEnAN"}, (
        "if no model is trained for the target, all are kept"
    )
    svg = recognition.overview(run, run.metrics, scores.summary(run.predictions, run.classes))
    assert [name for name in run.experiment.models if f">{name} (auxiliary)<" in svg] == ["MEnAN"]
    assert tasks.auxiliary(small) == []


def test_the_best_model_is_above_or_not_separable_from_others() -> None:
    both = pd.concat([summary(model="poor"), summary(model="good", uar=0.6, uar_low=0.5)])
    pairs = PAIRS.copy()
    pairs.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, True, 6]
    assert answer.recognition(both, pairs).endswith("chance 25.0); it is above poor.")
    pairs.loc[0] = ["poor", "good", "uar", -0.1, -0.3, 0.1, False, 6]
    assert answer.recognition(both, pairs).endswith("; it is not separable from poor.")
    pairs.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, False, 3]
    assert answer.recognition(both, pairs).endswith("; it is not separable from poor (3 speakers; 6 are needed).")
    for number in range(1, 6):
        pairs.loc[number] = ["good", f"p{number}", "uar", 0.4, 0.3, 0.5, True, 6]
    assert "; it is above p1, p2, p3 and 2 more and not separable from poor" in answer.recognition(both, pairs)


def leak(name: str, score: float, **more: Any) -> dict[str, Any]:
    row = {
        **{"name": name, "model": name, "embedding": "main"},
        "speakers": "seen",
        "strongest": True,
        "erased": False,
        "score": score,
        "low": score - 0.1,
    }
    return row | {"high": score + 0.1, "chance": 0.125, "interval": "folds"} | more


def test_leakage_is_the_highest_and_the_lowest_score() -> None:
    rows = [leak("a", 0.5), leak("b", 0.3), leak("c", 0.4), leak("a", 0.9, strongest=False)]
    assert spaced(answer.leftover(pd.DataFrame(rows))) == (
        "The strongest probe identifies seen speakers with a UAR between 30.0 % (from b, 95 % interval 20.0 to 40.0) "
        "and 50.0 % (from a, 95 % interval 40.0 to 60.0); chance is 12.5 %."
    )
    one = [leak("a", 0.5, interval="training"), leak("a after LEACE", 0.1, erased=True)]
    assert spaced(answer.leftover(pd.DataFrame(one))) == (
        "The strongest probe identifies seen speakers with a UAR of 50.0 % (from a, interval of a single training run "
        "40.0 to 60.0); chance is 12.5 %; after LEACE it reaches 10.0 %."
    )
    unseen = pd.DataFrame([leak("a", 0.7, speakers="unseen", chance=0.5)])
    assert spaced(answer.leftover(unseen)) == (
        "The strongest probe identifies unseen speakers with a UAR of 70.0 % (from a, 95 % interval 60.0 to 80.0); "
        "chance is 50.0 %."
    )
    nothing = pd.DataFrame(columns=list(rows[0]))
    assert answer.leftover(nothing) == "Speaker leakage was not measured in this run."


def test_one_of_several_embeddings_is_named_and_the_other_leaks() -> None:
    first = spaced(answer.leftover(pd.DataFrame([leak("a_64, emotion", 0.5, model="a_64", embedding="emotion")])))
    assert "with a UAR of 50.0 % (from the embedding emotion of a_64, 95 % interval" in first
    rows = [{"model": name, "score": score} for name, score in (("a_64", 0.3), ("b_64", 0.4), ("c_64", 0.2))]
    leaks = {"factor": "emotion", "embedding": "speaker", "measure": "macro F", "rows": rows, "floor": 0.167}
    assert spaced(answer.leaking({"leaks": [leaks]})) == (
        "From the speaker embedding, a probe with one hidden layer predicts emotion with a macro F between 20.0 % "
        "(from c_64) and 40.0 % (from b_64), all classes with equal weight; the true speaker alone gives 16.7 %."
    )
    alone = leaks | {"rows": rows[:1], "floor": None}
    assert spaced(answer.leaking({"leaks": [alone]})).endswith(
        "with a macro F of 30.0 % (from a_64), all classes with equal weight."
    )
    assert answer.leaking(None) == answer.leaking({"leaks": []}) == ""


@pytest.mark.parametrize("broken", [False, True])
def test_a_split_is_clean_or_the_reason_is_given(make_run: Callable[..., Run], audited: Run, broken: bool) -> None:
    small = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False, shown=False)
    assert answer.split(audited) == (
        "The split is not clean: the certificate reports same-sentence; this was accepted when it was trained "
        f"(1 kind of leak examined, {len(LEAKS) - 1} not)."
    )
    run = Run(small.folder, small.experiment)
    if broken:
        run.splits[2]["train"]["speakers"].append(run.splits[2]["test"]["speakers"][0])
        assert answer.split(run).startswith("The split is not clean: a speaker is in two splits of fold 2 (1 kind")
    else:
        assert answer.split(run) == (
            f"In each of the 10 folds no speaker is in two splits; {len(LEAKS) - 1} kinds of leak were not examined."
        ), "an older certificate does not list them"
        why = dict.fromkeys(list(LEAKS)[1:], "not known")
        run.write_json("certificate.json", run.certificate | {"not_examined": why})
        run = resealed(run)
        assert answer.split(run) == (
            "The split is clean: in each of the 10 folds no speaker is in two splits, and no leak was found "
            f"(1 kind of leak examined, {len(LEAKS) - 1} not)."
        )
        part = {"examined_in_part": {"identical-audio": "names only"}}
        del why["identical-audio"]
        run.write_json("certificate.json", run.certificate | {"not_examined": why} | part)
        assert f"(1 kind of leak examined, 1 in part, {len(LEAKS) - 2} not)" in answer.split(resealed(run))
