"""Losses against torch, scipy and numpy, and the penalties on what is, and what is not, independent."""

import math

import audmetric
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import pdist, squareform
from scipy.stats import entropy as scipy_entropy

from mien.models.objectives.losses import (
    PENALTIES,
    concordance,
    confusion,
    cross_entropy,
    deception,
    discrimination,
    entropy,
    hsic,
    mean,
    orthogonality,
    reconstruction,
    squared_error,
)

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


def test_a_distribution_has_the_weight_of_its_most_probable_class():
    soft = 0.1 + 0.6 * F.one_hot(LABELS.clamp(min=0), 4).double()
    soft[LABELS < 0] = torch.nan
    weight = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
    each = F.cross_entropy(LOGITS, soft.nan_to_num(), reduction="none")
    expected = np.average(each[LABELS >= 0], weights=weight[LABELS[LABELS >= 0]])
    assert cross_entropy(LOGITS, soft, weight).item() == pytest.approx(expected, abs=1e-12)


def test_reconstruction_is_the_squared_error_of_the_valid_frames():
    frames, outputs = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    valid = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    frames[~valid] = torch.nan
    outputs.requires_grad_()
    loss = reconstruction(outputs, frames, valid)
    assert loss.item() == pytest.approx(F.mse_loss(outputs[valid], frames[valid]).item(), abs=1e-12)
    (slope,) = torch.autograd.grad(loss, outputs)
    assert slope.isfinite().all()
    assert not slope[~valid].any()


def test_a_discriminator_and_its_opponent_have_torchs_cross_entropies():
    real, fake = torch.randn(2, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    where = torch.tensor([True, True, False, True, True, True])
    one, zero = torch.ones(5).double(), torch.zeros(5).double()
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real[where], one) + bce(fake[where], zero)
    assert discrimination(real, fake, where).item() == pytest.approx(expected.item(), abs=1e-12)
    assert discrimination(0 * real, 0 * fake, where).item() == pytest.approx(2 * math.log(2), abs=1e-12)
    assert deception(fake, where).item() == pytest.approx(-bce(fake[where], zero).item(), abs=1e-12)
    other = deception(fake, where, saturating=False)
    assert other.item() == pytest.approx(bce(fake[where], one).item(), abs=1e-12)


def test_a_sure_discriminator_leaves_the_saturating_opponent_no_slope():
    fake, where = torch.tensor([-30.0], requires_grad=True), torch.tensor([True])
    slopes = [torch.autograd.grad(deception(fake, where, saturating=way), fake)[0].item() for way in (True, False)]
    assert abs(slopes[0]) < 1e-12
    assert slopes[1] == pytest.approx(-1.0)


