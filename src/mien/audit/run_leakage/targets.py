"""What each embedding of a run is trained to carry, and what read from it is a leak.

In a run whose models have embeddings of several names (Peri et al. 2021: `emotion` and `speaker`), a factor that is a
task of an embedding is the *target* of a probe there: role `target` in `leakage.csv`. All else that is read from it is
role `measured`: a leak. In a run with embeddings of one name all that is read is `measured`, and the main target is
utility (Li et al. 2020). What an auxiliary branch only reads is no task.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mien.runs.run import Run

TARGET, MEASURED = "target", "measured"

Targets = Mapping[str, Mapping[str, frozenset[str]]]


def tasks(run: Run) -> dict[str, dict[str, frozenset[str]]]:
    """Model (or variant) -> embedding -> the factors that are its tasks."""
    return {model: dict(experiment.model(model).carried) for model, experiment in run.experiment.trained.items()}


def targets(run: Run) -> dict[str, dict[str, frozenset[str]]]:
    """As `tasks`, and empty where the embeddings of all models have one name, for then nothing is told apart."""
    found = tasks(run)
    return found if len({name for embeddings in found.values() for name in embeddings}) > 1 else {}


def is_target(told: Targets, model: str, embedding: str, factor: str) -> bool:
    """Whether a factor (` (balanced)` or not) is a task of an embedding (after an eraser or not)."""
    own = told.get(model, {}).get(embedding.partition("+")[0], frozenset())
    return factor.partition(" (")[0] in own


def with_roles(table: pd.DataFrame, told: Targets, model: str) -> pd.DataFrame:
    """Rows of `leakage.csv` of one model, with role `target` in place of `measured` where that is so."""
    if not told or table.empty:
        return table
    names = zip(table["embedding"], table["factor"], strict=True)
    own = [is_target(told, model, str(name), str(factor)) for name, factor in names]
    return table.assign(role=table["role"].mask(np.array(own) & (table["role"] == MEASURED), TARGET))
