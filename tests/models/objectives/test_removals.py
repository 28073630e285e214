"""Removals against finite differences and their closed forms."""

import math

import pytest
import torch
import torch.nn.functional as F

from mien.models.objectives.removals import REMOVALS, reverse_gradient, strength

generator = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 4, generator=generator, dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, -1, 0, -1, 1, 2])
every_removal = pytest.mark.parametrize("how", [name for name, removal in REMOVALS.items() if removal.term is not None])


def test_the_rows_are_those_of_the_papers():
    assert {name: removal.adversary for name, removal in REMOVALS.items()} == {
        "none": "absent",
        "gradient_reversal": "main phase",
        "alternating": "own phase",
        "confusion": "own phase",
        "max_entropy": "own phase",
    }


def test_gradient_reversal_is_minus_the_factor_times_finite_differences():
    value = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    function = lambda x: (x.sin() * torch.arange(12.0).view(3, 4)).sum()  # noqa: E731
    function(reverse_gradient(value, 0.3)).backward()
    for row in range(3):
        for column in range(4):
            slope = slope_of(function, value, row, column)
            assert value.grad[row, column] == pytest.approx(-0.3 * slope, abs=1e-7)


@pytest.mark.parametrize("how", ["gradient_reversal", "alternating"])
def test_the_encoder_climbs_the_adversary_s_loss_by_the_weight(how):
    """By finite differences, where no clip is beyond chance."""
    torch.manual_seed(0)
    adversary = torch.nn.Linear(4, 3).double()
    labels = LABELS.clamp(max=2)
    embedding = (4 * adversary.weight.detach()[labels.clamp(min=0)]).requires_grad_()
    known = labels >= 0
    function = lambda x: F.cross_entropy(adversary(x)[known], labels[known])  # noqa: E731
    assert (F.cross_entropy(adversary(embedding)[known], labels[known], reduction="none") < math.log(3)).all()
    (gradient,) = torch.autograd.grad(REMOVALS[how].term(embedding, labels, adversary, 0.3), embedding)
    for row in (0, 4, 8):
        for column in range(4):
            slope = slope_of(function, embedding, row, column)
            assert gradient[row, column].item() == pytest.approx(-0.3 * slope, abs=1e-7)


def slope_of(function, value, row, column, step=1e-6):
    ahead, behind = value.detach().clone(), value.detach().clone()
    ahead[row, column] += step
    behind[row, column] -= step
    return ((function(ahead) - function(behind)) / (2 * step)).item()


def test_alternating_stops_at_chance():
    """A clip beyond log(K) counts as log(K), and pulls no more; gradient reversal pulls on, without end."""
    identity = torch.nn.Identity()
    labels = torch.tensor([0, 0])
    embedding = torch.tensor([[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]], requires_grad=True)  # found, and beyond chance
    term = REMOVALS["alternating"].term(embedding, labels, identity, 2.0)
    (gradient,) = torch.autograd.grad(term, embedding)
    assert gradient[0].abs().max() > 1e-3
    assert gradient[1].tolist() == [0.0, 0.0, 0.0]
    found = F.cross_entropy(embedding[:1], labels[:1]).item()
    assert term.item() == pytest.approx(-2.0 * (found + math.log(3)) / 2)
    lost = REMOVALS["gradient_reversal"].term(embedding, labels, identity, 2.0)
    assert torch.autograd.grad(lost, embedding)[0][1].abs().max() > 0.1


def test_alternating_is_bounded_where_the_papers_letter_is_not():
    embedding, removal = torch.tensor([[-1e4, 0.0, 0.0]], requires_grad=True), REMOVALS["alternating"]
    for labels in (torch.tensor([0]), torch.tensor([[1.0, 0.0, 0.0]])):
        assert removal.term(embedding, labels, torch.nn.Identity(), 1.0).item() == pytest.approx(-math.log(3))
        assert removal.unbounded(embedding, labels, torch.nn.Identity(), 1.0).item() == pytest.approx(
            -1e4 - math.log(2)
        )


def test_alternating_without_a_bound_climbs_every_cross_entropy():
    """By finite differences, found and beyond chance; with the bound, clips beyond chance give no gradient."""
    torch.manual_seed(0)
    adversary = torch.nn.Linear(4, 4).double()
    embedding = (3 * LOGITS).requires_grad_()
    known = LABELS >= 0
    function = lambda x: F.cross_entropy(adversary(x)[known], LABELS[known])  # noqa: E731
    slopes = torch.tensor([[slope_of(function, embedding, row, column) for column in range(4)] for row in range(9)])
    beyond = known & (F.cross_entropy(adversary(embedding), LABELS.clamp(min=0), reduction="none") > math.log(4))
    assert beyond.any()
    assert (known & ~beyond).any()
    removal = REMOVALS["alternating"]
    whole, bounded = (
        torch.autograd.grad(term(embedding, LABELS, adversary, 0.3), embedding)[0]
        for term in (removal.unbounded, removal.term)
    )
    torch.testing.assert_close(whole, -0.3 * slopes.double(), rtol=0, atol=1e-7)
    assert (whole[known].abs().amax(1) > 1e-3).all()
    assert bounded[beyond].tolist() == [[0.0] * 4] * int(beyond.sum())
    assert torch.equal(bounded[~beyond], whole[~beyond])


@every_removal
def test_a_removal_moves_the_embedding_from_what_adversaries_use(how):
    torch.manual_seed(0)
    adversary = torch.nn.Linear(2, 3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    embedding = (5 * adversary.weight.detach()[labels]).requires_grad_()
    before = F.cross_entropy(adversary(embedding), labels)
    term = REMOVALS[how].term(embedding, labels, adversary, 1.0)
    (gradient,) = torch.autograd.grad(term, embedding)
    assert F.cross_entropy(adversary(embedding - 0.1 * gradient / gradient.norm()), labels) > before


@every_removal
def test_a_removal_scales_with_its_weight(how):
    torch.manual_seed(0)
    adversary = torch.nn.Linear(4, 3).double()
    labels = LABELS.clamp(max=2)
    embedding = LOGITS.clone().requires_grad_()
    term = REMOVALS[how].term
    single, double = (
        torch.autograd.grad(term(embedding, labels, adversary, weight), embedding)[0] for weight in (0.5, 1.0)
    )
    torch.testing.assert_close(2 * single, double)
    assert single.abs().max() > 0


@every_removal
def test_a_removal_never_asks_for_what_is_not_known(how):
    """Where no label is known, those that need one are without a graph, and the others go on."""
    torch.manual_seed(0)
    adversary = torch.nn.Linear(4, 3).double()
    embedding = LOGITS.clone().requires_grad_()
    term = REMOVALS[how].term(embedding, torch.full((9,), -1), adversary, 1.0)
    assert term.isfinite()
    assert term.requires_grad == (how in {"confusion", "max_entropy"})


def test_strength_in_closed_form():
    assert strength(0.2, warmup=0.0, schedule="constant") == 1
    assert strength(0.2, warmup=0.4, schedule="constant") == pytest.approx(0.5)
    assert strength(0.0, warmup=0.0, schedule="ganin") == 0
    assert strength(1.0, warmup=0.0, schedule="ganin") == pytest.approx(2 / (1 + math.exp(-10)) - 1)
