"""Several embeddings, adversaries and auxiliary classifiers: what moves what, random numbers, and refusals."""

import copy
import json

import pytest
import torch
from torch import nn

from mien.common.settings import parse
from mien.engine.minimise import Optimisation, Optimiser, Schedule
from mien.errors import ConfigError
from mien.models.layers.heads import classifier
from mien.models.objectives.losses import entropy
from mien.models.objectives.removals import REMOVALS
from mien.models.recipes import disentangle
from mien.models.recipes._recipe import Branch

FOUGHT = [name for name, removal in REMOVALS.items() if removal.adversary != "absent"]
every_fight = pytest.mark.parametrize("how", FOUGHT)


def peri(how="alternating", *, auxiliary=(), penalties=None, tasks=0.5, **settings):
    """Two embeddings; the factor of each is removed from the other."""
    remove = {"how": how, **settings}
    return {
        "embeddings": {
            "emotion": {"dim": 4, "tasks": {"emotion": tasks}, "remove": {"speaker": remove}},
            "speaker": {"dim": 3, "activation": "relu", "tasks": {"speaker": tasks}, "auxiliary": list(auxiliary)},
        },
        "penalties": penalties or {},
    }


def train(recipe, make_loader, *, epochs=2, start=0, minimise=None, **optimiser):
    """The state after some epochs, progress as `fit` gives it."""
    minimise = minimise or Optimisation(recipe, Optimiser(**{"lr": {"default": 0.01}, **optimiser}))
    for epoch in range(start, epochs):
        for batch in make_loader(seed=5).epoch(epoch):
            minimise.progress = batch.step / 20
            recipe.step(batch, minimise)
    return recipe.state_dict()


def trunk(state):
    return {name: value for name, value in state.items() if not name.startswith("adversaries")}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@every_fight
@pytest.mark.parametrize("off", [{"weight": 0.0}, {"warmup": 1.0}], ids=["weight 0", "strength 0"])
def test_a_removal_without_strength_is_none_bit_for_bit(make_recipe, make_loader, how, off):
    """Clipped too; and its adversaries learn all the same."""
    plain = train(make_recipe(peri("none")), make_loader, epochs=1, clip=0.1)
    recipe = make_recipe(peri(how, adversaries=2, **off))
    before, minimise = (
        copy.deepcopy(recipe.state_dict()),
        Optimisation(recipe, Optimiser(lr={"default": 0.01}, clip=0.1)),
    )
    for batch in make_loader(seed=5).epoch(0):  # progress stays 0
        recipe.step(batch, minimise)
    assert same(trunk(recipe.state_dict()), plain)
    assert not any(torch.equal(value, before[name]) for name, value in recipe.state_dict().items())
    full = make_recipe(peri(how, adversaries=2, weight=0.5))
    assert not same(trunk(train(full, make_loader, epochs=1, clip=0.1)), plain)


def test_auxiliaries_and_penalties_without_weight_change_nothing(make_recipe, make_loader):
    plain = train(make_recipe(peri("max_entropy")), make_loader)
    off = {"hsic": {"between": ["emotion", "speaker"], "weight": 0.0}}
    read = train(make_recipe(peri("max_entropy", auxiliary=["emotion"], penalties=off)), make_loader)
    assert same({name: value for name, value in read.items() if "speaker-emotion" not in name}, plain)
    assert len(read) > len(plain)


@pytest.mark.parametrize("name", ["hsic", "orthogonality"])
def test_a_penalty_makes_embeddings_less_dependent(make_recipe, make_loader, name):
    lost = {}
    for weight in (0.0, 30.0):
        settings = peri("none", penalties={name: {"between": ["emotion", "speaker"], "weight": weight}})
        recipe = make_recipe(settings)
        train(recipe, make_loader, epochs=4)
        batch = make_loader(batch_size=24).batch(list(range(24)), step=0)
        with torch.no_grad():
            embeddings = recipe.embed(batch)
            lost[weight] = disentangle.PENALTIES[name](embeddings["emotion"], embeddings["speaker"], batch.rows, 24)
    assert lost[30.0] < 0.7 * lost[0.0]


