"""Read a user's own embeddings and labels: matrices (n, D), and a table with one row for each of their rows.

Embeddings are read from .npy (mapped into memory), .npz, .safetensors or .csv, never by pickle. Each array of a file is
one embedding, except `clips`, which names the rows: an array of text in .npz, a JSON list in the metadata of
.safetensors, the column `clip` of a CSV. Labels are text, one column a factor; missing values stay missing. Rows are
joined by clip where both sides name clips, else by position. Values are checked in blocks, so a mapped file is never
copied.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mien.errors import AuditError, unknown

SUFFIXES = (".npy", ".npz", ".safetensors", ".csv")
BLOCK = 16_384  # rows that are checked together
SHOWN = 5  # names listed in a message
GIVEN = "embedding"  # name of an array without one

Matrix = NDArray[Any]


class Embeddings(NamedTuple):
    """Embeddings of the same clips.

    Attributes:
        place: the file they come from, for messages and tables.
        arrays: name -> (n, D), real numbers, finite.
        clips: the clip of each row, or None where the file does not name clips.
    """

    place: str
    arrays: dict[str, Matrix]
    clips: tuple[str, ...] | None


class Labelled(NamedTuple):
    """Embeddings with their labels.

    Attributes:
        place: the file that the embeddings come from.
        arrays: name -> (N, D).
        rows: (n,), the rows of the arrays that have labels, or None for all.
        labels: n rows of text, one column a factor, with missing values.
        problems: sentences on labels without an embedding and embeddings without a label.
    """

    place: str
    arrays: dict[str, Matrix]
    rows: NDArray[np.intp] | None
    labels: pd.DataFrame
    problems: tuple[str, ...]


def read_embeddings(source: Path | str | Matrix) -> Embeddings:
    """Read the embeddings of a file, or take an array as it is.

    Raises:
        AuditError: the file does not exist or cannot be read, or its arrays are not (n, D), not numbers, not finite or
            empty.
    """
    if isinstance(source, np.ndarray):
        return _checked(Embeddings(GIVEN, {GIVEN: source}, None))
    path = Path(source)
    if not path.exists():
        raise AuditError(f"{path}: no such file; give embeddings as {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise AuditError(f"{path}: is a folder; give a file of embeddings ({', '.join(SUFFIXES)})")
    if path.suffix.lower() not in SUFFIXES:
        raise AuditError(f"{path}: embeddings are read from {', '.join(SUFFIXES)}, not from '{path.suffix}'")
    if path.stat().st_size == 0:
        raise AuditError(f"{path}: is empty; give a file of embeddings ({', '.join(SUFFIXES)})")
    reader = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors, ".csv": _csv}[path.suffix.lower()]
    try:
        values, clips = reader(path)
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if "Python objects" in reason or "allow_pickle" in reason:
            raise AuditError(
                f"{path}: holds Python objects, which are never loaded; save an array of numbers"
            ) from None
        raise AuditError(f"{path}: cannot be read as {path.suffix} ({reason})") from None
    return _checked(Embeddings(str(path), values, clips))


def read_labels(source: Path | str | pd.DataFrame | Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """Read labels as a table of text, one column a factor; an empty cell is missing.

    Args:
        source: a CSV file with a header, a table, or factor -> labels.

    Raises:
        AuditError: the file is no CSV, columns have different lengths or the same name, or there is no row.
    """
    if isinstance(source, pd.DataFrame | Mapping):
        try:
            table = pd.DataFrame(source).reset_index(drop=True)
        except ValueError as error:
            raise AuditError(f"labels: {error}; give each factor one label for each row") from None
    else:
        path = Path(source)
        if path.is_dir():
            raise AuditError(f"{path}: is a folder; give a CSV file of labels")
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        except FileNotFoundError:
            raise AuditError(f"{path}: no such file; give a CSV file of labels, one row a clip") from None
        except ValueError as error:  # parser errors, undecodable bytes and empty files are ValueErrors
            raise AuditError(f"{path}: cannot be read as CSV ({' '.join(str(error).split())})") from None
    if table.empty:
        raise AuditError(f"{_name(source)}: has no row of labels; give one row a clip")
    if repeated := table.columns[table.columns.duplicated()].tolist():
        raise AuditError(f"{_name(source)}: two columns are called '{repeated[0]}'; rename one")
    known = table.astype(object).where(table.notna(), None)
    texts = {str(name): [None if value is None else str(value) for value in column] for name, column in known.items()}
    return pd.DataFrame(texts, dtype="str")


def join(embeddings: Embeddings, labels: pd.DataFrame) -> Labelled:
    """Join embeddings and labels, by clip where both name clips, else by position.

    Raises:
        AuditError: a clip is named twice, no clip is in both, or clips are not named and the numbers of rows differ.
    """
    count = len(next(iter(embeddings.arrays.values())))
    if embeddings.clips is None or "clip" not in labels:
        if len(labels) != count:
            side = "the labels have no column 'clip'" if embeddings.clips else "the embeddings do not name their clips"
            raise AuditError(
                f"{embeddings.place}: {count} rows, but {len(labels)} labels, and {side}: "
                "give one label for each row, or name the clips on both sides"
            )
        return Labelled(embeddings.place, embeddings.arrays, None, labels, ())
    clips, labelled = pd.Index(embeddings.clips), pd.Index(labels["clip"])
    for names, where in ((clips, embeddings.place), (labelled, "labels")):
        if twice := names[names.duplicated()].tolist():
            raise AuditError(f"{where}: the clip '{twice[0]}' has two rows; name each clip once")
    rows = np.flatnonzero(clips.isin(labelled)).astype(np.intp)
    if not len(rows):
        raise AuditError(
            f"{embeddings.place}: none of its {count} clips is among the {len(labels)} labels; "
            "name them alike on both sides"
        )
    problems = [
        f"{what}: {len(lacking)}, such as {', '.join(lacking[:SHOWN])}; left out"
        for what, lacking in (
            ("labels whose clip has no embedding", labelled.difference(clips, sort=False).dropna().tolist()),
            ("embeddings whose clip has no label", clips.difference(labelled, sort=False).tolist()),
        )
        if lacking
    ]
    table = labels.set_index("clip", drop=False).loc[clips[rows]].reset_index(drop=True)
    return Labelled(embeddings.place, embeddings.arrays, None if len(rows) == count else rows, table, tuple(problems))


def require_factor(labels: pd.DataFrame, factor: str, place: str) -> None:
    """Raise AuditError where a factor is unknown, has fewer than two classes, or a different class in every row."""
    if factor not in labels or factor == "clip":
        raise AuditError(f"{place}: {unknown('factor', factor, [str(name) for name in labels if name != 'clip'])}")
    known = labels[factor].dropna()
    kinds = known.nunique()
    if kinds < 2:
        what = f"one class, '{known.iloc[0]}'" if kinds else "no label"
        raise AuditError(f"{place}: factor '{factor}' has {what}; at least two classes are needed")
    if kinds == len(known):
        raise AuditError(
            f"{place}: factor '{factor}' has a different class in each of its {kinds} rows, so no probe can learn it; "
            "give classes, such as age groups instead of years"
        )


def blocks(values: Matrix, rows: NDArray[np.intp] | None = None, size: int = BLOCK) -> Iterator[Matrix]:
    """The rows in order, at most `size` at a time; a mapped file is read only here."""
    for begin in range(0, len(values) if rows is None else len(rows), size):
        yield values[begin : begin + size] if rows is None else values[rows[begin : begin + size]]


def _npy(path: Path) -> tuple[dict[str, Matrix], None]:
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("does not begin as a numpy array does; write it with numpy.save")
    return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}, None


def _npz(path: Path) -> tuple[dict[str, Matrix], tuple[str, ...] | None]:
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError("it is no zip archive of arrays; write it with numpy.savez")
    with np.load(path, allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}
    clips = values.pop("clips", None)
    return values, None if clips is None else tuple(map(str, np.atleast_1d(clips).tolist()))


def _safetensors(path: Path) -> tuple[dict[str, Matrix], tuple[str, ...] | None]:
    with safe_open(path, "numpy") as file:
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        head = file.metadata() or {}
    if "clips" not in head:
        return values, None
    clips = json.loads(head["clips"])
    if not isinstance(clips, list):
        raise ValueError("the metadata 'clips' are no JSON list of names")
    return values, tuple(map(str, clips))


def _csv(path: Path) -> tuple[dict[str, Matrix], tuple[str, ...] | None]:
    head = pd.read_csv(path, nrows=0).columns
    table = pd.read_csv(
        path, dtype={"clip": str} if "clip" in head else None, keep_default_na=False, na_values=["", "nan"]
    )
    names = table.pop("clip") if "clip" in table else None
    if names is not None and names.isna().any():
        raise ValueError(f"row {int(names.isna().argmax()) + 1}: column 'clip' is empty")
    clips = None if names is None else tuple(map(str, names))
    if words := [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]:
        raise ValueError(f"column '{words[0]}' holds text; only the column 'clip' may")
    return {path.stem: table.to_numpy(np.float64)}, clips


def _checked(found: Embeddings) -> Embeddings:
    if not found.arrays:
        raise AuditError(f"{found.place}: holds no array; give at least one, (n, D)")
    counts = {name: len(value) if value.ndim else 0 for name, value in found.arrays.items()}
    for name, value in found.arrays.items():
        which = f"{found.place}: '{name}'"
        if value.dtype.kind not in "fiu":
            kind = "Python objects" if value.dtype.kind == "O" else f"{value.dtype}"
            raise AuditError(f"{which} holds {kind}; an embedding has real numbers")
        if value.ndim != 2:
            raise AuditError(f"{which} has {value.ndim} dimensions; an embedding has two: one row a clip, (n, D)")
        if 0 in value.shape:
            raise AuditError(f"{which} is empty: {value.shape[0]} rows, {value.shape[1]} columns")
        for number, block in enumerate(blocks(value)):
            if block.dtype.kind == "f" and not (finite := np.isfinite(block)).all():
                row = number * BLOCK + int(np.argmin(finite.all(1)))
                raise AuditError(f"{which}, row {row}: a value is not finite; leave such clips out")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise AuditError(
            f"{found.place}: its arrays have different numbers of rows, {listed}; give one row a clip in each"
        )
    if found.clips is not None and len(found.clips) != next(iter(counts.values())):
        raise AuditError(
            f"{found.place}: {len(found.clips)} names of clips for {next(iter(counts.values()))} rows; "
            "give one for each row"
        )
    return found


def _name(source: object) -> str:
    return os.fspath(source) if isinstance(source, str | Path) else "labels"
