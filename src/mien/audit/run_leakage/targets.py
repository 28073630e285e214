"""Which factors an embedding is trained to carry. Every other factor that a probe predicts from it is a leak.

If the models of a run have embeddings of several names (Peri et al. 2021: `emotion` and `speaker`), a factor that is a
task of an embedding is a *target* there: role `target` in `leakage.csv`. All other factors have the role `measured` and
are leaks. If the embeddings of a run have one name, every factor has the role `measured`, and the score of the main
target is the utility (Li et al. 2020). The factor of an auxiliary classifier on a detached embedding is not a task.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mien.common.leakage_tables import MEASURED, TARGET
from mien.runs.run import Run

Targets = Mapping[str, Mapping[str, frozenset[str]]]


def tasks(run: Run) -> dict[str, dict[str, frozenset[str]]]:
    """Model (or variant) -> embedding -> the factors that are its tasks."""
    return {model: dict(experiment.model(model).carried) for model, experiment in run.experiment.trained.items()}


def targets(run: Run) -> dict[str, dict[str, frozenset[str]]]:
    """The same as `tasks`, but empty if all embeddings of the run have one name: then no factor has role `target`."""
    by_model = tasks(run)
    return by_model if len({name for embeddings in by_model.values() for name in embeddings}) > 1 else {}


def is_target(carried: Targets, model: str, embedding: str, factor: str) -> bool:
    """Whether a factor is a task of an embedding.

    Args:
        carried: see `targets`.
        model: its name.
        embedding: its name.
        factor: its name.
    """
    return factor in carried.get(model, {}).get(embedding, frozenset())


def with_roles(table: pd.DataFrame, carried: Targets, model: str) -> pd.DataFrame:
    """Rows of `leakage.csv` of one model. The role of an embedding's own tasks is changed to `target`."""
    if not carried or table.empty:
        return table
    names = zip(table["embedding"], table["factor"], strict=True)
    own = [is_target(carried, model, str(name), str(factor)) for name, factor in names]
    return table.assign(role=table["role"].mask(np.array(own) & (table["role"] == MEASURED), TARGET))
