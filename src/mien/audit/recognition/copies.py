"""Scores without the clips that have an exact copy in training, or in validation, where the epoch is chosen.

The split audit finds pairs of identical clips: files of equal bytes or samples, images of equal pixels, one clip in two
parts. An experiment may accept such pairs across the parts of a fold (`identical-audio`). The model may then have
learned the label of a clip that it is scored on. So the scores are also given without these clips.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.statistics.scores import scored_split, summary
from mien.common.tables import nested
from mien.data.protocols import PARTS

FINDING = "identical-audio"


def copied(
    certificate: Mapping[str, Any], splits: Sequence[Mapping[str, Any]], part: str
) -> dict[tuple[int, str], set[str]]:
    """The clips of a part that have an exact copy in an earlier one of the same fold.

    Args:
        certificate: `certificate.json`.
        splits: the folds of `splits.json`.
        part: "validation" or "test"; parts before it, in the order of `PARTS`, are earlier.

    Returns:
        (fold, clip) -> the earlier parts that hold a copy.
    """
    leaks = [
        row
        for found in certificate["findings"]
        if isinstance(found, Mapping) and (found["finding"], found["severity"]) == (FINDING, "leak")
        for row in found["rows"]
    ]
    earlier = PARTS[: PARTS.index(part)]
    found: dict[tuple[int, str], set[str]] = {}
    for fold in splits if leaks else ():
        clips = {name: set(fold[name]["clips"]) for name in (*earlier, part)}
        for row in leaks:
            first, second = row["clips"]
            for own, other in ((first, second), (second, first)) if row["fold"] == str(fold["fold"]) else ():
                if own in clips[part] and (there := {name for name in earlier if other in clips[name]}):
                    found.setdefault((fold["fold"], own), set()).update(there)
    return found


def without_copies(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    certificate: Mapping[str, Any],
    splits: Sequence[Mapping[str, Any]],
    *,
    seed: int = 0,
) -> dict[str, Any] | None:
    """The scores on the part that a run is scored on, without clips that have a copy in an earlier part.

    Args:
        predictions: `predictions.csv`.
        classes: the K classes, in order; empty if the main target is a number.
        certificate: as of `copied`.
        splits: as of `copied`.
        seed: of the bootstraps.

    Returns:
        None where no clip with a known truth has a copy. Else `split`: the part; `clips`: how many of its clips have a
        copy, `of` how many with a known truth (over all folds; a clip counts once); `copies_in`: the earlier parts that
        hold them; `models`: model -> the columns of `scores.summary`, of the other clips. A model without another clip
        is not there.
    """
    part = scored_split(predictions)
    known = copied(certificate, splits, part)
    rows = predictions[(predictions["split"] == part) & predictions["truth"].notna()]
    places = pd.Series(list(zip(rows["fold"], rows["clip"], strict=True)), index=rows.index, dtype=object)
    leaking = places.isin(list(known))
    if not leaking.any():
        return None
    there = {name for place in set(places[leaking]) for name in known[place]}
    left = summary(rows[~leaking], classes, seed=seed)
    by_model = nested(left, "model", "split") if len(left) else {}
    return {
        "split": part,
        "clips": int(rows["clip"][leaking].nunique()),
        "of": int(rows["clip"].nunique()),
        "copies_in": [name for name in PARTS if name in there],
        "models": {model: scores[part] for model, scores in by_model.items()},
    }
