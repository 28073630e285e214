"""Where the files of vectors are: clip -> file, by a column of the corpus's table, or by name in a folder."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError, unknown
from mien.features._vectors import ENDINGS, Config


def refuse_unplaced(name: str, config: Config, key: str) -> None:
    """Raise ConfigError where the settings say neither folder nor column, or a folder that is not there.

    Args:
        name: of the feature.
        config: its settings.
        key: of the feature in the experiment: data.audio or data.video.
    """
    if config.folder is None and config.column is None:
        raise ConfigError(
            f"{key}: {name} reads files of yours; give {key}.folder=FOLDER, or {key}.column=COLUMN of the corpus's "
            "table"
        )
    if config.folder is not None and not Path(config.folder).is_dir():
        raise ConfigError(f"{key}.folder: {config.folder}: no such folder")


def located(prepared: Prepared, name: str, config: Config, key: str) -> dict[str, Path]:
    """Clip -> its file, of those that have one.

    Raises:
        ConfigError: the table has no such column.
        CorpusError: a clip has two files, or the file that the column names is not there.
    """
    if config.column is not None:
        if config.column not in prepared.table:
            known = [str(column) for column in prepared.table]
            raise ConfigError(f"{key}.column: {prepared.place}: {unknown('column', config.column, known)}")
        root = Path(config.folder or prepared.card["root"])
        given = zip(prepared.table["clip"], prepared.table[config.column], strict=True)
        paths = {str(clip): root / str(cell) for clip, cell in given if isinstance(cell, str)}
        for clip, file in paths.items():
            if not file.is_file():
                raise CorpusError(
                    f"{file}: no such file, and the column '{config.column}' of {prepared.place} has it for the clip "
                    f"{clip}; write the path relative to {root}, or leave the cell empty where a clip has no file"
                )
        return paths
    folder = Path(config.folder or "")
    files: dict[str, list[str]] = defaultdict(list)
    for path in _below(folder):
        place = PurePosixPath(path)
        for called in {place.stem, place.with_suffix("").as_posix()}:
            files[called].append(path)
    alone = ~prepared.table["file"].duplicated(keep=False)
    found: dict[str, Path] = {}
    for row, only in zip(prepared.table.to_dict("records"), alone, strict=True):
        own = next((files[called] for called in _names(row, only=bool(only)) if called in files), [])
        if len(own) > 1:
            raise CorpusError(
                f"{folder}: {own[0]} and {own[1]} are both the vectors of the clip {row['clip']}; keep one of them"
            )
        if own:
            found[str(row["clip"])] = folder / own[0]
    return found


def _names(row: Mapping[Any, Any], *, only: bool) -> Iterator[str]:
    """What the file of a clip may be called without its ending, the most likely first.

    Args:
        row: of the table.
        only: whether it is the only clip of its recording: else the recording's name is that of all of them.
    """
    yield str(row["clip"])
    if only and isinstance(row["file"], str):
        recording = PurePosixPath(row["file"])
        yield recording.with_suffix("").as_posix()
        yield recording.stem


def _below(folder: Path) -> Sequence[str]:
    """All files of vectors below a folder, relative to it, with `/`, sorted; names that begin with a dot are not."""
    found = []
    for place, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [
            (Path(place).relative_to(folder) / name).as_posix()
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS
        ]
    return sorted(found)
