"""Which training clips keep their label where only a share of the labels is known, sampled by speaker and class.

A cell is a speaker and a class. The clips of a cell are ordered by a hash of the seed and their names, and cells are
interleaved, so that nearly the same share of each keeps its labels. A smaller share is part of a larger one of the same
seed.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from hashlib import sha256


def count(share: float, clips: int) -> int:
    """How many of some clips a share of them is, rounded half up."""
    return math.floor(share * clips + 0.5)


def in_order(clips: Sequence[str], speakers: Sequence[Hashable], classes: Sequence[Hashable], seed: int) -> list[str]:
    """The clips in the order in which a growing share of them keeps its label.

    The first K are one of each of K classes. The others are sorted by (rank in the cell + a number from 0 to 1 of the
    cell) / size of the cell.

    Args:
        clips: names.
        speakers: of each; those of a class without a known speaker are one cell.
        classes: of each; the same for all where a cell is a speaker.
        seed: of the training run.
    """
    cells: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for clip, speaker, kind in zip(clips, speakers, classes, strict=True):
        cells[str(speaker), str(kind)].append(clip)
    places: dict[str, tuple[float, bytes]] = {}
    for cell, members in cells.items():
        offset = int.from_bytes(_hash(seed, "cell", *cell)[:8], "big") / 2**64
        hashed = sorted((_hash(seed, "clip", clip), clip) for clip in members)
        places |= {clip: ((rank + offset) / len(members), key) for rank, (key, clip) in enumerate(hashed)}
    order = sorted(clips, key=places.__getitem__)
    kinds = dict(zip(clips, classes, strict=True))
    first = set({kinds[clip]: clip for clip in reversed(order)}.values())
    return sorted(order, key=lambda clip: clip not in first)


def hashed(speakers: Collection[str], seed: int) -> list[str]:
    """Speakers in the order in which a growing number of them is sampled, by a hash of the seed and their names."""
    return sorted(speakers, key=lambda name: _hash(seed, "speaker", name))


def _hash(seed: int, *words: str) -> bytes:
    return sha256("/".join([str(seed), *words]).encode()).digest()
