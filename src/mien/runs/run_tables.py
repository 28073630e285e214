"""How the files of a run are read: what is missing or damaged is told with the way out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError

from mien.errors import RunError

AGAIN = "run the same 'mien train' again"
TEXT = ("clip", "speaker", "file", "sentence", "session", "recording", "truth", "predicted")  # also where it is digits


@contextmanager
def reading(path: Path, *, way: str = f"delete it and {AGAIN}") -> Iterator[None]:
    """Turn what a missing or damaged file of a run raises while it is read into RunError with the way out."""
    try:
        yield
    except FileNotFoundError as error:
        raise RunError(f"{path}: missing; {way.removeprefix('delete it and ')}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        what = f"no '{error.args[0]}'" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise RunError(f"{path}: damaged ({what}); {way}") from error


def read_table(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV of ours: names of people and clips stay text, an empty cell is missing.

    Raises:
        RunError: it is missing, damaged, or lacks one of `columns`.
    """
    with reading(path):
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""])
        if missing := [column for column in columns if column not in table]:
            raise ValueError(f"no column '{missing[0]}'")
        return table
