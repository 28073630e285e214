"""Columns of the corpus's own table as one vector a clip: action units, embeddings of another model.

A clip of which any of the values is missing has no vector.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from mien.common.settings import Settings
from mien.errors import ConfigError, unknown

if TYPE_CHECKING:
    import pandas as pd
    import torch

SOURCE = "the corpus's table, such as the action units of RAVDESS"
VERSION = 1
MODALITY = "video"
FROM = "columns"


class Config(Settings):
    """Which columns.

    Attributes:
        columns: names, in the order of the vector; a name with `*` (any letters) takes all columns that match, sorted.
        dimension: how many columns these must be.
    """

    columns: tuple[str, ...] = Field(("AU*",), min_length=1)
    dimension: int = Field(35, ge=1)


def shape(config: Config) -> tuple[int]:
    """Values a vector."""
    return (config.dimension,)


def hop(config: Config) -> float:
    """A clip has one vector."""
    return inf


def vectors(table: "pd.DataFrame", config: Config, place: str) -> "Mapping[str, torch.Tensor]":
    """Clip -> its vector, (1, D) float32, or (0, D).

    Args:
        table: one row a clip.
        config: which columns.
        place: the folder of the table, for errors.

    Raises:
        ConfigError: a column is not there, holds words, or their number is not `dimension`.
    """
    import pandas as pd
    import torch

    names: list[str] = []
    known = [str(name) for name in table.columns]
    for wanted in config.columns:
        matching = sorted(name for name in known if fnmatchcase(name, wanted)) if "*" in wanted else [wanted]
        if not matching or matching[0] not in known:
            raise ConfigError(f"data.video.columns: {place}: {unknown('column', wanted, known)}")
        names += matching
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in names}  # "0" and "1" stay text in a table
    if words := [name for name in names if (numbers[name].isna() & table[name].notna()).any()]:
        raise ConfigError(f"data.video.columns: {place}: the column '{words[0]}' holds words, not numbers")
    if len(names) != config.dimension:
        raise ConfigError(
            f"data.video.dimension: {config.dimension}, but {place} has {len(names)} such columns; write that number"
        )
    values = torch.from_numpy(np.stack([numbers[name].to_numpy(np.float32) for name in names], axis=1))
    whole = torch.isfinite(values).all(dim=1).tolist()
    return {clip: values[row : row + whole[row]] for row, clip in enumerate(table["clip"])}
