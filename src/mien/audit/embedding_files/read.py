"""Read a user's own embeddings, matrices (n, D), and join them with labels, one row for each of their rows.

Embeddings are read from .npy (mapped into memory), .npz, .safetensors or .csv, never by pickle. Each array of a file is
one embedding, except `clips`, which names the rows: an array of text in .npz, a JSON list in the metadata of
.safetensors, a column `clip`, `id`, `file` and their like of a CSV. Rows are joined by clip where both sides name clips
(see `matching`), else by position, and a note says so. Columns that are no part of an embedding (see `columns`) are
left out of a CSV and listed; an array that has them is refused. Values are checked in blocks, so a mapped file is never
copied.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mien.audit.embedding_files import columns, matching
from mien.audit.embedding_files.labels import Labels
from mien.common.cells import unquoted_table
from mien.corpora.columns import SPELT, plain
from mien.corpora.corpus import fractions
from mien.errors import AuditError, unknown

SUFFIXES = (".npy", ".npz", ".safetensors", ".csv")
BLOCK = 16_384  # rows that are checked together
SHOWN = 5  # names listed in a message
GIVEN = "embedding"  # name of an array without one
SEPARATORS = (",", ";", "\t")
MISSING = ("", "nan", "NaN", "NA", "N/A", "<NA>")

Matrix = NDArray[Any]


class Embeddings(NamedTuple):
    """Embeddings of the same clips.

    Attributes:
        place: the file they come from, for messages and tables.
        arrays: name -> (n, D), real numbers, finite.
        clips: the clip of each row, or None where the file does not name clips.
        table: the columns of a CSV that by their names are no part of the embedding, as text.
        columns: the names of the columns of the array of a CSV; None for other formats.
        notes: sentences on columns that were left out.
    """

    place: str
    arrays: dict[str, Matrix]
    clips: tuple[str, ...] | None
    table: pd.DataFrame | None = None
    columns: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


class Labelled(NamedTuple):
    """Embeddings with their labels.

    Attributes:
        place: the file that the embeddings come from.
        arrays: name -> (N, D).
        rows: (n,), the rows of the arrays that have labels, or None for all.
        labels: n rows of text, one column a factor, with missing values.
        problems: sentences on labels without an embedding and embeddings without a label.
        notes: sentences on columns that were left out, or are worth a look.
        by_order: the sentence on rows that are matched by their order; empty where they are matched by name.
    """

    place: str
    arrays: dict[str, Matrix]
    rows: NDArray[np.intp] | None
    labels: pd.DataFrame
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    by_order: str = ""


def read_embeddings(source: Path | str | Matrix, labels: Sequence[str] = ()) -> Embeddings:
    """Read the embeddings of a file, or take an array as it is.

    Args:
        source: the file or the array.
        labels: the names of the columns of the labels: columns of a CSV that are called so are no embedding.

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
    reader = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}.get(path.suffix.lower())
    try:
        if reader is None:
            return _checked(_csv(path, labels))
        values, clips = reader(path)
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if "Python objects" in reason or "allow_pickle" in reason:
            raise AuditError(
                f"{path}: holds Python objects, which are never loaded; save an array of numbers"
            ) from None
        raise AuditError(f"{path}: cannot be read as {path.suffix} ({reason})") from None
    return _checked(Embeddings(str(path), values, clips))


def join(embeddings: Embeddings, given: Labels) -> Labelled:
    """Join embeddings and labels, by clip where both name clips, else by position.

    Raises:
        AuditError: a clip is named twice, no clip is in both, both sides name their clips but not alike, clips are not
            named and the numbers of rows differ, a column of both differs in a row, or an array has columns that are no
            part of an embedding.
    """
    count = len(next(iter(embeddings.arrays.values())))
    labels, notes, (ours, theirs) = given.table, given.notes, _naming(embeddings, given)
    before = [*given.names, *map(str, labels)]
    found = matching.match(ours, theirs, embeddings.place)
    if found is None:
        if len(labels) != count:
            _one_row_a_clip(embeddings)
            side = "the labels have no column 'clip'" if embeddings.clips else "the embeddings do not name their clips"
            header = ""
            if len(labels) == count - 1:
                header = f"; if the labels have no header line, give one: '{next(iter(before))}' is read as a name"
            raise AuditError(
                f"{embeddings.place}: {count} rows, but {len(labels)} labels, and {side}: "
                f"give one label for each row, or name the clips on both sides{header}"
            )
        _same_order(embeddings, given)
        order = matching.by_order(ours, theirs, embeddings.place)
        given_so = Labelled(embeddings.place, embeddings.arrays, None, labels, (), (*notes, order), order)
        return _without_foreign(embeddings, given_so)
    notes = notes if found.note is None else (*notes, found.note)
    labels = labels.assign(clip=found.labels)
    clips, labelled = pd.Index(found.clips), pd.Index(labels["clip"])
    for names, where in ((clips, embeddings.place), (labelled, "labels")):
        if twice := names[names.duplicated()].tolist():
            if where == embeddings.place:
                _one_row_a_clip(embeddings)
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
    kept = None if len(rows) == count else rows
    return _without_foreign(
        embeddings, Labelled(embeddings.place, embeddings.arrays, kept, table, tuple(problems), notes)
    )


