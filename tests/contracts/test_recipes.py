"""One contract for every removal and encoder that the folders hold (DESIGN 6), on tiny configurations."""

import copy

import pytest
import torch
from torch import nn

from mien.encoders import ENCODERS
from mien.engine.minimise import Optimisation, Optimiser
from mien.objectives.removals import REMOVALS
from mien.recipes import RECIPES

MODELS = {
    "emotion only": {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}},
    "multitask": {"embeddings": {"main": {"tasks": {"emotion": 0.5, "speaker": 0.5}}}},
    "two embeddings": {
        "embeddings": {
            "emotion": {"dim": 4, "tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy"}}},
            "speaker": {"dim": 3, "tasks": {"speaker": 0.5}, "remove": {"emotion": {"how": "gradient_reversal"}}},
        }
    },
    **{
        f"removal {how}": {
            "embeddings": {"main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": how, "spy_steps": 2}}}}
        }
        for how in REMOVALS
    },
}

every_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def test_every_recipe_is_swept():
    """The models above are those of `disentangle`; another recipe brings its own tiny ones here."""
    assert RECIPES == ("disentangle",)


class Recorder:
    """A `minimise` that checks, around every call, that only what is named moves."""

    def __init__(self, recipe, minimise):
        self.recipe, self.minimise, self.progress = recipe, minimise, 0.0
        self.named = []
        self.last = copy.deepcopy(recipe.state_dict())

    def __call__(self, loss, *modules, phase=""):
        self._nothing_but(set())
        allowed = {id(value) for module in modules for value in module.state_dict(keep_vars=True).values()}
        self.minimise(loss, *modules, phase=phase)
        self._nothing_but(allowed)
        self.named.append(modules)

    def _nothing_but(self, allowed):
        for name, value in self.recipe.state_dict(keep_vars=True).items():
            if id(value) not in allowed:
                assert torch.equal(value, self.last[name]), f"{name} moved without being named"
            assert value.grad is None, f"{name} has a gradient left"
        self.last = copy.deepcopy(self.recipe.state_dict())


