"""The tables of a run: how they are read, and the predictions of a cell as rows.

The true value of a clip is the column `truth` in memory; in `predictions.csv` it is named after the main target, such
as `emotion`. Classes have one column of probabilities each, distributions also their given shares (`truth_CLASS`); a
number has only its prediction. `tasks.csv` has the predictions of other tasks.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError

from mien.common.cells import unquoted_table
from mien.common.leakage_tables import NAMES
from mien.data.targets import Target
from mien.errors import RunError
from mien.models.recipes._recipe import Inference

AGAIN = "run the same 'mien train' again"
TEXT = ("clip", "speaker", "file", "sentence", "session", "recording", "truth", "predicted")  # even if all are digits
TASKS = "tasks.csv"
TASK_COLUMNS = (
    *("clip", "speaker", "model", "fold", "seed", "split"),
    *("factor", "truth", "predicted", "probability"),
)


@contextmanager
def reading(path: Path, *, way: str = f"delete it and {AGAIN}") -> Iterator[None]:
    """Turn errors of a missing or damaged file of a run into RunError with the way out."""
    try:
        yield
    except FileNotFoundError as error:
        raise RunError(f"{path}: missing; {way.removeprefix('delete it and ')}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        what = f"no '{error.args[0]}'" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise RunError(f"{path}: damaged ({what}); {way}") from error


def read_table(
    path: Path, columns: Sequence[str] = (), *, text: Sequence[str] = (), way: str = f"delete it and {AGAIN}"
) -> pd.DataFrame:
    """Read a CSV of a run, see `common.cells`: names of speakers and clips stay text, an empty cell is missing.

    Args:
        path: the file.
        columns: columns that it must have.
        text: columns read as text besides `TEXT`.
        way: the way out, of a file that `train` does not write.

    Raises:
        RunError: it is missing, damaged, or lacks one of `columns`.
    """
    with reading(path, way=way):
        kinds = dict.fromkeys((*TEXT, *text), str)
        table = unquoted_table(pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""]))
        if missing := [column for column in columns if column not in table]:
            raise ValueError(f"no column '{missing[0]}'")
        return table


def older(path: Path, column: str, run: Path) -> RunError:
    """The error of a file of leakage without a column that an older mien did not write."""
    return RunError(f"{path}: was made by an older mien, without '{column}'; 'mien audit {run}' writes it again")


def read_leakage(path: Path, columns: Sequence[str], *, text: Sequence[str] = ()) -> pd.DataFrame:
    """Read `leakage.csv`, `leakage_by_speaker.csv` or `leakage_summary.csv`; an empty `eraser` is "".

    Args:
        path: the file.
        columns: those of the table, see `common.leakage_tables`.
        text: columns read as text, as in `read_table`.

    Raises:
        RunError: it is missing, damaged, lacks a column, or was made by an older mien, which had no column `eraser`.
    """
    named = [column for column in NAMES if column in columns]
    table = read_table(path, [column for column in columns if column not in named], text=(*named, *text))
    if missing := [column for column in named if column not in table]:
        raise older(path, missing[0], path.parent)
    return table.fillna(dict.fromkeys(named, ""))


def read_predictions(path: Path, target: str, classes: Sequence[str]) -> pd.DataFrame:
    """Read `predictions.csv`, of a run or of an evaluation.

    Args:
        path: the file.
        target: the main target, whose column becomes `truth`.
        classes: its classes; empty for a number, then `truth` and `predicted` are numbers.

    Raises:
        RunError: it is missing, damaged, or lacks a column.
    """
    head = ("clip", "speaker", "model", "fold", "seed", "split", target, "predicted")
    table = read_table(path, (*head, *classes), text=(target,)).rename(columns={target: "truth"})
    if classes:
        return table
    with reading(path):
        return table.astype({"truth": float, "predicted": float})


def prediction_table(
    inference: Inference, table: pd.DataFrame, target: Target, place: Mapping[str, object], scheme: str
) -> pd.DataFrame:
    """Rows of `predictions.csv` for some clips.

    Args:
        inference: the outputs of a model for them.
        table: the clips, in the same order.
        target: the main target.
        place: `model, fold, seed, split`.
        scheme: name of the classes.
    """
    head = _head(inference, table, place)
    truth = target.truth(table).tolist()
    if target.kind == "numbers":
        numbers = target.values(inference.outputs[target.factor])[:, 0].round(6)
        return head.assign(**{target.factor: truth}, predicted=numbers, scheme=scheme)
    probabilities = inference.probabilities(target.factor)
    predicted = [target.classes[number] for number in probabilities.argmax(axis=1)]
    parts = [head.assign(**{target.factor: truth}, predicted=predicted)]
    parts.append(pd.DataFrame(probabilities.round(6), columns=list(target.classes)))
    if target.kind == "soft":
        shares = target.labels(table).numpy().round(6)
        parts.append(pd.DataFrame(shares, columns=[f"truth_{name}" for name in target.classes]))
    return pd.concat(parts, axis=1).assign(scheme=scheme)


def task_table(
    inference: Inference, table: pd.DataFrame, targets: Sequence[Target], place: Mapping[str, object]
) -> pd.DataFrame:
    """Rows of `tasks.csv`: predictions of other tasks, for clips whose truth is known and one of the classes.

    Args:
        inference: the outputs of a model for them.
        table: the clips, in the same order.
        targets: the tasks; `probability` is empty for a number.
        place: `model, fold, seed, split`.
    """
    tables = []
    for target in targets:
        truth = target.truth(table)
        if target.kind == "numbers":
            predicted = target.values(inference.outputs[target.factor])[:, 0].round(6).astype(str).tolist()
            highest: Any = float("nan")
        else:
            probabilities = inference.probabilities(target.factor)
            predicted = [target.classes[number] for number in probabilities.argmax(axis=1)]
            highest = probabilities.max(axis=1).round(6)
        head = _head(inference, table, place)
        rows = head.assign(factor=target.factor, truth=truth.tolist(), predicted=predicted, probability=highest)
        tables.append(rows[truth.notna().to_numpy()])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(TASK_COLUMNS))


def _head(inference: Inference, table: pd.DataFrame, place: Mapping[str, object]) -> pd.DataFrame:
    """The first columns of both tables."""
    return pd.DataFrame({"clip": list(inference.clips), "speaker": table["speaker"].tolist()} | dict(place))
