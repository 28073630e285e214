"""The predictions of probes for each test clip of a run, kept beside the scores for paired comparisons of models.

Predictions are kept if a probe is fitted on the training clips and tested on the test clips, and if the test speakers
were seen in training or the run has embeddings of several names. Two probes are kept: the multilayer perceptron (the
probe of Peri et al. 2021, section 5.1) and the strongest probe. Of the floors only the identity floor is kept: the
prediction from the true label of another factor.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage.leakage import Predictions
from mien.common.leakage_tables import PREDICTIONS, STRONGEST

PAPERS = "mlp"  # one hidden layer


def for_json(
    found: Predictions,
    labels: NDArray[np.str_],
    *,
    clips: Sequence[str],
    people: NDArray[np.str_],
    embedding: str,
    eraser: str,
    factor: str,
    seen: str,
) -> dict[str, Any]:
    """The predictions of one embedding and factor, as a mapping for JSON.

    Args:
        found: the result of `leakage.predict`.
        labels: (n,), of all clips of the division; their sorted names are the classes of `found`.
        clips: (n,), names of the clips.
        people: (n,), their speakers.
        embedding: the input of the probes.
        eraser: what was applied to it; empty if nothing was.
        factor: what the probes predict.
        seen: whether the speakers were seen or unseen by the encoder.
    """
    names = np.unique(np.asarray(labels).astype(str))
    best = max(found.predicted, key=lambda name: found.validation[name])
    kept = {name: found.predicted[name] for name in (PAPERS,) if name in found.predicted}
    return {
        **{"embedding": embedding, "eraser": eraser, "factor": factor, "speakers": seen},
        "clip": [str(clips[row]) for row in found.rows],
        "speaker": people[found.rows].tolist(),
        "truth": names[found.truth].tolist(),
        "predicted": {
            name: names[codes].tolist() for name, codes in {**kept, STRONGEST: found.predicted[best]}.items()
        },
    }


def table(kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> pd.DataFrame:
    """One row per clip and probe (`PREDICTIONS`).

    Args:
        kept: pairs of a mapping with model, fold and seed, and a result of `for_json`.
    """
    parts = list(_parts(kept))
    if not parts:
        return pd.DataFrame(columns=list(PREDICTIONS))
    return pd.concat(parts, ignore_index=True)[list(PREDICTIONS)]


def _parts(kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Iterator[pd.DataFrame]:
    for place, one in kept:
        for probe, predicted in one["predicted"].items():
            rows = {name: one[name] for name in ("clip", "speaker", "truth")} | {"predicted": predicted}
            same = {name: one[name] for name in ("embedding", "eraser", "factor", "speakers")}
            yield pd.DataFrame(rows).assign(probe=probe, **same, **place)
