"""One contract for every removal and encoder that the folders hold (DESIGN 6), on tiny configurations.

Every model on one encoder, and every encoder under one model; the rest of the product is slow.
"""

import copy

import pytest
import torch
from torch import nn

from mien.data.batch import Sequence
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders import names as encoder_names
from mien.models.objectives.losses import PENALTIES
from mien.models.objectives.removals import REMOVALS
from mien.models.recipes import names as recipe_names

FIGHT = {"how": "alternating", "weight": 0.1, "spies": 2, "restart": 3}
REVERSAL = {"how": "gradient_reversal", "weight": 0.1}
MODELS = {
    "emotion only": {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}},
    "multitask": {"embeddings": {"main": {"tasks": {"emotion": 0.5, "speaker": 0.5}}}},
    "two embeddings": {
        "embeddings": {
            "emotion": {"dim": 8, "tasks": {"emotion": 1.0}, "remove": {"speaker": FIGHT}},
            "speaker": {"dim": 3, "tasks": {"speaker": 0.5}, "remove": {"emotion": REVERSAL}},
            "other": {"dim": 3, "activation": "relu", "tasks": {"emotion": 0.1}, "read": ["speaker"]},
        },
        "penalties": {name: {"between": ["emotion", "speaker"], "weight": 0.01} for name in PENALTIES},
    },
    **{
        f"removal {how}": {
            "embeddings": {"main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": how, "spy_steps": 2}}}}
        }
        for how in REMOVALS
    },
}
BOTH = {"audio": "cnn_gru", "video": "vgg"}
QUICK = "vector"
TRUNKS = {**{name: name for name in encoder_names()}, "both modalities": BOTH}


def pairs(*quick):
    """The product of models and encoders, of which all but QUICK's and those of `quick` are slow."""
    fast = {(model, QUICK) for model in MODELS} | {("two embeddings", name) for name in quick}
    return pytest.mark.parametrize(
        ("settings", "encoder"),
        [
            pytest.param(
                settings,
                encoder,
                id=f"{model}, {name}",
                marks=() if (model, name) in fast else pytest.mark.slow,
            )
            for model, settings in MODELS.items()
            for name, encoder in TRUNKS.items()
        ],
    )


every_encoder = pytest.mark.parametrize("encoder", TRUNKS.values(), ids=TRUNKS.keys())
every_pair = pairs(*TRUNKS)
every_model = pairs("both modalities")  # of what tests/contracts/test_encoders.py holds every encoder to by itself


@pytest.fixture(scope="module")
def batch_for(make_batch):
    """A batch that has what an encoder reads."""
    return lambda encoder, **settings: make_batch(video=encoder is BOTH, **settings)


@pytest.fixture(scope="module")
def epoch_for(make_loader, make_examples):
    """The batches of an epoch that have what an encoder reads."""

    def batches(encoder, epoch=0, **settings):
        loader = make_loader(make_examples(video=encoder is BOTH), **settings)
        return [batch.to(torch.device("cpu")) for batch in loader.epoch(epoch)]

    return batches


def test_every_recipe_is_swept():
    """The models above are those of `disentangle`; another recipe brings its own tiny ones here."""
    assert "disentangle" in recipe_names()


class Recorder:
    """A `minimise` that checks, around every call, that only what is named moves."""

    def __init__(self, recipe, minimise):
        self.recipe, self.minimise, self.progress = recipe, minimise, 0.0
        self.named, self.forgotten = [], []
        self.last = copy.deepcopy(recipe.state_dict())

    def __call__(self, loss, *modules, phase=""):
        self._nothing_but(())
        self.minimise(loss, *modules, phase=phase)
        self._nothing_but(modules)
        self.named.append(modules)

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
def test_only_what_is_named_moves_and_no_gradient_is_left(make_recipe, epoch_for, settings, encoder):
    """Parameters and buffers: a spy's phase leaves the encoder's running statistics as they are."""
    recipe = make_recipe(settings, encoder=encoder)
    recorder = Recorder(recipe, Optimisation(recipe, Optimiser()))
    for batch in epoch_for(encoder):
        recipe.step(batch, recorder)
    recorder._nothing_but(())
    spies = {id(module) for module in recipe.spies.values()}
    phases = [modules for modules in recorder.named if recipe.encoder not in modules]
    assert len(recorder.named) - len(phases) == 4, "the encoder has one phase a step"
    assert all(id(module) in spies for modules in phases for module in modules)
    restarts = [
        one.get("restart") for part in settings["embeddings"].values() for one in part.get("remove", {}).values()
    ]
    assert len(recorder.forgotten) == sum(number is not None for number in restarts)