def test_the_encoder_meets_the_mean_of_its_adversaries(make_recipe, make_batch):
    """By hand: the same model with the mean entropy of two adversaries as its loss."""
    settings = {"embeddings": {"main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy"}}}}}
    settings["embeddings"]["main"]["remove"]["speaker"] |= {"adversaries": 2, "weight": 0.7}
    batch, recipe = make_batch(), make_recipe(settings, dtype=torch.float64)
    batch = batch.to(torch.device("cpu"), torch.float64)
    calls = []

    class Watched:
        progress = 0.0

        def __call__(self, loss, *modules):
            calls.append((loss, modules))

    recipe.step(batch, Watched())
    code = recipe.embed(batch)["main"]
    logits = recipe.predict(batch)["emotion"]
    adversaries = list(recipe.adversaries.values())
    by_hand = 0.5 * nn.functional.cross_entropy(logits, batch.labels["emotion"])
    by_hand = by_hand - 0.7 * (entropy(adversaries[0](code)) + entropy(adversaries[1](code))) / 2
    assert [modules for _, modules in calls[:2]] == [(adversary,) for adversary in adversaries]
    torch.testing.assert_close(calls[2][0], by_hand, rtol=1e-12, atol=0)


def test_adversaries_behind_a_reversal_learn_at_the_full_rate(make_recipe, make_batch):
    one, two = (make_recipe(peri("gradient_reversal", adversaries=count)) for count in (1, 2))
    same_adversary = {name: value.clone() for name, value in two.state_dict().items() if "#2" not in name}
    one.load_state_dict(same_adversary)
    for recipe in (one, two):
        recipe.step(make_batch(), Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.1})))
    key = "adversaries.emotion-speaker.0.weight"
    assert torch.equal(one.state_dict()[key], two.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], same_adversary[key])


@every_fight
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_adversaries_take_as_many_steps_whatever_the_removal(make_recipe, make_batch, how, weight):
    recipe = make_recipe(peri(how, adversaries=2, adversary_steps=3, weight=weight))
    minimise, named = Optimisation(recipe, Optimiser()), []

    def watched(loss, *modules):
        minimise(loss, *modules)
        named.append(modules)

    watched.progress = 0.0
    recipe.step(make_batch(), watched)
    for adversary in recipe.adversaries.values():
        assert sum(adversary in modules for modules in named) == 3
    for module in (recipe.encoder, recipe.projections, recipe.tasks):
        assert sum(module in modules for modules in named) == 1


def test_steps_behind_a_reversal_by_hand(make_recipe, make_batch):
    """Two of three steps move the adversary alone; the third is that of encoder and adversary at once."""
    recipe = make_recipe(peri("gradient_reversal", adversary_steps=3, weight=0.4), dtype=torch.float64)
    batch = make_batch().to(torch.device("cpu"), torch.float64)
    hand = copy.deepcopy(recipe)
    recipe.step(batch, Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.1})))

    adversary = hand.adversaries["emotion-speaker"]
    cross_entropy = nn.functional.cross_entropy
    for _ in range(2):
        loss = cross_entropy(adversary(hand.embed(batch)["emotion"].detach()), batch.labels["speaker"])
        loss.backward()
        with torch.no_grad():
            for parameter in adversary.parameters():
                parameter -= 0.1 * parameter.grad
        hand.zero_grad()
    outputs = hand.predict(batch)
    read = cross_entropy(adversary(hand.embed(batch)["emotion"]), batch.labels["speaker"])
    tasks = sum(0.5 * cross_entropy(outputs[factor], batch.labels[factor]) for factor in ("emotion", "speaker"))
    learning = [*adversary.parameters()]
    moved = [p for module in (hand.encoder, hand.projections, hand.tasks) for p in module.parameters()]
    gradients = torch.autograd.grad(tasks - 0.4 * read, moved, retain_graph=True, allow_unused=True)
    gradients += torch.autograd.grad(read, learning)
    with torch.no_grad():
        for parameter, gradient in zip(moved + learning, gradients, strict=True):
            parameter -= 0.0 if gradient is None else 0.1 * gradient
    for name, value in hand.state_dict().items():
        torch.testing.assert_close(recipe.state_dict()[name], value, rtol=0, atol=1e-12)


