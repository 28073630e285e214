"""Losses against torch and scipy, and removals against finite differences and their closed forms."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy as scipy_entropy

from mien.objectives.losses import cross_entropy, entropy, mean
from mien.objectives.removals import REMOVALS, reverse_gradient, strength

generator = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 4, generator=generator, dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, -1, 0, -1, 1, 2])


def test_cross_entropy_is_torchs_over_the_known_labels():
    known = LABELS >= 0
    assert cross_entropy(LOGITS, LABELS) == pytest.approx(
        F.cross_entropy(LOGITS[known], LABELS[known]).item(), abs=1e-12
    )
    weight = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
    expected = F.cross_entropy(LOGITS[known], LABELS[known], weight=weight).item()
    assert cross_entropy(LOGITS, LABELS, weight) == pytest.approx(expected, abs=1e-12)


def test_cross_entropy_with_soft_labels_is_torchs_over_the_known_rows():
    soft = torch.rand(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).softmax(dim=1)
    soft[3] = torch.nan
    known = torch.arange(9) != 3
    expected = F.cross_entropy(LOGITS[known], soft[known]).item()
    assert cross_entropy(LOGITS, soft) == pytest.approx(expected, abs=1e-12)


def test_junk_where_nothing_is_known_reaches_neither_value_nor_gradient():
    values = torch.tensor([1.0, torch.nan, 3.0], requires_grad=True)
    loss = mean(values, torch.tensor([True, False, True]))
    loss.backward()
    assert loss == 2
    assert values.grad.tolist() == [0.5, 0, 0.5]


def test_nothing_known_gives_zero_without_a_graph():
    loss = cross_entropy(LOGITS.clone().requires_grad_(), torch.full((9,), -1))
    assert loss == 0
    assert not loss.requires_grad


def test_half_precision_logits_are_computed_in_single():
    assert cross_entropy(LOGITS.bfloat16(), LABELS).dtype == torch.float32


def test_entropy_is_scipys_and_greatest_for_equal_logits():
    expected = scipy_entropy(LOGITS.softmax(dim=1).numpy(), axis=1).mean()
    assert entropy(LOGITS) == pytest.approx(expected, abs=1e-12)
    assert entropy(torch.zeros(5, 4)) == pytest.approx(math.log(4), abs=1e-6)
    assert entropy(LOGITS) < math.log(4)


def test_entropy_of_certain_predictions_is_zero_with_a_finite_gradient():
    logits = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    value = entropy(logits)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert logits.grad.isfinite().all()


def test_mean_refuses_shapes_that_do_not_match():
    with pytest.raises(ValueError, match="shape"):
        mean(torch.zeros(3), torch.ones(2, dtype=torch.bool))


def test_gradient_reversal_is_minus_the_factor_times_finite_differences():
    value = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    function = lambda x: (x.sin() * torch.arange(12.0).view(3, 4)).sum()  # noqa: E731
    function(reverse_gradient(value, 0.3)).backward()
    step = 1e-6
    for row in range(3):
        for column in range(4):
            ahead, behind = value.detach().clone(), value.detach().clone()
            ahead[row, column] += step
            behind[row, column] -= step
            slope = (function(ahead) - function(behind)) / (2 * step)
            assert value.grad[row, column] == pytest.approx(-0.3 * slope.item(), abs=1e-7)


@pytest.mark.parametrize("how", [name for name, removal in REMOVALS.items() if removal.term is not None])
def test_a_removal_moves_the_embedding_away_from_what_the_spy_reads(how):
    torch.manual_seed(0)
    spy = torch.nn.Linear(2, 3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    embedding = (5 * spy.weight.detach()[labels]).requires_grad_()
    before = F.cross_entropy(spy(embedding), labels)
    term = REMOVALS[how].term(embedding, labels, spy, 1.0)
    (gradient,) = torch.autograd.grad(term, embedding)
    assert F.cross_entropy(spy(embedding - 0.1 * gradient / gradient.norm()), labels) > before


def test_a_removal_scales_with_its_weight():
    spy = torch.nn.Linear(4, 3).double()
    labels = LABELS.clamp(max=2)
    for removal in REMOVALS.values():
        if removal.term is not None:
            embedding = LOGITS.clone().requires_grad_()
            single, double = (
                torch.autograd.grad(removal.term(embedding, labels, spy, weight), embedding)[0] for weight in (0.5, 1.0)
            )
            torch.testing.assert_close(2 * single, double)
            assert single.abs().max() > 0


def test_strength_in_closed_form():
    assert strength(0.2, warmup=0.0, schedule="constant") == 1
    assert strength(0.2, warmup=0.4, schedule="constant") == pytest.approx(0.5)
    assert strength(0.0, warmup=0.0, schedule="ganin") == 0
    assert strength(1.0, warmup=0.0, schedule="ganin") == pytest.approx(2 / (1 + math.exp(-10)) - 1)
