"""The loss of a head is that of its target."""

import pytest
import torch

from mien.data.targets import Target
from mien.models.objectives.losses import concordance, cross_entropy, squared_error
from mien.models.objectives.task_losses import task_loss

OUTPUTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CLASSES = torch.tensor([0, 1, 2, -1, 1, 0])
SHARES = OUTPUTS.flip(0).softmax(dim=1)
WEIGHT = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)


def target(kind, **given):
    return Target("mood", kind, tuple("abc"), tuple("abc"), **given)


def test_classes_and_distributions_are_learned_by_cross_entropy():
    for kind, labels in (("classes", CLASSES), ("soft", SHARES)):
        assert task_loss(target(kind), OUTPUTS, labels) == cross_entropy(OUTPUTS, labels)
        assert task_loss(target(kind), OUTPUTS, labels, WEIGHT) == cross_entropy(OUTPUTS, labels, WEIGHT)


@pytest.mark.parametrize(("name", "loss"), [("squared_error", squared_error), ("concordance", concordance)])
def test_numbers_are_learned_by_the_loss_that_they_name(name, loss):
    assert task_loss(target("numbers", loss=name), OUTPUTS, SHARES) == loss(OUTPUTS, SHARES)
