"""One contract for every recipe, removal and encoder that the folders hold, on tiny configurations.

Quick are every model on one encoder, one model of a recipe on an encoder of each kind that it takes, and every encoder
under one model where a contract is about what an encoder's own parameters do: a recipe sees an encoder through what it
returns alone, and each is held to its own contract in test_encoders.py. The rest of the product is slow.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from mien.common.measures import MEASURES
from mien.common.settings import parse
from mien.data.batch import Sequence
from mien.engine.minimise import Optimisation, Optimiser
from mien.models import recipes
from mien.models.layers.frozen import Frozen
from mien.models.layers.normalisation import Pending
from mien.models.recipes import names as recipe_names
from swept import MODELS, every_model, every_pair


@pytest.fixture(scope="module")
def made(make_recipe):
    """A tiny model of a recipe."""
    return lambda tiny, encoder, **more: make_recipe(tiny[1], recipe=tiny[0], encoder=encoder, **more)


@pytest.fixture(scope="module")
def batch_for(make_batch):
    """A batch that has what an encoder reads."""
    return lambda encoder, **settings: make_batch(video="video" in encoder, **settings)


@pytest.fixture(scope="module")
def epoch_for(make_loader, make_examples):
    """The batches of an epoch that have what an encoder reads."""

    def batches(encoder, epoch=0, **settings):
        loader = make_loader(make_examples(video="video" in encoder), **settings)
        return [batch.to(torch.device("cpu")) for batch in loader.epoch(epoch)]

    return batches


def test_every_recipe_is_swept():
    assert "disentangle" in recipe_names()
    assert {recipe for recipe, _ in MODELS.values()} == set(recipe_names())


@every_pair
def test_a_model_says_what_it_is(made, batch_for, tiny, encoder):
    model, batch = made(tiny, encoder), batch_for(encoder)
    config, answer = parse(recipes.recipe(tiny[0]).Config, tiny[1], tiny[0]), model.answer(batch)
    assert set(answer.embeddings) == set(config.carried)
    assert set(answer.outputs) == config.targets >= config.tasks
    assert config.factors >= config.targets
    assert {branch.factor for branch in answer.branches} <= config.factors
    assert {branch.embedding for branch in answer.branches} <= set(config.carried)
    assert {name for names in model.heads.values() for name in names} <= {name for name, _ in model.named_modules()}


@every_model
def test_a_part_predicts_its_target_with_no_other_factor(made, batch_for, tiny, encoder):
    """The part that `mien export` keeps: it is built from its target alone, and takes the weights of the whole."""
    model, batch = made(tiny, encoder).eval(), batch_for(encoder)
    config = parse(recipes.recipe(tiny[0]).Config, tiny[1], tiny[0])
    for target in config.targets:
        part = config.predictor(target)
        assert part.factors == part.targets == {target}
        slim = made((tiny[0], part.model_dump(mode="json")), encoder, seed=1, factors=[target]).eval()
        slim.load_state_dict({name: value for name, value in model.state_dict().items() if name in slim.state_dict()})
        assert torch.equal(slim.predict(batch)[target], model.predict(batch)[target])


class Recorder:
    """A `minimise` that checks, around every call, that only what is named moves."""

    def __init__(self, recipe, minimise):
        self.recipe, self.minimise, self.progress = recipe, minimise, 0.0
        self.named, self.forgotten = [], []
        self.last = copy.deepcopy(recipe.state_dict())

    def __call__(self, loss, *modules, **how):
        names = {id(module): name for name, module in self.recipe.named_modules()}
        self._nothing_but(())
        self.minimise(loss, *modules, **how)
        self._nothing_but(modules)
        self.named.append(frozenset(names[id(module)] for module in modules))

    def forget(self, *modules):
        self._nothing_but(modules)
        self.minimise.forget(*modules)
        self.forgotten += modules

    def _nothing_but(self, modules):
        allowed = {id(value) for module in modules for value in module.state_dict(keep_vars=True).values()}
        for name, value in self.recipe.state_dict(keep_vars=True).items():
            if id(value) not in allowed:
                assert torch.equal(value, self.last[name]), f"{name} moved without being named"
            assert value.grad is None, f"{name} has a gradient left"
        self.last = copy.deepcopy(self.recipe.state_dict())


@every_pair
def test_only_what_is_named_moves_and_no_gradient_is_left(made, epoch_for, tiny, encoder):
    """Parameters and buffers: a phase without the encoder leaves its running statistics as they are."""
    recipe = made(tiny, encoder)
    recorder = Recorder(recipe, Optimisation(recipe, Optimiser()))
    for batch in epoch_for(encoder):
        recorder.named.clear()
        recipe.step(batch, recorder)
        assert set(recorder.named) == recipe.phases, "a step has the phases that the recipe says, and no other"
    recorder._nothing_but(())
    assert all(id(module) in {id(one) for one in recipe.modules()} for module in recorder.forgotten)


@every_pair
def test_every_declared_parameter_moves_within_an_epoch(made, epoch_for, tiny, encoder):
    recipe = made(tiny, encoder)
    before = copy.deepcopy(recipe.state_dict())
    minimise = Optimisation(recipe, Optimiser())
    for batch in epoch_for(encoder):
        recipe.step(batch, minimise)
    own = {name for name, _ in recipe.named_parameters()}
    own |= {
        f"{place}.{name}"
        for place, module in recipe.named_modules()
        if isinstance(module, Pending)
        for name, _ in module.named_buffers(recurse=False)
    }
    still = [name for name in own if torch.equal(recipe.state_dict()[name], before[name])]
    assert not still


@every_model
def test_an_unlabelled_factor_leaves_its_heads_bit_still_after_a_warm_adam(made, batch_for, tiny, encoder):
    recipe = made(tiny, encoder)
    minimise = Optimisation(recipe, Optimiser(decay=0.1))
    for step in range(3):
        recipe.step(batch_for(encoder, step=step), minimise)
    given = batch_for(encoder).labels
    unknown = {name: torch.full_like(given[name], torch.nan if given[name].dim() > 1 else -1) for name in given}
    for labels in (*({name: values} for name, values in unknown.items()), unknown):
        before = copy.deepcopy(recipe.state_dict())
        recipe.step(batch_for(encoder, **labels), minimise)
        heads = tuple(f"{name}." for factor in labels for name in recipe.heads.get(factor, ()))
        for name, value in recipe.state_dict().items():
            if name.startswith(heads):
                assert torch.equal(value, before[name]), f"{name} moved without a label"


@every_model
def test_clips_without_labels_move_the_encoder_where_the_settings_say(made, batch_for, tiny, encoder):
    config = parse(recipes.recipe(tiny[0]).Config, tiny[1], tiny[0])
    labels = batch_for(encoder).labels
    unknown = {name: torch.full_like(own, torch.nan if own.dim() > 1 else -1) for name, own in labels.items()}
    main = min(config.tasks)
    cases = [({main: unknown[main]}, not config.supervised)]
    cases += [] if config.removed else [(unknown, config.label_free)]  # some removals need no label, others do
    for given, moves in cases:
        recipe = made(tiny, encoder)
        before = copy.deepcopy(dict(recipe.encoder.named_parameters()))
        recipe.step(batch_for(encoder, **given), Optimisation(recipe, Optimiser(name="sgd", lr={"default": 1.0})))
        moved = any(not torch.equal(value, before[name]) for name, value in recipe.encoder.named_parameters())
        assert moved == moves


@every_model
def test_junk_in_invalid_frames_changes_nothing(made, batch_for, tiny, encoder):
    batch = batch_for(encoder)
    assert not batch.audio.valid.all()
    states, embeddings = [], []
    for junk in (0.0, 1e6, torch.nan):
        changed = _changed(batch, lambda one, junk=junk: Sequence(_filled(one, junk), one.valid))
        recipe = made(tiny, encoder)
        recipe.step(changed, Optimisation(recipe, Optimiser()))
        states.append(copy.deepcopy(recipe.state_dict()))
        with torch.no_grad():
            embeddings.append(recipe.eval().embed(changed))
    for state, embedding in zip(states[1:], embeddings[1:], strict=True):
        assert all(torch.equal(value, states[0][name]) for name, value in state.items())
        assert all(torch.equal(value, embeddings[0][name]) for name, value in embedding.items())


@every_model
@pytest.mark.parametrize("case", ["nothing valid", "one frame", "no clips", "absent"])
def test_odd_batches_give_finite_values_and_gradients(made, batch_for, tiny, encoder, case):
    batch = batch_for(encoder)
    changes = {
        "nothing valid": lambda one: Sequence(torch.full_like(one.values, torch.nan), torch.zeros_like(one.valid)),
        "one frame": lambda one: Sequence(one.values[:, :1], one.valid[:, :1]),
        "absent": lambda one: Sequence(one.values[:, :0], one.valid[:, :0]),
    }
    batch = batch.part(torch.arange(0)) if case == "no clips" else _changed(batch, changes[case])
    recipe = made(tiny, encoder)
    for _ in range(2):  # a gradient that is not finite would raise
        recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert all(value.isfinite().all() for value in recipe.state_dict().values())
    for values in (recipe.predict(batch), recipe.embed(batch), recipe.branches(batch)):
        assert all(value.isfinite().all() and len(value) == len(batch.clips) for value in values.values())


@every_model
def test_a_forward_under_autocast_sees_the_weights_after_a_step(made, batch_for, tiny, encoder):
    recipe, batch = made(tiny, encoder), batch_for(encoder)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.1}))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        recipe.step(batch, minimise)
        inside = next(iter(recipe.embed(batch).values()))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        afterwards = next(iter(recipe.embed(batch).values()))
    assert torch.equal(inside, afterwards)


@every_model
def test_evaluation_is_deterministic_and_survives_saving(made, batch_for, tiny, encoder, tmp_path):
    from mien.engine import checkpoint

    recipe, batch = made(tiny, encoder).eval(), batch_for(encoder)
    first, second = recipe.answer(batch), recipe.answer(batch)
    checkpoint.save_weights(tmp_path / "w.safetensors", recipe.state_dict())
    other = made(tiny, encoder, seed=1).eval()
    for name, values in other.predict(batch).items():
        assert not torch.equal(values, first.outputs[name])
    other.load_state_dict(checkpoint.load_weights(tmp_path / "w.safetensors")[0])
    third = other.answer(batch)
    for kind in ("outputs", "embeddings", "branches"):
        for name, values in getattr(first, kind).items():
            assert torch.equal(values, getattr(second, kind)[name])
            assert torch.equal(values, getattr(third, kind)[name])


@every_model
@pytest.mark.parametrize(
    "share",
    [
        pytest.param(7, id="one is empty", marks=pytest.mark.slow),
        pytest.param(5, id="uneven"),
        pytest.param(1, id="one clip", marks=pytest.mark.slow),
    ],
)
def test_two_processes_equal_one(made, batch_for, two_processes, tiny, encoder, share):
    """Three steps in float64, with clips of which a label is not known; the first holds `share` of seven."""
    start = made(tiny, encoder, dtype=torch.float64)

    def train(part):
        recipe = copy.deepcopy(start)
        minimise = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.05}))
        for step in range(3):
            batch = batch_for(encoder, step=step).to(torch.device("cpu"), torch.float64)
            batch = replace(batch, labels={name: _partly(values) for name, values in batch.labels.items()})
            minimise.progress = step / 3
            recipe.step(batch.part(part), minimise)
        return recipe.state_dict()

    one = train(torch.arange(7))
    for state in two_processes(lambda rank: train(torch.arange(share) if rank == 0 else torch.arange(share, 7))):
        for name, value in one.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-9, msg=lambda text, name=name: name + text)


def _partly(labels):
    """The labels, of every third clip not known."""
    some = labels.clone()
    some[1::3] = -1 if labels.dim() == 1 else torch.nan
    return some


@every_model
def test_thirty_steps_beat_chance(made, epoch_for, targets, tiny, encoder):
    recipe = made(tiny, encoder)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.02}))
    for epoch in range(30):
        for batch in epoch_for(encoder, epoch, batch_size=24):
            recipe.step(batch, minimise)
    (batch,) = epoch_for(encoder, batch_size=24)
    target = min(parse(recipes.recipe(tiny[0]).Config, tiny[1], tiny[0]).tasks)
    truth, answers = batch.labels[target].numpy(), recipe.predict(batch)[target].detach().numpy()
    if targets[target].kind == "numbers":
        assert MEASURES["ccc"].value(truth[:, 0], answers[:, 0]) > 0.25
    else:
        assert MEASURES["wa"].value(truth, answers) > 0.25 + 0.25, "chance is .25"


def test_a_frozen_teacher_stays_still_in_training_mode():
    teacher = Frozen(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)))
    student = nn.Linear(3, 3)
    recipe = nn.ModuleDict({"teacher": teacher, "student": student})
    minimise = Optimisation(recipe, Optimiser())
    before = copy.deepcopy(teacher.module.state_dict())
    recipe.train()
    inputs = torch.randn(8, 3)
    assert torch.equal(teacher(inputs), teacher(inputs))
    minimise((student(teacher(inputs)) - inputs).square().mean(), recipe)
    assert not teacher(inputs).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in teacher.module.state_dict().items())


def test_a_checkpoint_has_a_frozen_module_by_its_hash():
    def recipe(seed):
        torch.manual_seed(seed)
        return nn.ModuleDict({"teacher": Frozen(nn.Linear(3, 3)), "student": nn.Linear(3, 3)})

    one, same, other = recipe(0), recipe(0), recipe(1)
    state = one.state_dict()
    assert set(state) == {"teacher.fingerprint", "student.weight", "student.bias"}
    same.load_state_dict(state)
    with pytest.raises(RuntimeError, match="teacher: the checkpoint was written with another frozen module"):
        other.load_state_dict(state)
    assert one.double()["teacher"](torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64, "it moves along"
    assert not list(one["teacher"].parameters()), "no optimiser meets it"


def _changed(batch, change):
    return type(batch)(**{**vars(batch), "audio": change(batch.audio), "video": change(batch.video)})


def _filled(sequence, junk):
    valid = sequence.valid.view(*sequence.valid.shape, *[1] * (sequence.values.dim() - 2))
    return torch.where(valid, sequence.values, junk)