def _one_row_a_clip(embeddings: Embeddings) -> None:
    """Raise AuditError where a column of times of frames says that a clip has several rows."""
    table = pd.DataFrame() if embeddings.table is None else embeddings.table
    for name in table:
        times = len(table[name].unique())
        if plain(name).replace("_", "") in ("frametime", "frameindex", "frame") and times > 1:
            raise AuditError(
                f"{embeddings.place}: its column '{name}' has {times} values, so it has a row a frame; "
                "give one row a clip, such as functionals"
            )


def require_factor(labels: pd.DataFrame, factor: str, place: str) -> None:
    """Raise AuditError where a factor is unknown, has fewer than two classes, or a different class in every row.

    A column of numbers with fractions is a number, of which every row may have another one.
    """
    if factor not in labels or factor == "clip":
        raise AuditError(f"{place}: {unknown('factor', factor, [str(name) for name in labels if name != 'clip'])}")
    known = labels[factor].dropna()
    kinds = known.nunique()
    if kinds < 2:
        what = f"one class, '{known.iloc[0]}'" if kinds else "no label"
        raise AuditError(f"{place}: factor '{factor}' has {what}; at least two classes are needed")
    if kinds == len(known) and not fractions(known):
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


def _csv(path: Path, labels: Sequence[str]) -> Embeddings:
    """A table of embeddings: its columns of numbers, without those that by name are no part of an embedding."""
    table = _table(path)
    lowered = _lowered(table)
    clip = lowered.get("clip")
    names = None if clip is None else table.pop(clip).astype(object)
    if names is not None and names.isna().any():
        raise ValueError(f"row {int(names.isna().argmax()) + 1}: column 'clip' is empty")
    foreign = {str(name): why for name in table if (why := columns.by_name(str(name), labels)) is not None}
    if sum(len(name) == 1 for name in map(str, table)) > 3:  # then `t` is a letter among others
        foreign = {name: why for name, why in foreign.items() if name != "t" or name in labels}
    rest = table.drop(columns=list(foreign))
    if words := [str(name) for name in rest if not pd.api.types.is_numeric_dtype(rest[name])]:
        raise ValueError(
            f"column '{words[0]}' holds text; only the column 'clip' and columns that the labels have too may"
        )
    if rest.empty:
        raise ValueError(f"it has no column of an embedding, only {columns.listed([str(name) for name in table])}")
    shared = table[list(foreign)].astype("str")
    clips = None if names is None else tuple(map(str, names))
    notes = _left_out(path, foreign)
    return Embeddings(str(path), {path.stem: rest.to_numpy(np.float64)}, clips, shared, tuple(map(str, rest)), notes)


