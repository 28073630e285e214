"""What is certified about a run's split: hashes of files and split, no speaker in two parts, and notes on classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mien.protocols import PARTS, Fold, refuse_shared_speakers
from mien.settings import digest


def describe(clips: pd.DataFrame, folds: Sequence[Fold]) -> list[dict[str, Any]]:
    """The folds as `splits.json` has them: fold, and for each part its speakers and clips.

    Args:
        clips: indexed by clip, with `speaker`.
        folds: what the protocol made.
    """
    speaker = clips["speaker"]
    return [
        {"fold": fold.number}
        | {
            part: {"speakers": sorted(set(speaker[list(getattr(fold, part))])), "clips": list(getattr(fold, part))}
            for part in PARTS
        }
        for fold in folds
    ]


def certificate(
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    classes: Sequence[str],
    card: Mapping[str, Any],
    left_out: Mapping[str, int],
) -> dict[str, Any]:
    """The content of `certificate.json`.

    Args:
        clips: indexed by clip, with `speaker`, `label` and `sha256`.
        folds: what the protocol made.
        classes: the emotion classes that every part should have.
        card: of the prepared corpus, or of several joined.
        left_out: why clips are not used -> how many.

    Raises:
        LeakError: a speaker is in two parts of a fold.
    """
    for fold in folds:
        refuse_shared_speakers(clips, fold)
    used = sorted({clip for fold in folds for part in PARTS for clip in getattr(fold, part)})
    return {
        "corpus": card["name"],
        "corpus_hash": card["hash"],
        **({"corpora": card["corpora"]} if "corpora" in card else {}),
        "files": {clip: clips.loc[clip, "sha256"] for clip in used},
        "split": digest(describe(clips, folds)),
        "examined": ["shared-speaker"],
        "findings": [],
        "left_out": dict(left_out),
        "notes": notes(clips, folds, classes),
    }


def notes(clips: pd.DataFrame, folds: Sequence[Fold], classes: Sequence[str]) -> list[str]:
    """Sentences on classes that a part of a fold has not: a warning in training, a note in validation and test."""
    said = []
    for fold in folds:
        for part in PARTS:
            table = clips.loc[list(getattr(fold, part))]
            if lacking := [name for name in classes if name not in set(table["label"])]:
                kind, who = (
                    ("warning", "") if part == "train" else ("note", f" ({', '.join(sorted(set(table['speaker'])))})")
                )
                said.append(f"{kind}: fold {fold.number}, {part}{who}: no clip of {', '.join(lacking)}")
    return said
