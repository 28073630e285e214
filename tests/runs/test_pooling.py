"""The frames of a segment as one vector, against values by hand."""

import numpy as np
import pytest
from scipy.special import softmax

from mien.errors import ConfigError
from mien.runs.pooling import check, pool

FRAMES = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])).astype(np.float32) + np.float32([[2], [-1]])


@pytest.mark.parametrize(
    ("pooling", "pooled", "expected"),
    [
        ("max", "logits", np.log([0.5, 0.25, 0.25]) + 2),
        ("max", "distributions", np.log(np.array([0.5, 0.8, 0.25]) / 1.55)),
        ("mean", "logits", (np.log([0.5, 0.25, 0.25]) + np.log([0.1, 0.8, 0.1]) + 1) / 2),
        ("log-mean", "logits", np.log([0.3, 0.525, 0.175])),
    ],
)
def test_each_way_by_hand(pooling, pooled, expected):
    np.testing.assert_allclose(pool(FRAMES, pooling, pooled), expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["max", "mean", "log-mean"])
def test_one_frame_is_its_own_distribution_and_order_does_not_matter(pooling):
    one = pool(FRAMES[:1], pooling)
    np.testing.assert_allclose(softmax(one), [0.5, 0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(pool(FRAMES, pooling), pool(FRAMES[::-1], pooling), atol=1e-12)


def test_great_logits_stay_finite():
    great = np.float32([[1e4, 0, -1e4], [9e3, 1e4, 0]])
    assert all(np.isfinite(pool(great, way)).all() for way in ("max", "mean"))
    assert softmax(pool(great, "log-mean")).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("pooling", "pooled", "words"),
    [("maximum", "logits", "--pooling: unknown pooling 'maximum'"), ("max", "logit", "--pooled: unknown value 'logit'"),
     ("mean", "distributions", "--pooled distributions: says of what the maximum is taken, and --pooling is mean")],
)  # fmt: skip
def test_a_way_that_there_is_not_is_refused(pooling, pooled, words):
    with pytest.raises(ConfigError) as error:
        check(pooling, pooled)
    assert str(error.value).startswith(words)