@every_model
@every_encoder
def test_only_what_is_named_moves_and_no_gradient_is_left(make_recipe, make_loader, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    recorder = Recorder(recipe, Optimisation(recipe, Optimiser()))
    for batch in make_loader().epoch(0):
        recipe.step(batch, recorder)
    recorder._nothing_but(set())
    assert recorder.named


@every_model
@every_encoder
def test_every_declared_parameter_moves_within_an_epoch(make_recipe, make_loader, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    before = copy.deepcopy(recipe.state_dict())
    minimise = Optimisation(recipe, Optimiser())
    for batch in make_loader().epoch(0):
        recipe.step(batch, minimise)
    still = [name for name, value in recipe.state_dict().items() if torch.equal(value, before[name])]
    assert not still


@every_model
@every_encoder
def test_an_unlabelled_factor_leaves_its_heads_bit_still_after_a_warm_adam(make_recipe, make_batch, settings, encoder):
    recipe = make_recipe(settings, encoder=encoder)
    minimise = Optimisation(recipe, Optimiser(decay=0.1))
    for step in range(3):
        recipe.step(make_batch(step=step), minimise)
    unknown = torch.full((7,), -1)
    for labels in ({"speaker": unknown}, {"emotion": unknown}, {"emotion": unknown, "speaker": unknown}):
        before = copy.deepcopy(recipe.state_dict())
        recipe.step(make_batch(**labels), minimise)
        for name, value in recipe.state_dict().items():
            head = name.split(".")[1] if name.startswith(("tasks", "spies")) else ""
            if any(head.endswith(factor) for factor in labels):
                assert torch.equal(value, before[name]), f"{name} moved without a label"


@every_model
@every_encoder
def test_junk_in_invalid_frames_changes_nothing(make_recipe, make_batch, settings, encoder):
    batch = make_batch()
    invalid = ~batch.audio.valid[:, :, None]
    assert invalid.any()
    states, embeddings = [], []
    for junk in (0.0, 1e6, torch.nan):
        values = torch.where(invalid, junk, batch.audio.values)
        changed = type(batch)(**{**vars(batch), "audio": type(batch.audio)(values, batch.audio.valid)})
        recipe = make_recipe(settings, encoder=encoder)
        recipe.step(changed, Optimisation(recipe, Optimiser()))
        states.append(recipe.state_dict())
        with torch.no_grad():
            embeddings.append(recipe.eval().embed(changed))
    for state, embedding in zip(states[1:], embeddings[1:], strict=True):
        assert all(torch.equal(value, states[0][name]) for name, value in state.items())
        assert all(torch.equal(value, embeddings[0][name]) for name, value in embedding.items())


@every_encoder
@pytest.mark.parametrize("length", [1, 3, 17, 18, 19, 40])
def test_padding_never_changes_an_embedding(make_recipe, make_batch, encoder, length):
    recipe = make_recipe(MODELS["emotion only"], encoder=encoder, dtype=torch.float64)
    batch = make_batch().to(torch.device("cpu"), torch.float64)
    values = torch.randn(7, length, batch.audio.values.shape[2], dtype=torch.float64)
    valid = torch.ones(7, length, dtype=torch.bool)
    alone = recipe.embed(_with_audio(batch, values, valid))["main"]
    for padding in (1, 2, 7, 50):
        padded = torch.cat([values, torch.full((7, padding, values.shape[2]), 9.0, dtype=torch.float64)], dim=1)
        mask = torch.arange(length + padding).expand(7, -1) < length
        torch.testing.assert_close(recipe.embed(_with_audio(batch, padded, mask))["main"], alone, rtol=0, atol=1e-12)
    assert alone.std(dim=0).max() > 1e-3, "the embedding does not depend on the clip"


@every_model
@every_encoder
@pytest.mark.parametrize("case", ["nothing valid", "one frame", "no clips", "absent"])
def test_odd_batches_give_finite_values_and_gradients(make_recipe, make_batch, absent, settings, encoder, case):
    batch = make_batch()
    if case == "nothing valid":
        batch = _with_audio(batch, torch.full_like(batch.audio.values, torch.nan), torch.zeros_like(batch.audio.valid))
    elif case == "one frame":
        batch = _with_audio(batch, batch.audio.values[:, :1], batch.audio.valid[:, :1])
    elif case == "no clips":
        batch = batch.part(torch.arange(0))
    else:
        batch = _with_audio(batch, batch.audio.values[:, :0], batch.audio.valid[:, :0])
    recipe = make_recipe(settings, encoder=encoder)
    for _ in range(2):  # a gradient that is not finite would raise
        recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert all(value.isfinite().all() for value in recipe.state_dict().values())
    for values in (recipe.predict(batch), recipe.embed(batch)):
        assert all(value.isfinite().all() and len(value) == len(batch.clips) for value in values.values())


@every_encoder
def test_a_forward_under_autocast_sees_the_weights_after_a_step(make_recipe, make_batch, encoder):
    recipe, batch = make_recipe(MODELS["emotion only"], encoder=encoder), make_batch()
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.1}))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        recipe.step(batch, minimise)
        inside = recipe.embed(batch)["main"]
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        afterwards = recipe.embed(batch)["main"]
    assert torch.equal(inside, afterwards)


@every_model
def test_evaluation_is_deterministic_and_survives_saving(make_recipe, make_batch, settings, tmp_path):
    from mien.engine import checkpoint

    recipe, batch = make_recipe(settings).eval(), make_batch()
    first, second = recipe.predict(batch), recipe.predict(batch)
    checkpoint.save_weights(tmp_path / "w.safetensors", recipe.state_dict())
    other = make_recipe(settings, seed=1).eval()
    assert not torch.equal(other.predict(batch)["emotion"], first["emotion"])
    other.load_state_dict(checkpoint.load_weights(tmp_path / "w.safetensors")[0])
    for factor, logits in first.items():
        assert torch.equal(logits, second[factor])
        assert torch.equal(logits, other.predict(batch)[factor])


@every_model
@every_encoder
def test_thirty_steps_beat_chance(make_recipe, make_loader, settings, encoder):
    recipe, loader = make_recipe(settings, encoder=encoder), make_loader(batch_size=24)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 0.02}))
    for epoch in range(30):
        for batch in loader.epoch(epoch):
            recipe.step(batch, minimise)
    batch = next(iter(loader.epoch(0)))
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


def _with_audio(batch, values, valid):
    return type(batch)(**{**vars(batch), "audio": type(batch.audio)(values, valid)})
