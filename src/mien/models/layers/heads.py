"""Classifiers on top of an embedding: B x D in, B x classes logits out."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def classifier(dimension: int, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Fully connected layers with PReLU between them (Li et al. 2020, Table 1: hidden 32 and 10)."""
    sizes = [dimension, *hidden, classes]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.PReLU()]
    return nn.Sequential(*layers[:-1])
