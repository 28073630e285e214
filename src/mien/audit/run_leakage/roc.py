"""The ROC of speaker verification on unseen speakers, for each model of a run (`roc.csv`)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.leakage.verification import cosine_trials, roc
from mien.runs.run import ROC, Cell, Run

POINTS = 101  # of a curve


def roc_curves(run: Run) -> pd.DataFrame:
    """The curve of each model of the experiment: the mean over folds, of the first seed.

    The trials are pairs of clips of unseen speakers, by the cosine of their embeddings, centred by the training clips.
    If a model has several embeddings, the curve is that of the first.

    Args:
        run: the run; nothing is written to it.

    Returns:
        The columns of `roc.csv` (`ROC`): at evenly spaced shares of accepted pairs of `different` speakers, the share
        of accepted pairs of the `same` speaker; `folds`: the number of folds with trials. A model without trials has no
        rows.
    """
    grid = np.linspace(0, 1, POINTS)
    tables = [pd.DataFrame(columns=list(ROC))]
    for model in run.experiment.models:
        cells = [cell for cell in run.cells if cell.model == model and cell.seed == run.experiment.seeds[0]]
        curves = [curve for cell in cells if (curve := _curve(run, cell, grid)) is not None]
        if curves:
            values = {"different": grid, "same": np.mean(curves, 0)}
            tables.append(pd.DataFrame({"model": model, **values, "folds": len(curves)}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _curve(run: Run, cell: Cell, grid: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The shares of accepted pairs of one speaker, at the points of the grid; None without trials."""
    clips, values = run.embeddings(cell)
    first = next(iter(values.values()))
    trained = (clips["split"] == "train").to_numpy()
    unseen = (~clips["speaker"].isin(clips["speaker"][trained])).to_numpy()
    if not unseen.any():
        return None
    speakers = clips["speaker"].to_numpy(str)[unseen]
    trials = cosine_trials(first[unseen], speakers, centre=first[trained].mean(0))
    if trials is None:
        return None
    matched, missed = roc(trials)
    order = np.lexsort((1 - missed, matched))
    return np.interp(grid, matched[order], 1 - missed[order])
