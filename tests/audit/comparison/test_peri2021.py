"""Claims are answered yes on planted effects, no on planted opposites, and not separable where there is nothing."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from mien.audit.comparison import peri2021
from mien.audit.comparison.claims import COLUMNS, Found, answered
from mien.audit.run_leakage.measure import run_said
from mien.audit.statistics.scores import BySpeaker
from mien.runs.run import Run

METHODS = ("multitask", "gradient_reversal", "alternating", "confusion")
MODELS = {(method, size): f"{method}_{size}" for method in METHODS for size in (2048, 256, 64)}
NAMES = ("emotion_only", "person_only", *MODELS.values())


def felt(share: float, number: int, people: int = 12, each: int = 50) -> BySpeaker:
    """Four emotions, unevenly frequent, each told rightly with this probability, else as any."""
    random = np.random.default_rng(number)
    counts = np.zeros((people, 4, 4))
    for who in range(people):
        for truth in np.maximum(np.arange(each) % 7 - 3, 0):
            counts[who, truth, truth if random.random() < share else random.integers(4)] += 1
    return BySpeaker(tuple(f"s{who:02}" for who in range(people)), counts)


def right(share: float, number: int, people: int = 12, each: int = 50) -> BySpeaker:
    hits = np.random.default_rng(number).binomial(each, share, people)
    counts = np.zeros((people, 2, 2))
    counts[:, 0] = np.stack([hits, each - hits], 1)
    return BySpeaker(tuple(f"s{who:02}" for who in range(people)), counts)


def found(emotion: Callable[[str], float], leak: Callable[[str], float], people: int = 12, **more: float) -> Found:
    """What a run shows whose heads and probes know emotion so often."""
    knows, person = more.get("knows", 0.08), more.get("person", 0.9)
    numbers = {name: number for number, name in enumerate(NAMES)}
    return Found(
        MODELS,
        {name: felt(emotion(name), number, people) for name, number in numbers.items() if name != "person_only"},
        {name: right(person, 50 + number, people, 400) for name, number in numbers.items()},
        {name: felt(leak(name), 100 + number, people) for name, number in numbers.items() if name != "emotion_only"},
        felt(0.2, 300, people),
        {name: right(knows, 200 + number, people, 400) for name, number in numbers.items()},
        1 / 12,
        [{"model": "a", "other": "b", "p": [more.get("p", 0.001)], "p_holm": more.get("p", 0.001), "seeds": [0]}],
    )


def answers(what: Found) -> dict[tuple[str, str], str]:
    return {(claim["claim"], claim["clips"]): claim["answer"] for claim in answered(what)}


def size(name: str) -> float:
    return {"2048": 0.0, "256": 0.15, "64": 0.3}.get(name.rpartition("_")[2], 0.15)


def papers_leak(name: str) -> float:
    removed = {"multitask": 0.0, "person": -0.1, "gradient": 0.2, "alternating": 0.4, "confusion": 0.4}
    return 0.98 - removed[name.partition("_")[0]] - 0.8 * size(name)


def test_what_the_paper_claims_is_answered_yes_where_it_is_planted() -> None:
    gains = {"emotion": 0.3, "multitask": 0.5}
    told = answers(
        found(lambda name: gains.get(name.partition("_")[0], 0.6) + size(name) * ("only" not in name), papers_leak)
    )
    assert len(told) == 16
    assert {one: answer for one, answer in told.items() if answer != "yes"} == {}


def test_where_there_is_nothing_nothing_is_separable() -> None:
    table = answered(found(lambda _: 0.6, lambda _: 0.2, p=0.3))
    told = {(claim["claim"], claim["clips"]): claim["answer"] for claim in table}
    kept = {"emotion_kept", "person_kept", "person_near_chance"}  # what nothing was done to is kept
    effects = {one: answer for one, answer in told.items() if one[0] not in kept}
    above = [("single_leaks", "all clips"), ("multitask_leaks", "all clips")]  # guesses are above "all neutral" in F
    assert {answer for one, answer in effects.items() if one not in above} == {"not separable"}
    assert told["person_kept", ""] == told["person_near_chance", ""] == "yes"
    assert all(one["p_holm"] >= one["p"] for claim in table for one in claim["contrasts"] if "p" in one)


def test_of_clips_that_are_balanced_already_each_claim_stands_once() -> None:
    what = found(lambda name: 0.5 + size(name), papers_leak)
    both, once = answered(what), answered(what._replace(even=True))
    told = {(claim["claim"], claim["clips"]): claim for claim in once}
    assert len(told) == len(once) == len(both) - 3
    names = [claim["claim"] for claim in once]
    assert {name for name in names if names.count(name) > 1} == {"single_leaks", "multitask_leaks"}
    assert {claim["clips"] for claim in once} == {"", "all clips", "balanced as it is"}
    for claim in both:
        if claim["clips"] == "balanced":
            assert told[claim["claim"], "balanced as it is"]["contrasts"] == claim["contrasts"]
    assert told["single_leaks", "all clips"]["contrasts"][0]["contrast"] == "person_only minus all one class"


def test_the_opposite_is_answered_no() -> None:
    told = answers(
        found(
            lambda name: 0.9 if name == "emotion_only" else (0.7 if "multitask" in name else 0.4) - size(name),
            lambda name: 0.1 if name == "person_only" else 1.1 - papers_leak(name),
            knows=0.3,
        )
    )
    for claim in ("multitask_gains", "smaller_gains", "emotion_kept", "person_near_chance"):
        assert told[claim, ""] == "no"
    for claim in ("removal_leaks_less", "newer_leak_less", "least_at_smallest"):
        assert told[claim, "all clips"] == told[claim, "balanced"] == "no"


def test_what_is_not_there_is_not_asked_and_five_people_separate_nothing() -> None:
    few = answers(found(lambda name: 0.3 if name == "emotion_only" else 0.5 + size(name), papers_leak, people=5))
    assert set(few.values()) == {"not separable", "yes"}
    assert [one for one, answer in few.items() if answer == "yes"] == [("different", "")]
    whole = found(lambda _: 0.5, lambda _: 0.5)
    one = {place: name for place, name in MODELS.items() if place[1] == 64 and place[0] != "confusion"}
    told = answers(whole._replace(models=one))
    for claim in ("newer_leak_less", "least_at_smallest"):
        assert told[claim, "all clips"] == told[claim, "balanced"] == "not asked"
    assert told["smaller_gains", ""] == "not asked"
    assert told["removal_leaks_less", "all clips"] != "not asked"
    nothing = Found({}, {}, {}, {}, None, {}, None, [])
    assert set(answers(nothing).values()) == {"not asked"}


def test_the_evidence_of_a_run_is_its_figures(two: Run) -> None:
    run = two
    told = peri2021.write(run)
    assert told is not None
    assert told == json.loads((run.folder / "peri2021.json").read_text())
    predictions = run.predictions[run.predictions["split"] == "test"]
    head = {row["model"]: row for row in told["figure_3a"]}
    assert list(head) == ["multitask_64", "alternating_64"]  # emotion is no task of person_only
    for model, row in head.items():
        own = predictions[predictions["model"] == model]
        assert row["f1"] == pytest.approx(f1_score(own["truth"], own["predicted"], average="macro"))
    said = run_said(run)
    leak = {row["model"]: row for row in told["figure_3b"]}
    frequent = predictions.drop_duplicates("clip")["truth"].value_counts()
    assert len(set(frequent)) > 1
    assert told["even"] is False
    for model, row in leak.items():
        own = said[(said["model"] == model) & (said["factor"] == "emotion") & (said["probe"] == "mlp")]
        assert row["f1"] == pytest.approx(f1_score(own["truth"], own["predicted"], average="macro"))
    assert leak["alternating_64"]["f1"] + 0.1 < leak["multitask_64"]["f1"]
    assert leak["multitask_64"]["excess"] == pytest.approx(
        leak["multitask_64"]["balanced_f1"] - told["identity_floor"]["balanced_f1"]
    )
    people = {row["model"]: row for row in told["table_1"]}
    assert people["multitask_64"]["paper"] == 0.905
    assert people["person_only"]["paper"] is None
    tasks = pd.read_csv(run.folder / "tasks.csv").query("split == 'test' and model == 'multitask_64'")
    assert people["multitask_64"]["accuracy"] == pytest.approx(accuracy_score(tasks["truth"], tasks["predicted"]))
    assert [row["model"] for row in told["person_from_emotion"]] == ["multitask_64", "alternating_64"]
    assert told["stuart_maxwell"][0]["other"] == "multitask_64"
    claims = pd.read_csv(run.folder / "claims.csv")
    assert tuple(claims.columns) == COLUMNS
    answer = {(row["claim"], row["clips"]): row["answer"] for row in told["claims"]}
    assert answer["removal_leaks_less", "balanced"] == "yes"
    assert answer["multitask_gains", ""] == answer["smaller_gains", ""] == "not asked"
    assert set(claims["answer"]) == set(answer.values())


def test_a_run_without_measurements_or_heads_is_answered_as_far_as_it_goes(make_two) -> None:
    bare: Run = make_two({"emotion_only": 0.0, "multitask_64": 0.0}, people=6)
    (bare.folder / "tasks.csv").unlink()
    told = peri2021.evidence(bare)
    assert told["table_1"] == told["figure_3b"] == told["person_from_emotion"] == []
    assert told["identity_floor"] is None
    assert {claim["claim"] for claim in told["claims"] if claim["answer"] != "not asked"} == {"multitask_gains"}


def test_other_runs_are_not_asked(make_compared) -> None:
    other: Run = make_compared("run", {"a": 0.8}, clips=4, speakers=3, seeds=(0,))
    assert not peri2021.asked(other)
    assert peri2021.write(other) is None
    assert not (other.folder / "peri2021.json").exists()
    assert peri2021.asked(replace(other, experiment=other.experiment.model_copy(update={"paper": peri2021.PAPER})))


def test_better_still_means_at_every_step() -> None:
    uneven = {"2048": 0.7, "256": 0.4, "64": 0.95}
    told = answers(found(lambda name: uneven.get(name.rpartition("_")[2], 0.5), papers_leak))
    assert told["smaller_gains", ""] == "no"  # though 64 is far above 2048


def test_near_chance_is_within_twice_of_it_however_small() -> None:
    people = 200
    what = found(lambda _: 0.5, lambda _: 0.5, people=people)
    for share, answer in ((0.017, "no"), (0.005, "yes")):
        table = {name: right(share, number, people, 400) for number, name in enumerate(NAMES)}
        assert answers(what._replace(knows=table, most=1 / people))["person_near_chance", ""] == answer


def test_leaks_are_judged_by_the_strongest_probe_too() -> None:
    what = found(lambda name: 0.5 + size(name), lambda _: 0.2)  # the paper's probe reads nothing
    read = found(lambda _: 0.5, papers_leak)
    told = answers(what._replace(strongest=read.leak, strongest_identity=read.identity))
    assert told["removal_leaks_less", "balanced"] == "not separable"
    assert told["removal_leaks_less", "balanced, strongest probe"] == "yes"


def test_every_seed_has_to_differ() -> None:
    what = found(lambda _: 0.5, lambda _: 0.5)
    for seeds, answer in (([0.001, 0.002], "yes"), ([0.001, 0.2], "not separable")):
        rows = [{"model": "a", "other": "b", "p": seeds, "p_holm": min(seeds), "seeds": [0, 1]}]
        assert answers(what._replace(different=rows))["different", ""] == answer
