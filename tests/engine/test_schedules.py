"""Schedules in closed form, and as `fit` drives them."""

import math

import pytest
import torch
from pydantic import ValidationError

from mien.engine.fit import Training, fit
from mien.engine.minimise import Optimisation, Optimiser
from mien.engine.schedules import Schedule


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1.0),
        ({"name": "polynomial", "power": 2.0}, 0.49),
        ({"name": "cosine"}, 0.5 * (1 + math.cos(0.3 * math.pi))),
        ({"name": "exponential", "gamma": 0.9}, 0.9**4),
        ({"name": "exponential"}, 0.9**4),
        ({"name": "step", "every": 5, "gamma": 0.5}, 1.0),
        ({"name": "step", "every": 4, "gamma": 0.5}, 0.5),
        ({"name": "step", "every": 2, "gamma": 0.5}, 0.25),
        ({"name": "step", "every": 1, "gamma": 0.9}, 0.9**4),
        ({"name": "logarithmic"}, 10**-0.3),
        ({"name": "logarithmic", "to": 0.01}, 100**-0.3),
    ],
)
def test_the_factor_in_closed_form(settings, expected):
    assert Schedule(**settings).factor(0.3, 4) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["constant", "polynomial", "cosine", "exponential", "step", "logarithmic"])
def test_a_warmup_rises_linearly_and_the_schedule_goes_on_beneath(name):
    own = {"name": name, **({"every": 2} if name == "step" else {})}
    plain, warm = Schedule(**own), Schedule(**own, warmup=0.2)
    assert warm.factor(0.0, 0) == 0
    for progress, share in ((0.05, 0.25), (0.1, 0.5), (0.15, 0.75), (0.2, 1), (0.21, 1), (0.7, 1)):
        assert warm.factor(progress, 3) == pytest.approx(share * plain.factor(progress, 3))
    assert plain.factor(0.0, 0) == 1, "without a warmup the first step has the whole rate"


def test_the_steps_of_a_warmup_have_its_rates(make_recipe, make_loader, tmp_path):
    """Plain descent moves a bias by rate x gradient: the first step not at all, the second by a quarter of the rate."""
    settings = {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}}
    schedule = Schedule(warmup=0.5)  # 8 steps, of which 4 rise
    optimiser = Optimiser(name="sgd", lr={"default": 0.5}, schedule=schedule)

    def weights(steps, optimiser):
        recipe = make_recipe(settings, encoder="vector")
        loader = make_loader(batch_size=24)
        minimise = Optimisation(recipe, optimiser)
        for step in range(steps):
            minimise.progress = step / 8
            (batch,) = loader.epoch(step)
            recipe.step(batch, minimise)
        return recipe.state_dict()

    start = make_recipe(settings, encoder="vector").state_dict()
    assert all(torch.equal(value, start[name]) for name, value in weights(1, optimiser).items())
    quarter = Optimiser(name="sgd", lr={"default": 0.125})
    recipe, loader = make_recipe(settings, encoder="vector"), make_loader(batch_size=24)
    (batch,) = loader.epoch(1)
    recipe.step(batch, Optimisation(recipe, quarter))
    second = weights(2, optimiser)
    for name, value in recipe.state_dict().items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0)
    assert any(not torch.equal(value, start[name]) for name, value in second.items())
    training = Training(epochs=8, batch=24, best="last")
    history = fit(
        make_recipe(settings, encoder="vector"),
        make_loader(batch_size=24),
        dict,
        training=training,
        optimiser=optimiser,
        folder=tmp_path,
    )
    assert [row["lr"] for row in history] == [0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "settings",
    [{"name": "exponential", "gamma": 1.1}, {"gamma": 0.0}, {"name": "linear"}, {"warmup": 1.0}, {"warmup": -0.1}],
)
def test_what_is_no_decay_is_refused(settings):
    with pytest.raises(ValidationError):
        Schedule(**settings)


@pytest.mark.parametrize(("every", "gamma"), [(1, 0.9), (5, 0.5), (3, 1.0)])
def test_a_step_schedule_is_that_of_torch(every, gamma):
    weight = torch.nn.Parameter(torch.zeros(1))
    descent = torch.optim.SGD([weight], lr=1.0)
    theirs, ours = torch.optim.lr_scheduler.StepLR(descent, every, gamma), []
    for epoch in range(12):
        ours.append(Schedule(name="step", every=every, gamma=gamma).factor(epoch / 12, epoch))
        assert ours[-1] == pytest.approx(theirs.get_last_lr()[0])
        descent.step()
        theirs.step()
    assert len(set(ours)) == (1 if gamma == 1 else -(-12 // every))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"name": "step"}, "'every' is missing: the number of epochs after which the rate falls; write every: 5"),
        (
            {"name": "cosine", "every": 5},
            "'every' is a setting of the schedule step and not of cosine; leave it out",
        ),
    ],
)
def test_every_belongs_to_the_step_schedule(settings, sentence):
    with pytest.raises(ValidationError) as error:
        Schedule(**settings)
    assert sentence in str(error.value)


def test_an_exponential_rate_falls_from_epoch_to_epoch_also_when_resumed(make_recipe, make_loader, tmp_path):
    """The rate of the history is that of the steps: plain descent moves a bias by rate x gradient."""
    optimiser = Optimiser(name="sgd", lr={"default": 0.5}, schedule=Schedule(name="exponential", gamma=0.5))
    settings = {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}}

    def run(folder, epochs):
        folder.mkdir(exist_ok=True)
        recipe = make_recipe(settings, encoder="vector")
        training = Training(epochs=epochs, batch=24, best="last")
        loader = make_loader(batch_size=24)
        return fit(recipe, loader, dict, training=training, optimiser=optimiser, folder=folder), recipe.state_dict()

    (history, whole), (first, _) = run(tmp_path / "whole", 3), run(tmp_path / "parts", 1)
    second, resumed = run(tmp_path / "parts", 3)
    assert [row["lr"] for row in history] == [0.5, 0.25, 0.125]
    assert [row["lr"] for row in first + second[1:]] == [0.5, 0.25, 0.125]
    assert all((value == resumed[name]).all() for name, value in whole.items())
    constant = make_recipe(settings, encoder="vector")
    plain = Optimiser(name="sgd", lr={"default": 0.5})
    (tmp_path / "plain").mkdir()
    training = Training(epochs=3, batch=24, best="last")
    fit(constant, make_loader(batch_size=24), dict, training=training, optimiser=plain, folder=tmp_path / "plain")
    assert any((value != whole[name]).any() for name, value in constant.state_dict().items())
