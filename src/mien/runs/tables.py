"""What a trained cell says of clips, as rows of tables: `predictions.csv` of the emotion, `tasks.csv` of all else."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mien.engine.inference import Inference
from mien.runs.run import Cell

TASKS = "tasks.csv"
TASK_COLUMNS = (
    *("clip", "speaker", "model", "fold", "seed", "split"),
    *("factor", "truth", "predicted", "probability"),
)


def prediction_table(
    inference: Inference, table: pd.DataFrame, classes: Sequence[str], cell: Cell, split: str, scheme: str
) -> pd.DataFrame:
    """Rows of `predictions.csv` for some clips: the truth, what is predicted, a probability for each class."""
    probabilities = inference.probabilities("emotion")
    predicted = [classes[number] for number in probabilities.argmax(axis=1)]
    head = _head(inference, table, cell, split).assign(emotion=table["label"].tolist(), predicted=predicted)
    columns = pd.DataFrame(probabilities.round(6), columns=list(classes))
    return pd.concat([head, columns], axis=1).assign(scheme=scheme)


def task_table(
    inference: Inference,
    table: pd.DataFrame,
    factors: Mapping[str, Sequence[str]],
    tasks: Sequence[str],
    cell: Cell,
    split: str,
) -> pd.DataFrame:
    """Rows of `tasks.csv` for some clips: what the heads of `tasks` say, where the truth is one of their classes."""
    tables = []
    for factor in tasks:
        classes, truth = list(factors[factor]), table[factor].astype(str)
        probabilities = inference.probabilities(factor)
        best = probabilities.argmax(axis=1)
        told = _head(inference, table, cell, split).assign(
            factor=factor,
            truth=truth.tolist(),
            predicted=[classes[number] for number in best],
            probability=probabilities.max(axis=1).round(6),
        )
        tables.append(told[(truth.isin(classes) & table[factor].notna()).to_numpy()])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(TASK_COLUMNS))


def _head(inference: Inference, table: pd.DataFrame, cell: Cell, split: str) -> pd.DataFrame:
    """The columns with which both tables begin."""
    place = {"model": cell.model, "fold": cell.fold, "seed": cell.seed, "split": split}
    return pd.DataFrame({"clip": list(inference.clips), "speaker": table["speaker"].tolist()} | place)
