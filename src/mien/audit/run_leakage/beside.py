"""What is kept of probes beside their scores: the recall of each speaker, and the predicted class of each test clip.

Intervals over speakers and comparisons of systems are computed from recalls. A table of recalls (`RECALLS`) has one row
per cell (model, fold, seed), embedding, `eraser`, probe, `speakers` (seen or unseen by the encoder) and `speaker`.
`recall` is the share of this speaker's `clips` that the probe classifies correctly. Within a cell the mean of the
recalls is the UAR of `leakage.csv`.

Models are compared clip by clip from predictions. They are kept if a probe is fitted on the training clips and tested
on the test clips, and if the test speakers were seen in training or the run has embeddings of several names. Two probes
are kept: the multilayer perceptron (the probe of Peri et al. 2021, section 5.1) and the strongest probe. Of the floors
only the identity floor is kept: the prediction from the true label of another factor.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.leakage.leakage import Predictions
from mien.audit.statistics.scores import draws
from mien.common.leakage_tables import PREDICTIONS, RECALLS, STRONGEST

PLACE = ("model", "embedding", "eraser", "speakers", "probe")
PAPERS = "mlp"  # one hidden layer


class Beside(NamedTuple):
    """What is kept of one depth of a cell: tables of recalls, and predictions as mappings for JSON."""

    recalls: list[pd.DataFrame]
    predictions: list[dict[str, Any]]


def recalls_of(found: Predictions, speakers: ArrayLike) -> pd.DataFrame:
    """The recall of each speaker by each probe, and by the strongest: `probe, speaker, recall, clips`.

    Args:
        found: predictions of the factor speaker.
        speakers: (n,), the speaker of each clip that was passed to the division.
    """
    names = np.unique(np.asarray(speakers).astype(str))
    best = max(found.predicted, key=lambda name: found.validation[name])
    by_probe = {**found.predicted, STRONGEST: found.predicted[best]}
    rows = []
    for probe, predicted in by_probe.items():
        for number in np.unique(found.truth):
            own = found.truth == number
            recall = float((predicted[own] == number).mean())
            rows.append({"probe": probe, "speaker": str(names[number]), "recall": recall, "clips": int(own.sum())})
    return pd.DataFrame(rows)


def recalls_by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """The recalls of one model, embedding and probe: folds x speakers, averaged over seeds; nan where missing."""
    return table.pivot_table("recall", "fold", "speaker")


def resampled_recalls(wide: pd.DataFrame, *, seed: int = 0) -> NDArray[np.float64]:
    """The mean over folds of the mean recall, on bootstrap resamples of speakers, (DRAWS,).

    The resamples are the same for the same speakers and seed, so that systems can be paired.

    Args:
        wide: the result of `recalls_by_fold`.
        seed: of the bootstrap.
    """
    weights, values = draws(list(map(str, wide.columns)), seed=seed), wide.to_numpy(float)
    there = np.isfinite(values)
    hits, totals = weights @ np.where(there, values, 0.0).T, weights @ there.T
    means = np.divide(hits, totals, out=np.full(hits.shape, np.nan), where=totals > 0)
    known = np.isfinite(means)
    return np.asarray(np.where(known, means, 0.0).sum(1) / np.maximum(known.sum(1), 1))


def recalls_at(table: pd.DataFrame | None, place: Iterable[object]) -> pd.DataFrame:
    """The rows of a table of recalls at one `place`; no rows if there is no table.

    Args:
        table: of columns `RECALLS`, or None.
        place: values of `PLACE`, in this order.
    """
    if table is None:
        return pd.DataFrame(columns=list(RECALLS))
    wanted = np.ones(len(table), bool)
    for column, value in zip(PLACE, place, strict=True):
        wanted &= (table[column] == value).to_numpy()
    return table[wanted]


def predictions_for_json(
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


def prediction_table(kept: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> pd.DataFrame:
    """One row per clip and probe (`PREDICTIONS`).

    Args:
        kept: pairs of a mapping with model, fold and seed, and a result of `predictions_for_json`.
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
