"""How well people recognise the emotion of the clips that models are judged on: the human ceiling of a corpus.

A corpus tells it in the column `recognised`: the share of its listeners, in [0, 1], who named the emotion of a clip.
The recall of a class is the mean over its clips, UAR the mean over classes, as for a model whose answer to a clip is
right by so much; the interval draws speakers (`scores`). Such figures belong to the corpus's own listening test: its
choice of answers, and its choice of clips, which were often kept because listeners recognised them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mien.audit.statistics import scores
from mien.common.measures import uar

COLUMN = "recognised"


class Listeners(NamedTuple):
    """What listeners recognise of some clips.

    Attributes:
        recalls: class -> mean share of listeners who named it; only classes with a clip.
        clips: class -> how many clips.
        uar: the mean of the recalls.
        low: lower end of its 95 % interval over speakers.
        high: upper end.
        least: the share of listeners that the worst recognised clip has.
    """

    recalls: dict[str, float]
    clips: dict[str, int]
    uar: float
    low: float
    high: float
    least: float


def judged_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips that listeners were asked about, with one emotion; none where the corpus does not tell."""
    if COLUMN not in clips:
        return clips.iloc[:0]
    return clips[
        clips[COLUMN].notna() & clips["label"].notna() & ~clips["label"].astype(str).str.contains("+", regex=False)
    ]


def listeners(clips: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> Listeners | None:
    """Score the listeners on some clips.

    Args:
        clips: one row a clip, with `speaker`, `label` and, where the corpus tells it, `recognised`.
        classes: the K classes, in order.
        seed: of the bootstrap.

    Returns:
        The scores, or None where no clip was judged by listeners.
    """
    rows = judged_clips(clips)
    rows = rows[rows["label"].isin(classes)]
    if rows.empty:
        return None
    people, who = np.unique(rows["speaker"].to_numpy(str), return_inverse=True)
    label = np.array([list(classes).index(name) for name in rows["label"]])
    counts = np.zeros((len(people), len(classes), len(classes)))  # right ones on the diagonal, the rest beside it
    share = rows[COLUMN].to_numpy(float)
    np.add.at(counts, (who, label, label), share)
    np.add.at(counts, (who, label, (label + 1) % len(classes)), 1 - share)
    table = scores.Confusion(tuple(map(str, people)), counts)
    low, high = scores.interval(scores.resampled(table, "uar", seed=seed), len(people))
    present = [name for number, name in enumerate(classes) if (label == number).any()]
    recalls = {name: float(share[label == list(classes).index(name)].mean()) for name in present}
    size = {name: int((rows["label"] == name).sum()) for name in present}
    return Listeners(recalls, size, float(uar(counts.sum(0))), low, high, float(share.min()))
