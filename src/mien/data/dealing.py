"""Clips of each speaker and class in an order that only their names and a seed decide, to be dealt to parts or groups.

What is dealt is a unit: a clip, or the clips of one recording together.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.corpora.recordings import joined, together

Cells = dict[tuple[str, ...], list[list[str]]]  # speaker and class -> units in their order, each the names of its clips


def ordered(
    clips: pd.DataFrame, whole: NDArray[np.integer[Any]], seed: int | None, used: Container[str] | None = None
) -> Cells:
    """The units of each speaker and class, in the order of the hashes of the seed and their first names.

    Args:
        clips: one row a clip, with `clip`, `speaker`, and `label` (else `emotion`) where it is.
        whole: (n,) a number for each clip; clips of one number are one unit. If they are of several classes or
            speakers, they are dealt with others of the same speakers.
        seed: of the order.
        used: names of the clips that are dealt; None for all.
    """
    kind = next((name for name in ("label", "emotion") if name in clips), "speaker")
    units: dict[int, list[tuple[str, str, str]]] = {}
    rows_of = clips[["clip", "speaker", kind]].fillna("").itertuples(index=False)
    for number, (clip, speaker, what) in zip(whole, rows_of, strict=True):
        if used is None or clip in used:
            units.setdefault(int(number), []).append((str(clip), str(speaker), str(what)))
    cells: defaultdict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for rows in units.values():
        names, speakers, kinds = (sorted(set(values)) for values in zip(*rows, strict=True))
        cells["+".join(speakers), *(kinds if len(kinds) == 1 else ())].append(names)
    return {
        cell: sorted(own, key=lambda names: sha256(f"{seed}:{names[0]}".encode()).digest())
        for cell, own in cells.items()
    }


def groups(cells: Cells, count: int) -> list[set[str]]:
    """The clips of `count` groups, to which the units of each cell are dealt in turn.

    What is left of a cell after whole turns goes to the groups that have the fewest units of its speaker, of these to
    those with the fewest clips of its class, and of these to those with the fewest clips. So the numbers of units of a
    cell in two groups differ by one at the most, and so do those of a speaker.
    """
    dealt: list[set[str]] = [set() for _ in range(count)]
    of_speaker: defaultdict[tuple[str, int], int] = defaultdict(int)
    of_class: defaultdict[tuple[tuple[str, ...], int], int] = defaultdict(int)
    for (speaker, *kind), units in sorted(cells.items()):
        what, whole = tuple(kind), len(units) - len(units) % count

        def fewest(group: int, speaker: str = speaker, what: tuple[str, ...] = what) -> tuple[int, ...]:
            return of_speaker[speaker, group], of_class[what, group], len(dealt[group]), group

        turns = [number % count for number in range(whole)]
        for names, group in zip(units, [*turns, *sorted(range(count), key=fewest)], strict=False):
            dealt[group].update(names)
            of_speaker[speaker, group] += 1
            of_class[what, group] += len(names)
    return dealt


def held(clips: pd.DataFrame, share: float, columns: Sequence[str] = ()) -> set[str]:
    """The clips of a share of each speaker's recordings, by the hashes of their first names.

    Of a speaker with two recordings or more it is one at least, and never all; a recording of several speakers stays.

    Args:
        clips: one row a clip, with `clip` and `speaker`.
        share: of the recordings.
        columns: see `units_of`.
    """
    found: set[str] = set()
    units = units_of(clips, columns)[0]
    for speakers, own in ordered(clips.drop(columns=["label", "emotion"], errors="ignore"), units, 0).items():
        if "+" not in speakers[0] or speakers[0] in set(clips["speaker"]):
            count = min(len(own) - 1, max(1, round(share * len(own))))
            found |= {name for names in own[:count] for name in names}
    return found


def speakers_without_training(
    turns: Sequence[tuple[set[str], set[str]]], speaker: Mapping[str, str]
) -> dict[int, list[str]]:
    """Number of a turn -> the speakers of its tested clips that have no clip to train on, of turns with such speakers.

    Args:
        turns: the clips that validate and those that are tested; all others train.
        speaker: clip -> its speaker.
    """
    found = {}
    for number, (validation, test) in enumerate(turns):
        trained = {who for clip, who in speaker.items() if clip not in validation and clip not in test}
        if unseen := sorted({speaker[clip] for clip in test} - trained):
            found[number] = unseen
    return found


def units_of(clips: pd.DataFrame, columns: Sequence[str] = ()) -> list[NDArray[np.integer[Any]]]:
    """What is dealt as one, as numbers for `ordered`: recordings, and where these are too few single clips.

    Args:
        clips: one row a clip.
        columns: clips with equal values in all of these are dealt as one in any case; a clip that lacks one of the
            values is alike to none.
    """
    if not columns:
        return [_whole(clips), np.arange(len(clips))]
    values = clips[[*columns]]
    lacking = values.isna().any(axis=1)
    alone = pd.Series(-1 - np.arange(len(clips)), clips.index)
    alike = values.groupby([*columns], dropna=False).ngroup().mask(lacking, alone)
    return [joined(together(clips), alike).to_numpy(), alike.to_numpy()]


def _whole(clips: pd.DataFrame) -> NDArray[np.integer[Any]]:
    """The number of each clip's recording."""
    return together(clips).to_numpy()
