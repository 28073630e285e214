"""Claims of an experiment: the models that each compares, and how unknown names are refused."""

import copy

import pytest
import yaml

from mien import experiments
from mien.common.settings import Loader, parse
from mien.errors import ConfigError
from mien.experiments import library
from mien.experiments.claims import Axes, Claim, Claimed, Difference, check, differences, places, without

AXES = {
    "method": {"plain": ["plain_9", "plain_4"], "old": ["old_9", "old_4"], "new": ["new_9", "new_4"]},
    "size": {9: ["plain_9", "old_9", "new_9"], 4: ["plain_4", "old_4", "new_4"]},
}
MODELS = ("alone", "plain_9", "plain_4", "old_9", "old_4", "new_9", "new_4")
SCORE = {"says": "It is so.", "kind": "above", "factor": "emotion", "measure": "macro_f1"}
CARRIED = {name: {"main": ("emotion",), "who": ("speaker",)} for name in MODELS}


def claimed(text: str, axes: object = AXES) -> tuple[Claim, Axes]:
    """A claim of a score, or of another kind, from YAML."""
    raw = {"axes": axes, "claims": {"one": SCORE | yaml.load(text, Loader)}}
    found = parse(Claimed, raw, "file")
    return found.claims["one"], found.axes


def compared(text: str, models: tuple[str, ...] = MODELS) -> list[Difference]:
    claim, axes = claimed(text)
    return list(differences(claim, axes, models))


def test_the_axis_that_minus_names_is_compared_value_by_value() -> None:
    two = [
        Difference("old minus plain", ("old_9", "old_4"), ("plain_9", "plain_4")),
        Difference("new minus plain", ("new_9", "new_4"), ("plain_9", "plain_4")),
    ]
    assert compared("{models: {method: others}, minus: {method: plain}}") == two
    assert compared("{models: {method: [old, new]}, minus: {method: plain}}") == two
    assert compared("{models: {method: new, size: 4}, minus: {size: others}}") == [
        Difference("new: 4 minus 9", ("new_4",), ("new_9",))
    ]
    assert compared("{models: {method: [old, new], size: 4}, minus: {size: 9}}") == [
        Difference("old, new: 4 minus 9", ("old_4", "new_4"), ("old_9", "new_9"))
    ]


def test_models_go_by_name_too_and_levels_are_no_models() -> None:
    mean = ("plain_9", "plain_4")
    assert compared("{models: {method: plain}, minus: alone}") == [Difference("plain minus alone", mean, ("alone",))]
    assert compared("{models: [old_9, new_4], minus: [alone, plain_4]}") == [
        Difference(f"{one} minus {other}", (one,), (other,))
        for one in ("old_9", "new_4")
        for other in ("alone", "plain_4")
    ]
    assert compared("{models: {method: plain}, minus: chance}") == [Difference("plain minus chance", mean, ())]
    assert compared("{models: alone, minus: identity floor, embedding: main}") == [
        Difference("alone minus the identity floor", ("alone",), ())
    ]


def test_along_an_axis_is_its_whole_way_and_each_step() -> None:
    axes = AXES | {"size": {9: ["plain_9"], 6: ["old_9"], 4: ["plain_4"]}}
    claim, three = claimed("{along: size}", axes={"size": axes["size"]})
    assert [one.words for one in differences(claim, three, MODELS)] == ["4 minus 9", "6 minus 9", "4 minus 6"]
    assert compared("{models: {method: plain}, along: size}") == [
        Difference("plain: 4 minus 9", ("plain_4",), ("plain_9",))
    ]


def test_means_are_over_the_places_that_both_sides_have() -> None:
    some = tuple(model for model in MODELS if model not in ("old_4", "new_9"))
    assert compared("{models: {method: others}, minus: {method: plain}}", some) == [
        Difference("old minus plain", ("old_9",), ("plain_9",)),
        Difference("new minus plain", ("new_4",), ("plain_4",)),
    ]
    assert compared("{models: {method: [old, new], size: 4}, minus: {size: others}}", some) == []


def test_named_values_must_exist_and_others_are_those_that_do() -> None:
    some = tuple(model for model in MODELS if "new" not in model)
    assert compared("{models: {method: [old, new]}, minus: {method: plain}}", some) == []
    assert [one.words for one in compared("{models: {method: others}, minus: {method: plain}}", some)] == [
        "old minus plain"
    ]
    assert compared("{models: {method: others}, minus: {method: new}}", some) == []
    assert compared("{models: [old_9, new_9], minus: alone}", some) == []


