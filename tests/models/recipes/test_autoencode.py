"""The three phases of Rana et al. 2019 against a hand-written loop, their weights, and what a label moves."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mien.common.settings import parse
from mien.engine.minimise import Optimisation, Optimiser
from mien.errors import ConfigError
from mien.models.layers.normalisation import Pending
from mien.models.recipes.autoencode import Config

RATE = 0.01


@pytest.fixture
def made(make_recipe):
    def make(**settings):
        own = {"hidden": 5, "dropout": 0.0, **settings}
        return make_recipe(own, recipe="autoencode", encoder="convolutional", dtype=torch.float64)

    return make


@pytest.fixture
def batches(make_loader):
    """Two batches of an epoch, a third of the clips without a label of the emotion."""

    def some():
        found = []
        for batch in list(make_loader().epoch(0))[:2]:
            batch = batch.to(torch.device("cpu"), torch.float64)
            batch.labels["emotion"][::3] = -1
            found.append(batch)
        return found

    return some


def moved(recipe, optimiser, loss, *modules):
    """One step of plain torch on the parameters of some modules, and of their statistics."""
    chosen = {id(one) for module in modules for one in module.parameters()}
    for parameter in recipe.parameters():
        parameter.grad = None
    loss.backward()
    for parameter in recipe.parameters():
        if id(parameter) not in chosen:
            parameter.grad = None
    optimiser.step()
    for module in modules:
        for one in module.modules():
            if isinstance(one, Pending):
                one.commit()


def cross_entropies(recipe, code, valid, batch):
    """The mean over known labels of each task; a classifier sees the clips alone whose label it knows."""
    found = {}
    for task, head in recipe.classifiers.heads.items():
        rows = (batch.labels[task] >= 0).nonzero()[:, 0]
        logits = head(code[rows], valid[rows], batch, "unused")
        found[task] = F.cross_entropy(logits, batch.labels[task][rows])
    return found


def by_hand(recipe, batches, *, alpha, weights, share):
    """Section III-A written out, with log and sigmoid as Eq. 4 and 5 print them."""
    encoder, decoder, discriminator = recipe.encoder, recipe.decoder, recipe.discriminator
    optimiser = torch.optim.Adam(recipe.parameters(), lr=RATE)
    for batch in batches:
        values, valid = batch.audio.values, batch.audio.valid
        code, times = encoder(batch)
        error = (decoder(code, times, values.shape[1]) - values)[valid].square().mean()
        moved(recipe, optimiser, alpha * error, encoder, decoder)

        code, times = encoder(batch)
        uniform = batch.uniform("prior", *code.shape[1:])
        prior = torch.where(times[:, None, :, None], torch.distributions.Normal(0.0, 1.0).icdf(uniform).abs(), 0.0)
        real = discriminator(prior, times, batch, "").sigmoid()
        fake = discriminator(code.detach(), times, batch, "").sigmoid()
        moved(recipe, optimiser, -(real.log().mean() + (1 - fake).log().mean()), discriminator)
        moved(recipe, optimiser, (1 - discriminator(code, times, batch, "").sigmoid()).log().mean(), encoder)

        known = batch.part((torch.stack([batch.labels[task] for task in weights]) >= 0).any(dim=0).nonzero()[:, 0])
        losses = cross_entropies(recipe, *encoder(known), known)
        whole = share * sum(weights[task] * loss for task, loss in losses.items())
        moved(recipe, optimiser, whole, encoder, recipe.classifiers)
    return recipe.state_dict()


@pytest.mark.parametrize(
    ("settings", "weights", "share"),
    [
        ({"alpha": 0.3}, {"emotion": 1.0}, 0.7),
        ({"alpha": 0.4, "auxiliary": ["speaker"], "beta": 0.8}, {"emotion": 0.8, "speaker": 0.2}, 1.0),
    ],
    ids=["single task: Eq. 1", "multitask: Eq. 2, 3"],
)
def test_a_step_equals_the_phases_written_by_hand(made, batches, settings, weights, share):
    ours, theirs = made(**settings), made(**settings)
    minimise = Optimisation(ours, Optimiser(lr={"default": RATE}))
    for batch in batches():
        ours.step(batch, minimise)
    expected = by_hand(theirs, batches(), alpha=settings["alpha"], weights=weights, share=share)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=lambda text, name=name: name + text)


def test_the_joint_step_is_one_step_down_the_sum_of_equation_5(made, batches):
    """With plain descent, so that a gradient is what moves."""
    (batch, _), recipe = batches(), made(joint=True, alpha=0.4, auxiliary=["speaker"])
    minimise = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 1.0}))
    before = copy.deepcopy(recipe)
    recipe.step(batch, minimise)
    before.discriminator.load_state_dict(recipe.discriminator.state_dict())  # it learns first
    code, times = before.encoder(batch)
    decoded = before.decoder(code, times, batch.audio.values.shape[1])
    error = (decoded - batch.audio.values)[batch.audio.valid].square().mean()
    fake = (1 - before.discriminator(code, times, batch, "").sigmoid()).log().mean()
    losses = cross_entropies(before, code, times, batch)
    whole = fake + 0.4 * error + 0.5 * losses["emotion"] + 0.5 * losses["speaker"]
    weight = before.encoder.blocks[0].convolution.weight
    (slope,) = torch.autograd.grad(whole, [weight])
    torch.testing.assert_close(weight - recipe.encoder.blocks[0].convolution.weight, slope, rtol=0, atol=1e-9)


def test_rates_of_phases_multiply_the_rates_of_modules(made, batches):
    """Plain descent: a decoder at half the rate moves half as far."""
    (batch, _) = batches()
    ways = []
    for factor in (1.0, 0.5):
        recipe = made(regularisation=False, rates={"reconstruction": factor})
        start = copy.deepcopy(recipe.decoder.state_dict())
        recipe.step(batch, Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.1})))
        ways.append(recipe.decoder.state_dict()["blocks.1.convolution.bias"] - start["blocks.1.convolution.bias"])
    torch.testing.assert_close(2 * ways[1], ways[0])


def test_a_supervised_model_does_not_see_unlabelled_clips(made, batches):
    """Neither weights nor statistics: the step is that of the labelled clips alone."""
    settings = {"reconstruction": False, "regularisation": False, "convolutions": 1}
    states = []
    for part in (False, True):
        (batch, _), recipe = batches(), made(**settings)
        rows = (batch.labels["emotion"] >= 0).nonzero()[:, 0]
        recipe.step(batch.part(rows) if part else batch, Optimisation(recipe, Optimiser()))
        states.append(recipe.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_unlabelled_clips_move_encoder_and_decoder_of_an_autoencoder(made, batches):
    (batch, _), recipe = batches(), made(regularisation=False)
    batch.labels["emotion"].fill_(-1)
    before = copy.deepcopy(recipe.state_dict())
    recipe.step(batch, Optimisation(recipe, Optimiser()))
    still = {name.partition(".")[0] for name, value in recipe.state_dict().items() if torch.equal(value, before[name])}
    assert still == {"classifiers"}


def test_at_alpha_1_a_single_task_has_no_classification(made, batches):
    (batch, _), recipe = batches(), made(alpha=1.0)
    before = copy.deepcopy(recipe.classifiers.state_dict())
    recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert all(torch.equal(value, before[name]) for name, value in recipe.classifiers.state_dict().items())
    assert frozenset({"encoder", "classifiers"}) not in recipe.phases


def test_the_prior_is_half_normal_where_the_code_is_valid(made, make_loader):
    recipe, (batch,) = made(), make_loader(batch_size=24).epoch(0)
    code = torch.zeros(24, 40, 8, 5, dtype=torch.float64)
    valid = torch.ones(24, 8, dtype=torch.bool)
    valid[3, 2:] = False
    samples = recipe._prior(code, valid, batch)
    assert not samples[3, :, 2:].any()
    inside = samples[torch.arange(24) != 3]
    assert inside.min() >= 0
    assert inside.mean().item() == pytest.approx((2 / torch.pi) ** 0.5, abs=0.01)
    assert inside.square().mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auxiliary": ["emotion"]}, "'emotion' is a task twice; name it once, as 'main' or in 'auxiliary'"),
        ({"auxiliary": ["gender", "gender"]}, "'gender' is a task twice"),
        ({"main": "a.b"}, "a factor is a column of the corpus without a dot"),
        ({"alpha": 0.0}, "alpha"),
        ({"alfa": 0.5}, "Did you mean 'alpha'"),
    ],
)
def test_settings_that_make_no_model_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        parse(Config, settings, "models.AAE")
