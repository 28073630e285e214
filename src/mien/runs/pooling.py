"""From the logits of a face's frames to one vector for all of them (Albanie et al. 2018, sections 3.1 and 4).

The paper represents a face track by the maximum response of each emotion across its frames, and does not say whether a
response is a logit or a probability (section 3.1 speaks of responses, section 4 of logits and of distributions): both
are here, the former as the default (assumed). Softmax of what is returned is the distribution in every case.
"""

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from mien.errors import ConfigError, unknown
from mien.models.layers.frame_logits import Pool
from mien.models.layers.frame_logits import pooled as one_vector

Pooling = Literal["max", "mean", "log-mean"]
Pooled = Literal["logits", "distributions"]


_WAYS: dict[tuple[Pooling, Pooled], Pool] = {
    ("max", "logits"): "max",
    ("max", "distributions"): "max_distribution",
    ("mean", "logits"): "mean",
    ("log-mean", "logits"): "log_mean",
}


def pool(logits: NDArray[np.float32], pooling: Pooling = "max", pooled: Pooled = "logits") -> NDArray[np.float64]:
    """The logits of a segment, (K,), as `models.layers.frame_logits.pooled` makes them for a student.

    Args:
        logits: (T, K) of the frames that can be used, one at least.
        pooling: "max": the greatest value of each class over the frames (the paper); "mean": the mean of the logits;
            "log-mean": the logarithm of the mean of the frames' distributions.
        pooled: of what the maximum is taken: "logits", or "distributions", of which the logarithm is returned.
    """
    frames = torch.from_numpy(logits.astype(np.float64))[None]
    found, _ = one_vector(
        frames, torch.ones(frames.shape[:2], dtype=torch.bool), frames.shape[2], _WAYS[pooling, pooled]
    )
    return np.asarray(found[0].numpy())


def check(pooling: str, pooled: str) -> None:
    """Raise ConfigError for a way of pooling that there is not."""
    if pooling not in (known := get_args(Pooling)):
        raise ConfigError(f"--pooling: {unknown('pooling', pooling, known)}")
    if pooled not in (known := get_args(Pooled)):
        raise ConfigError(f"--pooled: {unknown('value', pooled, known)}")
    if pooled != "logits" and pooling != "max":
        raise ConfigError(f"--pooled {pooled}: says of what the maximum is taken, and --pooling is {pooling}; leave it")