def test_a_place_has_a_value_on_each_axis() -> None:
    _, axes = claimed("{along: size}")
    assert places(axes, ["alone", "old_4"]) == {"alone": {}, "old_4": {"method": "old", "size": "4"}}


def test_the_own_way_of_a_claim_comes_first() -> None:
    claim, _ = claimed(
        "{models: alone, minus: chance, embedding: who, also: {b: {clips: balanced}, s: {probe: strongest}}}"
    )
    assert claim.ways == (("mlp", "all"), ("mlp", "balanced"), ("strongest", "all"))
    assert claimed("{models: alone, minus: chance}")[0].ways == ((None, "all"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{models: alone}", "give one of 'minus' (what the models are compared with) and 'along' (an axis)"),
        ("{minus: chance}", "'models' is missing: name the models whose scores are compared"),
        (
            "{models: alone, minus: {method: old, size: 4}}",
            "'minus' names one axis, or models; the rest of both sides is the same",
        ),
        (
            "{models: alone, minus: chance, measure: null}",
            "'measure' is missing: a claim of the kind 'above' is about a score",
        ),
        (
            "{models: alone, minus: chance, factor: null}",
            "'factor' is missing: a claim of the kind 'above' is about a score",
        ),
        (
            "{models: alone, minus: chance, kind: abov}",
            "unknown kind 'abov'. Did you mean 'above'? Known: above, below, different, kept, near.",
        ),
        (
            "{models: alone, minus: chance, measure: macro_f}",
            "unknown measure 'macro_f'. Did you mean 'macro_f1'? Known: accuracy, ccc, macro_f1, micro_f1, rmse, uar.",
        ),
        (
            "{models: alone, minus: chance, clips: balancd}",
            "unknown clips 'balancd'. Did you mean 'balanced'? Known: all, balanced.",
        ),
        (
            "{models: alone, minus: chance, embedding: who, also: {s: {probe: strongst}}}",
            "unknown probe 'strongst'. Did you mean 'strongest'? Known: mlp, strongest.",
        ),
        (
            "{models: alone, minus: chance, probe: mlp}",
            "a probe reads from an embedding: give 'embedding', or leave 'probe' out",
        ),
        (
            "{models: alone, minus: identity floor}",
            "the identity floor is that of a probe: give 'embedding', or write minus: chance",
        ),
        (
            "{models: alone, minus: chance, measure: accuracy, clips: balanced}",
            "accuracy with all classes weighted alike is UAR: write measure: uar",
        ),
        (
            "{models: alone, minus: chance, measure: ccc, clips: balanced}",
            "'balanced' weights classes alike, and ccc is of numbers; leave it out",
        ),
        (
            "{models: alone, minus: chance, factor: speaker}",
            "speakers are scored by accuracy alone: write measure: accuracy",
        ),
        (
            "{models: alone, minus: chance, margin: 0.1}",
            "'margin' is for kept and near, and the kind is 'above'; leave it out",
        ),
        (
            "{models: alone, minus: chance, alpha: 0.1}",
            "'alpha' is for different, and the kind is 'above'; leave it out",
        ),
        (
            "{models: alone, minus: plain_4, kind: different}",
            "'factor' is of a score, and a claim of the kind 'different' has none; leave it out",
        ),
        (
            "{models: alone, minus: chance, kind: different, factor: null, measure: null}",
            "a claim of the kind 'different' compares models: let 'minus' name them",
        ),
        ("{models: [], minus: chance}", "write a name, or a list of names"),
        ("{models: [alone, alone], minus: chance}", "'alone' is named twice; name it once"),
    ],
)
def test_a_claim_that_does_not_fit_itself_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        claimed(text)
    place, _, shown = str(caught.value).removeprefix("file: claims.one").partition(": ")
    assert place in ("", ".kind", ".measure", ".models")
    assert shown.partition(" (found [")[0] == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{models: alon, minus: chance}",
            f"claims.one.models: unknown model 'alon'. Did you mean 'alone'? Known: {', '.join(sorted(MODELS))}.",
        ),
        (
            "{models: {methd: old}, minus: chance}",
            "claims.one.models: unknown axis 'methd'. Did you mean 'method'? Known: method, model, size.",
        ),
        (
            "{models: {method: others}, minus: {method: plan}}",
            "claims.one.minus.method: unknown value 'plan'. Did you mean 'plain'? Known: new, old, plain.",
        ),
        ("{along: siz}", "claims.one.along: unknown axis 'siz'. Did you mean 'size'? Known: method, size."),
        (
            "{models: alone, minus: chance, embedding: whoo}",
            "claims.one.embedding: of model 'alone': unknown embedding 'whoo'. Did you mean 'who'? Known: main, who.",
        ),
        (
            "{models: alone, minus: chance, factor: emotoin}",
            "claims.one.factor: of model 'alone': unknown task 'emotoin'. Did you mean 'emotion'? Known: emotion, "
            "speaker.",
        ),
        (
            "{models: alone, minus: chance, embedding: who, factor: gender}",
            "claims.one.factor: unknown factor of a probe 'gender'. Known: emotion, speaker.",
        ),
        (
            "{models: alone, minus: chance, reference: UA tset}",
            "claims.one.reference: unknown figure 'UA tset'. Did you mean 'UA test'? Known: UA test.",
        ),
        (
            "{models: {method: others}, minus: chance}",
            "claims.one.models.method: 'others' is all values that the other side does not name; let 'minus' name some "
            "of 'method'",
        ),
        (
            "{models: {size: 4}, minus: {method: plain}}",
            "claims.one.models: 'method', which 'minus' names, is missing; write method: others",
        ),
        (
            "{models: {model: alone, method: old}, minus: {method: plain}}",
            "claims.one: 'models' and 'minus' name values of the axis 'method', and not models",
        ),
        (
            "{models: {method: [old, plain]}, minus: {method: plain}}",
            "claims.one: 'plain' is on both sides; leave it out of one",
        ),
        (
            "{models: {size: 4}, along: size}",
            "claims.one.models: leave 'size' out; 'along' compares all its values",
        ),
        (
            "{models: {model: alone, method: old}, minus: chance}",
            "claims.one: compares nothing: no model has all the values that it names",
        ),
    ],
)
def test_a_claim_names_what_its_experiment_has(text: str, sentence: str) -> None:
    claim, axes = claimed(text)
    with pytest.raises(ConfigError) as caught:
        check(axes, {"one": claim}, CARRIED, ["UA test"])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("measure", "numbers", "sentence"),
    [
        ("uar", ["emotion"], "'emotion' is a number, so 'uar' cannot score it; write ccc or rmse"),
        (
            "rmse",
            [],
            "'emotion' has classes, so 'rmse' cannot score it; write accuracy, macro_f1, micro_f1 or uar",
        ),
    ],
)
def test_a_measure_fits_its_factor(measure: str, numbers: list[str], sentence: str) -> None:
    claim, axes = claimed(f"{{models: alone, minus: chance, measure: {measure}}}")
    with pytest.raises(ConfigError) as caught:
        check(axes, {"one": claim}, CARRIED, numbers=numbers)
    assert str(caught.value) == f"claims.one.measure: {sentence}"
    other, _ = claimed(f"{{models: alone, minus: chance, measure: {'rmse' if numbers else 'uar'}}}")
    check(axes, {"one": other}, CARRIED, numbers=numbers)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        (
            {"method": {"plain": ["plain_8"]}},
            "axes.method.plain: unknown model 'plain_8'. Did you mean 'plain_9'? Known: alone, new_4, new_9, old_4, "
            "old_9, plain_4, plain_9.",
        ),
        (
            {"method": {"plain": ["plain_9"], "old": ["plain_9"]}},
            "axes.method: model 'plain_9' is at 'plain' and at 'old'; keep one",
        ),
        (
            {"method": {"plain": ["plain_9", "plain_4"]}},
            "axes: models 'plain_9' and 'plain_4' have the same place (method plain); give one another value",
        ),
        (
            {"model": {"a": ["plain_9"]}},
            "axes.model: 'model' is the axis of the models' own names; choose another name",
        ),
        (
            {"method": {"others": ["plain_9"]}},
            "axes.method.others: claims say 'others' for the values that they do not name; rename it",
        ),
    ],
)
def test_axes_that_do_not_fit_the_models_are_refused(axes: object, sentence: str) -> None:
    found = parse(Claimed, {"axes": axes}, "file")
    with pytest.raises(ConfigError) as caught:
        check(found.axes, {}, CARRIED)
    assert str(caught.value) == sentence


