"""Mean teacher against the average and the loss written by hand, and the noise of its views."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mien.engine.minimise import Optimisation, Optimiser
from mien.models.layers.average import Average

PLAIN = {"hidden": 5, "dropout": 0.0, "noise": 0.0, "masks": 0, "ramp": 0.0}


@pytest.fixture
def made(make_recipe):
    def make(**settings):
        own = {**PLAIN, **settings}
        return make_recipe(own, recipe="mean_teacher", encoder="convolutional", dtype=torch.float64)

    return make


@pytest.fixture
def batch(make_batch):
    found = make_batch(24).to(torch.device("cpu"), torch.float64)
    found.labels["emotion"][::3] = -1
    return found


def test_the_average_is_that_of_all_steps_and_then_exponential():
    module = nn.Linear(1, 1, bias=False)
    average, values, kept = Average({"one": module}, decay=0.75), [], None
    for step, value in enumerate((3.0, -1.0, 4.0, 2.0, 8.0, 0.0), start=1):
        with torch.no_grad():
            module.weight.fill_(value)
        average.commit()
        values.append(value)
        kept = sum(values) / step if step <= 4 else 0.75 * kept + 0.25 * value  # 1 - 1/t reaches .75 at t = 4
        assert average["one"].weight.item() == pytest.approx(kept, abs=1e-6)
    assert not next(iter(average.parameters())).requires_grad


def test_a_copied_recipe_has_a_teacher_that_follows_the_copy(made, batch):
    recipe = made()
    other = copy.deepcopy(recipe)
    recipe.step(batch, Optimisation(recipe, Optimiser(lr={"default": 0.1})))
    other.step(batch, Optimisation(other, Optimiser(lr={"default": 0.1})))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in recipe.state_dict().items())


def test_a_step_goes_down_the_loss_of_the_paper(made, batch):
    """Cross-entropy of what is labelled plus the weight times the squared difference of probabilities; then average."""
    recipe = made(consistency=3.0, decay=0.9)
    for _ in range(3):  # so that student and teacher differ
        recipe.step(batch, Optimisation(recipe, Optimiser(lr={"default": 0.1})))
    before = copy.deepcopy(recipe)
    optimisation = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 1.0}))
    optimisation.progress = 1.0
    recipe.step(batch, optimisation)

    teacher = before.teacher
    with torch.no_grad():
        code, valid = teacher["encoder"](batch)
        wanted = teacher["classifiers"].heads["emotion"](code, valid, batch, "").softmax(dim=1)
    code, valid = before.encoder(batch)
    logits, known = before.classifiers.heads["emotion"](code, valid, batch, ""), batch.labels["emotion"] >= 0
    loss = F.cross_entropy(logits[known], batch.labels["emotion"][known])
    loss = loss + 3.0 * F.mse_loss(logits.softmax(dim=1), wanted)
    weight = before.encoder.blocks[0].convolution.weight
    (slope,) = torch.autograd.grad(loss, [weight])
    found = recipe.encoder.blocks[0].convolution.weight
    torch.testing.assert_close(weight - found, slope, rtol=0, atol=1e-9)
    old, new = (one.teacher["encoder"].blocks[0].convolution.weight for one in (before, recipe))
    torch.testing.assert_close(new, old + (found - old) / 4)  # the fourth step: the average keeps 1 - 1 / 4


def test_without_a_label_the_student_still_learns_to_agree(made, batch):
    recipe = made(dropout=0.3, noise=0.5)
    batch.labels["emotion"].fill_(-1)
    before = copy.deepcopy(recipe.encoder.state_dict())
    recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert not torch.equal(before["blocks.0.convolution.weight"], recipe.encoder.blocks[0].convolution.weight)


def test_at_weight_0_unlabelled_clips_change_no_weight_of_the_student(made, batch):
    """Of the student's weights: its statistics are those of all clips."""
    ways = []
    for junk in (0.0, 1.0):
        recipe = made(consistency=0.0).eval()  # statistics that do not depend on the batch
        rows = (batch.labels["emotion"] < 0)[:, None, None]
        values = torch.where(rows, batch.audio.values + junk, batch.audio.values)
        changed = replace(batch, audio=replace(batch.audio, values=values))
        recipe.step(changed, Optimisation(recipe, Optimiser()))
        ways.append(dict(recipe.named_parameters()))
    assert all(torch.equal(value, ways[1][name]) for name, value in ways[0].items())


def test_views_differ_from_each_other_and_repeat_with_the_step(made, batch):
    recipe = made(noise=0.5, masks=2)
    one, two = (recipe._view(batch, name).audio.values for name in ("student", "teacher"))
    assert not torch.equal(one, two)
    assert torch.equal(one, recipe._view(batch, "student").audio.values)
    other = recipe._view(replace(batch, step=1), "student").audio.values
    assert not torch.equal(one, other)
    noise = (made(noise=0.5)._view(batch, "student").audio.values - batch.audio.values)[batch.audio.valid]
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)


def test_the_weight_of_consistency_rises(made):
    from mien.models.recipes.mean_teacher import _rise

    assert _rise(0.0, 0.4) == pytest.approx(torch.tensor(-5.0).exp().item())
    assert _rise(0.2, 0.4) == pytest.approx(torch.tensor(-1.25).exp().item())
    assert _rise(0.4, 0.4) == _rise(1.0, 0.4) == _rise(0.0, 0.0) == 1.0
