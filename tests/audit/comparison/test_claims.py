"""Claims are answered yes on simulated effects, no on opposite effects, and not separable without an effect."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score

from mien import experiments
from mien.audit.comparison.claim_scores import Counts, Source
from mien.audit.comparison.claims import COLUMNS, answered, rows_of, write
from mien.audit.statistics.scores import BySpeaker
from mien.common.settings import Loader, parse
from mien.errors import ConfigError
from mien.experiments.claims import Axes, Claim, Claimed
from mien.runs.run import Run
from sealing import reseal

PAPER = experiments.load("peri2021")
MODELS = tuple(PAPER.models)
HEAD, LEAK, STRONGEST = (
    Source("emotion"),
    Source("emotion", "speaker", "mlp"),
    Source("emotion", "speaker", "strongest"),
)
PERSON, KNOWS = Source("speaker"), Source("speaker", "emotion", "mlp")
BETTER = {
    "says": "ALT recognises emotion better.",
    "kind": "above",
    "factor": "emotion",
    "measure": "macro_f1",
    "models": "alternating_64",
    "minus": "multitask_64",
}
Answers = dict[tuple[str, str | None, str], str]


def emotions(share: float, number: int, speakers: int = 12, each: int = 50) -> BySpeaker:
    """Counts of four unbalanced emotions; a prediction is right with probability `share`, otherwise random."""
    random = np.random.default_rng(number)
    counts = np.zeros((speakers, 4, 4))
    for who in range(speakers):
        for truth in np.maximum(np.arange(each) % 7 - 3, 0):
            counts[who, truth, truth if random.random() < share else random.integers(4)] += 1
    return BySpeaker(tuple(f"s{who:02}" for who in range(speakers)), counts)


def right(share: float, number: int, speakers: int = 12, each: int = 50) -> BySpeaker:
    hits = np.random.default_rng(number).binomial(each, share, speakers)
    counts = np.zeros((speakers, 2, 2))
    counts[:, 0] = np.stack([hits, each - hits], 1)
    return BySpeaker(tuple(f"s{who:02}" for who in range(speakers)), counts)


def differ_by(*p: float) -> Callable[[str, str], Mapping[str, object]]:
    """A test that gives these p for any two models, one per seed."""
    return lambda model, other: {"p": list(p), "p_holm": min(p), "seeds": list(range(len(p)))}


def simulated(
    emotion: Callable[[str], float], leak: Callable[[str], float], speakers: int = 12, **more: float
) -> Counts:
    """The counts of a run whose heads and probes predict emotion with these probabilities."""
    knows, person = more.get("knows", 0.08), more.get("person", 0.9)
    numbers = {name: number for number, name in enumerate(MODELS)}
    return Counts(
        {
            HEAD: {name: emotions(emotion(name), n, speakers) for name, n in numbers.items() if name != "person_only"},
            PERSON: {name: right(person, 50 + n, speakers, 400) for name, n in numbers.items()},
            LEAK: {
                name: emotions(leak(name), 100 + n, speakers) for name, n in numbers.items() if name != "emotion_only"
            },
            KNOWS: {name: right(knows, 200 + n, speakers, 400) for name, n in numbers.items()},
        },
        {("emotion", "mlp"): emotions(0.2, 300, speakers)},
        {PERSON: 1 / 12, KNOWS: 1 / 12},
        differ_by(more.get("p", 0.001)),
        frozenset(MODELS),
    )


def answers_of(
    what: Counts, claims: Mapping[str, Claim] = PAPER.claims, axes: Axes = PAPER.axes, models: tuple[str, ...] = MODELS
) -> Answers:
    table = answered(claims, axes, models, what)
    return {(claim["claim"], claim["probe"], claim["clips"]): claim["answer"] for claim in table}


def without_strongest(what: Counts) -> Answers:
    """The answers that do not depend on the strongest probe, which has no counts in `simulated`."""
    return {one: answer for one, answer in answers_of(what).items() if one[1] != "strongest"}


def size(name: str) -> float:
    return {"2048": 0.0, "256": 0.15, "64": 0.3}.get(name.rpartition("_")[2], 0.15)


def papers_leak(name: str) -> float:
    removed = {"multitask": 0.0, "person": -0.1, "gradient": 0.2, "alternating": 0.4, "confusion": 0.4}
    return 0.98 - removed[name.partition("_")[0]] - 0.8 * size(name)


def even(what: Counts) -> Counts:
    """The same counts, scaled so that all classes are equally frequent."""
    tables = {
        source: {
            model: BySpeaker(table.speakers, table.counts / np.maximum(table.counts.sum((0, -1)), 1)[None, :, None])
            for model, table in own.items()
        }
        for source, own in what.tables.items()
        if source.factor == "emotion"
    }
    return what._replace(tables=dict(what.tables) | tables)


def test_claims_are_answered_yes_on_simulated_effects() -> None:
    gains = {"emotion": 0.3, "multitask": 0.5}
    answers = without_strongest(
        simulated(lambda name: gains.get(name.partition("_")[0], 0.6) + size(name) * ("only" not in name), papers_leak)
    )
    assert len(answers) == 16
    assert {one: answer for one, answer in answers.items() if answer != "yes"} == {}


def test_without_an_effect_nothing_is_separable() -> None:
    what = simulated(lambda _: 0.6, lambda _: 0.2, p=0.3)
    answers = without_strongest(what)
    kept = {"emotion_kept", "person_kept", "person_near_chance"}  # yes without an effect
    above = {"single_leaks", "multitask_leaks"}  # guesses are above "all neutral" in F
    assert {answers[one] for one in answers if one[0] not in kept | above} == {"not separable"}
    assert answers["person_kept", None, "all"] == answers["person_near_chance", "mlp", "all"] == "yes"
    table = answered(PAPER.claims, PAPER.axes, MODELS, what)
    assert all(one["p_holm"] >= one["p"] for claim in table for one in claim["contrasts"] if "difference" in one)


def test_with_equally_frequent_classes_each_claim_is_answered_once() -> None:
    uneven = simulated(lambda name: 0.5 + size(name), papers_leak)
    both, once = without_strongest(uneven), without_strongest(even(uneven))
    assert len(once) == len(both) - 3
    names = [name for name, _, _ in once]
    assert len(set(names)) == len(names)
    assert once.keys() - both.keys() == {
        (name, "mlp", "balanced as it is")
        for name in (
            *("single_leaks_more", "multitask_leaks_more"),
            *("removal_leaks_less", "newer_leak_less", "least_at_smallest"),
        )
    }
    assert ("single_leaks", "mlp", "all") in once


def test_opposite_effects_are_answered_no() -> None:
    answers = answers_of(
        simulated(
            lambda name: 0.9 if name == "emotion_only" else (0.7 if "multitask" in name else 0.4) - size(name),
            lambda name: 0.1 if name == "person_only" else 1.1 - papers_leak(name),
            knows=0.3,
        )
    )
    for claim in ("multitask_gains", "smaller_gains", "emotion_kept"):
        assert answers[claim, None, "all"] == "no"
    assert answers["person_near_chance", "mlp", "all"] == "no"
    for claim in ("removal_leaks_less", "newer_leak_less", "least_at_smallest"):
        assert answers[claim, "mlp", "all"] == answers[claim, "mlp", "balanced"] == "no"


def test_with_five_speakers_nothing_is_separable() -> None:
    few = without_strongest(
        simulated(lambda name: 0.3 if name == "emotion_only" else 0.5 + size(name), papers_leak, speakers=5)
    )
    assert [one for one, answer in few.items() if answer != "not separable"] == [("different", None, "all")]


def test_claims_about_missing_scores_are_not_asked() -> None:
    whole = simulated(lambda _: 0.5, lambda _: 0.5)
    some = [name for name in MODELS if name.endswith("64") and "confusion" not in name]
    tables = {source: {name: own[name] for name in some if name in own} for source, own in whole.tables.items()}
    answers = answers_of(whole._replace(tables=tables))
    for claim in ("newer_leak_less", "least_at_smallest"):
        assert answers[claim, "mlp", "all"] == answers[claim, "mlp", "balanced"] == "not asked"
    assert answers["smaller_gains", None, "all"] == answers["multitask_gains", None, "all"] == "not asked"
    assert answers["removal_leaks_less", "mlp", "all"] != "not asked"
    assert answers["removal_leaks_less", "strongest", "balanced"] == "not asked"
    floorless = answers_of(whole._replace(floors={}))
    assert floorless["multitask_leaks_more", "mlp", "balanced"] == "not asked" != floorless["emotion_kept", None, "all"]
    assert set(answers_of(Counts()).values()) == {"not asked"}


def test_a_claim_of_several_steps_needs_every_step() -> None:
    uneven = {"2048": 0.7, "256": 0.4, "64": 0.95}
    answers = answers_of(simulated(lambda name: uneven.get(name.rpartition("_")[2], 0.5), papers_leak))
    assert answers["smaller_gains", None, "all"] == "no"  # though 64 is far above 2048


def test_near_chance_means_below_twice_chance() -> None:
    speakers = 200
    what = simulated(lambda _: 0.5, lambda _: 0.5, speakers=speakers)
    for share, answer in ((0.017, "no"), (0.005, "yes")):
        table = {name: right(share, number, speakers, 400) for number, name in enumerate(MODELS)}
        near = what._replace(tables=dict(what.tables) | {KNOWS: table}, most={KNOWS: 1 / speakers})
        assert answers_of(near)["person_near_chance", "mlp", "all"] == answer


def test_leaks_are_scored_by_the_strongest_probe_too() -> None:
    what = simulated(lambda name: 0.5 + size(name), lambda _: 0.2)  # the probe of one hidden layer finds nothing
    read = simulated(lambda _: 0.5, papers_leak)
    tables = dict(what.tables) | {STRONGEST: read.tables[LEAK]}
    floors = dict(what.floors) | {("emotion", "strongest"): read.floors["emotion", "mlp"]}
    answers = answers_of(what._replace(tables=tables, floors=floors))
    assert answers["removal_leaks_less", "mlp", "balanced"] == "not separable"
    assert answers["removal_leaks_less", "strongest", "balanced"] == "yes"
    assert answers["single_leaks_more", "strongest", "balanced"] == "yes"


CARRIED = {name: dict(PAPER.model(name).carried) for name in MODELS}
LEAKS = ("removal_leaks_less", "newer_leak_less", "least_at_smallest")


def told(
    persons: Callable[[str], float], *names: str, leak: Callable[[str], float] = papers_leak
) -> dict[str, tuple[str, list[bool]]]:
    """Claim -> its answer on all clips, and whether each of its differences can be compared."""
    what = simulated(lambda _: 0.6, leak)
    people = {name: right(persons(name), 50 + number, each=400) for number, name in enumerate(MODELS)}
    claims = {name: PAPER.claims[name].model_copy(update={"also": {}}) for name in names}
    table = answered(
        claims, PAPER.axes, MODELS, what._replace(tables=dict(what.tables) | {PERSON: people}), carried=CARRIED
    )
    return {claim["claim"]: (claim["answer"], [one["comparable"] for one in claim["contrasts"]]) for claim in table}


def test_leaks_of_a_model_that_keeps_its_target_are_compared() -> None:
    assert told(lambda _: 0.9, *LEAKS) == {
        "removal_leaks_less": ("yes", [True] * 3),
        "newer_leak_less": ("yes", [True] * 2),
        "least_at_smallest": ("yes", [True] * 2),
    }


def test_a_collapsed_model_answers_no_claim_of_leakage() -> None:
    others = ("single_leaks", "multitask_leaks", "person_kept")
    answers = told(lambda name: 0.14 if "alternating" in name else 0.9, *LEAKS, *others)
    answer, comparable = answers["removal_leaks_less"]
    assert answer.startswith(
        "not comparable: alternating_2048, alternating_256, alternating_64 no longer predict the speaker (accuracy 0.1"
    )
    assert answer.endswith(", the best model 0.906)")
    assert comparable == [True, False, True]
    assert answers["newer_leak_less"][1] == [False, True]
    assert answers["least_at_smallest"][0].startswith("not comparable: alternating_64, alternating_2048, alternating_2")
    assert answers["least_at_smallest"][1] == [False, False]
    assert [answers[claim][0] for claim in others] == ["yes", "yes", "no"]
    assert all(all(answers[claim][1]) for claim in others)


def test_a_leak_that_falls_with_its_target_is_not_comparable() -> None:
    one = LEAKS[0]
    answer, comparable = told(lambda name: 0.8 if "alternating" in name else 0.9, one)[one]
    begins = "not comparable: what leaks less in alternating minus multitask predicts the speaker less well, too "
    begins += "(accuracy -0.1"
    assert answer.startswith(begins)
    assert comparable == [True, False, True]
    little = told(lambda name: 0.89 if "alternating" in name else 0.9, one)  # less than the margin
    assert little[one] == ("yes", [True] * 3)
    more = told(lambda name: 0.8 if "multitask" in name else 0.9, one)  # it leaks less and tells more
    assert more[one] == ("yes", [True] * 3)


def test_another_difference_that_says_no_is_enough() -> None:
    def more(name: str) -> float:
        return 0.99 if "gradient" in name else papers_leak(name) - 0.2

    answers = told(lambda name: 0.14 if "alternating" in name else 0.9, LEAKS[0], leak=more)
    assert answers[LEAKS[0]] == ("no", [True, False, True])


def test_the_baseline_must_keep_its_target_where_it_leaks_less() -> None:
    answers = told(lambda name: 0.8 if "gradient" in name else 0.9, LEAKS[1], leak=lambda name: 1.1 - papers_leak(name))
    answer, comparable = answers[LEAKS[1]]
    begins = (
        "not comparable: what leaks less in alternating minus gradient_reversal predicts the speaker less well, too "
    )
    assert answer.startswith(begins)
    assert comparable == [False, False]


def test_nearly_no_leak_of_a_collapsed_embedding_is_no_answer() -> None:
    what = simulated(lambda name: 0.0 if name == "multitask_64" else 0.9, papers_leak)
    claims = {"person_near_chance": PAPER.claims["person_near_chance"]}
    (claim,) = answered(claims, PAPER.axes, MODELS, what, carried=CARRIED)
    assert claim["answer"].startswith("not comparable: multitask_64 no longer predicts the emotion (UAR 0.2")


def test_every_seed_has_to_differ() -> None:
    what = simulated(lambda _: 0.5, lambda _: 0.5)
    for seeds, answer in (((0.001, 0.002), "yes"), ((0.001, 0.2), "not separable")):
        assert answers_of(what._replace(different=differ_by(*seeds)))["different", None, "all"] == answer
    rows = [claim for claim in answered(PAPER.claims, PAPER.axes, MODELS, what) if claim["claim"] == "different"]
    assert [row["contrast"] for row in rows[0]["contrasts"]][:2] == [
        "gradient_reversal_2048 against multitask_2048",
        "gradient_reversal_256 against multitask_256",
    ]
    assert len(rows[0]["contrasts"]) == 9


def test_margin_and_level_are_settings_of_a_claim() -> None:
    what = simulated(lambda name: 0.75 if "multitask" in name else 0.71, papers_leak, p=0.03)
    answers = {}
    for margin, alpha in ((0.01, 0.01), (0.2, 0.05)):
        claims = {
            "emotion_kept": PAPER.claims["emotion_kept"].model_copy(update={"margin": margin}),
            "different": PAPER.claims["different"].model_copy(update={"alpha": alpha}),
        }
        answers[margin] = list(answers_of(what, claims).values())
    assert answers == {0.01: ["no", "not separable"], 0.2: ["yes", "yes"]}


def test_claims_about_any_models_and_factor_are_answered() -> None:
    text = """
    better: {says: A is better., kind: above, factor: gender, measure: uar, models: a, minus: [b, c]}
    worse: {says: A is worse., kind: below, factor: gender, measure: accuracy, models: a, minus: b}
    chance: {says: C only guesses., kind: near, factor: gender, measure: uar, margin: 0.1, models: c, minus: chance}
    """
    claims = parse(Claimed, {"claims": yaml.load(text, Loader)}, "file").claims
    shares = {"a": 0.9, "b": 0.5, "c": 0.0}
    tables = {Source("gender"): {name: emotions(share, n) for n, (name, share) in enumerate(shares.items())}}
    table = answered(claims, {}, tuple(shares), Counts(tables))
    assert [(claim["claim"], claim["answer"]) for claim in table] == [
        ("better", "yes"),
        ("worse", "no"),
        ("chance", "yes"),
    ]
    assert [one["contrast"] for one in table[0]["contrasts"]] == ["a minus b", "a minus c"]
    assert table[2]["margin"] == 0.1


def test_the_table_has_a_row_per_contrast_or_per_claim_without_any() -> None:
    table = answered(PAPER.claims, PAPER.axes, MODELS, simulated(lambda _: 0.5, lambda _: 0.5))
    rows = rows_of(table)
    assert tuple(rows.columns) == COLUMNS
    assert len(rows) == sum(max(1, len(claim["contrasts"])) for claim in table)
    unasked = rows[rows["answer"] == "not asked"]
    assert set(unasked["probe"]) == {"strongest"}
    assert unasked["contrast"].isna().all()


def test_claims_are_answered_from_the_files_of_a_run(two: Run) -> None:
    made = write(two)
    assert made is not None
    assert made == json.loads((two.folder / "claims.json").read_text())
    assert made["split"] == "test"
    answers = {(claim["claim"], claim["probe"], claim["clips"]): claim["answer"] for claim in made["claims"]}
    assert answers["removal_leaks_less", "mlp", "balanced"] == "yes"
    assert {name for name, _, _ in answers} == set(two.experiment.claims)
    tests = next(claim for claim in made["claims"] if claim["claim"] == "different")["contrasts"]
    assert [(one["contrast"], len(one["each"])) for one in tests] == [("alternating_64 against multitask_64", 1)]
    claims = rows_of(made["claims"])
    assert (two.folder / "claims.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert set(claims["answer"]) == set(answers.values())


def test_a_claim_on_some_clips_is_answered_from_these_alone(two: Run) -> None:
    def written(**claims: object) -> dict[str, list[dict[str, object]]]:
        own = parse(Claimed, {"claims": claims}, "").claims
        made = write(replace(two, experiment=two.experiment.model_copy(update={"claims": own})))
        assert made is not None
        return made

    part = {"speaker": ["s0", "s1", "s2", "s3", "s4", "s5", "s6"]}
    every, some = written(every=BETTER), written(some={**BETTER, "where": part})
    both = written(every=BETTER, some={**BETTER, "where": part})
    words = "speaker s0 or s1 or s2 or s3 or s4 or s5 or s6"
    assert [one["where"] for one in both["claims"]] == [one["where"] for one in both["scores"]] == ["", words]
    assert both["claims"] == every["claims"] + some["claims"]
    assert both["scores"] == every["scores"] + some["scores"]
    own = two.predictions.query("split == 'test' and model == 'multitask_64'")
    for score, rows in zip(both["scores"], (own, own[own["speaker"].isin(part["speaker"])]), strict=True):
        row = next(row for row in score["ways"][0]["rows"] if row["model"] == "multitask_64")
        assert row["score"] == pytest.approx(f1_score(rows["truth"], rows["predicted"], average="macro"))
        assert (row["clips"], row["speakers"]) == (rows["clip"].nunique(), rows["speaker"].nunique())
    none = written(nobody={**BETTER, "where": {"speaker": "nobody"}})
    assert ([one["answer"] for one in none["claims"]], none["scores"]) == (["not asked"], [])
    with pytest.raises(ConfigError, match="claims: where: unknown column of the corpus 'speakre'"):
        written(nobody={**BETTER, "where": {"speakre": "s0"}})


def test_without_probes_only_claims_about_heads_are_answered(make_two) -> None:
    bare: Run = make_two({"emotion_only": 0.0, "multitask_64": 0.0}, people=6)
    (bare.folder / "tasks.csv").unlink()
    reseal(bare.folder)
    made = write(bare)
    assert made is not None
    assert [(one["factor"], one["embedding"]) for one in made["scores"]] == [("emotion", None)]
    assert {claim["claim"] for claim in made["claims"] if claim["answer"] != "not asked"} == {"multitask_gains"}


def test_without_claims_nothing_is_written(make_compared) -> None:
    other: Run = make_compared("run", {"a": 0.8}, clips=4, speakers=3, seeds=(0,))
    assert write(other) is None
    assert not (other.folder / "claims.json").exists()
    assert not (other.folder / "claims.csv").exists()
