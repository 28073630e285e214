"""Frame vectors of one's own, in a file for each clip: the settings, and what a file holds.

A file is a matrix, T x D, a row a frame, or one vector (D values, or 1 x D): `.npy` (numbers, never pickled objects),
`.safetensors` (its one tensor, or the one called `vectors`), or `.csv` (numbers in UTF-8, separated by commas,
semicolons or tabs; a first line with words is a header). Numbers are read as float32.

A row of nothing but nan (in CSV empty cells, or `nan`) is a frame in which nothing could be seen or heard: it is not
valid. So a blank line of a CSV is a frame where a frame has one value; elsewhere blank lines are left out. A row of
zeros is a frame like any other. A row with some nan, and any infinite number, are refused.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from mien.common.settings import Settings
from mien.corpora.columns import separator
from mien.errors import CorpusError

ENDINGS = (".npy", ".safetensors", ".csv")
TENSOR = "vectors"  # of several tensors in a file, the one that is read
TOLERANCE = (
    0.1  # seconds by which the frames of a clip may be longer or shorter than it, or two hops where that is more
)


class Config(Settings):
    """Where the files are, and what they hold.

    Attributes:
        folder: the folder that holds them, or that paths in `column` are relative to. A relative path is taken from the
            working directory and made absolute.
        column: of the corpus's table, with the path of each clip's file; without it, files are found by the clip's
            name, or by that of its recording, whose ending is another. Without `folder`, paths are relative to the
            corpus's root.
        dimension: how many values a frame has.
        hop: seconds from one frame to the next; null where a clip has one vector.
    """

    folder: str | None = None
    column: str | None = None
    dimension: int = Field(512, ge=1)
    hop: float | None = Field(None, gt=0)

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: str | None) -> str | None:
        return None if folder is None else str(Path(folder).absolute())

    @property
    def anywhere(self) -> "Config":
        """The same without the place: what vectors are stored under, so that they may be moved."""
        return self.model_copy(update={"folder": None, "column": None})


class Vectors(NamedTuple):
    """The frames of a clip: (T, D) float32, zeros where a frame is not valid, and which are (T,)."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


def hop(config: Config) -> float:
    """Seconds from one frame to the next; infinite where a clip has one vector."""
    return math.inf if config.hop is None else config.hop


def read(file: Path, config: Config, seconds: float) -> Vectors:
    """The frames of a clip.

    Args:
        file: of one of `ENDINGS`.
        config: what it should hold.
        seconds: the clip's length; 0 where it is not known, and not compared then.

    Raises:
        CorpusError: the file cannot be read, holds something else than numbers, or does not fit the clip or the
            settings.
    """
    values = np.atleast_2d(_matrix(file))
    if values.ndim != 2:
        raise CorpusError(f"{file}: has {values.ndim} dimensions; write a matrix with a row for each frame")
    count, dimension = values.shape
    if dimension != config.dimension:
        turned = "; frames are rows, so turn it around" if count == config.dimension else ""
        raise CorpusError(
            f"{file}: has {dimension} values a frame ({count} x {dimension}), and the setting 'dimension' is "
            f"{config.dimension}{turned or '; write that number, or take vectors of one kind'}"
        )
    _refuse_length(file, count, config, seconds)
    unknown = np.isnan(values)
    valid: NDArray[np.bool_] = ~np.all(unknown, axis=1)
    unusable = valid & ~np.all(np.isfinite(values), axis=1)
    if unusable.any():
        row = int(unusable.argmax())
        what = "nan beside numbers" if unknown[row].any() else "an infinite number, as 32 bits"
        raise CorpusError(
            f"{file}: row {row + 1} of {count} holds {what}; a frame without a face or voice is a row of nothing but "
            "nan"
        )
    return Vectors(np.where(valid[:, None], values, np.float32(0)), valid)