def _table(path: Path) -> pd.DataFrame:
    """A CSV file as pandas, R, Excel or openSMILE write it: separated by commas, semicolons, tabs or blanks."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line, skipped = file.readline(), 0
        if re.fullmatch(r'"?sep=.?"?', line.rstrip("\r\n")):  # meant for Excel
            line, skipped = file.readline(), 1
        separator, second = max(SEPARATORS, key=line.count), file.readline()
        if separator not in line and " " in line.strip() and " " in second.strip():  # R's write.table
            separator = " "
        rows = csv.reader(chain([line, second], file), delimiter=separator)
        head, first = next(rows, []), next(rows, [])
    if all(map(_number, head)) and head not in ([str(n + k) for n in range(len(head))] for k in (0, 1)):
        raise ValueError("its first line holds numbers; give every column a name in the first line")
    if len(first) == len(head) + 1:  # R's write.table names the columns alone; pandas would take the first as its index
        head = ["", *head]
    if len(first) > len(head):
        raise ValueError("its rows have more cells than the first line; give every column a name")
    if repeated := [name for name, count in Counter(head).items() if count > 1 and name.strip()]:
        raise ValueError(f"two columns are called '{repeated[0]}'; rename one")
    names = [name.strip() or (f"Unnamed: {place}" if head.count(name) > 1 else "") for place, name in enumerate(head)]

    def read(decimal: str) -> pd.DataFrame:
        return pd.read_csv(
            path,
            sep=separator,
            decimal=decimal,
            encoding="utf-8-sig",
            header=0,
            skiprows=skipped,
            names=names,
            dtype={name: "str" for name in names if name.lower() == "clip" or matching.role(name)},
            keep_default_na=False,
            na_values=MISSING,
        )

    table = unquoted_table(read("."))
    texts: pd.DataFrame = table.select_dtypes("str")
    words = texts[[name for name in texts if matching.role(str(name)) is None]]
    commas = words.map(_decimal_comma)
    if not commas.to_numpy().any():
        return table
    cells = words.to_numpy()[commas.to_numpy()]
    if separator != ";" and all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell.strip()) for cell in cells):
        raise ValueError(
            f"'{cells[0]}' may have a decimal comma, or a comma between thousands; write numbers with decimal points"
        )
    return unquoted_table(read(","))


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _decimal_comma(cell: object) -> bool:
    return isinstance(cell, str) and cell.count(",") == 1 and _number(cell.replace(",", "."))


def _left_out(place: Path | str, foreign: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in foreign.items():
        reasons.setdefault(why, []).append(name)
    return tuple(
        f"{place}: left out of the embedding: column {columns.listed(names)}, which {why}"
        for why, names in reasons.items()
    )


def _naming(embeddings: Embeddings, given: Labels) -> tuple[list[matching.Column], list[matching.Column]]:
    """The columns of both sides that may name rows."""
    ours, before = [], {new: old for old, new in given.names.items()}
    if embeddings.clips is not None:
        name = "clip" if embeddings.columns is not None else "clips"
        ours.append(matching.Column(name, "clip", pd.Series(embeddings.clips, dtype="str")))
    table = pd.DataFrame() if embeddings.table is None else embeddings.table
    ours += [matching.Column(name, matching.role(name) or matching.OTHER, table[name]) for name in map(str, table)]
    theirs = []
    for name in map(str, given.table):
        role = matching.role(before.get(name, name)) or matching.role(name) or matching.OTHER
        theirs.append(matching.Column(before.get(name, name), role, given.table[name]))
    return ours, theirs


def _by_any_name(labels: Labels) -> dict[str, str]:
    """Names of columns of the labels in lower case, as they are and as they were given -> as they are."""
    known = {old.strip().lower(): new for old, new in labels.names.items()} | _lowered(labels.table)
    files = [new for old, new in known.items() if matching.role(old) == "file"]
    return dict.fromkeys(SPELT["file"], files[0]) | known if files else known


def _lowered(table: pd.DataFrame | None) -> dict[str, str]:
    """The names of columns in lower case -> the names."""
    return {} if table is None else {str(name).strip().lower(): str(name) for name in table}


def _same_order(embeddings: Embeddings, labels: Labels) -> None:
    """Raise AuditError where a column that embeddings and labels share differs in a row."""
    theirs = _by_any_name(labels)
    ours = pd.DataFrame() if embeddings.table is None else embeddings.table
    for key, name in _lowered(ours).items():
        if key not in theirs or matching.nameless(name):
            continue
        mine, given = ours[name], labels.table[theirs[key]]
        differ = mine.notna() & given.notna() & (mine != given)
        differ &= pd.to_numeric(mine, errors="coerce") != pd.to_numeric(given, errors="coerce")
        if matching.role(name) == "file":
            differ &= matching.stems(mine) != matching.stems(given)
        if differ.any():
            row = int(differ.argmax())
            raise AuditError(
                f"{embeddings.place}: row {row + 1}, column '{name}': '{mine[row]}', but '{given[row]}' in the labels; "
                "give both tables in one order, or name each clip in a column 'clip' of both"
            )


def _without_foreign(embeddings: Embeddings, joined: Labelled) -> Labelled:
    """Leave columns out of a CSV, or refuse an array, that by their values are no part of an embedding."""
    arrays: dict[str, Matrix] = {}
    notes = [*embeddings.notes, *joined.notes]
    for name, values in joined.arrays.items():
        found, doubtful = columns.by_value(values, joined.labels, joined.rows)
        if found and embeddings.columns is None:
            place, why = next(iter(found.items()))
            raise AuditError(
                f"{embeddings.place}: '{name}', column {place}: {why}, so it is no part of an embedding; remove it"
            )
        named = embeddings.columns or tuple(map(str, range(values.shape[1])))
        for why in dict.fromkeys(doubtful.values()):
            those = [named[column] for column, reason in doubtful.items() if reason == why]
            notes.append(
                f"{embeddings.place}: '{name}': {len(those)} of {values.shape[1]} columns are kept though each {why}: "
                f"{columns.listed(those)}"
            )
        notes += _left_out(embeddings.place, {named[place]: why for place, why in found.items()})
        kept = np.delete(np.arange(values.shape[1]), list(found)) if found else None
        if kept is not None and not len(kept):
            raise AuditError(f"{embeddings.place}: no column of an embedding is left; {'; '.join(notes)}")
        arrays[name] = values if kept is None else values[:, kept]
        notes += _listed(embeddings.place, name, arrays[name], named if kept is None else [named[k] for k in kept])
    return joined._replace(arrays=arrays, notes=tuple(notes))


def _listed(place: str, array: str, values: Matrix, names: Sequence[str]) -> Iterator[str]:
    """Sentences on columns of one value, and on columns of marks."""
    constant, marks = columns.flat(values)
    for found, what in (
        (constant, "hold one value each"),
        (marks, "hold only 0 and 1, or -1 and 1, as marks of a class do"),
    ):
        if len(found):
            shown = columns.listed([names[column] for column in found])
            yield f"{place}: '{array}': {len(found)} of {values.shape[1]} columns {what}: {shown}"


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
                row = number * BLOCK + int(np.argmin(finite.all(1))) + 1
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
