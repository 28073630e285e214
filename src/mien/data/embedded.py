"""Which unlabelled training clips have embeddings in a run: a bounded number, so that a run does not grow with them.

Every labelled clip of a fold has one. Of the others there are `MOST` at most, the same for all models and seeds of a
fold: `EACH` of a speaker, speakers in the order of a hash of their names, then further clips of each, and clips of
unknown speakers last.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import pandas as pd

MOST = 1_000
EACH = 20  # clips of a speaker: enough for a probe to fit on some and be tested on others


def some(clips: Sequence[str], speakers: Sequence[str | float]) -> list[str]:
    """At most `MOST` of some clips, in the order given.

    Args:
        clips: names.
        speakers: of each; missing where not known.
    """
    if len(clips) <= MOST:
        return list(clips)
    counts: Counter[str | float] = Counter()
    places: dict[str, tuple[bool, int, bytes, bytes]] = {}
    for key, clip, speaker in sorted((_hash(clip), clip, who) for clip, who in zip(clips, speakers, strict=True)):
        unknown = pd.isna(speaker)
        places[clip] = (True, 0, b"", key) if unknown else (False, counts[speaker] // EACH, _hash(str(speaker)), key)
        counts[speaker] += 1
    chosen = set(sorted(clips, key=places.__getitem__)[:MOST])
    return [clip for clip in clips if clip in chosen]


def _hash(name: str) -> bytes:
    return sha256(name.encode()).digest()
