"""What it is worth to test speakers that were seen in training: runs of one corpus under protocols of both kinds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from mien.runs.run import Run


class Worth(NamedTuple):
    """A model that tests speakers seen in training, minus itself where it tests unseen ones.

    Attributes:
        model: its name.
        difference: of the scores, with its interval.
        low: see `difference`.
        high: likewise.
        separable: the verdict.
    """

    model: str
    difference: float
    low: float
    high: float
    separable: bool


def tests_seen(run: Run, split: str) -> bool:
    """Whether every speaker of a part ("test" or "validation") has training clips in the same fold, in all folds."""
    return all(set(fold[split]["speakers"]) <= set(fold["train"]["speakers"]) for fold in run.splits)


def shared(parts: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The rows of the clips that all tables have; all rows where there is no such clip."""
    clips = set.intersection(*(set(part["clip"]) for part in parts))
    return [part[part["clip"].isin(clips)] for part in parts] if clips else list(parts)


def worths(pairs: pd.DataFrame, places: Mapping[str, tuple[str, bool]]) -> Iterator[Worth]:
    """The worth for each model that is compared with itself under both kinds of protocol.

    Args:
        pairs: rows of `Comparison.pairs`, of one measure.
        places: system -> its model, and whether its run tests seen speakers.
    """
    for row in pairs.to_dict("records"):
        (model, seen), (other, too) = places[row["model"]], places[row["other"]]
        if model == other and seen is not too:
            turned = (row["difference"], row["low"], row["high"])
            value, low, high = turned if seen else (-turned[0], -turned[2], -turned[1])
            yield Worth(model, value, low, high, bool(row["separable"]))
