"""What a model gains where it knows the speaker: recordings of training speakers that did not train, beside others.

The two differ in who speaks alone: neither the recordings of the split `seen` nor those of test train or choose
anything. Albanie et al. 2018, section 5.3, take close scores of both as a sign that a student does not recognise people
in place of emotions.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mien.audit.statistics.scores import BySpeaker, paired, tables
from mien.common.measures import measure_of
from mien.data.protocols import SEEN

COLUMNS = ("model", "measure", "seen", "unseen", "difference", "low", "high", "speakers", "paired")


def beside_unseen(predictions: pd.DataFrame, classes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """The scores on seen and on unseen speakers, and the first minus the second.

    Where speakers are in both, as training speakers of one fold and test speakers of another, only these are scored,
    and the interval is paired over them; else the speakers of both are resampled apart.

    Args:
        predictions: `predictions.csv`, with the truth as `truth`.
        classes: the K classes, or none.
        seed: of the bootstrap.

    Returns:
        One row a model and measure: `model, measure, seen, unseen, difference, low, high, speakers` (of both, where
        paired, else of the smaller side), `paired`. No rows where no clips are kept back, or none is tested.
    """
    known = tables(predictions, classes)
    found = []
    for model in dict.fromkeys(model for model, _ in known):
        first, second = known.get((model, SEEN)), known.get((model, "test"))
        if not first or not second:
            continue
        for name, table in first.items():
            one, other = _of_both(table, second[name])
            score = measure_of(name)
            scores = {"seen": float(score(one.counts.sum(0))), "unseen": float(score(other.counts.sum(0)))}
            own = {"model": model, "measure": name, **scores, **paired(one, other, name, "difference", seed=seed)}
            number = min(len(one.speakers), len(other.speakers))
            found.append({**own, "speakers": number, "paired": one.speakers == other.speakers})
    return pd.DataFrame(found, columns=list(COLUMNS))


def _of_both(first: BySpeaker, second: BySpeaker) -> tuple[BySpeaker, BySpeaker]:
    """Both of the speakers that both have; as they are where these are fewer than two."""
    both = tuple(sorted(set(first.speakers) & set(second.speakers)))
    if len(both) < 2:
        return first, second
    return _of(first, both), _of(second, both)


def _of(table: BySpeaker, speakers: tuple[str, ...]) -> BySpeaker:
    places = np.array([table.speakers.index(name) for name in speakers])
    return BySpeaker(speakers, table.counts[places])
