"""Batch normalisation: torch's on what is valid, moved by `commit` alone, one over several processes."""

import copy
import io

import pytest
import torch
from torch import nn

from mien.common import processes
from mien.models.layers.normalisation import BatchNorm

SHAPES = {"vectors": (9, 3), "over time": (5, 3, 7), "images": (4, 3, 6, 5)}


def pair(channels=3):
    """Ours and torch's, with the same scale and shift, in float64."""
    kinds = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
    ours, theirs = BatchNorm(channels).double(), {n: kind(channels).double() for n, kind in kinds.items()}
    generator = torch.Generator().manual_seed(3)
    for module in (*theirs.values(), ours):
        with torch.no_grad():
            module.weight.copy_(torch.tensor([0.5, 2.0, -1.0]))
            module.bias.copy_(torch.tensor([0.1, 0.0, 3.0]))
    return ours, theirs, generator


def outcome(module, values, *arguments):
    """The output, and the gradients of the input, the scale and the shift under an uneven weighting of outputs."""
    values = values.clone().requires_grad_()
    result = module(values, *arguments)
    slope = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)
    loss = (
        (slope * result.square()).sum() if not arguments else (slope * result.square())[_wide(*arguments, result)].sum()
    )
    return [result.detach(), *torch.autograd.grad(loss, [values, module.weight, module.bias])]


def _wide(valid, result):
    mask = valid.view(*valid.shape, *[1] * (result.dim() - 1 - valid.dim()))
    return mask.unsqueeze(1).expand_as(result)


