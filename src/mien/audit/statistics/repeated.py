"""Clips that are scored in several folds, as with the protocol random_splits.

A clip that three folds test has three predictions, which are no three clips. It counts once in every score, with the
mean of its folds, so that a speaker weighs as much as he has clips, however often he was sampled. In the other
protocols a clip is tested in one fold, and nothing changes.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEYS = ["clip", "seed"]


def times(rows: pd.DataFrame) -> NDArray[np.float64]:
    """In how many folds the clip of each row is predicted with its seed, at least 1.

    Args:
        rows: predictions of one model on one split: `clip, seed`, one row a fold, seed and clip.
    """
    if not rows.duplicated(KEYS).any():
        return np.ones(len(rows))
    return rows.groupby(KEYS, sort=False, dropna=False)["clip"].transform("size").to_numpy(float)