@every_pair
def test_every_declared_parameter_moves_within_an_epoch(make_recipe, epoch_for, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    before = copy.deepcopy(recipe.state_dict())
    minimise = Optimisation(recipe, Optimiser())
    for batch in epoch_for(encoder):
        recipe.step(batch, minimise)
    still = [name for name, value in recipe.state_dict().items() if torch.equal(value, before[name])]
    assert not still


@every_pair
def test_an_unlabelled_factor_leaves_its_heads_bit_still_after_a_warm_adam(make_recipe, batch_for, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    minimise = Optimisation(recipe, Optimiser(decay=0.1))
    for step in range(3):
        recipe.step(batch_for(encoder, step=step), minimise)
    unknown = torch.full((7,), -1)
    for labels in ({"speaker": unknown}, {"emotion": unknown}, {"emotion": unknown, "speaker": unknown}):
        before = copy.deepcopy(recipe.state_dict())
        recipe.step(batch_for(encoder, **labels), minimise)
        for name, value in recipe.state_dict().items():
            head = name.split(".")[1] if name.startswith(("tasks", "spies")) else ""
            if any(head.endswith(factor) for factor in labels):
                assert torch.equal(value, before[name]), f"{name} moved without a label"


@every_model
def test_junk_in_invalid_frames_changes_nothing(make_recipe, batch_for, settings, encoder):
    batch = batch_for(encoder)
    assert not batch.audio.valid.all()
    states, embeddings = [], []
    for junk in (0.0, 1e6, torch.nan):
        changed = _changed(batch, lambda one, junk=junk: Sequence(_filled(one, junk), one.valid))
        recipe = make_recipe(settings, encoder=encoder)
        recipe.step(changed, Optimisation(recipe, Optimiser()))
        states.append(copy.deepcopy(recipe.state_dict()))
        with torch.no_grad():
            embeddings.append(recipe.eval().embed(changed))
    for state, embedding in zip(states[1:], embeddings[1:], strict=True):
        assert all(torch.equal(value, states[0][name]) for name, value in state.items())
        assert all(torch.equal(value, embeddings[0][name]) for name, value in embedding.items())


@every_model
@pytest.mark.parametrize("case", ["nothing valid", "one frame", "no clips", "absent"])
def test_odd_batches_give_finite_values_and_gradients(make_recipe, batch_for, settings, encoder, case):
    batch = batch_for(encoder)
    changes = {
        "nothing valid": lambda one: Sequence(torch.full_like(one.values, torch.nan), torch.zeros_like(one.valid)),
        "one frame": lambda one: Sequence(one.values[:, :1], one.valid[:, :1]),
        "absent": lambda one: Sequence(one.values[:, :0], one.valid[:, :0]),
    }
    batch = batch.part(torch.arange(0)) if case == "no clips" else _changed(batch, changes[case])
    recipe = make_recipe(settings, encoder=encoder)
    for _ in range(2):  # a gradient that is not finite would raise
        recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert all(value.isfinite().all() for value in recipe.state_dict().values())
    for values in (recipe.predict(batch), recipe.embed(batch), recipe.spied(batch)):
        assert all(value.isfinite().all() and len(value) == len(batch.clips) for value in values.values())


@every_encoder
def test_a_forward_under_autocast_sees_the_weights_after_a_step(make_recipe, batch_for, encoder):
    recipe, batch = make_recipe(MODELS["emotion only"], encoder=encoder), batch_for(encoder)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.1}))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        recipe.step(batch, minimise)
        inside = recipe.embed(batch)["main"]
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        afterwards = recipe.embed(batch)["main"]
    assert torch.equal(inside, afterwards)


@every_model
def test_evaluation_is_deterministic_and_survives_saving(make_recipe, batch_for, settings, encoder, tmp_path):
    from mien.engine import checkpoint

    recipe, batch = make_recipe(settings, encoder=encoder).eval(), batch_for(encoder)
    first, second = recipe.answer(batch), recipe.answer(batch)
    checkpoint.save_weights(tmp_path / "w.safetensors", recipe.state_dict())
    other = make_recipe(settings, encoder=encoder, seed=1).eval()
    assert not torch.equal(other.predict(batch)["emotion"], first.logits["emotion"])
    other.load_state_dict(checkpoint.load_weights(tmp_path / "w.safetensors")[0])
    third = other.answer(batch)
    for kind in ("logits", "embeddings", "spied"):
        for name, values in getattr(first, kind).items():
            assert torch.equal(values, getattr(second, kind)[name])
            assert torch.equal(values, getattr(third, kind)[name])


@every_pair
def test_thirty_steps_beat_chance(make_recipe, epoch_for, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.02}))
    for epoch in range(30):
        for batch in epoch_for(encoder, epoch, batch_size=24):
            recipe.step(batch, minimise)
    (batch,) = epoch_for(encoder, batch_size=24)
    accuracy = (recipe.predict(batch)["emotion"].argmax(dim=1) == batch.labels["emotion"]).double().mean()
    assert accuracy > 0.25 + 0.25, "chance is .25"


def test_a_frozen_teacher_stays_still_in_training_mode():
    from mien.engine.minimise import Frozen

    teacher = Frozen(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)))
    student = nn.Linear(3, 3)
    recipe = nn.ModuleDict({"teacher": teacher, "student": student})
    minimise = Optimisation(recipe, Optimiser())
    before = copy.deepcopy(teacher.state_dict())
    recipe.train()
    inputs = torch.randn(8, 3)
    assert torch.equal(teacher(inputs), teacher(inputs))
    minimise((student(teacher(inputs)) - inputs).square().mean(), recipe)
    assert not teacher(inputs).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def _changed(batch, change):
    return type(batch)(**{**vars(batch), "audio": change(batch.audio), "video": change(batch.video)})


def _filled(sequence, junk):
    valid = sequence.valid.view(*sequence.valid.shape, *[1] * (sequence.values.dim() - 2))
    return torch.where(valid, sequence.values, junk)