def close(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("several", [False, True], ids=["one process", "sums over processes"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_without_padding_it_is_torchs(monkeypatch, shape, several):
    """The path that sums over processes too: here with one that holds the whole batch."""
    if several:
        monkeypatch.setattr(processes, "count", lambda: 2)
        monkeypatch.setattr(processes, "differentiable_total", lambda value: value)
    ours, theirs, generator = pair()
    bare = theirs[len(shape) // 2 if len(shape) > 3 else 1]
    for _ in range(3):
        values = 4 + 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        close(outcome(ours, values), outcome(bare, values))
        ours.commit()
    close([ours.running_mean, ours.running_var], [bare.running_mean, bare.running_var])
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    close(outcome(ours.eval(), values), outcome(bare.eval(), values))


@pytest.mark.parametrize("several", [False, True], ids=["one process", "sums over processes"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_with_padding_it_is_torchs_on_the_valid_entries(monkeypatch, axes, several):
    if several:
        monkeypatch.setattr(processes, "count", lambda: 2)
        monkeypatch.setattr(processes, "differentiable_total", lambda value: value)
    ours, theirs, generator = pair()
    values = 4 + torch.randn(4, 3, 6, 5, generator=generator, dtype=torch.float64)
    valid = torch.rand((4, 6, 5)[:axes], generator=generator) < 0.6
    assert valid.any()
    assert not valid.all()
    everywhere = _wide(valid, values)
    values = torch.where(everywhere, values, torch.nan)
    result, *gradients = outcome(ours, values, valid)
    assert not result[~everywhere].any()
    assert not gradients[0][~everywhere].any()

    chosen = values.clone().movedim(1, -1)[everywhere.movedim(1, -1)].view(-1, 3).requires_grad_()
    expected = theirs[1](chosen)
    slope = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)
    weights = slope.movedim(1, -1)[everywhere.movedim(1, -1)].view(-1, 3)
    reference = torch.autograd.grad((weights * expected.square()).sum(), [chosen, theirs[1].weight, theirs[1].bias])
    found = [tensor.movedim(1, -1)[everywhere.movedim(1, -1)].view(-1, 3) for tensor in (result, gradients[0])]
    close([*found, *gradients[1:]], [expected.detach(), *reference])
    ours.commit()
    close([ours.running_mean, ours.running_var], [theirs[1].running_mean, theirs[1].running_var])
    result, *_ = outcome(ours.eval(), values, valid)
    assert not result[~everywhere].any()


@pytest.mark.parametrize("share", [1, 6, 9], ids=["uneven", "even", "one is empty"])
def test_two_processes_equal_one(two_processes, share):
    ours, _, generator = pair()
    values = 100 + torch.randn(9, 3, 4, generator=generator, dtype=torch.float64)
    valid = torch.rand(9, 4, generator=generator) < 0.7
    one, *gradients = outcome(ours, values, valid)
    ours.commit()
    slope = torch.linspace(-1, 2, values.numel(), dtype=values.dtype).view_as(values)

    def work(rank):
        part = slice(None, share) if rank == 0 else slice(share, None)
        module, _, _ = pair()
        mine = values[part].clone().requires_grad_()
        result = module(mine, valid[part])
        found = torch.autograd.grad((slope[part] * result.square()).sum(), [mine, module.weight, module.bias])
        module.commit()
        return result.detach(), found, (module.running_mean, module.running_var)

    first, second = two_processes(work)
    close([torch.cat([first[0], second[0]])], [one])
    close(
        [torch.cat([first[1][0], second[1][0]]), *(a + b for a, b in zip(first[1][1:], second[1][1:], strict=True))],
        gradients,
    )
    for done in (first, second):
        close(done[2], [ours.running_mean, ours.running_var])


def statistics(module):
    return torch.stack([module.running_mean, module.running_var]).clone()


def test_only_the_last_statistics_are_committed():
    ours, theirs, generator = pair()
    first, last = torch.randn(2, 9, 3, generator=generator, dtype=torch.float64)
    before = statistics(ours)
    ours(first)
    ours(last)
    ours.eval()(first)  # evaluation neither measures nor forgets
    with torch.no_grad():
        ours.train()(first)  # nor does a forward pass without gradient
    assert torch.equal(statistics(ours), before)
    ours.commit()
    theirs[1](last)
    close(statistics(ours), [theirs[1].running_mean, theirs[1].running_var])
    before = statistics(ours)
    ours.commit()
    assert torch.equal(statistics(ours), before), "committed twice"
    with torch.no_grad():
        ours(first)
    ours.eval()(first)
    ours.commit()
    assert torch.equal(statistics(ours), before)


def test_what_waits_is_in_no_copy_and_in_no_state():
    ours, _, generator = pair()
    names = set(ours.state_dict())
    ours(torch.randn(9, 3, generator=generator, dtype=torch.float64))
    assert set(ours.state_dict()) == names == {"weight", "bias", "running_mean", "running_var"}
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    for other in (copy.deepcopy(ours), torch.load(file, weights_only=False)):
        other.commit()
        assert torch.equal(statistics(other), torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, 3))
    ours.commit()
    assert ours.running_mean.any()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_valid_and_one_entry_are_finite(count):
    ours, _, _ = pair()
    before = statistics(ours)
    valid = torch.arange(6).view(2, 3) < count
    values = torch.where(valid[:, None], 7.0, torch.nan).expand(2, 3, 3).double()
    for given in ((values, valid), (torch.full((count, 3), 7.0, dtype=torch.float64),)):
        result, *gradients = outcome(ours, *given)
        assert all(tensor.isfinite().all() for tensor in (result, *gradients))
        ours.commit()
        assert statistics(ours).isfinite().all()
        if count == 0:
            assert torch.equal(statistics(ours), before)
    if count == 1:
        close([result[0]], [ours.bias.detach()])  # it is its own mean
        close([ours.running_var], [torch.full((3,), 0.9**2, dtype=torch.float64)])


@pytest.mark.parametrize("masked", [False, True])
def test_half_precision_is_measured_in_float32(masked):
    """A mean of 300 swallows the deviations in bfloat16 sums, not in float32 ones."""
    module = BatchNorm(2)
    values = (300 + 2 * torch.randint(0, 4, (512, 2, 3), generator=torch.Generator().manual_seed(0))).bfloat16()
    valid = (torch.arange(512) % 3 > 0) if masked else torch.ones(512, dtype=torch.bool)
    result = module(values, valid)
    module.commit()
    chosen = values[valid].float().transpose(1, 2).reshape(-1, 2)
    torch.testing.assert_close(module.running_mean, 0.1 * chosen.mean(0))
    torch.testing.assert_close(module.running_var, 0.9 + 0.1 * chosen.var(0))
    assert result.dtype == torch.bfloat16
    expected = nn.BatchNorm1d(2)(values[valid].float())
    torch.testing.assert_close(result[valid].float(), expected, rtol=0.01, atol=0.02)
