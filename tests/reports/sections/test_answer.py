"""Three sentences that say what the figures say, and no more."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mien.audit.statistics import scores
from mien.data.protocols import LEAKS
from mien.reports.sections import answer, certificate, recognition, tasks
from mien.runs.run import Run

NAN = float("nan")
PAIRS = pd.DataFrame(columns=["model", "other", "measure", "difference", "low", "high", "separable", "speakers"])


def summary(**columns: object) -> pd.DataFrame:
    row = {"model": "m", "split": "test", "uar": 0.2, "uar_low": 0.1, "uar_high": 0.3, "uar_chance": 0.25}
    return pd.DataFrame([row | {"speakers": 5} | columns])


def told(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_recognition_says_no_more_than_the_figures() -> None:
    assert told(answer.recognition(summary(), PAIRS)) == (
        "On people never heard in training m reaches a UAR of 20.0 % (95 % interval over 5 speakers 10.0 to 30.0, "
        "chance 25.0), an interval that holds chance, so that it recognises emotion is not shown."
    )
    alone = told(answer.recognition(summary(uar_low=NAN, uar_high=NAN, speakers=1), PAIRS))
    assert alone.endswith("with one speaker there is no interval, and the figure says nothing about other people.")
    held = told(answer.recognition(summary(split="validation"), PAIRS))
    assert held.startswith("On validation speakers, who also chose the epoch, m reaches a UAR of 20.0 %")
    assert answer.recognition(summary(split="train"), PAIRS) == "No model has been tested yet."


def test_people_who_were_heard_are_not_called_strangers(small: Run) -> None:
    heard = {"validation": (2, 3), "test": (4, 5)}
    assert told(answer.recognition(summary(), PAIRS, heard)).startswith(
        "On test speakers, 4 of 5 of whom were heard in training, m reaches a UAR of 20.0 %"
    )
    assert told(answer.recognition(summary(split="validation"), PAIRS, heard)).startswith(
        "On validation speakers, who also chose the epoch, and 2 of 3 of whom were heard in training, m reaches"
    )
    run = Run(small.folder, small.experiment)
    assert certificate.heard(run) == {"validation": (0, 10), "test": (0, 10)}
    for fold in run.splits[:3]:  # the people tested in the first two folds train these, too
        fold["train"]["speakers"] += [*run.splits[0]["test"]["speakers"], *run.splits[1]["test"]["speakers"]]
    assert certificate.heard(run)["test"] == (2, 10)
    first = answer.answer(run, summary(), PAIRS, pd.DataFrame())[0]
    assert "2 of 10 of whom were heard in training" in first
    assert "people never heard" not in first


def test_a_model_whose_emotion_is_only_read_is_not_the_best(small: Run) -> None:
    reads = {"embeddings": {"main": {"tasks": {"speaker": 1.0}, "auxiliary": ["emotion"]}}}
    models = dict(small.experiment.models) | {"MEnAN": reads}
    run = Run(small.folder, small.experiment.model_copy(update={"models": models}))
    both = pd.concat([summary(model="MEnAN", uar=0.9, uar_low=0.8), summary(model="emotion_only", uar=0.6)])
    first = answer.answer(run, both, PAIRS, pd.DataFrame())[0]
    assert "emotion_only reaches a UAR of" in told(first)
    assert "MEnAN" not in first
    assert "MEnAN reaches the highest UAR" in told(answer.answer(small, both, PAIRS, pd.DataFrame())[0])
    assert set(tasks.of_recognisers(run, run.predictions)["model"]) == {"emotion_only", "gradient_reversal"}
    alone = Run(small.folder, small.experiment.model_copy(update={"models": {"MEnAN": reads}}))
    only = run.predictions[run.predictions["model"] == "MEnAN"]
    assert set(tasks.of_recognisers(alone, only)["model"]) == {"MEnAN"}, "where none is trained, all stand"
    drawn = recognition.overview(run, run.predictions, scores.summary(run.predictions, run.classes))
    assert [name for name in run.experiment.models if f">{name} (read)<" in drawn] == ["MEnAN"]
    assert tasks.readers(small) == []


def test_the_best_is_told_from_the_side_of_the_best() -> None:
    both = pd.concat([summary(model="poor"), summary(model="good", uar=0.6, uar_low=0.5)])
    pairs = PAIRS.copy()
    pairs.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, True, 6]
    assert answer.recognition(both, pairs).endswith("chance 25.0); it is above poor.")
    pairs.loc[0] = ["poor", "good", "uar", -0.1, -0.3, 0.1, False, 6]
    assert answer.recognition(both, pairs).endswith("; it is not separable from poor.")
    pairs.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, False, 3]
    assert answer.recognition(both, pairs).endswith("from poor, for 3 speakers can separate nothing.")
    for number in range(1, 6):
        pairs.loc[number] = ["good", f"p{number}", "uar", 0.4, 0.3, 0.5, True, 6]
    assert "; it is above p1, p2, p3 and 2 more and not separable from poor" in answer.recognition(both, pairs)


def leak(name: str, score: float, **more: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "speakers": "seen",
        "strongest": True,
        "erased": False,
        "score": score,
        "low": score - 0.1,
    }
    return row | {"high": score + 0.1, "chance": 0.125, "interval": "folds"} | more


def test_what_is_left_is_the_most_and_the_least() -> None:
    rows = [leak("a", 0.5), leak("b", 0.3), leak("c", 0.4), leak("a", 0.9, strongest=False)]
    assert told(answer.leftover(pd.DataFrame(rows))) == (
        "Of the speaker, the strongest probe still reads at most 50.0 % from a (95 % interval 40.0 to 60.0) and "
        "at least 30.0 % from b (95 % interval 20.0 to 40.0), chance 12.5 among people heard in training."
    )
    one = [leak("a", 0.5, interval="training"), leak("a + LEACE", 0.1, erased=True)]
    assert told(answer.leftover(pd.DataFrame(one))) == (
        "Of the speaker, the strongest probe still reads 50.0 % from a (interval of a single training 40.0 to 60.0), "
        "chance 12.5 among people heard in training; after LEACE it reads 10.0 %."
    )
    strangers = pd.DataFrame([leak("a", 0.7, speakers="unseen", chance=0.5)])
    assert "chance 50.0 among people not heard in training" in answer.leftover(strangers)
    older = pd.DataFrame([leak("a", 0.7, strongest=False)])
    assert answer.leftover(older).startswith("What is left of the speaker was measured before the strongest probe")
    assert "70.0" not in answer.leftover(older)
    nothing = pd.DataFrame(columns=list(rows[0]))
    assert answer.leftover(nothing) == "What is left of the speaker was not measured in this run."


def test_an_embedding_of_several_is_named_and_what_the_other_tells_of_emotion_is_said() -> None:
    first = told(answer.leftover(pd.DataFrame([leak("a_64, emotion", 0.5)])))
    assert "still reads 50.0 % from the embedding emotion of a_64 (95 %" in first
    rows = [{"model": name, "score": score} for name, score in (("a_64", 0.3), ("b_64", 0.4), ("c_64", 0.2))]
    leaks = {"factor": "emotion", "embedding": "speaker", "measure": "macro F", "rows": rows, "floor": 0.167}
    assert told(answer.leaking({"leaks": [leaks]})) == (
        "Of emotion, the speaker embedding tells a one-hidden-layer probe at most 40.0 % from b_64 and at least 20.0 % "
        "from c_64 (macro F, balanced); the true speaker alone tells 16.7 %."
    )
    alone = leaks | {"rows": rows[:1], "floor": None}
    assert told(answer.leaking({"leaks": [alone]})).endswith("30.0 % from a_64 (macro F, balanced).")
    assert answer.leaking(None) == answer.leaking({"leaks": []}) == ""


@pytest.mark.parametrize("broken", [False, True])
def test_a_split_is_clean_or_it_is_said_why_not(make_run: Callable[..., Run], audited: Run, broken: bool) -> None:
    small = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    assert answer.split(audited) == (
        "The split is not clean: the certificate finds same-sentence; this was accepted when it was trained "
        "(1 kind of leak examined, 8 not)."
    )
    run = Run(small.folder, small.experiment)
    if broken:
        run.splits[2]["train"]["speakers"].append(run.splits[2]["test"]["speakers"][0])
        assert answer.split(run).startswith("The split is not clean: somebody is in two parts of fold 2 (1 kind")
    else:
        assert answer.split(run) == (
            "In each of the 10 folds nobody is in two parts; 8 kinds of leak were not examined."
        ), "a certificate of before tells nothing of them"
        why = dict.fromkeys(list(LEAKS)[1:], "not told")
        run.write_json("certificate.json", run.certificate | {"not_examined": why})
        assert answer.split(run) == (
            "The split is clean: in each of the 10 folds nobody is in two parts, and no leak was found "
            "(1 kind of leak examined, 8 not)."
        )
        part = {"examined_in_part": {"identical-audio": "names only"}}
        del why["identical-audio"]
        run.write_json("certificate.json", run.certificate | {"not_examined": why} | part)
        assert "(1 kind of leak examined, 1 in part, 7 not)" in answer.split(run)