def test_squared_error_is_torchs_over_the_known_numbers():
    numbers = torch.randn(9, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    numbers[3], numbers[5, 1] = torch.nan, torch.nan
    known = ~numbers.isnan()
    assert squared_error(LOGITS, numbers).item() == pytest.approx(F.mse_loss(LOGITS[known], numbers[known]).item())
    assert squared_error(LOGITS.bfloat16(), numbers).dtype == torch.float32
    assert not squared_error(LOGITS.clone().requires_grad_(), torch.full((9, 4), torch.nan)).requires_grad


def ratings(count=12, seed=3):
    """Outputs and labels, count x 3 in float64: of the second two labels are not known, of the third all but one."""
    generator = torch.Generator().manual_seed(seed)
    outputs, labels = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    labels = labels * torch.tensor([1.0, 0.2, 1.0]) + outputs + torch.tensor([0.0, 2.0, 0.0])
    labels[[1, 5], 1], labels[1:, 2] = torch.nan, torch.nan
    return outputs, labels


def lin(outputs, labels):
    """1 - CCC of the first two columns, as audmetric has it."""
    known = [~labels[:, column].isnan() for column in range(2)]
    pairs = [(labels[rows, column], outputs[rows, column]) for column, rows in enumerate(known)]
    return 1 - np.mean([audmetric.concordance_cc(truth.numpy(), guess.numpy()) for truth, guess in pairs])


def test_concordance_is_audmetrics_over_the_known_numbers():
    outputs, labels = ratings()
    assert concordance(outputs, labels).item() == pytest.approx(lin(outputs, labels), abs=1e-12)
    assert concordance(outputs + 1e3, labels + 1e3).item() == pytest.approx(lin(outputs, labels), abs=1e-9)
    assert concordance(labels.nan_to_num(9), labels).item() == pytest.approx(0, abs=1e-12)
    assert concordance(-labels[:, :1], labels[:, :1]).item() > 1
    assert concordance(outputs.bfloat16(), labels).dtype == torch.float32


def test_the_gradient_of_concordance_is_that_of_finite_differences():
    outputs, labels = ratings()
    outputs[1, 1] = torch.nan  # junk where nothing is known
    outputs.requires_grad_()
    (gradient,) = torch.autograd.grad(concordance(outputs, labels), outputs)
    for row, column in np.ndindex(12, 3):
        step = torch.zeros_like(outputs)
        step[row, column] = 1e-6
        slope = (concordance(outputs.detach() + step, labels) - concordance(outputs.detach() - step, labels)) / 2e-6
        assert gradient[row, column].item() == pytest.approx(slope.item(), abs=1e-8)
    assert (gradient[:, 0] != 0).all()
    assert (gradient[:, 2] == 0).all(), "known of one clip alone"


@pytest.mark.parametrize("share", [0, 1, 7, 11])
def test_two_processes_have_shares_of_one_concordance(two_processes, share):
    outputs, labels = ratings()
    outputs.requires_grad_()
    whole_loss = concordance(outputs, labels)
    (whole_gradient,) = torch.autograd.grad(whole_loss, outputs)
    parts = [slice(0, share), slice(share, 12)]

    def work(rank):
        own = outputs.detach()[parts[rank]].requires_grad_()
        loss = concordance(own, labels[parts[rank]])
        return loss.detach(), torch.autograd.grad(loss, own)[0]

    both = two_processes(work)
    assert sum(loss for loss, _ in both).item() == pytest.approx(whole_loss.item(), abs=1e-12)
    torch.testing.assert_close(torch.cat([gradient for _, gradient in both]), whole_gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("case", ["nothing known", "one known", "all the same", "no clips"])
def test_concordance_of_what_does_not_differ_is_a_constant(two_processes, case):
    outputs, labels = ratings()
    if case == "no clips":
        outputs, labels = outputs[:0], labels[:0]
    elif case == "all the same":
        labels = torch.full_like(labels, 0.1).float()
    else:
        labels = torch.full_like(labels, torch.nan)
        labels[0] = 1.0 if case == "one known" else torch.nan
    for loss in (
        concordance(outputs.requires_grad_(), labels),
        *two_processes(lambda rank: concordance(outputs[rank::2], labels[rank::2])),
    ):
        assert loss == 0
        assert not loss.requires_grad


def test_a_constant_output_is_moved_by_concordance():
    labels = torch.arange(6.0)[:, None]
    outputs = torch.full((6, 1), 3.0, requires_grad=True)
    loss = concordance(outputs, labels)
    loss.backward()
    assert loss == 1
    assert outputs.grad[0] > 0 > outputs.grad[5], "down where the label is low, up where it is high"


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
    with pytest.raises(ValueError, match=r"^values of shape \(3,\) but where of shape \(2,\)$"):
        mean(torch.zeros(3), torch.ones(2, dtype=torch.bool))


def test_confusion_is_a_divergence_from_uniform_and_a_constant():
    uniform = np.full(4, 0.25)
    divergence = np.mean([scipy_entropy(uniform, row) for row in LOGITS.softmax(dim=1).numpy()])
    assert confusion(LOGITS) == pytest.approx(divergence + math.log(4), abs=1e-12)
    assert confusion(torch.zeros(5, 4)) == pytest.approx(math.log(4), abs=1e-6)


def test_confusion_and_entropy_want_the_same_but_pull_otherwise():
    """The entropy lets go of a clip of which the adversary is sure, the confusion pulls at it the most."""
    pulls = {}
    for name, loss in (("confusion", confusion), ("entropy", lambda logits: -entropy(logits))):
        for sure in (0.0, 1.0, 20.0):
            logits = torch.tensor([[sure, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
            (gradient,) = torch.autograd.grad(loss(logits), logits)
            pulls[name, sure] = gradient.norm().item()
    assert pulls["confusion", 0.0] == pytest.approx(0.0, abs=1e-12)
    assert pulls["entropy", 0.0] == pytest.approx(0.0, abs=1e-12)
    assert pulls["confusion", 20.0] > pulls["confusion", 1.0] > 0
    assert pulls["entropy", 1.0] > 1e3 * pulls["entropy", 20.0] > 0


def embeddings(count=40, seed=0):
    """A, B that A decides but not in a line (its square), and C that is independent of A."""
    generator = torch.Generator().manual_seed(seed)
    first, apart = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    return first, first.square() - 1, apart


def whole(count):
    return torch.arange(count), count


def numpy_kernel(values):
    distances = pdist(values)
    return np.exp(-(squareform(distances) ** 2) / (2 * np.median(distances) ** 2))


@pytest.mark.parametrize("other", ["embedding", "labels"])
def test_hsic_is_the_formula_of_gretton(other):
    first, second, _ = embeddings()
    second = second if other == "embedding" else F.one_hot(torch.arange(40) % 4, 4).double()
    centre = np.eye(40) - 1 / 40
    K, L = (numpy_kernel(values.numpy()) for values in (first, second))
    expected = np.trace(K @ centre @ L @ centre) / 39**2
    assert hsic(first, second, *whole(40)).item() == pytest.approx(expected, rel=1e-10)


def test_hsic_sees_what_orthogonality_does_not():
    """Both see a line; a square only HSIC; neither sees what is independent (its own size under permutations)."""
    first, square, apart = embeddings(200)
    line = first @ torch.randn(3, 5, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    chance = [
        [
            loss(first, apart[torch.randperm(200, generator=torch.Generator().manual_seed(k))], *whole(200))
            for k in range(9)
        ]
        for loss in (hsic, orthogonality)
    ]
    assert hsic(first, line, *whole(200)) > 3 * max(chance[0])
    assert hsic(first, square, *whole(200)) > 3 * max(chance[0])
    assert hsic(first, apart, *whole(200)) < 1.5 * max(chance[0])
    assert orthogonality(first, line, *whole(200)) > 3 * max(chance[1])
    assert orthogonality(first, square, *whole(200)) < 3 * max(chance[1])


def test_orthogonality_is_the_mean_squared_correlation_of_two_columns():
    first, second, _ = embeddings()
    second = torch.cat([second, first[:, :1] + second[:, :1]], dim=1)
    block = np.corrcoef(first.numpy().T, second.numpy().T)[:3, 3:]
    assert orthogonality(first, second, *whole(40)).item() == pytest.approx((block**2).mean(), rel=1e-10)
    assert orthogonality(first, 7 * second + 100, *whole(40)).item() == pytest.approx((block**2).mean(), rel=1e-10)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_gradient_of_a_penalty_is_that_of_finite_differences(name):
    """Of HSIC with its width held, through which no gradient flows."""
    first, second, _ = embeddings(7)
    first.requires_grad_()
    if name == "hsic":
        widths = [torch.quantile(F.pdist(values.detach()), 0.5) for values in (first, second)]

        def function(values):
            pairs = zip((values, second), widths, strict=True)
            kernels = [torch.exp(-torch.cdist(x, x).square() / (2 * width**2)) for x, width in pairs]
            centre = torch.eye(7, dtype=torch.float64) - 1 / 7
            return torch.trace(kernels[0] @ centre @ kernels[1] @ centre) / 36
    else:
        function = lambda values: orthogonality(values, second, *whole(7))  # noqa: E731
    (gradient,) = torch.autograd.grad(PENALTIES[name](first, second, *whole(7)), first)
    for row, column in ((0, 0), (3, 1), (6, 2)):
        step = torch.zeros_like(first)
        step[row, column] = 1e-6
        with torch.no_grad():
            slope = (function(first + step) - function(first - step)) / 2e-6
        assert gradient[row, column].item() == pytest.approx(slope.item(), abs=1e-8)
        assert abs(slope) > 1e-6


@pytest.mark.parametrize("loss", PENALTIES.values(), ids=PENALTIES)
def test_a_penalty_counts_the_clips_that_are_there_whatever_their_order(loss):
    first, second, _ = embeddings(9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    expected = loss(first, second, *whole(9))
    torch.testing.assert_close(loss(first[order], second[order], order, 9), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(first, second, torch.arange(9) + 4, 20), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("value", [0.0, 3.3, 1e4])
def test_a_constant_embedding_has_no_penalty_and_a_finite_gradient(loss, value):
    constant = torch.full((8, 3), value, requires_grad=True)
    penalty = loss(constant, embeddings(8)[0].float(), *whole(8))
    (gradient,) = torch.autograd.grad(penalty, constant)
    assert penalty.item() == pytest.approx(0.0, abs=1e-4)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("count", [0, 1])
def test_a_penalty_needs_two_clips(loss, count):
    first = torch.randn(count, 3).requires_grad_()
    penalty = loss(first, torch.randn(count, 2), *whole(count))
    assert penalty == 0
    assert not penalty.requires_grad


@pytest.mark.parametrize("loss", PENALTIES.values(), ids=PENALTIES)
def test_a_penalty_computes_in_single_precision_under_autocast(loss):
    first, second, _ = (values.bfloat16() for values in embeddings(12))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        inside = loss(first, second, *whole(12))
    assert inside.dtype == torch.float32
    assert inside == loss(first.float(), second.float(), *whole(12))
