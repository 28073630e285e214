"""The encoder and heads of Li et al. 2020: sizes to the parameter, pooling against numpy."""

import numpy as np
import pytest
import torch

from mien.models.encoders.cnn_gru import Config, Encoder
from mien.models.layers.heads import classifier
from mien.models.layers.pooling import mean, mean_std_max


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_exactly_the_papers():
    encoder = Encoder(Config(), "audio", (43,))
    assert encoder.dimension == 96
    assert (count(encoder), count(classifier(96, (32, 10), 4)), count(classifier(96, (32, 10), 8))) == (
        26339,
        3480,
        3524,
    )


@pytest.mark.parametrize("length", [1, 2, 30])
def test_pooling_is_numpys_over_the_valid_frames(length):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(4, 30, 3, generator=generator, dtype=torch.float64)
    valid = torch.arange(30).expand(4, -1) < length
    kept = values[:, :length].numpy()
    expected = np.concatenate([kept.mean(1), np.maximum(kept.std(1), 1e-3), kept.max(1)], axis=1)
    np.testing.assert_allclose(mean_std_max(values, valid).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(mean(values, valid).numpy(), kept.mean(1), atol=1e-12)


def test_pooling_has_finite_gradients_for_constant_and_empty_clips():
    for pool in (mean_std_max, mean):
        values = torch.ones(2, 5, 3, requires_grad=True)
        pooled = pool(values, torch.tensor([[True] * 5, [False] * 5]))
        pooled.sum().backward()
        assert values.grad.isfinite().all()
        assert not pooled[1].any()
        assert not values.grad[1].any()
