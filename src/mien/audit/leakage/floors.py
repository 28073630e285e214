"""Baselines of leakage: scores without the embedding (floors) and from the encoder's inputs (ceilings).

- `majority`: always the most frequent class of the training clips.
- `X label`, the identity floor: probes that are given the true label of another factor X instead of the embedding.
  Where emotion and speaker are entangled, the speaker alone predicts the emotion to some degree; only a score above
  this floor shows more leakage than that. The alternative is to test on clips that are balanced over X (`leakage`,
  `balanced`), where X predicts nothing.
- `random projection` of the inputs, to as many dimensions as the embedding has (`random projection to D` where
  embeddings differ in dimension): an encoder without training. It may score higher than a trained embedding.
- `inputs`: statistics of the input features, and `functionals`, as ceilings.

All use the same probes, settings and division, and are rows of `leakage.csv` with model `baseline`.
"""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.leakage.leakage import Predictions, leakage, scored
from mien.audit.probes.division import divide
from mien.audit.probes.probes import Standard
from mien.audit.probes.task import ProbingTask
from mien.common.leakage_tables import CEILING, FLOOR, LEAKAGE, STRONGEST

MODEL = "baseline"
MAJORITY, INPUTS = "majority", "inputs"
PROJECTION = "random projection"  # how its names begin
IDENTITY = "{} label"


def floors(
    task: ProbingTask,
    *,
    others: Mapping[str, ArrayLike] | None = None,
    inputs: NDArray[np.floating] | None = None,
    functionals: NDArray[np.floating] | None = None,
    dimension: int | Collection[int] | None = None,
) -> pd.DataFrame:
    """The floors and ceilings of the factor of a task.

    Args:
        task: the factor and its n clips.
        others: name -> (n,), labels of other factors, missing where unknown; each is an identity floor.
        inputs: (n, P), statistics of the input features of each clip; None leaves out random projection and inputs.
        functionals: (n, F), another description of each clip; a second ceiling.
        dimension: D of the embedding, or several, for one random projection each; None leaves it out.

    Returns:
        Rows of `leakage.csv` (`LEAKAGE`), role floor or ceiling, model `baseline`; fold and seed are empty. The
        majority is no probe; its rows have the probe "strongest".
    """
    tables = [majority(task)] if task.numbers is None else []  # a constant has no CCC: the chance of a number
    for name, other in (others or {}).items():
        tables.append(_named(leakage(one_hot(other), task), IDENTITY.format(name), FLOOR))
    if inputs is not None:
        widths = [] if dimension is None else sorted({dimension} if isinstance(dimension, int) else set(dimension))
        for width in widths:
            projected = random_projection(inputs, width, task.options.seed)
            name = PROJECTION if len(widths) == 1 else f"{PROJECTION} to {width}"
            tables.append(_named(leakage(projected, task), name, FLOOR))
        tables.append(_named(leakage(inputs, task), INPUTS, CEILING))
    if functionals is not None:
        tables.append(_named(leakage(functionals, task), "functionals", CEILING))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(LEAKAGE))


def majority(task: ProbingTask) -> pd.DataFrame:
    """The rows of always predicting the most frequent class of the training clips; of ties the first by name."""
    y = np.unique(np.asarray(task.labels).astype(str), return_inverse=True)[1].astype(np.int64)
    division = task.division or divide(task)
    predicted = np.full(len(y), -1, np.int64)
    for train, test in division.parts:
        predicted[test] = np.bincount(y[train]).argmax()
    rows = np.flatnonzero(predicted >= 0)
    by_probe = {STRONGEST: predicted[rows]}
    kinds = len(np.unique(np.concatenate([y[train] for train, _ in division.parts])))
    # not crossed: nothing is fitted on the labels of single clips
    found = Predictions(rows, y[rows], by_probe, by_probe, {STRONGEST: 0.0}, kinds, division.description, False)
    return _named(scored(found, task), MAJORITY, FLOOR)


def projected(table: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of a random projection. It has the inputs, so an embedding may score below it."""
    return table["embedding"].str.startswith(PROJECTION).astype(bool)


def one_hot(labels: ArrayLike) -> NDArray[np.float64]:
    """One column a class, (n,) -> (n, K); a missing label is a row of zeros."""
    known = pd.Series(np.asarray(labels, object)).astype("str").where(~pd.isna(np.asarray(labels, object)))
    return pd.get_dummies(known).to_numpy(np.float64)


def random_projection(inputs: NDArray[np.floating], dimension: int, seed: int = 0) -> NDArray[np.float64]:
    """Standardised inputs times a Gaussian matrix, (n, P) -> (n, dimension); no label is used."""
    matrix = np.random.default_rng([seed, 7]).normal(0, 1 / np.sqrt(dimension), (inputs.shape[1], dimension))
    return Standard.of(inputs).apply(inputs) @ matrix


def _named(table: pd.DataFrame, embedding: str, role: str) -> pd.DataFrame:
    found = table.assign(embedding=embedding, eraser="", model=MODEL, fold=None, seed=None, role=role)
    return found[list(LEAKAGE)]