def _refuse_length(file: Path, count: int, config: Config, seconds: float) -> None:
    """Raise CorpusError where so many frames do not fit the clip."""
    if count == 0:
        raise CorpusError(f"{file}: is empty; take it away where there is nothing of its clip")
    if config.hop is None and count > 1:
        fits = f", {seconds / count:.3g} s for this clip" if seconds else ""
        raise CorpusError(
            f"{file}: has {count} frames, and the setting 'hop' is null, which is one vector a clip; give the seconds "
            f"between frames{fits}"
        )
    if config.hop is None or not seconds:
        return
    lasts = count * config.hop
    if abs(lasts - seconds) > max(2 * config.hop, TOLERANCE):
        raise CorpusError(
            f"{file}: {count} frames with a hop of {config.hop:g} s last {lasts:.2f} s, and the clip lasts "
            f"{seconds:.2f} s; it would fit a hop of {seconds / count:.3g} s ({count / seconds:.3g} a second)"
        )


def _matrix(file: Path) -> NDArray[np.float32]:
    """The numbers of a file."""
    try:
        values = _READERS[file.suffix.lower()](file)
    except KeyError:
        raise CorpusError(f"{file}: is no {', '.join(ENDINGS)}; save the vectors as one of these") from None
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read ({error.strerror or error})") from error
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite, and refused
        return values.astype(np.float32)


def _npy(file: Path) -> NDArray[np.generic]:
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CorpusError(f"{file}: is no array of numbers as numpy.save writes it ({error})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        kind = getattr(values, "dtype", type(values).__name__)
        raise CorpusError(f"{file}: holds {kind}, not numbers; save an array of float32")
    return values


def _safetensors(file: Path) -> NDArray[np.generic]:
    from safetensors import SafetensorError, safe_open  # of the extra `train`, like torch, which it makes tensors of

    try:
        with safe_open(file, "pt") as tensors:
            names = list(tensors.keys())
            if TENSOR not in names and len(names) != 1:
                known = ", ".join(names) or "none"
                raise CorpusError(f"{file}: has {len(names)} tensors ({known}); call the one that is meant '{TENSOR}'")
            tensor = tensors.get_tensor(TENSOR if TENSOR in names else names[0])
    except SafetensorError as error:
        raise CorpusError(f"{file}: is no safetensors file ({error})") from error
    if tensor.is_complex() or str(tensor.dtype) == "torch.bool":
        raise CorpusError(f"{file}: holds {tensor.dtype}, not numbers; save a tensor of float32")
    values: NDArray[np.generic] = tensor.double().numpy()
    return values


def _csv(file: Path) -> NDArray[np.generic]:
    import pandas as pd

    try:
        with file.open(encoding="utf-8-sig") as lines:
            blank, first = next(((n, line.strip()) for n, line in enumerate(lines) if line.strip()), (0, ""))
        if not first:
            raise CorpusError(f"{file}: is empty; take it away where there is nothing of its clip")
        between = separator(first) or ","
        header = None if all(map(_is_number, first.split(between))) else 0
        lines_of: dict[str, Any] = {"header": header}
        if between not in first:  # of one column a blank line is a row, whose one cell is empty
            lines_of = {"header": None, "names": [0], "skip_blank_lines": False, "skipinitialspace": True}
            lines_of["skiprows"] = 0 if header is None else blank + 1
        table = pd.read_csv(file, sep=between, dtype="float64", encoding="utf-8-sig", **lines_of)
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        why = " ".join(str(error).split())
        raise CorpusError(f"{file}: is no table of numbers in UTF-8 ({why})") from error
    except ValueError as error:
        raise CorpusError(f"{file}: {_no_number(file, between, header is not None)}; write numbers alone") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise CorpusError(f"{file}: the rows have more cells than the header; give every column a name, or none")
    values: NDArray[np.generic] = table.to_numpy()
    return values


def _no_number(file: Path, between: str, header: bool) -> str:
    """The first cell that is no number, for a sentence."""
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            for cell in line.rstrip("\r\n").split(between):
                if not _is_number(cell) and not header:
                    return f"line {number}: '{cell.strip()[:40]}' is no number"
            header = header and not line.strip()
    return "is no table of numbers"


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, or missing."""
    cell = cell.strip().strip('"')
    try:
        float(cell or "nan")
    except ValueError:
        return cell in ("NA", "N/A", "NULL", "null", "None", "<NA>", "#N/A")
    return True


_READERS: Mapping[str, Callable[[Path], NDArray[np.generic]]] = {
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".csv": _csv,
}
