"""A convolution with its normalisation: folded in evaluation; and the gate of squeeze-and-excitation by hand."""

import pytest
import torch
import torch.nn.functional as F

from mien.models.layers.convolutions import Convolution, SqueezeExcitation


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = Convolution(3, 5, stride=2).double()
    layer.normalisation.running_mean.copy_(some(5))
    layer.normalisation.running_var.copy_(some(5, seed=1).square() + 0.1)
    with torch.no_grad():
        layer.normalisation.weight.copy_(some(5, seed=2))
        layer.normalisation.bias.copy_(some(5, seed=3))
    return layer.eval()


def test_folded_it_is_torchs_convolution_and_normalisation(layer):
    values, norm = some(4, 3, 9, 9, seed=4), layer.normalisation
    plain = F.conv2d(values, layer.convolution.weight, None, 2, 1)
    statistics = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    expected = F.batch_norm(plain, *statistics, False, 0.0, norm.epsilon)
    with torch.no_grad():
        torch.testing.assert_close(layer(values), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(values), expected, rtol=0, atol=1e-12)


def test_a_gradient_reaches_the_weights_in_evaluation_as_well(layer):
    layer(some(4, 3, 9, 9)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


def test_in_training_the_statistics_are_those_of_the_batch(layer):
    values = 3 + 2 * some(64, 3, 9, 9)
    with torch.no_grad():
        found = layer.train()(values)
    weight, bias = layer.normalisation.weight, layer.normalisation.bias
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), bias.detach())
    torch.testing.assert_close(found.std(dim=(0, 2, 3), correction=0), weight.detach().abs(), rtol=1e-3, atol=1e-3)


def test_a_gate_follows_from_the_means_of_all_channels():
    torch.manual_seed(0)
    layer, values = SqueezeExcitation(8, reduction=4).double(), some(3, 8, 5, 5)
    means = values.mean(dim=(2, 3))
    inner = (means @ layer.down.weight[:, :, 0, 0].T + layer.down.bias).clamp(min=0)
    gates = 1 / (1 + torch.exp(-(inner @ layer.up.weight[:, :, 0, 0].T + layer.up.bias)))
    assert inner.shape == (3, 2)
    torch.testing.assert_close(layer(values), values * gates[:, :, None, None])