def test_claims_of_models_taken_away_go_with_them() -> None:
    base = {
        "models": dict.fromkeys(MODELS),
        "axes": copy.deepcopy(AXES),
        "claims": {
            name: SCORE | yaml.load(text, Loader)
            for name, text in {
                "by name": "{models: alone, minus: plain_4}",
                "all": "{models: {method: others}, minus: {method: plain}}",
                "value": "{models: {size: 9}, minus: chance}",
                "along": "{models: {method: plain}, along: size}",
                "misspelt": "{models: {mehtod: old}, minus: chance}",
            }.items()
        },
    }
    gone = {"plain_9", "old_9", "new_9"}
    left = without(base | {"models": dict.fromkeys(set(MODELS) - gone)}, gone)
    assert list(left["claims"]) == ["by name", "all", "misspelt"]
    assert left["axes"] == {
        "method": {"plain": ["plain_4"], "old": ["old_4"], "new": ["new_4"]},
        "size": {"4": ["plain_4", "old_4", "new_4"]},
    }
    assert without(base | {"models": dict.fromkeys(MODELS[1:])}, {"alone"})["claims"].keys() == {
        *("all", "value", "along", "misspelt")
    }
    none = without(base | {"models": {"alone": None}}, set(MODELS) - {"alone"})
    assert none["axes"] == {}
    assert list(none["claims"]) == ["misspelt"]
    broken = base | {"claims": {"x": {"says": 1}}}
    assert without(broken, gone) is broken, "it is refused where the whole experiment is"