class Counted:
    """A `minimise` that moves nothing and records which modules are reset."""

    progress = 0.0

    def __init__(self):
        self.forgotten = []

    def __call__(self, loss, *modules):
        pass

    def forget(self, *modules):
        self.forgotten += modules


def test_adversaries_are_reset_in_turn_and_nothing_else_moves(make_recipe, make_batch):
    recipe, minimise = make_recipe(peri("alternating", adversaries=2, restart=3)), Counted()
    ambient, first, changed = torch.get_rng_state(), copy.deepcopy(recipe.state_dict()), []
    for step in range(10):
        before, minimise.forgotten = copy.deepcopy(recipe.state_dict()), []
        recipe.step(make_batch(step=step), minimise)
        moved = {name for name, value in recipe.state_dict().items() if not torch.equal(value, before[name])}
        changed.append({name.split(".")[1] for name in moved})
        known = [name for name, adversary in recipe.adversaries.items() if adversary in minimise.forgotten]
        assert changed[-1] == set(known)
    one, two = {"emotion-speaker"}, {"emotion#2-speaker"}
    assert changed == [set(), set(), set(), one, set(), set(), two, set(), set(), one]
    assert torch.equal(torch.get_rng_state(), ambient)
    assert same(trunk(first), trunk(recipe.state_dict()))
    again = make_recipe(peri("alternating", adversaries=2, restart=3), seed=8)
    again.step(make_batch(step=9), Counted())
    key = "adversaries.emotion-speaker.0.weight"
    assert torch.equal(again.state_dict()[key], recipe.state_dict()[key]), "they depend on (seed, step, name) alone"
    again.step(make_batch(step=3), Counted())
    assert not torch.equal(again.state_dict()[key], recipe.state_dict()[key])


def test_a_reset_adversary_has_no_state_in_the_optimiser(make_recipe, make_batch):
    """It moves as an adversary with a new optimiser would, a whole Adam step; the others keep theirs."""
    recipe = make_recipe(peri("alternating", restart=2))
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.01}))
    for step in range(3):
        recipe.step(make_batch(step=step), minimise)
    kept = minimise.state()[""]["state"]
    steps = {int(entry["step"]) for entry in kept.values()}
    assert steps == {1, 3}
    parameters = [p for group in (recipe.encoder, recipe.projections, recipe.tasks) for p in group.parameters()]
    assert sum(int(entry["step"]) == 3 for entry in kept.values()) == len(parameters)


