"""FER+: from the votes of ten people on an image to its label (Barsoum et al. 2016).

Votes are a table of integers, N x 10, in the order of `VOTES`: eight emotions, "unknown", and "NF" (not a face). The
rule, as the code that was published with them applies it:

1. An outlier is a choice that one person alone made: a count of 1 becomes 0.
2. The label is the choice with more than half of the votes that are left. So two choices cannot tie for it, and half
   of the votes is not enough.
3. An image whose label is unknown or not a face, or that has none, is removed.

What a model may be trained on instead of the label is the distribution: the votes that step 1 leaves to the eight
emotions, as shares that sum to 1, of the images that step 3 leaves.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = (*EMOTIONS, "unknown", "NF")

Votes = NDArray[np.int64]


def without_outliers(votes: Votes) -> Votes:
    """The votes without choices that one person alone made, N x 10."""
    return np.where(votes > 1, votes, 0)


def choices(votes: Votes) -> "pd.Series[str]":
    """The choice with more than half of the votes that are no outliers, one of `VOTES`; missing where none has (N,)."""
    left = without_outliers(votes)
    first = left.argmax(axis=1) if len(left) else np.zeros(0, np.int64)
    most = left.max(axis=1, initial=0) * 2 > left.sum(axis=1)
    return pd.Series(np.asarray(VOTES, object)[first], dtype="str").where(most)


def majority(votes: Votes) -> "pd.Series[str]":
    """The label of each image, one of `EMOTIONS`; missing where the rule removes the image (N,)."""
    found = choices(votes)
    return found.where(found.isin(EMOTIONS))


def distribution(votes: Votes) -> NDArray[np.float64]:
    """The shares of the eight emotions, N x 8; nan where the rule removes the image."""
    left = without_outliers(votes)[:, : len(EMOTIONS)].astype(np.float64)
    kept = majority(votes).notna().to_numpy()[:, None]
    whole = left.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(left, whole, out=np.full_like(left, np.nan), where=kept))


def steps(votes: Votes) -> dict[str, int]:
    """How many images and votes each step of the rule removes, and how many images have a label in the end."""
    found = choices(votes)
    return {
        "images": len(votes),
        "votes": int(votes.sum()),
        "votes dropped as outliers": int((votes == 1).sum()),
        "images removed: no majority": int(found.isna().sum()),
        "images removed: unknown": int((found == "unknown").sum()),
        "images removed: not a face": int((found == "NF").sum()),
        "images with a label": int(found.isin(EMOTIONS).sum()),
    }