def test_claims_and_axes_are_inherited_and_may_be_changed(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "extends: peri2021-toy\nmodels: {confusion_64: null}\nclaims:\n  smaller_gains: null\n"
        "  emotion_kept: {margin: 0.05}\n  mine:\n    {says: So it is., kind: below, factor: speaker, "
        "measure: accuracy, models: multitask_64, minus: person_only}\n"
    )
    paper, mine = experiments.load("peri2021"), experiments.load(file)
    assert set(mine.claims) == set(paper.claims) - {"smaller_gains", "least_at_smallest"} | {"mine"}
    assert mine.claims["emotion_kept"].margin == 0.05
    assert mine.axes["dimension"]["64"] == ("multitask_64", "gradient_reversal_64", "alternating_64")
    changed = experiments.load("peri2021", ["models.person_only=null", "axes.dimension.64=[multitask_64]"])
    assert not {"single_leaks", "single_leaks_more"} & set(changed.claims)
    assert changed.axes["dimension"]["64"] == ("multitask_64",)
    with pytest.raises(ConfigError) as caught:
        experiments.load("peri2021", ["claims.different.minus.method=multitsk"])
    assert str(caught.value) == (
        "peri2021: claims.different.minus.method: unknown value 'multitsk'. Did you mean 'multitask'? Known: "
        "alternating, confusion, gradient_reversal, multitask."
    )


@pytest.mark.parametrize("name", library.names())
def test_shipped_claims_fit_their_models(name: str) -> None:
    experiment = experiments.load(name)
    assert experiment.paper != "Peri et al. 2021" or len(experiment.claims) >= 8
    for claim in experiment.claims.values():
        found = differences(claim, experiment.axes, tuple(experiment.models))
        assert found
        for model in {model for one in found for model in (*one.plus, *one.minus)}:
            carried = experiment.model(model).carried
            tasks = {factor for factors in carried.values() for factor in factors}
            assert claim.embedding in carried if claim.embedding else claim.factor in {*tasks, None}


def test_shipped_experiments_without_some_sizes_compare_the_rest() -> None:
    smaller = experiments.load("peri2021-ravdess")
    steps = differences(smaller.claims["smaller_gains"], smaller.axes, tuple(smaller.models))
    assert [one.words for one in steps] == ["multitask: 64 minus 256"]
    for name in ("peri2021-ravdess-unseen", "peri2021-frontier"):
        assert not {"smaller_gains", "least_at_smallest", "single_leaks"} & set(experiments.load(name).claims)


def test_the_papers_figures_of_its_text_stand_with_their_claims() -> None:
    claims = experiments.load("peri2021").claims
    assert {name: value for name, claim in claims.items() for value in claim.figures.values()} == {
        **{"emotion_kept": 2.0, "single_leaks": 17.4, "removal_leaks_less": -13.5, "person_near_chance": 0.1}
    }