def test_first_weights_are_those_of_the_first_release(make_recipe):
    """Encoder, tasks, then one adversary a factor: older experiments begin with the same weights."""
    settings = {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy"}}}
    recipe = make_recipe({"embeddings": {"main": settings}, "hidden": [32, 10]})
    torch.manual_seed(0)
    alone = make_recipe({"embeddings": {"main": {"tasks": {"emotion": 0.5}}}, "hidden": [32, 10]})
    adversary = classifier(alone.encoder.dimension, (32, 10), 3)  # the generator stands after the tasks
    expected = {
        **alone.state_dict(),
        **{f"adversaries.main-speaker.{name}": value for name, value in adversary.state_dict().items()},
    }
    assert same(dict(sorted(recipe.state_dict().items())), dict(sorted(expected.items())))


def test_models_differ_by_their_adversaries_alone_at_the_start(make_recipe):
    plain = make_recipe(peri("none")).state_dict()
    for how in FOUGHT:
        assert same(trunk(make_recipe(peri(how, adversaries=2, auxiliary=["emotion"])).state_dict()), plain)


def test_an_answer_holds_all_outputs(make_recipe, make_batch):
    settings = peri("alternating", auxiliary=["emotion"], adversaries=3)
    recipe, batch = make_recipe({**settings, "adversary_hidden": [5, 4]}).eval(), make_batch()
    answer = recipe.answer(batch)
    assert {name: tuple(value.shape) for name, value in answer.embeddings.items()} == {
        "emotion": (7, 4),
        "speaker": (7, 3),
    }
    assert {name: tuple(value.shape) for name, value in answer.outputs.items()} == {
        "emotion": (7, 4),
        "speaker": (7, 3),
    }
    assert {str(name): tuple(value.shape) for name, value in answer.branches.items()} == {
        **{f"emotion{number}-speaker": (7, 3) for number in ("", "#2", "#3")},
        "speaker-emotion": (7, 4),
    }
    for values, alone in (
        (answer.outputs, recipe.predict),
        (answer.embeddings, recipe.embed),
        (answer.branches, recipe.branches),
    ):
        assert same(values, alone(batch))
    assert (answer.embeddings["speaker"] >= 0).all()
    assert (answer.embeddings["emotion"] < 0).any()
    assert [layer.out_features for layer in recipe.adversaries["speaker-emotion"] if isinstance(layer, nn.Linear)] == [
        5,
        4,
        4,
    ]
    assert [layer.out_features for layer in recipe.tasks["speaker-speaker"] if isinstance(layer, nn.Linear)] == [6, 3]
    assert torch.equal(
        answer.branches[Branch("speaker", "emotion")],
        recipe.adversaries["speaker-emotion"](answer.embeddings["speaker"]),
    )


PERSON = {
    "embeddings": {"speaker": {"dim": 3, "activation": "relu", "tasks": {"speaker": 1.0}, "auxiliary": ["emotion"]}}
}


def test_an_auxiliary_classifier_predicts_its_factor(make_recipe, make_batch):
    """A model of the person alone predicts emotions too, from an embedding that their labels never moved."""
    right, wrong = make_recipe(PERSON), make_recipe(PERSON)
    before, batch = copy.deepcopy(right.state_dict()), make_batch()
    for recipe, emotion in ((right, batch.labels["emotion"]), (wrong, batch.labels["emotion"].flip(0))):
        minimise = Optimisation(recipe, Optimiser(lr={"default": 0.01}, clip=0.1))
        for step in range(3):
            recipe.step(make_batch(step=step, emotion=emotion), minimise)
    assert same(trunk(right.state_dict()), trunk(wrong.state_dict()))
    assert not any(torch.equal(value, before[name]) for name, value in right.state_dict().items())
    assert set(right.predict(batch)) == {"speaker", "emotion"}
    assert torch.equal(right.predict(batch)["emotion"], right.branches(batch)[Branch("speaker", "emotion")])
    assert not torch.equal(right.predict(batch)["emotion"], wrong.predict(batch)["emotion"])


def test_a_task_predicts_before_an_auxiliary_classifier(make_recipe, make_batch):
    settings = {"embeddings": {**PERSON["embeddings"], "emotion": {"dim": 2, "tasks": {"emotion": 1.0}}}}
    recipe, batch = make_recipe(settings), make_batch()
    expected = recipe.tasks["emotion-emotion"](recipe.embed(batch)["emotion"])
    assert torch.equal(recipe.predict(batch)["emotion"], expected)


@pytest.mark.parametrize(
    "settings",
    [peri("alternating", auxiliary=["emotion"], adversaries=2), PERSON],
    ids=["two embeddings", "person only"],
)
def test_the_predictor_gives_the_same_with_fewer_weights(make_recipe, make_batch, settings):
    recipe, batch = make_recipe({**settings, "adversary_hidden": [5]}), make_batch()
    slim = recipe.config.predictor("emotion")
    small = make_recipe(slim.model_dump(mode="json"), seed=3)
    wanted = small.state_dict().keys()
    small.load_state_dict({name: value for name, value in recipe.state_dict().items() if name in wanted})
    assert torch.equal(small.predict(batch)["emotion"], recipe.predict(batch)["emotion"])
    assert set(small.predict(batch)) == {"emotion"}
    assert len(wanted) < len(recipe.state_dict())


def main(**settings):
    return {"embeddings": {"main": {"tasks": {"emotion": 1.0}, **settings}}}


BOTH = {"emotion": {"tasks": {"emotion": 1.0}, "dim": 2}, "speaker": {"tasks": {"speaker": 1.0}, "dim": 2}}


def one(how, **settings):
    """A removal of the speaker."""
    return main(remove={"speaker": {"how": how, **settings}})


def apart(name, *between, **embeddings):
    return {
        "embeddings": embeddings or BOTH,
        "penalties": {name: {"between": list(between), "weight": 1.0}},
    }


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            main(auxiliary=["emotion"]),
            "embeddings.main: 'emotion' is a task and is also auxiliary in the same embedding; keep one of the two",
        ),
        (
            main(auxiliary=["speaker"], remove={"speaker": {"how": "none"}}),
            "embeddings.main: 'speaker' is removed and is also auxiliary in the same embedding; keep one of the two",
        ),
        (
            main(auxiliary=["speaker", "speaker"]),
            "embeddings.main: 'speaker' is auxiliary twice; name it once",
        ),
        (
            main(auxiliary=["home.town"]),
            "embeddings.main: factor 'home.town': a factor is a column of the corpus without a dot; rename the column",
        ),
        (main(activation="tanh"), "embeddings.main.activation: input should be 'none' or 'relu'"),
        (
            one("alternate"),
            "embeddings.main.remove.speaker: unknown removal 'alternate'. Did you mean 'alternating'? Known: "
            "alternating, confusion, gradient_reversal, max_entropy, none.",
        ),
        (
            one("alternating", adversaries=0),
            "embeddings.main.remove.speaker.adversaries: input should be greater than or equal to 1",
        ),
        (
            one("alternating", restart=0),
            "embeddings.main.remove.speaker.restart: input should be greater than or equal to 1",
        ),
        (
            one("confusion", bound="none"),
            "embeddings.main.remove.speaker: 'bound' (none) is a setting of how: alternating; leave it out of how: "
            "confusion",
        ),
        (
            one("gradient_reversal", bound="log_classes"),
            "embeddings.main.remove.speaker: 'bound' (log_classes) is a setting of how: alternating; leave it out of "
            "how: gradient_reversal",
        ),
        (
            one("alternating", bound=None),
            "embeddings.main.remove.speaker: 'bound' of how: alternating is log_classes or none, not null",
        ),
        (
            one("alternating", bound="log_k"),
            "embeddings.main.remove.speaker.bound: input should be 'log_classes' or 'none'",
        ),
        (
            apart("hsik", "emotion", "speaker"),
            "unknown penalty 'hsik'. Did you mean 'hsic'? Known: hsic, orthogonality.",
        ),
        (
            apart("hsic", "emotion", "speakr"),
            "penalties.hsic.between: unknown embedding 'speakr'. Did you mean 'speaker'? Known: emotion, speaker.",
        ),
        (
            apart("hsic", "emotion", "emotion"),
            "penalties.hsic.between: 'emotion' and 'emotion' are one vector, the encoder's; name two embeddings, of "
            "which one at least has its own 'dim'",
        ),
        (
            apart("hsic", "emotion", "speaker", **{name: {"tasks": own["tasks"]} for name, own in BOTH.items()}),
            "penalties.hsic.between: 'emotion' and 'speaker' are one vector, the encoder's; name two embeddings, of "
            "which one at least has its own 'dim'",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as refused:
        parse(disentangle.Config, settings, "models.a")
    assert str(refused.value).partition(" (found ")[0] == f"models.a: {sentence}"


@pytest.mark.parametrize("how", REMOVALS)
def test_alternating_alone_is_bounded_by_default(how):
    config = disentangle.Config.model_validate_json(json.dumps(main(remove={"speaker": {"how": how}})))
    assert config.embeddings["main"].remove["speaker"].bound == ("log_classes" if how == "alternating" else None)
    assert disentangle.Config.model_validate_json(config.model_dump_json()) == config


def test_factors_are_all_columns_that_a_model_needs():
    config = disentangle.Config.model_validate_json(json.dumps(peri("alternating", auxiliary=["emotion", "gender"])))
    assert config.factors == {"emotion", "speaker", "gender"}
    assert config.tasks == config.targets - {"gender"} == {"emotion", "speaker"}
    assert config.carried == {"emotion": {"emotion"}, "speaker": {"speaker"}}
    assert config.classed == {"speaker": "an adversary"}


def test_learning_rates_name_the_auxiliary_branches(make_recipe, make_batch):
    """Peri et al. 2021, section 4.2: one rate for the main branch, one for adversaries and auxiliary classifiers."""
    recipe = make_recipe(peri("alternating", auxiliary=["emotion"]))
    before = copy.deepcopy(recipe.state_dict())
    optimiser = Optimiser(lr={"default": 1e-4, "adversaries": 1e-3}, schedule=Schedule(name="exponential", gamma=0.9))
    recipe.step(make_batch(), Optimisation(recipe, optimiser))
    for name, value in recipe.state_dict().items():
        rate = 1e-3 if name.startswith("adversaries") else 1e-4
        assert (value - before[name]).abs().max().item() == pytest.approx(rate, rel=1e-2)  # Adam's first step


@pytest.mark.parametrize("bound", ["log_classes", "none"])
def test_a_step_of_alternating_equals_the_equations(make_recipe, make_batch, bound):
    """The alternating step by hand, Eq. 1 and 2 with their weights, the auxiliary loss bounded at chance or not."""
    given = {} if bound == "log_classes" else {"bound": bound}
    settings = peri("alternating", weight=0.3, **given)
    settings["embeddings"]["speaker"]["remove"] = {"emotion": {"how": "alternating", "weight": 0.3, **given}}
    recipe = make_recipe(settings, dtype=torch.float64)
    batch = make_batch().to(torch.device("cpu"), torch.float64)
    hand = copy.deepcopy(recipe)
    recipe.step(batch, Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.1})))

    emotion, speaker = batch.labels["emotion"], batch.labels["speaker"]
    loss = lambda logits, labels: nn.functional.cross_entropy(logits, labels, reduction="none")  # noqa: E731
    with torch.no_grad():
        embeddings = hand.embed(batch)
    auxiliary = [loss(hand.adversaries["emotion-speaker"](embeddings["emotion"]), speaker).mean()]
    auxiliary += [loss(hand.adversaries["speaker-emotion"](embeddings["speaker"]), emotion).mean()]
    sum(auxiliary).backward()
    with torch.no_grad():
        for parameter in hand.adversaries.parameters():
            parameter -= 0.1 * parameter.grad
    hand.zero_grad()
    outputs, embeddings = hand.predict(batch), hand.embed(batch)
    primary = 0.5 * loss(outputs["emotion"], emotion).mean() + 0.5 * loss(outputs["speaker"], speaker).mean()
    read = {str(branch): logits for branch, logits in hand.branches(batch).items()}
    for name, labels in (("emotion-speaker", speaker), ("speaker-emotion", emotion)):
        chance, lost = torch.tensor(float(read[name].shape[1]), dtype=torch.float64).log(), loss(read[name], labels)
        assert (lost > chance).any()
        primary = primary - 0.3 * (lost if bound == "none" else torch.minimum(lost, chance)).mean()
    primary.backward()
    with torch.no_grad():
        for module in (hand.encoder, hand.projections, hand.tasks):
            for parameter in module.parameters():
                parameter -= 0.1 * parameter.grad
    for name, value in hand.state_dict().items():
        torch.testing.assert_close(recipe.state_dict()[name], value, rtol=0, atol=1e-12)
