"""What probes said of each test clip of a run, kept beside their scores: what paired differences between models need.

Kept of views that are fitted on training clips and tested on others, where a run has people that were seen in training
or embeddings of several names; by the perceptron (the probe of Peri et al. 2021, section 5.1) and by the strongest
probe. Of the floors it is the identity floor: what the true label of another factor alone says.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage.leakage import STRONGEST, Predictions

PAPERS = "mlp"  # one hidden layer
COLUMNS = (
    *("model", "fold", "seed", "embedding", "factor", "speakers", "probe"),
    *("clip", "speaker", "truth", "predicted"),
)


def said(
    found: Predictions,
    labels: NDArray[np.str_],
    *,
    clips: Sequence[str],
    people: NDArray[np.str_],
    embedding: str,
    factor: str,
    seen: str,
) -> dict[str, Any]:
    """What probes said, as JSON has it.

    Args:
        found: of `leakage.predict`.
        labels: (n,), of all clips that were divided; their sorted names are the classes of `found`.
        clips: (n,), their names.
        people: (n,), who speaks.
        embedding: what was read.
        factor: what was read from it.
        seen: seen or unseen by the encoder.
    """
    names = np.unique(np.asarray(labels).astype(str))
    best = max(found.predicted, key=lambda name: found.validation[name])
    kept = {name: found.predicted[name] for name in (PAPERS,) if name in found.predicted}
    return {
        **{"embedding": embedding, "factor": factor, "speakers": seen},
        "clip": [str(clips[row]) for row in found.rows],
        "speaker": people[found.rows].tolist(),
        "truth": names[found.truth].tolist(),
        "predicted": {
            name: names[codes].tolist() for name, codes in {**kept, STRONGEST: found.predicted[best]}.items()
        },
    }


def table(kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> pd.DataFrame:
    """One row a clip and probe (`COLUMNS`).

    Args:
        kept: (model, fold, seed) as a mapping, and what `said` has made.
    """
    parts = list(_parts(kept))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _parts(kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Iterator[pd.DataFrame]:
    for place, one in kept:
        for probe, predicted in one["predicted"].items():
            rows = {name: one[name] for name in ("clip", "speaker", "truth")} | {"predicted": predicted}
            same = {name: one[name] for name in ("embedding", "factor", "speakers")}
            yield pd.DataFrame(rows).assign(probe=probe, **same, **place)
